"""The limits within which a reader is fuzzed, and what an input cost.

A second thread would disturb what is measured, so time is the processor's own: a signal after
so many seconds of it. Memory has two guards: the process may not have a gibibyte more than it
began with, and an input after which it is larger than ever is read again while allocations
are counted.
"""

from __future__ import annotations

import resource
import signal
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.fuzz.reader import Reader, TooMuch

SECONDS: Final = 10.0  # of processor time that one input may take; the slowest sound one takes a hundredth
LIMIT: Final = 1 << 30
_NOTICED: Final = 2 << 10  # KiB by which the process has to grow for an input to be looked at


def limit_memory() -> None:
    """Let this process have LIMIT bytes more than it has."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + LIMIT, used + LIMIT))


@contextmanager
def limited_time() -> Iterator[None]:
    """Interrupt what takes longer than an input may; see :func:`begin`."""
    before = signal.signal(signal.SIGPROF, _interrupt)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def begin() -> float:
    """Give an input its time; give the processor time at which it began."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    return time.thread_time()


def _interrupt(number: int, frame: object) -> None:  # noqa: ARG001
    raise TooMuch(f"over {SECONDS} seconds of processor time")


class Growth:
    """Sees when the process has become larger than it ever was."""

    def __init__(self) -> None:
        self._largest = _resident()

    def noticed(self) -> bool:
        """Tell whether it grew by much since this was last true."""
        now = _resident()
        if now - self._largest < _NOTICED:
            return False
        self._largest = now
        return True


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def allocated(read: Callable[[bytes], str], data: bytes) -> int:
    """Read an input once more; give the most bytes that were allocated at once."""
    tracemalloc.start()
    try:
        read(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def weigh(reader: Reader, data: bytes) -> int:
    """Give the most bytes that an input had allocated; TooMuch if it is not worth them."""
    peak = allocated(reader.read, data)
    if peak > reader.factor * len(data) + reader.room:
        raise TooMuch(f"{peak} bytes for an input of {len(data)}")
    return peak
