"""The far side of somebody else's engine: bytes in, bytes out.

`perform_far` is importable wherever flowcore is, which is all that a foreign engine
needs: it reads inputs from the store by digest and writes results to it, so arrays do
not pass through the driver, and running a message twice is harmless.

What a process has for one run (its side of the store, loaded functions, what was found
out about it) is kept for the next message. Several threads of a process may perform at
once: each has its functions and its slot to itself.

A cell that overruns its timeout cannot be ended here, in a process that is not ours: it is
abandoned in its thread, and told so. A run that stops has put up a sign in its spool
(`store/halt.py`), for which each thread looks at most once a second.
"""

from __future__ import annotations

import secrets
import sys
import threading
from collections.abc import Sequence
from functools import lru_cache, partial

from flowcore import clock
from flowcore.dataclass import dataclass
from flowcore.plan.code import forget
from flowcore.run import proc
from flowcore.run.cell.comparing import UNLOADABLE, changed, differing_module
from flowcore.run.cell.pages import Pages
from flowcore.run.cell.printing import stand_for_good, stand_in, step_back
from flowcore.run.cell.slot import LocalSlot
from flowcore.run.columns import joined
from flowcore.run.executors.greeting import here, refused, unfit
from flowcore.run.job import Failed, Interrupted, Job, Metric, Result, TaskSpec, TimedOut, dumps, loads, pack_result
from flowcore.run.perform import Workplace, perform
from flowcore.run.workers.logs import take_on
from flowcore.run.workers.parcels import attempts_of
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec
from flowcore.store.directory import Store
from flowcore.store.fs import DISK
from flowcore.store.halt import halted

