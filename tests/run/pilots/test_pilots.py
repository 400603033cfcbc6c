"""Claims about executor="pilots": whatever happens to workers, the run ends right, and nobody stays."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.errors import NoWorkers
from flowcore.run.executors.greeting import here
from flowcore.run.pilots.box import Box, Ticket
from flowcore.run.pilots.ferry import PilotFerry
from flowcore.store.fs import Disk
from tests.run.pilots.hands import aboard, box_at, lives, until, worker
from tests.run.pilots.works import executed, fatal, gated, march, processes, square, stroll, summed


def begun(flow: Any, store: Path, **options: Any) -> fc.Run:
    """Start a run on pilots."""
    run: fc.Run = flow.start(store=store, executor="pilots", progress=False, **options)
    return run


@pytest.mark.contract("F40")
def test_two_pilots_share_a_run(store: Path, tmp_path: Path) -> None:
    """Each cell is carried out once; what lies in the box and is no message of ours stays as it is."""
    flow, box = summed(square, 60, tmp_path), box_at(store)
    foreign = Path(box.path, "jobs", f"{Ticket(run='20260101T000000-0000000000000000', serial=1).name}")
    foreign.write_bytes(b"torn")
    (Path(box.path) / "jobs" / "README").write_text("hello")
    with aboard(box, workers=1), aboard(box, workers=1):
        value = flow.run(store=store, executor="pilots", progress=False)[flow.result]

    assert (3000.0 * sum(x * x for x in range(60)), list(range(60))) == (value, sorted(executed(tmp_path)))
    assert ["README"] == os.listdir(f"{box.path}/jobs")


@pytest.mark.contract("F2", "F4")
def test_a_killed_pilot_costs_what_it_had_in_hand(store: Path, tmp_path: Path) -> None:
    """Its workers end with it; what it had goes out again."""
    flow = summed(gated, 2, tmp_path)
    with worker(store) as victim:
        run = begun(flow, store)
        until(lambda: len(executed(tmp_path)) == 1, "the first cell begins")
        (process,) = processes(tmp_path)
        victim.kill()
        until(lambda: not lives(process), "a worker outlives its pilot")
        until(lambda: len(box_at(store).holders()) == 0, "what it had is lost")
        handed_over = Path(run._session.store_run.spool.path).exists()  # noqa: SLF001
        (tmp_path / "go").touch()
        with worker(store):
            run.wait()

    assert (3000.0, True) == (run[flow.result], handed_over)
    assert [0, 1] == sorted(set(executed(tmp_path)))
    assert 3 >= len(executed(tmp_path))


@pytest.mark.contract("F6", "W6")
def test_a_poison_cell_costs_itself(store: Path, tmp_path: Path) -> None:
    """The pilot lives, and the others have their values."""
    with fc.Flow("poisoned") as flow:
        flow.result = fatal(fc.each(x=range(6)), str(tmp_path))
    with aboard(box_at(store), workers=2) as pilot:
        run = begun(flow, store, on_error="continue")
        with pytest.raises(fc.RunFailed, match="SIGKILL"):
            run.wait()

    assert "it was told to" == pilot.ended
    assert {0: 0, 1: 1, 2: 4, 4: 16, 5: 25} == {x: run[flow.result][x] for x in (0, 1, 2, 4, 5)}
    assert 3 == executed(tmp_path).count(3)


@pytest.mark.contract("C2", "W10")
def test_a_long_loop_goes_from_pilot_to_pilot(store: Path, tmp_path: Path) -> None:
    """One that is told to end has it save its state; the next goes on from there, to the same bits."""
    with fc.Flow("long") as flow:
        flow.result = march(12, str(tmp_path))
    box = box_at(store)
    with ExitStack() as pilots:
        first = pilots.enter_context(worker(store))
        run = begun(flow, store)
        until(lambda: 5 in executed(tmp_path), "step 5 begins")
        first.send_signal(signal.SIGTERM)
        until(lambda: any(card.leaving for card in box.cards()), "the pilot has heard")
        (tmp_path / "go").touch()
        _, said = first.communicate()
        halfway = executed(tmp_path)
        pilots.enter_context(worker(store))
        run.wait()
    before = executed(tmp_path)
    alone = flow.run(store=tmp_path / "alone", progress=False)[flow.result]

    assert (0, list(range(6)), list(range(12))) == (first.returncode, halfway, before), said
    assert all(np.array_equal(one, other) for one, other in zip(run[flow.result], alone, strict=True))


def test_a_pilot_without_work_ends(store: Path) -> None:
    """And leaves nothing of itself in the box."""
    with worker(store, 1, "--idle", "0.2s") as pilot:
        _, said = pilot.communicate()
    box = box_at(store)

    assert (0, [], []) == (pilot.returncode, box.cards(), box.holders())
    assert "there was nothing to do" in said


@pytest.mark.slow
@pytest.mark.contract("C2", "F12")
def test_a_long_simulation_crosses_walltimes(store: Path, tmp_path: Path) -> None:
    """By itself: each pilot ends in time, the next goes on; each step is done once, and the values are the same."""
    box, came = box_at(store), 0
    flows = []
    for nap in (0.25, 0.0):
        with fc.Flow("long") as flow:
            flow.result = stroll(100, str(tmp_path if nap else tmp_path / "alone"), nap)
        flows.append(flow)
    (tmp_path / "alone").mkdir()
    run = begun(flows[0], store)
    while not run._session.wait(0.0):  # noqa: SLF001
        came += 1
        with aboard(box, workers=1, walltime=20.0, idle=10.0) as pilot:
            until(lambda: bool(pilot.ended) and not box.cards(), "the pilot goes by itself")
    run.wait()
    alone = flows[1].run(store=tmp_path / "elsewhere", progress=False)[flows[1].result]

    assert (list(range(100)), True) == (executed(tmp_path), came >= 2)
    assert np.array_equal(alone, run[flows[0].result])


@pytest.mark.contract("F6", "P5")
def test_a_cell_that_no_walltime_is_long_enough_for_ends(store: Path, tmp_path: Path) -> None:
    """Each pilot ends in time; who had most of one to himself has died of it, and is not tried for ever."""
    flow, box, came = summed(gated, 1, tmp_path), box_at(store), 0
    run = begun(flow, store)
    while not run._session.wait(0.0):  # noqa: SLF001
        came += 1
        with aboard(box, workers=1, walltime=0.6) as pilot:
            until(lambda: bool(pilot.ended), "the pilot ends by itself")
    with pytest.raises(fc.RunFailed, match="the walltime of its worker"):
        run.wait()

    assert came >= 3


@pytest.mark.contract("P1")
def test_runs_that_share_a_pilot_do_not_mix(store: Path, tmp_path: Path) -> None:
    """They count their attempts alike, and each has its own values."""
    folders = [tmp_path / "one", tmp_path / "other"]
    flows = []
    for folder, offset in zip(folders, (0, 100), strict=True):
        folder.mkdir()
        with fc.Flow("shared") as flow:
            flow.result = gated(fc.each(x=[offset, offset + 1, offset + 2]), str(folder))
        flows.append(flow)
    with aboard(box_at(store), workers=4):
        runs = [begun(flow, store) for flow in flows]
        until(lambda: sum(len(executed(folder)) for folder in folders) == 4, "both have begun")
        until(lambda: all(executed(folder) for folder in folders), "both share it")
        for folder in reversed(folders):
            (folder / "go").touch()
        for run in runs:
            run.wait()
    grids = [run[flow.result] for run, flow in zip(runs, flows, strict=True)]
    found = [[float(grid[x][0]) for x in range(base, base + 3)] for grid, base in zip(grids, (0, 100), strict=True)]

    assert [[float(x * x) for x in range(base, base + 3)] for base in (0, 100)] == found


@pytest.mark.contract("K8")
def test_a_pilot_of_other_versions_says_so(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells fail, and nothing is kept under versions that did not make it."""
    python, _, ours = here()
    monkeypatch.setattr("flowcore.run.pilots.ferry.here", lambda: [python, "0.1", ours])
    flow = summed(square, 2, tmp_path)
    with aboard(box_at(store), workers=1), pytest.raises(fc.RunFailed, match=r"it has numpy .*, and the run 0\.1"):
        flow.run(store=store, executor="pilots", progress=False)

    assert [] == executed(tmp_path)


