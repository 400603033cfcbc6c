"""Claims about what is shown where: a table, lines, HTML, or nothing."""

from __future__ import annotations

import io
import sys
import threading
import types
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import flowcore as fc
from flowcore.errors import FlowcoreWarning
from flowcore.events import Cells, Event, NodeDrawn, Printed, RunEnded, RunStarted
from flowcore.progress import observers
from flowcore.progress import watch as watching
from flowcore.progress.lines import Lines
from flowcore.progress.notebook import Notebook, board_html, in_notebook
from flowcore.progress.prints import Echo
from flowcore.progress.tally import Board
from flowcore.progress.terminal import Terminal, table
from flowcore.progress.watch import Watch
from flowcore.run.told.telling import Teller
from tests.progress.stages import BOARD, HOSTILE, OVER, ROW, Glass


@fc.compute
def say(x: int) -> int:
    """Print."""
    print("said", x)
    return x


@fc.io
def tell(x: int) -> int:
    """Print."""
    print("told", x)
    return x


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Glass]:
    """Give what makes both standard streams a terminal with colours, once the test runs: pytest changes them before."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "90", "LINES": "24"}.items():
        monkeypatch.setenv(name, value)

    def begin() -> Glass:
        glass = Glass(columns=90)
        monkeypatch.setattr(sys, "stdout", glass)
        monkeypatch.setattr(sys, "stderr", glass)
        return glass

    return begin


# ---- lines


def lines_of(seconds: int) -> list[str]:
    """Give the lines that a run of so many seconds writes."""
    stream = io.StringIO()
    view = Lines(stream)
    for quarter in range(4 * seconds):
        view.show(replace(BOARD, seconds=quarter / 4))
    view.close(replace(OVER, seconds=float(seconds)))
    return stream.getvalue().splitlines()


def test_lines_come_at_a_humane_rate() -> None:
    """After five seconds, then at growing distances up to a minute, and at the end."""
    assert ["0:05", "0:10", "0:20", "0:40", "1:20", "2:20", "3:20", "4:20", "5:00"] == [
        line[1:5] for line in lines_of(300)
    ]


def test_a_line_says_where_the_run_stands() -> None:
    """Counts, rates and a forecast; the last one how it ended."""
    first, last = lines_of(6)

    assert "[0:05] landscape: 8 of 20 cells, 3 from the store, 2 running, compute 2.0/s, about 6 s left" == first
    assert "[0:06] landscape: done; 17 cells ran, 3 from the store (run r1)" == last


def test_short_runs_say_nothing_unless_asked() -> None:
    """A script that runs a hundred small flows stays readable."""
    short, quiet, asked = replace(OVER, seconds=0.9), io.StringIO(), io.StringIO()
    Lines(quiet).close(short)
    Lines(asked, asked=True).close(short)

    assert ("", 1) == (quiet.getvalue(), asked.getvalue().count("\n"))


# ---- a terminal


def test_the_table_keeps_compute_and_io_apart() -> None:
    """A section each, a row a task, numbers under their words."""
    rows = (replace(ROW, name="load", kind="io", cells=2, done=2, hit=0, running=0, rate=None, left=None), ROW)
    told = [text.plain.rstrip() for text in table(replace(BOARD, rows=rows), columns=100, height=20)]

    assert [
        "landscape  running 0:07, about 6 s left  r1",
        "                               total  done  cached  running   rate  left",
        "compute",
        "  erode  ━━━━━━━━············     20     5       3        2  2.0/s   6 s",
        "I/O",
        "  load   ━━━━━━━━━━━━━━━━━━━━      2     2",
    ] == told


def test_many_tasks_fit_the_terminal() -> None:
    """Those where something happens are shown, the others counted."""
    idle = [replace(ROW, name=f"idle{i}", running=0, done=0, hit=0, rate=None, left=None) for i in range(30)]
    rows = (*idle[:15], replace(ROW, name="broken", failed=1), *idle[15:], replace(ROW, name="busy"))
    told = [text.plain for text in table(replace(BOARD, rows=rows), columns=100, height=12)]

    assert len(told) <= 12
    assert [True, True] == [any(name in line for line in told) for name in ("broken", "busy")]
    assert "  and 24 more: 0 ended, 24 to come" == told[-1]


def test_no_line_is_wider_than_the_terminal() -> None:
    """A long name is cut, and a narrow terminal gets less."""
    wide = replace(BOARD, flow="f" * 500, rows=(replace(ROW, name="n" * 500),))

    assert all(text.cell_len < 40 for text in table(wide, columns=40, height=20))


@pytest.mark.contract("S6")
def test_names_are_no_terminal_escapes(terminal: Callable[[], Glass]) -> None:
    """What a name holds is spelled out, never obeyed."""
    glass = terminal()
    view = Terminal(sys.stderr, asked=True)
    board = replace(BOARD, flow=HOSTILE, rows=(replace(ROW, name=HOSTILE),))
    view.show(board)
    view.close(board)
    view.let_go()
    lines = io.StringIO()
    Lines(lines, asked=True).close(board)

    assert all("\x1b[2J" not in told and "\u202e" not in told for told in (glass.getvalue(), lines.getvalue()))
    assert any(r"<script>\x1b[2J" in line for line in glass.shown)


def test_the_end_stays_on_the_terminal(terminal: Callable[[], Glass]) -> None:
    """And what is printed afterwards comes below it."""
    glass = terminal()
    view = Terminal(sys.stderr)
    view.show(BOARD)
    print("above")
    view.close(OVER)
    view.let_go()
    print("below")

    assert ("above", "landscape  done in 0:07  r1", "below") == (glass.shown[0], glass.shown[1], glass.shown[-1])


def test_colours_are_left_out_where_they_are_not_wanted(
    terminal: Callable[[], Glass], monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_COLOR is respected; the table is the same."""
    glass = terminal()
    painted = []
    for plain in (False, True):
        if plain:
            monkeypatch.setenv("NO_COLOR", "1")
        view = Terminal(sys.stderr, asked=True)
        glass.truncate(0)
        view.show(BOARD)
        view.let_go()
        painted.append(glass.getvalue())

    assert [True, False] == ["\x1b[36m" in text or "\x1b[32m" in text for text in painted]


