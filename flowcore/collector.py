"""Python's search for reference cycles, put off while many objects are made at once that all stay.

Owns when the cyclic garbage collector rests. A graph of ten thousand nodes is a hundred
thousand objects, and the collector goes through all of them again and again while they
are made: half of the time that it took to lower, plan and make ready such a graph. Here
nothing of that is garbage, so there is nothing to find.

Promises that the collector is as it was once nobody rests any more, however many threads
rested, and that a program that has switched it off finds it off; and that what was made
meanwhile and is garbage after all, as the graph of an earlier run, is found once as much
has been made as there was. Never rests while a task of the user's runs, nor longer than a
burst of the engine's own work.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from types import TracebackType

_LEAST = 500_000  # objects: of some hundred bytes each
_IMMORTAL = 2_000  # objects at most that Python 3.12 sets aside by itself; a program that does sets aside ten thousand


class _Rest:
    """As a context manager: the collector rests within."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._was_on = False
        self._aged = 0  # objects that were made in rests since all were gone through
        self._kept = 0  # objects that there were after that
        self._left_alone = "t" in getattr(sys, "abiflags", "")  # a free-threaded Python has no generations

    def __enter__(self) -> None:
        with self._lock:
            if not self._depth:
                self._was_on = gc.isenabled()
                gc.disable()
            self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        many = False
        with self._lock:
            if self._depth == 1 and self._was_on:
                many = self._age()
                gc.enable()  # before it is counted: a fork in between finds it on, or a rest to end
            self._depth -= 1
        if many:  # not under the lock: anybody's finalizers run
            gc.collect()
            self._kept = len(gc.get_objects())

    def _age(self) -> bool:
        """Let all objects count as old; tell whether so many have been made that all are to be gone through.

        Else each is gone through twice, once in each of the younger generations, to find that it stays.
        Both calls join lists, however long these are. What a program has set aside for good stays there.
        """
        if self._left_alone or gc.get_freeze_count() > _IMMORTAL:
            self._left_alone = True  # to ask once more would take longer, the more is set aside
            return False
        self._aged += gc.get_count()[0]
        gc.freeze()
        gc.unfreeze()
        many = self._aged > max(_LEAST, self._kept)
        self._aged = 0 if many else self._aged
        return many

    def end(self) -> None:
        """Rest no more: in a forked child those who did are not there."""
        self._lock = threading.Lock()
        if self._depth and self._was_on:
            gc.enable()
        self._depth = 0


at_rest = _Rest()
"""While somebody is within it, no thread looks for cycles."""

os.register_at_fork(after_in_child=at_rest.end)
