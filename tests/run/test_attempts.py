"""Claims about one attempt: whatever happens to it, in whichever order, it ends exactly once (F40).

Pure: the places that end attempts are driven by hand, event by event. Executors are the
real ones with nobody behind them: no process is started, no thread has work, no loop
turns. What the engine makes of the ends is said in `test_landing.py`.
"""

from __future__ import annotations

import itertools
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from flowcore.run.executors import processes
from flowcore.run.executors.event_loop import EventLoopExecutor
from flowcore.run.executors.processes import ProcessExecutor
from flowcore.run.executors.threads import ThreadExecutor
from flowcore.run.inbox import Inbox
from flowcore.run.job import Died, Done, Interrupted, Job, Result, TaskSpec, TimedOut, pack_result
from flowcore.run.pool import Pool
from flowcore.run.workers.launching import WorkerProcess
from flowcore.run.workers.wire import Channel
from flowcore.store.codecs import Codec
from flowcore.store.directory import open_store
from flowcore.testing import FakeClock
from tests.run.driving import surroundings

EVENTS = ("result", "death", "timeout", "cancel", "late result")
TIMEOUT = 10.0


def ends(results: Sequence[Result]) -> Counter[int]:
    """Count the ends of each attempt."""
    return Counter(
        attempt
        for result in results
        for attempt in (result.attempts if isinstance(result, Done | Interrupted) else [result.attempt])  # type: ignore[union-attr]
    )


def done(attempts: Sequence[int]) -> Done:
    """Give values of attempts."""
    count = len(attempts)
    return Done(attempts=list(attempts), records=[b"\0"] * count, components=[b"\0"] * count, seconds=[0.0] * count)


# ---- worker processes ------------------------------------------------------------------


class Bench(Pool):
    """A pool whose workers are all there but for their processes: a test speaks for them."""

    def hire(self) -> None:
        """Have one more of them, at once."""
        worker = WorkerProcess(self.latest + 1)
        self.latest += 1
        self.workers.append(worker)
        self._watch(worker)

    def welcome(self, worker: WorkerProcess) -> Channel:
        """Bring a worker in; give its end of the channel."""
        far = Channel(socket.socket(fileno=worker.far[0]), blocking=False)
        worker.far = worker.far[1:]
        worker.greeted, worker.pid = True, -1
        self._welcome(worker)
        worker.pid = 0  # there is nobody to kill
        worker.slot.batch = 0
        return far

    def die(self, worker: WorkerProcess) -> None:
        """Have a worker's process end."""
        self._bury(worker)


