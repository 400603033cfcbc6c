"""Starts pilots for tests, in processes and in threads, and sees that none of them stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from flowcore.run.pilots.box import Box
from flowcore.run.pilots.executor import box_of
from flowcore.run.pilots.pilot import Pilot, Terms

ROOT = Path(__file__).parents[3]
DEADLINE = 60.0  # seconds; only turns a hang into a failure


def until(condition: Callable[[], bool], what: str) -> None:
    """Look again and again until a condition holds."""
    due = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < due, what
        time.sleep(0.01)


def box_at(store: Path | str) -> Box:
    """Open the box of a store."""
    return Box.open(box_of(str(store)))


@contextmanager
def python(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Run a module in a session of its own; at the end it is killed, if it lives."""
    process = subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@contextmanager
def worker(store: Path, workers: int = 1, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Start a pilot in a process, as a user does."""
    with python("flowcore", "worker", "--spool", box_at(store).path, "-w", str(workers), *more) as process:
        yield process


@contextmanager
def aboard(box: Box, **terms: Any) -> Iterator[Pilot]:
    """Have a pilot in a thread of this process; at the end it leaves."""
    pilot = Pilot(box, Terms(**terms))
    thread = threading.Thread(target=pilot.serve, name="flowcore-pilot")
    thread.start()
    try:
        yield pilot
    finally:
        pilot.signal()
        pilot.signal()
        thread.join(DEADLINE)

        assert not thread.is_alive(), "the pilot does not end"


def lives(process: int) -> bool:
    """Tell whether a process lives, and is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False
