"""All that crosses a border: what an executor is handed, and what it posts back.

Everything here is columns: one object for a batch of cells of one task, never one
object for a cell. Fields are plain bytes, numbers and text, so a message is one
msgpack of one list. Values travel as *records* (`plan/encode.py`): bytes in which a
large array is only a reference, so no array ever passes through the engine, and the
engine never unpickles what user code made.

Words
-----
record
    The encoding of one value, as bytes. Also carries values that can only be passed
    on (a pickle inside an extension type that the store's reader refuses).
component
    The identity of one value, as bytes; empty where the value has no canonical
    encoding.
attempt
    One try at one cell. Its id is unique in a run; each attempt ends in exactly one
    posted result, and messages of an ended attempt are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from enum import IntEnum
from typing import Any, Literal, TypeAlias

import msgpack

from flowcore.dataclass import dataclass
from flowcore.run.growing.grown import Grown
from flowcore.run.rides.riders import Riders

Record: TypeAlias = bytes
Component: TypeAlias = bytes
Part: TypeAlias = list[object]
"""How one argument of a call is put together, as plain lists:

``["const", record]``           the same for every cell, decoded afresh for each
``["slot", i]``                 the value in column i
``["list" | "tuple", [part, ...]]``
``["dict", [[record of the key, part], ...]]``
"""

Tracked: TypeAlias = tuple[tuple[tuple[str, ...] | bytes, tuple[Record, ...]], ...]
"""Code that a task tracks: each as a task's function and its buffers."""


CHANGED = "file that changed"  # among refusals: in place of the type of a leaf


