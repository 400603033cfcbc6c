"""A process that is kept for somebody's sake: its standard input says for how long.

Whoever starts one holds the only writing end of a pipe, so the process hears of that one's
end whatever it was, and ends with all that it started itself. For what plugins have to
have beside a run and may not leave behind: a cluster of its own, say.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

_PATIENCE = 5.0  # seconds that it has to end by itself


class Kept:
    """A Python process of a group of its own. Any thread.

    Parameters
    ----------
    code : str
        What it executes, with this process's import path: it is to say one line on its
        standard output, and to end when its standard input does.

    Examples
    --------
    >>> kept = Kept("import os; print(6 * 7, flush=True); os.read(0, 1)")
    >>> kept.line()
    '42'
    >>> kept.close()
    """

    def __init__(self, code: str) -> None:
        command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)

    def line(self) -> str:
        """Wait for what it says; empty if it ended without a word."""
        assert self._process.stdout is not None, "it is a pipe"
        try:
            return self._process.stdout.readline().decode().strip()
        except ValueError:  # closed meanwhile
            return ""

    def close(self) -> None:
        """End it, and what it has left of its group."""
        assert self._process.stdin is not None, "it is a pipe"
        assert self._process.stdout is not None, "it is a pipe"
        with suppress(OSError):
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE)
        with suppress(ProcessLookupError):  # nobody is left of it
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process.stdout.close()
