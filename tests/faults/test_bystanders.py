"""Claims about blame: whatever one cell does, fifty others finish at their first attempt, and only it is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore.run.pool import shutdown
from tests.faults import culprits, driver, inside

CELLS = 51
CULPRIT = 17
DEATHS = ("SIGKILL", "segfault", "abort", "exit 0")
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


def run_with(way: str, runner: str, store: Path) -> fc.Run:
    """Run fifty-one cells, one of which misbehaves, to the end."""
    flow = fc.Flow("bystanders")
    function: Any = culprits.coroutine if runner == "async" else culprits.cell
    flow.add(function, fc.each(number=list(range(CELLS))), CULPRIT, way, name="cell")
    flow.options(runner=runner)
    run = flow.start(workers=2, store=store, on_error="continue", progress=False)
    try:
        run.wait()
    except fc.RunFailed as failed:
        assert run.failures == failed.failures  # noqa: PT017 - it is no claim, it only must not hide another error
    return run


def check_bystanders(run: fc.Run, folder: Path, *, executions: int, attempts: int) -> fc.FlowcoreError | Any:
    """Hold the run to the contract; give what the one failure says."""
    ran = Counter(driver.tally(folder))
    values = run["cell"]
    failed = [failure.labels for failure in run.failures]

    assert [{"number": CULPRIT}] == failed
    assert executions == ran.pop(f"cell {CULPRIT}")
    assert {f"cell {number}": 1 for number in range(CELLS) if number != CULPRIT} == ran
    assert [number for number in range(CELLS) if number != CULPRIT] == [
        values[number] for number in range(CELLS) if number != CULPRIT
    ]
    assert attempts == run.failures[0].attempts
    return run.failures[0].error


@pytest.mark.contract("F4", "F6", "F7", "P4")
@pytest.mark.parametrize("way", DEATHS)
def test_a_dead_worker_costs_nobody_else(way: str, tmp_path: Path, store: Path) -> None:
    """A cell that kills every worker it meets fails at its third death, alone."""
    run = run_with(way, "process", store)

    error = check_bystanders(run, tmp_path, executions=3, attempts=3)
    assert isinstance(error, fc.WorkerDied)
    named = {"SIGKILL": "SIGKILL", "segfault": "SIGSEGV", "abort": "SIGABRT", "exit 0": "exit code 0"}
    assert named[way] in error.cause
    assert ("segfault" == way) <= ("string_at" in error.stack), "faulthandler's stack is in the report"


@pytest.mark.contract("F8", "F11")
@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("way", EXCEPTIONS)
def test_a_bad_exception_is_one_cells_own(way: str, runner: str, tmp_path: Path, store: Path) -> None:
    """Whatever is raised, and whether or not it travels, is a failure of its cell with its name."""
    run = run_with(way, runner, store)

    error = check_bystanders(run, tmp_path, executions=1, attempts=1)
    assert EXCEPTIONS[way] == error.type.removeprefix("builtins.")
    assert "failed" == run.status


@pytest.mark.contract("F10")
@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("way", ["generator", "deep list"])
def test_a_result_that_cannot_travel_is_one_cells_own(way: str, runner: str, tmp_path: Path, store: Path) -> None:
    """A result that no pickle takes fails its cell, and the failure names it."""
    run = run_with(way, runner, store)

    error = check_bystanders(run, tmp_path, executions=1, attempts=1)
    assert "flowcore.errors.NotPicklable" == error.type
