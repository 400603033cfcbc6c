"""Claims about store/recent.py: what is handed on as it is cannot be told from what is read, and is nobody else's."""

from __future__ import annotations

import dataclasses
import gc
import mmap
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowcore.run.cell.meter import Meter
from flowcore.run.cell.slot import LocalSlot
from flowcore.run.job import Done, Failed, Job, Keep, Result, TaskSpec
from flowcore.run.perform import Workplace, perform
from flowcore.store.codecs import Codec
from flowcore.store.directory import StoreRun, open_store
from flowcore.store.recent import Recent

Task = Callable[[Any], Any]
LENGTH = (1 << 20) // 8  # of the smallest arrays that are mapped
HELD: list[Any] = []


@dataclasses.dataclass
class Boxed:
    """A class of a user's."""

    array: Any


class Shop:
    """A worker's workplace on a store, and a reader beside it."""

    def __init__(self, run: StoreRun, *, most: int = 64 << 20, keep: Keep = Keep.KEEP) -> None:
        self.recent = Recent(most)
        self.codec = Codec(kept=run.blobs, passed=run.spool, recent=self.recent)
        self.reader = Codec(kept=run.blobs, passed=run.spool)
        self._place = Workplace(codec=self.codec, slot=LocalSlot())
        self._keep = keep

    def of(self, function: Task, record: bytes) -> bytes:
        """Perform one cell; give the record of its result, empty if it failed."""
        task = TaskSpec(id=id(function), name="some", live=function, positional=(["slot", 0],), keep=self._keep)
        results: list[Result] = []
        perform(Job(task=task, attempts=[1], numbers=[0], columns=[[record]]), self._place, results.append)
        (result,) = results
        if isinstance(result, Failed):
            return b""
        assert isinstance(result, Done)
        return result.records[0]

    def measure(self) -> None:
        """Have the memory of cells measured from now on."""
        self._place.meter = Meter()

    def peak(self) -> int:
        """Give what a small cell needs, as it is told to the engine."""
        task = TaskSpec(id=1, name="small", live=abs, positional=(["slot", 0],))
        results: list[Result] = []
        columns = [[self.reader.encode(1, keep=False).record]]
        perform(Job(task=task, attempts=[1], numbers=[0], columns=columns), self._place, results.append)
        assert isinstance(results[0], Done)
        return results[0].peaks[0]

    def array(self, value: float = 1.0) -> bytes:
        """Give the record of an array that another worker made."""
        return self.reader.encode(np.full(LENGTH, value), keep=self._keep != Keep.PASS_ON).record


@contextmanager
def closing_run(store: Path) -> Iterator[StoreRun]:
    """Give a run, and let go afterwards of what tasks have held on to."""
    made = open_store(store).begin()
    try:
        yield made
    finally:
        HELD.clear()
        made.release()


@pytest.fixture
def run(store: Path) -> Iterator[StoreRun]:
    """Give a run."""
    with closing_run(store) as made:
        yield made


@pytest.fixture(params=[Keep.KEEP, Keep.PASS_ON], ids=["kept", "spooled"])
def shop(run: StoreRun, request: pytest.FixtureRequest) -> Shop:
    """Give a workplace whose results are kept, or only handed over."""
    return Shop(run, keep=request.param)


def step(array: Any) -> Any:
    """Write into the argument, and give it back."""
    array += 1.0
    return array


def extent(array: Any) -> tuple[float, float]:
    """Give the least and the largest element."""
    return float(array.min()), float(array.max())


def described(array: Any) -> tuple[object, ...]:
    """Give all that a task could see of an array, but for where it lies."""
    flags = {name: array.flags[name] for name in ("C", "F", "OWNDATA", "WRITEABLE", "ALIGNED", "WRITEBACKIFCOPY")}
    base = array.base
    return (
        type(array), array.dtype, array.shape, array.strides, flags, type(base), len(base), base[:200],
        array.ctypes.data % mmap.PAGESIZE, array.tobytes(),
    )  # fmt: skip


