"""Arrays that are handed over but not kept: same file, other folder, gone after the run.

Owns one directory of random name in shared memory (`/dev/shm`), and the run's part of
the store's `tmp/` for what does not fit there. Files have the form and name that they
would have in `arrays/`. Promises that nothing stays: the owner removes the directory,
and a later run does if the owner was killed (contract F24, T2). Never uses
`multiprocessing.shared_memory`, whose tracker unlinks what others still use.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from flowcore.errors import StoreUnavailable
from flowcore.plan.encode import ValueGone
from flowcore.store.arrayfile import Unfit, drop, pieces_of, publish, read_file, write_draft, write_unnamed
from flowcore.store.fs import Disk
from flowcore.store.layout import exists
from flowcore.store.leftovers import SPOOL_NAME, empty_directory
from flowcore.store.lock import RunLock

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Sequence

SHARED_MEMORY: Final = "/dev/shm"
PREFIX: Final = "flowcore-"
_TRIES = 8


class Spool:
    """One run's folder for arrays in transit.

    Any thread, and any process that was told where it is. The process that calls
    :meth:`create` owns it and holds its lock for life.

    Parameters
    ----------
    path : str
        The directory; empty: nowhere is room for one, and every array is refused.
    fallback : str
        Where to write what does not fit; empty: nowhere.
    disk : Disk
        Where both are.
    """

    place = 1

    def __init__(self, path: str, *, fallback: str, disk: Disk, locks: tuple[RunLock, ...] = ()) -> None:
        self.path = path
        self.fallback = fallback
        self.narrow = False  # whether another machine sees no more of it than the fallback
        self._disk = disk
        self._locks = locks

    @classmethod
    def create(cls, *, fallback: str, disk: Disk) -> Spool:
        """Make a new one; where no place can be written, one that refuses every array.

        Without a `fallback` in the store, a directory of the same name among temporary
        files serves.
        """
        claimed: list[tuple[str, RunLock]] = []
        for parent in dict.fromkeys((SHARED_MEMORY, tempfile.gettempdir())):
            if claimed and fallback:
                break
            try:
                claimed.append(_claim(disk, parent, os.path.basename(claimed[0][0]) if claimed else ""))
            except OSError:
                continue
        paths = [path for path, _ in claimed]
        first, second, *_ = [*paths, fallback, ""]
        made = cls(first, fallback=second, disk=disk, locks=tuple(lock for _, lock in claimed))
        made.narrow = bool(claimed and fallback)
        return made

    @classmethod
    def beside(cls, workplace: str, *, disk: Disk) -> Spool:
        """Use the run's part of the store's `tmp/` alone, for cells that run where only the store is to be seen.

        It is the run's, and removed as such: it has no lock of its own.
        """
        return cls(workplace, fallback="", disk=disk)

    @classmethod
    def attach(cls, path: str, *, fallback: str, disk: Disk) -> Spool:
        """Use the one another process made; PermissionError if the place is not what it made (S5)."""
        if not path:
            return cls("", fallback="", disk=disk)
        if not _private(disk, path):
            raise PermissionError(errno.EPERM, "not a directory of this user alone", path)
        if fallback == path:
            return cls.beside(path, disk=disk)
        second = f"{tempfile.gettempdir()}/{os.path.basename(path)}"
        if not fallback and second != path and exists(disk, second) and _private(disk, second):
            fallback = second
        return cls(path, fallback=fallback, disk=disk)

    def put(self, header: bytes, data: memoryview) -> bytes:
        """Write an array for others to map, and give its digest.

        Raises
        ------
        StoreUnavailable
            If neither the spool nor its fallback has room.
        """
        return self._put(self._write, header, data)

    def put_apart(self, header: bytes, data: memoryview) -> bytes:
        """Write an array for one reader, in a file that no equal array shares; give what stands for its digest.

        Raises
        ------
        StoreUnavailable
            As :meth:`put` does.
        """
        return self._put(self._write_apart, header, data)

    def map(self, digest: bytes, header: bytes, nbytes: int) -> tuple[bytearray | mmap.mmap, int]:
        """Give the whole file as private, writable memory, and where the data start; ValueGone."""
        for directory in filter(None, (self.path, self.fallback)):
            try:
                buffer = read_file(self._disk, _file(directory, digest), len(header) + nbytes, mapped=True)
            except (OSError, Unfit):
                continue
            if buffer[: len(header)] == header:
                return buffer, len(header)
        raise ValueGone(digest)

    def share(self, digest: bytes) -> None:
        """Have an array in the store's part as well, if it is here; who misses it there will say so."""
        final = _file(self.fallback, digest)
        if exists(self._disk, final):
            return
        with suppress(OSError, Unfit):
            source = _file(self.path, digest)
            content = read_file(self._disk, source, self._disk.stat(source).st_size, mapped=True)
            draft = f"{self.fallback}/{self._disk.token()}"
            write_draft(self._disk, draft, [memoryview(content)], durable=False)
            try:
                publish(self._disk, draft, final)
            finally:
                drop(self._disk, draft)

    def free(self) -> int:
        """Give the bytes that still fit in shared memory, or what stands for it; 0 where it does not say."""
        try:
            return self._disk.free(self.path)
        except OSError:
            return 0

    def set_aside(self, digest: bytes) -> None:
        """Take an array that nobody refers to out of the way of whoever puts an equal one; who has it mapped keeps it.

        1. A worker puts an array, and finds an equal one there. 2. The last value that referred
        to that one is let go of. 3. The worker's result arrives, and refers to an array that is
        gone. So for a while it can be brought back.
        """
        for directory in filter(None, (self.path, self.fallback)):
            with suppress(OSError):
                self._disk.rename(_file(directory, digest), _aside(directory, digest))

    def bring_back(self, digest: bytes) -> None:
        """Have an array that was set aside under its name again, unless an equal one is there."""
        for directory in filter(None, (self.path, self.fallback)):
            aside = _aside(directory, digest)
            with suppress(OSError):
                publish(self._disk, aside, _file(directory, digest))
            drop(self._disk, aside)

    def discard(self, digest: bytes) -> None:
        """Remove an array that was set aside."""
        for directory in filter(None, (self.path, self.fallback)):
            drop(self._disk, _aside(directory, digest))

    def remove(self, digest: bytes) -> None:
        """Remove an array that nobody will look for; who has it mapped keeps it."""
        for directory in filter(None, (self.path, self.fallback)):
            drop(self._disk, _file(directory, digest))

    def sweep(self) -> None:
        """Remove the directory and all that is in it. Only when no process of the run is left."""
        for lock in self._locks:
            lock.release()
        for directory in filter(None, (self.path, self.fallback)):
            empty_directory(self._disk, directory, SPOOL_NAME)

    def _put(self, write: Callable[[str, Sequence[memoryview]], bytes], header: bytes, data: memoryview) -> bytes:
        pieces = pieces_of(header, data)
        error = OSError(errno.ENOSPC, "no place can be written")
        for directory in filter(None, (self.path, self.fallback)):
            try:
                return write(directory, pieces)
            except OSError as full:
                error = full
        raise self._full(error, pieces) from error

    def _write_apart(self, directory: str, pieces: Sequence[memoryview]) -> bytes:
        name = bytes.fromhex(self._disk.token() + self._disk.token())  # nobody else looks for it, so it may be partial
        write_unnamed(self._disk, _file(directory, name), pieces)
        return name

    def _write(self, directory: str, pieces: Sequence[memoryview]) -> bytes:
        draft = f"{directory}/{self._disk.token()}"
        digest = write_draft(self._disk, draft, pieces, durable=False)
        try:
            publish(self._disk, draft, _file(directory, digest))
        finally:
            drop(self._disk, draft)
        return digest

    def _full(self, error: OSError, pieces: Sequence[memoryview]) -> StoreUnavailable:
        needed = sum(len(piece) for piece in pieces)
        reason = f"{os.strerror(error.errno or 0)}: {needed} bytes needed to hand an array over"
        return StoreUnavailable(store=self.path, reason=reason, did="It goes by message, if it is not too large.")


