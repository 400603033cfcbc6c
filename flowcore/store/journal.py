"""Append-only framed records: one writer, any number of readers.

Owns the journal of one run and its lock. A record is a list whose first item names its
kind; a frame holds a list of records, so a group costs one CRC and one write (contract
J1, J2). Nobody shortens, mends or appends to a journal that is not his (J5). Never
interprets a record: `cache` and `history` do.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from typing import TypeAlias

import msgpack

from flowcore.store.arrayfile import drop
from flowcore.store.frames import HEADER_SIZE, Damage, open_journal, pack_header, scan, seal
from flowcore.store.fs import CREATE, DISK, Disk, end_reading, write_all
from flowcore.store.lock import RunLock

Record: TypeAlias = list[object]

_SALT = 16  # bytes


class JournalWriter:
    """The one writer of a run's journal. Only the engine's thread appends; any may sync.

    Parameters
    ----------
    path : str
        The journal; must not exist.
    lock_path : str
        Taken before the journal exists and held for life, where locks work (J7).
    run_id : str
        For the message of a journal that is there already.
    disk : Disk
        Where it is.

    Raises
    ------
    OSError
        If it cannot be made.
    """

    def __init__(self, path: str, lock_path: str, run_id: str, disk: Disk = DISK) -> None:
        self.path = path
        self.run_id = run_id
        self.salt = secrets.token_bytes(_SALT)
        self._disk = disk
        self._lock = RunLock(lock_path, disk=disk)
        self._fd = -1
        self.locked = self._take_lock()
        try:
            self.end = self._begin()
        except OSError:
            self.release()
            raise

    def _begin(self) -> int:
        header = pack_header(self.salt, self._disk.boot())
        self._fd = self._disk.open(self.path, CREATE, 0o600)
        try:
            self._disk.chmod(self._fd, 0o600)
            write_all(self._disk, self._fd, header)
        except OSError:
            drop(self._disk, self.path)
            raise
        return len(header)

    def _take_lock(self) -> bool:
        try:
            return self._lock.claim()
        except OSError:
            return False  # locks only save work: nobody will wait for this run

    def append(self, records: list[Record]) -> int:
        """Write records as one frame; give its offset. See :meth:`append_payload`."""
        return self.append_payload(pack(records))

    def append_payload(self, payload: bytes) -> int:
        """Write a packed list of records as one frame; give its offset.

        Raises
        ------
        OSError
            If not all of it could be written. What was written stays as debris, and
            the next frame follows behind it (J6).
        """
        offset = self.end
        frame = memoryview(seal(self.salt, offset, payload))
        done = 0
        try:
            while done < len(frame):
                count = self._disk.pwrite(self._fd, frame[done:], offset + done)
                if count == 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
                done += count
        except OSError:
            self.end = max(offset + done, self._size(offset + done))
            raise
        self.end = offset + len(frame)
        return offset

    def sync(self) -> None:
        """Wait until what was appended is on the medium; FileNotFoundError if the journal has no name left."""
        if self._disk.fstat(self._fd).st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, "the store was removed during the run", self.path)
        self._disk.fsync(self._fd)

    def fileno(self) -> int:
        """Give the descriptor."""
        return self._fd

    def close(self) -> None:
        """Write no more. The lock is held until :meth:`release`."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._disk.close(fd)

    def release(self) -> None:
        """Let go of the lock: from now on the run counts as dead, and what it left may be removed."""
        self.close()
        self._lock.release()

    def _size(self, known: int) -> int:
        try:
            return self._disk.fstat(self._fd).st_size
        except OSError:
            return known


def pack(records: list[Record]) -> bytes:
    """Give records as the payload of a frame."""
    payload: bytes = msgpack.packb(records, use_bin_type=True, unicode_errors="surrogatepass")
    return payload


def unpack(payload: bytes) -> list[Record] | None:
    """Give the records in a payload; None if it is not a list of such."""
    try:
        found = msgpack.unpackb(payload, raw=False, strict_map_key=False, unicode_errors="surrogatepass")
    except (ValueError, TypeError, RecursionError):
        return None
    if not isinstance(found, list):
        return None
    return [record for record in found if isinstance(record, list) and record and isinstance(record[0], str)]


def read_frames(
    path: str, offset: int = 0, *, disk: Disk = DISK, damage: Damage | None = None
) -> Iterator[tuple[int, int, list[Record]]]:
    """Yield the frames of a journal from `offset` on, as (offset, end, records).

    Bad frames are skipped and added to `damage`. To follow a live journal, call again
    with the last `end`.
    """
    opened = open_journal(disk, path)
    if opened is None:
        return
    fd, header = opened
    damage = damage if damage is not None else Damage()
    try:
        for frame in scan(disk, fd, header, damage=damage, offset=max(offset, HEADER_SIZE)):
            records = unpack(frame.payload)
            if records is None:
                damage.add(frame.offset, frame.end)
                continue
            yield frame.offset, frame.end, records
    except OSError:
        return
    finally:
        end_reading(disk, fd)
