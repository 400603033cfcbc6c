"""Who begins a message, where more than one may come to have it: whoever claims it first.

Engines hand the work of a worker that died to the next one. A message that was begun must
not go round like that: a cell that kills its worker would kill them all. So who is about
to begin one makes a file in the run's spool, by a name that only one can make, also on a
shared filesystem, and writes into it who that is. Whoever comes second reads it.

The files are named like drafts, and swept as such with their spool.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import lru_cache
from typing import Final

from flowcore.store.fs import CREATE, READ, Disk

_LONGEST: Final = 1024  # bytes of who has a claim


def claim(disk: Disk, spool: str, name: str, who: str) -> str:
    """Claim what goes by a name of 32 hexadecimal digits; give who has it: `who`, or whoever was first.

    An empty answer is somebody who did not say. Where nothing can be claimed, for want of
    room or of a spool, everybody has it: to do things twice is better than never.

    Whoever claims has a file that says so, of which each claim is a link: one call instead of three.
    """
    path, seal = f"{spool}/{name}", f"{spool}/{_seal(who)}"
    try:
        disk.link(seal, path)
    except FileExistsError:
        return _claimant(disk, path)
    except OSError:  # the first claim; or as many links as a file may have, or a filesystem without any
        return _written(disk, path, who, seal)
    return who


def _written(disk: Disk, path: str, who: str, seal: str) -> str:
    try:
        fd = disk.open(path, CREATE)
    except FileExistsError:
        return _claimant(disk, path)
    except OSError:
        return who
    said = who.encode()
    try:
        with suppress(OSError):
            if disk.write(fd, said) == len(said):
                disk.link(path, seal)
    finally:
        disk.close(fd)
    return who


@lru_cache(maxsize=64)
def _seal(who: str) -> str:
    return hashlib.sha256(who.encode()).hexdigest()[:32]


def unclaim(disk: Disk, spool: str, name: str) -> None:
    """Forget a claim; harmless if there is none."""
    with suppress(OSError):
        disk.unlink(f"{spool}/{name}")


def _claimant(disk: Disk, path: str) -> str:
    try:
        fd = disk.open(path, READ)
    except OSError:  # it was forgotten just now
        return ""
    try:
        return disk.pread(fd, _LONGEST, 0).decode(errors="replace")
    except OSError:
        return ""
    finally:
        disk.close(fd)
