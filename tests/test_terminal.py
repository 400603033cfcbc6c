"""Claims about a session in a terminal, as a person sees it: start, progress, Ctrl-C, resume, failure.

The flow, and the terminal that is watched, are those of the recorded page,
``docs/terminal_session.md``.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from docs.record_terminal import HERE, Terminal

COMMAND = [sys.executable, "stations.py"]
DONE = "4215.6"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Give a directory with the recorded flow."""
    shutil.copy(HERE / "recorded" / "terminal.py", tmp_path / "stations.py")
    return tmp_path


@pytest.fixture
def gate(place: Path) -> Path:
    """Have half of the cells wait until somebody writes to a pipe, or until it is a file; give its path."""
    script = place / "stations.py"
    script.write_text(script.read_text().replace("(0.35)", "(0.35), rate < 0.5 or open('gate').read()"))
    os.mkfifo(place / "gate")
    return place / "gate"


def stays_open(gate: Path) -> None:
    """Let all cells through from now on."""
    gate.unlink()
    gate.touch()


def row(screen: str, name: str) -> dict[str, int]:
    """Give a task's numbers on a screen, by the words above them; what is not there is 0."""
    lines = screen.splitlines()
    words = [(match.group(), match.end()) for match in re.finditer(r"\w+", next(x for x in lines if " total " in x))]
    line = next(line for line in lines if line.startswith(f"  {name} "))
    numbers = {match.end(): match.group() for match in re.finditer(r"\d+", line)}
    return {word: int(numbers.get(end, "0")) for word, end in words if word not in {"rate", "left"}}


@pytest.mark.contract("P12", "F13")
def test_a_session(place: Path, gate: Path) -> None:
    """A table while it runs; Ctrl-C stops it and says how to go on; the same command goes on; a failure is a report."""
    first = Terminal(COMMAND, cwd=place)
    running = first.until(r"simulate .* 16 {3,5}[4-8] .*/s")
    with first.frozen():
        first.interrupt()
        stopping = first.until("stopping")
    interrupted = first.end()
    stays_open(gate)
    second = Terminal(COMMAND, cwd=place)
    resumed = second.end()
    script = place / "stations.py"
    script.write_text(script.read_text().replace("sum(samples) * rate", "sum(samples) / (rate - 0.5)"))
    third = Terminal(COMMAND, cwd=place)
    failed = third.end()

    assert re.match(r"stations  running \d:\d\d, (about|at least) \d+ s left", running)
    assert ["compute", "I/O"] == [line for line in running.splitlines() if line in {"compute", "I/O"}]
    assert {"total": 2, "done": 2, "cached": 0, "running": 0} == row(running, "load")
    assert re.match(r"stations  stopping \(Ctrl-C again: at once\) \d:\d\d", stopping)
    assert "interrupted; run the flow again to go on from here." in interrupted
    assert "result.py" not in interrupted
    kept = row(interrupted, "simulate")["done"]
    assert {"total": 16, "done": 16 - kept, "cached": kept} == row(resumed, "simulate")
    assert (0, f"table: {DONE}") == (second.status, resumed.splitlines()[-1])
    assert 1 == third.status
    assert row(failed, "simulate")["failed"] in {1, 2}  # of two that fail, the second may have begun
    assert re.search(r"simulate\[name='(alpine|coast)', rate=0\.5\]", failed)


def test_prints_of_cells_stand_above_the_table(place: Path) -> None:
    """Each once and whole, the table once, and nothing of an older table is left."""
    terminal = Terminal([*COMMAND, "sea", "wood"], cwd=place)
    lines = terminal.end().splitlines()

    assert ["rate 0.7: 3 samples look odd", "rate 0.7: 4 samples look odd"] == sorted(lines[:2])
    assert re.match(r"stations  done in \d:\d\d", lines[2])
    assert [1, 1, 1] == [sum(word in line for line in lines) for word in ("stations ", "simulate ", "load ")]
    assert lines[-1].startswith("table: ")


@pytest.mark.parametrize(
    ("variable", "value", "rewrites", "colours"),
    [("NO_COLOR", "1", True, False), ("TERM", "dumb", False, False), ("FLOWCORE_PROGRESS", "0", False, False)],
)
def test_a_terminal_gets_what_it_asks_for(
    place: Path, variable: str, value: str, rewrites: bool, colours: bool
) -> None:
    """NO_COLOR takes the colours, TERM=dumb everything but lines, FLOWCORE_PROGRESS=0 all of it."""
    terminal = Terminal([*COMMAND, "sea"], cwd=place, environment={variable: value})
    screen = terminal.end()

    assert rewrites == (b"\x1b[A" in terminal.raw)
    assert colours == (re.search(rb"\x1b\[3\d", terminal.raw) is not None)
    assert "table: 1126.8" == screen.splitlines()[-1]


@pytest.mark.contract("F1")
def test_a_killed_run_leaves_a_terminal_that_can_be_used(place: Path, gate: Path) -> None:
    """The cursor was never hidden, and the next run goes on."""
    first = Terminal(COMMAND, cwd=place)
    first.until(r"simulate .* 16 {3,5}[4-8] ")
    first.kill()
    stays_open(gate)
    second = Terminal(COMMAND, cwd=place)
    screen = second.end()

    assert b"\x1b[?25l" not in first.raw
    assert row(screen, "simulate")["cached"] > 0
