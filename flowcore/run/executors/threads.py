"""Cells on threads of this process: blocking I/O, and compute that releases the GIL.

Threads are made when there is work for them and none is idle, up to a bound, each by the
one before. They are daemons: a thread cannot be killed, so one that overran its timeout is abandoned (its
late result is dropped, another thread takes its place) and never keeps the interpreter
from ending.

Threads: `room`, `start`, `stop`, `cancel`, `close` and the timers run on the engine's
thread. Carriers (the pool's threads) take work from a queue, and claim an attempt by
taking it out of `_live` before they post: dict.pop is atomic, so exactly one of carrier,
timer and cancel ends an attempt. Carriers ask the engine's thread to set a timer and to
call it off, in this order, so none outlives its attempt.
"""

from __future__ import annotations

import threading
from functools import partial
from queue import SimpleQueue

from flowcore import clock
from flowcore.run.cell.pages import Pages
from flowcore.run.cell.slot import LocalSlot
from flowcore.run.inbox import Inbox, Timer
from flowcore.run.job import Done, Interrupted, Job, Metric, Printed, Result, TaskSpec, TimedOut, Warned
from flowcore.run.perform import Workplace, perform
from flowcore.store.checkpoint import Checkpoints
from flowcore.store.codecs import Codec

MOST = 64  # threads at once
_SPARE = 2  # more, for operations on records alone: cells that wait for the world hold up no cell that waits for them
_TOGETHER = 512  # operations on records that travel as one piece of work


class ThreadExecutor:
    """Runs cells on threads that grow to need."""

    broken = ""
    name = "thread"

    def __init__(
        self, *, inbox: Inbox, codec: Codec, most: int = MOST, pages: Pages | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> None:  # fmt: skip
        self._inbox = inbox
        self._codec = codec
        self._pages = pages
        self._checkpoints = checkpoints
        self._most = most
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._slots: list[LocalSlot] = []
        self._live: dict[int, bool] = {}  # attempts that nobody has ended, and whether they have a deadline
        self._timers: dict[int, Timer] = {}  # of the engine's thread alone
        self._carriers = 0  # threads that have not been abandoned
        self._busy = 0  # pieces of work queued, or running on threads that have not been abandoned
        self._lock = threading.Lock()  # of the two counters
        self._stopping = False
        self._closed = False  # then no thread is made any more: nobody would tell it to end

    def take_back(self) -> list[Job]:
        """Give nothing: this executor does not break."""
        return []

    def room(self, task: TaskSpec, ready: int) -> int:
        """Tell how many cells to hand over now."""
        together = task.mode in ("item", "expand")
        free = self._most - self._busy + (_SPARE if together else 0)
        if free <= 0 or self._stopping:
            return 0
        return min(ready, _TOGETHER) if together else min(ready, free)

    def start(self, job: Job) -> None:
        """Queue the cells, each on its own, and see that there are threads for them."""
        together = job.task.mode in ("item", "expand")
        pieces = [job] if together else [job.part(i, i + 1) for i in range(len(job.attempts))]
        self._live.update(dict.fromkeys(job.attempts, job.task.timeout is not None))
        with self._lock:
            self._busy += len(pieces)
            self._launch()
        for piece in pieces:
            self._queue.put(piece)

    def stop(self) -> None:
        """Begin no further cell."""
        self._stopping = True
        for slot in self._slots:
            slot.ask_to_stop()

    def cancel(self) -> None:
        """Give up on everything; threads that run go on in the void."""
        self.stop()
        abandoned = [attempt for attempt in list(self._live) if self._claim(attempt)]
        if abandoned:
            self._inbox.post([Interrupted(attempts=abandoned)])

    def close(self) -> None:
        """Let idle threads end."""
        self.stop()
        with self._lock:
            self._closed = True
            carriers = self._carriers
        for _ in range(carriers):
            self._queue.put(None)

    def _launch(self) -> None:
        """Make another thread if there is work for it; the lock is held.

        That one makes the next before it works: the engine does not wait until forty have begun.
        """
        if self._busy <= self._carriers or self._carriers >= self._most + _SPARE or self._closed:
            return
        slot = LocalSlot()
        self._slots.append(slot)  # before we look: `stop` looks at the slots after it has said so
        if self._stopping:
            slot.ask_to_stop()
        place = Workplace(codec=self._codec, slot=slot, pages=self._pages, checkpoints=self._checkpoints, here=True)
        try:
            threading.Thread(target=self._carry, args=(place,), name="flowcore-io", daemon=True).start()
        except RuntimeError:  # the system gives no more threads: those there are will do (contract F35)
            if not self._carriers:
                raise
            self._most = self._carriers - min(_SPARE, self._carriers - 1)
            return
        self._carriers += 1

    def _carry(self, place: Workplace) -> None:
        with self._lock:
            self._launch()
        while (job := self._queue.get()) is not None:
            abandoned = self._watch(job)
            perform(job, place, self._report)
            with self._lock:
                if abandoned is not None and abandoned.is_set():
                    return  # another thread has this one's place, and counts for it
                self._busy -= 1

    def _watch(self, job: Job) -> threading.Event | None:
        """Set a deadline for a piece of work that has one."""
        if job.task.timeout is None:
            return None
        abandoned = threading.Event()
        due = clock.monotonic() + job.task.timeout
        self._inbox.call(partial(self._arm, job.attempts[0], due, job.task.timeout, abandoned))
        return abandoned

    def _arm(self, attempt: int, due: float, seconds: float, abandoned: threading.Event) -> None:
        if attempt in self._live:  # who ends it from now on has the timer called off after this
            self._timers[attempt] = self._inbox.at(due, partial(self._overdue, attempt, seconds, abandoned))

    def _overdue(self, attempt: int, seconds: float, abandoned: threading.Event) -> None:
        """Abandon the thread that has an attempt; it holds no place any more, whatever it does."""
        with self._lock:  # the thread, should it end just now, looks at `abandoned` under the lock
            if not self._claim(attempt):
                return
            abandoned.set()
            self._carriers -= 1
            self._busy -= 1
            self._inbox.post([TimedOut(attempt=attempt, seconds=seconds, did="abandoned in its thread")])
            self._launch()  # for what is queued, where threads are few

    def _disarm(self, attempt: int) -> None:
        timer = self._timers.pop(attempt, None)
        if timer is not None:
            timer.cancel()

    def _claim(self, attempt: int) -> bool:
        """Take the right to end an attempt; False if it has ended."""
        timed = self._live.pop(attempt, None)
        if timed:
            self._inbox.call(partial(self._disarm, attempt))
        return timed is not None

    def _report(self, result: Result) -> None:
        match result:
            case Printed() | Warned() | Metric():
                self._inbox.post([result])
            case Done() | Interrupted():
                mine = [self._claim(attempt) for attempt in result.attempts]
                if all(mine):
                    self._inbox.post([result])
                elif isinstance(result, Interrupted):
                    kept = [a for a, claimed in zip(result.attempts, mine, strict=True) if claimed]
                    self._inbox.post([Interrupted(attempts=kept)])
                # else: a value of one cell that overran its timeout, too late
            case _:
                if self._claim(result.attempt):
                    self._inbox.post([result])