def test_a_dumb_terminal_gets_lines(terminal: Callable[[], Glass], monkeypatch: pytest.MonkeyPatch) -> None:
    """TERM=dumb cannot rewrite."""
    glass = terminal()
    monkeypatch.setenv("TERM", "dumb")
    view = Terminal(sys.stderr)
    view.show(BOARD)
    view.close(OVER)
    view.let_go()

    assert "\x1b" not in glass.getvalue()
    assert 2 == glass.getvalue().count("landscape: ")


def test_a_second_run_gets_lines(terminal: Callable[[], Glass]) -> None:
    """They appear above the table of the first."""
    glass = terminal()
    first, second = Terminal(sys.stderr), Terminal(sys.stderr)
    first.show(BOARD)
    second.show(replace(BOARD, flow="second"))
    first.show(replace(BOARD, seconds=9.0))
    first.let_go()
    second.let_go()

    assert glass.shown[0].startswith("[0:07] second: 8 of 20 cells")
    assert "landscape  running 0:09" in glass.shown[1]


def test_a_short_run_leaves_the_terminal_alone(terminal: Callable[[], Glass]) -> None:
    """Half a second is over before one has looked."""
    glass = terminal()
    view = Terminal(sys.stderr)
    view.show(replace(BOARD, seconds=0.3))
    view.close(replace(OVER, seconds=0.4))
    view.let_go()

    assert "" == glass.getvalue()


# ---- a notebook


@pytest.mark.contract("S6")
def test_html_is_escaped() -> None:
    """Names are text."""
    told = board_html(replace(BOARD, flow=HOSTILE, rows=(replace(ROW, name=HOSTILE),)))

    assert "<script>" not in told
    assert "\x1b" not in told
    assert 2 == told.count("&lt;script&gt;")


def test_a_notebook_is_known_by_its_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """IPython in a terminal is a terminal, and IPython is not loaded in order to ask."""
    found = []
    for shell in (None, types.SimpleNamespace(), types.SimpleNamespace(kernel=object())):
        fake = types.ModuleType("IPython")
        fake.get_ipython = lambda shell=shell: shell  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "IPython", fake)
        found.append(in_notebook())
    monkeypatch.delitem(sys.modules, "IPython")
    found.append(in_notebook())

    assert [False, False, True, False] == found
    assert "IPython" not in sys.modules


