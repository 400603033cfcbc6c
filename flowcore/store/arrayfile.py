"""A file under the name of its digest: written aside, published whole, read whole.

Kept arrays (`blobs`) and arrays that are only handed over (`spool`) are the same kind
of file; this room writes and reads it for both. Promises that nothing partial ever has
a final name (contract F2) and that a published file is never opened for writing (F23).
Never decides what is trusted, kept or removed: its callers do.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from flowcore.store.fs import CREATE, READ, Disk, end_reading, map_if_possible, read_all, write_all

if TYPE_CHECKING:
    import mmap
    import os

CHUNK: Final = 1 << 20  # bytes hashed and then written while the cache still holds them
RESERVED_FROM: Final = 1 << 20  # smaller files find out that the disk is full by their one write, at half the cost
MAPPED_FROM: Final = 1 << 20  # smaller files are read: a map would cost a descriptor and page faults
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EACCES})


class Unfit(Exception):  # noqa: N818 - says what the file is
    """A file is not what its name and record say."""

    def __init__(self, check: str) -> None:
        super().__init__(check)
        self.check = check


class Unread(Exception):  # noqa: N818 - says what is the case
    """A file of the user's cannot be read."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error)
        self.error = error


def pieces_of(header: bytes, data: memoryview) -> tuple[memoryview, memoryview]:
    """Give header and data as two runs of bytes."""
    flat = data if data.ndim == 1 and data.format == "B" else data.cast("B")
    return memoryview(header), flat


def digest_of(pieces: Sequence[memoryview]) -> bytes:
    """Give the BLAKE3-256 of the pieces, one after the other."""
    hasher = blake3()
    for piece in pieces:
        hasher.update(piece)
    return hasher.digest()


def digest_of_file(disk: Disk, path: str) -> bytes | None:
    """Give the BLAKE3-256 of a file; None if it is not a file of ours, or cannot be read to its end."""
    hasher = blake3()
    try:
        fd = disk.open(path, READ)
        try:
            if not stat.S_ISREG(disk.fstat(fd).st_mode):
                return None
            offset = 0
            while chunk := disk.pread(fd, CHUNK, offset):
                hasher.update(chunk)
                offset += len(chunk)
        finally:
            end_reading(disk, fd)
    except OSError:
        return None
    return hasher.digest()


def write_draft(disk: Disk, path: str, pieces: Sequence[memoryview], *, durable: bool) -> bytes:
    """Write a new file and give its digest; if that fails, no file is left (B2, B3).

    Each chunk is hashed and then written, so the name is the digest of the very bytes
    that went to the file, whatever another thread does to the array meanwhile.
    """
    fd = disk.open(path, CREATE, 0o600)
    try:
        try:
            digest = _fill(disk, fd, pieces)
            if durable:
                disk.fsync(fd)
            disk.chmod(fd, 0o400)
        finally:
            disk.close(fd)
    except BaseException:
        drop(disk, path)
        raise
    return digest


def _fill(disk: Disk, fd: int, pieces: Sequence[memoryview]) -> bytes:
    size = sum(len(piece) for piece in pieces)
    if size >= RESERVED_FROM:
        disk.reserve(fd, size)
    hasher = blake3()
    for piece in pieces:
        for start in range(0, len(piece), CHUNK):
            chunk = piece[start : start + CHUNK]
            hasher.update(chunk)
            write_all(disk, fd, chunk)
    return hasher.digest()


def write_unnamed(disk: Disk, path: str, pieces: Sequence[memoryview]) -> None:
    """Write a new file that no digest will name, and that is gone in a moment. If that fails, none is left.

    No room is reserved: in memory that takes longer than the writing, and there are no extents to keep together.
    """
    fd = disk.open(path, CREATE, 0o600)
    try:
        try:
            for piece in pieces:
                write_all(disk, fd, piece)
        finally:
            disk.close(fd)
    except BaseException:
        drop(disk, path)
        raise


def copy_draft(disk: Disk, source: int, path: str, *, suffix: str, durable: bool) -> tuple[bytes, int]:
    """Write a new file with what `source` holds; give the name that it is kept under, and its size (B2, B3).

    Unread if the source cannot be read, which is not the store's trouble.
    """
    hasher, offset = blake3(), 0
    fd = disk.open(path, CREATE, 0o600)
    try:
        try:
            size = disk.fstat(source).st_size
            if size >= RESERVED_FROM:
                disk.reserve(fd, size)
            while chunk := _read_chunk(disk, source, offset):
                hasher.update(chunk)
                write_all(disk, fd, chunk)
                offset += len(chunk)
            if offset < size:
                raise Unread(OSError(errno.EIO, "it became shorter while it was copied"))
            if durable:
                disk.fsync(fd)
            disk.chmod(fd, 0o400)
        finally:
            disk.close(fd)
    except BaseException:
        drop(disk, path)
        raise
    return hasher.digest() + (suffix or ".").encode(), offset


def _read_chunk(disk: Disk, fd: int, offset: int) -> bytes:
    try:
        return disk.pread(fd, CHUNK, offset)
    except OSError as error:
        raise Unread(error) from error


def publish(disk: Disk, draft: str, final: str) -> bool:
    """Give a draft its final name; False if a file with that name was there first (B4).

    The draft keeps its first name, or has lost it where the filesystem has no links.
    """
    try:
        disk.link(draft, final)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _move(disk, draft, final)
    return True


def _move(disk: Disk, draft: str, final: str) -> bool:
    # rename would replace silently, hence the look first. Between look and rename another
    # run may publish the same digest: then equal bytes replace equal bytes.
    try:
        disk.stat(final)
    except FileNotFoundError:
        disk.rename(draft, final)
        return True
    return False


def drop(disk: Disk, path: str) -> None:
    """Remove a file that may be gone, on a way on which another error is more important."""
    try:
        disk.unlink(path)
    except OSError:
        return


def size_of(disk: Disk, path: str) -> int:
    """Give the size of a regular file; -1 if there is none of that name, or something else."""
    try:
        found = disk.stat(path)
    except OSError:
        return -1
    return found.st_size if stat.S_ISREG(found.st_mode) else -1


def read_file(disk: Disk, path: str, size: int, *, mapped: bool) -> bytearray | mmap.mmap:
    """Give a file as private, writable memory; OSError if it cannot be opened, Unfit if it is another (B7)."""
    fd = _open_again_if_stale(disk, path)
    try:
        _check(disk, disk.fstat(fd), size)
        if mapped and size >= MAPPED_FROM and (memory := map_if_possible(disk, fd, size)) is not None:
            return memory
        content = read_all(disk, fd, size)
    finally:
        end_reading(disk, fd)
    if content is None:
        raise Unfit(f"it ends before its size of {size}")
    return content


def check_file(disk: Disk, path: str, size: int) -> None:
    """See that a file is ours and of this size, without reading it; OSError or Unfit if not (B7)."""
    _check(disk, disk.stat(path), size)


def _check(disk: Disk, found: os.stat_result, size: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Unfit("not a regular file")
    if found.st_uid not in (disk.user(), 0):
        raise Unfit(f"it belongs to user {found.st_uid}")
    if found.st_size != size:
        raise Unfit(f"size {found.st_size}, not {size}")


def _open_again_if_stale(disk: Disk, path: str) -> int:
    try:
        return disk.open(path, READ)
    except OSError as error:
        if error.errno != errno.ESTALE:
            raise
        return disk.open(path, READ)
