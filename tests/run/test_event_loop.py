"""Claims about run/executors/event_loop.py: many coroutines, none of which holds up anything but the others."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

import flowcore as fc
from flowcore.testing.cells import plus

MANY = 2000


def test_two_thousand_coroutines_at_once(store: Path) -> None:
    """All have begun before the first one ends."""
    begun: list[int] = []
    together = asyncio.Event()

    async def meet(x: int) -> int:
        begun.append(x)
        if len(begun) == MANY:
            together.set()
        await together.wait()
        return x

    flow = fc.Flow()
    grid = flow.add(meet, fc.each(x=range(MANY)), kind="io")
    run = flow.run(grid, store=store, progress=False)

    assert {x: x for x in range(MANY)} == dict(run[grid])


def test_a_coroutine_over_its_time_is_cancelled(store: Path) -> None:
    """And told by its cell; others are not touched."""
    ended: list[str] = []

    async def wait(x: int) -> int:
        try:
            if x:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return x

    flow = fc.Flow()
    grid = flow.add(fc.io(timeout=0.01)(wait), fc.each(x=[0, 1]))
    run = flow.start(grid, store=store, on_error="continue", progress=False)
    with pytest.raises(fc.RunFailed, match="cancelled"):
        run.wait(60.0)

    assert ({0: 0}, ["cancelled"]) == (dict(run[grid]), ended)
    assert isinstance(run.failures[0].error, fc.CellTimeout)


@pytest.mark.contract("F39")
def test_a_coroutine_that_blocks_holds_up_no_other_executor(store: Path) -> None:
    """It waits for a cell on a thread, and gets it."""
    go = threading.Event()

    async def block() -> bool:
        return go.wait(60.0)

    flow = fc.Flow()
    blocked = flow.add(block, kind="io")
    flow.add(go.set, kind="io")
    run = flow.run(blocked, *flow.nodes, store=store, progress=False)

    assert run[blocked]


@pytest.mark.contract("F12", "P5")
def test_a_coroutine_that_blocks_over_its_time_is_given_up(store: Path) -> None:
    """The loop stands still; its cells are told nevertheless, those it never came to as well, and the run ends."""
    go = threading.Event()

    async def block(x: int) -> bool:
        return go.wait(60.0) and x > 0

    flow = fc.Flow()
    grid = flow.add(fc.io(timeout=0.1)(block), fc.each(x=range(3)))
    run = flow.start(store=store, on_error="continue", progress=False)
    with pytest.raises(fc.RunFailed, match="cancelled"):
        run.wait(30.0)
    go.set()

    assert {} == dict(run[grid])
    assert ["CellTimeout"] * 3 == [type(failure.error).__name__ for failure in run.failures]


@pytest.mark.contract("P12", "P5")
def test_cancel_lets_go_of_a_coroutine_that_blocks(store: Path) -> None:
    """The run ends while the loop stands still; what ended just before has its value."""
    begun, go = threading.Event(), threading.Event()

    async def block(x: int) -> int:
        if x:
            begun.set()
            go.wait(60.0)
        return x

    flow = fc.Flow()
    grid = flow.add(block, fc.each(x=[0, 1]), kind="io")
    run = flow.start(store=store, progress=False)
    begun.wait(60.0)
    run.cancel()
    run.cancel()
    ended = run.wait(30.0)
    go.set()

    assert ended
    assert ("interrupted", {0: 0}) == (run.status, dict(run[grid]))


def test_cancelled_coroutines_may_clean_up(store: Path) -> None:
    """What they await about it is awaited, for a while."""
    begun, cleaned = threading.Event(), threading.Event()

    async def wait() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            for _ in range(10):
                await asyncio.sleep(0)
            cleaned.set()

    flow = fc.Flow()
    node = flow.add(wait, kind="io")
    run = flow.start(node, store=store, progress=False)
    begun.wait(60.0)
    run.cancel()
    run.cancel()
    run.wait(60.0)

    assert cleaned.is_set()


@pytest.mark.contract("F8")
def test_a_task_of_a_coroutine_that_exits_ends_no_loop(store: Path) -> None:
    """SystemExit is the failure of the cell that awaits it; others go on."""

    async def leave() -> None:
        raise SystemExit(3)

    async def wait(x: int) -> int:
        if x == 0:
            await asyncio.create_task(leave())
        await asyncio.sleep(0.01)
        return x

    flow = fc.Flow()
    grid = flow.add(wait, fc.each(x=[0, 1]), kind="io")
    run = flow.start(store=store, on_error="continue", progress=False)
    with pytest.raises(fc.RunFailed, match="SystemExit"):
        run.wait(30.0)

    assert {1: 1} == dict(run[grid])


def test_runs_inside_a_running_loop(store: Path) -> None:
    """As in a notebook, awaited or not."""

    async def half(x: float) -> float:
        await asyncio.sleep(0)
        return x / 2

    async def main() -> tuple[float, float]:
        flow = fc.Flow()
        node = flow.add(half, 3.0, kind="io")
        awaited = await flow.arun(node, store=store, progress=False)
        plain = flow.run(node, store=store, progress=False)
        return awaited[node], plain[node]

    assert (1.5, 1.5) == asyncio.run(main())


def test_coroutines_retry(store: Path) -> None:
    """As other cells do."""
    tries: list[int] = []

    async def flaky() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("busy")
        return plus(len(tries))

    flow = fc.Flow()
    node = flow.add(fc.io(retries=2)(flaky))

    assert 4 == flow.run(node, store=store, progress=False)[node]
