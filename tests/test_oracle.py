"""Claims about the whole: any drawing, on any executor, over any store, gives what plain calls give.

The oracle (`drawings.Model`) is plain recursion in one process. Beside values it says
which computations a run must carry out: each kept one exactly once, ever.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.run.executors.inline import InlineExecutor
from flowcore.run.executors.protocol import Executor
from flowcore.run.inbox import Inbox
from flowcore.run.job import Done, Record, Result
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec
from flowcore.store.journal import read_frames
from tests.drawings import Model, Step, drawn
from tests.oracle import agrees, blobs, found, journals, kept, left, lines, meant, run, told, without_lost
from tests.programs import examples, programs
from tests.test_testing import Meddling
from tests.vocabulary import COUNTER

MORE = 20 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 1
pytestmark = pytest.mark.filterwarnings("ignore::flowcore.errors.DamagedEntry")


def cold_and_warm(steps: list[Step], counter: Path, **options: Any) -> None:
    """Run with an empty store, and again: values agree, and each computation happened as often as it must."""
    model = Model(steps)
    model.all()
    flow, refs = drawn(steps)
    with tempfile.TemporaryDirectory() as store:
        lines(counter)
        agrees(steps, refs, model, run(flow, store=store, **options))
        assert model.lines == lines(counter), "executions with an empty store"
        agrees(steps, refs, model, run(flow, store=store, **options))
        assert model.always == lines(counter), "executions with a warm store"


@pytest.mark.contract("P1", "P7", "P10", "KT5")
@given(steps=programs())
@examples(60, more=MORE)
def test_inline(counter: Path, steps: list[Step]) -> None:
    """On the engine's own thread."""
    cold_and_warm(steps, counter, executor="inline")


@pytest.mark.contract("P1", "P10")
@given(steps=programs())
@examples(25, more=MORE)
def test_threads(counter: Path, steps: list[Step]) -> None:
    """On threads."""
    cold_and_warm(steps, counter, executor="thread")


@pytest.mark.contract("P1", "P10")
@given(steps=programs(), workers=st.sampled_from([2, 1, 5]))
@examples(24, more=MORE)
def test_processes(counter: Path, steps: list[Step], workers: int) -> None:
    """In worker processes: one of them does what many do."""
    cold_and_warm(steps, counter, workers=workers)


@pytest.mark.contract("P1", "P10")
@given(steps=programs(runners=("process", "thread", "inline", None)))
@examples(20, more=MORE)
def test_mixed_runners(counter: Path, steps: list[Step]) -> None:
    """Each node where it likes."""
    cold_and_warm(steps, counter)


@pytest.mark.contract("P1", "P10")
@given(steps=programs())
@examples(15, more=MORE)
def test_stock_futures(counter: Path, steps: list[Step]) -> None:
    """On a pool of the standard library."""
    with ThreadPoolExecutor(2) as threads:
        cold_and_warm(steps, counter, executor=threads)


@pytest.mark.contract("P1", "P10")
def test_loky(counter: Path) -> None:
    """On somebody else's processes."""
    import loky

    os.environ[COUNTER] = str(counter)
    workers = loky.get_reusable_executor(max_workers=2, timeout=60)

    @given(steps=programs())
    @examples(6, more=MORE)
    def claim(steps: list[Step]) -> None:
        cold_and_warm(steps, counter, executor=workers)

    try:
        claim()
    finally:
        workers.shutdown(kill_workers=True)


@pytest.mark.contract("P7", "P10")
@given(steps=programs(), first=st.data())
@examples(40, more=MORE)
def test_targets(counter: Path, steps: list[Step], first: st.DataObject) -> None:
    """One target runs what it needs; then the rest runs only what is left."""
    target = first.draw(st.integers(0, len(steps) - 1))
    model, partly = Model(steps), Model(steps)
    model.all()
    needed = partly.cells(target)
    flow, refs = drawn(steps)
    with tempfile.TemporaryDirectory() as store:
        lines(counter)
        part = run(flow, refs[target], store=store, executor="inline")
        assert meant(needed, steps[target]) == found(part, refs[target])
        begun = lines(counter)
        assert partly.lines <= begun <= model.lines, "executions for one target"
        if all(step.function != "choose" and not any(a.startswith("e") for a in step.axes) for step in steps):
            assert partly.lines == begun
        agrees(steps, refs, model, run(flow, store=store, executor="inline"))
        assert model.lines - (begun - model.always) == lines(counter), "executions for the rest"


