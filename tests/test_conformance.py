"""Claims about check_executor: an executor that fails at any one of its promises does not pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from flowcore.plan.records import references
from flowcore.run.executors.inline import InlineExecutor
from flowcore.run.executors.processes import ProcessExecutor
from flowcore.run.executors.protocol import Executor, MakeExecutor
from flowcore.run.inbox import Inbox
from flowcore.run.job import Died, Done, Job, Printed, Result, Skipped, TaskSpec, TimedOut
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec
from flowcore.testing import check_executor, trouble
from flowcore.testing.recursion import Recursion, random_steps
from flowcore.testing.trial import Trial
from tests.test_testing import Meddling


class Wrapped:
    """Flowcore's own processes, as far as a saboteur leaves them alone."""

    def __init__(self, *, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> None:
        meddling: Any = Meddling(inbox, self.meddle)
        self.inbox = inbox
        self.own = ProcessExecutor(workers=workers, inbox=meddling, surroundings=surroundings)

    def meddle(self, results: Sequence[Result]) -> list[Result]:
        return list(results)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)


class IgnoresTimeouts(Wrapped):
    """Carries out tasks as if they had no timeout."""

    def start(self, job: Job) -> None:
        self.own.start(replace(job, task=replace(job.task, timeout=None)))


class CallsTimeoutsSkips(Wrapped):
    """Ends a cell that is over its time, and says that it wanted to be skipped."""

    def meddle(self, results: Sequence[Result]) -> list[Result]:
        return [Skipped(attempt=r.attempt, reason="") if isinstance(r, TimedOut) else r for r in results]


class GoesOn(Wrapped):
    """Does not hear a stop."""

    def stop(self) -> None:
        return


class NeverLetsGo(Wrapped):
    """Neither stops nor cancels."""

    def stop(self) -> None:
        return

    def cancel(self) -> None:
        return


class KillsLoops(Wrapped):
    """Ends at once what should save its state."""

    def stop(self) -> None:
        self.own.cancel()


class ForgetsTheDead(Wrapped):
    """Does not notice that a worker is gone."""

    def meddle(self, results: Sequence[Result]) -> list[Result]:
        return [r for r in results if not isinstance(r, Died)]


class GivesUp(Wrapped):
    """Allows a cell no second attempt."""

    def meddle(self, results: Sequence[Result]) -> list[Result]:
        return [replace(r, final=True) if isinstance(r, Died) else r for r in results]


class BreaksAltogether(Wrapped):
    """Takes one cell after the other, and none after a worker has died."""

    def __init__(self, **given: Any) -> None:
        self.open = 0
        self.dead = False
        super().__init__(**given)

    def room(self, task: TaskSpec, ready: int) -> int:
        return min(1, self.own.room(task, ready)) if not self.open else 0

    def start(self, job: Job) -> None:
        self.open += 1
        if self.dead:
            self.open -= 1
            self.inbox.post([Died(attempt=a, cause="broken", final=True) for a in job.attempts])
        else:
            self.own.start(job)

    def meddle(self, results: Sequence[Result]) -> list[Result]:
        self.open -= sum(isinstance(r, Done | Died) for r in results)
        self.dead = self.dead or any(isinstance(r, Died) for r in results)
        return list(results)


@pytest.mark.contract("F40")
@pytest.mark.parametrize(
    ("saboteur", "check", "found"),
    [
        (NeverLetsGo, trouble.cancelled, "hangs"),
        (GoesOn, trouble.stopped, "has room"),
        (IgnoresTimeouts, trouble.over_time, "hangs"),
        (CallsTimeoutsSkips, trouble.over_time, "over their timeout"),
        (ForgetsTheDead, trouble.process_ended, "hangs"),
        (BreaksAltogether, trouble.process_ended, "took others along"),
        (GivesUp, trouble.process_ended_once, "after one loss"),
        (KillsLoops, trouble.loops_stopped, "went on at step 0"),
    ],
)
def test_trouble_is_not_dealt_with(saboteur: MakeExecutor, check: Callable[[Trial], None], found: str) -> None:
    """Each promise for when something goes wrong has a check that finds it broken."""
    trial = Trial(
        make=saboteur, coroutines=False, ends_cells=True, loss="cell", stops_loops=True,
        deadline=1.5 if found == "hangs" else 60.0,
    )  # fmt: skip
    with pytest.raises(AssertionError, match=found):
        check(trial)


