"""Claims about ``fc.rng()`` in runs (contract K21): what a stream depends on, and what it does not."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from tests.run import draws

pytestmark = pytest.mark.contract("K21")
EXECUTORS = ("process", "thread", "inline")


def grid(task: Any, ns: Any = (1, 2, 3, 4, 5)) -> fc.Flow:
    """Draw a task along an axis."""
    flow = fc.Flow("grid")
    flow.result = flow.add(task, fc.each(n=list(ns)), name="drawn")
    return flow


def ran(flow: fc.Flow, store: Path, **options: Any) -> fc.Run:
    """Run a flow quietly."""
    return flow.run(store=store, progress=False, **options)


def told(value: Any) -> Any:
    """Give a value as something to compare bit by bit."""
    return [told(v) for v in value] if isinstance(value, list | tuple) else np.asarray(value).tobytes()


def numbers(flow: fc.Flow, store: Path, **options: Any) -> dict[Any, Any]:
    """Give what each cell drew, by label."""
    run = ran(flow, store, **options)
    return {n: told(run["drawn"][{"n": n}]) for n in flow["drawn"].axes[0].labels or ()}


def hits(run: fc.Run) -> int:
    """Count the cells that did not run."""
    return sum(counts.hit for counts in run._session.books.counts.values())  # noqa: SLF001


def by_value() -> Any:
    """Give a task that travels by value."""
    scale = 2.0

    @fc.compute
    def local(n: int, rng: np.random.Generator = fc.rng()) -> Any:
        return rng.normal(scale=scale, size=n)

    return local


TASKS: dict[str, Callable[[], Any]] = {
    "by path": lambda: draws.sample,
    "not kept": lambda: draws.unkept,
    "by value": by_value,
    "two streams": lambda: draws.two,
    "calls another": lambda: draws.outer,
    "calls another, not kept": lambda: draws.outer_unkept,
    "partial": lambda: functools.partial(draws.plain, 2.0),
    "method": lambda: draws.Sampler(2.0).draw,
    "function": lambda: draws.plainly,
}


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_stream_does_not_depend_on_who_runs_it(task: Callable[[], Any], tmp_path: Path) -> None:
    """Bit-equal in processes, threads and this one, with one worker or three, alone or among others."""
    one = task()
    expected = numbers(grid(one), tmp_path / "first", executor="inline")
    found = [
        numbers(grid(one), tmp_path / f"{executor}{workers}", executor=executor, workers=workers)
        for executor, workers in (("process", 3), ("process", 1), ("thread", 3))
    ]
    few = numbers(grid(one, (5, 2)), tmp_path / "few", executor="inline")

    assert [expected] * 3 == found
    assert {n: expected[n] for n in (5, 2)} == few
    assert len({str(drawn) for drawn in expected.values()}) == 5


def test_a_stream_on_the_event_loop(tmp_path: Path) -> None:
    """Coroutines that run at once have streams of their own."""
    expected = numbers(grid(draws.awaited), tmp_path / "a")

    assert expected == numbers(grid(draws.awaited, (5, 4, 3, 2, 1)), tmp_path / "b")
    assert 5 == len({str(drawn) for drawn in expected.values()})


def test_two_streams_of_one_task_differ(tmp_path: Path) -> None:
    """Each parameter has its own."""
    (first, second) = ran(grid(draws.two, [3]), tmp_path, executor="inline")["drawn"][{"n": 3}]

    assert not np.array_equal(first, second)


def test_a_task_called_inside_a_cell_draws_from_that_cell(tmp_path: Path) -> None:
    """Each call has other numbers, and they are not those of a cell of the inner task."""
    a, b = ran(grid(draws.outer, [3]), tmp_path / "a", executor="inline")["drawn"][{"n": 3}]
    alone = ran(grid(draws.sample, [3]), tmp_path / "b", executor="inline")["drawn"][{"n": 3}]

    assert 3 == len({told(drawn) for drawn in (a, b, alone)})


@pytest.mark.parametrize("task", [draws.sample, draws.outer], ids=["asks", "calls what asks"])
def test_a_seed_is_part_of_what_it_seeds(task: Any, store: Path) -> None:
    """Another seed computes anew and gives other numbers; the first one still answers."""
    first, other = numbers(grid(task), store), numbers(grid(task), store, seed=8)
    again = ran(grid(task), store)

    assert first.keys() == other.keys()
    assert all(first[n] != other[n] for n in first)
    assert 5 == hits(again)


def test_a_seed_is_no_part_of_anything_else(store: Path) -> None:
    """A task that draws nothing is not computed again."""
    flow = grid(draws.own_generators)
    ran(flow, store)

    assert 5 == hits(ran(flow, store, seed=8))


def test_where_an_argument_comes_from_is_no_part_of_a_stream(tmp_path: Path) -> None:
    """One for all cells, one a cell, from another node, or left at its default."""
    flow = fc.Flow()
    n = flow.add(int, 4, name="n")
    nodes = [
        flow.add(draws.sample, 4, name="plain"),
        flow.add(draws.sample, n=4, replica=0, name="named"),
        flow.add(draws.sample, n, 0, name="wired"),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fc.RepeatedStream)
        run = ran(flow, tmp_path, executor="inline")
    along = numbers(grid(draws.sample, [4]), tmp_path / "along", executor="inline")[4]

    assert {along} == {told(run[node]) for node in nodes}


@pytest.mark.parametrize("cached", [True, False])
def test_an_argument_without_digest_counts_as_the_cell_that_made_it(tmp_path: Path, cached: bool) -> None:
    """So the stream is the same in another run, and differs from cell to cell."""
    flow = fc.Flow()
    opaque = flow.add(draws.unkeepable.options(cache=cached), fc.each(k=[1, 2]), name="opaque")
    flow.add(draws.tail, opaque, 3, name="tail")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fc.NotStorable)
        first, second = (ran(flow, tmp_path / str(i), executor="inline")["tail"] for i in range(2))

    assert [told(first[{"k": k}]) for k in (1, 2)] == [told(second[{"k": k}]) for k in (1, 2)]
    assert told(first[{"k": 1}]) != told(first[{"k": 2}])


def test_a_retry_draws_the_same(tmp_path: Path) -> None:
    """A second attempt does not go on where the first one stopped."""
    marker = tmp_path / "tried"

    @fc.compute(retries=1)
    def shaky(n: int, rng: np.random.Generator = fc.rng()) -> Any:
        drawn = rng.normal(size=n)
        if not marker.exists():
            marker.touch()
            raise ValueError("once")
        return drawn

    drawn = numbers(grid(shaky, [4]), tmp_path / "a", executor="inline")
    again = numbers(grid(shaky, [4]), tmp_path / "b", executor="inline")

    assert again == drawn


def test_cells_with_one_stream_are_told(store: Path) -> None:
    """Once a task; an axis makes them differ."""
    flow = fc.Flow()
    for _ in range(3):
        flow.add(draws.sample, 3)
    flow.add(draws.sample, 3, fc.each(replica=range(1, 4)))
    with pytest.warns(fc.RepeatedStream, match="replica") as warned:
        ran(flow, store, executor="inline")

    assert ["sample and sample_2 draw the same"] == [str(w.message)[:33] for w in warned]


def test_an_axis_of_replicas_is_quiet(store: Path) -> None:
    """Each has its own numbers."""
    flow = fc.Flow()
    node = flow.add(draws.sample, 3, fc.each(replica=range(4)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = ran(flow, store, executor="inline")

    assert 4 == len({told(run[node][{"replica": r}]) for r in range(4)})


@pytest.mark.parametrize(
    ("task", "named"),
    [(draws.of_numpy, "np.random.uniform"), (draws.of_python, "random.gauss"), (draws.imported, "np.random.normal")],
)
def test_global_streams_are_told(task: Any, named: str, store: Path) -> None:
    """Once a task, by the function that is reached."""
    with pytest.warns(fc.NotReproducible, match=r"fc\.rng\(\)") as warned:
        ran(grid(task), store, executor="inline")

    assert 1 == len(warned)
    assert named in str(warned[0].message)


def test_generators_of_ones_own_are_quiet(store: Path) -> None:
    """`default_rng(seed)` and `random.Random(seed)` draw from nothing that is shared."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = ran(grid(draws.own_generators), store, executor="inline")

    assert "done" == run.status


def test_a_call_that_cannot_be_seen_is_refused(store: Path) -> None:
    """The key would not know of the seed; `tracks` tells it."""
    with pytest.raises(fc.RunFailed, match=r"tracks=\(sample,\)"):
        ran(grid(draws.hidden), store, executor="inline")

    assert "done" == ran(grid(draws.hidden.options(tracks=draws.sample)), store, executor="inline").status


@pytest.mark.parametrize("live", [np.random.default_rng(3), np.random.RandomState(3)])
def test_a_live_generator_is_no_argument(live: Any, store: Path) -> None:
    """A hit would not advance it; the error names what to do instead."""
    flow = fc.Flow()
    flow.add(lambda g: 1, live)

    with pytest.raises(fc.RunFailed, match=r"fc\.rng\(\)"):
        ran(flow, store, executor="inline")


def test_a_seed_sequence_is_a_value(store: Path) -> None:
    """It is kept, and enters keys."""
    flow = fc.Flow()
    node = flow.add(lambda s: s.spawn(2)[1], np.random.SeedSequence(3))
    first = ran(flow, store, executor="inline")[node]
    second = ran(flow, store, executor="inline")

    assert 1 == hits(second)
    assert list(first.generate_state(4)) == list(second[node].generate_state(4))
