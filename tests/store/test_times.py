"""Claims about store/times.py: when cells ran, in few bytes, and never at a record's expense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.store.journal import pack
from flowcore.store.times import Times, pack_times, unpack_times
from flowcore.store.trace import Trace, TraceRows, pack_trace

_cell = st.tuples(st.floats(0, 1e6), st.floats(0, 6e4), st.floats(0, 6e4), st.integers(0, 70_000))


def _times(cells: list[tuple[float, float, float, int]]) -> Times:
    begins, fetching, keeping, workers = (list(column) for column in zip(*cells, strict=True))
    return Times(begins=begins, fetching=fetching, keeping=keeping, workers=workers)


@given(st.lists(_cell, min_size=1, max_size=40))
def test_times_come_back(cells: list[tuple[float, float, float, int]]) -> None:
    """Workers come back as they were, instants to a microsecond, seconds around a call to three digits."""
    given_times = _times(cells)

    found = unpack_times(pack_times(given_times), len(cells))

    assert found is not None
    assert given_times.workers == found.workers
    assert pytest.approx(given_times.begins, abs=1e-6) == found.begins
    if found.fetching:
        assert pytest.approx(given_times.fetching, rel=1e-3, abs=1e-6) == list(found.fetching)
        assert pytest.approx(given_times.keeping, rel=1e-3, abs=1e-6) == list(found.keeping)
    else:
        assert max(*given_times.fetching, *given_times.keeping) < 1e-3


def test_times_take_five_bytes_a_cell() -> None:
    """A batch of short cells on several workers takes five bytes a cell more, and some for all."""
    count = 10_000
    times = _times([(1e4 + i * 1e-5, 2e-5, 3e-5, 1 + i % 2) for i in range(count)])

    size = len(pack([pack_times(times)]))

    assert 5 * count + 40 >= size


@pytest.mark.parametrize("packed", [None, 3, [], [0, b"123", None, 0], ["0", b"", None, 0], [0, b"1234", None]])
def test_times_that_cannot_be_read_are_not_known(packed: object) -> None:
    """A column of another form is no reason to lose the record that it stands in."""
    trace = Trace(node=0, numbers=[0], keys=[b""], components=[b"\0\x01"], records=[b"\x01"], seconds=[0.5])
    record = [*pack_trace(trace)[:12], packed]

    assert trace == TraceRows(record).whole()


def test_traces_of_before_are_read() -> None:
    """A trace without the column is a trace whose times are not known."""
    trace = Trace(node=0, numbers=[0], keys=[b""], components=[b"\0\x01"], records=[b"\x01"], seconds=[0.5])

    assert trace == TraceRows(pack_trace(trace)[:12]).whole()
