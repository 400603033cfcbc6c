"""One cell: fetch its inputs, call, keep the result, say what happened.

This is the room that runs wherever cells run: in worker processes, in threads, on the
event loop, inline, and on the far side of somebody else's executor. It knows no engine.
Whatever user code raises ends here and becomes a result (this is the one place with a
broad except): SystemExit and KeyboardInterrupt in a task are failures of that cell and
of nothing else (contract F8).

Per cell: four clock readings, two stores into the slot, one Done, and what decoding
and encoding take. Whether results wait for one another before they leave is the
business of whoever is reported to (contract W3).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, cast

from flowcore import clock
from flowcore.dataclass import dataclass
from flowcore.declare.checkpoint import CHECKPOINT
from flowcore.declare.sapling import Sapling, hidden_sapling
from flowcore.declare.seat import Pulse, StartOver, Stopped
from flowcore.errors import FileChanged, FlowcoreWarning, MissingFile, NotPicklable, NotStorable, Skip
from flowcore.growing import MisplacedFlow
from flowcore.plan.closeness import Deviation, deviation
from flowcore.plan.encode import BadRecord, NoEncoding, ValueGone, encode_plain
from flowcore.run.cell.call import Call, unreadable
from flowcore.run.cell.context import Context, SlotLike, current
from flowcore.run.cell.failure import describe
from flowcore.run.cell.footprints import footprints
from flowcore.run.cell.meter import Meter
from flowcore.run.cell.offspring import end_of_copies
from flowcore.run.cell.pages import Pages
from flowcore.run.cell.seat import Around
from flowcore.run.cell.supply import Supplied
from flowcore.run.cell.warned import travelling
from flowcore.run.columns import Value
from flowcore.run.growing.grown import Grown
from flowcore.run.job import CHANGED, Done, Failed, Interrupted, Job, Keep, Lost, Result, Skipped, TaskSpec
from flowcore.run.rides.ride import Ride
from flowcore.store.checkpoint import Checkpoints
from flowcore.store.codecs import Codec

if TYPE_CHECKING:
    from flowcore.run.growing.nursery import Nursery

Report = Callable[[Result], None]
Tell = Callable[[Value], None]
_MEASURED = 0.005  # seconds; a cell that is expected to take less is not measured for memory


@dataclass(slots=True)
class Workplace:
    """What a place that runs cells has: a codec, a slot, where prints go, and the tasks it has loaded."""

    codec: Codec
    slot: SlotLike
    pages: Pages | None = None
    calls: dict[int, Call] = field(default_factory=dict)
    checkpoints: Checkpoints | None = None  # None: states of cells are not kept here
    meter: Meter | None = None  # None: cells share their process's memory with others, so it is not measured
    here: bool = False  # whether the engine is in this process
    own: bool = False  # whether the process is there for these cells: then what they change about it is put back
    nursery: Nursery | None = None  # made when a task first returns a flow

    def grown(self, job: Job, i: int, flow: Sapling, seconds: float, began: float, changed: str) -> Grown:
        """Give what becomes of the i-th cell of a job whose task returned a flow."""
        if changed and job.task.keep == Keep.REQUIRED:
            raise FileChanged(node=job.name(i), path=changed, refused=True)
        if self.nursery is None:
            from flowcore.run.growing.nursery import Nursery  # few tasks draw

            self.nursery = Nursery(self.codec, here=self.here)
        return self.nursery.grown(flow, attempt=job.attempts[i], seconds=seconds, began=began, changed=changed)

    def supplied(self, job: Job, i: int, report: Report) -> Supplied:
        """Give what the i-th cell of a job has of its own."""
        around = None
        if CHECKPOINT in job.supplies:
            around = Around(
                checkpoints=self.checkpoints, pulse=cast(Pulse, self.slot), tell=report, warn=partial(_warn, report)
            )
        return Supplied(node=job.name(i), given=job.supplied(i), around=around, attempt=job.attempts[i])

    def meet(self, modules: Sequence[str]) -> None:
        """Import the modules of user classes that values name; records never import anything (contract S1)."""
        for module in modules:
            if module not in sys.modules:
                importlib.import_module(module)

    def call(self, task: TaskSpec) -> Call:
        """Give the loaded form of a task; loads it on first use."""
        call = self.calls.get(task.id)
        if call is None and self.own:
            footprints.undo()
            call = self.calls[task.id] = Call(task, self.codec)
            footprints.note()  # importing its modules may have changed things, and is meant to
        elif call is None:
            call = self.calls[task.id] = Call(task, self.codec)
        return call


def started_over() -> None:
    """Make ready for the running cell's task to be called anew."""
    context = current.get()
    supplied = context.supplied if context is not None else None
    assert supplied is not None, "only a loop asks for it"
    supplied.start_over()