@dataclass
class Staffed:
    """An executor on a bench, one worker of which has a batch."""

    executor: ProcessExecutor
    bench: Bench
    inbox: Inbox
    clock: FakeClock
    attempts: list[int]
    posted: list[Result] = field(default_factory=list)
    far: dict[int, Channel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.staff()
        self.first = self.bench.workers[0]
        spec = TaskSpec(id=1, name="task", function=("path", "module", "task"), timeout=TIMEOUT)
        count = len(self.attempts)
        self.executor.start(Job(task=spec, attempts=self.attempts, numbers=[*range(count)], columns=[]))
        self.first.slot.begin(self.attempts[0])

    def staff(self) -> None:
        """Bring in whoever was asked for."""
        for worker in self.bench.workers:
            if worker.token not in self.far:
                self.far[worker.token] = self.bench.welcome(worker)

    def happen(self, event: str) -> None:
        """Let one thing happen."""
        match event:
            case "death" if not self.first.gone:
                self.bench.die(self.first)
            case "timeout":
                self.clock.advance(TIMEOUT + 1.0)
            case "cancel":
                self.executor.cancel()
            case "result" | "late result":
                self.speak(self.first, done(self.attempts))
        self.look()

    def speak(self, worker: WorkerProcess, result: Result) -> None:
        """Let a worker send a result; one that is gone was heard before its end was."""
        if worker.gone:
            self.executor.heard(worker, ["results", 0.0, 1, [pack_result(result)]])
        else:
            self.far[worker.token].send(["results", 0.0, 1, [pack_result(result)]])

    def look(self) -> None:
        """Take in what there is, as the engine does."""
        self.posted += self.inbox.wait(0.0)
        self.staff()

    def close(self) -> None:
        """Let go of everything."""
        self.executor.close()
        for channel in self.far.values():
            channel.close()
        self.inbox.close()

    def finish(self) -> None:
        """Let all workers that have something do it, until nothing is open."""
        for _ in range(20):
            for worker in list(self.bench.workers):
                if worker.doomed:
                    self.bench.die(worker)
                    continue
                for message in self.far[worker.token].receive():
                    if message[0] == "batch" and worker is not self.first:
                        job = Job.unpack(message[2], {1: TaskSpec(id=1, name="t", function=("path", "m", "t"))})  # type: ignore[arg-type]
                        self.speak(worker, done(job.attempts))
            self.clock.advance(10.0)
            self.look()


@pytest.mark.contract("F40", "W8")
@pytest.mark.parametrize("cells", [1, 3])
def test_workers_end_an_attempt_once(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Result, death, timeout, cancel and a late result, in all orders: the first one ends what it is about."""
    for order in itertools.permutations(EVENTS):
        bench, inbox = Bench(), Inbox()
        monkeypatch.setattr(processes, "acquire", lambda bench=bench: bench)
        with FakeClock() as clock:
            executor = ProcessExecutor(workers=1, inbox=inbox, surroundings=surroundings())
            staffed = Staffed(executor, bench, inbox, clock, [*range(11, 11 + cells)])
            try:
                for event in order:
                    staffed.happen(event)
                staffed.finish()
            finally:
                staffed.close()
        first = next(e for e in order if e != "late result") if order[0] != "late result" else "result"
        expected = {"result": Done, "death": Died, "timeout": TimedOut, "cancel": Interrupted}[first]
        about = [r for r in staffed.posted if 11 in (getattr(r, "attempts", None) or [r.attempt])]  # type: ignore[union-attr]

        assert dict.fromkeys(range(11, 11 + cells), 1) == dict(ends(staffed.posted)), order
        assert isinstance(about[0], expected), order


# ---- threads, and the event loop -------------------------------------------------------

Words = dict[str, Callable[[], object]]


def of_threads(executor: ThreadExecutor, attempts: list[int]) -> Words:
    """Say how each thing happens to attempts of a thread."""
    for attempt in attempts:
        executor._live[attempt] = True
    return {
        "result": lambda: executor._report(done(attempts[:1])),
        "timeout": lambda: executor._overdue(attempts[0], TIMEOUT, threading.Event()),
        "cancel": executor.cancel,
        "late result": lambda: [executor._report(done([attempt])) for attempt in attempts],
    }


def of_the_loop(executor: EventLoopExecutor, attempts: list[int]) -> Words:
    """Say how each thing happens to attempts of coroutines."""
    executor._live.update(dict.fromkeys(attempts))
    return {
        "result": lambda: executor._post(attempts[0], done(attempts[:1])),
        "timeout": lambda: executor._overdue(attempts[0], TIMEOUT),
        "cancel": executor.cancel,
        "late result": lambda: [executor._post(attempt, done([attempt])) for attempt in attempts],
    }


@contextmanager
def a_codec(store: Path) -> Iterator[Codec]:
    """Give a codec of a run."""
    run = open_store(store).begin()
    try:
        yield Codec(kept=run.blobs, passed=run.spool)
    finally:
        run.close("done")
        run.release()


@pytest.mark.contract("F40", "W8")
@pytest.mark.parametrize("cells", [1, 3])
@pytest.mark.parametrize("lane", ["thread", "async"])
def test_threads_and_the_loop_end_an_attempt_once(lane: str, cells: int, store: Path) -> None:
    """They share a process with the engine and do not die; all else is as with workers."""
    with a_codec(store) as codec:
        check_orders(lane, cells, codec)


def check_orders(lane: str, cells: int, codec: Codec) -> None:
    """Let all happen in all orders."""
    for order in itertools.permutations(("result", "timeout", "cancel", "late result")):
        inbox, attempts = Inbox(), [*range(11, 11 + cells)]
        executor: ThreadExecutor | EventLoopExecutor
        if lane == "thread":
            executor = ThreadExecutor(inbox=inbox, codec=codec)
            words = of_threads(executor, attempts)
        else:
            executor = EventLoopExecutor(inbox=inbox, codec=codec)
            words = of_the_loop(executor, attempts)
        for event in order:
            words[event]()
        if lane == "async":
            cast(EventLoopExecutor, executor)._flush()
        posted = inbox.wait(0.0)
        executor.close()
        inbox.close()

        assert dict.fromkeys(attempts, 1) == dict(ends(posted)), order