_TOKEN = secrets.token_hex(8)  # one in all forks of a process; with the pid it names a process on any machine
_LOOK = 1.0  # seconds between two looks for the sign to stop
_BETWEEN = 0.05  # seconds between two looks for the next cell that has a deadline
_RUNS = 4  # that a process remembers


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A message as it arrives."""

    surroundings: Surroundings
    engine: str  # the process it is from
    versions: tuple[str, ...]  # of what matters there, in the order of `greeting.WHATS`
    job: Job


def pack_head(surroundings: Surroundings) -> bytes:
    """Give what all messages of a run begin with."""
    return dumps([surroundings.pack(), _me(), here()])


def pack_far(head: bytes, tasks: Sequence[bytes], job: Job) -> bytes:
    """Give a job as a message, with its packed tasks, for :func:`perform_far`."""
    return dumps([head, list(tasks), job.pack()])


def unpack_far(payload: bytes) -> Passage:
    """Read what :func:`pack_far` gave."""
    head, tasks, fields = loads(payload)
    surroundings, engine, versions = loads(head)  # type: ignore[arg-type]
    specs = [TaskSpec.unpack(loads(task)) for task in tasks]  # type: ignore[attr-defined]
    return Passage(
        surroundings=Surroundings.unpack(surroundings), engine=str(engine), versions=tuple(versions),  # type: ignore[arg-type]
        job=Job.unpack(fields, {spec.id: spec for spec in specs}),  # type: ignore[arg-type]
    )  # fmt: skip


def pack_answer(spent: float, results: Sequence[Result]) -> bytes:
    """Give what :func:`perform_far` gives: the seconds that went by, and the results."""
    return dumps([spent, [pack_result(result) for result in results]])


def perform_far(payload: bytes) -> bytes:
    """Carry out a message; give its answer."""
    began = clock.monotonic()
    head, tasks, fields = loads(payload)
    side = _side(head)
    specs = [side.task(packed) for packed in tasks]  # type: ignore[attr-defined]
    job = Job.unpack(fields, {spec.id: spec for spec in specs})  # type: ignore[arg-type]
    results = side.refusals(job)
    if not results and side.here:
        stand_in()
        try:
            results = side.perform(job)
        finally:
            step_back()
    elif not results:
        stand_for_good()  # each time they are put in place all loggers are looked for: longer than a small message
        results = side.perform(job)
    return pack_answer(clock.monotonic() - began, joined(results))


class _Slot(LocalSlot):
    """A slot that looks for the sign to stop."""

    __slots__ = ("_looked", "_spool")

    def __init__(self, spool: str) -> None:
        super().__init__()
        self._spool = spool
        self._looked = -_LOOK

    @property
    def stopping(self) -> bool:
        """Whether no further cell may begin, and a running one should save and stop."""
        if not self._stopping and (now := clock.monotonic()) - self._looked >= _LOOK:
            self._looked = now
            self._stopping = halted(DISK, self._spool)
        return self._stopping


class _Results:
    """What has become of a message so far; takes nothing more once it is closed. Any thread."""

    def __init__(self, job: Job) -> None:
        self._lock = threading.Lock()
        self._results: list[Result] = []
        self._open = dict.fromkeys(job.every)
        self._steps: dict[int, int] = {}  # where the step of an attempt stands: only its last one leaves
        self._closed = False

    def report(self, result: Result) -> None:
        """Take the outcome of a cell; too late, and it is dropped."""
        with self._lock:
            if not self._closed and isinstance(result, Metric):
                place = self._steps.setdefault(result.attempt, len(self._results))
                self._results[place : place + 1] = [result]
            elif not self._closed:
                self._results.append(result)
                for attempt in attempts_of(result):
                    self._open.pop(attempt, None)

    def abandon(self, attempt: int, seconds: float) -> bool:
        """End an attempt that takes too long, and with it what comes behind; False if it has ended."""
        with self._lock:
            if attempt not in self._open:
                return False
            del self._open[attempt]
            self._results.append(TimedOut(attempt=attempt, seconds=seconds, did="abandoned in its thread"))
            self._closed = True
            return True

    def close(self) -> list[Result]:
        """Give all; what has not ended was not begun."""
        with self._lock:
            self._closed = True
            left = [Interrupted(attempts=list(self._open))] if self._open else []
            return [*self._results, *left]


class _Side:
    """What a process has of one run. Any thread."""

    def __init__(self, head: bytes) -> None:
        around, engine, versions = loads(head)
        self.around = Surroundings.unpack(around)  # type: ignore[arg-type]
        self.here = engine == _me()  # whether this is the engine's own process, whose streams are put back
        self._unfit = unfit(
            self.around.store, self.around.run_id, self.around.spool, versions,  # type: ignore[arg-type]
            writable=self.around.writable,
        )  # fmt: skip
        self._tasks: dict[bytes, TaskSpec] = {}
        self._verdicts: dict[int, str] = {}
        self._own = threading.local()
        if not self._unfit:
            self._enter()

    def _enter(self) -> None:
        around = self.around
        forget()  # what an earlier run has read, or the process that this one was forked from
        sys.path.extend(entry for entry in around.sys_path if entry not in sys.path)
        attached = Store.attach(
            around.store, around.run_id, around.spool, durable=around.durable, writable=around.writable
        )
        kept = attached.blobs if around.writable else None
        self._codec = Codec(kept=kept, passed=attached.spool, files=attached.files, pickles=around.pickles)
        if around.classes and not self.here:
            self._codec.load_classes(around.classes)
        if not self.here:
            take_on(around.logs)
        self._checkpoints = attached.checkpoints if around.writable else None

    def task(self, packed: bytes) -> TaskSpec:
        """Read a task; once."""
        spec = self._tasks.get(packed)
        if spec is None:
            spec = self._tasks[packed] = TaskSpec.unpack(loads(packed))
        return spec

    def refusals(self, job: Job) -> list[Result]:
        """Give the failures of cells that this process must not carry out, and of all beside them."""
        failed: list[Result] = []
        for part in job.parts:
            module = "" if self._unfit else self._differing(part.task)
            for i, attempt in enumerate(part.attempts):
                if self._unfit:
                    failed.append(Failed(attempt=attempt, failure=refused(part.name(i), self._unfit)))
                elif module:
                    failed.append(Failed(attempt=attempt, failure=changed(part.name(i), module)))
        if not failed:
            return []
        told = {result.attempt for result in failed if isinstance(result, Failed)}
        rest = [attempt for attempt in job.every if attempt not in told]
        return [*failed, Interrupted(attempts=rest)] if rest else failed

    def _differing(self, task: TaskSpec) -> str:
        """Name a module of the task's that is not the engine's here (F32); looked for once a task and process."""
        if self.here or not (task.code or task.modules):
            return ""
        known = self._verdicts.get(task.id)
        if known is None:
            known = self._verdicts[task.id] = differing_module(task, self._codec)
        return known if known != UNLOADABLE else ""  # this process is not ours to replace: performing tells the error

    def perform(self, job: Job) -> list[Result]:
        """Run the cells of a message, as far as they may."""
        results = _Results(job)
        place, slot = self._place()
        place.pages = Pages(results.report, echo=False)
        seconds = job.task.timeout
        if seconds is None:
            perform(job, place, results.report)
        else:
            work = threading.Thread(target=partial(perform, job, place, results.report), daemon=True)
            work.start()
            if not _watched(work, slot, results, seconds):
                self._own.__dict__.clear()  # what that thread has is its own from now on
        return results.close()

    def _place(self) -> tuple[Workplace, _Slot]:
        own = self._own
        if not hasattr(own, "place"):
            own.slot = _Slot(self.around.spool)
            own.place = Workplace(codec=self._codec, slot=own.slot, checkpoints=self._checkpoints)
        return own.place, own.slot


def _watched(work: threading.Thread, slot: LocalSlot, results: _Results, seconds: float) -> bool:
    """Wait for a message whose cells have a deadline; False if one overran it."""
    while work.is_alive():
        attempt = slot.attempt
        left = slot.started + seconds - clock.monotonic() if attempt else min(seconds, _BETWEEN)
        if left > 0.0:
            work.join(left)
        elif attempt == slot.attempt and results.abandon(attempt, seconds):
            return False
        else:
            work.join(_BETWEEN)
    return True


@lru_cache(maxsize=_RUNS)
def _side(head: bytes) -> _Side:
    return _Side(head)


def _me() -> str:
    return f"{proc.pid()} {_TOKEN}"
