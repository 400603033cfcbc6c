"""Arrays that are handed over without a store: where they lie, and who makes and finds the place.

Owns no file of its own: the place is a spool like a run's, swept by whoever made it, or by the
next one if that was killed. Promises that an array :class:`Apart` has put has one reader, so that
whoever has read it may remove it without asking who else put an equal one.
"""

from __future__ import annotations

import mmap
import tempfile

from flowcore.store.fs import DISK, Disk
from flowcore.store.leftovers import tidy_spools
from flowcore.store.spool import SHARED_MEMORY, Spool


def make_spool(disk: Disk = DISK) -> Spool:
    """Make a place, and remove what dead owners left; it refuses every array if no directory can be written."""
    tidy_spools(disk, (SHARED_MEMORY, tempfile.gettempdir()))
    return Spool.create(fallback="", disk=disk)


def find_spool(path: str, disk: Disk = DISK) -> Spool:
    """Use the one that another process made; PermissionError if the place is not what it made (S5)."""
    return Spool.attach(path, fallback="", disk=disk)


class Apart:
    """Puts each array in a file of its own: for results, which one process reads, once."""

    def __init__(self, spool: Spool) -> None:
        self.place = spool.place
        self._spool = spool

    def put(self, header: bytes, data: memoryview) -> bytes:
        """Write an array; give what stands for its digest."""
        return self._spool.put_apart(header, data)

    def map(self, digest: bytes, header: bytes, nbytes: int) -> tuple[bytearray | mmap.mmap, int]:
        """Give the whole file as private, writable memory, and where the data start; ValueGone."""
        return self._spool.map(digest, header, nbytes)