def test_a_notebook_shows_one_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look displays, the next ones replace, and nothing is sent where nothing has changed."""
    sent: list[tuple[str, str]] = []

    class Handle:
        def update(self, shown: dict[str, str], *, raw: bool) -> None:
            sent.append(("update", shown["text/plain"]))

    def display(shown: dict[str, str], *, raw: bool, display_id: bool) -> Any:
        sent.append(("display", shown["text/plain"]))
        return Handle()

    fake = types.ModuleType("IPython.display")
    fake.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    view = Notebook()
    for board in (replace(BOARD, seconds=0.1), BOARD, BOARD):
        view.show(board)
    view.close(OVER)

    assert ["display", "update"] == [how for how, _ in sent]
    assert sent[-1][1].startswith("landscape: done; 17 cells ran")


# ---- who is told


def test_the_view_fits_the_place(terminal: Callable[[], Glass], monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal, a file; False shows nothing, an observer takes the place of what is shown; prints always go on."""
    terminal()
    on_terminal = observers(None)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    in_a_file = observers(True)
    mine = Echo()

    assert [Terminal, Lines] == [type(told[0]._view) for told in (on_terminal, in_a_file)]  # type: ignore[attr-defined]
    assert [[Echo], [Echo, Echo]] == [[type(o) for o in observers(asked)] for asked in (False, mine)]
    assert mine is observers(mine)[-1]


class Broken:
    """A view that cannot be shown."""

    pause = 0.0

    def __init__(self) -> None:
        self.given_back = 0
        self.gone = threading.Event()

    def show(self, board: Board) -> None:
        raise BrokenPipeError("nobody reads")

    def printed(self, event: Printed) -> None: ...

    def close(self, board: Board) -> None: ...

    def let_go(self) -> None:
        self.given_back += 1
        self.gone.set()


@pytest.mark.contract("F36")
def test_a_broken_terminal_ends_the_view_and_not_the_run() -> None:
    """The next event says so, once; what was taken is given back."""
    view = Broken()
    watch = Watch(view)
    teller = Teller([watch])
    teller.tell(RunStarted(run="r", flow="f", nodes=0, workers=1))
    assert view.gone.wait(60.0)

    def end() -> None:
        for _ in range(3):
            teller.tell(RunEnded(run="r", status="done", seconds=1.0))
        teller.close()

    with pytest.warns(FlowcoreWarning, match="BrokenPipeError: nobody reads; it is left out"):
        end()

    assert 1 == view.given_back


@pytest.mark.contract("F36")
def test_a_terminal_that_takes_nothing_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the run does not wait for it, and what was taken is given back."""
    stuck, free = threading.Event(), threading.Event()

    class Stuck(Broken):
        def show(self, board: Board) -> None:
            stuck.set()
            free.wait()

    monkeypatch.setattr(watching, "_PATIENCE", 0.01)
    view = Stuck()
    watch = Watch(view)
    watch.on_event(RunStarted(run="r", flow="f", nodes=0, workers=1))
    stuck.wait()
    watch.on_event(RunEnded(run="r", status="done", seconds=1.0))
    given_back = view.given_back
    free.set()

    assert 1 == given_back


def test_events_only_count(terminal: Callable[[], Glass]) -> None:
    """Ten thousand of them between two looks write nothing."""
    glass = terminal()
    view = Terminal(sys.stderr, asked=True)
    watch = Watch(view)
    watch._thread.start = lambda: None  # type: ignore[method-assign]
    watch.on_event(RunStarted(run="r", flow="f", nodes=1, workers=1))
    watch.on_event(NodeDrawn(node=1, name="n", kind="io", cells=10_000))
    for i in range(10_000):
        watch.on_event(Cells(node=1, done=i))

    assert 0 == glass.writes
    assert 9_999 == watch._board().rows[0].done


@pytest.mark.parametrize("progress", [False, None, True])
def test_what_cells_print_is_never_lost(store: Any, capsys: pytest.CaptureFixture[str], progress: bool | None) -> None:
    """From processes and from threads, shown or not."""
    with fc.Flow("talk") as flow:
        say(fc.each(x=[1, 2]))
        tell(fc.each(y=[3]))
    flow.run(store=store, workers=1, progress=progress)

    assert ["said 1", "said 2", "told 3"] == sorted(capsys.readouterr().out.splitlines())


def test_an_observer_is_told_in_order(store: Any) -> None:
    """The beginning, the nodes, the counts, the end."""
    heard: list[Event] = []

    class Ear:
        def on_event(self, event: Event) -> None:
            heard.append(event)

    with fc.Flow("told") as flow:
        tell(fc.each(x=[1, 2]))
    flow.run(store=store, workers=1, progress=Ear())

    kinds = [type(event).__name__ for event in heard]
    assert ("RunStarted", "NodeDrawn", "RunEnded") == (kinds[0], kinds[1], kinds[-1])
    assert [2, "tell"] == [heard[-2].done, heard[1].task]  # type: ignore[union-attr]
