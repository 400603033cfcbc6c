"""Coroutines, ten thousand at once, on an event loop in a thread of its own.

The loop belongs to flowcore alone: a run works under Jupyter's running loop because it
never touches it, and a user's coroutine that blocks stalls its peers but never the
engine. Decoding arguments that refer to arrays, and encoding results that hold some,
happens on a few side threads, not on the loop.

What blocks the loop is named while it does, by a watchdog (`watchdog.py`).

Threads: `room`, `start`, `stop`, `cancel`, `close` and the deadlines (`_overdue`) are on
the engine's thread, `_claim` and `_flush` on either, everything else with an underscore
on the loop's. Nothing that ends an attempt waits for the loop, which a coroutine may
block for ever: whoever takes it out of `_live` ends it (dict.pop is atomic), and what
the coroutine says later is dropped. `_tasks` belongs to the loop's thread. A cell's time
counts from when it was handed over, so it passes on a blocked loop, too.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, TypeVarTuple, cast
from weakref import WeakKeyDictionary

from flowcore.clock import monotonic
from flowcore.declare.sapling import Sapling
from flowcore.declare.seat import StartOver
from flowcore.errors import BlockedLoop, Skip
from flowcore.notices import notice
from flowcore.plan.encode import ValueGone, encode_plain
from flowcore.plan.records import references
from flowcore.run.cell.call import Stage, unreadable
from flowcore.run.cell.context import Context, current
from flowcore.run.cell.failure import describe
from flowcore.run.cell.offspring import end_of_copies
from flowcore.run.cell.pages import Pages
from flowcore.run.cell.slot import LocalSlot
from flowcore.run.columns import Value, add, plain, take
from flowcore.run.executors.watchdog import Watchdog
from flowcore.run.inbox import Inbox, Timer
from flowcore.run.job import Done, Failed, Interrupted, Job, Lost, Record, Result, Skipped, TaskSpec, TimedOut
from flowcore.run.perform import Workplace, keep_result, started_over
from flowcore.store.checkpoint import Checkpoints
from flowcore.store.codecs import Codec

P = TypeVarTuple("P")
R = TypeVar("R")

MOST = 10_000  # coroutines at once
_SIDE_THREADS = 4
_LIGHT = frozenset({type(None), bool, int, float})
_TEXTS = frozenset({str, bytes})
_SHORT = 2048  # characters or bytes; longer ones are encoded in a thread, and may become files
_PATIENCE = 5.0  # seconds that closing waits for the loop's thread
_HASTE = 0.5  # the same once a cell was given up, which may be what blocks the loop
_FAREWELL = 0.2  # seconds that cancelled coroutines have for what they do about it


class EventLoopExecutor:
    """Runs coroutine cells on a loop of its own."""

    broken = ""
    name = "async"

    def __init__(
        self, *, inbox: Inbox, codec: Codec, pages: Pages | None = None, checkpoints: Checkpoints | None = None,
        named: Callable[[int], str] = str,
    ) -> None:  # fmt: skip
        self._inbox = inbox
        self._place = Workplace(codec=codec, slot=LocalSlot(), pages=pages, checkpoints=checkpoints, here=True)
        self._side = ThreadPoolExecutor(_SIDE_THREADS, thread_name_prefix="flowcore-side")
        self._live: dict[int, Timer | None] = {}  # attempts that nobody has ended, and their deadlines
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._lock = threading.Lock()  # of what has ended
        self._outcomes: list[Result] = []  # of one turn of the loop, claimed and not handed over
        self._stopping = False
        self._closing = False
        self._patience = _PATIENCE
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="flowcore-loop", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the system gives no more threads
            self._loop.close()
            raise
        self._named = named  # an attempt's cell, on the engine's thread
        self._owners: WeakKeyDictionary[asyncio.Task[Any], int] = WeakKeyDictionary()  # of tasks that cells make
        self._told: set[tuple[str, str]] = set()  # node and line of what blocked the loop
        self._loop.set_task_factory(self._own)
        self._watchdog = Watchdog(self, cast(int, self._thread.ident))

    def take_back(self) -> list[Job]:
        """Give nothing: this executor does not break."""
        return []

    def room(self, task: TaskSpec, ready: int) -> int:
        """Tell how many cells to hand over now."""
        return 0 if self._stopping else max(0, min(ready, MOST - len(self._live)))

    def start(self, job: Job) -> None:
        """Make a coroutine of each cell."""
        seconds = job.task.timeout
        due = monotonic() + (seconds or 0.0)
        for attempt in job.attempts:
            timer = None if seconds is None else self._inbox.at(due, partial(self._overdue, attempt, seconds))
            self._live[attempt] = timer
        self._loop.call_soon_threadsafe(self._begin, job)
        self._watchdog.watch()

    def stop(self) -> None:
        """Begin no further cell; the coroutines that run may finish, loops over steps at the next one."""
        self._stopping = True
        self._place.slot.ask_to_stop()

    def cancel(self) -> None:
        """Give up on every coroutine, and cancel it if the loop still turns."""
        self._stopping = True
        self._flush()
        unfinished = [attempt for attempt in list(self._live) if self._claim(attempt)]
        if unfinished:
            self._inbox.post([Interrupted(attempts=unfinished)])
            self._give_up(unfinished)

    def close(self) -> None:
        """End the loop and its threads; a coroutine that will not end is left behind with them."""
        self._stopping = self._closing = True
        self._watchdog.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(self._patience)
        self._side.shutdown(wait=False, cancel_futures=True)

    # What the watchdog asks (watchdog.Loop)

    def running(self) -> object | None:
        """Give the task whose step runs now."""
        return asyncio.current_task(self._loop)

    def idle(self) -> bool:
        """Tell whether there is no coroutine."""
        return not self._live

    def at_next_turn(self, call: Callable[[], None]) -> None:
        """Call something on the loop at its next turn."""
        with suppress(RuntimeError):  # closed just now
            self._loop.call_soon_threadsafe(call)

    def blocked(self, task: object, at: str) -> None:
        """Have the cell named whose step takes long, or that made the task which does; once a node and line."""
        owner = next((attempt for attempt, own in list(self._tasks.items()) if own is task), None)
        if owner is None:
            owner = self._owners.get(cast("asyncio.Task[Any]", task))
        if owner is not None:
            self._inbox.call(partial(self._tell_blocked, owner, at))

    def _tell_blocked(self, attempt: int, at: str) -> None:
        cell = self._named(attempt)
        where = cell.partition("[")[0], at
        if cell and where not in self._told:  # else it has ended, by its timeout at the latest
            self._told.add(where)
            notice(BlockedLoop(cell=cell, at=at), at)

    def _own(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        """Make a task that a cell's code has asked for, and note whose it is. The loop's thread."""
        task = asyncio.Task(coroutine, loop=loop, **options)
        context = current.get()
        if context is not None:
            self._owners[task] = context.attempt
        return task

    # Ends

    def _overdue(self, attempt: int, seconds: float) -> None:
        self._flush()
        if self._claim(attempt):  # whatever it does about the cancellation, its end is told here
            self._inbox.post([TimedOut(attempt=attempt, seconds=seconds, did="cancelled")])
            self._give_up([attempt])

    def _give_up(self, attempts: Sequence[int]) -> None:
        self._patience = _HASTE
        self._loop.call_soon_threadsafe(self._drop, attempts)

    def _claim(self, attempt: int) -> bool:
        """Take the right to end an attempt; False if it has ended."""
        missing = object()
        timer = self._live.pop(attempt, missing)
        if isinstance(timer, Timer):
            self._inbox.call(timer.cancel)  # timers belong to the engine's thread
        return timer is not missing

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            while not self._closing:
                with suppress(SystemExit, KeyboardInterrupt):  # of a task that a coroutine made: asyncio lets them pass
                    self._loop.run_forever()
            left = asyncio.all_tasks(self._loop)
            for task in left:
                if not task.cancelling():  # a second time would cut off what it does about the first
                    task.cancel()
            if left:
                self._loop.run_until_complete(asyncio.wait(left, timeout=_FAREWELL))
        finally:
            self._loop.close()

    def _begin(self, job: Job) -> None:
        """Make a coroutine of each cell; the loop has a task for it under the node's name."""
        pointing = any(map(_points, job.columns))
        for i, attempt in enumerate(job.attempts):
            if attempt in self._live:  # if it is given up only now, _drop comes after this
                context = self._context(job, i)
                attending = self._attend(job, i, context, pointing)
                self._tasks[attempt] = asyncio.Task(attending, loop=self._loop, name=context.cell)

    def _context(self, job: Job, i: int) -> Context:
        """Give what surrounds one cell."""
        place = self._place
        context = Context(
            job.name(i), job.numbers[i], job.attempts[i], place.slot, depth=job.task.depth, pages=place.pages
        )
        if job.supplies:
            context.supplied = place.supplied(job, i, lambda told: self._inbox.post([told]))
        return context

    def _drop(self, attempts: Sequence[int]) -> None:
        for attempt in attempts:
            task = self._tasks.pop(attempt, None)
            if task is not None:
                task.cancel()

    async def _attend(self, job: Job, i: int, context: Context, pointing: bool) -> None:
        """Carry one cell to its end, and post what it came to."""
        attempt, place = job.attempts[i], self._place
        current.set(context)
        result: Result | Value | None = None
        while result is None:
            began = started = monotonic()
            given = False
            try:
                stage = place.call(job.task).stage(job)
                arguments = await self._arguments(stage, job, i) if pointing else stage.arguments(i)
                seen = await self._aside(stage.see, i) if stage.filed else ()
                started, given = monotonic(), True
                running = cast(Awaitable[Any], stage.run(*arguments))
                del arguments  # they are the coroutine's to let go of
                value = await running
                end_of_copies()
                ended = monotonic()
                if stage.plain and not seen and _is_light(value) and (light := encode_plain(value)) is not None:
                    row = attempt, light.record, light.component, ended - started, began, started - began
                    result = Value(*row, monotonic() - ended)
                    break
                seconds = ended - started
                changed = await self._aside(stage.changed, seen) if seen else ""
                result = await self._kept(job, i, value, (seconds, began, started), changed)
            except StartOver:
                started_over()
            except BaseException as error:  # noqa: BLE001 - becomes a result
                end_of_copies(error)
                result = self._raised(error, attempt, began, monotonic() - started)
                if not given and isinstance(result, Failed):
                    result = replace(result, input=await self._aside(unreadable, job, i, place.codec))
        if self._tasks.pop(attempt, None) is not None:
            self._post(attempt, self._closed(context, result))

    def _raised(self, error: BaseException, attempt: int, began: float, seconds: float) -> Result:
        """Give what an exception makes of an attempt."""
        match error:
            case Skip():
                return Skipped(attempt=attempt, reason=error.reason, seconds=seconds, began=began)
            case ValueGone():
                return Lost(attempt=attempt, digest=error.digest)
            case asyncio.CancelledError() if attempt not in self._live:  # its end was told when it was given up
                return Interrupted(attempts=[attempt])
        return Failed(attempt=attempt, failure=describe(error), seconds=seconds, began=began)

    def _closed(self, context: Context, result: Result | Value) -> Result | Value:
        """Let go of what a cell had; one whose loop over steps was stopped has no result."""
        if context.pages is not None:
            context.pages.flush(context.attempt)
        if context.supplied is not None:
            context.supplied.close()
            if context.supplied.stopped:
                return Interrupted(attempts=[context.attempt])
        return result

    async def _arguments(self, stage: Stage, job: Job, i: int) -> tuple[list[Any], dict[str, Any]]:
        """Read arguments, those that refer to files in a thread."""
        if any(references(column[0 if len(column) == 1 else i]) for column in job.columns):
            return await self._aside(stage.arguments, i)
        return stage.arguments(i)

    async def _kept(self, job: Job, i: int, value: object, when: tuple[float, float, float], changed: str) -> Result:
        """Keep a result: what becomes a file, or takes long to encode, in a thread."""
        seconds, began, started = when
        if isinstance(value, Sapling):
            return await self._aside(self._place.grown, job, i, value, seconds, began, changed)
        if _is_light(value):
            done = keep_result(job, i, value, seconds, self._place, changed)
        else:
            done = await self._aside(keep_result, job, i, value, seconds, self._place, changed)
        done.times.extend((began, started - began, monotonic() - started - seconds))
        return done

    async def _aside(self, function: Callable[[*P], R], *arguments: *P) -> R:
        """Call what reads or writes files in a thread, so that the loop goes on."""
        return await self._loop.run_in_executor(self._side, function, *arguments)

    def _post(self, attempt: int, result: Result | Value) -> None:
        """Collect what ends in one turn of the loop, to be handed over together, values in columns."""
        with self._lock:
            if not self._claim(attempt):
                return
            if not self._outcomes:
                self._loop.call_soon(self._flush)
            last = self._outcomes[-1] if self._outcomes else None
            joins = isinstance(last, Done) and plain(last)  # all that is made here has its times
            if isinstance(result, Value):
                take(cast(Done, last), result) if joins else self._outcomes.append(result.done())
            elif joins and isinstance(result, Done) and plain(result):
                add(cast(Done, last), result)
            else:
                self._outcomes.append(result)

    def _flush(self) -> None:
        """Hand over what has ended; the engine does it where a turn of the loop may never end. Either thread."""
        with self._lock:
            outcomes, self._outcomes = self._outcomes, []
        if outcomes:
            self._inbox.post(outcomes)


def _is_light(value: object) -> bool:
    """Tell whether a value is encoded at once, and into a record."""
    return type(value) in _LIGHT or (type(value) in _TEXTS and len(cast(str, value)) <= _SHORT)


def _points(column: list[Record]) -> bool:
    """Tell whether a record of a column refers to a file."""
    return any(map(references, column))
