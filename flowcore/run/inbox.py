"""The one place where the engine waits: results, pipes, and deadlines.

The engine's thread owns an Inbox and is the only one that calls :meth:`Inbox.wait`,
:meth:`Inbox.watch` and :meth:`Inbox.at`. Any thread may call :meth:`Inbox.post`.
Nothing in here can block without bound: a wait ends when something is posted, a
watched file is ready, or the nearest deadline is due (contract P5).
"""

from __future__ import annotations

import heapq
import itertools
import os
import selectors
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from flowcore import clock
from flowcore.run.job import Result

Ready = Callable[[], None]


class HasFileno(Protocol):
    """Anything the operating system can wait for."""

    def fileno(self) -> int:
        """Give the descriptor."""
        ...


class Timer:
    """A deadline that can be called off."""

    __slots__ = ("call", "due")

    def __init__(self, due: float, call: Ready) -> None:
        self.due = due
        self.call: Ready | None = call

    def cancel(self) -> None:
        """Forget this deadline; harmless if it is past."""
        self.call = None


class Inbox:
    """What the engine waits on.

    The wake-up is an eventfd (a pipe elsewhere): posting from another thread writes
    one byte only while the engine sleeps, so a busy run makes no system call a post.
    """

    def __init__(self) -> None:
        self._results: deque[Result] = deque()
        self._calls: deque[Ready] = deque()
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._drain)
        self._sleeping = False
        self._closed = False
        self._ring_lock = threading.RLock()  # a signal handler may post while its own thread is posting

    def post(self, results: Sequence[Result]) -> None:
        """Hand results to the engine. Any thread."""
        self._results.extend(results)
        self.wake()

    def call(self, call: Ready) -> None:
        """Have `call` called on the engine's thread soon. Any thread."""
        self._calls.append(call)
        self.wake()

    def wake(self) -> None:
        """Make :meth:`wait` return soon. Any thread, also a signal handler.

        1. The engine sets _sleeping. 2. It looks at _results once more. 3. It sleeps.
        A poster appends first and looks at _sleeping second, so either the engine sees
        the result in step 2, or the poster sees the flag and writes the byte.
        """
        if not self._sleeping:
            return
        with self._ring_lock:  # a late poster must not write to a descriptor that is somebody else's by now
            if self._closed:
                return
            try:
                os.write(self._wake_write, b"\0")
            except BlockingIOError:  # the pipe is full of wake-ups already
                return

    def watch(self, file: HasFileno | int, call: Ready, *, write: bool = False) -> None:
        """Call `call` on the engine's thread whenever `file` is ready; again replaces."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if write else 0)
        if self.watches(file):
            self._selector.modify(file, events, call)
        else:
            self._selector.register(file, events, call)

    def watches(self, file: HasFileno | int) -> bool:
        """Tell whether `file` is being watched."""
        return file in self._selector.get_map()

    def unwatch(self, file: HasFileno | int) -> None:
        """Stop watching `file`; harmless if it was not watched. Call before closing it."""
        if self.watches(file):
            self._selector.unregister(file)

    def at(self, due: float, call: Ready) -> Timer:
        """Call `call` on the engine's thread at `due` (clock.monotonic) or soon after."""
        timer = Timer(due, call)
        heapq.heappush(self._timers, (due, next(self._order), timer))
        return timer

    def wait(self, timeout: float | None = None) -> list[Result]:
        """Sleep until something happens, see to it, and give the results there are."""
        self._sleeping = True
        if self._results or self._calls:
            timeout = 0.0
        ready = self._selector.select(self._patience(timeout))
        self._sleeping = False
        for key, _ in ready:
            key.data()
        self._ring()
        for _ in range(len(self._calls)):
            self._calls.popleft()()
        taken: list[Result] = []
        while self._results:
            taken.append(self._results.popleft())
        return taken

    def close(self) -> None:
        """Let go of everything. A post after this is kept and never read."""
        with self._ring_lock:
            self._closed = True
            self._selector.close()
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _patience(self, timeout: float | None) -> float | None:
        while self._timers and self._timers[0][2].call is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return timeout
        left = max(0.0, self._timers[0][0] - clock.monotonic())
        return left if timeout is None else min(left, timeout)

    def _ring(self) -> None:
        if not self._timers:
            return
        now = clock.monotonic()
        while self._timers and self._timers[0][0] <= now:
            call = heapq.heappop(self._timers)[2].call  # once: another thread may call the timer off just now
            if call is not None:
                call()

    def _drain(self) -> None:
        try:
            os.read(self._wake_read, 4096)
        except BlockingIOError:
            return
