"""An executor that runs nothing by itself: the test says what becomes of each cell, and in which order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from flowcore.run.cell.failure import describe
from flowcore.run.cell.slot import LocalSlot
from flowcore.run.inbox import Inbox
from flowcore.run.job import Died, Failed, Interrupted, Job, Lost, Result, Skipped, TaskSpec, TimedOut
from flowcore.run.perform import Workplace, perform
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec

DEADLINE = 60.0  # seconds; only turns a hang into a failure


class Held:
    """One attempt at one cell, held until the test says what comes of it.

    Attributes
    ----------
    name : str
        The node's.
    number : int
        The cell's, row-major along static axes.
    attempt : int
        The attempt's id, unique in the run.
    """

    def __init__(self, script: ScriptedExecutor, job: Job, codec: Codec) -> None:
        self.job = job
        self.name = job.name(0)
        self.number = job.numbers[0]
        self.attempt = job.attempts[0]
        self._script = script
        self._place = Workplace(codec=codec, slot=LocalSlot())

    @property
    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """What the function would be called with: positional arguments, and those by name."""
        return self._place.call(self.job.task).stage(self.job).arguments(0)

    def outcome(self) -> list[Result]:
        """Carry the cell out, here and now, and give what would be posted."""
        results: list[Result] = []
        perform(self.job, self._place, results.append)
        return results

    def run(self) -> None:
        """Carry the cell out, here and now, and post what it came to."""
        self.post(self.outcome())

    def fail(self, error: BaseException) -> None:
        """Let the cell have raised."""
        self.post([Failed(attempt=self.attempt, failure=describe(error))])

    def skip(self, reason: str = "") -> None:
        """Let the cell have raised Skip."""
        self.post([Skipped(attempt=self.attempt, reason=reason)])

    def die(self, cause: str = "signal 9 (SIGKILL)", *, memory: bool = False, peak: int = 0) -> None:
        """Let the cell's process have died, with so many bytes at its highest, perhaps for want of `memory`."""
        self.post([Died(attempt=self.attempt, cause=cause, memory=memory, peak=peak)])

    def time_out(self, seconds: float = 1.0) -> None:
        """Let the cell have run out of time."""
        self.post([TimedOut(attempt=self.attempt, seconds=seconds, did="killed")])

    def lose(self, digest: bytes) -> None:
        """Let an input of the cell have been unreadable."""
        self.post([Lost(attempt=self.attempt, digest=digest)])

    def post(self, results: Sequence[Result]) -> None:
        """Post results, whatever they are, also late ones, and hold the cell no longer."""
        self._script.post(results, ended=self)

    def __repr__(self) -> str:
        return f"<held {self.name}[{self.number}], attempt {self.attempt}>"


