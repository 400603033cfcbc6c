"""Conformance of executors: whatever satisfies the seam has to satisfy this.

Each check draws a small flow, runs it on the executor alone, and compares with what
plain calls give. All the while a ledger is kept of attempts handed over and ended.
"""

from __future__ import annotations

import itertools
import socket
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flowcore import clock, plugins
from flowcore.dataclass import dataclass
from flowcore.declare.axes import each, gather
from flowcore.declare.options import Kind
from flowcore.errors import FlowcoreWarning, RunFailed
from flowcore.flow import Flow
from flowcore.plan.records import references
from flowcore.result import Run
from flowcore.run.executors.protocol import Executor, MakeExecutor
from flowcore.run.inbox import Inbox
from flowcore.run.job import Done, Interrupted, Job, Lost, TaskSpec
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec
from flowcore.store.directory import StoreRun, open_store
from flowcore.testing import cells
from flowcore.testing.ledger import Ledger

_MANY = 1000  # small cells
_task_ids = itertools.count(-1, -1)  # never those of a run


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """An executor on trial.

    Attributes
    ----------
    make : MakeExecutor
        What makes the executor.
    coroutines : bool
        Whether it carries out coroutines, and nothing else.
    ends_cells : bool
        Whether it can let go of a cell that runs.
    deadline : float
        Seconds that a run may take before it counts as hanging.
    """

    make: MakeExecutor
    coroutines: bool
    ends_cells: bool
    deadline: float

    def add(self, flow: Flow, function: Callable[..., Any], /, *args: object, name: str = "", **kwargs: object) -> Any:
        """Add a node that the executor will carry out."""
        called: Callable[..., Any] = cells.as_coroutine(function) if self.coroutines else function
        kind: Kind = "io" if self.coroutines else "compute"
        return flow.add(called, *args, kind=kind, name=name or None, after=(), **kwargs)

    @contextmanager
    def running(self, flow: Flow) -> Iterator[tuple[Run, Ledger]]:
        """Run a flow on the executor, and see that it ends, and that its attempts do, once each."""
        ledger, name = Ledger(self.make), f"checked-{next(_task_ids)}"
        flow.options(runner=name)
        plugins.register("flowcore.executors", name, ledger)
        try:
            with tempfile.TemporaryDirectory() as store:
                run = flow.start(*flow.nodes, store=store, workers=2, on_error="continue", progress=False)
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
        try:
            ended = run.wait(self.deadline)
        except RunFailed:
            ended = True
        assert ended, f"the run hangs; attempts that never ended: {ledger.open[:10]} ({len(ledger.open)} in all)"
        return run

    def _end(self, run: Run, ledger: Ledger) -> None:
        """End a run that hangs, by ending the attempts that the executor forgot."""
        if run.status != "running":
            return
        run.cancel()
        run.cancel()
        try:
            if not run.wait(1.0) and ledger.inbox is not None:
                ledger.inbox.post([Interrupted(attempts=ledger.open)])
                run.wait(self.deadline)
        except RunFailed:
            return


def check_executor(
    make: MakeExecutor, *, coroutines: bool = False, ends_cells: bool = True, deadline: float = 60.0
) -> None:
    """Hold an executor to its protocol: right values, and exactly one end for each attempt.

    Parameters
    ----------
    make : MakeExecutor
        The executor's class, or a function that makes one; see
        `flowcore.run.executors.protocol`.
    coroutines : bool
        Whether it carries out coroutines, and nothing else.
    ends_cells : bool
        Whether `cancel` ends, or at least lets go of, a cell that is running; one that
        runs cells inside `start` cannot.
    deadline : float
        Seconds after which a run counts as hanging.

    Raises
    ------
    AssertionError
        If a value is wrong, an attempt has no end or more than one, or a run hangs.

    Examples
    --------
    >>> from flowcore.run.executors.inline import InlineExecutor
    >>> def make(*, workers, inbox, codec, surroundings):
    ...     return InlineExecutor(inbox=inbox, codec=codec)
    >>> check_executor(make, ends_cells=False)
    """
    trial = Trial(make=make, coroutines=coroutines, ends_cells=ends_cells, deadline=deadline)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FlowcoreWarning)
        for check in (_values, _arrays, _many, _failures, _skips, _cancelled, _stopped, _lost_input):
            check(trial)


