"""Claims about a script that leaves while its run goes on: it ends, and so does all that it began (contract F37)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import driver

SAID = "interrupted; run the flow again to go on from here"


@pytest.mark.contract("F37", "P5", "P6")
@pytest.mark.parametrize(
    ("way", "runner", "status", "says"),
    [("drop", "process", 0, "the script ends"), ("exit", "thread", 7, ""), ("raise", "async", 1, "the script's own")],
)
def test_a_script_may_leave_in_mid_run(way: str, runner: str, status: int, says: str, tmp_path: Path) -> None:
    """It drops the run, exits or fails while cells have minutes left: its own status stays, and nobody is left."""
    store = tmp_path / "store"
    with (
        driver.shared_memory_as_before(),
        driver.start("leaving", way, runner, store, folder=tmp_path) as script,
    ):
        ended = script.end()
        script.leaves_nobody()
        output = script.output()

    assert status == ended, output
    assert 1 == output.count(SAID)
    assert says in output
    assert [] == driver.leftovers(store)
