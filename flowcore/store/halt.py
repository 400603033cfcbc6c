"""A sign in a run's spool that no further cell is to begin.

For processes that cannot be told in another way: those of somebody else's engine. They
look now and then; a spool that is gone says the same, since its run has ended.
"""

from __future__ import annotations

from typing import Final

from flowcore.store.fs import APPEND, Disk
from flowcore.store.layout import exists

NAME: Final = "stop"


def halt(disk: Disk, spool: str) -> None:
    """Put the sign up; without effect where there is no room for it, or no spool any more."""
    try:
        disk.close(disk.open(f"{spool}/{NAME}", APPEND))
    except OSError:
        return


def halted(disk: Disk, spool: str) -> bool:
    """Tell whether the sign is up; no if that cannot be seen."""
    try:
        return exists(disk, f"{spool}/{NAME}") or not exists(disk, spool)
    except OSError:
        return False
