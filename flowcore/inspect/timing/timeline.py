"""A run along time: lanes, how busy workers were, what cells waited for, and what tasks took.

Owns :class:`Timeline`, made from a journal alone, so that it is the same for live,
finished and dead runs, from any process. A lane is a worker, or one of as many rows as
the cells of threads, event loop or another's executor need to lie side by side. A cell
is a row of columns here; an object is made of it only when somebody asks for one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from os import PathLike

from flowcore.inspect.html import Part, table
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.inspect.timing.attempts import ENDS, Attempts, attempts_of
from flowcore.inspect.timing.critical import CriticalPath, critical_path, critical_rows, ready_of
from flowcore.inspect.timing.lanes import Lane, Span, packed_lanes
from flowcore.inspect.timing.readiness import Readiness
from flowcore.inspect.timing.tasktimes import TaskTimes, task_times
from flowcore.inspect.timing.waiting import totals, waiting


class Timeline:
    """When the cells of a run ran.

    Attributes
    ----------
    seconds : float
        Wall time of the run, so far or in all.
    workers : int
        Worker processes that it was allowed.
    attempts : Attempts
        All attempts in columns.
    """

    def __init__(self, recorded: Recorded, seconds: float) -> None:
        self._recorded = recorded
        self.attempts: Attempts = attempts_of(recorded)
        latest = float(self.attempts.ends.max(initial=0.0))
        self.seconds = max(seconds, latest)
        workers = recorded.facts.get("workers")
        self.workers = workers if isinstance(workers, int) else 1

    @property
    def run(self) -> str:
        """The run's id."""
        return self._recorded.id

    @cached_property
    def lanes(self) -> tuple[Lane, ...]:
        """Workers first, then rows of what ran elsewhere; as few as let no two cells overlap."""
        import numpy as np

        attempts, found = self.attempts, []
        for seat in np.unique(attempts.worker[attempts.worker > 0]).tolist():
            rows = np.flatnonzero(attempts.worker == seat)
            found.append(Lane(name=f"worker {seat}", kind="worker", rows=rows))
        runners = {node: info.runner or "process" for node, info in self._recorded.nodes.items()}
        elsewhere: dict[str, list[int]] = {}
        for row in np.flatnonzero(attempts.worker == 0).tolist():
            elsewhere.setdefault(runners.get(int(attempts.node[row]), ""), []).append(row)
        begins, ends = attempts.begins.tolist(), attempts.ends.tolist()
        for runner, rows_of in sorted(elsewhere.items()):
            packed = packed_lanes(begins, ends, rows_of)
            found += [
                Lane(name=f"{runner} {i}", kind=runner, rows=np.array(rows, np.int64))
                for i, rows in enumerate(packed, 1)
            ]
        return tuple(found)

    @cached_property
    def readiness(self) -> Readiness:
        """When the inputs of each cell were there."""
        return Readiness(self._recorded, self.attempts)

    @cached_property
    def waiting(self) -> dict[str, float]:
        """Seconds that cells waited, by cause, summed over cells.

        ``dependency``: their inputs were being made; ``worker``: all were busy, or not there
        yet; ``memory``; ``limit``: as many of the task ran as may; ``io``: inputs were
        fetched and results kept; ``engine``: none of these.
        """
        return totals(waiting(self._recorded, self.attempts, ready_of(self.attempts, self.readiness)))

    @property
    def utilisation(self) -> float:
        """The part of all workers' time in which they had a cell; 0 where no worker ran one."""
        at_work = self.attempts.worker > 0
        busy, had = float((self.attempts.ends - self.attempts.begins)[at_work].sum()), self.workers * self.seconds
        return min(1.0, busy / had) if had > 0 else 0.0

    @cached_property
    def tasks(self) -> tuple[TaskTimes, ...]:
        """What the cells of each task took, the most costly task first."""
        return task_times(self._recorded, self.attempts)

    @cached_property
    def critical_path(self) -> CriticalPath:
        """The chain of cells that the wall time is made of."""
        return critical_path(self._recorded, self.attempts, self.readiness)

    @cached_property
    def critical_rows(self) -> list[int]:
        """The same, as places in the columns."""
        return critical_rows(self._recorded, self.attempts, self.readiness)

    def span(self, row: int) -> Span:
        """Give one attempt."""
        a, node = self.attempts, int(self.attempts.node[row])
        return Span(
            cell=self._recorded.name(node, int(a.number[row])), node=self._recorded.nodes[node].name,
            began=float(a.begins[row]), fetching=float(a.fetching[row]), seconds=float(a.seconds[row]),
            keeping=float(a.keeping[row]), worker=int(a.worker[row]), how=ENDS[int(a.how[row])],
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.attempts)

    def __iter__(self) -> Iterator[Span]:
        return (self.span(row) for row in range(len(self)))

    def to_chrome(self, path: str | PathLike[str]) -> None:
        """Write the timeline for Perfetto, or chrome://tracing.

        Examples
        --------
        >>> run.timeline().to_chrome("run.trace.json")  # doctest: +SKIP
        """
        from flowcore.inspect.exports.chrome import write_chrome  # few timelines are exported

        write_chrome(self, path)

    def __str__(self) -> str:
        waited = ", ".join(f"{cause} {seconds:.3g} s" for cause, seconds in self.waiting.items() if seconds >= 1e-3)
        busy = f"{self.workers} workers {self.utilisation:.0%} busy"
        heading = f"{self.run}: {len(self)} attempts in {self.seconds:.3g} s on {len(self.lanes)} lanes, {busy}"
        return "\n".join([heading, f"cells waited for: {waited or 'nothing'}", *(f"  {task}" for task in self.tasks)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows: list[list[Part]] = [
            [t.task, t.cells, *(f"{seconds:.4g}" for seconds in (t.total, t.mean, t.median, t.longest))]
            for t in self.tasks
        ]
        headings = ["task", ">cells", ">seconds", ">mean", ">median", ">longest"]
        more = ", ".join(f"{cause} {seconds:.3g} s" for cause, seconds in self.waiting.items() if seconds >= 1e-3)
        return table("", headings, rows, more=f"cells waited for: {more}" if more else "")
