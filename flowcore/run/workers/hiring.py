"""How many workers there should be, and when to stop trying (contract F35).

A failed start is capacity, not an error: the next try waits, longer each time. Three in a
row without a finished cell between them, and no worker left or under way: `broken`.
In a row means one after the other: workers that were under way together fail together,
and count once.
What counts as failed are a start that the system refused, a launcher that ended, a worker
that ended before its first run, and a death in mid-batch that no cell could be charged
with. The death of an idle worker says nothing about cells: it is replaced, and only the
pace of replacing slows down if it goes on.
"""

from __future__ import annotations

from flowcore import clock
from flowcore.run.inbox import Inbox, Timer
from flowcore.run.pool import Pool

FAILED_STARTS = 3  # in a row: capacity is gone
_BACK_OFF = 0.1  # seconds before the next start after a failed one; doubles
_LONGEST = 5.0


class Hiring:
    """Keeps a pool at its number of workers. The engine's thread alone.

    Attributes
    ----------
    broken : str
        Why no worker can be had; empty while some can.
    """

    def __init__(self, pool: Pool, inbox: Inbox, wanted: int) -> None:
        self.broken = ""
        self._pool = pool
        self._inbox = inbox
        self._wanted = wanted
        self._failed = 0
        self._before = 0  # workers up to this token were under way at the last failure
        self._idle_deaths = 0
        self._pause: Timer | None = None
        self._ended = False

    def staff(self) -> None:
        """Have as many workers as are wanted, unless we are to wait before we start one."""
        try:
            while self._short():
                self._pool.hire()
        except OSError as error:
            self.failed(f"a worker could not be started: {error}")

    def fruitful(self) -> None:
        """A cell has finished: whatever failed before was no habit."""
        self._failed = self._idle_deaths = 0

    def failed(self, reason: str, token: int | None = None) -> None:
        """A start failed, or counts as failed; `token`: of the worker, if it came so far."""
        if token is None or token > self._before:
            self._failed += 1
            self._before = self._pool.latest
        if self._failed >= FAILED_STARTS and all(worker.doomed for worker in self._pool.workers):
            self.broken = self.broken or reason
            return
        self._wait(_BACK_OFF * 2 ** min(self._failed, 8))

    def idle_death(self) -> None:
        """A worker that had no cells ended by itself."""
        self._idle_deaths += 1
        if self._idle_deaths > self._wanted:
            self._wait(_BACK_OFF * 2 ** min(self._idle_deaths - self._wanted, 8))

    def close(self) -> None:
        """Start no more workers."""
        self._ended = True
        if self._pause is not None:
            self._pause.cancel()

    def _short(self) -> bool:
        if self._ended or self.broken or self._pause is not None:
            return False
        return sum(not worker.doomed for worker in self._pool.workers) < self._wanted

    def _wait(self, seconds: float) -> None:
        if self._pause is None and not self._ended:
            self._pause = self._inbox.at(clock.monotonic() + min(seconds, _LONGEST), self._resume)

    def _resume(self) -> None:
        self._pause = None
        self.staff()