def _values(trial: Trial) -> None:
    """Grids, broadcasting, gathering and containers give what plain calls give."""
    flow = Flow("values")
    grid = trial.add(flow, cells.plus, each(x=[1, 2, 3]), each(y=[10, 20]), name="grid")
    rows = trial.add(flow, cells.total, gather(grid, over="y"), name="rows")
    told = trial.add(flow, cells.labelled, gather(rows, labels=True), name="told")
    last = trial.add(flow, cells.total, [rows_0 := trial.add(flow, cells.plus, 5, b=6), 7, rows_0], name="last")
    expected = {(x, y): x + y for x in (1, 2, 3) for y in (10, 20)}
    by_row = {x: (x + 10) + 2 * (x + 20) for x in (1, 2, 3)}

    with trial.running(flow) as (run, ledger):
        trial.wait(run, ledger)
        assert expected == dict(run[grid]), f"a grid of sums is {dict(run[grid])}"
        assert by_row == dict(run[rows]), f"sums over an axis are {dict(run[rows])}"
        assert list(by_row.items()) == run[told], f"gathered by label: {run[told]}"
        assert 11 + 14 + 33 == run[last], f"a list of references came to {run[last]}"


def _arrays(trial: Trial) -> None:
    """Big arrays arrive as they left, and each consumer has its own."""
    flow = Flow("arrays")
    fields = trial.add(flow, cells.field, each(seed=[0, 1, 2]), name="fields")
    sums = [trial.add(flow, cells.overwritten, fields, name=name) for name in ("once", "again")]
    whole = float(sum(range(cells.BIG)))

    with trial.running(flow) as (run, ledger):
        trial.wait(run, ledger)
        for seed in range(3):
            assert (run[fields][seed] == cells.field(seed)).all(), "an array changed on its way"
            found = [run[node][seed] for node in sums]
            assert [whole * (seed + 1)] * 2 == found, f"two consumers of one array got {found}"


def _many(trial: Trial) -> None:
    """A thousand small cells, and what depends on each of them."""
    flow = Flow("many")
    first = trial.add(flow, cells.plus, each(x=range(_MANY)), name="first")
    second = trial.add(flow, cells.plus, first, b=first, name="second")

    with trial.running(flow) as (run, ledger):
        trial.wait(run, ledger)
        wrong = {x: value for x, value in run[second].items() if value != 2 * (x + 1)}
        assert not wrong, f"of {_MANY} cells {len(wrong)} have a wrong value, such as {dict(list(wrong.items())[:3])}"
        assert _MANY == len(run[second]), f"{len(run[second])} of {_MANY} cells have a value"


def _failures(trial: Trial) -> None:
    """A cell that raises fails alone, with what it raised."""
    flow = Flow("failures")
    tried = trial.add(flow, cells.refuse_odd, each(x=range(6)), name="tried")
    after = trial.add(flow, cells.plus, tried, name="after")

    with trial.running(flow) as (run, ledger):
        trial.wait(run, ledger)
        assert {0: 1, 2: 3, 4: 5} == dict(run[after]), f"beside failures there are {dict(run[after])}"
        told = sorted((failure.cell, str(failure.exception)) for failure in run.failures)
        assert [(f"tried[x={x}]", f"{x} is odd") for x in (1, 3, 5)] == told, f"failures are {told}"


def _skips(trial: Trial) -> None:
    """A cell that skips has no value, and is no failure."""
    flow = Flow("skips")
    tried = trial.add(flow, cells.skip_odd, each(x=range(6)), name="tried")
    kept = trial.add(flow, cells.labelled, gather(tried, labels=True, missing="drop"), name="kept")

    with trial.running(flow) as (run, ledger):
        trial.wait(run, ledger)
        assert [(0, 0), (2, 2), (4, 4)] == run[kept], f"beside skips there are {run[kept]}"
        assert 3 == run.counts(tried).skipped, f"{run.counts(tried).skipped} cells were skipped"