def _file(directory: str, digest: bytes) -> str:
    return f"{directory}/{digest.hex()}.npy"


def _aside(directory: str, digest: bytes) -> str:
    return f"{directory}/{digest.hex()[:32]}"  # like a draft: swept as one


def _private(disk: Disk, path: str) -> bool:
    found = disk.stat(path)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == disk.user() and not found.st_mode & 0o077


def _claim(disk: Disk, parent: str, name: str) -> tuple[str, RunLock]:
    """Make a directory that was not there, and lock it.

    1. We make it. 2. A run that starts now sees a spool whose lock nobody holds, takes it
    for a leftover and removes it. 3. Our lock fails because the other one is holding it, or
    it makes the directory anew, without our mode. So we make another, under another name.
    """
    for _ in range(_TRIES):
        path = f"{parent}/{name or PREFIX + disk.token()}"
        disk.mkdir(path)
        lock = RunLock(f"{path}/lock", disk=disk)
        try:
            taken = lock.take()
        except OSError:
            taken = exists(disk, path)  # locks do not work here, so nobody will take it for a leftover
        if taken and exists(disk, path) and not disk.stat(path).st_mode & 0o077:
            return path, lock
        if taken:
            lock.release()
            empty_directory(disk, path, SPOOL_NAME)
    raise BlockingIOError(errno.EAGAIN, "a spool could not be locked", parent)