def _warn(report: Report, warning: FlowcoreWarning) -> None:
    told = travelling(warning)
    if told is not None:
        report(told)


def perform(job: Job, place: Workplace, report: Report, tell: Tell | None = None) -> None:
    """Run the cells of a job in order; report each exactly once, a plain value to `tell` if that is given."""
    slot, pages, recent = place.slot, place.pages, place.codec.recent
    meter = place.meter if not 0.0 < job.seconds < _MEASURED else None
    context = Context(job.name(0), 0, 0, slot, depth=job.task.depth, cores=job.task.cores, pages=pages)
    token, ride = current.set(context), Ride(job) if job.riders is not None else None
    turns = ride.turns if ride is not None else [(job, i) for i in range(len(job.attempts))]
    try:
        for turn, (part, i) in enumerate(turns):
            attempt = part.attempts[i]
            if slot.stopping:
                left = [other.attempts[j] for other, j in turns[turn:]]
                report(Interrupted(attempts=[*(ride.left if ride is not None else ()), *left]))
                return
            if ride is not None and not ride.board(turn):
                continue
            context.cell, context.number, context.attempt = part.name(i), part.numbers[i], attempt
            if part.supplies:
                context.supplied = place.supplied(part, i, report)
            slot.begin(attempt)
            if meter is not None:
                meter.begin()
            result = perform_cell(part, i, place)
            held = recent.size if recent is not None else 0  # of other cells, waiting for their readers
            if ride is not None:
                ride.note(turn, result)
            if recent is not None:
                recent.settle()
            if meter is not None and isinstance(result, Done | Value):
                result = result if isinstance(result, Done) else result.done()
                result.peaks.append(max(0, meter.peak() - held))
            if pages is not None:
                pages.flush(attempt)
            if context.supplied is not None:
                context.supplied.close()
            if not isinstance(result, Value):
                report(result)
            elif tell is not None:
                tell(result)
            else:
                report(result.done())
            slot.clear()
        if ride is not None and ride.left:
            report(Interrupted(attempts=ride.left))
    finally:
        current.reset(token)


def perform_cell(job: Job, i: int, place: Workplace) -> Result | Value:
    """Run one cell of a job; give what became of it."""
    monotonic = clock.monotonic  # read several times a cell
    attempt, began = job.attempts[i], monotonic()
    try:
        place.meet(job.modules)
        stage = place.call(job.task).stage(job)
        arguments = stage.arguments(i)
        seen = stage.see(i) if stage.filed else ()
    except ValueGone as gone:
        return Lost(attempt=attempt, digest=gone.digest)
    except BaseException as error:  # noqa: BLE001 - becomes a result
        return Failed(attempt=attempt, failure=describe(error), input=unreadable(job, i, place.codec), began=began)
    started = monotonic()
    try:
        try:
            value = stage.run(*arguments)
        except BaseException as error:
            end_of_copies(error)
            raise
        end_of_copies()
        ended = monotonic()
        if stage.plain and not seen and (plain := encode_plain(value)) is not None:
            fetched, seconds = started - began, ended - started
            return Value(attempt, plain.record, plain.component, seconds, began, fetched, monotonic() - ended)
        seconds = ended - started
        del arguments
        changed = stage.changed(seen) if seen else ""
        if isinstance(value, Sapling):
            return place.grown(job, i, value, seconds, began, changed)
        done = keep_result(job, i, value, seconds, place, changed)
        done.times.extend((began, started - began, monotonic() - started - seconds))
        return done
    except Skip as skip:
        return Skipped(attempt=attempt, reason=skip.reason, seconds=monotonic() - started, began=began)
    except Stopped:
        return Interrupted(attempts=[attempt])
    except StartOver:
        started_over()
        return perform_cell(job, i, place)  # with arguments that nobody has written into
    except ValueGone as gone:  # an item or element operation reads its input here
        return Lost(attempt=attempt, digest=gone.digest)
    except BaseException as error:  # noqa: BLE001 - becomes a result
        return Failed(attempt=attempt, failure=describe(error), seconds=monotonic() - started, began=began)


