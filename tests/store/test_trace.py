"""Claims about store/trace.py and store/columns.py: a record of several nodes is read back as what it was."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowcore.store.cast import Casts, pack_cast
from flowcore.store.columns import pack_numbers, unpack_numbers
from flowcore.store.times import Times, joined_times
from flowcore.store.trace import Trace, TraceRows, by_node, pack_nodes, pack_trace, unpack_nodes

_cells = st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 300), st.binary(max_size=40)), min_size=1, max_size=9)


def through(record: object) -> list[object]:
    """Give a record as it comes out of a journal."""
    back: list[object] = msgpack.unpackb(msgpack.packb(record))
    return back


def traced(cells: list[tuple[int, int, bytes]]) -> Trace:
    """Give a trace of these cells: node, number and record."""
    count = len(cells)
    return Trace(
        node=cells[0][0], nodes=[node for node, _, _ in cells], numbers=[number for _, number, _ in cells],
        keys=[bytes([i + 1]) * 32 for i in range(count)], own=[[record for _, _, record in cells]],
        components=[b"\0" + record for _, _, record in cells], records=[record for _, _, record in cells],
        seconds=[float(i) for i in range(count)],
        times=Times(begins=[i / 4 for i in range(count)], fetching=[1.0] * count, keeping=[2.0] * count,
                    workers=list(range(count))),
    )  # fmt: skip


@given(_cells)
@example([(3, 0, b"a"), (4, 0, b"b"), (5, 0, b"c")])
@example([(3, 0, b"a"), (3, 1, b"a")])
def test_cells_of_several_nodes_come_back_node_by_node(cells: list[tuple[int, int, bytes]]) -> None:
    """Every cell under its own node, with its own number, key, record, seconds and times."""
    trace = traced(cells)
    rows = TraceRows(through(pack_trace(trace)))
    found = [
        (part.node, part.numbers[i], part.keys[i], part.own[0][i], part.records[i], part.seconds[i],
         part.times.begins[i], part.times.workers[i])
        for part in rows.parts() for i in range(len(part.numbers)) if part.times is not None
    ]  # fmt: skip
    expected = [
        (node, number, trace.keys[i], record, record, trace.seconds[i], i / 4, i)
        for i, (node, number, record) in enumerate(cells)
    ]

    assert sorted(expected) == sorted(found)
    assert [node for node, _, _ in cells] == rows.nodes == [rows.node(i) for i in range(len(cells))]


@given(st.lists(st.integers(0, 2**62), max_size=20))
@example([0, 0, 0])
@example([127, 3, 127])
@example([128, 3, 128])
@example([2**31, 5, 2**31])
def test_numbers_come_back(numbers: list[int]) -> None:
    """In whatever width they go; as many as there were, or they are refused."""
    packed = through([pack_numbers(numbers)])[0]

    assert numbers == unpack_numbers(packed, len(numbers))
    if len(numbers) > 1:
        with pytest.raises(ValueError, match="numbers"):
            unpack_numbers(packed, len(numbers) + 1) if len(numbers) % 7 else unpack_numbers(packed, 10**9)


def test_a_column_of_zeros_costs_a_byte_a_cell() -> None:
    """Of single nodes every cell has the number 0."""
    assert bytes(1000) == pack_numbers([0] * 1000)


def test_one_node_is_written_as_before() -> None:
    """Readers from before there were columns of nodes find what they know."""
    assert 7 == pack_nodes([7, 7, 7])
    assert [7, 7, 7] == unpack_nodes(7, 3)
    assert [7, 3, 7] == unpack_nodes(through([pack_nodes([7, 3, 7])])[0], 3)
    assert {7: [0, 2], 3: [1]} == by_node([7, 3, 7])


def test_nodes_with_a_recipe_come_back_with_their_own_constants() -> None:
    """What is shared is told once; what comes before its recipe, or does not fit, is passed over."""
    casts = Casts()
    cast = through(pack_cast(5, [1, 2, 9], ["argument x", "argument y"], [[b"1", b"2", b"3"], [b"0"]]))
    before = list(casts.take(cast))
    shared = {"runner": "process", "common": {"code": b"c"}, "own": ["z"]}
    assert [] == list(casts.take(through(["recipe", 5, shared])))
    found = dict(casts.take(cast))

    assert [] == before
    assert [1, 2, 9] == list(found)
    assert {"code": b"c", "argument x": b"3", "argument y": b"0"} == found[9]["common"]
    assert [(4, {"name": "n"})] == list(casts.take(["node", 4, {"name": "n"}]))
    with pytest.raises(ValueError, match="column"):
        list(casts.take(["cast", 5, 3, [1, 3], ["argument x"], [[1, b"ab"]]]))


def test_times_of_rows_are_those_of_their_cells() -> None:
    """Some rows taken out, and put together again."""
    times = traced([(1, 0, b""), (2, 0, b""), (3, 0, b"")]).times
    assert times is not None
    parts = joined_times([times.at([2]), times.at([0, 1])])

    assert parts is not None
    assert [0.5, 0.0, 0.25] == list(parts.begins)
    assert [2, 0, 1] == list(parts.workers)
    assert joined_times([times, None]) is None
