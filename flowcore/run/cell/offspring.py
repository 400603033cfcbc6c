"""Copies of a process that a cell forked: they are not us, and never come back out of the cell.

A copy may do what it was forked for and end by itself, as the children of `multiprocessing`
do. What it may not do is return from the task, or raise out of it:

1. A cell in a worker forks. 2. Its copy returns from the task, too. 3. It would take the
next message off the socket that it shares with its parent, which then waits for ever. In
the user's own process it would be a second engine that writes to the same journal.

So a copy that comes to the end of the task ends there.
"""

from __future__ import annotations

import contextlib
import os
import traceback

from flowcore.run import proc
from flowcore.run.cell.context import Context, current
from flowcore.run.forked import belongs_here


class _Origin:
    """Which cell forked this process; None: it is no copy, or none of a cell."""

    def __init__(self) -> None:
        self.cell: Context | None = None

    def forget(self) -> None:
        """Take note of who made this copy."""
        self.cell = current.get()


_origin = _Origin()
belongs_here(_origin)


def end_of_copies(error: BaseException | None = None) -> None:
    """End this process, without exit handlers, if the cell that runs here forked it; `error` is what the cell raised.

    A run inside such a copy has cells of its own, and these come back.
    """
    if _origin.cell is None or _origin.cell is not current.get():
        return
    if isinstance(error, SystemExit):
        proc.leave(error.code if isinstance(error.code, int) else int(error.code is not None))
    if error is not None:
        with contextlib.suppress(OSError):
            os.write(2, "".join(traceback.format_exception(error)).encode("utf-8", "replace"))
    proc.leave(int(error is not None))
