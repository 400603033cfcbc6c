"""Claims about flowcore.testing: every built-in executor passes its check, and one broken on purpose does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

import flowcore as fc
from flowcore import clock, plugins
from flowcore.run.executors.event_loop import EventLoopExecutor
from flowcore.run.executors.futures import FuturesFerry
from flowcore.run.executors.inline import InlineExecutor
from flowcore.run.executors.near import NearExecutor
from flowcore.run.executors.processes import ProcessExecutor
from flowcore.run.executors.protocol import Executor
from flowcore.run.executors.threads import ThreadExecutor
from flowcore.run.inbox import Inbox
from flowcore.run.job import Done, Result
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec
from flowcore.testing import FakeClock, Ledger, RefusingExecutor, ScriptedExecutor, check_executor
from flowcore.testing.cells import plus, skip_odd


def inline(*, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> Executor:
    """Make flowcore's own."""
    return InlineExecutor(inbox=inbox, codec=codec)


def threads(*, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> Executor:
    """Make flowcore's own."""
    return ThreadExecutor(inbox=inbox, codec=codec)


def processes(*, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> Executor:
    """Make flowcore's own."""
    return ProcessExecutor(workers=workers, inbox=inbox, surroundings=surroundings)


def event_loop(*, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> Executor:
    """Make flowcore's own."""
    return EventLoopExecutor(inbox=inbox, codec=codec)


def on_futures(pool: Any) -> Any:
    """Make flowcore's own, on somebody's pool."""

    def make(*, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> Executor:
        return NearExecutor(FuturesFerry(pool, workers=workers), inbox=inbox, surroundings=surroundings)

    return make


@pytest.mark.contract("F40", "P5")
def test_inline_conforms() -> None:
    """Cells on the engine's own thread."""
    check_executor(inline, ends_cells=False)


@pytest.mark.contract("F40", "P5")
def test_threads_conform() -> None:
    """Cells on threads."""
    check_executor(threads)


@pytest.mark.contract("F40", "P5")
def test_processes_conform() -> None:
    """Cells in worker processes."""
    check_executor(processes, loss="cell", stops_loops=True, prints=True)


@pytest.mark.contract("F40", "P5")
def test_the_event_loop_conforms() -> None:
    """Coroutines."""
    check_executor(event_loop, coroutines=True)


@pytest.mark.contract("F40", "P5")
def test_stock_futures_conform() -> None:
    """Cells on a pool of the standard library."""
    with ThreadPoolExecutor(2) as pool:
        check_executor(on_futures(pool), stops_loops=True)


class Meddling:
    """An inbox that lets results through as a saboteur likes."""

    def __init__(self, inbox: Inbox, meddle: Callable[[Sequence[Result]], list[Result]]) -> None:
        self._inbox = inbox
        self._meddle = meddle

    def post(self, results: Sequence[Result]) -> None:
        self._inbox.post(self._meddle(results))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inbox, name)


class DropsOne:
    """Loses the fifth result."""

    found = "never ended"

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, results: Sequence[Result]) -> list[Result]:
        kept = [r for n, r in enumerate(results, start=self.seen) if n != 4]
        self.seen += len(results)
        return kept


class PostsTwice:
    """Posts whatever there is once more."""

    found = "more than once"

    def __call__(self, results: Sequence[Result]) -> list[Result]:
        return [*results, *results]


class Swaps:
    """Gives the first of two cells the value of the second, and the other way round."""

    found = "sums"

    def __init__(self) -> None:
        self.first: Done | None = None

    def __call__(self, results: Sequence[Result]) -> list[Result]:
        done = [r for r in results if isinstance(r, Done)]
        rest = [r for r in results if not isinstance(r, Done)]
        if self.first is not None:
            done = [self.first, *done]
            self.first = None
        if len(done) % 2:
            self.first = done.pop()
        pairs = zip(done[::2], done[1::2], strict=True)
        return [x for a, b in pairs for x in (replace(a, records=b.records), replace(b, records=a.records))] + rest


class SwallowsFailures:
    """Calls a failure a skip."""

    found = "failures"

    def __call__(self, results: Sequence[Result]) -> list[Result]:
        from flowcore.run.job import Failed, Skipped

        return [Skipped(attempt=r.attempt, reason="") if isinstance(r, Failed) else r for r in results]


@pytest.mark.parametrize("saboteur", [DropsOne, PostsTwice, Swaps, SwallowsFailures])
def test_check_rejects(saboteur: Any) -> None:
    """An executor broken on purpose does not pass for a good one."""

    def make(*, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> Executor:
        meddling: Any = Meddling(inbox, saboteur())
        return InlineExecutor(inbox=meddling, codec=codec)

    with pytest.raises(AssertionError, match=saboteur.found):
        check_executor(make, ends_cells=False, deadline=2.0 if saboteur is DropsOne else 60.0)


def test_an_executor_is_brought_by_what_makes_it(store: Any) -> None:
    """A class or function given to a run takes the cells that would go to processes; items stay where they are."""
    ledger = Ledger(inline)
    flow = fc.Flow()
    sums = flow.add(plus, fc.each(x=[1, 2, 3]))
    run = flow.run(executor=ledger, store=store, progress=False)
    ledger.verify()

    assert {1: 2, 2: 3, 3: 4} == dict(run[sums])
    assert 3 == len(ledger.given)


def test_an_executor_is_registered_by_name(store: Any) -> None:
    """A name serves as `runner=` of a task and as `executor=` of a run; forgotten, it is none."""
    ledger = Ledger(inline)
    flow = fc.Flow()
    flow.add(plus, 1)
    named = fc.Flow().options(runner="mine")
    named.add(plus, 2)
    plugins.register("flowcore.executors", "mine", ledger)
    try:
        flow.run(executor="mine", store=store, progress=False)
        first = len(ledger.given)
        named.run(store=store, progress=False)
    finally:
        plugins.unregister("flowcore.executors", "mine")

    assert (1, 1) == (first, len(ledger.given))
    with pytest.raises(fc.BadOption, match="mine"):
        plugins.load("flowcore.executors", "mine")


def test_a_plugin_for_another_api_is_refused() -> None:
    """By its name."""

    class Ancient:
        api = 0

    plugins.register("flowcore.executors", "ancient", Ancient)
    try:
        with pytest.raises(fc.BadOption, match="'ancient' for api 0"):
            plugins.load("flowcore.executors", "ancient")
    finally:
        plugins.unregister("flowcore.executors", "ancient")


@pytest.mark.parametrize("wrong", [ThreadPoolExecutor, 7])
def test_what_is_no_executor_is_refused(store: Any, wrong: object) -> None:
    """A class of the standard library that was meant to be an object, and anything else."""
    flow = fc.Flow()
    flow.add(plus, 1)

    with pytest.raises(fc.BadOption, match="executor"):
        flow.run(executor=wrong, store=store, progress=False)


def test_refuse_is_known_by_name(store: Any) -> None:
    """A cell that is started fails; a warm run starts none, so it succeeds."""
    flow = fc.Flow()
    answer = flow.add(plus, 1)
    with pytest.raises(fc.RunFailed, match="nothing was to run"):
        flow.run(executor="refuse", store=store, progress=False)
    flow.run(executor="inline", store=store, progress=False)

    assert 2 == flow.run(executor="refuse", store=store, progress=False)[answer]
    assert "refuse" in plugins.names("flowcore.executors")
    assert RefusingExecutor is plugins.load("flowcore.executors", "refuse")


def test_a_script_decides_the_order(store: Any) -> None:
    """Cells are held until the test posts what comes of them."""
    flow = fc.Flow()
    first = flow.add(plus, fc.each(x=[10, 20]), name="first")
    second = flow.add(plus, first, name="second")
    script = ScriptedExecutor()
    run = flow.start(executor=script, store=store, progress=False)
    one, two = script.wait(2)
    two.run()
    (after,) = script.wait(1, "second")
    early = after.number
    after.run()
    one.run()
    script.wait(1, "second")[0].run()
    run.wait()

    assert (1, {10: 12, 20: 22}) == (early, dict(run[second]))
    assert [("first", 0), ("first", 1), ("second", 1), ("second", 0)] == script.started


def test_a_script_tells_what_a_cell_is_called_with(store: Any) -> None:
    """Positional arguments, and those by name."""
    flow = fc.Flow()
    flow.add(plus, 3, b=4)
    script = ScriptedExecutor()
    run = flow.start(executor=script, store=store, progress=False)
    (held,) = script.wait()
    arguments = held.arguments
    held.run()
    run.wait()

    assert ([3], {"b": 4}) == arguments


def test_a_script_can_make_anything_of_a_cell(store: Any) -> None:
    """A failure, a skip, a death, and the value after a retry."""
    flow = fc.Flow()
    grid = flow.add(skip_odd, fc.each(x=[0, 1, 2, 3]), name="grid")
    script = ScriptedExecutor()
    run = flow.start(executor=script, store=store, on_error="continue", progress=False)
    failing, skipping, dying, plain = script.wait(4)
    failing.fail(KeyError("made up"))
    skipping.skip("so it says")
    dying.die()
    plain.run()
    script.settle()
    script.held[0].run()
    with pytest.raises(fc.RunFailed, match="made up"):
        run.wait()

    assert {2: 2} == dict(run[grid])
    assert (2, 1) == (run.counts(grid).skipped, run.counts(grid).failed)


def test_the_clock_stands() -> None:
    """Time passes when told, and the real clock is back afterwards."""
    real = clock.monotonic
    with FakeClock() as fake:
        before = clock.monotonic(), clock.wall()
        fake.advance(60.0)
        after = clock.monotonic(), clock.wall()

    assert (60.0, 60.0) == (after[0] - before[0], after[1] - before[1])
    assert real is clock.monotonic