class Keep(IntEnum):
    """What becomes of a result."""

    PASS_ON = 0  # not kept; arrays go to the spool
    KEEP = 1  # kept if it can be
    REQUIRED = 2  # an error if it cannot be kept


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """A function and the shape of its call: sent to each worker once."""

    id: int  # unique in this process, never reused
    name: str  # the node's name, for messages
    function: tuple[str, ...] | bytes = b""  # ("path", module, qualname), or a cloudpickle
    live: Callable[..., object] | None = None  # the function itself, for executors in this process; never packed
    buffers: tuple[Record, ...] = ()  # out-of-band buffers of a cloudpickle, as array records
    mode: Literal["sync", "async", "item", "expand"] = "sync"
    positional: tuple[Part, ...] = ()
    keywords: tuple[tuple[str, Part], ...] = ()
    keep: Keep = Keep.PASS_ON
    code: bytes = b""  # identity of the code as the engine knows it; empty: not checked
    modules: tuple[tuple[str, bytes], ...] = ()  # what the function reads from modules, where `code` is not checked
    ignore: tuple[str, ...] = ()  # what the identities of modules leave out
    tracks: Tracked = ()  # code that these take in as well
    timeout: float | None = None  # seconds an attempt may take
    cores: int = 1
    gpus: int = 0
    depth: int = 0  # how many runs this one is nested in
    injected: tuple[
        tuple[str, str, dict[str, object]], ...
    ] = ()  # what cells are supplied with: parameter, kind, options
    same: tuple[float, float, bool] | None = None  # rtol, atol, equal_nan: results that close to the kept one are it

    def pack(self) -> list[object]:
        """Give the fields as one plain list, for a message."""
        return [
            self.id, self.name, list(self.function) if isinstance(self.function, tuple) else self.function,
            list(self.buffers), self.mode, list(self.positional), [list(k) for k in self.keywords],
            int(self.keep), self.code, self.timeout, self.cores, self.gpus, self.depth,
            self.modules, self.ignore, self.tracks, self.injected,
            self.same,
        ]  # fmt: skip

    @classmethod
    def unpack(cls, fields: Sequence[object]) -> TaskSpec:
        """Read what :meth:`pack` gave."""
        (id_, name, function, buffers, mode, positional, keywords, keep, code, timeout, cores, gpus, depth,
         modules, ignore, tracks, injected, same) = fields  # fmt: skip
        return cls(
            id=id_, name=name, function=function if isinstance(function, bytes) else tuple(function),  # type: ignore[arg-type]
            buffers=tuple(buffers), mode=mode, positional=tuple(positional),  # type: ignore[arg-type]
            keywords=tuple((k, p) for k, p in keywords), keep=Keep(keep), code=code,  # type: ignore[attr-defined,arg-type]
            timeout=timeout, cores=cores, gpus=gpus, depth=depth,  # type: ignore[arg-type]
            modules=tuple((m, d) for m, d in modules), ignore=tuple(ignore),  # type: ignore[attr-defined,arg-type]
            tracks=tuple((f if isinstance(f, bytes) else tuple(f), tuple(b)) for f, b in tracks),  # type: ignore[attr-defined]
            injected=tuple((p, k, o) for p, k, o in injected),  # type: ignore[attr-defined]
            same=None if same is None else tuple(same),  # type: ignore[arg-type]
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A batch: cells of one task, of one node or several, in columns; and in wagons riders of other tasks."""

    task: TaskSpec
    attempts: list[int]  # one id a cell
    numbers: list[int]  # one cell number a cell, for messages
    columns: list[list[Record]]  # one a slot: a record a cell, or a single one that all share
    seconds: float = 0.0  # what one cell is expected to take; 0: not known
    modules: tuple[str, ...] = ()  # of user classes that the values may name; imported before they are decoded
    supplies: dict[str, list[bytes]] = field(default_factory=dict)  # kind of request -> what its supplier needs, a cell
    canon: list[Record] = field(default_factory=list)  # what results are compared with, a cell; empty bytes: nothing
    names: list[str] = field(default_factory=list)  # of their nodes, for messages: a cell, or one; empty: the task's
    keys: list[bytes] = field(default_factory=list)  # a cell, empty bytes: no other run may answer it; never packed
    riders: Riders | None = None  # the last cells need what earlier ones make
    wagons: list[Job] = field(default_factory=list)  # cells of other tasks, which all ride

    @property
    def parts(self) -> list[Job]:
        """The job and its wagons: the cells of one message, task by task."""
        return [self, *self.wagons]

    @property
    def every(self) -> list[int]:
        """The attempts of the whole message."""
        return [attempt for part in self.parts for attempt in part.attempts] if self.wagons else self.attempts

    def name(self, i: int) -> str:
        """Give the name of the i-th cell's node."""
        return self.names[i if len(self.names) > 1 else 0] if self.names else self.task.name

    def supplied(self, i: int) -> dict[str, bytes]:
        """Give what the suppliers of the i-th cell need, by kind of request."""
        return {kind: column[i] for kind, column in self.supplies.items()}

    def part(self, first: int, last: int) -> Job:
        """Give the cells `first` up to `last` as a job of their own."""
        return self.pick(range(first, min(last, len(self.attempts))))

    def pick(self, places: Sequence[int]) -> Job:
        """Give the cells at these places, of which none rides, as a job of their own."""
        shared = len(self.attempts) > 1
        return Job(
            task=self.task, attempts=[self.attempts[i] for i in places], numbers=[self.numbers[i] for i in places],
            columns=[c if len(c) == 1 and shared else [c[i] for i in places] for c in self.columns],
            seconds=self.seconds, modules=self.modules,
            supplies={kind: [column[i] for i in places] for kind, column in self.supplies.items()},
            canon=[self.canon[i] for i in places] if self.canon else [],
            names=[self.names[i] for i in places] if len(self.names) > 1 else self.names,
            keys=[self.keys[i] for i in places] if self.keys else [],
        )  # fmt: skip

    def pack(self) -> list[object]:
        """Give the fields as one plain list; the task goes by its id."""
        return [
            self.task.id, self.attempts, self.numbers, self.columns, self.seconds, list(self.modules),
            self.supplies, self.canon, self.names, self.riders.pack() if self.riders is not None else None,
            [wagon.pack() for wagon in self.wagons],
        ]  # fmt: skip

    @classmethod
    def unpack(cls, fields: Sequence[object], tasks: dict[int, TaskSpec]) -> Job:
        """Read what :meth:`pack` gave, with the tasks sent before."""
        task, attempts, numbers, columns, seconds, modules, supplies, canon, names, riders, wagons = fields
        return cls(
            task=tasks[task], attempts=attempts, numbers=numbers, columns=columns, seconds=seconds,  # type: ignore[index,arg-type]
            modules=tuple(modules), supplies=supplies, canon=canon, names=names,  # type: ignore[arg-type]
            riders=Riders.unpack(riders) if riders is not None else None,  # type: ignore[arg-type]
            wagons=[cls.unpack(wagon, tasks) for wagon in wagons],  # type: ignore[attr-defined]
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What an exception was, as text: it is never unpickled by the engine."""

    type: str  # "builtins.ValueError"
    text: str
    traceback: str  # the user's frames only, as Python prints them
    at: str = ""  # file:line of the innermost of the user's frames
    bases: tuple[str, ...] = ()  # qualified names of the classes above it
    notes: tuple[str, ...] = ()
    causes: tuple[Failure, ...] = ()  # __cause__ or shown __context__, and members of a group
    pickled: bytes = b""  # the exception, if it made the round trip inside the worker

    def pack(self) -> list[object]:
        """Give the fields as one plain list."""
        causes = [c.pack() for c in self.causes]
        return [self.type, self.text, self.traceback, self.at, list(self.bases), list(self.notes), causes, self.pickled]

    @classmethod
    def unpack(cls, fields: Sequence[object]) -> Failure:
        """Read what :meth:`pack` gave."""
        type_, text, traceback, at, bases, notes, causes, pickled = fields
        return cls(
            type=type_, text=text, traceback=traceback, at=at, bases=tuple(bases), notes=tuple(notes),  # type: ignore[arg-type]
            causes=tuple(cls.unpack(c) for c in causes), pickled=pickled,  # type: ignore[attr-defined,arg-type]
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Attempts that gave a value, in columns."""

    attempts: list[int]
    records: list[Record]
    components: list[Component]  # empty bytes: no canonical encoding, passed on
    seconds: list[float]  # wall time inside the user's function
    peaks: list[int] = field(default_factory=list)  # bytes; empty where not measured
    classes: list[list[tuple[str, bytes]]] = field(default_factory=list)  # user classes met: name, code identity
    elements: list[list[tuple[bool, Record, Component]]] = field(default_factory=list)  # mode "expand" only
    # each element: whether it is its own label (else its position is), its record, its component
    refusals: list[tuple[int, str, str]] = field(default_factory=list)
    # not kept: attempt, path and type of the leaf without encoding; or the path of a file, and CHANGED
    same: list[tuple[int, float, float]] = field(default_factory=list)
    # close to what they were compared with: attempt, largest absolute and relative deviation; its record is empty
    times: list[float] = field(default_factory=list)  # three a cell: clock.monotonic, seconds to fetch, and to keep
    workers: list[int] = field(default_factory=list)  # a number a cell, by who hears of it; never packed


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An attempt that raised."""

    attempt: int
    failure: Failure
    seconds: float = 0.0
    input: tuple[int, int] | None = None  # slot, and place in what is gathered there, of what could not be unpickled
    began: float = 0.0  # clock.monotonic; 0: not known
    worker: int = 0  # by who hears of it; never packed


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """An attempt whose task raised Skip."""

    attempt: int
    reason: str
    seconds: float = 0.0
    began: float = 0.0  # as above
    worker: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """An attempt that could not read an input; nobody is blamed."""

    attempt: int
    digest: bytes  # of the array that could not be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Died:
    """An attempt whose process ended under it."""

    attempt: int
    cause: str  # "signal 9 (SIGKILL)", "exit code 0 without a result"
    peak: int = 0
    stderr: str = ""
    stack: str = ""
    step: int = 0  # the last that a loop over steps finished; 0: none
    memory: bool = False  # for want of memory
    final: bool = False  # there is nobody left to try it again; never packed
    began: float = 0.0  # as above
    worker: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut:
    """An attempt that took longer than its task's timeout."""

    attempt: int
    seconds: float
    did: str  # "killed", "cancelled", "abandoned in its thread"
    worker: int = 0  # as above


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """Attempts stopped, or never begun, because the run was told to stop."""

    attempts: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """What a cell wrote to its standard output or error; no end of an attempt."""

    attempt: int
    stream: Literal["stdout", "stderr"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """What a worker found out about the store; no end of an attempt."""

    kind: str  # name of the warning's class
    facts: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """How far a loop over steps is, and its live numbers; no end of an attempt."""

    attempt: int
    step: int  # steps that are done
    steps: int = 0  # in all; 0: not known
    numbers: dict[str, float] = field(default_factory=dict)


Result: TypeAlias = Metric | Done | Grown | Failed | Skipped | Lost | Died | TimedOut | Interrupted | Printed | Warned


def pack_result(result: Result) -> list[object]:  # noqa: PLR0911 - one arm a kind
    """Give a result as a plain list that msgpack takes."""
    match result:
        case Done():
            return ["done", result.attempts, result.records, result.components, result.seconds, result.peaks,
                    result.classes, result.elements, result.refusals, result.same, result.times]  # fmt: skip
        case Failed():
            return ["failed", result.attempt, result.failure.pack(), result.seconds, result.input, result.began]
        case Grown():
            return result.pack()
        case Skipped():
            return ["skipped", result.attempt, result.reason, result.seconds, result.began]
        case Lost():
            return ["lost", result.attempt, result.digest]
        case Died():
            told = [result.peak, result.stderr, result.stack, result.step, result.memory, result.began]
            return ["died", result.attempt, result.cause, *told]
        case TimedOut():
            return ["timed out", result.attempt, result.seconds, result.did]
        case Interrupted():
            return ["interrupted", result.attempts]
        case Printed():
            return ["printed", result.attempt, result.stream, result.text]
        case Warned():
            return ["warned", result.kind, result.facts]
        case Metric():
            return ["metric", result.attempt, result.step, result.steps, result.numbers]


def unpack_result(fields: Sequence[object], worker: int = 0) -> Result:  # noqa: PLR0911 - one arm a kind
    """Read what :func:`pack_result` gave; ValueError for anything else. `worker` is whose it is, 0 if none of ours."""
    match fields:
        case ["done", attempts, records, components, seconds, peaks, classes, elements, refusals, same, times]:
            columns: dict[str, Any] = {"attempts": attempts, "records": records, "components": components}
            columns |= {"seconds": seconds, "peaks": peaks, "classes": classes, "elements": elements}
            columns |= {"times": times, "workers": [worker] * len(attempts) if worker else []}  # type: ignore[arg-type]
            return Done(**columns, refusals=refusals, same=same)  # type: ignore[arg-type]
        case ["failed", attempt, failure, seconds, at, began]:
            place: Any = tuple(at) if at is not None else None  # type: ignore[arg-type]
            told = {"attempt": attempt, "seconds": seconds, "began": began, "worker": worker}
            return Failed(failure=Failure.unpack(failure), input=place, **told)  # type: ignore[arg-type]
        case ["grown", *_]:
            return Grown.unpack(fields, worker)
        case ["skipped", attempt, reason, seconds, began]:
            return Skipped(attempt=attempt, reason=reason, seconds=seconds, began=began, worker=worker)  # type: ignore[arg-type]
        case ["lost", attempt, digest]:
            return Lost(attempt=attempt, digest=digest)  # type: ignore[arg-type]
        case ["died", attempt, cause, peak, stderr, stack, step, memory, began]:
            told = {"peak": peak, "stderr": stderr, "stack": stack, "step": step, "memory": memory, "began": began}
            return Died(attempt=attempt, cause=cause, **told)  # type: ignore[arg-type]
        case ["timed out", attempt, seconds, did]:
            return TimedOut(attempt=attempt, seconds=seconds, did=did)  # type: ignore[arg-type]
        case ["interrupted", attempts]:
            return Interrupted(attempts=attempts)  # type: ignore[arg-type]
        case ["printed", attempt, stream, text]:
            return Printed(attempt=attempt, stream=stream, text=text)  # type: ignore[arg-type]
        case ["warned", str(kind), dict(facts)]:
            return Warned(kind=kind, facts=facts)
        case ["metric", int(attempt), int(step), int(steps), dict(numbers)]:
            return Metric(attempt=attempt, step=step, steps=steps, numbers=numbers)
    raise ValueError(f"not a result: {str(fields)[:80]}")


def dumps(message: object) -> bytes:
    """Pack a message of plain lists, numbers, text and bytes."""
    packed: bytes = msgpack.packb(message, use_bin_type=True)
    return packed


def loads(data: bytes | memoryview) -> list[object]:
    """Read a message; extension types and user classes do not occur in one."""
    message: list[object] = msgpack.unpackb(data, raw=False, strict_map_key=False)
    return message
