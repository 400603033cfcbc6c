"""Python's search for reference cycles, put off while many objects are made at once that all stay.

Owns when the cyclic garbage collector rests. A graph of ten thousand nodes is a hundred
thousand objects, and the collector goes through all of them again and again while they
are made: half of the time that it took to lower, plan and make ready such a graph. Here
nothing of that is garbage, so there is nothing to find.

Promises that the collector is as it was once nobody rests any more, however many threads
rested, and that a program that has switched it off finds it off. Never rests while a
task of the user's runs, nor longer than a burst of the engine's own work.
"""

from __future__ import annotations

import gc
import os
import threading
from types import TracebackType


class _Rest:
    """As a context manager: the collector rests within."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._was_on = False

    def __enter__(self) -> None:
        with self._lock:
            if not self._depth:
                self._was_on = gc.isenabled()
                gc.disable()
            self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            if self._depth == 1 and self._was_on:
                gc.enable()  # before it is counted: a fork in between finds it on, or a rest to end
            self._depth -= 1

    def end(self) -> None:
        """Rest no more: in a forked child those who did are not there."""
        self._lock = threading.Lock()
        if self._depth and self._was_on:
            gc.enable()
        self._depth = 0


at_rest = _Rest()
"""While somebody is within it, no thread looks for cycles."""

os.register_at_fork(after_in_child=at_rest.end)
