"""The form of a persisted index: entries sorted by key, in blocks that prove what they are.

Owns the bytes of `v1/index/<n>`; knows nothing of which journals there are. Promises that
an entry that it gives was written so: a block counts only once its CRC has verified, which
is when it is first looked into, and one that does not verify is a BadIndex (contract J9).
Whether an entry is *true* is for whoever reads the frame it points to. Never writes to a
file that has its name::

    head        magic 8, version u32, rows a block u32, CRC32 u32,
                entries u64, offset u64 and length u64 of the directory, its CRC32 u32
    blocks      columns of 1024 rows each: first 8 bytes of the key as a number, the other 24,
                offset of the frame u64, row u32, source u32 (highest bit: made under refresh=)
    directory   msgpack: first number and CRC32 of each block, journals, sources, files

Numbers are little-endian.

A plain sorted `.npy` lost to this form: its columns cannot be searched without copying them,
and a flipped bit in it would hide entries, which costs hours where it hides the right ones.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgpack

from flowcore.dataclass import dataclass
from flowcore.store.arrayfile import Unfit, read_file, size_of
from flowcore.store.files import Times, load_stats
from flowcore.store.fs import Disk, pwrite_all, write_all
from flowcore.store.trace import KEY_SIZE

if TYPE_CHECKING:
    import mmap

    import numpy as np
    from numpy.typing import NDArray

BLOCK: Final = 1024  # rows
_FEW: Final = 16  # keys that are searched for one by one: a node of one cell asks for one
MAGIC: Final = b"flowindx"
VERSION: Final = 1
REFRESH: Final = 1 << 31
_HEAD: Final = struct.Struct("<8sIIIQQQI")
_NUMBERS: Final = struct.Struct("<QQQI")
_U64: Final = struct.Struct("<Q")
_U32: Final = struct.Struct("<I")
_ROW: Final = 48  # bytes
_DIRECTORY_LIMIT: Final = 1 << 28


class BadIndex(Exception):  # noqa: N818 - says what the file is
    """An index, or a block of it, does not verify."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """How much of a journal the entries stand for."""

    name: str  # of the file
    end: int  # bytes
    lost: int  # bytes before the end that hold nothing that verifies


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A run whose records entries point to, and the journal they are in."""

    journal: int  # its place among the journals
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """Entries in columns of equal length."""

    keys: NDArray[np.uint8]  # (n, 32)
    offsets: NDArray[np.uint64]
    rows: NDArray[np.uint32]
    sources: NDArray[np.uint32]  # with the bit of refresh

    def part(self, rows: slice) -> Entries:
        """Give some of them."""
        return Entries(
            keys=self.keys[rows], offsets=self.offsets[rows], rows=self.rows[rows], sources=self.sources[rows]
        )

    def joined(self, more: Entries) -> Entries:
        """Give these and then those."""
        import numpy as np

        return Entries(
            keys=np.concatenate([self.keys, more.keys]), offsets=np.concatenate([self.offsets, more.offsets]),
            rows=np.concatenate([self.rows, more.rows]), sources=np.concatenate([self.sources, more.sources]),
        )  # fmt: skip


