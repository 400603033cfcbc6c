"""Claims about plan/plain.py: many records at once."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flowcore.plan.encode import decode, encode, no_fetch
from flowcore.plan.plain import are_scalars, plain_numbers

NUMBERS = st.one_of(st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats())
OTHERS = st.one_of(st.none(), st.text(max_size=9), st.binary(max_size=9), st.just(2**64), st.just(()), st.just([7]))


def _record(value: Any) -> bytes:
    return encode(value, put=_nowhere).record


def _nowhere(header: bytes, data: memoryview) -> bytes:
    raise AssertionError("a small value has no file")


@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_numbers_are_read_as_one_by_one(values: list[Any]) -> None:
    """Their kinds, and what NaN and -0.0 are made of, are those that decoding each gives."""
    records = [_record(value) for value in values]

    found = plain_numbers(records)

    assert found is not None
    assert [_record(decode(record, fetch=no_fetch)) for record in records] == [_record(value) for value in found]
    assert list(map(type, values)) == list(map(type, found))


@given(st.lists(NUMBERS, max_size=3), OTHERS, st.lists(NUMBERS, max_size=3))
def test_anything_else_is_left_to_decoding(before: list[Any], other: Any, after: list[Any]) -> None:
    """One value that is no such number, and none is read here."""
    assert None is plain_numbers([_record(value) for value in (*before, other, *after)])


@given(st.lists(st.binary(max_size=10), min_size=1, max_size=4))
def test_bytes_that_are_no_number_each_are_refused(records: list[bytes]) -> None:
    """What one record lacks is never taken from the next, whatever stands in them."""
    found = plain_numbers(records)

    alone = [plain_numbers([record]) for record in records]
    assert (found is None) == (None in alone)
    assert repr(found) == repr([one for part in alone if part is not None for one in part]) or None in alone


def test_no_records_are_left_to_decoding() -> None:
    """Of nothing there is nothing to read."""
    assert None is plain_numbers([])


@given(st.lists(st.one_of(NUMBERS, OTHERS), max_size=5))
def test_scalars_hold_nothing(values: list[Any]) -> None:
    """Containers and extensions, which alone can point to an array or hold a pickle, are never taken for scalars."""
    scalar = [not isinstance(value, list | tuple) and value != 2**64 for value in values]

    assert all(scalar) == are_scalars([_record(value) for value in values])


def test_a_record_that_is_not_there_is_no_scalar() -> None:
    """Empty bytes stand for a value that is not in its record."""
    assert not are_scalars([bytes([7]), b""])
