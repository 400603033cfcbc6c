"""Drives an executor as the engine does, and waits for conditions through the inbox alone."""

from __future__ import annotations

import itertools
import os
import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgpack

from flowcore import clock
from flowcore.run.executors.processes import ProcessExecutor
from flowcore.run.inbox import Inbox
from flowcore.run.job import Done, Interrupted, Job, Printed, Result, TaskSpec
from flowcore.run.workers.launching import WorkerProcess
from flowcore.run.workers.surroundings import Surroundings

DEADLINE = 60.0  # seconds; only turns a hang into a failure
_task_ids = itertools.count(1)


def task(function: str, *, timeout: float | None = None, code: bytes = b"", cores: int = 1) -> TaskSpec:
    """Give a task on a function of the stand-in."""
    return TaskSpec(
        id=next(_task_ids), name=function, function=("path", "tests.run.stand_in", function), timeout=timeout,
        code=code, cores=cores,
    )  # fmt: skip


def surroundings(**changes: object) -> Surroundings:
    """Give the surroundings of a run without a store."""
    facts: dict[str, object] = {"run_id": "run", "store": "", "spool": ""}
    return Surroundings.of_this_process(**(facts | changes))  # type: ignore[arg-type]


class Drive:
    """An executor, and what it posted."""

    def __init__(self, executor: ProcessExecutor, inbox: Inbox) -> None:
        self.executor = executor
        self.inbox = inbox
        self.ends: dict[int, list[Result]] = {}  # by attempt
        self.printed: list[Printed] = []
        self.given: set[int] = set()
        self._attempts = itertools.count(1)

    @property
    def workers(self) -> list[WorkerProcess]:
        """The executor's workers."""
        return self.executor._pool.workers  # noqa: SLF001

    @property
    def launcher(self) -> int:
        """The launcher's process id."""
        return self.executor._pool.launcher_pid  # noqa: SLF001

    def job(self, spec: TaskSpec, rows: Sequence[tuple[object, ...]]) -> Job:
        """Make a job of one cell a row."""
        attempts = [next(self._attempts) for _ in rows]
        columns = [[msgpack.packb(value) for value in column] for column in zip(*rows, strict=True)]
        return Job(task=spec, attempts=attempts, numbers=list(range(len(rows))), columns=columns)

    def give(self, spec: TaskSpec, rows: Sequence[tuple[object, ...]]) -> list[int]:
        """Hand over one batch as it is, whatever `room` says."""
        job = self.job(spec, rows)
        self.given.update(job.attempts)
        self.executor.start(job)
        return job.attempts

    def run(self, spec: TaskSpec, rows: Sequence[tuple[object, ...]]) -> list[int]:
        """Hand over all cells as there is room, and wait for their ends."""
        job, at = self.job(spec, rows), 0
        self.given.update(job.attempts)

        def offer() -> bool:
            nonlocal at
            while at < len(rows) and (room := self.executor.room(spec, len(rows) - at)):
                self.executor.start(job.part(at, at + room))
                at += room
            return all(attempt in self.ends for attempt in job.attempts)

        self.until(offer)
        return job.attempts

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait in the inbox until `condition` holds."""
        due = clock.monotonic() + DEADLINE
        while not condition():
            missing = sorted(self.given - self.ends.keys())[:20]
            assert clock.monotonic() < due, f"deadline: not ended {missing}, broken {self.executor.broken!r}"
            self.take(self.inbox.wait(0.05))

    def take(self, results: Sequence[Result]) -> None:
        """Note results by attempt."""
        for result in results:
            if isinstance(result, Printed):
                self.printed.append(result)
                continue
            ended = result.attempts if isinstance(result, Done | Interrupted) else [result.attempt]
            for attempt in ended:
                self.ends.setdefault(attempt, []).append(result)

    def until_looked(self) -> None:
        """See to all that is due by now."""
        self.take(self.inbox.wait(0.0))

    def all_end(self) -> None:
        """Wait until each attempt given has ended."""
        self.until(lambda: self.given <= self.ends.keys())

    def until_there(self, path: Path) -> str:
        """Wait until a file is there, and give its text."""
        self.until(path.exists)
        return path.read_text()

    def value(self, attempt: int) -> object:
        """Give the value an attempt gave."""
        (end,) = self.ends[attempt]
        assert isinstance(end, Done), end
        return msgpack.unpackb(end.records[end.attempts.index(attempt)])

    def values(self, attempts: Sequence[int]) -> list[object]:
        """Give the values of attempts."""
        return [self.value(attempt) for attempt in attempts]

    def ended_once(self) -> bool:
        """Tell whether each attempt given has ended exactly once, and no other has."""
        return self.given == self.ends.keys() and all(len(ends) == 1 for ends in self.ends.values())


@contextmanager
def drive(workers: int = 2, workshop: str = "open_workshop", **changes: object) -> Iterator[Drive]:
    """Open an executor on the stand-in, and close it."""
    inbox = Inbox()
    executor = ProcessExecutor(
        workers=workers, inbox=inbox, surroundings=surroundings(**changes), workshop=f"tests.run.stand_in:{workshop}"
    )
    try:
        yield Drive(executor, inbox)
    finally:
        executor.close()
        inbox.close()


def watch_end(pid: int) -> int:
    """Open a descriptor that shows when `pid` has ended; call it while the process lives."""
    return os.pidfd_open(pid)


def have_ended(pidfds: Sequence[int]) -> bool:
    """Wait until these processes have ended; False at the deadline. Closes the descriptors."""
    due = clock.monotonic() + DEADLINE
    left = set(pidfds)
    while left and clock.monotonic() < due:
        left -= set(select.select(list(left), [], [], 1.0)[0])
    for pidfd in pidfds:
        os.close(pidfd)
    return not left
