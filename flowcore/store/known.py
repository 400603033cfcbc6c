"""Which keys a run found in the store when it began, for its workers to ask (contract W5b).

Owns a file in the run's part of `tmp/`: the first 8 bytes of each key as an integer,
sorted, in the machine's own form. It is searched where it is mapped, so asking costs no call to the
system. A key that is in it may have a record that answers, or not, or be another key
altogether that begins alike: who asks leaves such a cell to whoever can judge it. A key
that is not in it has no record older than the file. It says nothing else, and goes with
its run.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from flowcore.store.fs import CREATE, DISK, READ, Disk, end_reading, read_all, write_all

_WIDTH: Final = 8


def write_known(path: str, prefixes: bytes, *, disk: Disk) -> None:
    """Write the file; OSError if that cannot be done, and then there is none."""
    fd = disk.open(path, CREATE)
    try:
        write_all(disk, fd, prefixes)
    except OSError:
        disk.unlink(path)
        raise
    finally:
        disk.close(fd)


class Known:
    """The file, as a worker asks it.

    Raises
    ------
    OSError
        If it cannot be read.
    """

    def __init__(self, path: str, *, disk: Disk = DISK) -> None:
        fd = disk.open(path, READ)
        try:
            size = disk.fstat(fd).st_size // _WIDTH * _WIDTH
            data = read_all(disk, fd, size)
        finally:
            end_reading(disk, fd)
        if data is None:
            raise OSError(f"{path} was shortened")
        self._prefixes = memoryview(data).cast("Q")

    def __contains__(self, key: bytes) -> bool:
        prefix = int.from_bytes(key[:_WIDTH], "big")
        place = bisect_left(self._prefixes, prefix)
        return place < len(self._prefixes) and self._prefixes[place] == prefix
