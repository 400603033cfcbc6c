"""Coroutines, ten thousand at once, on an event loop in a thread of its own.

The loop belongs to flowcore alone: a run works under Jupyter's running loop because it
never touches it, and a user's coroutine that blocks stalls its peers but never the
engine. Decoding arguments that refer to arrays, and encoding results that hold some,
happens on a few side threads, not on the loop.

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
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar, TypeVarTuple, cast

from flowcore.clock import monotonic
from flowcore.declare.seat import StartOver
from flowcore.errors import Skip
from flowcore.plan.encode import ValueGone
from flowcore.plan.records import references
from flowcore.run.call import Stage, unreadable
from flowcore.run.context import Context, current
from flowcore.run.failure import describe
from flowcore.run.inbox import Inbox, Timer
from flowcore.run.job import Done, Failed, Interrupted, Job, Lost, Result, Skipped, TaskSpec, TimedOut
from flowcore.run.pages import Pages
from flowcore.run.perform import Workplace, keep_result, started_over
from flowcore.run.slot import LocalSlot
from flowcore.store.checkpoint import Checkpoints
from flowcore.store.codecs import Codec

P = TypeVarTuple("P")
R = TypeVar("R")

MOST = 10_000  # coroutines at once
_SIDE_THREADS = 4
_LIGHT = frozenset({type(None), bool, int, float, str, bytes})
_PATIENCE = 5.0  # seconds that closing waits for the loop's thread
_HASTE = 0.5  # the same once a cell was given up, which may be what blocks the loop
_FAREWELL = 0.2  # seconds that cancelled coroutines have for what they do about it


class EventLoopExecutor:
    """Runs coroutine cells on a loop of its own."""

    broken = ""
    name = "async"

    def __init__(
        self, *, inbox: Inbox, codec: Codec, pages: Pages | None = None, checkpoints: Checkpoints | None = None
    ) -> None:
        self._inbox = inbox
        self._place = Workplace(codec=codec, slot=LocalSlot(), pages=pages, checkpoints=checkpoints)
        self._side = ThreadPoolExecutor(_SIDE_THREADS, thread_name_prefix="flowcore-side")
        self._live: dict[int, Timer | None] = {}  # attempts that nobody has ended, and their deadlines
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._outcomes: deque[tuple[int, Result]] = deque()  # of one turn of the loop, not claimed yet
        self._stopping = False
        self._closing = False
        self._patience = _PATIENCE
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="flowcore-loop", daemon=True)
        self._thread.start()

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
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(self._patience)
        self._side.shutdown(wait=False, cancel_futures=True)

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
                task.cancel()
            if left:
                self._loop.run_until_complete(asyncio.wait(left, timeout=_FAREWELL))
        finally:
            self._loop.close()

    def _begin(self, job: Job) -> None:
        for i, attempt in enumerate(job.attempts):
            if attempt in self._live:  # if it is given up only now, _drop comes after this
                self._tasks[attempt] = self._loop.create_task(self._attend(job, i))

    def _drop(self, attempts: Sequence[int]) -> None:
        for attempt in attempts:
            task = self._tasks.pop(attempt, None)
            if task is not None:
                task.cancel()

    async def _attend(self, job: Job, i: int) -> None:
        attempt, pages = job.attempts[i], self._place.pages
        slot, depth = self._place.slot, job.task.depth
        context = Context(job.task.name, job.numbers[i], attempt, slot, depth=depth, pages=pages)
        if job.supplies:
            context.supplied = self._place.supplied(job, i, lambda told: self._inbox.post([told]))
        current.set(context)
        result = await self._outcome(job, i)
        if context.supplied is not None:
            context.supplied.close()
            if context.supplied.stopped:
                result = Interrupted(attempts=[attempt])
        if pages is not None:
            pages.flush(attempt)
        if self._tasks.pop(attempt, None) is not None:
            self._post(attempt, result)

    async def _outcome(self, job: Job, i: int) -> Result:
        """Run one cell to its end, whatever that is."""
        attempt, began = job.attempts[i], monotonic()
        started, arguments = began, None
        try:
            stage = self._place.call(job.task).stage(job)
            arguments = await self._arguments(stage, job, i)
            seen = await self._aside(stage.see, i) if stage.filed else ()
            started = monotonic()
            value = await cast(Awaitable[Any], stage.run(*arguments))
            seconds = monotonic() - started
            changed = await self._aside(stage.changed, seen) if seen else ""
            done = await self._kept(job, attempt, value, seconds, changed)
            done.times.extend((began, started - began, monotonic() - started - seconds))
            return done
        except StartOver:
            started_over()
            return await self._outcome(job, i)
        except Skip as skip:
            return Skipped(attempt=attempt, reason=skip.reason, seconds=monotonic() - started, began=began)
        except ValueGone as gone:
            return Lost(attempt=attempt, digest=gone.digest)
        except asyncio.CancelledError as error:
            if attempt not in self._live:  # its end was told when it was given up
                return Interrupted(attempts=[attempt])
            return Failed(attempt=attempt, failure=describe(error), seconds=monotonic() - started, began=began)
        except BaseException as error:  # noqa: BLE001 - becomes a result
            seconds = monotonic() - started
            bad = await self._aside(unreadable, job, i, self._place.codec) if arguments is None else None
            return Failed(attempt=attempt, failure=describe(error), seconds=seconds, input=bad, began=began)

    async def _arguments(self, stage: Stage, job: Job, i: int) -> tuple[list[Any], dict[str, Any]]:
        heavy = any(references(column[0 if len(column) == 1 else i]) for column in job.columns)
        if heavy:
            return await self._aside(stage.arguments, i)
        return stage.arguments(i)

    async def _kept(self, job: Job, attempt: int, value: object, seconds: float, changed: str) -> Done:
        if type(value) in _LIGHT:
            return keep_result(job, attempt, value, seconds, self._place, changed)
        return await self._aside(keep_result, job, attempt, value, seconds, self._place, changed)

    async def _aside(self, function: Callable[[*P], R], *arguments: *P) -> R:
        """Call what reads or writes files in a thread, so that the loop goes on."""
        return await self._loop.run_in_executor(self._side, function, *arguments)

    def _post(self, attempt: int, result: Result) -> None:
        """Collect what ends in one turn of the loop, to be handed over together."""
        if not self._outcomes:
            self._loop.call_soon(self._flush)
        self._outcomes.append((attempt, result))

    def _flush(self) -> None:
        """Hand over what has ended; the engine does it where a turn of the loop may never end. Either thread."""
        outcomes: list[Result] = []
        with suppress(IndexError):  # empty: the other thread may be taking from it as well
            while True:
                attempt, result = self._outcomes.popleft()
                if self._claim(attempt):
                    outcomes.append(result)
        if outcomes:
            self._inbox.post(outcomes)
