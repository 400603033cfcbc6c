"""Claims about plan/records.py and plan/cut.py: values joined and cut while they stay bytes."""

# ruff: noqa: E501 - tables are read by column

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowcore.plan.encode import combine, component_of, decode, elements, encode, item, join_dict, join_list, references
from flowcore.plan.extension import PASSED, BadRecord, extension, pack
from flowcore.plan.records import join_tuple
from tests.plan.corpus import Config, Memory, Point, different

BIG = np.arange(5000.0)


@pytest.fixture
def home() -> Memory:
    """A home for arrays."""
    return Memory()


def test_joined_records_are_the_containers(home: Memory) -> None:
    """A list, tuple or dict joined from records has the bytes, and so the identity, of the value encoded whole."""
    values = [v for v in different() if len(encode(v, put=home.put).record) < 1000][:150]
    records = [encode(v, put=home.put).record for v in values]
    keys = list(range(100_000, 100_000 + len(values)))
    pairs = [(encode(k, put=home.put).record, r) for k, r in zip(keys, records, strict=True)]
    dict_ = dict(zip(keys, values, strict=True))
    for n in (0, 1, 15, 16, len(values)):
        some = values[:n]
        whole = encode(some, put=home.put).component

        assert whole == component_of(join_list(records[:n]), fetch=home.fetch)
        assert encode(tuple(some), put=home.put).component == component_of(join_tuple(records[:n]), fetch=home.fetch)
    assert encode(dict_, put=home.put).component == component_of(join_dict(pairs), fetch=home.fetch)


def test_joined_labels_may_be_tuples(home: Memory) -> None:
    """Keys that are no plain scalars are joined too, in the form that encoding gives them."""
    labels: list[Any] = [("a", 1), ("b", 2.5), 2**70, "c"]
    for some in (labels, labels[2:], [2**70]):
        pairs = [(encode(k, put=home.put).record, encode(BIG, put=home.put).record) for k in some]
        joined = join_dict(pairs)

        assert some == list(decode(joined, fetch=home.fetch))  # type: ignore[call-overload]
        assert encode(dict.fromkeys(some, BIG), put=home.put).record == joined


def test_join_of_many() -> None:
    """More than 2^16 records are one list."""
    records = [b"\x01"] * 70_000

    assert [1] * 70_000 == decode(join_list(records), fetch=Memory().fetch)


def test_joining_reads_nothing(home: Memory) -> None:
    """Records of arrays and spills are joined without their files, and point where they did."""
    records = [encode(v, put=home.put).record for v in (BIG, "x" * 50_000, BIG + 1)]
    joined = join_list(records)

    assert [ref for record in records for ref in references(record)] == references(joined)
    assert 3 == len(decode(joined, fetch=home.fetch))  # type: ignore[arg-type]


def test_passed_values_have_no_identity(home: Memory) -> None:
    """A container of a passed-on value has no component either."""
    passed = pack(extension(PASSED, [b"", []]))

    assert b"" == component_of(join_list([b"\x01", passed]), fetch=home.fetch)
    assert b"" == combine("list", [b"\0\x01", b""])


def test_elements_are_cut_from_bytes(home: Memory) -> None:
    """Elements of a list or tuple come without their arrays being read; they are what encoding each gives."""
    values: list[Any] = [1, "a", BIG, [BIG], Config(1, 2), (1, (2,)), {"k": 1}, 2**80, None]
    for whole in (values, tuple(values), [*values, "x" * 50_000]):
        record = encode(whole, put=home.put).record
        found = elements(record, fetch=_only_spills(home))
        expected = [encode(v, put=home.put) for v in values]

        assert [None] * len(whole) == [label for label, _, _ in found]
        assert [(e.record, e.component) for e in expected] == [(r, c) for _, r, c in found[: len(values)]]


def _only_spills(home: Memory) -> Any:
    def fetch(digest: bytes, header: bytes, nbytes: int, place: int) -> Any:
        assert b"|u1" in header, "an array was read"
        return home.fetch(digest, header, nbytes, place)

    return fetch


