"""What cells of one place have printed and not yet told: the unfinished lines."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal, TypeAlias

from flowcore.run.job import Printed

Stream: TypeAlias = Literal["stdout", "stderr"]
_HELD = 8 * 1024  # characters of an unfinished line that wait for its end


class Pages:
    """Collects what is printed, and tells it line by line. Any thread.

    Parameters
    ----------
    told : callable
        Given each piece.
    echo : bool
        Nobody shows what is told: it is to go where it would have gone, too.
    """

    def __init__(self, told: Callable[[Printed], None], *, echo: bool) -> None:
        self.echo = echo
        self._told = told
        self._lock = threading.Lock()
        self._held: dict[int, tuple[Stream, list[str]]] = {}  # by attempt

    def write(self, attempt: int, stream: Stream, text: str) -> None:
        """Take what was written; it is told when its line ends."""
        with self._lock:
            held = self._held.get(attempt)
            if held is not None and held[0] != stream:
                self._tell(attempt)
                held = None
            if held is None:
                held = self._held[attempt] = (stream, [])
            held[1].append(text)
            if "\n" in text or sum(map(len, held[1])) > _HELD:
                self._tell(attempt)

    def flush(self, attempt: int) -> None:
        """Tell what waits for the end of a line."""
        if attempt in self._held:
            with self._lock:
                self._tell(attempt)

    def _tell(self, attempt: int) -> None:
        stream, pieces = self._held.pop(attempt, ("stdout", []))
        text = "".join(pieces)
        if text:
            self._told(Printed(attempt=attempt, stream=stream, text=text))