class IndexFile:
    """A persisted index, open. The engine's thread.

    Raises
    ------
    BadIndex
        If the file is none of ours, or its directory does not verify.
    OSError
        If it cannot be read.
    """

    def __init__(self, path: str, *, disk: Disk, mapped: bool = True) -> None:
        import numpy as np

        memory = _content(disk, path, mapped=mapped)
        self.count, directory = _read_directory(memory)
        self.path = path
        try:
            self.journals = [Covered(name=str(n), end=int(e), lost=int(lost)) for n, e, lost in directory["journals"]]
            self.sources = [Source(journal=int(j), run_id=str(run_id)) for j, run_id in directory["sources"]]
            self.fences: NDArray[np.uint64] = np.frombuffer(directory["fences"], "<u8")
            self._crcs: NDArray[np.uint32] = np.frombuffer(directory["crcs"], "<u4")
            self.files: dict[Times, bytes] = {}
            load_stats(self.files, ["file", directory["files"]])
        except (ValueError, TypeError, KeyError, OverflowError):
            raise BadIndex("directory") from None
        self._memory = memoryview(memory)
        self._verified = np.zeros(len(self.fences), np.bool_)
        blocks = len(self.fences)
        if not len(self._crcs) == blocks == -(-self.count // BLOCK) or len(memory) < _HEAD.size + blocks * BLOCK * _ROW:
            raise BadIndex("blocks")
        self._blocks = np.frombuffer(memory, _dtype(), count=blocks, offset=_HEAD.size)

    def find(self, keys: NDArray[np.uint8], prefixes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Give the place of the first entry of each key; -1 where there is none."""
        import numpy as np

        places = self._lower_bounds(prefixes)
        inside = np.flatnonzero(places < self.count)
        found = np.full(len(keys), -1, np.int64)
        at = places[inside]
        self._verify(at // BLOCK)
        same = self._blocks["prefix"][at // BLOCK, at % BLOCK] == prefixes[inside]
        inside, at = inside[same], at[same]
        equal = (self._blocks["rest"][at // BLOCK, at % BLOCK] == keys[inside, 8:]).all(axis=1)
        found[inside[equal]] = at[equal]
        # The first 8 bytes agree and the others do not: once in 2**64 by chance, so look one by one.
        for place, first in zip(inside[~equal].tolist(), at[~equal].tolist(), strict=True):
            found[place] = next(self._equal(first, keys[place]), -1)
        return found

    def entries_of(self, key: bytes) -> Iterator[tuple[int, int, int]]:
        """Yield source, offset and row of every entry of one key: by numbers alone, which for one is soonest done."""
        memory, prefix, rest = self._memory, int.from_bytes(key[:8], "big"), key[8:]
        # Entries of a prefix that is a fence may begin at the end of the block before it.
        block = max(bisect_left(self._bounds, prefix) - 1, 0)
        place = block * BLOCK + self._first_in(block, prefix) if self.count else 0
        while place < self.count:
            block, row = divmod(place, BLOCK)
            if not self._verified[block]:
                self._verify_block(block)
            start = _HEAD.size + block * BLOCK * _ROW
            if _U64.unpack_from(memory, start + 8 * row)[0] != prefix:
                return
            place += 1
            if memory[start + 8 * BLOCK + 24 * row : start + 8 * BLOCK + 24 * (row + 1)] != rest:
                continue
            (offset,) = _U64.unpack_from(memory, start + 32 * BLOCK + 8 * row)
            (number,) = _U32.unpack_from(memory, start + 40 * BLOCK + 4 * row)
            (source,) = _U32.unpack_from(memory, start + 44 * BLOCK + 4 * row)
            yield source, offset, number

    @cached_property
    def _bounds(self) -> list[int]:
        found: list[int] = self.fences.tolist()
        return found

    def _first_in(self, block: int, prefix: int) -> int:
        """Give the first row of a block whose prefix is not below this one."""
        if not self._verified[block]:
            self._verify_block(block)
        memory, start = self._memory, _HEAD.size + block * BLOCK * _ROW
        low, high = 0, min(self.count - block * BLOCK, BLOCK)
        while low < high:
            middle = (low + high) >> 1
            if _U64.unpack_from(memory, start + 8 * middle)[0] < prefix:
                low = middle + 1
            else:
                high = middle
        return low

    def at(self, places: NDArray[np.int64]) -> Entries:
        """Give the entries at some places, all in blocks that were looked into."""
        block, row = places // BLOCK, places % BLOCK
        import numpy as np

        keys = np.empty((len(places), KEY_SIZE), np.uint8)
        keys[:, :8] = self._blocks["prefix"][block, row].astype(">u8").view(np.uint8).reshape(-1, 8)
        keys[:, 8:] = self._blocks["rest"][block, row]
        return Entries(
            keys=keys, offsets=self._blocks["offset"][block, row], rows=self._blocks["row"][block, row],
            sources=self._blocks["source"][block, row],
        )  # fmt: skip

    def blocks(self) -> Iterator[Entries]:
        """Yield all entries, a block at a time, in the order of their keys."""
        import numpy as np

        for start in range(0, self.count, BLOCK):
            places = np.arange(start, min(start + BLOCK, self.count))
            self._verify(places[:1] // BLOCK)
            yield self.at(places)

    def _equal(self, place: int, key: NDArray[np.uint8]) -> Iterator[int]:
        wanted, prefix = key.tobytes()[8:], int.from_bytes(key[:8].tobytes(), "big")
        while place < self.count:
            block, row = divmod(place, BLOCK)
            if not self._verified[block]:
                self._verify_block(block)
            if int(self._blocks["prefix"][block, row]) != prefix:
                return
            if self._blocks["rest"][block, row].tobytes() == wanted:
                yield place
            place += 1

    def _lower_bounds(self, prefixes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Give the first place whose prefix is not below each of these: a search in all at once."""
        import numpy as np

        # Entries of a prefix that is a fence may begin at the end of the block before it.
        block = np.maximum(np.searchsorted(self.fences, prefixes, "left") - 1, 0)
        if not len(self.fences):
            return block
        self._verify(block)
        if len(block) <= _FEW:
            return block * BLOCK + np.fromiter(map(self._lower_bound, block.tolist(), prefixes), np.int64, len(block))
        low, high = np.zeros(len(block), np.int64), np.minimum(self.count - block * BLOCK, BLOCK)
        column = self._blocks["prefix"]
        for _ in range(BLOCK.bit_length()):
            middle = (low + high) >> 1
            below = (low < high) & (column[block, np.minimum(middle, BLOCK - 1)] < prefixes)
            low, high = np.where(below, middle + 1, low), np.where(below, high, np.maximum(middle, low))
        return block * BLOCK + low

    def _lower_bound(self, block: int, prefix: np.uint64) -> int:
        return int(self._blocks["prefix"][block, : self.count - block * BLOCK].searchsorted(prefix))

    def _verify(self, blocks: NDArray[np.int64]) -> None:
        new = blocks[~self._verified[blocks]]
        for block in set(new.tolist()):
            self._verify_block(block)

    def _verify_block(self, block: int) -> None:
        start = _HEAD.size + block * BLOCK * _ROW
        if zlib.crc32(self._memory[start : start + BLOCK * _ROW]) != int(self._crcs[block]):
            raise BadIndex(f"block {block}")
        self._verified[block] = True


def write_index(
    disk: Disk, fd: int, batches: Iterator[Entries], *, journals: Sequence[Covered], sources: Sequence[Source],
    files: Mapping[Times, bytes],
) -> int:  # fmt: skip
    """Write an index of entries that come in the order of their keys; give how many there were."""
    import numpy as np

    write_all(disk, fd, bytes(_HEAD.size))
    fences: list[int] = []
    crcs: list[int] = []
    count = 0
    for rows, block in _blocks(batches):
        content = block.tobytes()
        fences.append(int(block["prefix"][0, 0]))
        crcs.append(zlib.crc32(content))
        write_all(disk, fd, content)
        count += rows
    directory: bytes = msgpack.packb({
        "fences": np.array(fences, "<u8").tobytes(), "crcs": np.array(crcs, "<u4").tobytes(),
        "journals": [[journal.name, journal.end, journal.lost] for journal in journals],
        "sources": [[source.journal, source.run_id] for source in sources],
        "files": [[*times, digest] for times, digest in _latest(files).items()],
    })  # fmt: skip
    write_all(disk, fd, directory)
    start = _HEAD.size + len(fences) * BLOCK * _ROW
    numbers = _NUMBERS.pack(count, start, len(directory), zlib.crc32(directory))
    head = _HEAD.pack(MAGIC, VERSION, BLOCK, zlib.crc32(numbers), *_NUMBERS.unpack(numbers))
    pwrite_all(disk, fd, head, 0)
    return count


def prefixes_of(keys: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Give the first 8 bytes of keys as native numbers, which sort as the bytes do."""
    import numpy as np

    return np.ascontiguousarray(keys[:, :8]).view(">u8").ravel().astype(np.uint64)


def _latest(files: Mapping[Times, bytes]) -> dict[Times, bytes]:
    """Give what is known of each file, without what was known of it before it changed."""
    last = {times[:2]: times for times in files}
    return {times: files[times] for times in last.values()}


def _blocks(batches: Iterator[Entries]) -> Iterator[tuple[int, NDArray[np.void]]]:
    """Cut entries into blocks; the last one is filled up."""
    import numpy as np

    block, filled = np.zeros(1, _dtype()), 0
    for batch in batches:
        taken, total = 0, len(batch.rows)
        while taken < total:
            step = min(total - taken, BLOCK - filled)
            here, there = slice(filled, filled + step), slice(taken, taken + step)
            block["prefix"][0, here] = prefixes_of(batch.keys[there])
            block["rest"][0, here] = batch.keys[there, 8:]
            block["offset"][0, here] = batch.offsets[there]
            block["row"][0, here] = batch.rows[there]
            block["source"][0, here] = batch.sources[there]
            taken, filled = taken + step, filled + step
            if filled == BLOCK:
                yield BLOCK, block
                block, filled = np.zeros(1, _dtype()), 0
    if filled:
        yield filled, block


def _dtype() -> np.dtype[np.void]:
    import numpy as np

    return np.dtype([
        ("prefix", "<u8", (BLOCK,)), ("rest", "u1", (BLOCK, KEY_SIZE - 8)), ("offset", "<u8", (BLOCK,)),
        ("row", "<u4", (BLOCK,)), ("source", "<u4", (BLOCK,)),
    ])  # fmt: skip


def _content(disk: Disk, path: str, *, mapped: bool) -> bytearray | mmap.mmap:
    size = size_of(disk, path)
    if size < _HEAD.size:
        raise BadIndex("size")
    try:
        return read_file(disk, path, size, mapped=mapped)
    except Unfit as unfit:
        raise BadIndex(unfit.check) from None


def _read_directory(memory: bytearray | mmap.mmap) -> tuple[int, dict[str, Any]]:
    magic, version, rows, crc, *numbers = _HEAD.unpack(memory[: _HEAD.size])
    count, start, length, sealed = numbers
    if magic != MAGIC or version != VERSION or rows != BLOCK or crc != zlib.crc32(_NUMBERS.pack(*numbers)):
        raise BadIndex("head")
    content = bytes(memory[start : start + length]) if length <= _DIRECTORY_LIMIT else b""
    if len(content) != length or zlib.crc32(content) != sealed:
        raise BadIndex("directory")
    try:
        directory = msgpack.unpackb(content)
    except ValueError:
        directory = None
    if not isinstance(directory, dict):
        raise BadIndex("directory")
    return count, directory
