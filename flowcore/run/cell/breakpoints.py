"""``breakpoint()`` in a cell that runs inline: the debugger gets the terminal, and ``q`` ends the run.

While inline cells may run, `sys.breakpointhook` is a hook of ours, unless somebody has put
another in place or `PYTHONBREAKPOINT` says what to do. It starts pdb on the stream
behind the stand-ins (`printing.py`), since what cells print goes through the engine and
a prompt must not. Ctrl-C at the prompt is for the run, as anywhere: it stops when the
debugger lets go of the cell. `q` counts as Ctrl-C, not as a failure of the cell.

Threads: any; a run's inline cells are on its engine's thread, where pdb sets no handler.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from contextlib import suppress
from typing import Final

from flowcore.run.cell.printing import behind
from flowcore.run.job import Failed, Metric, Printed, Result, Warned

QUIT: Final = "bdb.BdbQuit"  # what pdb raises at the place where it is left

_lock = threading.Lock()
_users = 0
_asked = False  # whether a debugger was started at all
_at_prompt = False  # whether a cell has been stopped and has not ended


def offer() -> None:
    """Have a debugger at hand; each call is ended by one of :func:`withdraw`."""
    global _users  # noqa: PLW0603 - the hook of a process is global as well
    with _lock:
        _users += 1
        if _users == 1 and sys.breakpointhook is sys.__breakpointhook__ and not os.environ.get("PYTHONBREAKPOINT"):
            sys.breakpointhook = stop_here


def withdraw() -> None:
    """Put the hook back when nobody needs ours any more."""
    global _users  # noqa: PLW0603 - see above
    with _lock:
        _users -= 1
        if not _users and sys.breakpointhook is stop_here:
            sys.breakpointhook = sys.__breakpointhook__


def stop_here(*_: object, **__: object) -> None:
    """Debug whoever calls this, on the terminal."""
    global _at_prompt, _asked  # noqa: PLW0603 - there is one terminal
    import pdb  # noqa: T100 - 20 ms, and few runs are debugged

    if not _asked:
        _asked = True
        _keep_terminal()
    _at_prompt = True
    debugger = pdb.Pdb()
    debugger.stdout = behind("stdout")
    debugger.set_trace(sys._getframe(1))


def _keep_terminal() -> None:
    """Have the terminal put back as it is now, should the process end while somebody is asked.

    A line editor takes echo away for as long as it reads; at the second Ctrl-C the run leaves
    the thread that does so behind, and whoever comes next would type without seeing it.
    """
    try:
        import termios  # not everywhere
    except ImportError:
        return
    with suppress(AttributeError, ValueError, OSError, termios.error):
        file = sys.stdin.fileno()
        mode = termios.tcgetattr(file)

        def put_back() -> None:
            if _at_prompt:
                termios.tcsetattr(file, termios.TCSANOW, mode)

        atexit.register(put_back)


def hint() -> None:
    """Say what Ctrl-C at a prompt has done: nobody can take the prompt away. Any thread, also a signal handler."""
    if _at_prompt:
        with suppress(OSError, ValueError, RuntimeError):
            behind("stderr").write("\nThe run stops when the debugger lets go of this cell: c to end it, q at once.\n")


def was_left(result: Result) -> bool:
    """Tell whether an attempt ended because its debugger was left."""
    global _at_prompt  # noqa: PLW0603 - see above
    _at_prompt = _at_prompt and isinstance(result, Printed | Warned | Metric)
    return isinstance(result, Failed) and result.failure.type == QUIT
