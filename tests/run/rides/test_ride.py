"""Claims about run/rides/ride.py: a rider is begun with what was made for it in its message, or not at all."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowcore as fc
from flowcore.plan.encode import encode_plain
from flowcore.plan.keys import NodeKeys, cell_key
from flowcore.plan.records import combine
from flowcore.run.cell.slot import LocalSlot
from flowcore.run.job import Done, Failed, Interrupted, Job, Keep, Result, TaskSpec, dumps, loads
from flowcore.run.perform import Workplace, perform
from flowcore.run.rides.riders import Riders
from flowcore.store.codecs import Codec
from flowcore.store.directory import open_store
from flowcore.store.fs import DISK
from flowcore.store.known import Known, write_known

PREFIX = bytes(range(32))


def listed(*keys: bytes) -> bytes:
    """Give what a file of known keys holds."""
    return array("Q", sorted(int.from_bytes(key[:8], "big") for key in keys)).tobytes()


@pytest.fixture
def place(store: Path) -> Iterator[Workplace]:
    """Give a workplace."""
    run = open_store(store).begin()
    yield Workplace(codec=Codec(kept=run.blobs, passed=run.spool), slot=LocalSlot())
    run.release()


def chain(function: Callable[..., Any], length: int, *, known: str = "") -> Job:
    """Give a job of a chain: f(1), f of that, and so on; what has come by a message."""
    task = TaskSpec(id=id(function), name="link", live=function, positional=(["slot", 0],), keep=Keep.KEEP)
    first = encode_plain(1)
    assert first is not None
    riders = Riders(
        first=1, makers=[list(range(length - 1))], known=known, prefixes=[PREFIX] * (length - 1),
        own=[([0], None)], components=[[first.component]],
    )  # fmt: skip
    numbers = list(range(length))
    columns = [[first.record] + [b""] * (length - 1)]
    job = Job(task=task, attempts=numbers, numbers=numbers, columns=columns, riders=riders)
    return Job.unpack(loads(dumps(job.pack())), {task.id: task})


def performed(job: Job, place: Workplace) -> list[Result]:
    """Perform a job."""
    results: list[Result] = []
    perform(job, place, results.append)
    return results


def values(results: list[Result], place: Workplace) -> list[object]:
    """Give the values of those that have one."""
    return [place.codec.decode(done.records[0]) for done in results if isinstance(done, Done)]


def test_a_chain_rides(place: Workplace) -> None:
    """Each link gets what the one before made."""
    results = performed(chain(lambda x: x + 1, 5), place)

    assert [2, 3, 4, 5, 6] == values(results, place)


def test_arrays_ride_as_they_are_kept(place: Workplace) -> None:
    """A rider has what decoding gives, and may write into it (K29, F31)."""

    def grow(x: Any) -> Any:
        x = np.zeros(3000) if isinstance(x, int) else x
        x += 1
        return x

    found: Any = values(performed(chain(grow, 3), place), place)

    assert [1.0, 2.0, 3.0] == [array[0] for array in found]


@pytest.mark.contract("W6")
def test_nobody_rides_on_a_failure(place: Workplace) -> None:
    """What needs a cell that failed, at any distance, comes back, and what ran before it counts."""
    results = performed(chain(lambda x: x + 1 if x < 3 else 1 // 0, 6), place)

    assert [Done, Done, Failed, Interrupted] == [type(result) for result in results]
    assert [[3, 4, 5]] == [result.attempts for result in results if isinstance(result, Interrupted)]


@pytest.mark.parametrize("value", [object(), fc.Skip("no")], ids=["no encoding", "skip"])
def test_nobody_rides_on_what_has_no_identity(place: Workplace, value: object) -> None:
    """A value without encoding, or none at all: the key of what needs it is not known here."""

    def give(x: object) -> object:
        if isinstance(value, BaseException):
            raise value
        return value

    results = performed(chain(give, 3), place)

    assert [[1, 2]] == [result.attempts for result in results if isinstance(result, Interrupted)]


def test_a_stop_ends_the_ride(place: Workplace) -> None:
    """No rider begins after it, and each attempt ends once."""

    def stop(x: int) -> int:
        if x == 3:
            place.slot.ask_to_stop()  # type: ignore[attr-defined]
        return x + 1

    results = performed(chain(stop, 6), place)

    assert [2, 3, 4] == values(results, place)
    assert [[3, 4, 5]] == [result.attempts for result in results if isinstance(result, Interrupted)]


@pytest.mark.contract("W5b")
@pytest.mark.parametrize("place_of_hit", [1, 2, 3])
def test_a_rider_that_may_have_a_record_is_not_begun(place: Workplace, tmp_path: Path, place_of_hit: int) -> None:
    """Nor is what needs it; those before it are."""
    component = encode_plain(place_of_hit + 1)
    assert component is not None
    key = NodeKeys.varied(PREFIX, {}, ("argument x",), (), ()).keys([[component.component]])[0]
    write_known(str(tmp_path / "known"), listed(key), disk=DISK)

    results = performed(chain(lambda x: x + 1, 4, known=str(tmp_path / "known")), place)

    assert list(range(2, 2 + place_of_hit)) == values(results, place)
    assert [list(range(place_of_hit, 4))] == [r.attempts for r in results if isinstance(r, Interrupted)]


@pytest.mark.contract("W5b")
def test_nobody_rides_where_keys_cannot_be_asked_for(place: Workplace, tmp_path: Path) -> None:
    """A file that is gone answers nothing: every rider may have a record."""
    results = performed(chain(lambda x: x + 1, 3, known=str(tmp_path / "gone")), place)

    assert [[1, 2]] == [result.attempts for result in results if isinstance(result, Interrupted)]


@given(st.binary(min_size=32, max_size=32), st.lists(st.binary(max_size=40), max_size=4))
def test_a_rider_has_the_key_that_it_would_have_alone(prefix: bytes, components: list[bytes]) -> None:
    """Whoever composes it."""
    names = tuple(str(i) for i in range(len(components)))
    alone = NodeKeys.varied(prefix, {}, names, (), ()).keys([[component] for component in components])

    assert alone == [cell_key(prefix, components)]


def test_a_parameter_of_several_parts_has_one_component(place: Workplace, tmp_path: Path) -> None:
    """As the engine makes it: of the skeleton and what is in it."""
    two, three = encode_plain(2), encode_plain(3)
    assert two is not None
    assert three is not None
    task = TaskSpec(id=1, name="sum", live=lambda x: sum(x), positional=(["list", [["slot", 0], ["slot", 1]]],))
    key = cell_key(PREFIX, [combine("tree", [b"skeleton", two.component, three.component])])
    for name, keys in (("hit", [key]), ("miss", [])):
        write_known(str(tmp_path / name), listed(*keys), disk=DISK)
    found = {}
    for name in ("hit", "miss"):
        riders = Riders(
            first=1, makers=[[0], []], known=str(tmp_path / name), prefixes=[PREFIX], own=[([0, 1], b"skeleton")],
            components=[[b""], [three.component]],
        )  # fmt: skip
        columns = [[two.record, b""], [bytes([0]), three.record]]
        job = Job(task=task, attempts=[0, 1], numbers=[0, 1], columns=columns, riders=riders)
        found[name] = values(performed(job, place), place)

    assert {"hit": [2], "miss": [2, 5]} == found


@given(st.sets(st.binary(min_size=8, max_size=8), max_size=50), st.binary(min_size=8, max_size=8))
def test_known_keys_are_found_and_others_are_not(
    tmp_path_factory: pytest.TempPathFactory, keys: set[bytes], other: bytes
) -> None:
    """By their first 8 bytes, however these sort."""
    path = str(tmp_path_factory.mktemp("known") / "file")
    write_known(path, listed(*keys), disk=DISK)
    known = Known(path)

    assert all(key + bytes(24) in known for key in keys)
    assert (other in keys) == (other + bytes(24) in known)
