"""Coroutines, ten thousand at once, on an event loop in a thread of its own.

The loop belongs to flowcore alone: a run works under Jupyter's running loop because it
never touches it, and a user's coroutine that blocks stalls its peers but never the
engine. Decoding arguments that refer to arrays, and encoding results that hold some,
happens on a few side threads, not on the loop.

Threads: `room`, `start`, `stop`, `cancel`, `close` on the engine's thread; everything
with an underscore on the loop's. An attempt is ended by whoever takes it out of
`_tasks`, which only the loop's thread touches.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from flowcore.clock import monotonic
from flowcore.errors import Skip
from flowcore.plan.encode import ValueGone
from flowcore.plan.records import references
from flowcore.run.call import Stage
from flowcore.run.failure import describe
from flowcore.run.inbox import Inbox
from flowcore.run.job import Failed, Interrupted, Job, Lost, Result, Skipped, TaskSpec, TimedOut
from flowcore.run.pages import Pages
from flowcore.run.perform import Context, Workplace, current, keep_result
from flowcore.run.slot import LocalSlot
from flowcore.store.codecs import Codec

MOST = 10_000  # coroutines at once
_SIDE_THREADS = 4
_LIGHT = frozenset({type(None), bool, int, float, str, bytes})
_PATIENCE = 5.0  # seconds that closing waits for the loop's thread


class EventLoopExecutor:
    """Runs coroutine cells on a loop of its own."""

    broken = ""
    name = "async"

    def __init__(self, *, inbox: Inbox, codec: Codec, pages: Pages | None = None) -> None:
        self._inbox = inbox
        self._place = Workplace(codec=codec, slot=LocalSlot(), pages=pages)
        self._side = ThreadPoolExecutor(_SIDE_THREADS, thread_name_prefix="flowcore-side")
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._outcomes: list[Result] = []
        self._held = 0  # cells handed over and not posted; counted down by the loop's thread only
        self._given = 0  # cells handed over; counted by the engine's thread only
        self._stopping = False
        self._cancelled = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="flowcore-loop", daemon=True)
        self._thread.start()

    def take_back(self) -> list[Job]:
        """Give nothing: this executor does not break."""
        return []

    def room(self, task: TaskSpec, ready: int) -> int:
        """Tell how many cells to hand over now."""
        return 0 if self._stopping else max(0, min(ready, MOST - (self._given - self._held)))

    def start(self, job: Job) -> None:
        """Make a coroutine of each cell."""
        self._given += len(job.attempts)
        self._loop.call_soon_threadsafe(self._begin, job)

    def stop(self) -> None:
        """Begin no further cell; the coroutines that run may finish."""
        self._stopping = True

    def cancel(self) -> None:
        """Cancel every coroutine."""
        self._stopping = True
        self._loop.call_soon_threadsafe(self._cancel_all)

    def close(self) -> None:
        """End the loop and its threads; a coroutine that will not end is left behind with them."""
        self._stopping = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)
        self._side.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
        finally:
            self._loop.close()

    def _begin(self, job: Job) -> None:
        for i, attempt in enumerate(job.attempts):
            if self._cancelled:
                self._post(Interrupted(attempts=[attempt]))
                continue
            self._tasks[attempt] = self._loop.create_task(self._attend(job, i))
            if job.task.timeout is not None:
                self._loop.call_later(job.task.timeout, self._overdue, attempt, job.task.timeout)

    async def _attend(self, job: Job, i: int) -> None:
        attempt, pages = job.attempts[i], self._place.pages
        slot, depth = self._place.slot, job.task.depth
        current.set(Context(job.task.name, job.numbers[i], attempt, slot, depth=depth, pages=pages))
        result = await self._outcome(job, i)
        if pages is not None:
            pages.flush(attempt)
        if self._tasks.pop(attempt, None) is not None and result is not None:
            self._post(result)

    async def _outcome(self, job: Job, i: int) -> Result:
        """Run one cell to its end, whatever that is."""
        attempt, started = job.attempts[i], monotonic()
        try:
            stage = self._place.call(job.task).stage(job)
            arguments = await self._arguments(stage, job, i)
            started = monotonic()
            value = await cast(Awaitable[Any], stage.run(*arguments))
            return await self._kept(job, attempt, value, monotonic() - started)
        except Skip as skip:
            return Skipped(attempt=attempt, reason=skip.reason, seconds=monotonic() - started)
        except ValueGone as gone:
            return Lost(attempt=attempt, digest=gone.digest)
        except asyncio.CancelledError as error:
            if self._cancelled:
                return Interrupted(attempts=[attempt])
            return Failed(attempt=attempt, failure=describe(error), seconds=monotonic() - started)
        except BaseException as error:  # noqa: BLE001 - becomes a result
            return Failed(attempt=attempt, failure=describe(error), seconds=monotonic() - started)

    async def _arguments(self, stage: Stage, job: Job, i: int) -> tuple[list[Any], dict[str, Any]]:
        heavy = any(references(column[0 if len(column) == 1 else i]) for column in job.columns)
        if heavy:
            return await self._loop.run_in_executor(self._side, stage.arguments, i)
        return stage.arguments(i)

    async def _kept(self, job: Job, attempt: int, value: object, seconds: float) -> Result:
        if type(value) in _LIGHT:
            return keep_result(job, attempt, value, seconds, self._place)
        return await self._loop.run_in_executor(self._side, keep_result, job, attempt, value, seconds, self._place)

    def _overdue(self, attempt: int, seconds: float) -> None:
        task = self._tasks.pop(attempt, None)
        if task is not None:  # whatever it does about the cancellation, its end is told here
            task.cancel()
            self._post(TimedOut(attempt=attempt, seconds=seconds, did="cancelled"))

    def _cancel_all(self) -> None:
        self._cancelled = True
        for attempt, task in list(self._tasks.items()):
            del self._tasks[attempt]
            task.cancel()
            self._post(Interrupted(attempts=[attempt]))

    def _post(self, result: Result) -> None:
        """Collect what ends in one turn of the loop, and hand it over together."""
        if not self._outcomes:
            self._loop.call_soon(self._flush)
        self._outcomes.append(result)

    def _flush(self) -> None:
        outcomes, self._outcomes = self._outcomes, []
        self._held += len(outcomes)
        self._inbox.post(outcomes)
