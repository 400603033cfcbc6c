"""Progress of a run on a terminal: one line, rewritten; and what tasks print, above it."""

from __future__ import annotations

import sys
from typing import TextIO

from flowcore.events import Cells, Event, NodeDrawn, Printed, RunEnded, RunStarted


class Line:
    """An observer that keeps one line of a stream up to date.

    Where the stream is no terminal nothing is rewritten: only what tasks print is
    passed on, each to the stream that it was meant for.
    """

    def __init__(self, stream: TextIO | None = None, *, live: bool | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._live = self._stream.isatty() if live is None else live
        self._run = ""
        self._cells: dict[int, int | None] = {}
        self._counts: dict[int, Cells] = {}
        self._width = 0

    def on_event(self, event: Event) -> None:
        """Take note of an event."""
        match event:
            case RunStarted():
                self._run = event.run
            case NodeDrawn():
                self._cells[event.node] = event.cells
            case Cells():
                self._counts[event.node] = event
                self._show()
            case Printed():
                self._wipe()
                target = sys.stdout if event.stream == "stdout" else sys.stderr
                target.write(event.text)
                target.flush()
                self._show()
            case RunEnded():
                self._show()
                if self._live and self._width:
                    self._stream.write("\n")
                    self._stream.flush()

    def _show(self) -> None:
        if not self._live:
            return
        counts = self._counts.values()
        ended = sum(c.done + c.hit + c.failed + c.skipped for c in counts)
        known = [n for n in self._cells.values() if n is not None]
        total = f"{sum(known)}{'+' if len(known) < len(self._cells) else ''}"
        text = f"{self._run}: {ended}/{total} cells, {sum(c.started for c in counts)} running"
        text += f", {sum(c.hit for c in counts)} from the store"
        failed = sum(c.failed for c in counts)
        text += f", {failed} failed" if failed else ""
        self._stream.write("\r" + text.ljust(self._width))
        self._stream.flush()
        self._width = len(text)

    def _wipe(self) -> None:
        if self._live and self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()
