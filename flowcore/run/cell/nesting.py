"""Runs inside the tasks of runs (contract F15).

An inner run lives on the cores of the cell that started it, so that outer and inner
together never use more than the user allowed. It knows of the outer one only by the
context in which the cell runs, which is the same in a worker, a thread and inline.
"""

from __future__ import annotations

from flowcore.errors import TooDeeplyNested
from flowcore.run.cell.context import current

DEEPEST = 3


def nesting(flow: str) -> tuple[int, int | None]:
    """Tell how many runs a run begun here is nested in, and how many cores it has; None: as many as it likes.

    Raises
    ------
    TooDeeplyNested
        If that is more than three.
    """
    here = current.get()
    if here is None:
        return 0, None
    depth = here.depth + 1
    if depth > DEEPEST:
        raise TooDeeplyNested(flow=flow, depth=depth, allowed=DEEPEST)
    return depth, here.cores