def test_elements_of_arrays(home: Memory) -> None:
    """An array is cut along its first axis, a range into numbers; rows keep dtype and identity."""
    for value in (np.arange(6).reshape(3, 2), np.arange(3.0), np.arange(20_000.0).reshape(2, 10_000), range(3)):
        record = encode(value, put=home.put).record
        found = elements(record, fetch=home.fetch)
        put = elements(record, fetch=home.fetch, put=home.put)

        assert [encode(row, put=home.put).component for row in value] == [c for _, _, c in found]  # type: ignore[attr-defined]
        assert [c for _, _, c in put] == [c for _, _, c in found]


@pytest.mark.parametrize("value", [{"a": 1}, {1}, "text", 3, np.array(1.0), None], ids=repr)
def test_no_elements(value: object, home: Memory) -> None:
    """What has no order of its own is refused with its type."""
    with pytest.raises(TypeError, match=r"return a list, tuple or array"):
        elements(encode(value, put=home.put).record, fetch=home.fetch)


_leaves = st.one_of(st.integers(), st.text(), st.booleans(), st.floats(allow_nan=False), st.none())
_containers = st.one_of(
    st.lists(_leaves), st.lists(_leaves).map(tuple), st.dictionaries(st.one_of(_leaves, st.tuples(_leaves)), _leaves),
    st.builds(Point, _leaves, _leaves), st.text(), _leaves,
)  # fmt: skip


@given(
    _containers,
    st.one_of(
        st.integers(-5, 5), st.booleans(), st.text(max_size=1), st.just(1.0), st.just((None,)), st.just(slice(1))
    ),
)
@settings(max_examples=200, deadline=None)
def test_items_are_python_items(value: Any, key: Any) -> None:
    """Indexing a record is indexing the value: the same item, or the same kind of error."""
    home = Memory()
    record = encode(value, put=home.put).record
    try:
        expected = encode(value[key], put=home.put)
    except (LookupError, TypeError) as error:
        with pytest.raises(type(error)):
            item(record, key, fetch=home.fetch)
        return

    assert expected[:2] == item(record, key, fetch=home.fetch)


def test_items_are_cut_from_bytes(home: Memory) -> None:
    """Taking one item reads no array, also out of a spilled record."""
    value = {"a": BIG, "b": [BIG, 1], (1, 2): BIG + 1, "long": "x" * 50_000}
    record = encode(value, put=home.put).record
    fetch = _only_spills(home)

    assert encode(BIG, put=home.put)[:2] == item(record, "a", fetch=fetch)
    assert encode(BIG + 1, put=home.put)[:2] == item(record, (1, 2), fetch=fetch)
    assert encode(1, put=home.put)[:2] == item(item(record, "b", fetch=fetch)[0], -1, fetch=fetch)


def test_items_of_arrays(home: Memory) -> None:
    """An array is indexed as numpy does, and a scalar of it stays numpy's."""
    record = encode(np.arange(20_000.0).reshape(2, -1), put=home.put).record

    assert encode(np.arange(10_000.0, 20_000.0), put=home.put)[1] == item(record, 1, fetch=home.fetch)[1]
    assert encode(np.float64(10_001), put=home.put)[:2] == item(record, (1, 1), fetch=home.fetch)


@pytest.mark.contract("K2")
def test_combined_components_never_meet() -> None:
    """Tag, number, order and boundaries of what is combined count."""
    parts = [b"\0a", b"\0b", b"\0ab", b"\1" + bytes(32)]
    found = [
        combine("list", []), combine("list", parts[:1]), combine("tuple", parts[:1]), combine("list", parts[:2]),
        combine("list", parts[1::-1]), combine("list", [b"\0a\0b"]), combine("list", [b"\0a\0", b"b"]), combine("list", parts),
        combine("list", [combine("list", parts)]),
    ]  # fmt: skip

    assert len(found) == len(set(found))
    assert combine("list", parts) == combine("list", tuple(parts))


def test_cutting_damaged_records() -> None:
    """A list that promises more members than bytes is no record."""
    for record in (b"", b"\xdd\xff\xff\xff\xff", b"\x92\x01", b"\xdc\x00"):
        with pytest.raises(BadRecord):
            elements(record, fetch=Memory().fetch)
