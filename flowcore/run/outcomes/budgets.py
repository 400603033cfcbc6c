"""How often an attempt at a cell may come to nothing: each cause has a budget of its own.

Deaths of a worker, and want of memory, are not the task's to count (`retries=` is for what it
raises and for timeouts). Who lacked memory is tried again with nothing beside it, once: if
that does not help, nothing will. What is told by a MemoryError, with nothing beside it, was that try.
"""

from __future__ import annotations

from typing import Final

from flowcore.errors import CellTimeout, FlowcoreError, WorkerDied
from flowcore.machine import memory_limit
from flowcore.run.books import Tries
from flowcore.run.cell.failure import sourced, users_stack
from flowcore.run.job import Died, Failed, Failure, TimedOut
from flowcore.run.ready.work import Work

CRASHES: Final = 2  # deaths of a worker that a cell survives; the next one fails it
LACKS: Final = 1  # times that it lacks memory likewise
_LACK: Final = "MemoryError"


def charged(
    result: Failed | Died | TimedOut, tries: Tries, work: Work, *, cell: str, beside: bool
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
    beside : bool
        Whether other cells were in flight.
    """
    retries = work.planned.node.options.retries
    lacked = lacked_memory(result)
    match result:
        case Failed():
            if lacked:
                tries.lacked += 1
                return sourced(result.failure), max(retries, LACKS if beside else 0), tries.lacked
            tries.raised += 1
            return sourced(result.failure), retries, tries.raised
        case TimedOut():
            tries.timed_out += 1
            allowed = work.task.timeout or result.seconds
            return CellTimeout(cell=cell, seconds=allowed, did=result.did), retries, tries.timed_out
        case Died():
            if lacked:
                tries.lacked += 1
            else:
                tries.crashed += 1
            budget, used = (LACKS, tries.lacked) if lacked else (CRASHES, tries.crashed)
            died = WorkerDied(
                cell=cell, attempt=used, attempts=budget + 1, cause=result.cause, peak=result.peak,
                stderr=result.stderr, stack=users_stack(result.stack), step=result.step, memory=lacked,
                limit=memory_limit() if result.peak else 0, final=result.final,
            )  # fmt: skip
            return died, budget, used


def lacked_memory(result: Failed | Died | TimedOut) -> bool:
    """Tell whether an attempt ended for want of memory."""
    match result:
        case Died():
            return result.memory
        case Failed():
            return _LACK in (result.failure.type, *result.failure.bases)
        case _:
            return False
