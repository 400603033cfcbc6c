"""Claims about run/executors/threads.py: threads come when needed, and one that overran its time is left behind."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import flowcore as fc
from flowcore.run.executors.threads import MOST, ThreadExecutor
from flowcore.run.job import Job


def test_as_many_threads_as_cells_up_to_a_bound(store: Path) -> None:
    """Sixty-four cells meet."""
    together = threading.Barrier(MOST, timeout=60.0)

    def meet(x: int) -> int:
        together.wait()
        return x

    flow = fc.Flow()
    grid = flow.add(meet, fc.each(x=range(MOST)), kind="io")

    assert MOST == len(flow.run(grid, store=store, progress=False)[grid])


@pytest.mark.contract("F40")
def test_a_late_result_is_dropped(store: Path) -> None:
    """A thread cannot be killed: it is abandoned, reported, and replaced; what it says later is not heard."""
    release, spoken = threading.Event(), threading.Event()

    def wait(x: int) -> int:
        release.wait(60.0)
        spoken.set()
        return x

    flow = fc.Flow()
    grid = flow.add(fc.io(timeout=0.01)(wait), fc.each(x=[0, 1]))
    beside = flow.add(abs, -1, kind="io")
    run = flow.start(grid, beside, store=store, on_error="continue", progress=False)
    with pytest.raises(fc.RunFailed, match="abandoned"):
        run.wait(60.0)
    release.set()
    spoken.wait(60.0)

    assert ({}, 1) == (dict(run[grid]), run[beside])
    assert 2 == len(run.failures)


@pytest.mark.contract("F12", "P5")
def test_abandoned_threads_hold_no_place(store: Path) -> None:
    """As many hang as there may be, twice over; what comes after them runs, whether they end by then or not."""
    release = threading.Event()

    def wait(x: int) -> int:
        release.wait(60.0)
        return x

    flow = fc.Flow()
    waiting = flow.add(fc.io(timeout=0.1, priority=10)(wait), fc.each(x=range(2 * MOST)))
    behind = flow.add(abs, fc.each(x=[0, 1]), kind="io")
    run = flow.start(waiting, behind, store=store, on_error="continue", progress=False)
    with pytest.raises(fc.RunFailed, match="abandoned"):
        run.wait(60.0)
    release.set()

    assert ({}, {0: 0, 1: 1}) == (dict(run[waiting]), dict(run[behind]))
    assert 2 * MOST == len(run.failures)


@pytest.mark.contract("F40")
def test_threads_that_end_at_their_deadline_end_once(store: Path) -> None:
    """Each cell has a value or is late, never both; the places of either are free for the next ones."""
    cells = 10 * MOST

    def wait(x: int) -> int:
        threading.Event().wait(0.02)
        return x

    flow = fc.Flow()
    grid = flow.add(fc.io(timeout=0.02)(wait), fc.each(x=range(cells)))
    run = flow.start(grid, store=store, on_error="continue", progress=False)
    try:
        ended = run.wait(60.0)
    except fc.RunFailed:
        ended = True
    counts = run.counts("wait")

    assert ended
    assert (0, cells) == (counts.started, counts.done + counts.failed)
    assert (counts.done, counts.failed) == (len(dict(run[grid])), len(run.failures))


def test_cancel_lets_go_of_threads(store: Path) -> None:
    """The run ends while the thread goes on."""
    begun, release = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        release.wait(60.0)

    flow = fc.Flow()
    flow.add(wait, kind="io")
    run = flow.start(store=store, progress=False)
    begun.wait(60.0)
    run.cancel()
    run.cancel()
    ended = run.wait(60.0)
    release.set()

    assert ended


@pytest.mark.contract("F39", "P5")
def test_cells_that_wait_hold_up_no_element(store: Path) -> None:
    """On every thread a cell waits for what only an element of a value can bring about."""
    go = threading.Event()

    def wait(x: int) -> bool:
        return go.wait(60.0)

    async def free(first: int) -> int:
        go.set()
        return first

    flow = fc.Flow()
    pair = flow.add(lambda: [1, 2], kind="io", name="pair")
    freed = flow.add(free, pair[0], kind="io")
    waiting = flow.add(fc.io(priority=10)(wait), fc.each(x=range(MOST)))
    run = flow.run(given={pair: [1, 2]}, store=store, progress=False)

    assert (1, {True}) == (run[freed], set(dict(run[waiting]).values()))


def test_as_many_cells_compute_on_threads_as_there_are_workers(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many threads there may be for those that wait."""
    handed: list[tuple[str, int]] = []
    real = ThreadExecutor.start

    def start(self: ThreadExecutor, job: Job) -> None:
        handed.append((job.name(0), len(job.attempts)))
        real(self, job)

    monkeypatch.setattr(ThreadExecutor, "start", start)
    flow = fc.Flow()
    flow.add(fc.compute(runner="thread", cache=False)(abs), fc.each(x=range(8)), name="computes")
    flow.add(abs, fc.each(x=range(8)), kind="io", name="waits")
    flow.run(store=store, workers=2, progress=False)

    assert {"computes": 2, "waits": 8} == {name: max(n for other, n in handed if other == name) for name, _ in handed}
