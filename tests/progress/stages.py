"""What the tests of views share: boards, rows, and a terminal that is only looked at."""

from __future__ import annotations

import io
from dataclasses import replace

import pyte

from flowcore.progress.tally import Board, Row

ROW = Row(
    name="erode", kind="compute", nodes=1, cells=20, open=False, running=2, done=5, hit=3, failed=0, skipped=0,
    rate=2.0, left=6.0,
)  # fmt: skip
BOARD = Board(run="r1", flow="landscape", status="", stopping=False, seconds=7.0, rows=(ROW,))
OVER = replace(BOARD, status="done", rows=(replace(ROW, running=0, done=17, rate=None, left=None),))
HOSTILE = "<script>\x1b[2J\u202e../../x\x00"


class Glass(io.StringIO):
    """A terminal: keeps what was written, and what a person would see."""

    def __init__(self, *, columns: int = 80, lines: int = 24) -> None:
        super().__init__()
        self.seen = pyte.Screen(columns, lines)
        self.seen.set_mode(pyte.modes.LNM)  # "\n" goes to the start of the line, as a real terminal is told to do
        self._parser = pyte.Stream(self.seen)
        self.writes = 0

    def isatty(self) -> bool:
        """Tell that it is one."""
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Its encoding."""
        return "utf-8"

    def write(self, text: str) -> int:
        """Show text."""
        self.writes += 1
        self._parser.feed(text)
        return super().write(text)

    @property
    def shown(self) -> list[str]:
        """The lines that are to be seen."""
        lines = [line.rstrip() for line in self.seen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines
