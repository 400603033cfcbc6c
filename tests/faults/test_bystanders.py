"""Claims about blame: whatever one cell does, fifty others finish at their first attempt, and only it is named."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore.run.engine import Engine
from flowcore.run.pool import Pool, shutdown
from tests.faults import culprits, driver, inside

CELLS = 51
CULPRIT = 17
DEATHS = {"SIGKILL": "SIGKILL", "segfault": "SIGSEGV", "abort": "SIGABRT", "exit 0": "exit code 0"}
EXCEPTIONS = {
    "two arguments": "tests.faults.culprits.TwoArguments",
    "explosive": "tests.faults.culprits.Explosive",
    "stubborn": "tests.faults.culprits.Stubborn",
    "mute": "tests.faults.culprits.Mute",
    "SystemExit": "SystemExit",
    "KeyboardInterrupt": "KeyboardInterrupt",
    "GeneratorExit": "GeneratorExit",
    "MemoryError": "MemoryError",
}
RUNNERS = ("process", "thread", "inline", "async")


@pytest.fixture(autouse=True, scope="module")
def _no_workers_left() -> Iterator[None]:
    yield
    shutdown()


@pytest.fixture(autouse=True)
def _tally(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(inside.TALLY, str(tmp_path / "tally"))


def run_with(way: str, runner: str, store: Path, *, seconds: float = 0.0) -> fc.Run:
    """Run fifty-one cells of so many seconds, one of which misbehaves, to the end."""
    flow = fc.Flow("bystanders")
    function: Any = culprits.coroutine if runner == "async" else culprits.cell
    kind: Any = "io" if runner == "async" else "compute"
    flow.add(function, fc.each(number=list(range(CELLS))), CULPRIT, way, seconds, kind=kind, name="cell")
    flow.options(runner=runner)
    return to_the_end(flow, store)


def to_the_end(flow: fc.Flow, store: Path) -> fc.Run:
    """Run a flow, whatever comes of it."""
    run = flow.start(workers=2, store=store, on_error="continue", progress=False)
    try:
        run.wait()
    except fc.RunFailed as failed:
        assert run.failures == failed.failures  # noqa: PT017 - it is no claim, it only must not hide another error
    return run


def check_bystanders(run: fc.Run, folder: Path, *, executions: Sequence[int] = (1,), once: bool = True) -> Any:
    """Hold the run to the contract; give what the one failure says.

    `once`: a bystander whose result had not left when a death took it runs again, without
    blame, if its cells are short enough to wait for one another (W3). Else each runs once.
    """
    ran = Counter(driver.tally(folder))
    values = run["cell"]
    innocent = [number for number in range(CELLS) if number != CULPRIT]
    culprit = ran.pop(f"cell {CULPRIT}")

    assert [{"number": CULPRIT}] == [failure.labels for failure in run.failures]
    assert culprit == run.failures[0].attempts
    assert culprit in executions
    assert innocent == [values[number] for number in innocent]
    assert {f"cell {number}" for number in innocent} == ran.keys()
    assert not once or {1} == set(ran.values())
    assert {CULPRIT} >= {number for _, number in run._session.books.tries}, "nobody else is charged with anything"
    return run.failures[0].error


@pytest.mark.contract("F4", "F6", "F7", "P4")
@pytest.mark.parametrize("seconds", [0.0, 0.01], ids=["in batches", "one by one"])
@pytest.mark.parametrize("way", DEATHS)
def test_a_dead_worker_costs_nobody_else(way: str, seconds: float, tmp_path: Path, store: Path) -> None:
    """A cell that kills every worker it meets fails at its third death, alone."""
    run = run_with(way, "process", store, seconds=seconds)

    error = check_bystanders(run, tmp_path, executions=(3,), once=seconds > 0)
    assert isinstance(error, fc.WorkerDied)
    assert DEATHS[way] in error.cause
    assert way != "segfault" or "string_at" in error.stack, "faulthandler's stack is in the report"


@pytest.mark.contract("F4", "F6", "F35", "P4")
def test_a_worker_without_descriptors_ends_under_the_cell_that_closed_them(tmp_path: Path, store: Path) -> None:
    """It closed what its own worker had, and never what main has; its result was lost with others, so it goes alone."""
    run = run_with("closes all", "process", store)
    values, ran = run["cell"], Counter(driver.tally(tmp_path))
    innocent = [number for number in range(CELLS) if number != CULPRIT]

    assert [({"number": CULPRIT}, 3)] == [(failure.labels, failure.attempts) for failure in run.failures]
    assert "exit code 70" in run.failures[0].error.cause
    assert innocent == [values[number] for number in innocent]
    assert {CULPRIT} == {number for _, number in run._session.books.tries}, "nobody else is charged with anything"
    assert ran[f"cell {CULPRIT}"] > 2


@pytest.mark.contract("F4", "F6", "P4")
@pytest.mark.parametrize("way", ["SIGKILL", "exit 0"])
def test_a_dead_worker_costs_no_other_node(way: str, tmp_path: Path, store: Path) -> None:
    """Fifty-one nodes of one cell each go out together; the one that kills fails alone, at its third death."""
    flow = fc.Flow("nodes")
    for number in range(CELLS):
        flow.add(culprits.cell, number, CULPRIT, way, 0.0, kind="compute", name=f"node{number}")
    run = to_the_end(flow, store)
    ran = Counter(driver.tally(tmp_path))

    assert [f"node{CULPRIT}"] == [failure.cell for failure in run.failures]
    assert (3, 3) == (run.failures[0].attempts, ran[f"cell {CULPRIT}"])
    assert [n for n in range(CELLS) if n != CULPRIT] == [run[f"node{n}"] for n in range(CELLS) if n != CULPRIT]
    assert 1 == len(run._session.books.tries), "nobody else is charged with anything"


@pytest.mark.contract("F4", "F6", "P4")
@pytest.mark.parametrize("at", [0, CULPRIT, CELLS - 1])
def test_a_dead_worker_costs_no_chain(at: int, tmp_path: Path, store: Path) -> None:
    """Cells ride with what makes their inputs: what the killer has read stays done, and other chains go on."""
    flow = fc.Flow("chains")
    numbers = fc.each(number=list(range(CELLS)))
    first = flow.add(culprits.follows, numbers, -1, "SIGKILL", name="first")
    second = flow.add(culprits.follows, first, at, "SIGKILL", name="second")
    third = flow.add(culprits.follows, second, -1, "SIGKILL", name="third")
    run = to_the_end(flow, store)
    innocent = [number for number in range(CELLS) if number != at]

    assert [f"second[number={at}]"] == [failure.cell for failure in run.failures]
    assert 3 == run.failures[0].attempts
    assert [*range(CELLS)] == [run[first][n] for n in range(CELLS)]
    assert dict.fromkeys(innocent, 1) == {n: 1 for n, value in dict(run[third]).items() if n == value}
    assert 1 == len(run._session.books.tries), "nobody else is charged with anything"


class OneWorker(Pool):
    """The second start fails, and each after it, as at a process limit."""

    left = 1

    def hire(self) -> None:
        """Start one worker, and no more."""
        OneWorker.left -= 1
        if OneWorker.left < 0:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        super().hire()


def check_no_worker_left(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a cell kill the only worker that can be had; it does not come home, and all others do."""
    shutdown()
    monkeypatch.setattr(OneWorker, "left", 1)
    monkeypatch.setattr("flowcore.run.executors.processes.acquire", OneWorker)
    flow = fc.Flow("home")
    numbers = fc.each(number=list(range(CELLS)))
    flow.add(culprits.dies_away, numbers, CULPRIT, os.getpid(), kind="compute", name="cell")
    with pytest.warns(fc.FlowcoreWarning, match="no process can be had"):
        run = to_the_end(flow, store)

    assert [({"number": CULPRIT}, "WorkerDied")] == [(f.labels, type(f.error).__name__) for f in run.failures]
    assert "no worker can be had" in str(run.failures[0].error)
    assert [n for n in range(CELLS) if n != CULPRIT] == [*run["cell"].values()]


