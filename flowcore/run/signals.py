"""What signals mean while the main thread waits for a run (contract P12, F13).

The first of SIGINT, SIGTERM and SIGUSR1 stops the run, as batch systems and people
expect; the next one ends what runs. The handler only counts and tells the engine, which
does the rest on its own thread; nothing is raised in the middle of anything. A cell on
the engine's own thread cannot be ended: from the second signal on the end is waited for
with patience, and then the thread is left behind. Off the main thread no handler can be
set, and `Run.cancel` does the same.
"""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from flowcore import clock
from flowcore.run.forked import belongs_here

_GLANCE = 1.0  # seconds between two looks at what has been signalled: the handler ends no wait
_PATIENCE = 3.0  # seconds that a run has to end from the second signal on
_MEANT = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class Signals:
    """Calls `heard` at each signal, for as long as it is entered; `count` has how many there were."""

    def __init__(self, heard: Callable[[], None]) -> None:
        self._heard = heard
        self._before: dict[int, Any] = {}
        self._due = math.inf
        self.count = 0

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _MEANT:
                before = signal.getsignal(number)
                if before is not None and before is not signal.SIG_IGN:  # ignored before: ignored still (nohup)
                    self._before[number] = signal.signal(number, self._handle)
            belongs_here(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.forget()

    def forget(self) -> None:
        """Have signals mean what they meant before.

        In a forked copy as well: `Process.terminate` of a cell is a signal that ends what it
        forked, and waits for that; it is not meant for the run.
        """
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()

    def wait(self, ended: Callable[[float], bool], timeout: float | None) -> bool:
        """Wait for an end by means of `ended`, which takes seconds; tell whether it came while there was patience."""
        last = math.inf if timeout is None else clock.monotonic() + timeout
        glance = _GLANCE if self._before else threading.TIMEOUT_MAX
        while True:
            left = min(last, self._due) - clock.monotonic()
            if ended(min(glance, max(left, 0.0))):
                return True
            if left <= 0.0:
                return False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.count += 1
        if self.count > 1:
            self._due = min(self._due, clock.monotonic() + _PATIENCE)
        self._heard()


def as_by_hand() -> bool:
    """Have the main thread do what it does at Ctrl-C; tell whether it waits for a run, which then stops. Any thread."""
    heard = isinstance(getattr(signal.getsignal(signal.SIGINT), "__self__", None), Signals)
    signal.raise_signal(signal.SIGINT)
    return heard
