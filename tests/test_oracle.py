"""Claims about the whole: any drawing, on any executor, over any store, gives what plain calls give.

The oracle (`drawings.Model`) is plain recursion in one process. Beside values it says
which computations a run must carry out: each kept one exactly once, ever.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import flowcore as fc
from flowcore.grid import Grid
from flowcore.plan.records import references
from flowcore.run import pool
from flowcore.run.executors.inline import InlineExecutor
from flowcore.run.executors.protocol import Executor
from flowcore.run.inbox import Inbox
from flowcore.run.job import Done, Record, Result
from flowcore.run.surroundings import Surroundings
from flowcore.store.codecs import Codec
from flowcore.store.history import read_run, run_paths
from flowcore.store.journal import read_frames
from flowcore.store.trace import Trace
from tests.drawings import Model, Outcome, Step, drawn, programs
from tests.test_testing import Meddling
from tests.vocabulary import COUNTER, fold

SOAK = 20 if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else 1
pytestmark = pytest.mark.filterwarnings("ignore::flowcore.errors.DamagedEntry")
Compared = tuple[object, ...]
LOST = "lost"


def examples(count: int) -> settings:
    """Give the settings of a claim: so many examples, and many more in the long form."""
    phases = [Phase.explicit, Phase.generate, *([Phase.shrink] if SOAK > 1 else [])]  # shrinking takes minutes
    return settings(max_examples=count * SOAK, phases=phases, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def counter() -> Iterator[Path]:
    """Give the file of executions; its path stays the same, since foreign workers know it from their start."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "lines"
        os.environ[COUNTER] = str(path)
        yield path
        del os.environ[COUNTER]
        pool.shutdown()


def lines(counter: Path) -> Counter[str]:
    """Give what was executed since the last look."""
    text = counter.read_text() if counter.exists() else ""
    counter.write_text("")
    return Counter(text.splitlines())


def run(flow: fc.Flow, *targets: object, **options: Any) -> fc.Run:
    """Run a flow to its end, whatever fails."""
    # Named one by one: without targets, a branch that no choice fell on does not run.
    given = {"workers": 2, "progress": False, "on_error": "continue"} | options
    started = flow.start(*(targets or flow.result), **given)
    with contextlib.suppress(fc.RunFailed):
        assert started.wait(60.0), f"hangs: {started.summary()}"
    assert started.status in ("done", "failed")
    return started


def meant(outcomes: dict[tuple[object, ...], Outcome], step: Step) -> Compared:
    """Give the values of a step as the oracle has them."""
    values = {label: fold(outcome.value) for label, outcome in outcomes.items() if outcome.state == "done"}
    if not step.axes:
        return ("value", values.get((), "none"))
    return ("grid", {label[0] if len(label) == 1 else label: value for label, value in values.items()})


def found(run: fc.Run, ref: object) -> Compared:
    """Give the values of a node as a run has them; one whose array the store has lost is LOST."""
    try:
        value = run[ref]
    except fc.ValueLost as lost:
        return ("value", LOST if "not in the store" in str(lost) else "none")
    if isinstance(value, Grid):
        return ("grid", {label: _folded(value, label) for label in value})
    return ("value", fold(value))


def _folded(grid: Grid, label: object) -> object:
    try:
        return fold(grid[label])
    except fc.ValueLost:
        return LOST


def without_lost(meant: Compared, found: Compared) -> tuple[Compared, Compared]:
    """Give both, less what was told to be lost."""
    kind, values = found
    if not isinstance(values, dict):
        return (meant, found) if values != LOST else ((), ())
    there = {label: value for label, value in values.items() if value != LOST}
    assert isinstance(meant[1], dict)
    return ("grid", {label: v for label, v in meant[1].items() if values.get(label) != LOST}), (kind, there)


def failed(run: fc.Run) -> set[tuple[str, tuple[object, ...]]]:
    """Give the cells that failed."""
    return {(failure.node, tuple(failure.labels.values())) for failure in run.failures}


def told(run: fc.Run) -> str:
    """Give what a run says of itself, for messages."""
    return run.summary() + "".join(f"\n{failure.cell}: {failure.error}" for failure in run.failures)


def agrees(steps: list[Step], refs: list[Any], model: Model, run: fc.Run) -> None:
    """Compare a run with the oracle."""
    for number, (step, ref, outcomes) in enumerate(zip(steps, refs, model.all(), strict=True)):
        assert meant(outcomes, step) == found(run, ref), f"step {number}: {step}; {told(run)}"
    wanted = {
        (f"s{number}", label) for number, outcomes in enumerate(model.all())
        for label, outcome in outcomes.items() if outcome.state == "failed"
    }  # fmt: skip
    assert wanted == failed(run)


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
@examples(60)
def test_inline(counter: Path, steps: list[Step]) -> None:
    """On the engine's own thread."""
    cold_and_warm(steps, counter, executor="inline")


@pytest.mark.contract("P1", "P10")
@given(steps=programs())
@examples(25)
def test_threads(counter: Path, steps: list[Step]) -> None:
    """On threads."""
    cold_and_warm(steps, counter, executor="thread")


@pytest.mark.contract("P1", "P10")
@given(steps=programs())
@examples(20)
def test_processes(counter: Path, steps: list[Step]) -> None:
    """In worker processes."""
    cold_and_warm(steps, counter)


@pytest.mark.contract("P1", "P10")
@given(steps=programs(runners=("process", "thread", "inline", None)))
@examples(20)
def test_mixed_runners(counter: Path, steps: list[Step]) -> None:
    """Each node where it likes."""
    cold_and_warm(steps, counter)


@pytest.mark.contract("P1", "P10")
@given(steps=programs())
@examples(15)
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
    @examples(6)
    def claim(steps: list[Step]) -> None:
        cold_and_warm(steps, counter, executor=workers)

    try:
        claim()
    finally:
        workers.shutdown(kill_workers=True)


@pytest.mark.contract("P7", "P10")
@given(steps=programs(), first=st.data())
@examples(40)
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


def journals(store: str) -> list[str]:
    """Give the paths of the journals."""
    return list(run_paths(store).values())


def kept(store: str) -> dict[bytes, set[bytes]]:
    """Give the keys of the values that a store has, and the arrays that each needs."""
    found: dict[bytes, set[bytes]] = {}
    for path in journals(store):
        for told in read_run(path):
            if isinstance(told, Trace):
                for key, record in zip(told.keys, told.records, strict=True):
                    if key:
                        found.setdefault(key, {digest for digest, _, _ in references(record)})
    return found


def blobs(store: str) -> list[Path]:
    """Give the files of the arrays."""
    return sorted(Path(store).glob("v1/arrays/*/*.npy"))


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
@examples(40)
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
        there = {path.stem for path in blobs(store)}
        left = sum(all(digest.hex() in there for digest in needs) for needs in kept(store).values())
        agrees(steps, refs, model, run(flow, store=store, executor="inline"))
        again = lines(counter) - model.always
        assert whole - left == again.total(), "executions after damage"
        assert again <= Counter(model.kept.values())
        agrees(steps, refs, model, run(flow, store=store, executor="inline"))
        assert model.always == lines(counter), "executions once mended"


@pytest.mark.contract("P2", "F22")
@given(steps=programs(), data=st.data())
@examples(30)
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
    @examples(30)
    def claim(steps: list[Step]) -> None:
        cold_and_warm(steps, counter, executor=make)

    with pytest.raises((AssertionError, ExceptionGroup)):
        claim()
