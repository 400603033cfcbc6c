"""Why cells that were ready did not run at once.

Owns the causes. What waited is told from when things ran, not from what the engine
thought of it, so that any journal has it: of the time between a cell's last input and
its beginning, what passed while its limit or rate was reached waited for the ``limit``; of
the rest, what passed while every worker was busy, or not there yet, waited for a ``worker``;
of what then is left, what passed while the memory that running cells declare left too little
for what it declares itself waited for ``memory``. The rest is the engine's own time,
``engine``. Before its last input it waited for a ``dependency``; fetching inputs and keeping
results is ``io``.

Each of these is the integral of a step function of time, so a cell costs two look-ups.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from flowcore.dataclass import dataclass
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.inspect.timing.attempts import Attempts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CAUSES: Final = ("dependency", "worker", "memory", "limit", "io", "engine")


@dataclass(frozen=True, slots=True)
class Clogged:
    """How long something had been full by a time: a piecewise linear function."""

    at: NDArray[np.float64]
    total: NDArray[np.float64]

    def between(self, first: NDArray[np.float64], last: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the seconds for which it was full between two times, elementwise."""
        import numpy as np

        passed: NDArray[np.float64] = np.interp(last, self.at, self.total) - np.interp(first, self.at, self.total)
        return passed


def clogged(
    begins: NDArray[np.float64], ends: NDArray[np.float64], most: int, weights: NDArray[np.int64] | None = None
) -> Clogged:
    """Tell when `most` or more of some intervals overlap, or the sum of their weights is so much."""
    import numpy as np

    at = np.concatenate(([0.0], begins, ends))
    up = np.ones(len(begins), np.int64) if weights is None else weights
    steps = np.concatenate(([0], up, -up))
    order = np.lexsort((-steps, at))
    at, level = at[order], np.cumsum(steps[order])
    full = np.where(level[:-1] >= most, np.diff(at), 0.0)
    return Clogged(at, np.concatenate(([0.0], np.cumsum(full))))


def waiting(recorded: Recorded, attempts: Attempts, ready: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Give for each attempt the seconds that it waited, by cause; `ready` is when its inputs were there."""
    import numpy as np

    start = np.maximum(attempts.begins, ready)
    found = {cause: np.zeros(len(attempts)) for cause in CAUSES}
    found["dependency"] = np.minimum(ready, attempts.begins)
    found["io"] = attempts.fetching + attempts.keeping
    left = start - ready
    for rows, full in _limits(recorded, attempts):
        found["limit"][rows] = np.minimum(full.between(ready[rows], start[rows]), left[rows])
    left = left - found["limit"]
    at_work = np.flatnonzero(attempts.worker > 0)
    busy = _workers(attempts, at_work, _count(recorded.facts.get("workers")))
    found["worker"][at_work] = np.minimum(busy.between(ready[at_work], start[at_work]), left[at_work])
    left = left - found["worker"]
    for rows, full in _memory(recorded, attempts):
        found["memory"][rows] = np.minimum(full.between(ready[rows], start[rows]), left[rows])
    found["engine"] = left - found["memory"]
    return found


def totals(waited: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Sum over cells."""
    return {cause: float(seconds.sum()) for cause, seconds in waited.items()}


def _count(workers: object) -> int:
    return max(1, workers) if isinstance(workers, int) else 1


def _limits(recorded: Recorded, attempts: Attempts) -> list[tuple[NDArray[np.int64], Clogged]]:
    """Give the attempts under each limit, and when it was reached."""
    import numpy as np

    groups: dict[tuple[str, int, float], list[int]] = {}
    for node, info in recorded.nodes.items():
        if info.limit is not None:
            groups.setdefault(info.limit, []).append(node)
    found: list[tuple[NDArray[np.int64], Clogged]] = []
    for (_, most, period), nodes in groups.items():
        rows = np.flatnonzero(np.isin(attempts.node, nodes))
        begins = attempts.begins[rows]
        if len(rows):  # a rate is a limit on cells that each take the period
            found.append((rows, clogged(begins, begins + period if period else attempts.ends[rows], most)))
    return found


def _memory(recorded: Recorded, attempts: Attempts) -> list[tuple[NDArray[np.int64], Clogged]]:
    """Give the attempts that declare so much memory, and when others left less, for each amount."""
    import numpy as np

    budget = recorded.facts.get("memory")
    needs = {node: info.memory for node, info in recorded.nodes.items() if info.memory}
    if not needs or not isinstance(budget, int):
        return []
    needed = np.array([needs.get(node, 0) for node in attempts.node.tolist()], np.int64)
    rows = np.flatnonzero(needed)
    begins, ends = attempts.begins[rows], attempts.ends[rows]
    return [
        (rows[needed[rows] == amount], clogged(begins, ends, max(1, budget - amount + 1), needed[rows]))
        for amount in np.unique(needed[rows]).tolist()
    ]  # fmt: skip


def _workers(attempts: Attempts, rows: NDArray[np.int64], workers: int) -> Clogged:
    """Tell when every worker was busy; one that has not begun anything yet is not there, hence not free."""
    import numpy as np

    begins, ends, seats = attempts.begins[rows], attempts.ends[rows], attempts.worker[rows]
    used, first = np.unique(seats, return_index=True)
    arrivals = begins[first]
    latest = arrivals.max(initial=0.0)
    never = np.full(max(0, workers - len(used)), latest)  # as if they had come with the last of the others
    absent = np.concatenate((arrivals, never))
    return clogged(
        np.concatenate((begins, np.zeros(len(absent)))), np.concatenate((ends, absent)), min(workers, len(absent))
    )