class Full(Disk):
    """A disk that has no room for answers while `full` is set."""

    def __init__(self) -> None:
        self.full = threading.Event()
        self.refused = threading.Event()

    def rename(self, source: Any, target: Any) -> None:
        if self.full.is_set() and "/answers/" in str(target):
            self.refused.set()
            raise OSError(28, os.strerror(28), target)
        super().rename(source, target)


@pytest.mark.contract("F19")
def test_an_answer_that_finds_no_room_waits(store: Path, tmp_path: Path) -> None:
    """Nothing is lost, and nothing is carried out twice."""
    flow, disk = summed(square, 8, tmp_path), Full()
    box = Box.open(box_at(store).path, disk=disk)
    disk.full.set()
    with aboard(box, workers=1):
        run = begun(flow, store)
        assert disk.refused.wait(60.0)
        disk.full.clear()
        run.wait()

    assert (3000.0 * 140, list(range(8))) == (run[flow.result], sorted(executed(tmp_path)))


@pytest.mark.contract("F12", "F13")
def test_a_run_that_stops_begins_nothing_more(store: Path, tmp_path: Path) -> None:
    """What pilots have not begun comes back; the box has nothing of the run afterwards."""
    flow, box = summed(gated, 9, tmp_path), box_at(store)
    with aboard(box, workers=2):
        run = begun(flow, store)
        until(lambda: len(executed(tmp_path)) == 2, "two cells begin")
        run.cancel()
        (tmp_path / "go").touch()
        run.wait()
        until(lambda: not any(box.taken(pilot) for pilot in box.holders()), "the pilot lets go")

    assert ("interrupted", 2, [], []) == (run.status, len(executed(tmp_path)), box.runs(), box.jobs())


def test_a_run_without_workers_says_so(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And goes on as soon as one comes."""
    monkeypatch.setattr(PilotFerry, "patience", 0.0)
    told: list[Warning] = []
    monkeypatch.setattr("flowcore.run.pilots.ferry.notice", told.append)
    flow = summed(square, 1, tmp_path)
    run = begun(flow, store)
    until(lambda: bool(told), "it says so")
    with aboard(box_at(store), workers=1):
        run.wait()

    assert (0.0, 1) == (run[flow.result], len(told))
    assert isinstance(told[0], NoWorkers)
    assert f"flowcore worker --spool {box_at(store).path}" in str(told[0])


@pytest.mark.contract("P5")
def test_a_pilot_that_is_just_coming_is_left_its_folder(store: Path, tmp_path: Path) -> None:
    """1. It makes its folder. 2. A run finds no card there. 3. It lays its card down, and has to be able to take."""
    flow, box = summed(square, 1, tmp_path), box_at(store)
    folder = Path(box.path, "taken", "c" * 32)
    folder.mkdir(mode=0o700)
    run = begun(flow, store)
    until(lambda: bool(run._session._crew.made()), "the run has looked")  # noqa: SLF001
    there = folder.exists()
    with aboard(box, workers=1):
        run.wait()

    assert (True, 0.0) == (there, run[flow.result])
