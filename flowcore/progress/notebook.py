"""Progress in a notebook: one piece of HTML, replaced in place.

IPython is never imported here: a notebook has it loaded already, and elsewhere it is
not asked for. No widget, no script: whoever shows HTML shows this.
"""

from __future__ import annotations

import contextvars
import sys
from typing import Any

from flowcore.events import Printed
from flowcore.inspect.html import heading, table
from flowcore.progress.lines import closing_line, left_told, running_line
from flowcore.progress.prints import Echo
from flowcore.progress.tally import Board, Row
from flowcore.progress.words import about, clocked, loop_told, paced

_WORTH = 0.5  # seconds; a shorter run leaves no trace
_LOOPS = 8  # of running cells that are told
_MOST = 30  # rows


def in_notebook() -> bool:
    """Tell whether this is the process behind a notebook.

    Examples
    --------
    >>> in_notebook()
    False
    """
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


class Notebook:
    """Shows a table below the cell that began the run.

    Parameters
    ----------
    asked : bool
        Whether to show short runs, too.
    """

    pause = 0.4

    def __init__(self, *, asked: bool = False) -> None:
        self._asked = asked
        self._handle: Any = None
        self._shown = ""
        self._echo = Echo()
        self._context = contextvars.copy_context()  # by it the kernel knows the cell that began the run

    def show(self, board: Board) -> None:
        """Show where the run stands."""
        if self._handle is None and not self._asked and board.seconds < _WORTH:
            return
        told = board_html(board)
        if told == self._shown:
            return
        self._shown = told
        text = closing_line(board) if board.status else running_line(board)
        self._context.run(self._display, {"text/html": told, "text/plain": text})

    def printed(self, event: Printed) -> None:
        """Pass on what a cell printed."""
        self._echo.printed(event)

    def close(self, board: Board) -> None:
        """Show how the run ended."""
        self._echo.close()
        self.show(board)

    def let_go(self) -> None:
        """Give back nothing: nothing was taken."""

    def _display(self, shown: dict[str, str]) -> None:
        if self._handle is not None:
            self._handle.update(shown, raw=True)
            return
        display: Any = getattr(sys.modules["IPython.display"], "display")  # noqa: B009 - typed nowhere
        self._handle = display(shown, raw=True, display_id=True)


def board_html(board: Board) -> str:
    """Give a board as HTML, compute first, then I/O."""
    rows = [row for kind in ("compute", "io") for row in board.rows if row.kind == kind]
    extra = [word for word in ("failed", "skipped") if any(getattr(row, word) for row in rows)]
    coming = [] if board.status else [left_told(board), board.parked.told]
    title = heading(
        board.flow, clocked(board.seconds), *coming, f"run {board.run}",
        state=board.status or "running",
    ) + _bar(board)  # fmt: skip
    headings = ["task", "kind", ">total", ">done", ">cached", ">running", *(f">{word}" for word in extra)]
    told = [_cells(row, extra) for row in rows[:_MOST]]
    more = f"and {len(rows) - _MOST} more" if len(rows) > _MOST else ""
    more = "; ".join([*([more] if more else []), *(loop_told(loop) for loop in board.loops[:_LOOPS])])
    return table(title, [*headings, ">rate", ">left"], told, more=more)


def _cells(row: Row, extra: list[str]) -> list[str | int | None]:
    name = row.name + (f" ({row.nodes} nodes)" if row.nodes > 1 else "")
    total = f"{row.cells}+" if row.open and row.cells else "?" if row.open else row.cells
    counts = [n or None for n in (row.done, row.hit, row.running, *(getattr(row, word) for word in extra))]
    told = [paced(row.rate) if row.rate else "", about(row.left) if row.left else ""]
    return [name, "I/O" if row.kind == "io" else row.kind, total, *counts, *told]


def _bar(board: Board) -> str:
    share = 100 * board.ended / board.cells if board.cells else 0.0
    colour = "#d9534f" if board.sum("failed") else "#3c9a5f"
    return (
        '<div style="width:20em;max-width:100%;height:6px;border-radius:3px;background:rgba(128,128,128,.25)">'
        f'<div style="width:{min(share, 100.0):.1f}%;height:6px;border-radius:3px;background:{colour}"></div></div>'
    )