@pytest.mark.contract("K29")
def test_what_a_task_wrote_into_and_gave_back_is_handed_on(shop: Shop) -> None:
    """As it is: the next cell of this process finds its pages where they were, and cannot tell."""
    record = shop.of(step, shop.array())
    read = described(shop.reader.decode(record))
    handed = described(shop.codec.decode(record))

    assert 1 == shop.recent.taken
    assert read == handed


@pytest.mark.contract("K29")
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">i8", "<c16", "<U5", "<M8[s]", "|b1", [("a", "<i4"), ("b", "<f8")]])
def test_every_kind_of_array_is_as_if_it_had_been_read(run: StoreRun, dtype: Any, order: Any) -> None:
    """Class, flags, strides, alignment, bytes: it is made by the same code, over memory of the same kind."""
    shop = Shop(run)
    made = np.zeros((3, 1 << 20), dtype, order=order)
    record = shop.of(lambda a: a, shop.reader.encode(made, keep=True).record)

    assert described(shop.reader.decode(record)) == described(shop.codec.decode(record))
    assert 1 == shop.recent.taken


@pytest.mark.contract("K29", "F31")
def test_it_is_handed_on_once(shop: Shop) -> None:
    """A second consumer reads the file, whatever the first one did to what it was given."""
    record = shop.of(step, shop.array())
    first: Any = shop.codec.decode(record)
    first[:] = 99.0
    second: Any = shop.codec.decode(record)

    assert (1, 2.0, 2.0) == (shop.recent.taken, second.min(), second.max())


@pytest.mark.contract("K29")
@pytest.mark.parametrize(
    "hold",
    [
        lambda a: HELD.append(a), lambda a: HELD.append(a[5:]), lambda a: HELD.append(a.base),
        lambda a: HELD.append(memoryview(a)), lambda a: HELD.append(weakref.ref(a.base)),
        lambda a: HELD.append(a.reshape(2, -1).T),
    ],
    ids=["itself", "a view", "its memory", "a memoryview", "a weak reference to its memory", "a view of a view"],
)  # fmt: skip
def test_what_a_task_still_holds_is_read(shop: Shop, hold: Task) -> None:
    """It could write into it later, or see what its next reader writes."""

    def some(array: Any) -> Any:
        array += 1.0
        hold(array)
        return array

    record = shop.of(some, shop.array())
    shop.codec.decode(record)

    assert 0 == shop.recent.taken


@pytest.mark.contract("K29")
@pytest.mark.parametrize(
    "make",
    [
        lambda a: a + 1.0, lambda a: a.copy(), lambda a: a[1:], lambda a: a.reshape(-1, 2), lambda a: a.view("<i8"),
        lambda a: a[::-1], lambda a: Boxed(a), lambda a: a.view("<f4").reshape(2, -1),
    ],
    ids=["new", "copy", "part", "shape", "dtype", "backwards", "in a class", "dtype and shape"],
)  # fmt: skip
def test_what_a_file_would_not_be_like_is_read(shop: Shop, make: Task) -> None:
    """Memory of the task's own has another alignment, and a part of a map another header; sums may follow these."""
    record = shop.of(make, shop.array())
    shop.codec.decode(record)

    assert 0 == shop.recent.taken


@pytest.mark.contract("F23", "K29")
def test_memory_of_a_users_own_file_is_never_handed_on(shop: Shop, tmp_path: Path) -> None:
    """Whoever wrote into it would write into that file."""
    path = tmp_path / "own.npy"

    def some(_: Any) -> Any:
        own = np.lib.format.open_memmap(path, mode="w+", dtype="<f8", shape=(LENGTH,))  # with a header like ours
        own[:] = 5.0
        return own

    record = shop.of(some, shop.array())
    array: Any = shop.codec.decode(record)
    array[:] = 7.0

    assert (0, 5.0) == (shop.recent.taken, np.load(path).max())