class ScriptedExecutor:
    """Holds every cell that it is given.

    Handed to one run at a time: ``flow.start(executor=script)``. The methods that a test
    calls may be called on any thread but the engine's.

    Parameters
    ----------
    most : int
        How many cells it takes before it is full.

    Examples
    --------
    >>> import math, tempfile
    >>> import flowcore as fc
    >>> flow = fc.Flow("roots")
    >>> roots = flow.add(math.sqrt, fc.each(x=[4.0, 9.0]), name="root")
    >>> script = ScriptedExecutor()
    >>> with tempfile.TemporaryDirectory() as store:
    ...     run = flow.start(executor=script, store=store, progress=False)
    ...     for held in reversed(script.wait(2)):
    ...         held.run()
    ...     run.wait()
    ...     dict(run[roots])
    True
    {4.0: 2.0, 9.0: 3.0}
    """

    name = "scripted"
    api = 1

    def __init__(self, *, most: int = 1_000_000) -> None:
        self._most = most
        self._inbox: Inbox | None = None
        self._codec: Codec | None = None
        self._held: list[Held] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._closed = False
        self._barriers: list[threading.Event] = []
        self.broken = ""  # why it can carry out nothing any more; a test may set it, and post anything to have it seen
        self.started: list[tuple[str, int]] = []  # node's name and cell's number, in order of starting

    def __call__(self, *, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> ScriptedExecutor:
        """Work for a run: called by flowcore."""
        del workers, surroundings
        with self._changed:
            self._inbox, self._codec = inbox, codec
            self._stopping = self._closed = False
            self._held.clear()
            self._changed.notify_all()
        return self

    # ---- what a test calls -----------------------------------------------------------

    @property
    def held(self) -> list[Held]:
        """The cells that are held now, in order of starting."""
        with self._changed:
            return list(self._held)

    def wait(self, count: int = 1, name: str | None = None) -> list[Held]:
        """Wait until at least `count` cells (of the node `name`) are held; give them, in order of starting."""

        def found() -> list[Held]:
            return [held for held in self._held if name in (None, held.name)]

        self._until(lambda: len(found()) >= count, f"{count} cells of {name or 'any node'}")
        with self._changed:
            return found()

    def run_all(self, done: Callable[[], bool]) -> None:
        """Carry out whatever comes, in order, until `done` says that it is enough; ask it after each cell."""
        while not done():
            with self._changed:
                self._changed.wait_for(lambda: bool(self._held) or self._closed, DEADLINE)
                held = self._held[0] if self._held else None
                if held is None and self._closed:
                    return
            assert held is not None, f"deadline: no cell came; started so far: {self.started[-10:]}"
            held.run()

    def post(self, results: Sequence[Result], *, ended: Held | None = None) -> None:
        """Post results, whatever they are."""
        with self._changed:
            if ended in self._held:
                self._held.remove(ended)
        assert self._inbox is not None, "no run has made use of this executor yet"
        self._inbox.post(results)

    def settle(self) -> None:
        """Wait until the engine has taken in what was posted, rung due timers, and started what follows."""
        self._until(lambda: self._inbox is not None, "a run")
        for _ in range(2):  # a call is seen to before results are taken in, so the second one comes after them
            if not self._barrier():
                return

    # ---- what the engine calls -------------------------------------------------------

    def take_back(self) -> list[Job]:
        """See Executor: what is held counts as not begun."""
        with self._changed:
            given_back, self._held = self._held, []
        return [held.job for held in given_back]

    def room(self, task: TaskSpec, ready: int) -> int:
        """See Executor."""
        del task
        return 0 if self._stopping or self.broken else min(ready, self._most - len(self._held))

    def start(self, job: Job) -> None:
        """See Executor."""
        assert self._codec is not None, "made for a run before cells come"
        fresh = [Held(self, job.part(i, i + 1), self._codec) for i in range(len(job.attempts))]
        with self._changed:
            self._held.extend(fresh)
            self.started.extend((held.name, held.number) for held in fresh)
            self._changed.notify_all()

    def stop(self) -> None:
        """See Executor: what is held counts as running."""
        self._stopping = True

    def cancel(self) -> None:
        """See Executor."""
        self._stopping = True
        with self._changed:
            ended, self._held = self._held, []
        if ended and self._inbox is not None:
            self._inbox.post([Interrupted(attempts=[held.attempt for held in ended])])

    def close(self) -> None:
        """See Executor."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for barrier in self._barriers:
            barrier.set()

    # ---- inside ----------------------------------------------------------------------

    def _barrier(self) -> bool:
        """Wait until the engine has seen to a call; False if the run is over."""
        assert self._inbox is not None, "asked for after a run began"
        barrier = threading.Event()
        self._barriers.append(barrier)
        self._inbox.call(barrier.set)
        if self._closed:
            return False
        assert barrier.wait(DEADLINE), "deadline: the engine does not look into its inbox"
        return not self._closed

    def _until(self, condition: Callable[[], bool], wanted: str) -> None:
        with self._changed:
            came = self._changed.wait_for(condition, DEADLINE)
            held = [repr(one) for one in self._held[:10]]
        assert came, f"deadline: waited for {wanted}; held are {held}, closed is {self._closed}"
