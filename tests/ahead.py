"""flowcore's clock in this process, which a test puts forward instead of waiting."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

import flowcore as fc
from flowcore import clock


class Ahead:
    """Runs as the real clock does, and so much ahead of it as it is told; worker processes keep their own.

    What a worker has begun before is as much older for the engine, then, than it is.
    """

    def __init__(self) -> None:
        self._seconds = 0.0

    def put_forward(self, seconds: float, run: fc.Run | None = None) -> None:
        """Let so much time pass at once; a run that sleeps is woken to see it."""
        self._seconds += seconds
        if run is not None:
            run._session.books.inbox.call(lambda: None)  # noqa: SLF001

    def __enter__(self) -> Self:
        self._real = clock.monotonic
        clock.monotonic = self._read
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        clock.monotonic = self._real

    def _read(self) -> float:
        return time.monotonic() + self._seconds
