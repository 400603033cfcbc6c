"""How often an attempt at a cell may come to nothing: each cause has a budget of its own."""

from __future__ import annotations

from typing import Final

from flowcore.errors import CellTimeout, FlowcoreError, WorkerDied
from flowcore.run.books import Tries
from flowcore.run.failure import sourced, users_stack
from flowcore.run.job import Died, Failed, Failure, TimedOut
from flowcore.run.work import Work

CRASHES: Final = 2  # deaths of a worker that a cell survives; the next one fails it


def charged(
    result: Failed | Died | TimedOut, tries: Tries, work: Work, *, cell: str
) -> tuple[FlowcoreError | Failure, int, int]:
    """Count an attempt that gave no value; give the error, the budget for its kind, and how much of it is used.

    Parameters
    ----------
    result : Failed, Died or TimedOut
    tries : Tries
        Of the cell; the attempt is added.
    work : Work
        The cell's node.
    cell : str
        Its readable id.
    """
    retries = work.planned.node.options.retries
    match result:
        case Failed():
            tries.raised += 1
            return sourced(result.failure), retries, tries.raised
        case TimedOut():
            tries.timed_out += 1
            allowed = work.task.timeout or result.seconds
            return CellTimeout(cell=cell, seconds=allowed, did=result.did), retries, tries.timed_out
        case Died():
            tries.crashed += 1
            died = WorkerDied(
                cell=cell, attempt=tries.crashed, attempts=CRASHES + 1, cause=result.cause, peak=result.peak,
                stderr=result.stderr, stack=users_stack(result.stack), step=result.step,
            )  # fmt: skip
            return died, CRASHES, tries.crashed
