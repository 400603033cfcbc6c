"""The user's files: what is in them, whether that has changed, and copies of them in the store.

Owns the *stat cache*: what a file was found to hold is believed again as long as device,
inode, size, mtime and ctime are the same, and only if mtime and ctime were then older
than the reading by more than any filesystem's granularity (git's rule for racy files): a
later change could not have given it the same times. What may not be believed is read
again, so the cache saves time and decides nothing (contract F27). It is written down as
`file` records of journals, ``["file", [[device, inode, size, mtime_ns, ctime_ns,
digest], ...]]``, which hold no names.

Owns the copying of a result into `files/`, which then is a blob like others. Never
writes to, moves or removes a file of the user's.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterable
from typing import Final, NamedTuple

from blake3 import blake3

from flowcore import clock
from flowcore.declare.files import File
from flowcore.errors import MissingFile
from flowcore.plan.encode import ValueGone
from flowcore.plan.files import Facts, Filed
from flowcore.store.arrayfile import CHUNK, Unread, copy_draft
from flowcore.store.blobs import Blobs
from flowcore.store.fs import DISK, Disk, end_reading
from flowcore.store.layout import suffix_of

GRANULARITY_NS: Final = 2_000_000_000  # the coarsest there is: FAT
NETWORK_NS: Final = 60_000_000_000  # a server's clock is not ours, and attributes are cached here
_READINGS: Final = 3  # of a file that is being written

Times = tuple[int, int, int, int, int]  # device, inode, size, mtime_ns, ctime_ns


class StatCache:
    """What files were found to hold. Any thread.

    Parameters
    ----------
    known : dict
        From what a stat said to a digest: of earlier runs.
    """

    def __init__(self, known: dict[Times, bytes] | None = None) -> None:
        self._known = {} if known is None else known
        self._fresh: list[list[object]] = []
        self._lock = threading.Lock()

    def get(self, times: Times) -> bytes | None:
        """Give the digest of a file, if that can be told from its stat."""
        return self._known.get(times)

    def add(self, times: Times, digest: bytes) -> None:
        """Remember a file whose times will show every later change."""
        with self._lock:
            self._known[times] = digest
            self._fresh.append([*times, digest])

    def drain(self) -> list[list[object]]:
        """Give what was added and not given before, for the journal."""
        if not self._fresh:
            return []
        with self._lock:
            fresh, self._fresh = self._fresh, []
        return fresh


def load_stats(known: dict[Times, bytes], record: list[object]) -> None:
    """Take the entries of a `file` record; what has another shape is passed over."""
    entries = record[1] if len(record) > 1 else None
    for entry in entries if isinstance(entries, list) else ():
        match entry:
            case [int(device), int(inode), int(size), int(mtime), int(ctime), bytes(digest)] if len(digest) == 32:
                known[device, inode, size, mtime, ctime] = digest


class Seen(NamedTuple):
    """A file that a cell is given, as it was before."""

    filed: Filed
    path: str
    times: Times | None  # of a kept one; None: it could not be stat'ed


class Files:
    """Files as one process of a run sees them. Any thread.

    Parameters
    ----------
    blobs : Blobs or None
        Where results are kept, and kept ones are found.
    disk : Disk
        Where files are.
    known : StatCache, optional
        What need not be read again.
    """

    def __init__(self, blobs: Blobs | None = None, *, disk: Disk = DISK, known: StatCache | None = None) -> None:
        self.blobs = blobs
        self._disk = disk
        self._known = known if known is not None else StatCache()
        self._network: dict[int, bool] = {}  # by device

    def look(self, file: File) -> Filed:
        """Find out what a file holds, where it lies.

        Raises
        ------
        MissingFile
            If it cannot be read.
        """
        path = os.path.abspath(os.fspath(file))
        try:
            digest, times, settled = self._identify(path)
        except OSError as error:
            raise _missing(file, error) from None
        device, inode, size, mtime, ctime = times
        return Filed(digest, size, path, Facts(device, inode, mtime, ctime, settled))

    def take(self, file: File) -> Filed:
        """Copy a file into the store; one that lies there is named as it is.

        Raises
        ------
        MissingFile
            If it cannot be read.
        StoreUnavailable
            If it cannot be kept.
        """
        if self.blobs is None:
            return self.look(file)
        path = os.path.realpath(os.fspath(file))
        kept = self._kept(path)
        if kept is not None:
            return kept
        try:
            fd = self._open(path)
        except OSError as error:
            raise _missing(file, error) from None
        suffix = suffix_of(path)
        try:
            name, size = self.blobs.keep(
                lambda draft, durable: copy_draft(self._disk, fd, draft, suffix=suffix, durable=durable),
                needed=self._disk.fstat(fd).st_size,
            )
        except Unread as unread:
            raise _missing(file, unread.error) from None
        finally:
            end_reading(self._disk, fd)
        return Filed(name[:32], size, suffix, None)

    def locate(self, filed: Filed) -> str:
        """Give the path of a kept file, verified.

        Raises
        ------
        ValueGone
            If it is not there, or is not what its name says.
        """
        if self.blobs is None:
            raise ValueGone(filed.name)
        return self.blobs.locate(filed.name, filed.size)

    def see(self, filed: Filed) -> Seen:
        """Take note of a file before a cell gets it."""
        if filed.facts is not None:
            return Seen(filed, filed.where, None)
        assert self.blobs is not None, "a kept file has been located"
        path = self.blobs.path(filed.name)
        try:
            return Seen(filed, path, _times(self._disk.stat(path)))
        except OSError:
            return Seen(filed, path, None)

    def changed(self, seen: Seen) -> bool:
        """Tell whether a file may have been another one while a cell had it."""
        filed, facts = seen.filed, seen.filed.facts
        try:
            now = _times(self._disk.stat(os.path.realpath(seen.path)))
        except OSError:
            return facts is not None  # one that the store has let go of was not written to
        if facts is None:
            if seen.times is None or now == seen.times:
                return False
            assert self.blobs is not None, "a kept file has been located"
            self.blobs.doubt(filed.name)
            return True
        if now[1:] != (facts.inode, filed.size, facts.mtime_ns, facts.ctime_ns):
            return True
        if now[0] == facts.device and facts.settled:
            return False
        try:  # it was too young for its times to tell, or this is another machine
            return self._identify(seen.path)[0] != filed.digest
        except OSError:
            return True

    def _kept(self, path: str) -> Filed | None:
        """Give the kept file that a path names, if it is one."""
        assert self.blobs is not None, "asked by take"
        name = self.blobs.name_of(path)
        if name is None:
            return None
        try:
            size = self._disk.stat(path).st_size
            self.blobs.locate(name, size)
        except (OSError, ValueGone):
            return None
        return Filed(name[:32], size, suffix_of(path), None)

    def _open(self, path: str) -> int:
        fd = self._disk.open(os.path.realpath(path))
        if not stat.S_ISREG(self._disk.fstat(fd).st_mode):
            end_reading(self._disk, fd)
            raise IsADirectoryError(0, "it is no regular file")
        return fd

    def _identify(self, path: str) -> tuple[bytes, Times, bool]:
        """Give digest and stat of a file, and whether the stat will tell any later change."""
        fd = self._open(path)
        try:
            for _ in range(_READINGS):
                times = _times(self._disk.fstat(fd))
                known = self._known.get(times)
                if known is not None:
                    return known, times, True
                settled = self._settled(path, times)
                digest = self._digest(fd)
                if _times(self._disk.fstat(fd)) == times:
                    break
            else:  # it is being written: what a cell makes of it will not be kept
                settled = False
        finally:
            end_reading(self._disk, fd)
        if settled:
            self._known.add(times, digest)
        return digest, times, settled

    def _settled(self, path: str, times: Times) -> bool:
        # 1. A file is written. 2. It is read here, within the same tick of the filesystem's clock. 3. It is written
        # again, in that tick, at the same size: the stat is the same, and the content is not. So its times count
        # only if they were past by the time that reading began.
        device, _, _, mtime, ctime = times
        if device not in self._network:
            try:
                self._network[device] = self._disk.network(path)
            except OSError:
                self._network[device] = True
        margin = NETWORK_NS if self._network[device] else GRANULARITY_NS
        return int(clock.wall() * 1e9) - max(mtime, ctime) > margin

    def _digest(self, fd: int) -> bytes:
        hasher, offset = blake3(), 0
        buffer = memoryview(bytearray(CHUNK))
        while count := self._disk.read_into(fd, buffer, offset):
            hasher.update(buffer[:count])
            offset += count
        return hasher.digest()


def changed_file(files: Files, seen: Iterable[Seen]) -> str:
    """Give the path of a file that changed while a cell had it; empty if none did."""
    return next((one.path for one in seen if files.changed(one)), "")


def _times(found: os.stat_result) -> Times:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _missing(file: File, error: OSError) -> MissingFile:
    return MissingFile(path=str(file), reason=error.strerror or str(error))
