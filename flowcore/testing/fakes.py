"""A clock that stands until it is told to go, devices that are not there, and an executor that runs nothing."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from flowcore import clock
from flowcore.run.cell.failure import describe
from flowcore.run.inbox import Inbox
from flowcore.run.job import Failed, Job, TaskSpec
from flowcore.run.workers import devices
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec


class FakeClock:
    """Takes the place of flowcore's clock while entered; time passes only when told.

    What waits for a deadline in a run is told of it by the next result or call that
    reaches the engine, such as :meth:`ScriptedExecutor.settle`.

    Examples
    --------
    >>> from flowcore import clock
    >>> with FakeClock() as fake:
    ...     began = clock.monotonic()
    ...     fake.advance(30.0)
    ...     clock.monotonic() - began
    30.0
    """

    def __init__(self, *, monotonic: float = 1000.0, wall: float = 1.7e9) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._real = (clock.monotonic, clock.wall)

    def __enter__(self) -> Self:
        self._real = (clock.monotonic, clock.wall)
        self._put(self.monotonic, self.wall)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._put(*self._real)

    def monotonic(self) -> float:
        """Give the seconds so far."""
        return self._monotonic

    def wall(self) -> float:
        """Give the seconds since 1970."""
        return self._wall

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._monotonic += seconds
        self._wall += seconds

    def _put(self, monotonic: object, wall: object) -> None:
        for name, reading in (("monotonic", monotonic), ("wall", wall)):
            setattr(clock, name, reading)


class FakeDevices:
    """Takes the place of the devices that cells may compute on, for runs that begin while it is entered.

    Each cell of a task with `gpus` finds the names of its own ones in ``CUDA_VISIBLE_DEVICES``.

    Parameters
    ----------
    *names : str
        Of the devices; none at all is a machine without any.

    Examples
    --------
    >>> from flowcore.run.workers import devices
    >>> with FakeDevices("0", "1"):
    ...     devices.find()
    ('0', '1')
    """

    def __init__(self, *names: str) -> None:
        self.names = names
        self._real = devices.find

    def __enter__(self) -> Self:
        self._real = devices.find
        self._put(lambda: self.names)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._put(self._real)

    def _put(self, find: object) -> None:
        setattr(devices, "find", find)  # noqa: B010 - as in FakeClock


class RefusingExecutor:
    """Fails every cell that is started: for claims that nothing runs.

    Known by the name ``refuse``: ``flow.run(executor="refuse")`` lets no cell go to a
    process, ``flow.options(runner="refuse")`` lets none of the flow's tasks run at all.
    """

    name = "refuse"
    api = 1
    broken = ""

    def __init__(self, *, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> None:
        self._inbox = inbox

    def take_back(self) -> list[Job]:
        """Nothing is held."""
        return []

    def room(self, task: TaskSpec, ready: int) -> int:
        """Take everything, to refuse it."""
        return ready

    def start(self, job: Job) -> None:
        """Fail the cells."""
        refused = [
            describe(AssertionError(f"{job.name(i)} was started; nothing was to run")) for i in range(len(job.attempts))
        ]
        self._inbox.post([Failed(attempt=a, failure=failure) for a, failure in zip(job.attempts, refused, strict=True)])

    def stop(self) -> None:
        """Nothing is held."""

    def cancel(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is held."""
