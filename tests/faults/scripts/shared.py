"""Cells that another run computes as well, on threads. Usage: shared.py STORE AT_ONCE CHILD.

Meets the driver in each cell, and with the result. CHILD is what the process does before:
``none``; ``fork``, a child of Python's that stays; ``bare fork``, one that knows nothing of
Python, so that it keeps whatever its parent had open.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

import flowcore as fc
from flowcore.run.session import Session
from tests.faults import inside

CELLS = 4


def slow(number: int) -> int:
    """Take as long as the driver likes."""
    inside.executed("slow", number)
    inside.mark("cell", number=number)
    return number * number


def drawn(at_once: int = CELLS) -> tuple[fc.Flow, object]:
    """Draw the cells, so many of them in flight at once."""
    flow = fc.Flow("shared")
    return flow, flow.add(fc.compute(limit=at_once)(slow), fc.each(number=list(range(CELLS))), name="slow")


def fork_once_begun(how: str) -> None:
    """Have the process fork when its run has taken its lock."""
    real = Session.start

    def start(self: Session) -> None:
        if how == "bare fork":
            if ctypes.PyDLL(None).fork() == 0:
                ctypes.PyDLL(None).pause()
        elif os.fork() == 0:
            signal.pause()
        real(self)

    Session.start = start  # type: ignore[method-assign]


def main() -> None:
    """Run it."""
    inside.arm()
    store, at_once, child = sys.argv[1:]
    if child != "none":
        fork_once_begun(child)
    flow, cells = drawn(int(at_once))
    run = flow.run(store=store, workers=CELLS, progress=False, executor="thread")
    inside.mark("result", values=list(run[cells].values()))


if __name__ == "__main__":
    main()
