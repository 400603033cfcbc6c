"""Claims about what does not end by itself: timeouts, and Ctrl-C once and twice."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults import driver
from tests.faults.driver import Script

CELLS = 8
SQUARES = sum(number * number for number in range(CELLS))


def check_hang(way: str, folder: Path, *, sabotage: str = "") -> None:
    """Run a hanging cell under a timeout before others; the rest goes on, and the interpreter ends."""
    with (
        driver.shared_memory_as_before(),
        driver.start("hang", way, "store", folder=folder, sabotage=sabotage) as script,
    ):
        meeting = script.meet("failed")
        meeting.answer()
        status = script.end()
        script.leaves_nobody()

        assert 0 == status, script.output()
    assert {"cell[number=0]": "CellTimeout"} == meeting.facts["errors"]
    assert [1, 2, 3] == meeting.facts["done"]
    assert [f"plain {number}" for number in range(4)] == sorted(driver.tally(folder))


@pytest.mark.contract("F12", "P5")
@pytest.mark.parametrize("way", ["loop", "call", "thread", "coroutine"])
def test_a_hanging_cell_is_ended(way: str, tmp_path: Path) -> None:
    """Deaf to SIGTERM, in a C call that holds the GIL, in a thread, swallowing its cancellation: nothing waits."""
    check_hang(way, tmp_path)


def running(script: Script, count: int) -> list[driver.Meeting]:
    """Wait until so many cells run, and keep them there."""
    return [script.meet("cell") for _ in range(count)]


def resumed(folder: Path) -> tuple[int, list[str]]:
    """Run to the end; give the result, and what ran."""
    before = len(driver.tally(folder))
    with driver.start("interrupted", "store", folder=folder) as script:
        while (meeting := script.meet("cell", "result")).name == "cell":
            meeting.answer()
        meeting.answer()

        assert 0 == script.end(), script.output()
        script.leaves_nobody()
    return meeting.facts["value"], sorted(driver.tally(folder)[before:])


def check_first_signal(tmp_path: Path, signum: signal.Signals, *, sabotage: str = "") -> None:
    """Signal main while two cells run, let these finish, then run again."""
    with (
        driver.shared_memory_as_before(),
        driver.start("interrupted", "store", folder=tmp_path, sabotage=sabotage) as script,
    ):
        cells = running(script, 2)
        script.kill("main", signum)
        stopping = script.meet("ending")
        stopping.answer()
        for cell in cells:
            cell.answer()
        status = script.end()
        script.leaves_nobody()
        output = script.output()
    first = sorted(driver.tally(tmp_path))
    value, rest = resumed(tmp_path)

    assert "stop" == stopping.facts["how"]
    assert -signal.SIGINT == status
    assert "KeyboardInterrupt" in output
    assert "run the flow again to go on from here" in output
    assert sorted(f"cell {cell.facts['number']}" for cell in cells) == first
    assert SQUARES == value
    assert sorted({*(f"cell {number}" for number in range(CELLS)), "total "} - set(first)) == rest


@pytest.mark.contract("F13", "P12", "P7")
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_lets_finish_what_runs(signum: signal.Signals, tmp_path: Path) -> None:
    """It starts nothing more, keeps what runs, and the script exits by KeyboardInterrupt; then the rest runs."""
    check_first_signal(tmp_path, signum)


@pytest.mark.contract("F13", "P12", "P7", "F37")
def test_a_signal_where_nobody_waits_ends_the_run_as_well(tmp_path: Path) -> None:
    """Between start and wait the script's own code is interrupted: the run ends with it, and says how to go on."""
    with driver.shared_memory_as_before(), driver.start("interrupted", "store", "elsewhere", folder=tmp_path) as script:
        done = script.meet("cell")
        done.answer()
        running(script, 2)
        script.meet("elsewhere")
        script.kill("main", signal.SIGINT)
        for _ in ("stop", "cancel"):
            script.meet("ending").answer()
        status = script.died()
        script.leaves_nobody()
        output = script.output()
    value, rest = resumed(tmp_path)

    assert 0 != status, output
    assert 1 == output.count("run the flow again to go on from here")
    assert SQUARES == value
    assert f"cell {done.facts['number']}" not in rest


@pytest.mark.contract("F13", "P12", "P7")
def test_the_second_signal_ends_what_runs(tmp_path: Path) -> None:
    """It does not wait for cells; they run again later, and finished ones do not."""
    with driver.shared_memory_as_before(), driver.start("interrupted", "store", folder=tmp_path) as script:
        done = script.meet("cell")
        done.answer()
        cells = running(script, 2)
        script.kill("main", signal.SIGINT)
        script.meet("ending").answer()
        script.kill("main", signal.SIGINT)
        cancelling = script.meet("ending")
        cancelling.answer()
        status = script.died()
        script.leaves_nobody()
        output = script.output()
    value, rest = resumed(tmp_path)

    assert "cancel" == cancelling.facts["how"]
    assert -signal.SIGINT == status
    assert 1 == output.splitlines().count("KeyboardInterrupt")
    assert SQUARES == value
    assert {f"cell {cell.facts['number']}" for cell in cells} <= set(rest)
    assert f"cell {done.facts['number']}" not in rest


@pytest.mark.contract("F13", "P12", "P5")
@pytest.mark.parametrize("way", ["inline", "thread", "coroutine"])
def test_the_second_signal_ends_what_cannot_be_ended(way: str, tmp_path: Path) -> None:
    """A cell in main's own process never ends, on whatever thread; the script does, as after any second Ctrl-C."""
    with driver.start("endless", way, "store", folder=tmp_path) as script:
        script.meet("listening").answer()
        script.meet("cell")
        script.kill("main", signal.SIGINT)
        heard = [script.meet("heard")]
        script.kill("main", signal.SIGINT)
        heard.append(script.meet("heard"))
        for meeting in heard:
            meeting.answer()
        status = script.died()
        script.leaves_nobody()
        output = script.output()

    assert -signal.SIGINT == status
    assert 1 == output.splitlines().count("KeyboardInterrupt")
