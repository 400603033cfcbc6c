"""What is done when the store cannot be written: told once, and lived with.

Owns the decision whether to try again. Promises one warning a run, however many files
fail (contract F19, F20, E11). Never raises on its own account.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from typing import TypeAlias

from flowcore import clock
from flowcore.errors import FlowcoreWarning, StoreUnavailable
from flowcore.notices import notice
from flowcore.store.fs import Disk

Tell: TypeAlias = Callable[[FlowcoreWarning], None]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_PASSING = _FULL | {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EINTR}
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_FIRST_PAUSE = 1.0  # seconds after the first failure that may pass
_LONGEST_PAUSE = 60.0


def warn(warning: FlowcoreWarning) -> None:
    """Tell the user, the ordinary way."""
    notice(warning)


class Trouble:
    """Whether this run still writes to its store. Any thread.

    A full disk may have room again: it is tried after a pause that doubles. Anything
    else ends writing for this run. After a failed fsync in particular the kernel has
    marked the lost pages as clean, so a second fsync would "succeed" (F20).

    Parameters
    ----------
    store : str
        Where it is, for the message.
    disk : Disk
        Asked for free room.
    tell : callable
        Given the one warning.
    """

    def __init__(self, store: str, *, disk: Disk, tell: Tell = warn) -> None:
        self.store = store
        self.first: StoreUnavailable | None = None
        self._disk = disk
        self.tell = tell
        self._lock = threading.Lock()
        self._stopped: str | None = None
        self._pause = 0.0
        self._again = 0.0

    @property
    def stopped(self) -> bool:
        """Tell whether writing has ended for good."""
        return self._stopped is not None

    def refusal(self) -> StoreUnavailable | None:
        """Give the reason not to write just now, or None."""
        if self.first is None:
            return None
        if self._stopped is None and clock.monotonic() >= self._again:
            return None
        return StoreUnavailable(store=self.store, reason=self._stopped or self.first.reason)

    def met(self, error: OSError, *, needed: int = 0) -> StoreUnavailable:
        """Take note of a failed call; give the error that says so."""
        reason = error.reason if isinstance(error, StoreUnavailable) else self._reason(error, needed)
        if error.errno in _PASSING:
            self._pause = min(max(_FIRST_PAUSE, self._pause * 2), _LONGEST_PAUSE)
            self._again = clock.monotonic() + self._pause
            return self._note(StoreUnavailable(store=self.store, reason=reason, remedy=_remedy(error)))
        return self.stop(reason, remedy=_remedy(error))

    def stop(self, reason: str, *, remedy: str = "") -> StoreUnavailable:
        """End writing for this run."""
        if self._stopped is None:
            self._stopped = reason
        return self._note(StoreUnavailable(store=self.store, reason=reason, remedy=remedy))

    def note(self, error: StoreUnavailable) -> None:
        """Take over what was found when the store was opened, and end writing."""
        self._stopped = error.reason
        self._note(error)

    def hear(self, warning: FlowcoreWarning) -> None:
        """Tell what another process of the run met; trouble with the store is told once, whoever met it."""
        if isinstance(warning, StoreUnavailable):
            self._note(warning)
        else:
            self.tell(warning)

    def tolerate(self, reason: str) -> None:
        """End writing without a word: the engine has told of it already."""
        self._stopped = reason
        self.first = StoreUnavailable(store=self.store, reason=reason)

    def _note(self, error: StoreUnavailable) -> StoreUnavailable:
        with self._lock:
            fresh, self.first = self.first is None, self.first or error
        if fresh:
            self.tell(error)
        return error

    def _reason(self, error: OSError, needed: int) -> str:
        text = os.strerror(error.errno) if error.errno else str(error)
        if error.errno == errno.ENOENT:
            return "it was removed during the run"
        if error.errno in _READ_ONLY:
            return f"it is read-only ({text})"
        if error.errno in _FULL:
            return f"{text}: {needed} bytes needed{self._free()}"
        return text

    def _free(self) -> str:
        try:
            return f", {self._disk.free(self.store)} free"
        except OSError:
            return ""


def _remedy(error: OSError) -> str:
    if error.errno in _FULL:
        return "Make room, or name a store on another disk."
    if error.errno in _READ_ONLY:
        return "Name a store that you may write to."
    return ""
