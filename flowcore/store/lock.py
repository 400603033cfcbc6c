"""The lock that says a run lives.

Owns one file a run, never the journal itself, and holds it until the process ends. It
only saves work: nothing stored becomes wrong where locks do not work or lie (contract
P3, J7). Never waits for a holder, and never falls back to a lock that survives its owner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flowcore import clock
from flowcore.store.fs import LOCK, Disk

if TYPE_CHECKING:
    from filelock import BaseFileLock

_TRIES: Final = 400
_INSTANT: Final = 0.005  # seconds


class RunLock:
    """One lock file. The kernel lets go of it however the process ends.

    Parameters
    ----------
    path : str
        The file; made if it is not there.
    disk : Disk
        Asked whether it is there.
    """

    def __init__(self, path: str, *, disk: Disk) -> None:
        self.path = path
        self._disk = disk
        self._lock: BaseFileLock | None = None

    def take(self) -> bool:
        """Try once; False if another holds it, OSError if locks do not work here."""
        from filelock import FileLock, Timeout  # 60 ms to import, and no worker needs it

        lock = FileLock(self.path, mode=0o600, thread_local=False, fallback_to_soft=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return False
        self._lock = lock
        return True

    def claim(self) -> bool:
        """Take a lock whose file nobody else makes; False only if that cannot be done.

        1. We make the file. 2. Another run, or gc, asks whether the lock is held, and has it for that instant.
        3. Our taking fails. Without it we would count as dead, and what we write as left over: so we try again.
        """
        for _ in range(_TRIES):
            if self.take():
                return True
            clock.sleep(_INSTANT)
        return False

    def release(self) -> None:
        """Let go; harmless if it is not held."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release(force=True)

    def held(self) -> bool:
        """Tell whether another certainly holds it; False where locks do not work here (J7)."""
        try:
            return not self._free()
        except OSError:
            return False

    def abandoned(self) -> bool:
        """Tell whether the file is there, and certainly held by nobody."""
        try:
            return self._free()
        except OSError:
            return False

    def _free(self) -> bool:
        """Try the lock of a file that is there; taking it the ordinary way would make the file, and its directory."""
        fd = self._disk.open(self.path, LOCK)
        try:
            return self._disk.try_lock(fd)
        finally:
            self._disk.close(fd)
