"""What stands for an executor that cannot be had: its cells fail, and say why (contract F35).

A coroutine can be carried out nowhere but on a loop. Where the system has no descriptor or
thread left for one, that is the end of its cells, and of nobody else's.
"""

from __future__ import annotations

from flowcore.run.cell.failure import describe
from flowcore.run.inbox import Inbox
from flowcore.run.job import Failed, Job, TaskSpec


class Unavailable:
    """Fails each cell with the error for which there is no executor. The engine's thread alone."""

    broken = ""

    def __init__(self, *, inbox: Inbox, lane: str, error: OSError | RuntimeError) -> None:
        self.name = lane
        self._inbox = inbox
        self._failure = describe(
            OSError(f"no {lane} runner can be had: {error}. Other cells went on; allow more: `ulimit -n`, `ulimit -u`")
        )

    def take_back(self) -> list[Job]:
        """Give nothing: there is nobody else for these."""
        return []

    def room(self, task: TaskSpec, ready: int) -> int:
        """Take everything, to say why it cannot be done."""
        del task
        return ready

    def start(self, job: Job) -> None:
        """Fail the cells."""
        self._inbox.post([Failed(attempt=attempt, failure=self._failure) for attempt in job.attempts])

    def stop(self) -> None:
        """Nothing is held."""

    def cancel(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is held."""
