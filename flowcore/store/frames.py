"""The form of a journal file: a header, then frames that prove where they belong.

Owns the bytes; knows nothing of what records mean. Promises that what it yields was
written by one run at exactly that place of exactly that file: the CRC covers the run's
salt, the frame's own offset, the length and the payload, so a stale block, a moved
frame, or a journal kept inside a value never passes for a frame (contract J1). Damage
is skipped and counted, never an exception (J4, P2). Never writes::

    header   magic 8, version u16, size u16, CRC32 u32, salt 16, boot id 16
    frame    magic 4, payload length u32, CRC32 u32, payload

Numbers are little-endian. Between frames there may be debris: what a failed append
left behind. A design that ended a journal at its first bad frame lost to this one: one
full disk in the middle of a long run would have cost all that came after it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from flowcore.dataclass import dataclass
from flowcore.store.fs import READ, Disk, end_reading

VERSION: Final = 1
FILE_MAGIC: Final = b"flowjrnl"
FRAME_MAGIC: Final = b"\xf1\x0cfc"
_HEADER: Final = struct.Struct("<8sHHI16s16s")
_FRAME: Final = struct.Struct("<4sII")
_SEAL: Final = struct.Struct("<16sQI")
HEADER_SIZE: Final = _HEADER.size
FRAME_SIZE: Final = _FRAME.size
_WINDOW: Final = 1 << 20
_TAIL: Final = 1 << 16  # bytes at the end in which the last frame is looked for
_SEARCH_FACTOR: Final = 4  # a search for the next good frame may look at so many times the file's size


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the first bytes of a journal say."""

    salt: bytes  # 16 random bytes of the run
    boot: bytes  # which boot of which machine it ran in


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame that verified."""

    offset: int
    end: int
    payload: bytes


@dataclass(slots=True)
class Damage:
    """How much of a journal could not be read."""

    lost: int = 0  # bytes
    first: int = -1  # offset of the first bad frame

    def add(self, start: int, end: int) -> None:
        """Count the bytes from `start` to `end` as lost."""
        if end <= start:
            return
        self.lost += end - start
        if self.first < 0:
            self.first = start


def pack_header(salt: bytes, boot: bytes) -> bytes:
    """Give the first bytes of a new journal."""
    return _HEADER.pack(FILE_MAGIC, VERSION, HEADER_SIZE, zlib.crc32(salt + boot), salt, boot)


def read_header(disk: Disk, fd: int) -> Header | None:
    """Read the first bytes; None if this is no journal of a version we know."""
    data = _pread(disk, fd, HEADER_SIZE, 0)
    if len(data) < HEADER_SIZE:
        return None
    magic, version, size, crc, salt, boot = _HEADER.unpack(data)
    known = magic == FILE_MAGIC and version == VERSION and size == HEADER_SIZE
    return Header(salt=salt, boot=boot) if known and crc == zlib.crc32(salt + boot) else None


def header_is_damaged(disk: Disk, path: str) -> bool:
    """Tell whether a journal's first bytes are neither what was written nor those of a later version.

    A file that is shorter than them held no record yet when its run was killed.
    """
    try:
        fd = disk.open(path, READ)
    except OSError:
        return False
    try:
        data = _pread(disk, fd, HEADER_SIZE, 0)
        if len(data) < HEADER_SIZE or read_header(disk, fd) is not None:
            return False
    except OSError:
        return False
    finally:
        end_reading(disk, fd)
    magic, version, *_ = _HEADER.unpack(data)
    return bool(magic != FILE_MAGIC or version == VERSION)


def open_journal(disk: Disk, path: str) -> tuple[int, Header] | None:
    """Open a journal to read it; None if it is not there or not one we know. The caller closes it."""
    try:
        fd = disk.open(path, READ)
    except OSError:
        return None
    try:
        header = read_header(disk, fd)
    except OSError:
        header = None
    if header is None:
        end_reading(disk, fd)
        return None
    return fd, header


def seal(salt: bytes, offset: int, payload: bytes) -> bytes:
    """Give the frame that holds `payload` at `offset` of the run's journal."""
    return _FRAME.pack(FRAME_MAGIC, len(payload), _crc(salt, offset, payload)) + payload


