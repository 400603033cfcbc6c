"""Claims about ``flowcore watch``: what is seen of a run of another process, through real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ENVIRON, Terminal

GATE = """
from pathlib import Path
import flowcore as fc

HERE = Path(__file__).parent

@fc.compute(ignore=("global:HERE",))
def quick(i: int) -> int:
    print("quick", i)
    return i

@fc.compute(ignore=("global:HERE",))
def waiting(i: int) -> str:
    return (HERE / f"gate{i}").read_text()

@fc.flow
def gated(n: int = 3):
    return waiting(quick(fc.each(i=list(range(n)))))
"""


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Type a command, and do not wait for it."""
    return subprocess.Popen(
        [sys.executable, "-m", "flowcore", *arguments], cwd=folder, env=ENVIRON, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.fixture
def gated(flowcore: Terminal) -> Terminal:
    """Give a folder with a flow whose second cells wait until somebody writes to a pipe."""
    flowcore.write("gated.py", GATE)
    for i in range(3):
        os.mkfifo(flowcore.folder / f"gate{i}")
    return flowcore


def events_until(watch: subprocess.Popen[str], wanted: Any) -> list[dict[str, Any]]:
    """Read events up to one that `wanted` is true of."""
    assert watch.stdout is not None
    seen: list[dict[str, Any]] = []
    for line in watch.stdout:
        seen.append(json.loads(line))
        if wanted(seen[-1]):
            return seen
    raise AssertionError(f"the watching ended: {seen[-3:]}")


def ended(process: subprocess.Popen[str]) -> int:
    """Wait for the end of a command, and give its exit code."""
    process.communicate(timeout=60)
    return process.returncode


def let_through(folder: Path, *cells: int) -> None:
    """Let these cells through, as soon as they wait."""
    for i in cells:
        (folder / f"gate{i}").write_text("through")


def test_a_live_run_is_followed(gated: Terminal) -> None:
    """From another process: its start, nodes before their cells, what it prints, its end; then its exit code."""
    run = started(gated.folder, "run", "gated.py", "-q", "-w", "1")
    let_through(gated.folder, 0)  # the first cell waits by now: there is a journal
    watch = started(gated.folder, "watch", "--json")
    seen = events_until(watch, lambda told: told["event"] == "Cells" and told["node"] == 1 and told["done"] >= 1)
    let_through(gated.folder, 1, 2)
    seen += events_until(watch, lambda told: told["event"] == "RunEnded")
    kinds = [told["event"] for told in seen]

    assert (0, 0) == (ended(watch), ended(run))
    assert ("RunStarted", "RunEnded", "done") == (kinds[0], kinds[-1], seen[-1]["status"])
    assert kinds.index("NodeDrawn") < kinds.index("Cells")
    assert {"quick 0\n", "quick 1\n", "quick 2\n"} == {told["text"] for told in seen if told["event"] == "Printed"}
    assert [(0, 3), (1, 3)] == sorted({told["node"]: told["done"] for told in seen if told["event"] == "Cells"}.items())


@pytest.mark.contract("F3")
def test_a_run_that_was_killed_ends(gated: Terminal) -> None:
    """As ``dead``, and that is no success."""
    run = started(gated.folder, "run", "gated.py", "-q", "-w", "1")
    let_through(gated.folder, 0)
    watch = started(gated.folder, "watch", "--json")
    events_until(watch, lambda told: told["event"] == "NodeDrawn")
    run.send_signal(signal.SIGKILL)
    seen = events_until(watch, lambda told: told["event"] == "RunEnded")

    assert ("dead", 1) == (seen[-1]["status"], ended(watch))
    ended(run)


def test_ctrl_c_ends_the_watching_alone(gated: Terminal) -> None:
    """The run goes on."""
    run = started(gated.folder, "run", "gated.py", "-q", "-w", "1")
    let_through(gated.folder, 0)
    watch = started(gated.folder, "watch", "--json")
    events_until(watch, lambda told: told["event"] == "NodeDrawn")
    watch.send_signal(signal.SIGINT)
    _, told = watch.communicate(timeout=60)

    assert (0, True) == (watch.returncode, "It goes on." in told)
    assert run.poll() is None
    let_through(gated.folder, 1, 2)
    assert 0 == ended(run)


def test_a_run_that_is_over_is_told(swept: Terminal) -> None:
    """As text, with its summary; the exit code is the run's."""
    swept("run", "sweep.py", "--rates", "0.1,-1", "--on-error", "continue", "-q")
    text, data = swept("watch"), swept("watch", "last", "--json")

    assert (1, 1) == (text.code, data.code)
    assert "sweep: failed; 2 cells ran, 0 from the store, 1 failed, 2 not run" in text.err
    assert "of sweep: failed in" in text.out
    assert "RunEnded" == json.loads(data.out.splitlines()[-1])["event"]


@pytest.mark.contract("P5", "F22")
@pytest.mark.parametrize("left", [48, 60])
def test_a_run_of_which_nothing_is_left_ends(swept: Terminal, left: int) -> None:
    """A journal that ends behind its header, or in its first frame, with nobody to go on with it."""
    swept.python("sweep.py")
    (journal,) = (swept.folder / ".flowcore" / "v1" / "journals").glob("*.journal")
    journal.write_bytes(journal.read_bytes()[:left])

    assert 1 == swept("watch", journal.stem).code


@pytest.mark.contract("S6")
def test_what_was_printed_steers_no_terminal(flowcore: Terminal) -> None:
    """A store may be from elsewhere: titles, colours and screens in what its cells printed are told, and not obeyed."""
    steering = 'print("\\x1b]0;owned\\x07\\x9b2J\\u202e", i)'
    flowcore.write("gated.py", GATE.replace('print("quick", i)', steering).replace("waiting(quick", "(quick"))
    assert 0 == flowcore("run", "gated.py", "--n", "1").code
    told = flowcore("watch", "last")

    assert "\\x1b]0;owned\\x07\\x9b2J\\x202e 0" in told.out
    assert set() == {letter for letter in told.out + told.err if not letter.isprintable()} - {"\n"}


def test_there_is_nothing_to_watch(flowcore: Terminal) -> None:
    """No run, and nothing is made."""
    told = flowcore("watch")

    assert (2, "there are no runs in .flowcore." in told.err) == (told.code, True)
    assert [] == list(flowcore.folder.iterdir())
