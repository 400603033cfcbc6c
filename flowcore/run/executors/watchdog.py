"""Names what blocks an event loop, while it does (contract F39).

A coroutine that computes, or calls what blocks, stalls its peers, and nobody on the loop
can say so. A thread looks at the loop from outside, four times a second and only while
there are coroutines. It never wakes an idle loop, and never calls a loop blocked that is
merely busy: a turn of ten thousand short steps takes long as well. So it asks for
*one* step:

1. A look finds a task that is running, and asks the loop for a sign at its next turn.
2. A later look finds the same task, and no sign. A turn begins each task's step at most
   once, so this is the same step, and has run in between.
3. At the third look in a row that finds it so, half a second after the first, it is told.

Looks are counted, not the time between them: a process that was stopped for an hour has
blocked nothing. A call that holds the GIL is told when it lets go of it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Protocol

from flowcore.run.cell.failure import is_library, is_ours

LOOK = 0.25  # seconds between two looks
_LOOKS = 3  # in a row, from the first that finds a step running


class Loop(Protocol):
    """What is looked at."""

    def running(self) -> object | None:
        """Give the task whose step runs now; None between two steps. Any thread."""
        ...

    def idle(self) -> bool:
        """Tell whether there is nothing that could block it. Any thread."""
        ...

    def at_next_turn(self, call: Callable[[], None]) -> None:
        """Call something on the loop at its next turn. Any thread."""
        ...

    def blocked(self, task: object, at: str) -> None:
        """Hear of a task whose step takes long, and of the user's line where it is now. The watchdog's thread."""
        ...


class Watchdog:
    """Looks at one loop, from each :meth:`watch` on until it is idle.

    Parameters
    ----------
    loop : Loop
    thread : int
        Identity of the loop's thread.
    """

    def __init__(self, loop: Loop, thread: int) -> None:
        self._loop = loop
        self._watched = thread
        self._awake = threading.Event()
        self._ended = threading.Event()
        self._suspect: object | None = None
        self._looks = 0  # in a row that found the suspect at the same step
        self._turned = True  # the loop's sign, which it alone sets
        self._thread: threading.Thread | None = None

    def watch(self) -> None:
        """Look, if that is not done already. Called by one thread, when the loop has something to do."""
        self._awake.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._stand_guard, name="flowcore-watchdog", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End; the thread may take a moment more."""
        self._ended.set()
        self._awake.set()
        self._suspect = None

    def look(self) -> None:
        """Have one look. The watchdog's thread alone."""
        task = self._loop.running()
        if task is None:
            self._suspect = None
            return
        if task is not self._suspect or self._turned:
            self._suspect, self._looks, self._turned = task, 1, False
            self._loop.at_next_turn(self._turn)
            return
        self._looks += 1
        if self._looks == _LOOKS:
            self._loop.blocked(task, users_line(sys._current_frames().get(self._watched)))

    def _turn(self) -> None:
        self._turned = True

    def _stand_guard(self) -> None:
        """Look now and then, as long as there is something to see. The thread's whole life."""
        while self._awake.wait() and not self._ended.wait(LOOK):
            self.look()
            self._awake.clear()  # first: what is begun from here on is seen by the next line, or has us called
            if self._ended.is_set() or not self._loop.idle():  # an end that came just before was cleared with it
                self._awake.set()


def users_line(frame: FrameType | None) -> str:
    """Give file:line of the innermost frame that is neither ours nor a library's; of any frame if all are."""
    first = frame
    while frame is not None:
        if not is_ours(frame.f_code.co_filename) and not is_library(frame.f_code.co_filename):
            return _place(frame)
        frame = frame.f_back
    return _place(first) if first is not None else ""


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
