"""What is asked of an executor when something goes wrong: cancelled, stopped, over time, or a worker that dies."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable
from typing import Any

from flowcore.declare.axes import each
from flowcore.errors import CellTimeout, WorkerDied
from flowcore.flow import Flow
from flowcore.plan.records import references
from flowcore.run.job import Done, Interrupted, Lost
from flowcore.testing import cells
from flowcore.testing.trial import Trial, directly, gate, hand_over, job_of, until_ended

_TIMEOUT = 0.25  # seconds, of cells that would wait for ever
_STEPS = 20_000  # of a loop that is stopped


def cancelled(trial: Trial) -> None:
    """Cancelling lets go of what runs, and every attempt ends."""
    if not trial.ends_cells:
        return
    with gate() as door:
        flow = Flow("interrupted")
        trial.add(flow, trial.waiting(), door.getsockname()[:2], each(x=range(1, 16, 2)), name="wait")
        with trial.running(flow) as (run, ledger):
            line, _ = door.accept()
            with line:
                run.cancel()
                trial.wait(run, ledger)
            found = run.status
    assert found == "interrupted", f"a cancelled run is {found}"


def stopped(trial: Trial) -> None:
    """After stop there is no room, and what was handed over ends as done or interrupted."""
    with directly(trial) as (executor, inbox, ledger, bench):
        job = job_of(trial, cells.plus, [bench.codec.encode(x, keep=False).record for x in range(4)])
        hand_over(trial, executor, inbox, job)
        executor.stop()
        until_ended(trial, inbox, ledger)

        assert executor.room(job.task, 4) == 0, "a stopped executor has room"
        assert all(isinstance(result, Done | Interrupted) for result in ledger.results), f"{ledger.results}"


def lost_input(trial: Trial) -> None:
    """An input that cannot be read is told as lost, and nobody is blamed."""
    with directly(trial) as (executor, inbox, ledger, bench):
        record = bench.codec.encode(cells.field(1), keep=False).record
        for digest, _, _ in references(record):
            bench.store.spool.set_aside(digest)
        hand_over(trial, executor, inbox, job_of(trial, cells.overwritten, [record]))
        until_ended(trial, inbox, ledger)

        assert [Lost] == [type(result) for result in ledger.results], f"a lost input ended as {ledger.results}"


def over_time(trial: Trial) -> None:
    """Cells over their timeout fail as such, and bystanders have their values, also those that come after."""
    if not trial.ends_cells:
        return
    with gate() as door:
        flow = Flow("over time")
        waits = trial.waiting(timeout=_TIMEOUT)
        trial.add(flow, waits, door.getsockname()[:2], each(x=[1, 3, 5]), name="tried")
        beside = trial.add(flow, cells.plus, each(x=range(6)), name="beside")
        after = trial.add(flow, cells.plus, beside, name="after")
        with trial.running(flow) as (run, ledger):
            trial.wait(run, ledger)
            assert {x: x + 2 for x in range(6)} == dict(run[after]), f"beside timeouts there are {dict(run[after])}"
            told = {failure.cell: failure.exception for failure in run.failures}
        assert [f"tried[x={x}]" for x in (1, 3, 5)] == sorted(told), f"over their timeout were {sorted(told)}"
        assert all(isinstance(error, CellTimeout) for error in told.values()), f"timeouts are {told}"


def process_ended(trial: Trial) -> None:
    """A cell that ends its process, whenever it is tried, fails; bystanders have their values, or the run ends."""
    if trial.loss is None:
        return
    flow = Flow("process ended")
    tried = trial.add(flow, cells.end_process_if_odd, each(x=[0, 2, 4, 5, 6, 8]), name="tried")
    after = trial.add(flow, cells.plus, tried, name="after")

    with trial.running(flow) as (run, ledger):
        trial.wait(run, ledger)
        told = {failure.cell: failure.exception for failure in run.failures}
        found = {x: int(value) for x, value in run[after].items()}
    due = {x: x + 1 for x in (0, 2, 4, 6, 8)}
    assert found.items() <= due.items(), f"beside a cell that ends its process there are {found}"
    assert "tried[x=5]" in told, f"a cell that ends its process is not among what failed: {sorted(told)}"
    assert all(isinstance(error, WorkerDied) for error in told.values()), f"failures are {told}"
    if trial.loss == "cell":
        assert due == found, f"a cell that ends its process took others along: of {due} there are {found}"


def process_ended_once(trial: Trial) -> None:
    """A worker that is lost once costs no value."""
    if trial.loss != "cell":
        return
    with tempfile.TemporaryDirectory() as folder:
        flow = Flow("process ended once")
        grid = trial.add(flow, cells.end_process_once, f"{folder}/mark", each(x=range(12)), name="grid")
        with trial.running(flow) as (run, ledger):
            trial.wait(run, ledger)
            found = dict(run[grid])
    assert {x: x for x in range(12)} == found, f"after one loss of a worker there are {found} of 12 values"


def loops_stopped(trial: Trial) -> None:
    """A stop reaches a loop over steps: it saves its state, and a later run goes on from there."""
    if not trial.stops_loops:
        return
    with gate() as door, tempfile.TemporaryDirectory() as store:
        first, status, _ = _looped(trial, door, store, b"s")
        second, _, total = _looped(trial, door, store, b"q")
    assert (0, "interrupted") == (first, status), f"a loop that began at {first} and was stopped: the run is {status}"
    assert second >= cells.TOLD, f"a loop that was stopped after {cells.TOLD} steps or more went on at step {second}"
    assert sum(range(_STEPS)) == total, f"a loop that was stopped and went on gives {total}"


def _looped(trial: Trial, door: socket.socket, store: str, answer: bytes) -> tuple[int, str, int | None]:
    """Run a loop, answered so, and stop it if it is slow; give the step it began at, the run's end, the value."""
    flow = Flow("loop")
    loop = trial.add(flow, cells.count_up, door.getsockname()[:2], _STEPS, name="loop")
    with trial.running(flow, store) as (run, ledger):
        line, _ = door.accept()
        with line, line.makefile("rb") as told:
            line.settimeout(door.gettimeout())
            began = int(told.readline())
            line.sendall(answer)
            if answer == b"s":
                told.readline()
                run.cancel()
            trial.wait(run, ledger)
        return began, run.status, run[loop] if run.status == "done" else None


# What may leave an engine broken comes last.
TROUBLES: tuple[Callable[[Trial], Any], ...] = (
    cancelled, stopped, lost_input, over_time, loops_stopped, process_ended_once, process_ended,
)  # fmt: skip
