"""Progress: who is told of a run, and where it is shown.

On a terminal a small table that is kept up to date, in a notebook the same as HTML,
elsewhere a line now and then. What cells print is passed on whatever is shown.
"""

from __future__ import annotations

import sys

from flowcore.events import Observer
from flowcore.progress import logs
from flowcore.progress.lines import Lines
from flowcore.progress.notebook import Notebook, in_notebook
from flowcore.progress.prints import Echo
from flowcore.progress.terminal import Terminal
from flowcore.progress.watch import View, Watch


def observers(progress: bool | Observer | None) -> list[Observer]:
    """Give the observers that the option ``progress`` asks for.

    Parameters
    ----------
    progress : bool or Observer, optional
        None: show what lasts; True: show short runs, too; False: show nothing; an
        observer is told of everything in place of what is shown. What cells print
        reaches the standard streams in each case.
    """
    logged: list[Observer] = [logs.Log()] if logs.wanted() else []
    if progress is False:
        return [Echo(), *logged]
    if isinstance(progress, Observer):
        return [Echo(), progress, *logged]
    return [Watch(view_here(asked=progress is True)), *logged]


def view_here(*, asked: bool) -> View:
    """Give the view for where this process writes to."""
    if in_notebook():
        return Notebook(asked=asked)
    if sys.stderr is not None and sys.stderr.isatty():
        return Terminal(sys.stderr, asked=asked)
    return Lines(asked=asked)