def read_frame(disk: Disk, fd: int, header: Header, offset: int) -> Frame | None:
    """Read the one frame that starts at `offset`, if it verifies."""
    return Window(disk, fd, header).frame(offset, disk.fstat(fd).st_size)


def last_frame(disk: Disk, fd: int, header: Header) -> Frame | None:
    """Give the last frame that verifies, if it is near the end of the file; nothing before it is read."""
    size = disk.fstat(fd).st_size
    start = max(HEADER_SIZE, size - _TAIL)
    tail = _pread(disk, fd, size - start, start)
    window = Window(disk, fd, header)
    at = tail.rfind(FRAME_MAGIC)
    while at >= 0:
        frame = window.frame(start + at, size)
        if frame is not None:
            return frame
        at = tail.rfind(FRAME_MAGIC, 0, at)
    return None


def scan(disk: Disk, fd: int, header: Header, *, damage: Damage, offset: int = HEADER_SIZE) -> Iterator[Frame]:
    """Yield the frames from `offset` on that verify; what lies between them goes to `damage`.

    An incomplete last frame is no damage: of a live run more will come, and a dead one
    just ends there.
    """
    size = disk.fstat(fd).st_size
    window = Window(disk, fd, header)
    window.budget = _SEARCH_FACTOR * size + _WINDOW
    position = offset
    while position < size:
        frame = window.frame(position, size)
        if frame is None:
            frame = window.search(position + 1, size)
            if frame is None:
                if not window.unfinished(position, size):
                    damage.add(position, size)
                return
            damage.add(position, frame.offset)
        yield frame
        position = frame.end


class Window:
    """A piece of the file in memory, moved as needed; read(), never a map (J2)."""

    def __init__(self, disk: Disk, fd: int, header: Header, *, size: int = _WINDOW) -> None:
        self._disk = disk
        self._fd = fd
        self._size = size
        self._salt = header.salt
        self._start = 0
        self._data = b""
        self.budget = 0  # bytes that may still be looked at in search of a good frame

    def take(self, offset: int, length: int) -> bytes:
        """Give the bytes there; fewer at the end of the file."""
        first = offset - self._start
        if first < 0 or first + length > len(self._data):
            self._data = _pread(self._disk, self._fd, max(length, self._size), offset)
            self._start = offset
            first = 0
        return self._data[first : first + length]

    def frame(self, offset: int, size: int) -> Frame | None:
        """Give the frame at `offset` if it verifies."""
        head = self.take(offset, FRAME_SIZE)
        if len(head) < FRAME_SIZE:
            return None
        magic, length, crc = _FRAME.unpack(head)
        end = offset + FRAME_SIZE + length
        if magic != FRAME_MAGIC or end > size:
            return None
        payload = self.take(offset + FRAME_SIZE, length)
        if len(payload) < length or _crc(self._salt, offset, payload) != crc:
            self.budget -= length
            return None
        return Frame(offset=offset, end=end, payload=payload)

    def search(self, offset: int, size: int) -> Frame | None:
        """Give the first frame at or after `offset` that verifies.

        The work is bounded: a file made of nothing but frame heads would otherwise
        cost the square of its size (S7).
        """
        while offset < size and self.budget > 0:
            piece = self.take(offset, min(_WINDOW, size - offset))
            found = piece.find(FRAME_MAGIC)
            if found < 0:
                step = max(len(piece) - len(FRAME_MAGIC) + 1, 1)
                offset += step
                self.budget -= step
                continue
            frame = self.frame(offset + found, size)
            if frame is not None:
                return frame
            offset += found + 1
            self.budget -= found + FRAME_SIZE
        return None

    def unfinished(self, offset: int, size: int) -> bool:
        """Tell whether what is at `offset` looks like a frame whose end was never written."""
        head = self.take(offset, FRAME_SIZE)
        if head[: len(FRAME_MAGIC)] != FRAME_MAGIC[: len(head)]:
            return False
        if len(head) < FRAME_SIZE:
            return True
        return offset + FRAME_SIZE + int(_FRAME.unpack(head)[1]) > size


def _crc(salt: bytes, offset: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(_SEAL.pack(salt, offset, len(payload))))


def _pread(disk: Disk, fd: int, size: int, offset: int) -> bytes:
    pieces = []
    while size > 0:
        piece = disk.pread(fd, size, offset)
        if not piece:
            break
        pieces.append(piece)
        size -= len(piece)
        offset += len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
