"""Persisted indexes: every entry under its key, or BadIndex."""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Sequence
from random import Random
from typing import Final

import msgpack
import numpy as np

from flowcore.store.fs import CREATE, DISK
from flowcore.store.indexfile import BLOCK, BadIndex, Covered, Entries, IndexFile, Source, prefixes_of, write_index
from tests.fuzz import stores
from tests.fuzz.mutation import EDGES, blindly, by_structure
from tests.fuzz.reader import Mistake
from tests.fuzz.shapes import misshapen
from tests.fuzz.shelf import Shelf

_HEAD: Final = struct.Struct("<8sIIIQQQI")
_NUMBERS: Final = struct.Struct("<QQQI")
_ROW: Final = 48


def _keys(count: int) -> np.ndarray:
    keys = np.frombuffer(np.random.default_rng(count).bytes(32 * count), np.uint8).reshape(count, 32).copy()
    keys[1::3, :8] = keys[::3, :8][: len(keys[1::3])]  # some that begin alike
    return keys[np.lexsort(keys.T[::-1])]


@functools.cache
def indexes() -> list[bytes]:
    """Give indexes of no, few, and two blocks of entries."""
    found = []
    for count in (0, 7, BLOCK + 5):
        keys = _keys(count)
        numbers = np.arange(count)
        entries = Entries(
            keys=keys, offsets=numbers.astype("u8"), rows=numbers.astype("u4"), sources=(numbers % 2).astype("u4")
        )
        path = str(stores.folder() / f"index{count}")
        fd = DISK.open(path, CREATE, 0o600)
        journals = [Covered(name="a.journal", end=500, lost=0), Covered(name="b.pack", end=700, lost=9)]
        sources = [Source(journal=0, run_id="r1"), Source(journal=1, run_id="r2")]
        write_index(
            DISK,
            fd,
            iter([entries] if count else []),
            journals=journals,
            sources=sources,
            files={(1, 2, 3, 4, 5): b"d" * 32},
        )
        DISK.close(fd)
        with open(path, "rb") as file:
            found.append(file.read())
    return found


def mutate(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change an index: its bytes; or numbers, blocks and directory, whose checksums are then made right."""
    if len(data) < _HEAD.size or rng.random() < 0.3:
        return blindly_in(rng, data, others)
    count, start, length, _ = _HEAD.unpack(data[: _HEAD.size])[4:]
    if start > len(data) or start < _HEAD.size:
        return blindly_in(rng, rng.choice(indexes()), others)
    blocks, directory = data[_HEAD.size : start], data[start:]
    how = rng.randrange(4)
    if how == 0 or not blocks:
        parts = [other[_HEAD.unpack(other[: _HEAD.size])[5] :] for other in indexes()]
        directory = by_structure(rng, directory, parts)
    elif how == 1:
        edited = bytearray(blocks)
        for _ in range(rng.choice((1, 3, 20))):
            edited[rng.randrange(len(edited))] = rng.choice((0, 255, rng.randrange(256)))
        fresh = bytes(edited)
        directory = directory.replace(_crcs(blocks), _crcs(fresh))
        blocks = fresh
    elif how == 2:
        count = rng.choice((*EDGES, count + 1, max(0, count - 1)))
    start, length = _HEAD.size + len(blocks), len(directory)
    if how == 3:
        start, length = rng.choice((start, rng.choice(EDGES))), rng.choice((length, length - 1, rng.choice(EDGES)))
    numbers = _NUMBERS.pack(count & (1 << 64) - 1, start & (1 << 64) - 1, length & (1 << 64) - 1, zlib.crc32(directory))
    head = struct.pack("<8sIII", b"flowindx", 1, BLOCK, zlib.crc32(numbers)) + numbers
    return head + blocks + directory


def blindly_in(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change some bytes, of the head or the directory more often than of the blocks."""
    at = rng.choice((0, max(0, len(data) - 600), rng.randrange(len(data) + 1)))
    return data[:at] + blindly(rng, data[at : at + 700], ()) + data[at + 700 :]


def _crcs(blocks: bytes) -> bytes:
    size = BLOCK * _ROW
    return b"".join(zlib.crc32(blocks[at : at + size]).to_bytes(4, "little") for at in range(0, len(blocks), size))


def read(data: bytes) -> str:
    """Search an index for keys that are in it, and for some that are not."""
    shelf = Shelf(index=data)
    try:
        file = IndexFile("index", disk=shelf, mapped=False)
    except (BadIndex, OSError) as refusal:
        return f"refused: {str(refusal)[:12]}"
    for one in (*file.journals, *file.sources):
        if wrong := misshapen(one):
            raise Mistake(f"{wrong} has another type")
    if shelf.leaked:
        raise Mistake("a descriptor is left open")
    sizes = {len(one): one for one in indexes()}
    known = _keys(7)[:7] if len(data) < BLOCK * _ROW * 1.5 else _keys(BLOCK + 5)[1015:1029]
    keys = np.concatenate([known, np.zeros((1, 32), np.uint8), np.full((1, 32), 255, np.uint8)])
    intact = sizes.get(len(data)) == data
    try:
        return _searched(file, keys, data, intact=intact)
    except BadIndex as refusal:
        if intact:
            raise Mistake("a sound index is refused") from refusal
        return f"bad: {str(refusal)[:5]}"


def _searched(file: IndexFile, keys: np.ndarray, data: bytes, *, intact: bool) -> str:
    places = file.find(keys, prefixes_of(keys))
    found = places >= 0
    if found.any() and not (file.at(places[found]).keys == keys[found]).all():
        raise Mistake("an entry of another key")
    if intact and file.count and not found[:7].all():
        raise Mistake("a key is not found")
    one_by_one = {key.tobytes(): list(file.entries_of(key.tobytes())) for key in keys}
    _check_blocks(file, data)
    counted, there = 0, dict[bytes, list[tuple[int, ...]]]()
    for entries in file.blocks():
        counted += len(entries.rows)
        columns = zip(entries.sources.tolist(), entries.offsets.tolist(), entries.rows.tolist(), strict=True)
        for key, entry in zip(entries.keys, columns, strict=True):
            there.setdefault(key.tobytes(), []).append(entry)
    if counted != file.count:
        raise Mistake("other entries than are counted")
    for key, found_here in one_by_one.items():
        if not {*found_here} <= {*there.get(key, ())} or (intact and found_here != there.get(key, [])):
            raise Mistake("an entry of another key, or one is missing, where they are asked for one by one")
    return f"{int(found.sum())} found"


def _check_blocks(file: IndexFile, data: bytes) -> None:
    """See that no block was taken whose checksum, as the directory has it, is another."""
    start, length = _HEAD.unpack(data[: _HEAD.size])[5:7]
    crcs = msgpack.unpackb(data[start : start + length])["crcs"]
    for _ in file.blocks():
        pass
    blocks = data[_HEAD.size :][: -(-file.count // BLOCK) * BLOCK * _ROW]
    if _crcs(blocks) != bytes(crcs):
        raise Mistake("a damaged block is taken")
