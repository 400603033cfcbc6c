"""Claims about loops over steps whose run is told to stop: they save, and the cell is interrupted, never done."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.events import Advanced, Event
from flowcore.run.job import Interrupted
from flowcore.testing import FakeClock, ScriptedExecutor
from tests.ahead import Ahead
from tests.halting import until_stopping

DEADLINE = 60.0


class Gate:
    """Where a loop in a thread waits until the test has seen it."""

    def __init__(self) -> None:
        self.at = -1
        self.reached = threading.Event()
        self.open = threading.Event()
        self.steps: list[int] = []

    def step(self, step: int) -> None:
        """Take note of a step; wait at the one that the gate stands at."""
        self.steps.append(step)
        if step == self.at:
            self.reached.set()
            assert self.open.wait(DEADLINE)


GATE = Gate()


@pytest.fixture(autouse=True)
def gate() -> Iterator[Gate]:
    """Give each test a gate of its own."""
    global GATE  # noqa: PLW0603 - read by the tasks, which run in threads of this process
    GATE = Gate()
    yield GATE
    GATE.open.set()


def passed(step: int) -> None:
    """Pass the gate."""
    GATE.step(step)


@fc.compute(runner="thread", ignore=("global:GATE",))
def counting(n: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> Any:
    """Count, with a series and a number."""
    s = ckpt.state(total=0)
    for step in ckpt.steps(n):
        s.total += step
        ckpt.append(total=s.total)
        ckpt.metric(total=s.total)
        if step == 2:
            ckpt.save()
        passed(step)
    return s.total, ckpt.series("total")


@fc.compute(runner="thread", ignore=("global:GATE",))
def stubborn(n: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> int:
    """Swallow whatever ends the loop, and give what there is."""
    s = ckpt.state(total=0)
    try:
        for step in ckpt.steps(n):
            s.total += step
            passed(step)
    except BaseException:  # noqa: BLE001 - as careless code does
        pass
    total: int = s.total
    return total


@fc.io(ignore=("global:GATE",))
async def waiting(n: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> int:
    """Count in a coroutine."""
    s = ckpt.state(total=0)
    for step in ckpt.steps(n):
        s.total += step
        passed(step)
    total: int = s.total
    return total


def flow_of(task: Any, *args: Any) -> fc.Flow:
    """Draw one node."""
    with fc.Flow("stopping") as flow:
        flow.result = task(*args)
    return flow


def stopped(flow: fc.Flow, store: Path, gate: Gate, at: int, **options: Any) -> fc.Run:
    """Run a flow, and cancel it when its loop is at a step."""
    gate.at = at
    run = flow.start(store=store, progress=False, **options)
    assert gate.reached.wait(DEADLINE)
    run.cancel()
    until_stopping(run)
    gate.open.set()
    run.wait()
    return run


@pytest.mark.contract("P12", "P7")
@pytest.mark.parametrize("task", [counting, stubborn, waiting], ids=lambda task: task.name)
def test_a_stopped_loop_saves_and_is_interrupted(store: Path, gate: Gate, task: Any) -> None:
    """It ends at the next step, is no failure, keeps no result, and the next run goes on from there."""
    flow = flow_of(task, 6)
    first = stopped(flow, store, gate, 3)
    state = first.graph.nodes[task.name]

    value = flow.run(store=store, progress=False)[flow.result]

    assert ("interrupted", ()) == (first.status, first.failures)
    assert "interrupted" in str(state)
    assert [0, 1, 2, 3, 4, 5] == gate.steps
    assert 15 == (value[0] if task is counting else value)


@pytest.mark.contract("P12")
def test_a_run_stops_before_its_walltime_ends(store: Path, gate: Gate) -> None:
    """In good time the loop saves; the run is interrupted, and says how to go on."""
    flow = flow_of(counting, 10**9)
    gate.at = 5
    with Ahead() as ahead:
        run = flow.start(store=store, progress=False, walltime=1000.0)
        assert gate.reached.wait(DEADLINE)
        ahead.put_forward(999.0, run)
        until_stopping(run)
        gate.open.set()
        run.wait()

    assert "interrupted" == run.status
    assert 5 <= gate.steps[-1] < 10**9 - 1
    assert [] != list((store / "v1" / "checkpoints").glob("*/*.state"))


def test_a_series_is_read_while_it_grows(store: Path, gate: Gate) -> None:
    """What is committed is there for the run, and for any process that opens it; afterwards it is in the result."""
    flow = flow_of(counting, 6)
    gate.at = 4
    run = flow.start(store=store, progress=False)
    assert gate.reached.wait(DEADLINE)
    with pytest.raises(LookupError):
        run.peek("counting", "other")
    seen, recorded = run.peek("counting", "total"), fc.open_run(run.id, store).peek("counting", "total")
    gate.open.set()
    run.wait()

    assert [[0, 1, 3]] * 2 == [seen.tolist(), recorded.tolist()]
    with pytest.raises(LookupError, match="in what it returned"):
        run.peek("counting", "total")
    assert [0, 1, 3, 6, 10, 15] == run[flow.result][1].tolist()


class Heard:
    """Takes note of how far loops are."""

    def __init__(self) -> None:
        self.loops: list[Advanced] = []

    def on_event(self, event: Event) -> None:
        """Take note."""
        if isinstance(event, Advanced):
            self.loops.append(event)


def test_loops_are_seen_from_outside(store: Path, gate: Gate) -> None:
    """Observers and the journal are told the step and the live numbers of a loop that stops."""
    heard = Heard()
    gate.at = 3
    flow = flow_of(counting, 6)
    run = flow.start(store=store, progress=heard)
    assert gate.reached.wait(DEADLINE)
    run.cancel()
    until_stopping(run)
    gate.open.set()
    run.wait()
    loops = fc.open_run(run.id, store).loops()

    assert ("counting", 4, 6, (("total", 6.0),)) == (
        heard.loops[-1].cell, heard.loops[-1].step, heard.loops[-1].steps, heard.loops[-1].numbers,
    )  # fmt: skip
    assert (4, 6, {"total": 6.0}) == (loops["counting"].step, loops["counting"].steps, loops["counting"].numbers)


@fc.compute(ignore=("log",))
def signalled(n: int, log: str, ckpt: fc.Checkpoint = fc.Checkpoint()) -> int:
    """Send this process a signal in the middle, as a batch system does to every process of a job."""
    s = ckpt.state(total=0)
    for step in ckpt.steps(n):
        with Path(log).open("a") as file:
            file.write(f"{step}\n")
        s.total += step
        if step == 2:
            os.kill(os.getpid(), signal.SIGUSR1)
    total: int = s.total
    return total


@pytest.mark.contract("W10")
def test_a_signal_to_a_worker_alone_saves_and_goes_on(store: Path, tmp_path: Path) -> None:
    """What ends is decided by the engine: the cell is taken up again where it was."""
    flow = flow_of(signalled, 5, str(tmp_path / "log"))

    assert 10 == flow.run(store=store, progress=False, workers=1)[flow.result]
    assert [0, 1, 2, 3, 4] == [int(line) for line in (tmp_path / "log").read_text().split()]


@fc.compute(runner="inline", ignore=("global:GATE",))
def exploring(n: int, ckpt: fc.Checkpoint = fc.Checkpoint(), rng: np.random.Generator = fc.rng()) -> Any:
    """Go back to the last saved state once, and draw the same numbers again."""
    s = ckpt.state(drawn=[], back=0)
    for step in ckpt.steps(n, unsaved=("back",)):
        passed(step)
        s.drawn.append(float(rng.random()))
        if step == 2:
            ckpt.save()
        if step == 4 and len(GATE.steps) == 5:
            ckpt.restore()
    return s.drawn, float(rng.random())


def test_a_loop_can_go_back_to_what_was_saved(store: Path, gate: Gate) -> None:
    """After ckpt.restore() state, step and random stream are those of the last save."""
    flow = flow_of(exploring, 6)
    drawn, last = flow.run(store=store, progress=False)[flow.result]

    once = flow_of(exploring, 6)
    gate.steps[:] = [-1]  # nothing is taken back this time
    again, other = once.run(store=store / "other", progress=False)[once.result]

    assert [-1, 0, 1, 2, 3, 4, 5] == gate.steps
    assert (again, other) == (drawn, last)


def saving(n: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> int:
    """Keep a state."""
    s = ckpt.state(count=0)
    for _ in ckpt.steps(n):
        s.count += 1
    count: int = s.count
    return count


def passing(n: int) -> int:
    """Keep none."""
    return n


@pytest.mark.contract("P12", "W7")
@pytest.mark.parametrize(("saves", "seconds"), [(False, 3.0), (True, 31.0)])
def test_what_saves_has_thirty_seconds(store: Path, saves: bool, seconds: float) -> None:
    """Without a cell that keeps its state the grace is two seconds; with one it is thirty, or until that has ended."""
    flow = fc.Flow("grace")
    flow.add(fc.compute(passing), 1)
    if saves:
        flow.add(fc.compute(saving), 1)
    script = ScriptedExecutor()
    with FakeClock() as clock:
        run = flow.start(executor=script, store=store, progress=False)
        held = script.wait(2 if saves else 1)
        run.cancel()
        script.settle()
        clock.advance(seconds / 10)
        script.settle()
        early = len(script.held)
        clock.advance(seconds)
        script.settle()

        assert run.wait(DEADLINE)
        assert (len(held), 0) == (early, len(script.held))
    assert "interrupted" == run.status


@pytest.mark.contract("P12", "W7")
def test_the_others_are_ended_once_all_is_saved(store: Path) -> None:
    """After two seconds only cells that keep a state are waited for; when the last has ended, so has the run."""
    flow = fc.Flow("grace")
    flow.add(fc.compute(passing), 1)
    flow.add(fc.compute(saving), 1)
    script = ScriptedExecutor()
    with FakeClock() as clock:
        run = flow.start(executor=script, store=store, progress=False)
        script.wait(2)
        run.cancel()
        script.settle()
        clock.advance(5.0)
        script.settle()
        waiting = len(script.held)
        (last,) = script.wait(1, "saving")
        last.post([Interrupted(attempts=[last.attempt])])

        assert run.wait(DEADLINE)
    assert (2, 0, "interrupted") == (waiting, len(script.held), run.status)
