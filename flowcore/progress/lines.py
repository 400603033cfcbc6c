"""Progress where nothing can be rewritten: a plain line now and then.

The first line comes after five seconds, the next ones at growing distances up to a
minute, and one more at the end. A run of less than a second says nothing unless it was
asked to.
"""

from __future__ import annotations

import sys
from typing import TextIO

from flowcore.errors import shorten
from flowcore.events import Printed
from flowcore.progress.prints import Echo, say
from flowcore.progress.tally import Board
from flowcore.progress.words import about, clocked, counted, loop_told, paced

FIRST = 5.0  # seconds until the first line
_MOST = 60.0  # between two lines
_WORTH = 1.0  # a shorter run is not spoken of


class Lines:
    """Writes a line now and then.

    Parameters
    ----------
    stream : TextIO, optional
        By default standard error, as it is when a line is written.
    asked : bool
        Whether to speak of short runs, too.
    """

    pause = 0.25

    def __init__(self, stream: TextIO | None = None, *, asked: bool = False) -> None:
        self._stream = stream
        self._asked = asked
        self._next = FIRST
        self._echo = Echo()

    def show(self, board: Board) -> None:
        """Write a line if it is time for one."""
        if board.seconds < self._next:
            return
        self._next = board.seconds + min(_MOST, board.seconds)
        self._write(f"[{clocked(board.seconds)}] {running_line(board)}")

    def printed(self, event: Printed) -> None:
        """Pass on what a cell printed."""
        self._echo.printed(event)

    def end_lines(self) -> None:
        """Pass on what cells printed without an end of line."""
        self._echo.close()

    def close(self, board: Board) -> None:
        """Write the closing line."""
        self.end_lines()
        if self._asked or board.seconds >= _WORTH:
            self._write(f"[{clocked(board.seconds)}] {closing_line(board)}")

    def let_go(self) -> None:
        """Give back nothing: nothing was taken."""

    def _write(self, line: str) -> None:
        stream = self._stream if self._stream is not None else sys.stderr
        say(stream, line + "\n")


def running_line(board: Board) -> str:
    """Tell where a run stands, on one line."""
    parts = [f"{board.ended} of {board.cells}{'+' if board.open else ''} cells"]
    if board.sum("hit"):
        parts.append(f"{board.sum('hit')} from the store")
    parts.append(f"{board.sum('running')} running")
    if board.parked.told:
        parts.append(board.parked.told)
    if board.sum("failed"):
        parts.append(f"{board.sum('failed')} failed")
    for kind, label in (("compute", "compute"), ("io", "I/O")):
        rate = sum(row.rate or 0.0 for row in board.rows if row.kind == kind)
        if rate:
            parts.append(f"{label} {paced(rate)}")
    parts += [loop_told(loop) for loop in board.loops[:1]]
    if board.left is not None:
        parts.append(left_told(board))
    return f"{shorten(board.flow, 60)}: {', '.join(parts)}"


def closing_line(board: Board) -> str:
    """Tell how a run ended, on one line."""
    parts = [f"{counted(board.sum('done'), 'cell')} ran", f"{board.sum('hit')} from the store"]
    parts += [f"{board.sum(name)} {name}" for name in ("failed", "skipped") if board.sum(name)]
    to_come = board.cells - board.ended
    parts += [f"{to_come} not run"] if to_come > 0 else []
    return f"{shorten(board.flow, 60)}: {board.status}; {', '.join(parts)} (run {board.run})"


def left_told(board: Board) -> str:
    """Tell how long it will take yet, and whether that is all."""
    if board.left is None:
        return ""
    return f"{'about' if board.sure else 'at least'} {about(board.left)} left"
