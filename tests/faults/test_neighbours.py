"""Claims about several runs on one store at once: right values always, double work seldom, waiting never in vain."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import signal
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from flowcore.store.fs import DISK
from flowcore.store.history import QUIET, Beat, read_run, run_paths
from flowcore.store.layout import Layout
from flowcore.store.lock import RunLock
from flowcore.testing import FakeClock, ScriptedExecutor
from tests.faults import driver, inside
from tests.faults.driver import Script
from tests.faults.scripts import crowd, shared

VALUES = [number * number for number in range(shared.CELLS)]
CROWD = 8
KILLED = 5


def start(folder: Path, store: Path, *, at_once: int = shared.CELLS, child: str = "none", sabotage: str = "") -> Script:
    """Start a run of the shared cells."""
    return driver.start("shared", store, str(at_once), child, folder=folder, sabotage=sabotage)


def told(store: Path, fact: str) -> list[object]:
    """Give what the last beat of each run says of something, oldest run first."""
    found: list[object] = []
    for path in run_paths(store).values():
        beats = [said.facts for said in read_run(path) if isinstance(said, Beat)]
        found.append(beats[-1].get(fact) if beats else None)
    return found


def beats_on(store: Path) -> None:
    """Wait until the newest run has named its cells twice: for a second whoever looked had something to see."""
    path = list(run_paths(store).values())[-1]
    driver.until(
        lambda: len([said for said in read_run(path) if isinstance(said, Beat) and "computing" in said.facts]) > 1,
        "two beats",
    )


def names(store: Path, count: int, *, runs: int = 1) -> None:
    """Wait until a beat of the newest of `runs` runs names so many cells."""
    driver.until(
        lambda: len(found := told(store, "computing")) == runs and len(bytes(found[-1] or b"")) == 32 * count,  # type: ignore[arg-type, call-overload]
        f"a beat with {count} cells",
    )


def waits(store: Path, *, within: float = driver.DEADLINE) -> None:
    """Wait until the newer of two runs says that all its cells wait for the older one."""
    driver.until(
        lambda: isinstance(parked := (*told(store, "parked"), None)[1], dict) and [shared.CELLS] == [*parked.values()],
        "all cells wait", within=within,
    )  # fmt: skip


def cells(script: Script, count: int) -> list[driver.Meeting]:
    """Meet so many cells, in order of number."""
    return sorted((script.meet("cell") for _ in range(count)), key=lambda meeting: int(meeting.facts["number"]))


def values(script: Script) -> list[int]:
    """Give what a run gives, and see it end well."""
    meeting = script.meet("result")
    meeting.answer()
    assert 0 == script.end(), script.output()
    return list(meeting.facts["values"])


def executed(folder: Path) -> list[int]:
    """Count the executions of each cell."""
    counts = Counter(driver.tally(folder))
    return [counts[f"slow {number}"] for number in range(shared.CELLS)]


@pytest.mark.contract("J8", "F16", "P10")
def test_two_runs_share_the_work(tmp_path: Path, store: Path) -> None:
    """Once a beat has named what a run is at, the other does something else; each cell runs once."""
    with start(tmp_path, store, at_once=2) as first:
        held = cells(first, 2)
        names(store, 2)
        with start(tmp_path, store, at_once=2) as second:
            others = cells(second, 2)
            names(store, 2, runs=2)
            beats_on(store)
            for meeting in (*held, *others):
                meeting.answer()
            found = values(first), values(second)

    assert (VALUES, VALUES) == found
    assert ([0, 1], [2, 3]) == tuple([meeting.facts["number"] for meeting in some] for some in (held, others))


@pytest.mark.contract("F17", "J8", "P5")
@pytest.mark.parametrize("child", ["none", "fork"])
def test_cells_of_a_killed_run_are_computed_by_who_waits(child: str, tmp_path: Path, store: Path) -> None:
    """Within a look or two, although a child of the dead run lives that was forked while it held its lock."""
    with start(tmp_path, store, child=child) as owner:
        cells(owner, shared.CELLS)
        names(store, shared.CELLS)
        with start(tmp_path, store) as waiter:
            waits(store)
            began = executed(tmp_path)
            owner.kill("main")
            owner.died()
            for meeting in cells(waiter, shared.CELLS):
                meeting.answer()
            found = values(waiter)

    assert VALUES == found
    assert ([1] * shared.CELLS, [2] * shared.CELLS) == (began, executed(tmp_path))


@pytest.mark.contract("F17", "J8", "P5")
@pytest.mark.parametrize("how", ["a child that keeps the lock", "SIGSTOP"])
def test_a_run_that_falls_silent_is_waited_for_a_minute(how: str, tmp_path: Path, store: Path) -> None:
    """By the clock of who waits: its lock is held, and it never beats again."""
    with start(tmp_path, store, child="bare fork" if how != "SIGSTOP" else "none") as owner:
        held = cells(owner, shared.CELLS)
        names(store, shared.CELLS)
        (run_id,) = run_paths(store)
        owner.kill("main", signal.SIGSTOP if how == "SIGSTOP" else signal.SIGKILL)
        owner.died() if how != "SIGSTOP" else None
        locked = RunLock(Layout(store).lock(run_id), disk=DISK).held()
        flow, node = shared.drawn()
        with FakeClock() as clock:
            script = ScriptedExecutor()
            run = flow.start(store=store, executor=script, progress=False)
            script.settle()
            clock.advance(QUIET - 1.0)
            script.settle()
            early = len(script.held)
            clock.advance(2.0)
            script.settle()
            late = len(script.held)
            script.run_all(lambda: False)
            run.wait(driver.DEADLINE)
        found = [list(run[node].values())]
        if how == "SIGSTOP":
            owner.kill("main", signal.SIGCONT)
            for meeting in held:
                meeting.answer()
            found.append(values(owner))

    assert locked
    assert (0, shared.CELLS) == (early, late)
    assert [VALUES] * len(found) == found


@pytest.mark.contract("F17", "J7", "J8", "P3")
@pytest.mark.parametrize("error", [errno.ENOSYS, errno.ENOLCK])
def test_without_locks_each_run_works_for_itself(
    error: int, tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits where nobody could learn that it is in vain; values are right."""

    def flock(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    with start(tmp_path, store) as owner:
        held = cells(owner, shared.CELLS)
        names(store, shared.CELLS)
        monkeypatch.setenv(inside.TALLY, str(tmp_path / "tally"))
        monkeypatch.setattr(fcntl, "flock", flock)
        flow, node = shared.drawn()
        run = flow.run(store=store, executor="inline", progress=False)
        monkeypatch.undo()
        for meeting in held:
            meeting.answer()
        found = list(run[node].values()), values(owner)

    assert (VALUES, VALUES) == found
    assert [2] * shared.CELLS == executed(tmp_path)


@pytest.mark.contract("F13", "P12", "J8")
def test_a_run_that_waits_for_another_hears_ctrl_c(tmp_path: Path, store: Path) -> None:
    """Once is enough: it ends with nothing started, and the other one goes on."""
    with start(tmp_path, store) as owner:
        held = cells(owner, shared.CELLS)
        names(store, shared.CELLS)
        with start(tmp_path, store) as waiter:
            waits(store)
            waiter.kill("main", signal.SIGINT)
            status = waiter.died()
            waiter.leaves_nobody()
            words = waiter.output()
        for meeting in held:
            meeting.answer()
        found = values(owner)

    assert -signal.SIGINT == status
    assert "KeyboardInterrupt" in words
    assert VALUES == found
    assert [1] * shared.CELLS == executed(tmp_path)


@pytest.mark.contract("F16", "P1", "P2", "P3", "P7")
@pytest.mark.parametrize("locks", ["some", "none"])
def test_a_crowd_on_one_store(locks: str, tmp_path: Path, store: Path) -> None:
    """Eight runs of the same cells, five of them killed anywhere: the values are right, and so is what is kept."""
    check_crowd(tmp_path, store, locks)


def check_crowd(folder: Path, store: Path, locks: str, *, sabotage: str = "") -> None:
    """Let a crowd run, kill some, and hold the store to the contract."""
    chance = random.Random(locks)
    events = [f"fs {chance.randint(20, 1500)}" if i < KILLED else "" for i in range(CROWD)]
    with ExitStack() as stack:
        crowd_ = [
            stack.enter_context(driver.start("crowd", store, locks, folder=folder, event=event, sabotage=sabotage))
            for event in events
        ]
        ready = [script.meet("ready") for script in crowd_]
        for meeting in ready:
            meeting.answer()
        for script in crowd_[:KILLED]:
            script.meet("event", "result")
            script.kill("all")
            script.died()
        found = []
        for script in crowd_[KILLED:]:
            meeting = script.meet("result")
            found.append(meeting.facts["values"])
            meeting.answer()
            assert 0 == script.end(), script.output()
    before = len(driver.tally(folder))
    with driver.start("crowd", store, "some", folder=folder) as last:
        last.meet("ready").answer()
        meeting = last.meet("result")
        found.append(meeting.facts["values"])
        meeting.answer()
        last.end()

    assert [crowd.meant()] * (CROWD - KILLED + 1) == found
    assert [] == driver.unverified(store)
    assert [] == driver.tally(folder)[before:], "the last run is all hits"
    assert [] == driver.leftovers(store) or locks == "none"
