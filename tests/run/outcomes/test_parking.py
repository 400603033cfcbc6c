"""Claims about run/outcomes/parking.py: cells that another live run computes wait for it, and never in vain."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore.errors import FlowcoreError
from flowcore.events import CellsParked, Event
from flowcore.plan.states import State
from flowcore.store.directory import StoreRun, open_store
from flowcore.store.history import QUIET, Beat, read_run, run_paths
from flowcore.store.neighbours import PAUSE
from flowcore.store.trace import Trace
from flowcore.testing import FakeClock, ScriptedExecutor
from flowcore.testing.cells import plus

CELLS = 3
OLDER, YOUNGER = "20000101T000000-0123456789abcdef", "29991231T000000-0123456789abcdef"


def drawn(**options: Any) -> tuple[fc.Flow, Any]:
    """Draw cells that are equal in every run."""
    flow = fc.Flow("shared")
    return flow, flow.add(fc.compute(**options)(plus), fc.each(x=range(CELLS)), name="cell")


@dataclass
class Scene:
    """Another run, played by hand, and the records it would make."""

    store: Path
    clock: FakeClock
    other: StoreRun
    made: Trace

    def beat(self, *cells: int) -> None:
        """Let the other run be computing these cells."""
        self.other.cache.beat({"cells": len(cells), "computing": b"".join(self.made.keys[i] for i in cells)})

    def record(self, *cells: int) -> None:
        """Let the other run have computed these cells."""
        of = self.made
        self.other.cache.record(Trace(
            node=0, numbers=list(cells), keys=[of.keys[i] for i in cells],
            components=[of.components[i] for i in cells], records=[of.records[i] for i in cells],
            seconds=[0.0] * len(cells),
        ))  # fmt: skip

    def start(self, **options: Any) -> tuple[fc.Run, Any, ScriptedExecutor]:
        """Begin a run of ours."""
        flow, cell = drawn(**options.pop("task", {}))
        script = ScriptedExecutor()
        run = flow.start(store=self.store, executor=script, progress=False, **options)
        script.settle()
        return run, cell, script

    def later(self, script: ScriptedExecutor, seconds: float = PAUSE) -> list[int]:
        """Let time pass, and give the cells of ours that are held then."""
        self.clock.advance(seconds)
        script.settle()
        return [held.number for held in script.held]


@pytest.fixture
def scene(store: Path, tmp_path: Path) -> Iterator[Scene]:
    """Give a store in which another run lives."""
    flow, _ = drawn()
    flow.run(store=tmp_path / "elsewhere", executor="inline", progress=False)
    (path,) = run_paths(tmp_path / "elsewhere").values()
    (made,) = [told for told in read_run(path) if isinstance(told, Trace)]
    with FakeClock() as clock:
        other = open_store(store).begin(YOUNGER)
        yield Scene(store, clock, other, made)
        other.release()


def finished(run: fc.Run, script: ScriptedExecutor) -> fc.Run:
    """Carry out whatever comes, and wait for the end."""
    script.run_all(lambda: False)
    with contextlib.suppress(fc.RunFailed):
        assert run.wait(60.0)
    return run


@pytest.mark.contract("J8", "F16", "P10")
def test_a_cell_computed_elsewhere_is_awaited_and_then_a_hit(scene: Scene) -> None:
    """It is not started here, others are; with the record of the other run it is done."""
    scene.beat(0, 2)
    run, cell, script = scene.start()
    begun = [held.number for held in script.held]
    script.held[0].run()
    script.settle()
    waiting = [run._session.state(0, n) for n in range(CELLS)]
    scene.record(0)
    scene.later(script)
    partly = [run._session.state(0, n) for n in range(CELLS)]
    scene.record(2)
    scene.later(script)

    assert run.wait(60.0)
    assert [1] == begun == [number for _, number in script.started]
    assert [State.PARKED, State.DONE, State.PARKED] == waiting
    assert [State.DONE, State.DONE, State.PARKED] == partly
    assert {n: plus(n) for n in range(CELLS)} == dict(run[cell])


@pytest.mark.contract("J8", "F17", "P5")
@pytest.mark.parametrize("how", ["a beat without it", "an end", "no lock", "silence"])
def test_a_cell_that_nobody_else_computes_any_more_is_computed_here(how: str, scene: Scene) -> None:
    """After the other run failed at it, ended, died or fell silent."""
    scene.beat(0, 1, 2)
    run, cell, script = scene.start()
    before = scene.later(script)
    match how:
        case "a beat without it":
            scene.beat()
        case "an end":
            scene.other.end("failed", {})
        case "no lock":
            assert scene.other._writing is not None
            scene.other._writing.journal._lock.release()
        case "silence":
            before += scene.later(script, QUIET - 3 * PAUSE)
            scene.clock.advance(2 * PAUSE)
    after = scene.later(script)

    assert ([], [0, 1, 2]) == (before, after)
    assert {n: plus(n) for n in range(CELLS)} == dict(finished(run, script)[cell])


@pytest.mark.contract("J8", "P10")
def test_a_cell_that_waits_for_an_executor_is_judged_once_more(scene: Scene) -> None:
    """What others recorded or began while it waited is neither computed here nor begun."""
    flow, cell = drawn()
    script = ScriptedExecutor(most=1)
    run = flow.start(store=scene.store, executor=script, progress=False)
    script.settle()
    scene.record(1)
    scene.beat(2)
    scene.clock.advance(PAUSE)
    script.held[0].run()
    script.settle()
    states = [run._session.state(0, n) for n in range(CELLS)]
    scene.record(2)
    scene.later(script)

    assert run.wait(60.0)
    assert [State.DONE, State.DONE, State.PARKED] == states
    assert [0] == [number for _, number in script.started]
    assert {n: plus(n) for n in range(CELLS)} == dict(run[cell])


@pytest.mark.contract("J8")
def test_equal_cells_here_wait_together(scene: Scene) -> None:
    """Behind one that waits for another run, and are released with it."""
    flow = fc.Flow("shared")
    for name in ("cell", "twin"):
        flow.add(plus, fc.each(x=range(CELLS)), name=name)
    scene.beat(0)
    script = ScriptedExecutor()
    run = flow.start(store=scene.store, executor=script, progress=False)
    script.settle()
    begun = sorted(held.number for held in script.held)
    scene.beat()
    scene.later(script)
    finished(run, script)

    assert [1, 2] == begun
    assert [0, 1, 2] == sorted(number for _, number in script.started)


@pytest.mark.contract("J8", "P5", "F4", "F16")
def test_equal_cells_here_go_on_when_another_run_answers_for_who_they_wait_for(scene: Scene) -> None:
    """The one that is computed loses its worker; handed back, it is a hit by now, and so are those behind it."""
    flow = fc.Flow("shared")
    for name in ("cell", "twin"):
        flow.add(plus, fc.each(x=range(CELLS)), name=name)
    script = ScriptedExecutor(most=2)  # what waits for it has the run look for others
    run = flow.start(store=scene.store, executor=script, progress=False)
    script.settle()
    scene.record(0)
    scene.later(script)
    next(held for held in script.held if held.number == 0).die()
    script.settle()
    states = run._session.state(0, 0), run._session.state(1, 0)
    while script.held:
        script.held[0].run()
        script.settle()

    assert (State.DONE, State.DONE) == states
    assert run.wait(60.0)
    assert CELLS == len(script.started)
    assert {n: plus(n) for n in range(CELLS)} == dict(run["twin"])


@pytest.mark.contract("K26", "J8")
def test_a_refreshed_cell_waits_for_nobody(scene: Scene) -> None:
    """It is to be computed anew, whatever others are at."""
    scene.beat(0, 1, 2)
    scene.record(1)
    run, _, script = scene.start(refresh=["cell"])
    begun = [held.number for held in script.held]
    finished(run, script)

    assert [0, 1, 2] == begun


@pytest.mark.contract("P12", "P5")
@pytest.mark.parametrize("how", ["cancel", "stop on error"])
def test_a_run_whose_cells_all_wait_ends_when_it_is_told_to(how: str, scene: Scene) -> None:
    """At once, with nothing started."""
    scene.beat(0, 1, 2) if how == "cancel" else scene.beat(0, 1)
    run, _, script = scene.start(on_error="stop")
    if how == "cancel":
        run.cancel()
    else:
        script.held[0].fail(ValueError("on purpose"))
    with contextlib.suppress(FlowcoreError, KeyboardInterrupt):
        assert run.wait(60.0)

    assert ("interrupted" if how == "cancel" else "failed") == run.status
    assert ([] if how == "cancel" else [2]) == [number for _, number in script.started]


@pytest.mark.contract("J8", "T2")
def test_a_beat_names_what_is_in_flight_for_long(store: Path) -> None:
    """One comes after a second; keys of cells that began less than a second before are not in it."""
    with FakeClock() as clock:
        flow, _ = drawn()
        script = ScriptedExecutor(most=2)
        run = flow.start(store=store, executor=script, progress=False)
        script.settle()
        clock.advance(0.5)
        script.held[0].run()
        script.settle()
        clock.advance(0.6)
        script.settle()
        clock.advance(5.0)
        script.settle()
        (path,) = run_paths(store).values()
        told = list(read_run(path))
        finished(run, script)
    (made,) = [told for told in read_run(path) if isinstance(told, Trace) and 1 in told.numbers]
    beats = [beat.facts for beat in told if isinstance(beat, Beat)]

    assert [2, 2] == [facts["cells"] for facts in beats]
    assert made.keys[made.numbers.index(1)] == beats[0]["computing"]
    assert 64 == len(beats[1]["computing"])  # type: ignore[arg-type]


@pytest.mark.contract("J8")
def test_a_beat_tells_who_waits_for_whom(scene: Scene) -> None:
    """So that whoever looks at the run sees why nothing happens."""
    scene.beat(0, 1, 2)
    run, _, script = scene.start()
    scene.later(script, 2 * PAUSE)
    path = list(run_paths(scene.store).values())[-1]
    beats = [told.facts for told in read_run(run_paths(scene.store)[run.id]) if isinstance(told, Beat)]
    run.cancel()
    with contextlib.suppress(FlowcoreError, KeyboardInterrupt):
        run.wait(60.0)

    assert [{"cells": 0, "parked": {scene.other.id: CELLS}}] == beats, path


def noise(x: int) -> float:
    """Give another value each time."""
    return x + random.random()


@pytest.mark.contract("F33", "P1")
@pytest.mark.filterwarnings("ignore::flowcore.errors.FlowcoreWarning")
def test_two_values_for_one_key_never_mix(store: Path) -> None:
    """Of two runs at once, each goes on with its own values; the next run is all hits, and of one of them."""
    flow = fc.Flow("noisy")
    made = flow.add(noise, fc.each(x=range(CELLS)), name="noise")
    after = flow.add(plus, made, b=100, name="after")
    scripts = [ScriptedExecutor() for _ in range(2)]
    runs = [flow.start(made, after, store=store, executor=script, progress=False) for script in scripts]
    for script in scripts:
        script.wait(CELLS)
    for run, script in zip(runs, scripts, strict=True):
        finished(run, script)
    third = flow.run(made, after, store=store, executor="refuse", progress=False)
    found = [(list(run[made].values()), list(run[after].values())) for run in (*runs, third)]

    assert all([plus(value, 100) for value in values] == later for values, later in found)
    assert set(found[0][0]).isdisjoint(found[1][0])
    assert found[2] == found[min((run.id, i) for i, run in enumerate(runs))[1]]


class Heard:
    """Notes who waits for whom."""

    def __init__(self) -> None:
        self.parked: list[CellsParked] = []

    def on_event(self, event: Event) -> None:
        """Take note."""
        if isinstance(event, CellsParked):
            self.parked.append(event)


@pytest.mark.contract("J8")
def test_whoever_looks_is_told_whom_cells_wait_for(scene: Scene) -> None:
    """By events, by the run's summary, and by that of its journal, until they do not wait any more."""
    scene.beat(0, 2)
    flow, _ = drawn()
    heard, script = Heard(), ScriptedExecutor()
    run = flow.start(store=scene.store, executor=script, progress=heard)
    script.settle()
    scene.later(script, 2 * PAUSE)
    words = f"2 cells wait for run {scene.other.id}"
    found = [words in told.summary() for told in (run, fc.open_run(run.id, scene.store))]
    scene.beat()
    scene.later(script)
    finished(run, script)
    after = [words in told.summary() for told in (run, fc.open_run(run.id, scene.store))]

    assert ([True, True], [False, False]) == (found, after)
    assert [CellsParked(cells=2, runs=(scene.other.id,)), CellsParked()] == heard.parked


@pytest.mark.contract("J8", "F16")
@pytest.mark.parametrize(("other", "order"), [(OLDER, [2, 1, 0]), (YOUNGER, [0, 1, 2]), ("", [0, 1, 2])])
def test_runs_that_are_begun_together_begin_at_different_ends(other: str, order: list[int], store: Path) -> None:
    """The younger one at the last cell, so that they meet in the middle and do not stay in step."""
    neighbour = open_store(store).begin(other) if other else None
    flow, _ = drawn()
    script = ScriptedExecutor(most=1)
    finished(flow.start(store=store, executor=script, progress=False), script)
    if neighbour is not None:
        neighbour.release()

    assert order == [number for _, number in script.started]
