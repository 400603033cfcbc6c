"""Claims about killing: whatever dies at whatever event, running again goes on from there, and nothing stays."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults import driver
from tests.faults.driver import Target
from tests.faults.inside import KINDS

CELLS = 12
EVERYTHING = frozenset(
    {"load ", "total "} | {f"{node} {power}" for node in ("bend", "shift", "measure") for power in range(CELLS)}
)
SEEDS = int(os.environ.get("FLOWCORE_FAULTS_SEEDS", "12"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What an uninterrupted run gives."""

    values: list[str]  # a digest an array, and the total
    counts: dict[str, int]  # events by kind


def finish(folder: Path, store: Path, sabotage: str = "") -> Whole:
    """Run the pipeline to its end, and look that it leaves nobody."""
    with driver.start("pipeline", store, folder=folder, event="fs 0", sabotage=sabotage) as script:
        meeting = script.meet("result")
        meeting.answer()
        status = script.end()
        script.leaves_nobody()

        assert 0 == status, script.output()
    return Whole(values=meeting.facts["values"], counts=meeting.facts["counts"])


def check_kill(folder: Path, target: Target, event: str, whole: Whole, *, sabotage: str = "") -> None:
    """Kill the pipeline at an event, run it again, and hold both to the contract."""
    store = folder / "store"
    with driver.shared_memory_as_before(), ExitStack() as at_once:
        at_once.enter_context(driver.shared_memory_as_before())
        with driver.start("pipeline", store, folder=folder, event=event, sabotage=sabotage) as script:
            script.meet("event", "result")
            if target != "main" or not script.launcher:
                at_once.pop_all()  # nobody is left who could remove the spool; the next run does
            script.kill(target)
            script.died()
            script.leaves_nobody()
        at_once.close()
        kept, before = driver.recorded(store), driver.tally(folder)
        again = finish(folder, store, sabotage)
        after = driver.tally(folder)[len(before) :]

    assert whole.values == again.values
    assert sorted(EVERYTHING - kept) == sorted(after), "only what has no record runs, and runs once"
    assert kept <= set(before), "a record means that the cell ran"
    assert [] == driver.leftovers(store)
    assert [] == driver.unverified(store)


def event_of(seed: int, target: str, counts: dict[str, int]) -> str:
    """Choose an event: a file call, a frame of the journal, or a result."""
    kind = KINDS[seed % len(KINDS)]
    return f"{kind} {random.Random(f'{target} {seed}').randint(1, counts[kind])}"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Give what an uninterrupted run gives."""
    folder = tmp_path_factory.mktemp("whole")
    return finish(folder, folder / "store")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a folder that is emptied at once: forty stores are more than a disk wants to keep."""
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.mark.contract("F1", "F2", "F3", "F24", "P6", "P7", "P10")
@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("target", ["all", "main"])
def test_a_killed_run_goes_on(folder: Path, target: Target, seed: int, whole: Whole) -> None:
    """SIGKILL at any event costs what was in flight, leaves nothing, and changes no value."""
    check_kill(folder, target, event_of(seed, target, whole.counts), whole)


@pytest.mark.contract("F24", "P6")
@pytest.mark.parametrize("back", [1, 4, 7, 10])
def test_a_run_killed_while_it_closes_leaves_nothing(folder: Path, back: int, whole: Whole) -> None:
    """Its workers' part is over and its spool is not yet swept: the launcher still sees to the spool."""
    check_kill(folder, "main", f"fs {whole.counts['fs'] - back}", whole)


