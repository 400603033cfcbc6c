"""The far side of somebody else's executor: bytes in, bytes out.

`perform_far` is importable wherever flowcore is, which is all that a foreign executor
needs: it reads inputs from the store by digest and writes results to it, so arrays do
not pass through the driver, and running a job twice is harmless.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from flowcore.run.job import Job, Result, TaskSpec, dumps, joined, loads, pack_result
from flowcore.run.pages import Pages
from flowcore.run.perform import Workplace, perform
from flowcore.run.printing import stand_in, step_back
from flowcore.run.slot import LocalSlot
from flowcore.store.codecs import Codec
from flowcore.store.directory import Store

Place = tuple[str, str, str, bool, bool]  # root, run, spool, durable, writable


def pack_far(place: Place, job: Job) -> bytes:
    """Give a job, with all that the far side needs to carry it out."""
    return dumps([list(place), job.task.pack(), job.pack()])


def perform_far(payload: bytes) -> bytes:
    """Carry out a packed job; give its packed results."""
    place, task_fields, job_fields = loads(payload)
    task = TaskSpec.unpack(task_fields)  # type: ignore[arg-type]
    job = Job.unpack(job_fields, {task.id: task})  # type: ignore[arg-type]
    results: list[Result] = []
    pages = Pages(results.append, echo=False)
    workplace = Workplace(codec=_codec(tuple(place)), slot=LocalSlot(), pages=pages)  # type: ignore[arg-type]
    stand_in()
    try:
        perform(job, workplace, results.append)
    finally:
        step_back()
    return dumps([pack_result(result) for result in joined(results)])


@lru_cache(maxsize=4)
def _codec(place: Sequence[object]) -> Codec:
    root, run, spool, durable, writable = place
    attached = Store.attach(root, run, spool, durable=durable, writable=writable)  # type: ignore[arg-type]
    return Codec(kept=attached.blobs if writable else None, passed=attached.spool)
