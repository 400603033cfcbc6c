"""Progress on a terminal: a small table at its lower end, I/O and compute apart.

rich knows the terminal (width, colours, NO_COLOR, TERM=dumb) and turns styles into
escapes; it is loaded when a run has lasted half a second. A terminal that cannot
rewrite, or whose lower end another run has, gets plain lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from flowcore.errors import shorten
from flowcore.events import Printed
from flowcore.progress.lines import Lines, left_told
from flowcore.progress.screen import Screen
from flowcore.progress.tally import Board, Row
from flowcore.progress.words import about, clocked, loop_told, paced

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_WORTH = 0.5  # seconds; a shorter run leaves no trace
_NAME = 32  # columns of a name at most
_BAR = 20  # columns
_LOOPS = 8  # of running cells that are told
_SPARE = 4  # rows of the terminal that are left alone
_LABELS = (("compute", "compute"), ("io", "I/O"))
_STYLES = {
    "running": "cyan", "done": "green", "cached": "blue", "failed": "bold red", "skipped": "yellow", "total": "",
    "rate": "", "left": "bold",
}  # fmt: skip
_STATES = {"done": "bold green", "failed": "bold red", "broken": "bold red"}

Cell = tuple[str, str]  # text, style


class Terminal:
    """Paints a table, and keeps it up to date.

    Parameters
    ----------
    stream : TextIO
        The terminal.
    asked : bool
        Whether to show short runs, too.
    """

    pause = 0.12

    def __init__(self, stream: TextIO, *, asked: bool = False) -> None:
        self._stream = stream
        self._asked = asked
        self._screen = Screen(stream)
        self._lines = Lines(asked=asked)  # on whatever standard error is by then: it may be above another table
        self._console: Console | None = None  # once there is something to show
        self._plain = False

    def show(self, board: Board) -> None:
        """Paint where the run stands."""
        if not self._plain and self._console is None and (self._asked or board.seconds >= _WORTH):
            self._begin()
        if self._plain:
            self._lines.show(board)
        elif self._console is not None:
            self._paint(self._console, board)

    def printed(self, event: Printed) -> None:
        """Pass on what a cell printed; where the streams are stood in for, that is above the table."""
        self._lines.printed(event)

    def close(self, board: Board) -> None:
        """Paint how the run ended, and leave it there."""
        if self._console is None and not self._plain and self._asked:
            self._begin()
        if self._plain:
            self._lines.close(board)
            return
        self._lines.end_lines()
        if self._console is not None:
            self._screen.end_lines()
            self._paint(self._console, board)

    def let_go(self) -> None:
        """Leave the terminal."""
        self._screen.give_back()
        if self._console is not None:
            self._screen.leave()

    def _begin(self) -> None:
        from rich.console import Console  # a twentieth of a second

        console = Console(file=self._stream)
        if console.is_dumb_terminal or not console.is_terminal or not self._screen.take():
            self._plain = True
        else:
            self._console = console

    def _paint(self, console: Console, board: Board) -> None:
        columns, rows = console.size
        fancy = console.encoding.startswith("utf")
        texts = table(board, columns=columns, height=max(3, rows - _SPARE), fancy=fancy)
        lines, widths = [], []
        for text in texts:
            with console.capture() as captured:
                console.print(text, no_wrap=True, overflow="crop", crop=True, end="", highlight=False, soft_wrap=False)
            lines.append(captured.get())
            widths.append(min(text.cell_len, columns))
        self._screen.paint(lines, widths, columns)


def table(board: Board, *, columns: int, height: int, fancy: bool = True) -> list[Text]:
    """Lay a board out.

    Parameters
    ----------
    board : Board
    columns : int
        Width of the terminal; the last column stays free.
    height : int
        Lines at most.
    fancy : bool
        Whether the terminal has lines to draw with.

    Returns
    -------
    list of Text
        A line each.
    """
    from rich.text import Text

    shown, hidden = _chosen(board.rows, height - 4)
    words = _words(board)
    lines: list[list[Cell]] = [[(word, "dim") for word in ("", "", *words)]]
    for kind, label in _LABELS:
        rows = [row for row in shown if row.kind == kind]
        if rows:
            lines.append([(label, "dim")])
            lines += [_cells(row, words, fancy=fancy) for row in rows]
    told = [_header(board), *_aligned(lines)] if shown else [_header(board)]
    told += [_hidden(hidden)] if hidden else []
    told += [Text(f"    {loop_told(loop)}", style="dim") for loop in board.loops[: max(0, height - len(told))][:_LOOPS]]
    for text in told:
        text.truncate(max(10, columns - 1), overflow="ellipsis" if fancy else "crop")
    return told


def _header(board: Board) -> Text:
    from rich.text import Text

    state = board.status or ("stopping (Ctrl-C again: at once)" if board.stopping else "running")
    more = [left_told(board), board.parked.told] if not board.status else []
    told = "".join(f", {part}" for part in more if part)
    return Text.assemble(
        (shorten(board.flow, _NAME), "bold"), "  ",
        (state, _STATES.get(state, "bold yellow" if board.status or board.stopping else "cyan")),
        f" {'in ' if board.status else ''}{clocked(board.seconds)}{told}", (f"  {board.run}", "dim"),
    )  # fmt: skip


def _words(board: Board) -> list[str]:
    """Give the columns that have something to tell."""
    words = ["total", "done", "cached"] + ([] if board.status else ["running"])
    words += [word for word in ("failed", "skipped") if board.sum(word)]
    return words + ([] if board.status or board.stopping else ["rate", "left"])


def _cells(row: Row, words: Sequence[str], *, fancy: bool) -> list[Cell]:
    name = shorten(row.name, _NAME - 2) + (f" ({row.nodes} nodes)" if row.nodes > 1 else "")
    told = {
        "total": f"{row.cells}+" if row.open and row.cells else "?" if row.open else str(row.cells),
        "done": row.done, "cached": row.hit, "running": row.running, "failed": row.failed, "skipped": row.skipped,
        "rate": paced(row.rate) if row.rate else "", "left": about(row.left) if row.left else "",
    }  # fmt: skip
    cells: list[Cell] = [(f"  {name}", ""), (_bar(row, fancy=fancy), "red" if row.failed else "green")]
    return cells + [(str(told[word] or ""), _STYLES[word]) for word in words]


def _bar(row: Row, *, fancy: bool) -> str:
    known = max(row.cells, row.ended)
    full = _BAR * row.ended // known if known and not (row.open and row.ended == known) else 0
    return ("━" * full + "·" * (_BAR - full)) if fancy else ("#" * full + "." * (_BAR - full))


def _aligned(lines: Sequence[Sequence[Cell]]) -> list[Text]:
    """Put cells under each other: the name to the left, numbers to the right."""
    from rich.cells import cell_len
    from rich.text import Text

    widths: dict[int, int] = {}
    for line in lines:
        for place, (text, _) in enumerate(line):
            widths[place] = max(widths.get(place, 0), cell_len(text))
    told = []
    for line in lines:
        out = Text()
        for place, (text, style) in enumerate(line):
            padding = " " * (widths[place] - cell_len(text))
            out.append("" if place < 2 else padding)
            out.append(text, style or None)
            out.append(f"{padding if place < 2 else ''}  ")
        out.rstrip()
        told.append(out)
    return told


def _chosen(rows: Sequence[Row], most: int) -> tuple[list[Row], list[Row]]:
    """Choose the rows that are shown: where something happens first, then what is to come, in the order of drawing."""
    most = max(1, most)
    if len(rows) <= most:
        return list(rows), []
    urgency = {id(row): (not row.failed, not row.running, not (row.open or row.ended < row.cells)) for row in rows}
    wanted = {id(row) for row in sorted(rows, key=lambda row: urgency[id(row)])[:most]}
    return [row for row in rows if id(row) in wanted], [row for row in rows if id(row) not in wanted]


def _hidden(rows: Sequence[Row]) -> Text:
    from rich.text import Text

    ended = sum(not row.open and row.ended >= row.cells for row in rows)
    return Text(f"  and {len(rows)} more: {ended} ended, {len(rows) - ended} to come", style="dim")
