"""Claims about store/index.py: a search gives what a dictionary would."""

from __future__ import annotations

import hashlib
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.store import index as index_room
from flowcore.store.index import Entry, Index
from flowcore.store.trace import NO_KEY


def key(i: int) -> bytes:
    """Give a key; those of 900 and more share their first 8 bytes."""
    return bytes(8) + i.to_bytes(24, "big") if i >= 900 else hashlib.blake2s(bytes([i % 251])).digest()


class Oracle:
    """The same, as a dictionary of lists."""

    def __init__(self) -> None:
        self.places: dict[bytes, list[tuple[int, int, Entry]]] = defaultdict(list)

    def add(self, journal: int, offset: int, keys: list[bytes], refresh: bool) -> None:
        rank = (-journal, -offset) if refresh else (1 + journal, offset)
        for row, each in enumerate(keys):
            if each:
                self.places[each].append((*rank, Entry(journal, offset, row)))

    def entries(self, each: bytes) -> list[Entry]:
        return [entry for _, _, entry in sorted(self.places[each])]


numbers = st.one_of(st.integers(0, 40), st.integers(900, 910), st.none())
groups = st.lists(st.tuples(st.lists(numbers, min_size=1, max_size=6), st.booleans(), st.booleans()), max_size=12)


@pytest.mark.contract("F33")
@given(groups, st.integers(1, 8))
def test_a_search_gives_what_a_dictionary_would(blocks: list[tuple[list[int | None], bool, bool]], merge: int) -> None:
    """Older entries and own ones, sorted in or not, refreshed or not, with equal prefixes and without keys."""
    index, oracle = Index(), Oracle()
    for offset, (cells, refresh, live) in enumerate(blocks):
        keys = [b"" if i is None else key(i) for i in cells]
        oracle.add(offset % 3, offset, keys, refresh)
        if live:
            index.add(offset % 3, offset, keys, refresh=refresh)
        else:
            index.load(offset % 3, offset, b"".join(each or NO_KEY for each in keys), refresh=refresh)
            index.settle()
        if offset % merge == 0:
            index.settle()
    asked = [key(i) for i in (*range(42), *range(899, 912))]

    assert [next(iter(oracle.entries(each)), None) for each in asked] == index.find(asked)
    assert [oracle.entries(each) for each in asked] == [list(index.entries(each)) for each in asked]


def test_an_empty_key_is_never_found() -> None:
    """Nor is the one of zeros that stands for it."""
    index = Index()
    index.load(0, 10, NO_KEY + key(1))
    index.settle()
    index.add(0, 20, [b"", key(2)])

    assert [None, Entry(0, 10, 1), None, Entry(0, 20, 1)] == index.find([b"", key(1), NO_KEY, key(2)])


def test_an_empty_index_and_an_empty_question() -> None:
    """Have no answers."""
    index = Index()

    assert [None, None] == index.find([key(1), key(2)])
    assert [] == index.find([])
    assert [] == list(index.entries(key(1)))


def test_own_entries_are_sorted_in_when_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost on the way, and no dictionary of all cells is left."""
    monkeypatch.setattr(index_room, "_MERGE_FROM", 100)
    index = Index()
    keys = [hashlib.blake2s(i.to_bytes(2, "big")).digest() for i in range(1000)]
    for start in range(0, 1000, 10):
        index.add(1, start, keys[start : start + 10])

    assert [Entry(1, i - i % 10, i % 10) for i in range(1000)] == index.find(keys)
    assert len(index._recent) < 600


@pytest.mark.contract("F29")
def test_an_entry_takes_less_than_150_bytes() -> None:
    """Whatever their number."""
    index = Index()
    for block in range(100):
        keys = b"".join(hashlib.blake2s(i.to_bytes(4, "big")).digest() for i in range(block * 100, block * 100 + 100))
        index.load(0, block, keys)
    index.settle()
    held = sum(part.nbytes for part in (index._prefixes, index._keys, index._places))

    assert 10_000 == len(index)
    assert held < 150 * len(index)
