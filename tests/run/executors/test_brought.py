"""Claims about executors that are not flowcore's own: how one is named, and what it sees of a run's arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Executor as FuturesLike
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore import plugins
from flowcore.plan.records import references
from flowcore.run.executors.far import perform_far, unpack_far
from flowcore.run.executors.ferry import Answer, Harbour, Load, Traits, Unbegun
from flowcore.run.executors.futures import FuturesFerry
from flowcore.run.executors.near import NearExecutor
from flowcore.run.executors.protocol import Executor
from flowcore.run.inbox import Inbox
from flowcore.run.job import Job, TaskSpec
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec
from flowcore.testing.cells import field, overwritten, plus

opened: list[Opened] = []


class Opened(ThreadPoolExecutor):
    """A pool that remembers how it was opened, and that it was closed."""

    def __init__(self, max_workers: int) -> None:
        super().__init__(max_workers)
        self.workers = max_workers
        self.closed = False
        opened.append(self)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.closed = True
        super().shutdown(wait, cancel_futures=cancel_futures)


class Unopenable(ThreadPoolExecutor):
    """A pool that cannot be had."""

    def __init__(self, max_workers: int) -> None:
        raise RuntimeError(f"no {max_workers} nodes are free")


def test_an_executor_is_named_by_where_it_is(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class of concurrent.futures is opened for the run, with its workers, and closed at its end."""
    monkeypatch.setenv("FLOWCORE_EXECUTOR", f"{__name__}:Opened")
    flow = fc.Flow()
    grid = flow.add(plus, fc.each(x=[1, 2, 3]))
    run = flow.run(store=store, workers=3, progress=False)
    pool = opened.pop()

    assert ({1: 2, 2: 3, 3: 4}, 3, True) == (dict(run[grid]), pool.workers, pool.closed)
    assert not opened, "each run opens one"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("no.such.module:Pool", "cannot be imported"),
        ("concurrent.futures:NoSuchPool", "cannot be imported"),
        (f"{__name__}:opened", "a list"),
        (f"{__name__}:Unopenable", "no 2 nodes are free"),
    ],
)
def test_what_cannot_be_opened_is_told(name: str, told: str, store: Path) -> None:
    """By the name that was given; no cell has run."""
    flow = fc.Flow()
    flow.add(plus, 1)
    with pytest.raises(fc.BadOption, match=told):
        flow.run(executor=name, store=store, workers=2, progress=False)


class Abroad:
    """A ferry to a place that sees no more of this machine than the store."""

    name = "abroad"
    traits = Traits()
    sunk = ""

    def __init__(self, spool: str) -> None:
        self.spool = spool
        self.unseen: list[str] = []  # of the arrays that messages refer to
        self.carried = 0

    def open(self, harbour: Harbour) -> None:
        self.harbour = harbour

    def width(self) -> int:
        return 2

    def send(self, loads: Sequence[Load]) -> None:
        for load in loads:
            job = unpack_far(load.payload).job
            records = [record for column in job.columns for record in column]
            names = [digest.hex() for record in records for digest, _, _ in references(record)]
            self.carried += len(names)
            self.unseen += [name for name in names if not os.path.exists(f"{self.spool}/{name}.npy")]
            self.harbour.landed(load.serial, perform_far(load.payload))

    def recall(self, serials: Sequence[int]) -> None:
        return

    def close(self) -> None:
        return


@fc.compute
def draws(seed: int) -> Any:
    """Draw a flow whose last step is carried out abroad."""
    with fc.Flow("drawn") as flow:
        here = fc.compute(cache=False)(field)(seed)
        there = fc.compute(cache=False, runner="abroad")(overwritten)
        flow.result = there(here)
    return flow


def test_an_engine_that_is_first_met_in_mid_run_sees_all_arrays(store: Path) -> None:
    """A task draws a node for it: what it needs is in the store, though the run had its spool in shared memory."""
    ferries: list[Abroad] = []

    def make(*, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> Executor:
        ferries.append(Abroad(surroundings.spool))
        return NearExecutor(ferries[0], inbox=inbox, surroundings=surroundings)

    plugins.register("flowcore.executors", "abroad", make)
    try:
        flow = fc.Flow()
        drawing = flow.add(draws, 3)
        run = flow.run(store=store, workers=1, progress=False)
    finally:
        plugins.unregister("flowcore.executors", "abroad")

    assert float(field(3).sum()) == run[drawing]
    assert (1, []) == (ferries[0].carried, ferries[0].unseen)
    assert str(store) in ferries[0].spool


class ByHand(FuturesLike):
    """Leaves it to the test what becomes of its futures."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.futures.append(Future())
        return self.futures[-1]


class Quay:
    """Notes what lands."""

    def __init__(self) -> None:
        self.answers: dict[int, Answer] = {}

    def landed(self, serial: int, answer: Answer) -> None:
        self.answers[serial] = answer

    def changed(self) -> None:
        return


def sent(pool: FuturesLike) -> tuple[FuturesFerry, Quay]:
    """Send two messages by a pool."""
    ferry, quay = FuturesFerry(pool, workers=2), Quay()
    ferry.open(quay)
    job = Job(task=TaskSpec(id=1, name="task"), attempts=[1], numbers=[0], columns=[])
    ferry.send([Load(serial=serial, payload=b"", job=job) for serial in (1, 2)])
    return ferry, quay


def test_what_has_not_begun_is_called_back() -> None:
    """Where a future says that it runs, one that does not has not begun."""
    pool = ByHand()
    ferry, quay = sent(pool)
    pool.futures[0].set_running_or_notify_cancel()
    ferry.recall([1, 2])
    pool.futures[0].set_result(b"done")

    assert {1: b"done", 2: Unbegun()} == quay.answers


def test_nothing_is_called_back_where_no_future_says_that_it_runs() -> None:
    """Dask's do not, and can be cancelled while they run: a loop could not save its state."""
    pool = ByHand()
    ferry, quay = sent(pool)
    ferry.recall([1, 2])
    for future in pool.futures:
        future.set_result(b"done")

    assert {1: b"done", 2: b"done"} == quay.answers
