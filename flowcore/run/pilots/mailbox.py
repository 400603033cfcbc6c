"""An inbox within a pilot's: what is watched there, and results that go to one run alone.

Runs count their attempts from one, each for itself. In one common inbox nobody could tell
whose attempt 5 has ended, and one run would have the other's value.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from flowcore.run.inbox import HasFileno, Inbox, Ready, Timer
from flowcore.run.job import Result


class Mailbox(Inbox):
    """Stands for an inbox where one run's executor posts. As for threads, it is the inbox that it is within."""

    def __init__(self, within: Inbox) -> None:
        self._within = within
        self._posted: deque[Result] = deque()

    def drain(self) -> list[Result]:
        """Give what was posted since this was last called."""
        return [self._posted.popleft() for _ in range(len(self._posted))]

    def post(self, results: Sequence[Result]) -> None:
        """See Inbox."""
        self._posted.extend(results)
        self._within.wake()

    def call(self, call: Ready) -> None:
        """See Inbox."""
        self._within.call(call)

    def wake(self) -> None:
        """See Inbox."""
        self._within.wake()

    def watch(self, file: HasFileno | int, call: Ready, *, write: bool = False) -> None:
        """See Inbox."""
        self._within.watch(file, call, write=write)

    def watches(self, file: HasFileno | int) -> bool:
        """See Inbox."""
        return self._within.watches(file)

    def unwatch(self, file: HasFileno | int) -> None:
        """See Inbox."""
        self._within.unwatch(file)

    def at(self, due: float, call: Ready) -> Timer:
        """See Inbox."""
        return self._within.at(due, call)

    def wait(self, timeout: float | None = None) -> list[Result]:
        """Give what was posted: who waits is the pilot, in the inbox that this is within."""
        del timeout
        return self.drain()

    def close(self) -> None:
        """Leave the inbox that this is within as it is."""
