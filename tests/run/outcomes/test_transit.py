"""Claims about run/outcomes/transit.py: an array goes with the last value that refers to it; few are there at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowcore as fc
from flowcore.declare.options import TaskOptions
from flowcore.plan.encode import encode
from flowcore.run.flight import Backlog, Batch
from flowcore.run.job import Keep, TaskSpec
from flowcore.run.outcomes import transit as transit_room
from flowcore.run.outcomes.transit import PART, Transit
from flowcore.run.ready.recipe import Recipe
from flowcore.store import spool as spool_room
from flowcore.store.fs import Disk
from flowcore.store.spool import Spool

SIZE = 1 << 20
FILE = SIZE + 128


class Counted(Disk):
    """Has room for so many bytes, at any time."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.room = room
        self.gone: list[str] = []

    def free(self, path: object) -> int:
        return self.room

    def unlink(self, path: object, *, dir_fd: int | None = None) -> None:
        self.gone.append(Path(str(path)).name)
        super().unlink(str(path), dir_fd=dir_fd)


def record(spool: Spool, value: object) -> bytes:
    """Give the record of a value whose arrays are in a spool."""
    return encode(value, put=spool.put, place=spool.place).record


@pytest.fixture
def disk() -> Counted:
    """Give a disk."""
    return Counted()


@pytest.fixture
def spool(tmp_path: Path, disk: Counted) -> Spool:
    """Give a spool."""
    (tmp_path / "spool").mkdir(mode=0o700)
    return Spool(str(tmp_path / "spool"), fallback="", disk=disk)


def array(i: float) -> Any:
    """Give an array."""
    return np.full(SIZE // 8, i)


def arrays(spool: Spool) -> int:
    """Count the arrays in a spool."""
    return len(list(Path(spool.path).glob("*.npy")))


@pytest.mark.contract("F24")
@given(moves=st.lists(st.tuples(st.booleans(), st.integers(0, 4)), max_size=40))
def test_an_array_is_there_as_long_as_a_value_refers_to_it(
    moves: list[tuple[bool, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever refers to it, how often, in whatever order they are let go of."""
    place = tmp_path_factory.mktemp("spool", numbered=True)
    place.chmod(0o700)
    spool = Spool(str(place), fallback="", disk=Counted())
    parts = [(0,), (1,), (0, 1), (0, 0), (2,)]
    transit, held, there = Transit(spool), list[int](), set[int]()
    small = {i: np.full(3000, float(i)) for i in range(3)}
    for add, which in moves:
        value = [small[i] for i in parts[which]]
        if add:
            transit.refer(record(spool, value))
            held.append(which)
        elif which in held:
            held.remove(which)
            transit.let_go(encode(value, put=lambda header, data: digest(header, data), place=1).record)
        there = {i for each in held for i in parts[each]}

    assert len(there) == arrays(spool)
    assert len(there) * (24_000 + 128) == transit.size
    assert bool(there) == bool(transit)


@pytest.mark.contract("F25")
def test_an_equal_array_that_was_put_meanwhile_is_there(spool: Spool) -> None:
    """Its worker found the first one there; that one was let go of before the news of the second arrived."""
    transit, first = Transit(spool), record(spool, array(1.0))
    transit.refer(first)
    second = record(spool, array(1.0))
    transit.let_go(first)
    gone = arrays(spool)
    transit.refer(second)
    transit.tend()

    assert (0, 1) == (gone, arrays(spool))


def test_what_was_set_aside_is_removed(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A moment later, or when there are many; an array that was put anew since stays."""
    monkeypatch.setattr(transit_room, "MOMENT", 0.0)
    transit, first = Transit(spool), record(spool, array(1.0))
    transit.refer(first)
    transit.let_go(first)
    record(spool, array(1.0))
    transit.tend()

    assert [arrays(spool)] == [len(list(Path(spool.path).iterdir()))] == [1]


def digest(header: bytes, data: memoryview) -> bytes:
    """Give the name of an array that is not written."""
    from blake3 import blake3

    return blake3(header + bytes(data)).digest()


def test_what_refers_to_nothing_here_is_told(spool: Spool) -> None:
    """A number, or an array of the store, is not let go of by forgetting it."""
    transit = Transit(spool)
    kept = encode(array(1.0), put=spool.put, place=0).record
    transit.refer(kept)

    assert (False, False) == (transit.let_go(kept), transit.let_go(b"\x01"))
    assert (0, False, False) == (transit.size, bool(transit), Transit.among([kept]))


def test_it_is_high_when_a_part_of_the_room_is_taken(spool: Spool, disk: Counted) -> None:
    """Of what was free before the first array came."""
    disk.room = 2 * PART * FILE - FILE
    transit, records = Transit(spool), [record(spool, array(float(i))) for i in range(3)]
    found = [transit.high]
    for each in records:
        transit.refer(each)
        found.append(transit.high)
    transit.let_go(records[0])

    assert [False, False, False, True, False] == [*found, transit.high]


def queue(task: int, nodes: list[int]) -> Batch:
    """Give cells of a task, one a node."""
    recipe = Recipe(
        owner=None, options=TaskOptions(), shared=True, lane="process", task=TaskSpec(id=task, name="some"),
        keep=Keep.PASS_ON,
    )  # fmt: skip
    return Batch(recipe=recipe, nodes=nodes, numbers=[0] * len(nodes), keys=[b""] * len(nodes), own=[])


def test_what_lets_go_of_arrays_goes_first_and_of_that_what_is_nearest_to_the_end() -> None:
    """All else keeps its order."""
    backlog = Backlog()
    for task, rank in ((1, 1), (2, 2), (3, 3), (4, 4)):
        backlog.add((0.0, rank, 0), queue(task, [task]))  # type: ignore[arg-type]
    plain = [each.recipe.task.id for each in backlog.queues("process")]
    pressed = [each.recipe.task.id for each in backlog.queues("process", lambda node, _: node in (2, 4))]

    assert ([1, 2, 3, 4], [4, 2, 1, 3]) == (plain, pressed)


def test_few_arrays_are_there_at_once_where_there_is_little_room(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else decides what goes first: a grid is not made as a whole before its first consumer."""
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(spool_room, "SHARED_MEMORY", str(memory))
    monkeypatch.setattr(transit_room, "PART", 1 << 50)
    seen: list[int] = []

    def see(array: Any) -> Any:
        seen.append(len(list(memory.glob("*/*.npy"))))
        return array + 1.0

    one = fc.compute(cache=False, runner="thread")
    flow = fc.Flow("grid")
    made = flow.add(one(array), fc.each(i=range(32)))
    totals = flow.add(one(lambda array: float(array[0])), flow.add(one(see), made))
    flow.result = flow.add(one(sum), fc.gather(totals))
    run = flow.run(store=store, workers=1, progress=False)

    assert float(sum(range(1, 33))) == run[flow.result]
    assert max(seen) <= 2, seen
