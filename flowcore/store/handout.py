"""Files that somebody asked for by name: pictures, reports, exports.

Owns the writing of one, outside of any store. Promises that whoever looks sees the old
file or the new one, whole. Not durable: it can be made again.
"""

from __future__ import annotations

import os

from flowcore.store.fs import CREATE, DISK, Disk, PathLike, write_all


def hand_out(path: PathLike | os.PathLike[str], content: str | bytes, *, disk: Disk = DISK) -> str:
    """Write a file, in place of one that may be there; give its path.

    Raises
    ------
    OSError
        If it cannot be written; what was there is as it was.
    """
    target = os.fspath(path)
    folder, name = os.path.split(target)
    aside = os.path.join(folder, f".{name[:100]}.{disk.token()[:12]}")
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    try:
        fd = disk.open(aside, CREATE, 0o666)
        try:
            write_all(disk, fd, data)
        finally:
            disk.close(fd)
        disk.rename(aside, target)
    except OSError as error:
        _remove(aside, disk)
        raise OSError(error.errno, error.strerror, target) from None
    return target


def _remove(path: str, disk: Disk) -> None:
    try:
        disk.unlink(path)
    except OSError:
        return