def _cancelled(trial: Trial) -> None:
    """Cancelling lets go of what runs, and every attempt ends."""
    if trial.coroutines or not trial.ends_cells:
        return  # a function that blocks would block the loop, or the engine, that is to let go of it
    with _gate(trial.deadline) as gate:
        flow = Flow("interrupted")
        trial.add(flow, cells.wait_at, gate.getsockname()[:2], each(x=range(8)), name="wait")
        with trial.running(flow) as (run, ledger):
            line, _ = gate.accept()
            run.cancel()
            trial.wait(run, ledger)
            line.close()
            found = run.status
    assert found == "interrupted", f"a cancelled run is {found}"


def _stopped(trial: Trial) -> None:
    """After stop there is no room, and what was handed over ends as done or interrupted."""
    with _directly(trial) as (executor, inbox, ledger, run):
        job = _job(trial, cells.plus, [run.codec.encode(x, keep=False).record for x in range(4)])
        room = executor.room(job.task, len(job.attempts))
        executor.start(job.part(0, room))
        executor.stop()
        _until_ended(trial, inbox, ledger)

        assert room > 0, "an idle executor has no room"
        assert executor.room(job.task, 4) == 0, "a stopped executor has room"
        assert all(isinstance(result, Done | Interrupted) for result in ledger.results), f"{ledger.results}"


def _lost_input(trial: Trial) -> None:
    """An input that cannot be read is told as lost, and nobody is blamed."""
    with _directly(trial) as (executor, inbox, ledger, run):
        record = run.codec.encode(cells.field(1), keep=False).record
        for digest, _, _ in references(record):
            run.store.spool.set_aside(digest)
        job = _job(trial, cells.overwritten, [record])
        assert executor.room(job.task, 1) == 1, "an idle executor has no room"
        executor.start(job)
        _until_ended(trial, inbox, ledger)

        assert [Lost] == [type(result) for result in ledger.results], f"a lost input ended as {ledger.results}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """What an executor works with where no run is around it."""

    store: StoreRun
    codec: Codec


@contextmanager
def _directly(trial: Trial) -> Iterator[tuple[Executor, Inbox, Ledger, _Bench]]:
    """Open an executor without a run."""
    inbox, ledger = Inbox(), Ledger(trial.make)
    with tempfile.TemporaryDirectory() as path:
        store = open_store(path).begin()
        codec = Codec(kept=store.blobs, passed=store.spool)
        around = Surroundings.of_this_process(run_id=store.id, store=str(store.root), spool=str(store.spool.path))
        executor = ledger(workers=2, inbox=inbox, codec=codec, surroundings=around)
        try:
            yield executor, inbox, ledger, _Bench(store=store, codec=codec)
        finally:
            executor.close()
            inbox.close()
            store.release()
    ledger.verify()


def _job(trial: Trial, function: Callable[..., Any], records: list[bytes]) -> Job:
    called = cells.as_coroutine(function) if trial.coroutines else function
    task = TaskSpec(
        id=next(_task_ids), name=function.__name__, function=("path", function.__module__, function.__qualname__),
        live=called, mode="async" if trial.coroutines else "sync", positional=(["slot", 0],),
    )  # fmt: skip
    numbers = list(range(len(records)))
    return Job(task=task, attempts=[n + 1 for n in numbers], numbers=numbers, columns=[records])


def _until_ended(trial: Trial, inbox: Inbox, ledger: Ledger) -> None:
    due = clock.monotonic() + trial.deadline
    while ledger.open and clock.monotonic() < due:
        inbox.wait(0.1)


@contextmanager
def _gate(deadline: float) -> Iterator[socket.socket]:
    """Open a door at which cells wait; they go on when it is closed."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as gate:
        gate.settimeout(deadline)
        yield gate
