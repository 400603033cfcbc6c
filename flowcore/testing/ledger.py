"""Double entry for attempts: which were handed to an executor, and how often each has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

from flowcore.run.executors.protocol import Executor, MakeExecutor
from flowcore.run.inbox import Inbox
from flowcore.run.job import Done, Interrupted, Job, Metric, Printed, Result, TaskSpec, Warned
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec


class Ledger:
    """Makes executors as `make` does, and notes what goes in and what comes out.

    Stands wherever `make` would: ``flow.run(executor=Ledger(make))``.

    Parameters
    ----------
    make : MakeExecutor
        What makes the executor that is watched.
    """

    api = 1

    def __init__(self, make: MakeExecutor) -> None:
        self._make = make
        self.given: Counter[int] = Counter()  # attempt -> how often it was handed over; once, unless the caller errs
        self.ended: Counter[int] = Counter()  # attempt -> posted ends
        self.results: list[Result] = []
        self.inbox: Inbox | None = None  # the run's own, unwatched

    def __call__(self, *, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> Executor:
        """Make one, for a run of its own."""
        self.given.clear()
        self.ended.clear()
        self.results.clear()
        self.inbox = inbox
        watched = cast(Inbox, _Watched(self, inbox))
        return _Noted(self, self._make(workers=workers, inbox=watched, codec=codec, surroundings=surroundings))

    @property
    def open(self) -> list[int]:
        """The attempts that were handed over and have not ended."""
        return sorted(self.given.keys() - self.ended.keys())

    def note(self, results: Sequence[Result]) -> None:
        """Count ends."""
        for result in results:
            if isinstance(result, Metric | Printed | Warned):
                continue
            self.results.append(result)
            self.ended.update(result.attempts if isinstance(result, Done | Interrupted) else [result.attempt])

    def verify(self) -> None:
        """Raise AssertionError unless each attempt that was handed over has ended exactly once, and no other has."""
        never, strange = self.open, sorted(self.ended.keys() - self.given.keys())
        twice = sorted(attempt for attempt, count in self.ended.items() if count > 1)

        assert not never, f"attempts that never ended: {never[:10]} ({len(never)} in all)"
        assert not twice, f"attempts that ended more than once: {twice[:10]} ({len(twice)} in all)"
        assert not strange, f"ends of attempts that were never handed over: {strange[:10]}"


class _Noted:
    """The executor, its jobs noted."""

    def __init__(self, ledger: Ledger, executor: Executor) -> None:
        self._ledger = ledger
        self._executor = executor
        self.name = executor.name

    def room(self, task: TaskSpec, ready: int) -> int:
        room = self._executor.room(task, ready)
        assert 0 <= room <= ready, f"room for {room} cells, of {ready} that are ready"
        return room

    def start(self, job: Job) -> None:
        self._ledger.given.update(job.attempts)
        self._executor.start(job)

    @property
    def broken(self) -> str:
        return self._executor.broken

    def take_back(self) -> list[Job]:
        jobs = self._executor.take_back()
        for job in jobs:  # others will end them
            for attempt in job.attempts:
                del self._ledger.given[attempt]
        return jobs

    def stop(self) -> None:
        self._executor.stop()

    def cancel(self) -> None:
        self._executor.cancel()

    def close(self) -> None:
        self._executor.close()


class _Watched:
    """The inbox, its posts noted."""

    def __init__(self, ledger: Ledger, inbox: Inbox) -> None:
        self._ledger = ledger
        self._inbox = inbox

    def post(self, results: Sequence[Result]) -> None:
        self._ledger.note(results)
        self._inbox.post(results)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inbox, name)
