"""The lower end of a terminal: a few lines that are rewritten, and everything else above them.

Owns: what is painted there; the stand-ins for `sys.stdout` and `sys.stderr` while it is.
Promises: what this process prints meanwhile, from whatever thread, appears above the
painted lines, whole, in order, and within one pause; a thousand prints a second cost one
write a pause. Streams that are no terminal stay what they are. The cursor is never hidden.
Never: is held by two views at once.

Threads: everything here, from any. The lock may be taken again by its own thread, for a
signal handler may print. A forked child writes straight through: the lock is its parent's.
"""

from __future__ import annotations

import functools
import itertools
import operator
import os
import sys
import threading
from collections.abc import Iterable, Sequence
from typing import Any, TextIO, cast

from flowcore.progress.prints import Joiner
from flowcore.run.cell.pages import Stream
from flowcore.run.cell.printing import slip_behind, slip_out

_MOST = 64 * 1024  # characters that wait for the next look
_NAMES: tuple[Stream, Stream] = ("stdout", "stderr")
_TAKEN = threading.Lock()  # there is one screen


class Above:
    """Stands in for a standard stream; what is written to it appears above the painted lines."""

    def __init__(self, stream: TextIO, screen: Screen) -> None:
        self.stream = stream
        self._screen = screen
        self._pid = os.getpid()
        self.live = True

    def write(self, text: str) -> int:
        """Write text: when its line is whole."""
        if not self.live or os.getpid() != self._pid or not isinstance(text, str):
            return self.stream.write(text)
        self._screen.above(self.stream, text, writer=threading.get_ident())
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do nothing while the lines are painted: they see to it within a moment."""
        if not self.live or os.getpid() != self._pid:
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class Screen:
    """Paints lines at the lower end of a terminal.

    Parameters
    ----------
    stream : TextIO
        The terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()
        self._joiner = Joiner(rewriting=True)
        self._waiting: list[tuple[TextIO, str]] = []
        self._size = 0  # characters that wait
        self._painted: list[int] = []  # columns of each painted line
        self._shown: Sequence[str] = ()
        self._standins: dict[Stream, Above] = {}
        self._held = False

    def take(self) -> bool:
        """Take the screen, and stand in for the standard streams; False if somebody has it."""
        if not _TAKEN.acquire(blocking=False):
            return False
        self._held = True
        for name in _NAMES:
            stream = getattr(sys, name)
            if stream is not None and stream.isatty():
                slip_behind(name, functools.partial(self._stand_in, name))
        return True

    def give_back(self) -> None:
        """Let the standard streams be themselves again."""
        for name, standin in self._standins.items():
            standin.live = False
            slip_out(name, standin, standin.stream)
        self._standins = {}
        if self._held:
            self._held = False
            _TAKEN.release()

    def above(self, stream: TextIO, text: str, *, writer: object) -> None:
        """Have text appear above the painted lines."""
        with self._lock:
            lines = self._joiner.take((stream, writer), text)
            if lines:
                self._waiting.append((stream, lines))
                self._size += len(lines)
            if self._size > _MOST:
                self._release(self._erase())

    def paint(self, lines: Sequence[str], widths: Sequence[int], columns: int) -> None:
        """Paint these lines in the place of the last ones, and what waits above them.

        Parameters
        ----------
        lines : sequence of str
            With their colours.
        widths : sequence of int
            Columns that each takes.
        columns : int
            The terminal's width now: lines painted before it changed may have been wrapped.
        """
        with self._lock:
            if not self._waiting and lines == self._shown and self._painted:
                return
            if self._waiting:
                self._release(self._erase(columns))
                start = ""
            else:
                start = self._home(columns)
            self._stream.write(start + "\n".join(f"{line}\x1b[K" for line in lines) + "\x1b[J")
            self._stream.flush()
            self._painted, self._shown = list(widths), lines

    def end_lines(self) -> None:
        """Have what was printed without an end of line appear as it is."""
        with self._lock:
            rest = self._joiner.rest()
            if rest:
                self._waiting.append((self._stream, rest + "\n"))

    def leave(self) -> None:
        """Go to the line below what is painted, which stays."""
        with self._lock:
            start = "\n" if self._painted else ""
            self._painted, self._shown = [], ()
            self._release(start)

    def _stand_in(self, name: Stream, stream: TextIO) -> TextIO:
        self._standins[name] = Above(stream, self)
        return cast(TextIO, self._standins[name])

    def _home(self, columns: int = 0) -> str:
        """Give what moves the cursor to the first painted line."""
        if not self._painted:
            return "\r"
        rows = sum(max(1, -(-width // columns)) if columns else 1 for width in self._painted)
        return "\r" + "\x1b[A" * (rows - 1)

    def _erase(self, columns: int = 0) -> str:
        home = self._home(columns) + "\x1b[J" if self._painted else ""
        self._painted, self._shown = [], ()
        return home

    def _release(self, start: str) -> None:
        """Write what waits, each to its own stream."""
        if start:
            self._stream.write(start)
            self._stream.flush()
        waiting, self._waiting, self._size = self._waiting, [], 0
        for stream, texts in itertools.groupby(waiting, key=operator.itemgetter(0)):
            stream.write("".join(text for _, text in texts))
            stream.flush()
