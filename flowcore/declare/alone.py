"""The seat of a loop that nobody keeps: a plain call, outside a run or inside a cell.

Owns what an ordinary loop needs: series in memory, and a copy of the state where
``ckpt.save()`` is called by hand. Never touches a disk.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from flowcore.declare.seat import NEVER, NO_STEP, Pulse, Saved, Values


class Idle:
    """A slot that nobody looks at."""

    __slots__ = ("step",)
    stopping = False

    def __init__(self) -> None:
        self.step = 0


class Alone:
    """See `flowcore.declare.seat.Seat`."""

    lengthens = False
    mark = NO_STEP

    def __init__(self) -> None:
        self.wake = NEVER
        self.pulse: Pulse = Idle()
        self._series: dict[str, list[object]] = {}
        self._copy: Saved | None = None

    def first(self, initial: Mapping[str, object]) -> Saved | None:  # noqa: ARG002
        """Begin at the start."""
        return None

    def earlier(self, loop: int, step: int) -> Saved | None:  # noqa: ARG002
        """Begin at the start."""
        return None

    def start_over(self, loop: int, step: int) -> None:
        """Nothing was taken up."""

    def last(self) -> Saved:
        """Give what was saved by hand."""
        if self._copy is None:
            raise LookupError("no state was saved yet")
        return copy.deepcopy(self._copy)

    def attend(self, loop: int, step: int, total: int | None, values: Values) -> None:  # noqa: ARG002
        """Nothing is due; the loop came because of what was asked for by hand."""
        self.wake = NEVER

    def ended(self, loop: int, step: int, values: Values) -> None:
        """Nothing is kept of it."""

    def left(self, loop: int) -> None:
        """Nothing is kept of it."""

    def altered(self, values: Values) -> dict[str, object]:  # noqa: ARG002
        """Nothing was taken up."""
        return {}

    def enter(self, loop: int, *, done: bool) -> None:
        """Nothing was saved."""

    def save(self, loop: int, step: int, values: Values, *, inside: bool) -> None:  # noqa: ARG002
        """Keep a copy, to go back to."""
        self._copy = (loop, step, copy.deepcopy(values()))

    def metric(self, numbers: Mapping[str, Any]) -> None:
        """Nobody looks."""

    def append(self, name: str, value: object, *, inside: bool) -> None:  # noqa: ARG002
        """Add a frame to a series."""
        self._series.setdefault(name, []).append(copy.copy(value))

    def series(self, name: str) -> Any:
        """Give a series as an array."""
        if name not in self._series:
            raise LookupError(f"nothing was appended to a series {name!r}")
        import numpy as np

        return np.array(self._series[name])