@pytest.mark.contract("F35", "F4")
def test_a_cell_that_killed_a_worker_never_runs_in_main(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no other worker can be had, cells run in this process, but for the one that would take it along."""
    check_no_worker_left(store, monkeypatch)


def everybody_comes_home(put: Any) -> None:
    """Run in main whatever no worker is there for (F35)."""
    real = Engine._rescue

    def rescue(self: Engine, lane: str) -> None:
        self._books.tries.clear()
        real(self, lane)

    put(Engine, "_rescue", rescue)


@pytest.mark.contract("H7", "F35")
def test_a_killer_that_comes_home_is_seen(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that runs in main although it has killed a worker fails the test of it."""
    everybody_comes_home(monkeypatch.setattr)
    with pytest.raises(AssertionError):
        check_no_worker_left(store, monkeypatch)


@pytest.mark.contract("F8", "F11")
@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("way", EXCEPTIONS)
def test_a_bad_exception_is_one_cells_own(way: str, runner: str, tmp_path: Path, store: Path) -> None:
    """Whatever is raised, and whether or not it travels, is a failure of its cell with its name."""
    run = run_with(way, runner, store)

    # It is tried again, alone, if others were under way: here that is chance, tests/run/test_gate.py holds it exactly.
    error = check_bystanders(run, tmp_path, executions=(1, 2) if way == "MemoryError" else (1,))
    assert EXCEPTIONS[way] == error.type.removeprefix("builtins.")
    assert "failed" == run.status


@pytest.mark.contract("F10")
@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("way", ["generator", "deep list"])
def test_a_result_that_cannot_travel_is_one_cells_own(way: str, runner: str, tmp_path: Path, store: Path) -> None:
    """A result that no pickle takes fails its cell, and the failure names it."""
    run = run_with(way, runner, store)

    error = check_bystanders(run, tmp_path)
    assert "flowcore.errors.NotPicklable" == error.type
