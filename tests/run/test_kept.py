"""Claims about run/kept.py: what is kept for somebody's sake ends with that one."""

from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest

from flowcore.run.kept import Kept

CHILD = "import subprocess, sys, os; p = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])"
DEADLINE = 60.0  # seconds; only turns a hang into a failure
HOLDER = (
    "from flowcore.run.kept import Kept; import signal; "
    "kept = Kept({code!r}); print(kept.line(), flush=True); signal.pause()"
)


def ends(pidfd: int) -> bool:
    """Wait for the end of a process; tell whether it came."""
    try:
        return bool(select.select([pidfd], [], [], DEADLINE)[0])
    finally:
        os.close(pidfd)


@pytest.mark.contract("P6")
def test_it_ends_with_what_it_started() -> None:
    """Also with what it would have left behind."""
    kept = Kept(f"{CHILD}; print(p.pid, flush=True); os.read(0, 1)")
    child = os.pidfd_open(int(kept.line()))
    kept.close()

    assert ends(child)


def test_one_that_fails_says_nothing() -> None:
    """And can be closed like any other."""
    kept = Kept("import os; os._exit(3)")
    said = kept.line()
    kept.close()

    assert not said


@pytest.mark.contract("P6")
def test_it_hears_of_a_kill() -> None:
    """Of whoever keeps it: its input ends with that process, whatever ended it."""
    code = HOLDER.format(code="import os, sys; print(os.getpid(), flush=True); os.read(0, 1)")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as holder:
        assert holder.stdout is not None
        kept = os.pidfd_open(int(holder.stdout.readline()))
        holder.kill()

    assert ends(kept)
