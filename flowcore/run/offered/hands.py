"""Worker processes that carry out calls: those of runs, but for three terms.

- They are one executor's own: workers that served a run have its modules, and those that
  served calls have what the calls left there, so neither passes on to the other. The
  launcher does: what comes next need not wait for numpy.
- They have one message at a time. A second one behind it would be out of reach of all
  others, and a call in it may be what a call in the first one waits for.
- What they keep in memory is their user's business: a worker that has grown is left alone.
"""

from __future__ import annotations

from flowcore.run.executors.processes import ProcessExecutor
from flowcore.run.inbox import Inbox
from flowcore.run.workers.desks import Desk
from flowcore.run.workers.launching import WorkerProcess
from flowcore.run.workers.parcels import Pace
from flowcore.run.workers.surroundings import Surroundings

_CALLSHOP = "flowcore.run.offered.callshop:open_callshop"


class OnePace(Pace):
    """Learns what calls take, and lets none of them wait behind others in the hands of a worker."""

    def short(self, task: int) -> bool:  # noqa: ARG002 - whatever the task
        """Say no."""
        return False


class Hands(ProcessExecutor):
    """Carries calls out. All methods on the thread that made it, close included."""

    def __init__(self, *, workers: int, inbox: Inbox, surroundings: Surroundings) -> None:
        super().__init__(workers=workers, inbox=inbox, surroundings=surroundings, workshop=_CALLSHOP)
        self._pace = OnePace()

    def close(self) -> None:
        """End the workers."""
        for worker in list(self._pool.workers):
            self._dismiss(worker, "its executor is shut down")
        super().close()

    def _take_over(self) -> None:
        for worker in list(self._pool.workers):
            self._dismiss(worker, "not kept: it has served a run")

    def _mind_girth(self, worker: WorkerProcess, desk: Desk) -> None:
        return
