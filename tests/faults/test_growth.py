"""Claims about killing runs that grow: running again goes on, and redoes no step (contract K30)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "scripts" / "grows.py"
DEADLINE = 300.0  # seconds; only turns a hang into a failure


def launched(what: str, depth: int, folder: Path, *, kill_at: str = "") -> subprocess.CompletedProcess[str]:
    """Run the script to its end, or until one of its cells kills it."""
    environment = os.environ | {"GROWS_FOLDER": str(folder), "GROWS_KILL": kill_at}
    command = [sys.executable, str(SCRIPT), what, str(depth)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DEADLINE, check=False)


def calls(folder: Path) -> Counter[str]:
    """Count the calls of steps, each by its argument."""
    return Counter((folder / "calls").read_text().split())


def check(what: str, depth: int, folder: Path, *, kill_at: list[str]) -> None:
    """Kill a run at several steps, one after the other; then let it end. A recursion steps on its way back."""
    for step in kill_at if what == "loop" else reversed(kill_at):
        killed = launched(what, depth, folder, kill_at=step)
        assert -signal.SIGKILL == killed.returncode, killed.stderr
    ended = launched(what, depth, folder)

    assert (0, str(depth)) == (ended.returncode, ended.stdout.strip()), ended.stderr
    found = calls(folder)
    again = {step: count for step, count in found.items() if count > 1}
    assert set(kill_at) == set(again), "only what was not done when the run died is done again"
    assert depth == len(found)


@pytest.mark.contract("K30", "F1", "P4")
@pytest.mark.parametrize("what", ["loop", "recursion"])
def test_killed_runs_go_on(what: str, tmp_path: Path) -> None:
    """A loop of steps, and a recursion that sums up on its way back."""
    check(what, 40, tmp_path, kill_at=["7", "30"])


@pytest.mark.slow
@pytest.mark.contract("K30", "F1", "P4")
@pytest.mark.parametrize(("what", "depth"), [("loop", 200), ("recursion", 1000)])
def test_long_ones_go_on(what: str, depth: int, tmp_path: Path) -> None:
    """A refinement loop of 200 steps, and a recursion 1,000 deep."""
    check(what, depth, tmp_path, kill_at=[str(depth // 10), str(depth // 2), str(depth - 1)])
