"""The far side of somebody else's executor: bytes in, bytes out.

`perform_far` is importable wherever flowcore is, which is all that a foreign executor
needs: it reads inputs from the store by digest and writes results to it, so arrays do
not pass through the driver, and running a job twice is harmless.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import lru_cache

from flowcore.plan.code import forget
from flowcore.run import proc
from flowcore.run.cell.comparing import UNLOADABLE, changed, differing_module
from flowcore.run.cell.pages import Pages
from flowcore.run.cell.printing import stand_in, step_back
from flowcore.run.cell.slot import LocalSlot
from flowcore.run.columns import joined
from flowcore.run.executors.greeting import here, refused, unfit
from flowcore.run.job import Failed, Job, Result, TaskSpec, dumps, loads, pack_result
from flowcore.run.perform import Workplace, perform
from flowcore.store.checkpoint import Checkpoints
from flowcore.store.codecs import Codec
from flowcore.store.directory import Store

Place = tuple[str, str, str, bool, bool, bool]  # root, run, spool, durable, writable, pickles

_TOKEN = secrets.token_hex(8)  # one in all forks of a process; with the pid it names a process on any machine
_verdicts: dict[tuple[object, int], str] = {}  # run and task: the module that differs here


def pack_far(place: Place, job: Job) -> bytes:
    """Give a job, with all that the far side needs to carry it out."""
    return dumps([list(place), job.task.pack(), job.pack(), _here(), here()])


def perform_far(payload: bytes) -> bytes:
    """Carry out a packed job; give its packed results."""
    place, task_fields, job_fields, engine, versions = loads(payload)
    task = TaskSpec.unpack(task_fields)  # type: ignore[arg-type]
    job = Job.unpack(job_fields, {task.id: task})  # type: ignore[arg-type]
    why = _unfit(tuple(place), tuple(versions))  # type: ignore[arg-type]
    if why:
        return _failed([Failed(attempt=a, failure=refused(job.name(i), why)) for i, a in enumerate(job.attempts)])
    results: list[Result] = []
    pages = Pages(results.append, echo=False)
    codec, checkpoints = _attached(tuple(place))  # type: ignore[arg-type]
    module = _verdict(place[1], task, codec) if engine != _here() else ""  # type: ignore[index]
    if module:
        return _failed([Failed(attempt=a, failure=changed(job.name(i), module)) for i, a in enumerate(job.attempts)])
    workplace = Workplace(codec=codec, slot=LocalSlot(), pages=pages, checkpoints=checkpoints)
    stand_in()
    try:
        perform(job, workplace, results.append)
    finally:
        step_back()
    return dumps([pack_result(result) for result in joined(results)])


def _failed(failures: Sequence[Failed]) -> bytes:
    return dumps([pack_result(failed) for failed in failures])


@lru_cache(maxsize=4)
def _unfit(place: Place, engine: Sequence[str]) -> str:
    root, run, spool, _, writable, _ = place
    return unfit(root, run, spool, engine, writable=writable)


def _here() -> str:
    return f"{proc.pid()} {_TOKEN}"


def _verdict(run: object, task: TaskSpec, codec: Codec) -> str:
    """Name a module of the task's that is not the engine's here (F32); looked for once a task and process."""
    if not (task.code or task.modules):
        return ""
    known = _verdicts.get((run, task.id))
    if known is None:
        if not any(seen == run for seen, _ in _verdicts):
            forget()  # what an earlier run has read, or the process that this one was forked from
            _verdicts.clear()
        known = _verdicts[run, task.id] = differing_module(task, codec)
    return known if known != UNLOADABLE else ""  # this process is not ours to replace: performing tells the error


@lru_cache(maxsize=4)
def _attached(place: Sequence[object]) -> tuple[Codec, Checkpoints | None]:
    root, run, spool, durable, writable, pickles = place
    attached = Store.attach(root, run, spool, durable=durable, writable=writable)  # type: ignore[arg-type]
    kept = attached.blobs if writable else None
    codec = Codec(kept=kept, passed=attached.spool, files=attached.files, pickles=bool(pickles))
    return codec, attached.checkpoints if writable else None
