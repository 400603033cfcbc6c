"""Claims about run/workers/holdings.py: a cell goes to the worker that made what it reads, if that costs nothing."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.plan.encode import encode
from flowcore.run.job import Done
from flowcore.run.workers import holdings as holdings_room
from flowcore.run.workers.holdings import LARGE, MOST, Holdings, inputs_of, large
from tests.run.driving import Drive, drive, task
from tests.run.stand_in import make_array

SIZES = (LARGE, 2 * LARGE, 1 << 22)


def record(size: int) -> bytes:
    """Give the record of an array."""
    return bytes(msgpack.packb(make_array(size)))


def made_by(driving: Drive, sizes: list[int]) -> list[bytes]:
    """Have arrays made, one at each worker; give their records."""
    driving.until(lambda: sum(worker.fit for worker in driving.workers) == len(sizes))
    attempts = [driving.give(task("make_array"), [(size,)])[0] for size in sizes]
    driving.all_end()
    ends = [driving.ends[attempt][0] for attempt in attempts]
    assert all(isinstance(end, Done) for end in ends)
    return [end.records[0] for end in ends]  # type: ignore[union-attr]


def maker(made: bytes) -> int:
    """Give the process that made an array."""
    (digest,) = large([made])
    return int.from_bytes(digest[:4], "little")


def readers(driving: Drive, rows: list[bytes]) -> list[object]:
    """Have arrays read, one after the other, by whom the executor chooses."""
    found = []
    for row in rows:
        (attempt,) = driving.give(task("read_by"), [(msgpack.unpackb(row),)])
        driving.all_end()
        found.append(driving.value(attempt))
    return found


def test_an_array_is_read_where_it_was_made() -> None:
    """When all workers are free."""
    with drive() as driving:
        made = made_by(driving, [LARGE, LARGE])

        assert 2 == len({maker(each) for each in made})
        assert [maker(each) for each in made * 2] == readers(driving, made * 2)


def test_the_larger_part_of_the_input_decides() -> None:
    """By bytes."""
    with drive() as driving:
        small, big = made_by(driving, [LARGE, 3 * LARGE])
        spec, row = task("read_both"), tuple(msgpack.unpackb(each) for each in (small, big))
        attempts = [driving.give(spec, [row])[0]]
        driving.all_end()

        assert maker(big) == driving.value(attempts[0])


def test_no_worker_is_left_idle_for_the_sake_of_placement() -> None:
    """Two cells that read what one worker made go to two workers."""
    with drive() as driving:
        made = made_by(driving, [LARGE, LARGE])
        spec, row = task("read_by"), (msgpack.unpackb(made[1]),)
        driving.give(spec, [row])
        driving.all_end()  # it is known for a short one now, of which a worker could take two
        attempts = [driving.give(spec, [row])[0] for _ in range(2)]
        driving.all_end()

        assert {maker(each) for each in made} == {driving.value(attempt) for attempt in attempts}


def test_small_arrays_and_other_values_do_not_count() -> None:
    """They are nothing that a cell would go anywhere for."""
    records = [record(LARGE - 1), bytes(msgpack.packb("x" * 100)), encode(1.5, put=lambda header, data: b"").record]

    assert {} == large(records) == inputs_of([records])


@given(sizes=st.lists(st.sampled_from(SIZES), max_size=20))
def test_only_so_many_bytes_are_remembered(sizes: list[int]) -> None:
    """The newest ones, as many as fit."""
    most = 4 * LARGE
    records = [record(size) for size in sizes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(holdings_room, "MOST", most)
        holdings = Holdings()
        for each in records:
            holdings.made([each])
    expected: list[int] = []
    for size in reversed(sizes):
        if sum(expected) + size > most:
            break
        expected.append(size)

    assert MOST > most
    assert sum(expected) == holdings.share(large(records))


def test_an_array_that_is_made_twice_counts_once() -> None:
    """Equal values have one digest."""
    one = record(LARGE)
    holdings = Holdings()
    holdings.made([one, one])
    holdings.made([one])

    assert LARGE == holdings.share(large([one]))