# ---- damage --------------------------------------------------------------------------


def cut(store: str, data: st.DataObject) -> None:
    """Cut a journal off, between frames or inside one."""
    path = journals(store)[0]
    ends = [end for _, end, _ in read_frames(path)]
    os.truncate(path, data.draw(st.sampled_from(ends)) - data.draw(st.sampled_from([0, 0, 3])))


def remove(store: str, data: st.DataObject) -> None:
    """Take some arrays away."""
    for path in data.draw(st.sets(st.sampled_from(blobs(store)))) if blobs(store) else ():
        path.unlink()


def flip(store: str, data: st.DataObject) -> None:
    """Change a byte in an array."""
    for path in data.draw(st.sets(st.sampled_from(blobs(store)))) if blobs(store) else ():
        content = bytearray(path.read_bytes())
        content[-9] ^= 1
        path.chmod(0o600)
        path.write_bytes(content)


@pytest.mark.contract("P1", "P2", "P7", "P10")
@given(steps=programs(), data=st.data())
@examples(40, more=MORE)
def test_a_store_that_lost_something(counter: Path, steps: list[Step], data: st.DataObject) -> None:
    """After a journal is cut, or arrays are gone, exactly what is missing is computed again, with equal values."""
    model = Model(steps)
    model.all()
    flow, refs = drawn(steps)
    with tempfile.TemporaryDirectory() as store:
        run(flow, store=store, executor="inline")
        lines(counter)
        whole = len(kept(store))
        assert len(model.kept) == whole, "one record a computation"
        data.draw(st.sampled_from([cut, remove]))(store, data)
        there = sum(not lacking for lacking in left(store).values())
        agrees(steps, refs, model, run(flow, store=store, executor="inline"))
        again = lines(counter) - model.always
        assert whole - there == again.total(), "executions after damage"
        assert again <= Counter(model.kept.values())
        agrees(steps, refs, model, run(flow, store=store, executor="inline"))
        assert model.always == lines(counter), "executions once mended"


@pytest.mark.contract("P2", "F22")
@given(steps=programs(), data=st.data())
@examples(30, more=MORE)
def test_a_store_with_changed_arrays(counter: Path, steps: list[Step], data: st.DataObject) -> None:
    """A changed array is never given for the right one: computed again in time, or told to be lost and mended."""
    model = Model(steps)
    model.all()
    flow, refs = drawn(steps)
    with tempfile.TemporaryDirectory() as store:
        run(flow, store=store, executor="inline")
        flip(store, data)
        for _ in range(1 + min(3, len(blobs(store)))):  # a value with several arrays shows one damage a time
            damaged = run(flow, store=store, executor="inline")
            for step, ref, outcomes in zip(steps, refs, model.all(), strict=True):
                expected, actual = without_lost(meant(outcomes, step), found(damaged, ref))
                assert expected == actual, told(damaged)
        agrees(steps, refs, model, run(flow, store=store, executor="inline"))


# ---- negative control ----------------------------------------------------------------


class Shifts:
    """Gives each cell the value of the one before."""

    def __init__(self) -> None:
        self.before: Record | None = None

    def __call__(self, results: Sequence[Result]) -> list[Result]:
        return [self._shifted(result) if isinstance(result, Done) else result for result in results]

    def _shifted(self, done: Done) -> Done:
        before, self.before = self.before, done.records[-1]
        return replace(done, records=[before or done.records[0], *done.records[:-1]])


def test_a_broken_executor_is_caught(counter: Path) -> None:
    """An executor that gives a cell the value of another one disagrees with the oracle."""

    def make(*, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> Executor:
        shifting: Any = Meddling(inbox, Shifts())
        return InlineExecutor(inbox=shifting, codec=codec)

    @given(steps=programs())
    @examples(30, more=MORE)
    def claim(steps: list[Step]) -> None:
        cold_and_warm(steps, counter, executor=make)

    with pytest.raises((AssertionError, ExceptionGroup)):
        claim()
