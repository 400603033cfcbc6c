"""Claims about store/indexfile.py: what is found in a persisted index is what was written to it, or nothing."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.store import indexfile
from flowcore.store.fs import CREATE, DISK
from flowcore.store.index import Entry, Index
from flowcore.store.indexfile import BadIndex, IndexFile, write_index
from flowcore.store.trace import NO_KEY
from tests.store.test_index import Oracle, groups, key

HEAD = 48  # bytes


def written(path: Path, index: Index) -> Path:
    """Write what an index holds to a file that is not there."""
    fd = DISK.open(path, CREATE)
    try:
        write_index(DISK, fd, index.batches(range(3)), journals=[], sources=[], files={})
    finally:
        DISK.close(fd)
    return path


def resting_on(path: Path, on_bad: Callable[[Index], None] = lambda _: None, *, journals: int = 3) -> Index:
    """Give an index that has nothing but the file."""
    index = Index(lambda: on_bad(index))
    index.rest_on(IndexFile(str(path), disk=DISK), range(journals))
    return index


def filled(count: int, seed: int = 0) -> tuple[Index, list[bytes]]:
    """Give an index of so many keys, in frames of 100, and the keys."""
    keys = [random.Random(f"{seed} {i}").randbytes(32) for i in range(count)]
    index = Index()
    for start in range(0, count, 100):
        index.load(0, 52 + start, b"".join(keys[start : start + 100]))
    return index, keys


@pytest.mark.contract("J9", "J10", "F33")
@pytest.mark.parametrize("few", [0, 16])
@pytest.mark.parametrize("block", [2, 1024])
@given(blocks=groups, more=groups, gone=st.sets(st.integers(0, 2), max_size=1))
def test_a_search_through_a_file_gives_what_a_dictionary_would(
    tmp_path_factory: pytest.TempPathFactory, block: int, few: int, blocks: list[tuple[list[int | None], bool, bool]],
    more: list[tuple[list[int | None], bool, bool]], gone: set[int],
) -> None:  # fmt: skip
    """Persisted twice over, with entries that came since, in blocks that keys span, without journals that are gone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(indexfile, "BLOCK", block)
        patch.setattr(indexfile, "_FEW", few)  # one by one, or all at once
        folder, index, oracle = tmp_path_factory.mktemp("index"), Index(), Oracle()
        for offset, (cells, refresh, live) in enumerate([*blocks, *more]):
            keys = [b"" if i is None else key(i) for i in cells]
            if offset == len(blocks):
                index = resting_on(written(folder / "1", index))
            if offset < len(blocks) or offset % 3 not in gone:
                oracle.add(offset % 3, offset, keys, refresh)
                if live:
                    index.add(offset % 3, offset, keys, refresh=refresh)
                else:
                    index.load(offset % 3, offset, b"".join(each or NO_KEY for each in keys), refresh=refresh)
        again = resting_on(written(folder / "2", index))
        again.rest_on(IndexFile(str(folder / "2"), disk=DISK), [-1 if i in gone else i for i in range(3)])
        asked = [key(i) for i in (*range(42), *range(899, 912))]
        expected = [[entry for entry in oracle.entries(each) if entry.journal not in gone] for each in asked]

        assert expected == [list(again.entries(each)) for each in asked]
        assert [next(iter(entries), None) for entries in expected] == again.find(asked)


@pytest.mark.contract("J9", "F29")
def test_an_entry_takes_48_bytes_on_disk(tmp_path: Path) -> None:
    """And none in memory: blocks are mapped, and checked when they are first looked into."""
    index, keys = filled(100_000)
    path = written(tmp_path / "1", index)
    file = IndexFile(str(path), disk=DISK)

    assert 49 * 100_000 > path.stat().st_size
    assert 100 > len(file.fences)
    assert [Entry(0, 52 + i - i % 100, i % 100) for i in range(0, 100_000, 997)] == resting_on(path).find(keys[::997])


def flipped(content: bytes, bit: int) -> bytes:
    """Flip one bit."""
    return content[: bit // 8] + bytes([content[bit // 8] ^ 1 << bit % 8]) + content[bit // 8 + 1 :]


@pytest.mark.contract("J9", "F22")
def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    """In every bit of head and directory, and sampled ones of the blocks: the file does not open, or says so later."""
    index, _ = filled(3_000)
    content = written(tmp_path / "1", index).read_bytes()
    blocks = range(8 * HEAD, 8 * (HEAD + 3 * 48 * 1024))
    chosen = [*range(8 * HEAD), *random.Random(1).sample(blocks, 60), *range(blocks.stop, 8 * len(content), 5)]
    found = []
    for bit in chosen:
        (tmp_path / "bad").write_bytes(flipped(content, bit))
        with pytest.raises(BadIndex):
            list(IndexFile(str(tmp_path / "bad"), disk=DISK).blocks())
        found.append(bit)

    assert chosen == found


@pytest.mark.contract("J9", "F22")
@pytest.mark.parametrize("size", [0, 1, HEAD - 1, HEAD, HEAD + 1, HEAD + 48 * 1024, HEAD + 3 * 48 * 1024, -1])
def test_a_cut_index_does_not_open(tmp_path: Path, size: int) -> None:
    """Wherever it was cut."""
    index, _ = filled(3_000)
    path = written(tmp_path / "1", index)
    os.truncate(path, size if size >= 0 else path.stat().st_size - 1)

    with pytest.raises(BadIndex):
        IndexFile(str(path), disk=DISK)


@pytest.mark.contract("J9", "F22")
def test_a_block_in_another_place_is_found(tmp_path: Path) -> None:
    """A block counts only where it was written."""
    index, _ = filled(3_000)
    content = written(tmp_path / "1", index).read_bytes()
    first, second, third = (HEAD + i * 48 * 1024 for i in range(3))
    (tmp_path / "2").write_bytes(content[:first] + content[second:third] + content[first:second] + content[third:])

    with pytest.raises(BadIndex):
        list(IndexFile(str(tmp_path / "2"), disk=DISK).blocks())


@pytest.mark.contract("J9")
def test_a_damaged_block_is_read_from_the_journals_instead(tmp_path: Path) -> None:
    """In the middle of a search: whoever has the index is asked for all that the file covered."""
    index, keys = filled(3_000)
    path = written(tmp_path / "1", index)
    path.write_bytes(flipped(path.read_bytes(), 8 * 70_000))
    asked: list[int] = []

    def on_bad(resting: Index) -> None:
        asked.append(1)
        for start in range(0, 3_000, 100):
            resting.load(0, 52 + start, b"".join(keys[start : start + 100]))

    resting = resting_on(path, on_bad)

    assert [Entry(0, 52 + i - i % 100, i % 100) for i in range(3_000)] == resting.find(keys)
    assert [Entry(0, 52, 3)] == list(resting.entries(keys[3]))
    assert [1] == asked


def no_crc_of_blocks(put: Callable[..., None]) -> None:
    """Take a block of an index as it comes (J9)."""
    put(IndexFile, "_verify_block", lambda self, block: self._verified.__setitem__(block, True))


@pytest.mark.contract("H7", "J9")
def test_without_its_crc_a_block_would_hide_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of the tests above: a flipped bit in a key is a key that is not found, and nobody says so."""
    index, keys = filled(3_000)
    path = written(tmp_path / "1", index)
    path.write_bytes(flipped(path.read_bytes(), 8 * (HEAD + 8 * 500) + 3))
    no_crc_of_blocks(monkeypatch.setattr)

    assert None in resting_on(path).find(keys)
