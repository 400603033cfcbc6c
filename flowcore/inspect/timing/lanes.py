"""The lines of a timeline, and what lies on them."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flowcore.dataclass import dataclass

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What lies on one line of a timeline.

    Attributes
    ----------
    name : str
        ``worker 1``, ``thread 2``, ...
    kind : str
        ``worker``, or the runner of its cells: ``thread``, ``async``, ``inline``, a plugin's.
    rows : ndarray of int64
        Its attempts, as places in the timeline's columns, by time.
    """

    name: str
    kind: str
    rows: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One attempt at one cell; times in seconds since the run began."""

    cell: str
    node: str
    began: float
    fetching: float
    seconds: float
    keeping: float
    worker: int
    how: str  # "done", "skipped", "raised", "died", "timed out"


def packed_lanes(begins: Sequence[float], ends: Sequence[float], rows: Sequence[int]) -> list[list[int]]:
    """Lay what begins and ends so on as few lines as let no two of a line overlap; `rows` are by time."""
    lanes: list[list[int]] = []
    free: list[tuple[float, int]] = []  # when a lane is free, and which
    for row in rows:
        if free and free[0][0] <= begins[row]:
            _, lane = heapq.heappop(free)
        else:
            lane = len(lanes)
            lanes.append([])
        lanes[lane].append(row)
        heapq.heappush(free, (ends[row], lane))
    return lanes