def test_what_breaks_altogether_may_say_so() -> None:
    """An engine that one dead worker takes down passes as such: the run ends, and no value is wrong."""
    trouble.process_ended(
        Trial(make=BreaksAltogether, coroutines=False, ends_cells=True, loss="engine", deadline=60.0)
    )  # fmt: skip


class Hangs:
    """Takes whatever there is, and never begins."""

    found = "hangs"

    def __call__(self, results: Sequence[Result]) -> list[Result]:
        return []


class OneForAll:
    """Gives all cells of a message the first one's value, and all messages the first one's."""

    found = "sums"

    def __init__(self) -> None:
        self.first = b""

    def __call__(self, results: Sequence[Result]) -> list[Result]:
        return [self._same(r) if isinstance(r, Done) else r for r in results]

    def _same(self, done: Done) -> Done:
        self.first = self.first or done.records[0]
        return replace(done, records=[self.first] * len(done.records))


class MixesUpArrays:
    """Gives big arrays of a size to one another."""

    found = "recursion"

    def __init__(self) -> None:
        self.known: dict[int, bytes] = {}

    def __call__(self, results: Sequence[Result]) -> list[Result]:
        return [replace(r, records=[*map(self._other, r.records)]) if isinstance(r, Done) else r for r in results]

    def _other(self, record: bytes) -> bytes:
        return self.known.setdefault(len(record), record) if references(record) else record


class LosesOneOfMany:
    """Loses the thousandth result."""

    found = "never ended"

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, results: Sequence[Result]) -> list[Result]:
        before, self.seen = self.seen, self.seen + len(results)
        return [r for n, r in enumerate(results, start=before) if n != 1000]


class Mute:
    """Keeps what cells print to itself, and invents something."""

    found = "printed was"

    def __call__(self, results: Sequence[Result]) -> list[Result]:
        done = [attempt for r in results if isinstance(r, Done) for attempt in r.attempts]
        return [*(Printed(attempt=attempt, stream="stdout", text="...") for attempt in done), *results]


@pytest.mark.contract("F40")
@pytest.mark.parametrize("saboteur", [Hangs, OneForAll, MixesUpArrays, LosesOneOfMany, Mute])
def test_check_rejects(saboteur: Any) -> None:
    """An executor that gives wrong values, or none, or loses what is printed, does not pass."""

    def make(*, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> Executor:
        meddling: Any = Meddling(inbox, saboteur())
        return InlineExecutor(inbox=meddling, codec=codec)

    hangs = saboteur in (Hangs, LosesOneOfMany)
    with pytest.raises(AssertionError, match=saboteur.found):
        check_executor(make, ends_cells=False, prints=True, deadline=1.5 if hangs else 60.0)


def test_random_graphs_are_the_same_each_time_and_hold_what_they_should() -> None:
    """Grids of two axes, gathering, containers, arrays that travel as files and such that do not."""
    steps = random_steps("one")
    oracle = Recursion(steps)
    values = [value for number in range(len(steps)) for value in oracle.cells(number).values()]

    assert steps == random_steps("one")
    assert {0, 1, 2} == {len(step.axes) for step in steps}
    assert any(part.over for step in steps for part in step.parts)
    assert {"int", "dict", "ndarray"} == {type(value).__name__ for value in values}
    assert len({getattr(value, "nbytes", 0) > 4096 for value in values}) == 2
