"""One cell: fetch its inputs, call, keep the result, say what happened.

This is the room that runs wherever cells run: in worker processes, in threads, on the
event loop, inline, and on the far side of somebody else's executor. It knows no engine.
Whatever user code raises ends here and becomes a result (this is the one place with a
broad except): SystemExit and KeyboardInterrupt in a task are failures of that cell and
of nothing else (contract F8).

Per cell: one clock reading before the call and one after, two stores into the slot, and
what decoding and encoding take. Results of cells known to be short wait for one another
and leave together (contract W3).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol, cast

from flowcore.clock import monotonic
from flowcore.errors import NotStorable, Skip
from flowcore.plan.encode import NoEncoding, ValueGone
from flowcore.run.call import Call, Stage
from flowcore.run.failure import describe
from flowcore.run.job import Done, Failed, Interrupted, Job, Keep, Lost, Result, Skipped, TaskSpec
from flowcore.store.codecs import Codec

SHORT = 0.005  # seconds: cells expected to take less may report together
_TOGETHER_BYTES = 64 * 1024

Report = Callable[[Result], None]


class SlotLike(Protocol):
    """Where a worker says which attempt it is on, and sees that it is to stop."""

    @property
    def stopping(self) -> bool:
        """Whether no further cell may begin."""
        ...

    def begin(self, attempt: int) -> None:
        """Name the attempt that is now running."""
        ...

    def clear(self) -> None:
        """Name none."""
        ...


@dataclass(slots=True)
class Context:
    """What surrounds one running cell; user code reaches it through flowcore's own injected objects."""

    cell: str  # the node's name
    number: int
    attempt: int
    slot: SlotLike
    rng: object = None
    checkpoint: object = None
    log: object = None


current: ContextVar[Context | None] = ContextVar("flowcore cell", default=None)


@dataclass(slots=True)
class Workplace:
    """What a place that runs cells has: a codec, a slot, and the tasks it has loaded."""

    codec: Codec
    slot: SlotLike
    calls: dict[int, Call] = field(default_factory=dict)

    def meet(self, modules: Sequence[str]) -> None:
        """Import the modules of user classes that values name; records never import anything (contract S1)."""
        for module in modules:
            if module not in sys.modules:
                importlib.import_module(module)

    def call(self, task: TaskSpec) -> Call:
        """Give the loaded form of a task; loads it on first use."""
        call = self.calls.get(task.id)
        if call is None:
            call = self.calls[task.id] = Call(task, self.codec)
        return call


def perform(job: Job, place: Workplace, report: Report) -> None:
    """Run the cells of a job in order; report each exactly once."""
    slot, tally = place.slot, Tally(job, report)
    context = Context(job.task.name, 0, 0, slot)
    token = current.set(context)
    try:
        for i, attempt in enumerate(job.attempts):
            if slot.stopping:
                tally.flush()
                report(Interrupted(attempts=job.attempts[i:]))
                return
            context.number, context.attempt = job.numbers[i], attempt
            slot.begin(attempt)
            result = perform_cell(job, i, place, tally)
            if result is not None:
                tally.flush()
                report(result)
            if not tally.waiting:
                slot.clear()
        tally.flush()
        slot.clear()
    finally:
        current.reset(token)


def perform_cell(job: Job, i: int, place: Workplace, tally: Tally) -> Result | None:
    """Run one cell of a job; its value goes to the tally, anything else is returned."""
    attempt, started = job.attempts[i], monotonic()
    try:
        place.meet(job.modules)
        call = place.call(job.task)
        stage = call.stage(job)
        arguments = stage.arguments(i)
    except ValueGone as gone:
        return Lost(attempt=attempt, digest=gone.digest)
    except BaseException as error:  # noqa: BLE001 - becomes a result
        return Failed(attempt=attempt, failure=describe(error))
    started = monotonic()
    try:
        value = stage.run(*arguments)
        seconds = monotonic() - started
        del arguments
        keep_result(job, attempt, value, seconds, place, tally)
    except Skip as skip:
        return Skipped(attempt=attempt, reason=skip.reason, seconds=monotonic() - started)
    except ValueGone as gone:  # an item or element operation reads its input here
        return Lost(attempt=attempt, digest=gone.digest)
    except BaseException as error:  # noqa: BLE001 - becomes a result
        return Failed(attempt=attempt, failure=describe(error), seconds=monotonic() - started)
    return None


def keep_result(job: Job, attempt: int, value: object, seconds: float, place: Workplace, tally: Tally) -> None:
    """Encode a value, keep what is to be kept of it, and hand it to the tally."""
    task = job.task
    if task.mode == "expand":
        tally.add(attempt, b"", b"", seconds, elements=value)
        return
    if task.mode == "item":
        tally.add(attempt, *cast(tuple[bytes, bytes], value), seconds)
        return
    try:
        encoded = place.codec.encode(value, keep=task.keep != Keep.PASS_ON)
    except NoEncoding as refused:
        if task.keep == Keep.REQUIRED:
            raise NotStorable(node=task.name, path=refused.path, kind=refused.kind) from None
        passed = place.codec.pass_on(value, name=f"result of {task.name}")
        tally.add(attempt, passed, b"", seconds, refusal=(refused.path, refused.kind))
        return
    tally.add(attempt, encoded.record, encoded.component, seconds, classes=encoded.classes)


class Tally:
    """The values of a job that have not left yet, in columns.

    They may wait for one another while the cells are known to be short, for at most
    :data:`SHORT` seconds or 64 KiB; nothing ever waits while a cell that is not known to
    be short runs.
    """

    def __init__(self, job: Job, report: Report) -> None:
        self._report = report
        self._together = 0.0 < job.seconds < SHORT
        self._since = 0.0
        self._bytes = 0
        self._done = _nothing()

    @property
    def waiting(self) -> bool:
        """Whether values wait to leave."""
        return bool(self._done.attempts)

    def add(
        self,
        attempt: int,
        record: bytes,
        component: bytes,
        seconds: float,
        *,
        classes: tuple[tuple[str, bytes], ...] = (),
        elements: object = None,
        refusal: tuple[str, str] | None = None,
    ) -> None:
        """Take up one value."""
        done = self._done
        if not done.attempts:
            self._since, self._bytes = monotonic(), 0
        done.attempts.append(attempt)
        done.records.append(record)
        done.components.append(component)
        done.seconds.append(seconds)
        if classes or done.classes:
            done.classes.extend([[]] * (len(done.attempts) - 1 - len(done.classes)))
            done.classes.append(list(classes))
        if elements is not None:
            done.elements.append(elements)  # type: ignore[arg-type]
        if refusal is not None:
            done.refusals.append((attempt, *refusal))
        self._bytes += len(record)
        if not self._together or self._bytes > _TOGETHER_BYTES or monotonic() - self._since > SHORT:
            self.flush()

    def flush(self) -> None:
        """Let everything that waits leave."""
        if self._done.attempts:
            self._report(self._done)
            self._done = _nothing()


def _nothing() -> Done:
    return Done(attempts=[], records=[], components=[], seconds=[])


__all__ = ["SHORT", "Context", "Report", "Stage", "Tally", "Workplace", "current", "keep_result", "perform"]