def test_arrays_inside_of_plain_containers_are_handed_on_as_well(shop: Shop) -> None:
    """The state of a simulation is mostly a dict of arrays."""

    def both(state: Any) -> Any:
        for array in state.values():
            array += 1.0
        return state

    state = {"x": np.zeros(LENGTH), "v": np.ma.MaskedArray(np.ones(LENGTH))}
    record = shop.of(both, shop.reader.encode(state, keep=True).record)
    found: Any = shop.codec.decode(record)

    assert 2 == shop.recent.taken
    assert (1.0, 2.0) == (found["x"].max(), found["v"].max())


def test_one_array_that_stands_twice_in_a_value_is_two_for_its_reader(shop: Shop) -> None:
    """As if both had been read."""
    record = shop.of(lambda a: [a, a], shop.array())
    one, two = shop.codec.decode(record)  # type: ignore[misc]
    one[:] = 9.0

    assert 1.0 == two.max()


def test_a_few_bytes_are_held_and_the_oldest_go_first(run: StoreRun) -> None:
    """Whatever is asked for later is read."""
    size = (1 << 20) + 128
    shop = Shop(run, most=2 * size)
    records = [shop.of(step, shop.array(10.0 * i)) for i in range(3)]
    held = shop.recent.size
    values = [shop.codec.decode(record)[0] for record in records]  # type: ignore[index]

    assert 2 * size == held
    assert ([1.0, 11.0, 21.0], 2, 0) == (values, shop.recent.taken, shop.recent.size)


def test_a_cell_that_failed_after_it_wrote_hands_nothing_on(shop: Shop) -> None:
    """Its input is read again for the next try."""

    def bad(array: Any) -> Any:
        array += 1.0
        raise ValueError("no")

    shop.of(bad, record := shop.array())
    found: Any = shop.codec.decode(record)

    assert (0, 1.0) == (shop.recent.taken, found.max())


@pytest.mark.contract("K29", "F31")
@settings(max_examples=40, deadline=None)
@given(moves=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 7)), max_size=12))
def test_no_order_of_writing_and_holding_changes_a_value(
    moves: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever tasks write into, keep, give back or break off: each record stands for what it stood for."""

    def hold(array: Any) -> Any:
        HELD.append(array)
        return array

    def spoil(array: Any) -> Any:
        for each in HELD:
            each[:] = -1.0
        HELD.clear()
        return array

    def fail(array: Any) -> Any:
        array[:] = -2.0
        raise ValueError

    tasks: list[tuple[Task, Callable[[float], float]]] = [
        (step, lambda x: x + 1), (step, lambda x: x + 1), (lambda a: a * 2, lambda x: x * 2), (hold, lambda x: x),
        (spoil, lambda x: x), (fail, lambda x: x), (lambda a: hold(step(a)), lambda x: x + 1), (lambda a: a, float),
    ]  # fmt: skip
    with closing_run(tmp_path_factory.mktemp("recent") / "store") as run:
        shop = Shop(run, most=3 << 20)
        made = [(shop.array(3.0), 3.0)]
        for place, which in moves:
            task, expected = tasks[which]
            record, value = made[place % len(made)]
            if found := shop.of(task, record):
                made.append((found, expected(value)))
        read = [extent(shop.reader.decode(record)) for record, _ in made]
        handed = [extent(shop.codec.decode(record)) for record, _ in made]

    assert [(value, value) for _, value in made] == read == handed


def test_what_is_held_for_others_is_no_part_of_what_a_cell_needs(run: StoreRun) -> None:
    """Else admission would learn that each cell takes a few hundred megabytes."""
    shop, size = Shop(run, most=1 << 30), 128 << 20
    shop.measure()
    before = shop.peak()
    shop.of(step, shop.reader.encode(np.ones(size // 8), keep=True).record)
    gc.collect()

    assert shop.recent.size > size
    assert shop.peak() < before + size // 2


def test_nothing_is_held_that_is_not_counted(shop: Shop) -> None:
    """What is let go of is gone."""
    shop.of(step, shop.array())
    before = shop.recent.size
    shop.recent.clear()
    gc.collect()

    assert ((1 << 20) + 128, 0) == (before, shop.recent.size)
