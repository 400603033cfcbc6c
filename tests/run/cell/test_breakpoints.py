"""Claims about run/cell/breakpoints.py: on a real terminal, breakpoint() in an inline cell is a conversation."""

from __future__ import annotations

import os
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect
import pytest

import flowcore as fc
from tests.faults.driver import ROOT, SCRIPTS

PROMPT = r"\(Pdb\) "
STOP = (14, "breakpoint()") if sys.version_info >= (3, 13) else (15, "return more")  # where a debugger stands at first
DEADLINE = 60.0  # seconds; only turns a hang into a failure


@contextmanager
def debugged(store: Path) -> Iterator[Any]:
    """Give a terminal in which the script has come to its first breakpoint."""
    script = pexpect.spawn(
        sys.executable, [str(SCRIPTS / "debugged.py"), str(store)], encoding="utf-8", timeout=DEADLINE,
        dimensions=(30, 200), env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"},
    )  # fmt: skip
    try:
        script.expect(PROMPT)
        yield script
    finally:
        script.close(force=True)


def ended(script: Any) -> str:
    """Wait for its end; give what it said last."""
    script.expect(pexpect.EOF)
    script.close()
    return str(script.before)


def test_a_debugger_in_an_inline_cell_has_the_terminal(store: Path) -> None:
    """It shows where it is, answers, and lets the cell go on; nothing is painted over it."""
    with debugged(store) as script:
        first = script.before
        script.sendline("p more * 111")
        script.expect(PROMPT)
        answer = script.before
        script.sendline("c")
        script.expect(PROMPT)
        script.sendline("c")
        last = ended(script)

    assert f"debugged.py({STOP[0]})stops()" in first
    assert f"-> {STOP[1]}" in first
    assert ["p more * 111", "222"] == answer.split("\r\n")[:2]
    assert "values {1: 20, 2: 30}" in last
    assert "\x1b" not in first + answer + last, "no table, no colours"


@pytest.mark.contract("F13", "P12")
def test_leaving_the_debugger_is_ctrl_c(store: Path) -> None:
    """The run says how to go on, and no cell has failed."""
    with debugged(store) as script:
        script.sendline("q")
        last = ended(script)
    (run,) = fc.runs(store)

    assert "interrupted; run the flow again to go on from here" in last
    assert "KeyboardInterrupt" in last
    assert ("interrupted", 0) == (run.status, run.cells["failed"])


@pytest.mark.contract("F13", "P12")
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_at_the_prompt_stops_the_run(times: int, store: Path) -> None:
    """Once: when the debugger lets go of the cell, as it says. Twice: now, with a terminal that shows what is typed."""
    with debugged(store) as script:
        script.sendintr()
        script.expect("The run stops when the debugger lets go of this cell")
        if times == 1:
            script.sendline("c")
        else:
            script.sendintr()
        script.expect(pexpect.EOF)
        echo = termios.tcgetattr(script.child_fd)[3] & termios.ECHO

    assert "KeyboardInterrupt" in script.before
    assert PROMPT not in script.before
    assert echo


@pytest.mark.contract("P5")
def test_a_debugger_that_nobody_answers_ends_the_run(store: Path, tmp_path: Path) -> None:
    """One that was forgotten, in a job without a terminal that ignores Ctrl-C: it does not wait for ever."""
    line = f"trap '' INT; exec {sys.executable} {SCRIPTS / 'debugged.py'} {store}"
    ended = subprocess.run(
        ["sh", "-c", line], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=DEADLINE, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip

    assert b"values {}" in ended.stdout
    assert ["interrupted"] == [run.status for run in fc.runs(store)]


def test_the_hook_is_put_back(store: Path) -> None:
    """After the run, breakpoint() is what it was; one that somebody has put in place is never touched."""
    seen = []

    def look() -> None:
        seen.append(sys.breakpointhook)

    flow = fc.Flow()
    flow.add(fc.compute(runner="inline", cache=False)(look))
    flow.run(store=store, progress=False)
    mine = sys.breakpointhook = lambda *_, **__: None
    try:
        flow.run(store=store, progress=False)
    finally:
        sys.breakpointhook = sys.__breakpointhook__

    assert ["stop_here", "<lambda>"] == [hook.__name__ for hook in seen]
    assert mine is seen[1]
