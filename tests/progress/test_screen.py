"""Claims about progress/screen.py: prints appear above the painted lines, never through them."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TypeAlias

import pyte
import pytest

from flowcore.progress.screen import Screen
from flowcore.run.cell import printing
from tests.progress.stages import Glass

Taken: TypeAlias = Callable[[], tuple[Glass, Screen]]
LINES, WIDTHS = ["== top ==", "== low =="], [9, 9]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Glass]:
    """Give what makes both standard streams a terminal, once the test runs: pytest changes them before."""

    def begin() -> Glass:
        glass = Glass(columns=40, lines=12)
        monkeypatch.setattr(sys, "stdout", glass)
        monkeypatch.setattr(sys, "stderr", glass)
        return glass

    return begin


@pytest.fixture
def taken(terminal: Callable[[], Glass]) -> Iterator[Taken]:
    """Give what makes a terminal and takes its screen."""
    screens: list[Screen] = []

    def begin() -> tuple[Glass, Screen]:
        glass = terminal()
        screens.append(Screen(glass))
        assert screens[0].take()
        return glass, screens[0]

    yield begin
    for screen in screens:
        screen.give_back()


def paint(screen: Screen, lines: list[str] | None = None) -> None:
    """Paint two lines."""
    screen.paint(LINES if lines is None else lines, WIDTHS, 40)


def test_prints_appear_above(taken: Taken) -> None:
    """In order, whole, whatever stream and thread they come from, and the painted lines stay last."""
    glass, screen = taken()
    paint(screen)
    print("one")
    print("two", file=sys.stderr)
    print("thr", end="")
    other = threading.Thread(target=print, args=("four",))
    other.start()
    other.join()
    print("ee")
    paint(screen)

    assert ["one", "two", "four", "three", *LINES] == glass.shown


def test_what_is_painted_is_replaced(taken: Taken) -> None:
    """Fewer, more and shorter lines leave nothing of the old ones."""
    glass, screen = taken()
    print("above")
    paint(screen)
    screen.paint(["a", "b", "c"], [1, 1, 1], 40)
    screen.paint(["z"], [1], 40)

    assert ["above", "z"] == glass.shown


def test_a_narrower_terminal_leaves_no_trash(taken: Taken) -> None:
    """Lines that were wrapped since they were painted take more rows, all of which are erased."""
    glass, screen = taken()
    print("above")
    screen.paint(["x" * 39], [39], 40)
    glass.seen.resize(columns=20)
    glass.seen.reset()
    glass.seen.set_mode(pyte.modes.LNM)
    glass.write("above\n" + "x" * 39)
    screen.paint(["new"], [3], 20)

    assert "new" == glass.shown[-1]
    assert not any("x" in line for line in glass.shown)


def test_a_thousand_prints_are_one_write(taken: Taken) -> None:
    """Nothing is written until the next look, and then all of it together."""
    glass, screen = taken()
    paint(screen)
    before = glass.writes
    for i in range(1000):
        print("line", i)
    assert before == glass.writes

    paint(screen)
    assert before + 3 == glass.writes  # erase, prints, paint


def test_many_prints_do_not_pile_up(taken: Taken) -> None:
    """A flood is let go of before the next look."""
    glass, screen = taken()
    paint(screen)
    for _ in range(100):
        print("x" * 1000)

    assert glass.getvalue().count("x") > 60_000


def test_the_same_lines_are_not_painted_twice(taken: Taken) -> None:
    """A run in which nothing happens writes nothing."""
    glass, screen = taken()
    paint(screen)
    before = glass.writes
    paint(screen, list(LINES))

    assert before == glass.writes


def test_there_is_one_screen(taken: Taken) -> None:
    """Two runs at once do not paint over each other; the lower end is free again once it is given back."""
    glass, screen = taken()
    other = Screen(glass)
    refused = other.take()
    screen.give_back()
    granted = other.take()
    other.give_back()

    assert (False, True) == (refused, granted)


def test_streams_are_put_back(taken: Taken) -> None:
    """And a stand-in that somebody still holds passes through."""
    glass, screen = taken()
    held = sys.stdout
    paint(screen)
    screen.give_back()
    screen.leave()
    held.write("late\n")

    assert (glass, glass) == (sys.stdout, sys.stderr)
    assert [*LINES, "late"] == glass.shown


def test_a_stream_that_is_no_terminal_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output that goes to a file goes there at once, and only there."""
    file = io.StringIO()
    monkeypatch.setattr(sys, "stdout", file)
    monkeypatch.setattr(sys, "stderr", Glass())
    screen = Screen(sys.stderr)
    screen.take()
    print("data")
    screen.give_back()

    assert "data\n" == file.getvalue()


def test_streams_redirected_meanwhile_stay_redirected(taken: Taken) -> None:
    """What user code puts in place of a stream is not taken away."""
    _, screen = taken()
    file = io.StringIO()
    with contextlib.redirect_stdout(file):
        screen.give_back()
        print("mine")

    assert "mine\n" == file.getvalue()


def test_cells_in_this_process_are_heard_through_it(terminal: Callable[[], Glass]) -> None:
    """Where stand-ins for cells are in place the screen goes behind them, and both come off again."""
    glass = terminal()
    printing.stand_in()
    screen = Screen(glass)
    screen.take()
    paint(screen)
    print("main")
    paint(screen)
    printing.step_back()
    print("later")
    paint(screen)
    screen.give_back()

    assert (glass, ["main", "later", *LINES]) == (sys.stdout, glass.shown)


def test_log_records_appear_above(terminal: Callable[[], Glass]) -> None:
    """A handler that holds the real stream follows."""
    glass = terminal()
    logger, handler = logging.getLogger("tests.screen"), logging.StreamHandler(glass)
    logger.addHandler(handler)
    screen = Screen(glass)
    screen.take()
    paint(screen)
    logger.warning("careful")
    paint(screen)
    screen.give_back()
    logger.removeHandler(handler)

    assert (glass, ["careful", *LINES]) == (handler.stream, glass.shown)
