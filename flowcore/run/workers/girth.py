"""When a worker has grown so much that another takes its place (contract W9). Pure.

Owns what a worker occupied once it had met its tasks, with all that these import and
load, and what it may grow beyond that. Promises that only a worker without cells is
replaced; one that is never without gets nothing more until it is. Never counts cells:
many of them are no fault, and a worker that ends in their midst is one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

GROWN: Final = 1 << 30  # bytes that a worker may occupy beyond what it did once it had met its tasks
EVERY: Final = 1.0  # seconds between two looks

Verdict: TypeAlias = Literal["keep", "drain", "replace"]


class Girth:
    """How one worker has grown.

    Attributes
    ----------
    draining : bool
        Whether it gets nothing more until it is looked at without cells.
    """

    __slots__ = ("_base", "_due", "_met", "draining")

    def __init__(self) -> None:
        self._base = 0
        self._met = 0
        self._due = 0.0
        self.draining = False

    def look(self, now: float, resident: Callable[[], int], *, idle: bool, tasks: int) -> Verdict:
        """Tell what becomes of a worker.

        Parameters
        ----------
        now : float
            By any clock that does not go back.
        resident : callable
            Gives the bytes that it occupies now; asked about once a second.
        idle : bool
            Whether it has no cells.
        tasks : int
            How many tasks it has met; what it occupies after a new one is not held against it.
        """
        if now < self._due and not (idle and self.draining):
            return "keep"
        self._due, self.draining = now + EVERY, False
        occupied = resident()
        if idle and tasks != self._met:
            self._met, self._base = tasks, occupied
        if occupied <= self._base + GROWN:
            return "keep"
        if idle:
            return "replace"
        self.draining = True
        return "drain"
