"""What the cells of each task took: sums, and how they are spread."""

from __future__ import annotations

from flowcore.dataclass import dataclass
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.inspect.timing.attempts import Attempts


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTimes:
    """What the attempts at cells of one task took.

    Attributes
    ----------
    task : str
        Module and name of the function; the node's name where there is none.
    nodes, cells, lost : int
        Nodes that use it, attempts that gave a value or a skip, and those that did not.
    total, mean, median, shortest, longest : float
        Seconds inside the user's function, of attempts that gave a value or a skip.
    around : float
        Seconds that fetching inputs and keeping results took, in all.
    """

    task: str
    nodes: int
    cells: int
    lost: int
    total: float
    mean: float
    median: float
    shortest: float
    longest: float
    around: float

    def __str__(self) -> str:
        return (
            f"{self.task}: {self.cells} cells, {self.total:.3g} s, median {self.median:.3g} s, "
            f"longest {self.longest:.3g} s{f', {self.lost} attempts lost' if self.lost else ''}"
        )


def task_times(recorded: Recorded, attempts: Attempts) -> tuple[TaskTimes, ...]:
    """Sum attempts by task, the most costly task first."""
    import numpy as np

    groups: dict[str, list[int]] = {}
    for node, info in recorded.nodes.items():
        if info.kind in ("compute", "io"):
            groups.setdefault(info.task or info.name, []).append(node)
    found: list[TaskTimes] = []
    for task, nodes in groups.items():
        rows = np.flatnonzero(np.isin(attempts.node, nodes))
        gave = rows[attempts.how[rows] <= 1]
        if not len(rows):
            continue
        seconds = attempts.seconds[gave] if len(gave) else np.zeros(1)
        found.append(TaskTimes(
            task=task, nodes=len(nodes), cells=len(gave), lost=len(rows) - len(gave), total=float(seconds.sum()),
            mean=float(seconds.mean()), median=float(np.median(seconds)), shortest=float(seconds.min()),
            longest=float(seconds.max()), around=float((attempts.fetching + attempts.keeping)[rows].sum()),
        ))  # fmt: skip
    return tuple(sorted(found, key=lambda times: -times.total))
