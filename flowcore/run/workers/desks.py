"""What each worker process has before it: messages of cells, a deadline, what is known of its memory.

Owns these records; `executors/processes.py` moves what is in them. Never talks to a worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from flowcore.dataclass import dataclass
from flowcore.run.inbox import Timer
from flowcore.run.job import Done, Job, Result
from flowcore.run.workers.girth import Girth
from flowcore.run.workers.holdings import Holdings
from flowcore.run.workers.parcels import Parcel


@dataclass(slots=True, kw_only=True)
class Waiting:
    """A job that no worker has yet."""

    job: Job
    alone: bool = False  # nothing else may be with its worker: somebody in it may be a killer


@dataclass(slots=True, kw_only=True)
class Desk:
    """What one worker has."""

    seat: int = 0  # counted from 1, free again when it has gone: what timelines call the worker
    parcels: list[Parcel] = field(default_factory=list)
    warm: set[int] = field(default_factory=set)  # tasks whose first report, with its imports, is past
    deadline: Timer | None = None
    excused: bool = False  # we ended it ourselves, and no cell is to blame for that
    holdings: Holdings = field(default_factory=Holdings)
    girth: Girth = field(default_factory=Girth)

    def free(self, *, up: bool, short: bool) -> int:
        """Count the messages that this worker could take now; `short`: of cells that end within a moment."""
        if not self.parcels:
            return 2 if short and up else 1
        behind = short and len(self.parcels) == 1 and self.parcels[0].short
        return 1 if behind and not self.girth.draining else 0

    def made(self, results: Sequence[Result]) -> None:
        """Take notice of what this worker's cells gave."""
        for result in results:
            if isinstance(result, Done):
                self.holdings.made(result.records)
