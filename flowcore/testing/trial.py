"""An executor on trial: flows that it alone carries out, and a ledger of what it was handed.

Owns how a check comes by a run on an executor, and how a run that hangs is ended without
its executor's help. What is asked of executors is in `check.py` and `trouble.py`.
"""

from __future__ import annotations

import itertools
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

from flowcore import clock, plugins
from flowcore.dataclass import dataclass
from flowcore.declare.options import Kind
from flowcore.declare.task import Task
from flowcore.decorators import compute, io
from flowcore.errors import RunFailed
from flowcore.flow import Flow
from flowcore.result import Run
from flowcore.run.executors.protocol import Executor, MakeExecutor
from flowcore.run.inbox import Inbox
from flowcore.run.job import Interrupted, Job, TaskSpec
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec
from flowcore.store.directory import StoreRun, open_store
from flowcore.testing import cells
from flowcore.testing.ledger import Ledger

Loss: TypeAlias = Literal["cell", "engine"]
"""What goes with a process that ends under a cell: that cell alone, or all that the executor has."""

WORKERS = 2
_NOBODY_COMES = 60.0  # seconds; only turns a hang into a failure
_task_ids = itertools.count(-1, -1)  # never those of a run


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """An executor on trial; what the fields mean is said at `check_executor`."""

    make: MakeExecutor
    coroutines: bool
    ends_cells: bool
    deadline: float
    loss: Loss | None = None
    stops_loops: bool = False
    prints: bool = False

    def add(self, flow: Flow, function: Callable[..., Any], /, *args: object, name: str = "", **kwargs: object) -> Any:
        """Add a node that the executor will carry out."""
        called: Callable[..., Any] = function
        if not isinstance(function, Task) and self.coroutines:
            called = cells.as_coroutine(function)
        kind: Kind | None = None if isinstance(function, Task) else "io" if self.coroutines else "compute"
        return flow.add(called, *args, kind=kind, name=name or None, after=(), **kwargs)

    def waiting(self, **options: Any) -> Task[..., Any]:
        """Give a task that waits at a gate if its number is odd."""
        if self.coroutines:
            return io(**options)(cells.await_if_odd)
        return compute(**options)(cells.wait_if_odd)

    @contextmanager
    def running(self, flow: Flow, store: str = "") -> Iterator[tuple[Run, Ledger]]:
        """Run a flow on the executor, and see that it ends, and that its attempts do, once each."""
        ledger, name = Ledger(self.make), f"checked-{next(_task_ids)}"
        flow.options(runner=name)
        plugins.register("flowcore.executors", name, ledger)
        try:
            with tempfile.TemporaryDirectory() as own:
                run = flow.start(
                    *flow.nodes, store=store or own, workers=WORKERS, on_error="continue", progress=False
                )  # fmt: skip
                try:
                    yield run, ledger
                finally:
                    self._end(run, ledger)
                del run
        finally:
            plugins.unregister("flowcore.executors", name)
        ledger.verify()

    def wait(self, run: Run, ledger: Ledger) -> Run:
        """Wait until a run has ended; AssertionError if it does not."""
        assert _has_ended(run, self.deadline), (
            f"the run hangs; attempts that never ended: {ledger.open[:10]} ({len(ledger.open)} in all)"
        )
        return run

    def _end(self, run: Run, ledger: Ledger) -> None:
        """End a run that hangs, by ending the attempts that the executor forgot."""
        if _has_ended(run, 0.0):
            return
        run.cancel()
        run.cancel()
        if not _has_ended(run, 1.0) and ledger.inbox is not None:
            ledger.inbox.post([Interrupted(attempts=ledger.open)])
            _has_ended(run, self.deadline)


def _has_ended(run: Run, seconds: float) -> bool:
    try:
        return run.wait(seconds)
    except RunFailed:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What an executor works with where no run is around it."""

    store: StoreRun
    codec: Codec


@contextmanager
def directly(trial: Trial) -> Iterator[tuple[Executor, Inbox, Ledger, Bench]]:
    """Open an executor without a run."""
    inbox, ledger = Inbox(), Ledger(trial.make)
    with tempfile.TemporaryDirectory() as path:
        store = open_store(path).begin(away=True)
        codec = Codec(kept=store.blobs, passed=store.spool)
        around = Surroundings.of_this_process(run_id=store.id, store=str(store.root), spool=str(store.spool.path))
        executor = ledger(workers=WORKERS, inbox=inbox, codec=codec, surroundings=around)
        try:
            yield executor, inbox, ledger, Bench(store=store, codec=codec)
        finally:
            executor.close()
            inbox.close()
            store.release()
    ledger.verify()


def job_of(trial: Trial, function: Callable[..., Any], records: list[bytes]) -> Job:
    """Give cells of a task of one argument."""
    called = cells.as_coroutine(function) if trial.coroutines else function
    task = TaskSpec(
        id=next(_task_ids), name=function.__name__, function=("path", function.__module__, function.__qualname__),
        live=called, mode="async" if trial.coroutines else "sync", positional=(["slot", 0],),
    )  # fmt: skip
    numbers = list(range(len(records)))
    return Job(task=task, attempts=[n + 1 for n in numbers], numbers=numbers, columns=[records])


def hand_over(trial: Trial, executor: Executor, inbox: Inbox, job: Job) -> int:
    """Hand over as many cells as there is room for, waiting for the first; give their number."""
    due = clock.monotonic() + trial.deadline
    while not (room := executor.room(job.task, len(job.attempts))):
        assert clock.monotonic() < due, "an idle executor has no room"
        inbox.wait(0.05)  # its workers are on their way
    executor.start(job.part(0, room))
    return room


def until_ended(trial: Trial, inbox: Inbox, ledger: Ledger) -> None:
    """Wait until every attempt has ended, or too long."""
    due = clock.monotonic() + trial.deadline
    while ledger.open and clock.monotonic() < due:
        inbox.wait(0.1)


@contextmanager
def gate() -> Iterator[socket.socket]:
    """Open a door at which cells wait; they go on when it is closed."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as door:
        door.settimeout(_NOBODY_COMES)
        yield door
