"""What a worker carries calls out with: functions by path or by value, arguments as they were when the call was made.

Opened in each worker before its first call; an initializer runs then. A call finds the
process as the initializer left it (`run/cell/footprints.py`). Named by `hands.py` and imported
in the worker, so nothing here runs in the process that makes the calls.

Calls of one message run one after the other, for as long as they are quick. Where one is not,
those behind it go back, and out again to whoever is free: what quick calls cost said nothing
about this one, and it may be waiting for one of them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, cast

from flowcore import clock
from flowcore.errors import NotPicklable
from flowcore.run.cell.context import Context, current
from flowcore.run.cell.failure import describe
from flowcore.run.cell.footprints import footprints
from flowcore.run.cell.offspring import end_of_copies
from flowcore.run.cell.slot import Slot
from flowcore.run.columns import Value
from flowcore.run.job import Failed, Interrupted, Job, Result, TaskSpec, loads
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec
from flowcore.store.passing import Apart, find_spool

_QUICK = 0.02  # seconds; what takes longer keeps nobody waiting behind it
_FUNCTIONS = 64  # that a worker has loaded at once

Report = Callable[[Result], None]


class Relief:
    """Gives back the calls that wait behind one that takes long. A thread of its own, from the first message on."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._busy = threading.Event()
        self._message: tuple[Sequence[int], deque[int], Report] | None = None
        self._thread: threading.Thread | None = None

    def watch(self, attempts: Sequence[int], left: deque[int], report: Report) -> None:
        """A message is carried out: `left` are the places of those that have not been begun, next first."""
        self._message = attempts, left, report
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="flowcore-relief", daemon=True)
            self._thread.start()
        self._busy.set()

    def rest(self) -> None:
        """It has been carried out."""
        self._busy.clear()
        self._message = None

    def _look(self) -> None:
        before = 0
        while self._busy.wait():
            clock.sleep(_QUICK)
            attempt, message = self._slot.attempt, self._message
            if message is not None and attempt and attempt == before:
                self._give_back(*message)
            before = attempt

    @staticmethod
    def _give_back(attempts: Sequence[int], left: deque[int], report: Report) -> None:
        places = _taken(left)
        if places:
            report(Interrupted(attempts=[attempts[i] for i in places]))


def _taken(left: deque[int]) -> list[int]:
    """Take all that is left. Two threads may take at once: each gets what the other has not got."""
    places = []
    while left:
        try:
            places.append(left.popleft())
        except IndexError:  # the last one was taken just now
            break
    return places


class Callshop:
    """Carries out the calls of one executor (worker.Workshop)."""

    def __init__(self, surroundings: Surroundings, slot: Slot) -> None:
        spool = find_spool(surroundings.spool)
        self._slot = slot
        self._given = Codec(kept=None, passed=spool)
        self._giving = Codec(kept=None, passed=Apart(spool))
        self._functions: dict[bytes, Callable[..., object]] = {}
        self._relief = Relief(slot)
        if surroundings.opening:
            initializer, arguments = cast("tuple[Any, Any]", self._given.decode(surroundings.opening))
            initializer(*arguments)

    def perform(self, job: Job, report: Report, tell: Callable[[Value], None]) -> None:
        """Make the calls of `job` in order; `report` what becomes of each, or `tell` what it gave."""
        slot, attempts = self._slot, job.attempts
        context = Context(job.task.name, 0, 0, slot, depth=job.task.depth, cores=job.task.cores)
        left = deque(range(len(attempts)))
        token = current.set(context)
        if len(attempts) > 1:
            self._relief.watch(attempts, left, report)
        try:
            while left:
                try:
                    i = left.popleft()
                except IndexError:  # given back just now
                    return
                if slot.stopping:
                    report(Interrupted(attempts=[attempts[j] for j in (i, *_taken(left))]))
                    return
                context.attempt = attempts[i]
                slot.begin(attempts[i])
                made = self._call(job, i)
                if isinstance(made, Value):
                    tell(made)
                    slot.clear()
                    footprints.undo()
                else:
                    footprints.undo()  # else the worker would, and have a call made again that came after another
                    report(made)
                    slot.clear()
        finally:
            self._relief.rest()
            current.reset(token)

    def code(self, task: TaskSpec) -> bytes:
        """Give nothing: functions of calls are not looked into."""
        return task.code

    def differing(self, task: TaskSpec) -> str:  # noqa: ARG002 - none of them
        """Name nothing, likewise."""
        return ""

    def close(self) -> None:
        """Let go of the functions."""
        self._functions.clear()

    def _call(self, job: Job, i: int) -> Value | Failed:
        """Make one call; whatever it raises becomes a result (the broad except of `run/perform.py`, for calls)."""
        functions, arguments = job.columns
        began = started = clock.monotonic()
        try:
            function = self._function(functions[i if len(functions) > 1 else 0])
            positional, keywords = cast("tuple[Any, Any]", self._given.decode(arguments[i]))
            started = clock.monotonic()
            value = self._result_of(function, positional, keywords)
            del positional, keywords
            ended = clock.monotonic()
            record = self._packed(value, job.task.name)
            kept = clock.monotonic() - ended
            return Value(job.attempts[i], record, b"", ended - started, began, started - began, kept)
        except BaseException as error:  # noqa: BLE001 - becomes a result
            seconds = clock.monotonic() - started
            return Failed(attempt=job.attempts[i], failure=describe(error), seconds=seconds, began=began)

    @staticmethod
    def _result_of(function: Callable[..., object], positional: Sequence[Any], keywords: dict[str, Any]) -> object:
        try:
            value = function(*positional, **keywords)
        except BaseException as error:
            end_of_copies(error)
            raise
        end_of_copies()
        return value

    def _packed(self, value: object, name: str) -> bytes:
        try:
            return self._giving.pass_on(value, name="result")
        except NotPicklable as trouble:
            trouble.node = f"The result of {name}"
            raise

    def _function(self, packed: bytes) -> Callable[..., object]:
        """Load a function. One that carries values of its own is loaded anew for each call, as its arguments are."""
        function = self._functions.get(packed)
        if function is None:
            known, buffers = cast("tuple[Any, Any]", loads(packed))
            footprints.undo()
            function = self._given.load_function(known if isinstance(known, bytes) else tuple(known), tuple(buffers))
            footprints.note()  # what a module does when it is imported is meant for all calls
            if isinstance(known, list) or (isinstance(function, FunctionType) and not function.__closure__):
                if len(self._functions) >= _FUNCTIONS:
                    self._functions.clear()
                self._functions[packed] = function
        return function


def open_callshop(surroundings: Surroundings, slot: Slot) -> Callshop:
    """Open the callshop of an executor."""
    return Callshop(surroundings, slot)


def call_each(function: Callable[..., object], rows: Sequence[tuple[object, ...]]) -> list[object]:
    """Call a function with each row of arguments: what `map` with a chunksize has carried out as one call."""
    return [function(*row) for row in rows]
