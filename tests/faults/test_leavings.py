"""Claims about what cells leave behind: the next cell in their worker finds the place as the first one did."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import flowcore as fc
from flowcore.run.pool import shutdown
from tests.faults import driver, leavings

ENDS = {"returns": 0, "raises": 1, "exits": 7, "is terminated": -15}
RUNNERS = ("process", "thread", "inline", "async")


@pytest.fixture(autouse=True, scope="module")
def _no_workers_left() -> Iterator[None]:
    yield
    shutdown()


@pytest.mark.contract("F4", "P4", "P7")
def test_every_cell_finds_its_worker_as_the_first_did(store: Path) -> None:
    """Directory, environment, limits, signals, streams, numpy's errors and more, changed by one cell after another."""
    shutdown()
    flow = fc.Flow("leavings")
    for way in leavings.WAYS:
        flow.add(leavings.leaves, way, kind="compute", name=way)
    run = flow.run(*leavings.WAYS, store=store, workers=1, progress=False)
    found = {way: run[way] for way in leavings.WAYS}

    assert 13 == len(found)
    assert {} == {name: facts for name, facts in found.items() if facts != found["moves"]}


@pytest.mark.contract("F4", "P4")
def test_a_file_of_a_cells_own_is_left_alone(tmp_path: Path, store: Path) -> None:
    """Standard descriptors that a cell has pointed at a long file are pointed back, and the file keeps its length."""
    mine = tmp_path / "mine"
    flow = fc.Flow("redirects")
    first = flow.add(leavings.redirects, str(mine), kind="compute", name="first")
    later = flow.add(leavings.says, fc.each(number=[1, 2]), first, kind="compute", name="later")
    run = flow.run(first, later, store=store, workers=1, progress=False)

    assert [2_000_001, 2_000_002] == list(run[later].values())
    assert 2_000_000 == mine.stat().st_size


@pytest.mark.contract("F4", "S5", "P4")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for others")
@pytest.mark.parametrize("way", ["for good", "for a while"])
def test_a_cell_that_acts_for_another_user_does_so_alone(way: str, store: Path) -> None:
    """Who comes after it acts for the user whose run this is, and what it gave is there, whatever it may not write."""
    shutdown()
    flow = fc.Flow("becomes")
    first = flow.add(leavings.becomes, 1717, way, kind="compute", name="first")
    later = flow.add(leavings.becomes, fc.each(user=[1, 2]), "", after=[first], kind="compute", name="later")
    run = flow.run(first, later, store=store, workers=1, progress=False)

    assert [[0] * 6] * 3 == [run[first], *run[later].values()]


def check_forks(
    folder: Path, *runners: str, sabotage: str = "", begun: Callable[[], object] = lambda: None
) -> None:  # fmt: skip
    """Run cells that fork, wherever cells run; look at what became of the copies, and that nobody is left."""
    with driver.shared_memory_as_before(), driver.start("forks", *runners, folder=folder, sabotage=sabotage) as script:
        while (meeting := script.meet("forking", "result")).name == "forking":
            begun()
            meeting.answer()
        meeting.answer()
        status = script.end()
        script.leaves_nobody()

        assert 0 == status, script.output()
    assert dict.fromkeys(runners, ENDS) == meeting.facts["ends"]
    assert ["main "] == driver.tally(folder)


@pytest.mark.contract("F7", "F14", "P4", "P5", "P6")
def test_a_copy_that_a_cell_forks_never_comes_back(tmp_path: Path) -> None:
    """It ends where the task returns, raises or exits, in workers and in main; and by SIGTERM, as any process does."""
    check_forks(tmp_path, *RUNNERS)
