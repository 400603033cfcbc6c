"""From what a worker tells of a call that went wrong to the exception of its future.

Promises an exception, whatever came: the one that was raised, made again, with where that was
as a note; one of the same builtin class; or else `flowcore.offering.CallFailed`. User code may run here (an
exception's `__setstate__`).
"""

from __future__ import annotations

import builtins

from flowcore.errors import WorkerDied
from flowcore.machine import memory_limit
from flowcore.offering import CallFailed
from flowcore.run.cell.failure import restore, sourced, users_stack
from flowcore.run.job import Died, Failure


def raised(failure: Failure, call: str) -> BaseException:
    """Give the exception of a call that raised one."""
    failure = sourced(failure)
    error = restore(failure)
    if error is not None:
        return error
    kind = getattr(builtins, failure.type, None)
    if isinstance(kind, type) and issubclass(kind, RecursionError | MemoryError):  # of which no pickle is made
        error = kind(failure.text)
        error.add_note(f"Where it was raised (most recent call last):\n{failure.traceback.rstrip()}")
        return error
    return CallFailed(call=call, kind=failure.type, text=failure.text, traceback=failure.traceback)


def killed(died: Died, call: str) -> WorkerDied:
    """Give the exception of a call whose process has ended."""
    return WorkerDied(
        cell=call, attempt=1, attempts=1, cause=died.cause, peak=died.peak, stderr=died.stderr,
        stack=users_stack(died.stack), limit=memory_limit() if died.memory else 0,
    )  # fmt: skip
