"""How far those who fetch may be ahead of those who use what was fetched: counts in, counts out.

Owns the count, a task, of cells that are being fetched, of what one of them weighs, and of cells
that could use it by now. Promises that values which wait to be used weigh no more than the
bound, once it is known what one weighs; and that nobody waits for nothing: while no cell could
use what is there (a gather still waits for the rest, say), fetching goes on.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Final

from flowcore.dataclass import dataclass

UNKNOWN: Final = 64  # cells at once whose weight nobody knows yet
_WEIGHT: Final = 0.2  # of the newest values in what one is expected to weigh


@dataclass(slots=True)
class _Fetched:
    """One task's."""

    mean: float = 0.0  # bytes; 0: not known
    fetching: int = 0
    waiting: int = 0  # cells that could use it, judged or begun, and have not ended


class Prefetch:
    """What is on its way and waits to be used, by the task that fetches it. One thread.

    Parameters
    ----------
    most : int
        Bytes that may wait.
    least : int
        Cells that may wait, whatever they weigh, so that nobody who uses them lies idle.
    """

    def __init__(self, *, most: int, least: int) -> None:
        self._most = most
        self._least = least
        self._tasks: dict[Hashable, _Fetched] = {}

    def room(self, task: Hashable) -> int:
        """Tell how many more cells of a task may be fetched now."""
        found = self._tasks.get(task)
        if found is None:
            return UNKNOWN
        allowed = UNKNOWN if not found.mean else max(self._least, int(self._most / found.mean))
        return allowed - found.fetching - found.waiting

    def fetch(self, task: Hashable, cells: int) -> None:
        """So many cells begin to be fetched; fewer than none: have ended."""
        self._of(task).fetching += cells

    def weigh(self, task: Hashable, sizes: Iterable[int]) -> None:
        """These bytes were fetched."""
        found = self._of(task)
        for size in sizes:
            found.mean = size if not found.mean else found.mean + _WEIGHT * (size - found.mean)

    def wait(self, tasks: Iterable[Hashable], cells: int) -> None:
        """So many cells could use what these tasks gave; fewer than none: have used it."""
        for task in tasks:
            self._of(task).waiting += cells

    def _of(self, task: Hashable) -> _Fetched:
        found = self._tasks.get(task)
        if found is None:
            found = self._tasks[task] = _Fetched()
        return found
