"""Claims about run/executors/event_loop.py: many coroutines, none of which holds up anything but the others."""

from __future__ import annotations

import asyncio
import errno
import threading
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import flowcore as fc
from flowcore.run.executors.event_loop import MOST
from flowcore.run.executors.watchdog import Watchdog
from flowcore.testing.cells import plus
from tests.ahead import Ahead

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
    begun, ended = threading.Event(), threading.Event()

    async def wait(x: int) -> int:
        try:
            begun.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.set()
            raise
        return x

    async def half(x: float) -> float:
        return x / 2

    flow = fc.Flow()
    flow.add(fc.io(timeout=100.0)(wait), 1)
    beside = flow.add(half, fc.each(x=[1.0, 3.0]), kind="io")
    with Ahead() as ahead:
        run = flow.start(store=store, on_error="continue", progress=False)
        assert begun.wait(60.0)
        ahead.put_forward(100.0, run)
        with pytest.raises(fc.RunFailed, match="cancelled"):
            run.wait(60.0)

    assert {1.0: 0.5, 3.0: 1.5} == dict(run[beside])
    assert ended.wait(60.0)
    assert [("wait", "CellTimeout")] == [(failure.node, type(failure.error).__name__) for failure in run.failures]


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
        run.wait(60.0)
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
    ended = run.wait(60.0)
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
            await asyncio.sleep(0.05)  # the run has said by then that the loop is to end
            cleaned.set()

    flow = fc.Flow()
    node = flow.add(wait, kind="io")
    run = flow.start(node, store=store, progress=False)
    begun.wait(60.0)
    run.cancel()
    run.cancel()
    run.wait(60.0)

    assert cleaned.wait(60.0)


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
        run.wait(60.0)

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


def told_at_once(
    block: Callable[[int, threading.Event], Awaitable[bool]], store: Path, monkeypatch: pytest.MonkeyPatch
) -> list[Warning]:
    """Run three coroutines, of which the second may block until a warning has come; give the warnings."""
    go, told = threading.Event(), list[Warning]()

    def showwarning(warning: Warning, *_: object, **__: object) -> None:
        told.append(warning)
        go.set()

    async def blocks(x: int) -> bool:
        return await block(x, go)

    monkeypatch.setattr(warnings, "showwarning", showwarning)
    flow = fc.Flow()
    grid = flow.add(blocks, fc.each(x=range(3)), kind="io")
    beside = flow.add(plus, 3)
    run = flow.run(store=store, progress=False)

    assert ({0: True, 1: True, 2: True}, 4) == (dict(run[grid]), run[beside])
    return told


def waits(go: threading.Event) -> bool:
    """Do what no coroutine should."""
    return go.wait(60.0)


LINE = f"{__file__}:{waits.__code__.co_firstlineno + 2}"


@pytest.mark.contract("F39")
def test_a_coroutine_that_blocks_is_named_while_it_does(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its cell and its line; it blocks until it has been told, and a cell in a process goes on."""

    async def block(x: int, go: threading.Event) -> bool:
        return x != 1 or waits(go)

    told = told_at_once(block, store, monkeypatch)

    assert [("BlockedLoop", "blocks[x=1]", LINE)] == [
        (type(w).__name__, getattr(w, "cell", ""), getattr(w, "at", "")) for w in told
    ]


@pytest.mark.contract("F39")
def test_a_task_of_a_coroutine_that_blocks_is_named_by_its_cell(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the cell itself only awaits what it has made."""

    async def wait(go: threading.Event) -> bool:
        return waits(go)

    async def block(x: int, go: threading.Event) -> bool:
        return x != 1 or await asyncio.create_task(wait(go))

    told = told_at_once(block, store, monkeypatch)

    assert ["blocks[x=1]"] == [getattr(warning, "cell", "") for warning in told]


class Turns:
    """A loop that a test turns by hand."""

    def __init__(self) -> None:
        self.task: object | None = None
        self.signs: list[Callable[[], None]] = []
        self.told: list[object] = []

    def running(self) -> object | None:
        return self.task

    def idle(self) -> bool:
        return True

    def at_next_turn(self, call: Callable[[], None]) -> None:
        self.signs.append(call)

    def blocked(self, task: object, at: str) -> None:
        del at
        self.told.append(task)

    def turn(self) -> None:
        for sign in self.signs:
            sign()
        self.signs.clear()


@pytest.mark.contract("F39")
@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ("AAA", ["A"]),
        ("AAAAAA", ["A"]),
        ("AA.AAA", ["A"]),
        ("AAAB.BBB", ["A", "B"]),
        ("ABABAB", []),  # many short steps in one turn
        ("A.A.A.A", []),  # one coroutine that gives the loop its turn, and is always found
        ("AA.AA-AA", []),
    ],
)
def test_only_one_long_step_is_called_blocking(looks: str, expected: list[str]) -> None:
    """A letter is a look that finds that task running, a dash one that finds none, a dot a turn of the loop."""
    loop = Turns()
    watchdog = Watchdog(loop, threading.get_ident())

    for look in looks:
        if look == ".":
            loop.turn()
            continue
        loop.task = None if look == "-" else look
        watchdog.look()

    assert expected == loop.told


def test_coroutines_are_made_as_others_end(store: Path) -> None:
    """Twice as many cells as may be live: at no moment are there more, and all are done."""
    live, most = 0, 0

    async def wait(x: int) -> int:
        nonlocal live, most
        live += 1
        most = max(most, live)
        await asyncio.sleep(0)
        live -= 1
        return x

    flow = fc.Flow()
    grid = flow.add(wait, fc.each(x=range(2 * MOST + 1)), kind="io")
    run = flow.run(store=store, progress=False)

    assert 2 * MOST + 1 == run.counts(grid).done
    assert most <= MOST


@pytest.mark.contract("F35", "P4")
def test_a_loop_that_cannot_be_had_fails_its_own_cells(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no descriptor left for one: coroutines say so, and a cell on a thread does not notice."""

    def full() -> asyncio.AbstractEventLoop:
        raise OSError(errno.EMFILE, "Too many open files")

    async def half(x: float) -> float:
        return x / 2

    monkeypatch.setattr(asyncio, "new_event_loop", full)
    flow = fc.Flow()
    flow.add(half, fc.each(x=[1.0, 2.0]), kind="io", name="coroutine")
    beside = flow.add(plus, 1, kind="io")
    run = flow.start(store=store, on_error="continue", progress=False)
    with pytest.raises(fc.RunFailed, match="Too many open files"):
        run.wait(60.0)

    assert ["coroutine"] * 2 == [failure.node for failure in run.failures]
    assert ("failed", 2) == (run.status, run[beside])
