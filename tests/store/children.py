"""What a test does in child processes: things that end in a kill, or that must happen at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence


def in_children(act: Callable[[], object], count: int) -> list[int]:
    """Do the same in several children at once; give their exit statuses."""
    return at_once([act] * count)


def at_once(acts: Sequence[Callable[[], object]]) -> list[int]:
    """Do several things in as many children; give their exit statuses."""
    pids = [_fork(act) for act in acts]
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def in_child(act: Callable[[], object]) -> int:
    """Do something in a child process; give its exit status, negative for a signal."""
    return in_children(act, 1)[0]


def _fork(act: Callable[[], object]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    return pid