def keep_result(job: Job, i: int, value: object, seconds: float, place: Workplace, changed: str = "") -> Done:
    """Encode the value of the i-th cell, keep what is to be kept; nothing, where a file that it had has `changed`."""
    task, attempt = job.task, job.attempts[i]
    if task.mode == "expand":
        elements = cast(list[tuple[bool, bytes, bytes]], value)
        return Done(attempts=[attempt], records=[b""], components=[b""], seconds=[seconds], elements=[elements])
    if task.mode == "item":
        record, component = cast(tuple[bytes, bytes], value)
        return Done(attempts=[attempt], records=[record], components=[component], seconds=[seconds])
    if job.canon and not changed and (near := _near(job, i, value, place.codec)) is not None:
        same = [(attempt, near.absolute, near.relative)]
        return Done(attempts=[attempt], records=[b""], components=[b""], seconds=[seconds], same=same)
    try:
        encoded = place.codec.encode(value, keep=task.keep != Keep.PASS_ON)
    except MissingFile as missing:
        missing.node, missing.parameter = job.name(i), "result"
        raise
    except NoEncoding as refused:
        return _without_encoding(job, i, value, seconds, place.codec, refused, changed)
    classes = [list(encoded.classes)] if encoded.classes else []
    done = Done(
        attempts=[attempt], records=[encoded.record], components=[encoded.component], seconds=[seconds], classes=classes
    )
    return _unless_changed(done, job, i, changed)


def _near(job: Job, i: int, value: object, codec: Codec) -> Deviation | None:
    """Compare a result with the kept one; None if it is another, or the kept one is gone (contract K25)."""
    record = job.canon[i]
    if not record or job.task.same is None:
        return None
    try:
        kept = codec.decode(record)
    except (ValueGone, BadRecord):
        return None
    rtol, atol, equal_nan = job.task.same
    found = deviation(kept, value, rtol=rtol, atol=atol, equal_nan=equal_nan)
    return found if found.close else None


def _without_encoding(
    job: Job, i: int, value: object, seconds: float, codec: Codec, refused: NoEncoding, changed: str
) -> Done:
    """Pass a value on; or keep it as a pickle, in a store that was opened with leave to (contract S2)."""
    hidden = hidden_sapling(value)
    if hidden:
        raise MisplacedFlow(node=job.name(i), path=hidden) from None
    task, attempt, name = job.task, job.attempts[i], job.name(i)
    pickling = task.keep != Keep.PASS_ON and codec.pickles and not isinstance(value, Iterator)  # K28
    if task.keep == Keep.REQUIRED and not pickling:
        path = f"result{refused.path}"
        raise NotStorable(node=name, path=path, kind=refused.kind, refused=True) from None
    try:
        record = codec.pickle(value, name="result") if pickling else codec.pass_on(value, name="result")
    except NotPicklable as trouble:
        trouble.node = f"The result of {name}"
        raise
    done = Done(attempts=[attempt], records=[record], components=[b""], seconds=[seconds])
    if not pickling:
        done.refusals.append((attempt, f"result{refused.path}", refused.kind))
        return done
    return _unless_changed(done, job, i, changed)


def _unless_changed(done: Done, job: Job, i: int, changed: str) -> Done:
    """Have a result passed on and not kept where a file that its cell had has `changed` (F32)."""
    if changed:
        if job.task.keep == Keep.REQUIRED:
            raise FileChanged(node=job.name(i), path=changed, refused=True)
        done.refusals.append((done.attempts[0], changed, CHANGED))
    return done
