"""Any `concurrent.futures.Executor` as a carrier of cells: loky, mpi4py, a stock pool.

The executor is the user's: it is neither started nor shut down here. Its workers get
bytes and give bytes (`run/executors/far.py`), so nothing of ours has to be pickled by it but two
names. What it cannot do, we cannot give: when one of its workers dies, most executors
fail every future at once and take no more; cells in flight then end as died, and the
crash budget decides.

Threads: `_landed` runs on whatever thread the executor uses for callbacks, and only
posts; all else runs on the engine's thread.
"""

from __future__ import annotations

from concurrent.futures import CancelledError, Executor, Future

from flowcore.run.executors.far import Place, pack_far, perform_far
from flowcore.run.inbox import Inbox
from flowcore.run.job import Died, Done, Interrupted, Job, Result, TaskSpec, loads, unpack_result

_MESSAGE_SECONDS = 0.05  # of work that one submitted job should hold
_MOST_CELLS = 1024
_IN_FLIGHT = 2  # submitted jobs a worker


class FuturesExecutor:
    """Carries cells out on an executor that the user brings."""

    broken = ""
    name = "futures"

    def __init__(self, *, inbox: Inbox, executor: Executor, workers: int, place: Place) -> None:
        self._inbox = inbox
        self._executor = executor
        self._workers = workers
        self._place = place
        self._futures: dict[Future[bytes], Job] = {}
        self._seconds: dict[int, float] = {}  # what a cell of each task took lately
        self._stopping = False

    def take_back(self) -> list[Job]:
        """Give nothing: this executor does not break."""
        return []

    def room(self, task: TaskSpec, ready: int) -> int:
        """Tell how many cells to hand over now."""
        if self._stopping or len(self._futures) >= self._workers * _IN_FLIGHT:
            return 0
        seconds = self._seconds.get(task.id)
        fits = 1 if seconds is None else int(_MESSAGE_SECONDS / max(seconds, 1e-6))
        return max(1, min(fits, -(-ready // self._workers), _MOST_CELLS))

    def start(self, job: Job) -> None:
        """Submit a job as one piece of work."""
        try:
            future = self._executor.submit(perform_far, pack_far(self._place, job))
        except RuntimeError as refused:  # shut down, or broken by an earlier death
            self._inbox.post([Died(attempt=a, cause=f"the executor takes no work: {refused}") for a in job.attempts])
            return
        self._futures[future] = job
        future.add_done_callback(lambda f: self._inbox.call(lambda: self._landed(f)))

    def stop(self) -> None:
        """Begin no further cell, as far as the executor can still call them back."""
        self._stopping = True
        for future in list(self._futures):
            future.cancel()

    def cancel(self) -> None:
        """As `stop`; what runs cannot be ended here, so it is left behind."""
        self.stop()
        left, self._futures = list(self._futures.values()), {}
        self._inbox.post([Interrupted(attempts=job.attempts) for job in left])

    def close(self) -> None:
        """Forget what is in flight; the executor stays the user's."""
        self._futures.clear()

    def _landed(self, future: Future[bytes]) -> None:
        job = self._futures.pop(future, None)
        if job is None:
            return  # left behind by `cancel`
        try:
            results = [unpack_result(fields) for fields in loads(future.result())]  # type: ignore[arg-type]
        except CancelledError:
            results = [Interrupted(attempts=job.attempts)]
        except Exception as error:  # noqa: BLE001 - whatever the foreign executor makes of a lost worker
            results = self._after_loss(job, error)
        for result in results:
            if isinstance(result, Done):
                mean = sum(result.seconds) / len(result.seconds)
                self._seconds[job.task.id] = mean
        self._inbox.post(results)

    def _after_loss(self, job: Job, error: Exception) -> list[Result]:
        """A lost batch goes out again cell by cell, so that one culprit is found; a lost cell has died."""
        if len(job.attempts) > 1 and not self._stopping:
            for i in range(len(job.attempts)):
                self.start(job.part(i, i + 1))
            return []
        return [Died(attempt=a, cause=f"lost by its executor: {type(error).__name__}: {error}") for a in job.attempts]
