"""Which worker gets the next message: by what is free, by cores and devices, and by what it made.

Looks at desks and gives an answer; sends nothing, ends nobody. Cores of a worker's messages
are those of the one that takes most, since they run one after the other. The engine's
thread alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from flowcore.run.job import Job, TaskSpec
from flowcore.run.workers.desks import Desk, Waiting
from flowcore.run.workers.devices import choose
from flowcore.run.workers.holdings import inputs_of
from flowcore.run.workers.launching import WorkerProcess


class Seating:
    """Looks for a worker.

    Parameters
    ----------
    workers : list of WorkerProcess
        The pool's, as it changes.
    desk : callable
        Gives what a worker has before it.
    cores : int
        That cells in these workers may take; one that asks for more takes all.
    devices : sequence of str
        That they may compute on.
    """

    def __init__(
        self, workers: list[WorkerProcess], desk: Callable[[WorkerProcess], Desk], *, cores: int,
        devices: Sequence[str],
    ) -> None:  # fmt: skip
        self._workers = workers
        self._desk = desk
        self._cores = cores
        self._devices = tuple(devices)
        self._wide = False  # whether a task with more than one core has come

    def free(self, task: TaskSpec, before: Collection[Waiting], *, short: bool) -> int:
        """Count the messages of a task that could go now, behind what waits already."""
        self._wide = self._wide or task.cores > 1
        return sum(self._room(worker, short=short) for worker in self._among(task, before)) - len(before)

    def held(self) -> list[int]:
        """Count the cells that each worker has."""
        desks = (self._desk(worker) for worker in self._workers if worker.fit)
        return [sum(len(parcel.open) for parcel in desk.parcels) for desk in desks]

    def choose(self, job: Job, *, short: bool) -> tuple[WorkerProcess | None, list[WorkerProcess]]:
        """Give the worker that a job goes to, None if it has to wait; and idle ones that have to be replaced for it."""
        fit = [w for w in self._among(job.task) if w.fit and self._room(w, short=short)]
        if not fit:
            return None, []
        if job.task.gpus:
            return self._with_devices(job.task.gpus, [w for w in fit if not self._desk(w).parcels])
        least = min(len(self._desk(w).parcels) for w in fit)
        return self._nearest([w for w in fit if len(self._desk(w).parcels) == least], job), []

    def _room(self, worker: WorkerProcess, *, short: bool) -> int:
        """Count the messages that `worker` could take now."""
        return 0 if worker.doomed or worker.gone else self._desk(worker).free(up=worker.up, short=short)

    def _nearest(self, workers: Sequence[WorkerProcess], job: Job) -> WorkerProcess:
        """Choose, among equally free workers, the one that has made most of what a job reads."""
        inputs = inputs_of(job.columns) if len(workers) > 1 else {}
        return max(workers, key=lambda w: self._desk(w).holdings.share(inputs)) if inputs else workers[0]

    def _among(self, task: TaskSpec, before: Collection[Waiting] = ()) -> list[WorkerProcess]:
        """Give the workers that may be asked: where too few cores are idle, one core may queue behind others."""
        if not self._wide:
            return self._workers
        waiting = sum(min(self._cores, one.job.task.cores) for one in before)
        idle = self._cores - waiting - sum(min(self._cores, _cores(self._desk(worker))) for worker in self._workers)
        if idle >= min(task.cores, self._cores):
            return self._workers
        return [worker for worker in self._workers if task.cores == 1 and self._desk(worker).parcels]

    def _with_devices(
        self, wanted: int, idle: Sequence[WorkerProcess]
    ) -> tuple[WorkerProcess | None, list[WorkerProcess]]:
        """Give an idle worker its devices: the ones its process has already, or free ones for good."""
        taken = {device for worker in self._workers if self._computes(worker) for device in worker.devices}
        place, own = choose(wanted, self._devices, taken=taken, given=[worker.devices for worker in idle])
        if place < 0:
            enough = len(self._devices) - len(taken) >= wanted
            return None, [worker for worker in idle if worker.devices][:1] if enough else []
        idle[place].devices = own
        return idle[place], [w for i, w in enumerate(idle) if i != place and set(w.devices).intersection(own)]

    def _computes(self, worker: WorkerProcess) -> bool:
        return any(parcel.job.task.gpus for parcel in self._desk(worker).parcels)


def _cores(desk: Desk) -> int:
    return max((parcel.job.task.cores for parcel in desk.parcels), default=0)