def check_signal(folder: Path, signum: signal.Signals, event: str, whole: Whole, *, sabotage: str = "") -> set[str]:
    """Signal main once at an event, let it come to its end, and run it again; give what it kept."""
    store = folder / "store"
    with (
        driver.shared_memory_as_before(),
        driver.start("pipeline", store, folder=folder, event=event, sabotage=sabotage) as script,
    ):
        meeting = script.meet("event", "result")
        script.kill("main", signum)
        meeting.answer()
        status = script.end()
        script.leaves_nobody()
    kept, before = driver.recorded(store), driver.tally(folder)
    again = finish(folder, store)

    assert status in (0, -signal.SIGINT, -signum), script.output()
    assert whole.values == again.values
    assert sorted(EVERYTHING - kept) == sorted(driver.tally(folder)[len(before) :])
    assert sorted(kept) == sorted(before), "what ran to its end is kept"
    assert [] == driver.leftovers(store) + driver.unverified(store)
    return kept


@pytest.mark.contract("F13", "P12", "P7")
@pytest.mark.parametrize(
    "signum",
    [signal.SIGINT, *(pytest.param(each, marks=pytest.mark.slow) for each in (signal.SIGTERM, signal.SIGUSR1))],
)
@pytest.mark.parametrize(
    ("kind", "part", "most"),
    [("fs", 0.0, 0), ("record", 0.4, len(EVERYTHING) - 1), ("fs", 0.5, len(EVERYTHING)), ("fs", 0.98, len(EVERYTHING))],
)
def test_a_signal_at_any_event_costs_nothing_that_ran(
    folder: Path, signum: signal.Signals, kind: str, part: float, most: int, whole: Whole
) -> None:
    """While a run begins, in the middle of what is written, and while it ends: nothing more begins, all is kept."""
    kept = check_signal(folder, signum, f"{kind} {1 + int(part * whole.counts[kind])}", whole)

    assert len(kept) <= most


@pytest.mark.contract("F35", "P7")
@pytest.mark.parametrize("kind", ["record", "message"])
def test_a_run_outlives_its_launcher(folder: Path, kind: str, whole: Whole) -> None:
    """The launcher dies in mid-run: every cell runs once, all values are right, nobody stays."""
    store = folder / "store"
    with driver.shared_memory_as_before(), driver.start("pipeline", store, folder=folder, event=f"{kind} 12") as script:
        meeting = script.meet("event")
        script.kill("launcher")
        meeting.answer()
        result = script.meet("result")
        result.answer()
        status = script.end()
        script.leaves_nobody()

        assert 0 == status, script.output()
    assert whole.values == result.facts["values"]
    assert sorted(EVERYTHING) == sorted(driver.tally(folder))


BUSY = ("nothing", "a loop", "a call that holds the GIL", "a child")


def check_orphans(folder: Path, busy_with: str, *, sabotage: str = "", within: float = driver.DEADLINE) -> None:
    """Kill main and launcher at once while a worker is busy: only its lifeline is left to end it.

    What has left the worker's session is out of its reach; the launcher is left to end that.
    """
    with driver.start("busy", busy_with, folder=folder, sabotage=sabotage) as script:
        script.meet("busy").answer()
        script.meet("busy too")
        expected = {"a child": 4, "nothing that listens": 4, "a daemon": 6}.get(busy_with, 3)
        driver.until(lambda: len(script.processes()) >= expected, "all are there")  # a child has its environment late
        script.kill("main" if busy_with == "a daemon" else "main and launcher")
        script.died()
        script.leaves_nobody(within)


@pytest.mark.contract("F3", "P6")
@pytest.mark.parametrize(
    "busy_with", ["nothing", "a loop", "a call that holds the GIL", "a child", "nothing that listens"]
)
def test_workers_do_not_outlive_main(folder: Path, busy_with: str) -> None:
    """Idle or busy, in Python or in C, with children of their own, deaf to all signals: workers end with the engine."""
    check_orphans(folder, busy_with)


@pytest.mark.contract("F3", "P6")
@pytest.mark.parametrize("busy_with", ["nothing", "a loop"])
def test_where_the_kernel_sends_no_signal_a_thread_ends_workers(folder: Path, busy_with: str) -> None:
    """The portable form of the lifeline: it waits for the interpreter, and no longer."""
    check_orphans(folder, busy_with, sabotage="lifeline_thread")
