"""What a worker performs cells with: the run's store as its worker side sees it, and `perform`.

Opened once a run in each worker, closed when the next run begins. Named by
`executors/processes.py` and imported in the worker, so nothing here runs in the engine.
"""

from __future__ import annotations

from collections.abc import Callable

from flowcore.errors import FlowcoreWarning
from flowcore.plan.code import fingerprint, forget
from flowcore.run.cell.comparing import differing_module
from flowcore.run.cell.meter import Meter
from flowcore.run.cell.slot import Slot
from flowcore.run.cell.warned import travelling
from flowcore.run.columns import Value
from flowcore.run.job import Job, Result, TaskSpec
from flowcore.run.perform import Workplace, perform
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec
from flowcore.store.directory import Store
from flowcore.store.recent import Recent


class StoreWorkshop:
    """Performs cells on the blobs and the spool of one run."""

    def __init__(self, surroundings: Surroundings, slot: Slot) -> None:
        self._report: Callable[[Result], None] | None = None  # while cells are performed
        attached = Store.attach(
            surroundings.store, surroundings.run_id, surroundings.spool,
            durable=surroundings.durable, writable=surroundings.writable, tell=self._tell,
        )  # fmt: skip
        self._codec = Codec(
            kept=attached.blobs if surroundings.writable else None,
            passed=attached.spool,
            files=attached.files,
            pickles=surroundings.pickles,
            recent=Recent(),
        )
        if surroundings.classes:
            self._codec.load_classes(surroundings.classes)
        self._meter = Meter()
        self._place = Workplace(
            codec=self._codec, slot=slot, checkpoints=attached.checkpoints if surroundings.writable else None,
            meter=self._meter, own=True,
        )  # fmt: skip

    def perform(self, job: Job, report: Callable[[Result], None], tell: Callable[[Value], None]) -> None:
        """Run the cells of `job` in order; `report` the outcome of each as it ends, or `tell` its plain value."""
        self._report = report
        perform(job, self._place, report, tell)
        self._report = None

    def code(self, task: TaskSpec) -> bytes:
        """Give the identity of the task's code as this process has it."""
        return fingerprint(self._codec.load_function(task.function, task.buffers)).digest

    def differing(self, task: TaskSpec) -> str:
        """Name a module that the task reads and that is another one in this process; empty if there is none."""
        return differing_module(task, self._codec)

    def close(self) -> None:
        """Let go of the run: a worker's side of a store holds nothing open, but arrays and code that was looked at."""
        if self._codec.recent is not None:
            self._codec.recent.clear()
        self._meter.close()
        forget()

    def _tell(self, warning: FlowcoreWarning) -> None:
        """Have the engine show a warning: here nobody would see it."""
        told = travelling(warning)
        if told is not None and self._report is not None:
            self._report(told)


def open_workshop(surroundings: Surroundings, slot: Slot) -> StoreWorkshop:
    """Open the workshop of a run."""
    return StoreWorkshop(surroundings, slot)
