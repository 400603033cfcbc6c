"""Claims about progress/prints.py: whole lines, nothing lost."""

from __future__ import annotations

import sys
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.events import Printed, RunEnded
from flowcore.progress.prints import Echo, Joiner
from tests.progress.stages import Glass

PIECES = st.lists(st.tuples(st.sampled_from("AB"), st.text(alphabet="xy\n\r ", max_size=6)), max_size=30)


@given(PIECES)
def test_lines_of_two_writers_never_mix(pieces: list[tuple[str, str]]) -> None:
    """What comes out is whole lines, and for each writer exactly what it wrote."""
    joiner, came = Joiner(rewriting=False), defaultdict(str)
    for writer, text in pieces:
        lines = joiner.take(writer, text)
        assert "" == lines or lines.endswith("\n")
        came[writer] += lines
    rest = joiner.rest()

    wrote = {writer: "".join(text for who, text in pieces if who == writer) for writer in "AB"}
    left = [wrote[writer].removeprefix(came[writer]) for writer in "AB"]
    assert all(wrote[writer].startswith(came[writer]) for writer in "AB")
    assert sorted(text for text in left if text) == sorted(text for text in rest.split("\n") if text)


def test_a_line_that_rewrites_itself_appears_once() -> None:
    """A progress bar inside a cell is a line on a terminal, as it was last."""
    joiner = Joiner(rewriting=True)
    told = [joiner.take("a", text) for text in ("10 %", "\r 50 %", "\r100 %", "\nnext\r\n")]

    assert ["", "", "", "100 %\nnext\n"] == told


def test_an_endless_line_is_not_waited_for() -> None:
    """Memory stays bounded."""
    assert 9000 == len(Joiner(rewriting=False).take("a", "x" * 9000))


def test_prints_reach_their_streams(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output and error are kept apart; what has no end comes at the end, as it is."""
    echo = Echo()
    for cell, stream, text in (("a", "stdout", "1"), ("b", "stdout", "2\n"), ("a", "stderr", "e\n")):
        echo.on_event(Printed(cell=cell, stream=stream, text=text))  # type: ignore[arg-type]
    echo.on_event(RunEnded(run="r", status="done", seconds=0.1))

    assert ("2\n1", "e\n") == tuple(capsys.readouterr())


def test_on_a_terminal_the_last_line_gets_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what follows starts on a line of its own."""
    glass = Glass()
    monkeypatch.setattr(sys, "stdout", glass)
    echo = Echo()
    echo.on_event(Printed(cell="a", stream="stdout", text="no end"))
    echo.on_event(RunEnded(run="r", status="done", seconds=0.1))

    assert "no end\n" == glass.getvalue()
