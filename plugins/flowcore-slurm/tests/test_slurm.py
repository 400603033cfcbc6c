"""Claims about flows on Slurm's pilots: on stand-ins for its commands, and in a real Slurm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

import flowcore as fc
from conftest import Cluster, StandIns
from flowcore import Flow, each
from flowcore.run.pilots.box import Box, Card, Ticket
from flowcore.run.pilots.executor import box_of
from flowcore.testing import check_executor
from flowcore_slurm import Pilots
from flowcore_slurm.fleet import Fleet
from one_box import until
from slurm_cells import gated, lines, on_a_gpu, once_stuck, simulate, wave


def test_a_flow_gives_what_it_gives_here(cluster: Cluster, store: Path) -> None:
    """Results are the same to the bit, and every cell was carried out by a pilot, once."""
    flow = Flow("waves")
    waves = flow.add(wave, each(x=[1, 2, 3]), folder=str(cluster.folder))
    squares = flow.add(gated, each(y=[0]), folder=str(cluster.folder))
    run = flow.run(store=store, executor=cluster.pilots(), progress=False)
    noted = sorted(lines(cluster.folder))
    here = flow.run(store=cluster.folder / "other", executor="inline", progress=False)

    assert [here[waves][x].tobytes() for x in (1, 2, 3)] == [run[waves][x].tobytes() for x in (1, 2, 3)]
    assert {0: 0} == dict(run[squares])
    assert ["wave 1", "wave 2", "wave 3"] == noted[1:]
    assert "nobody" not in noted[0]


def test_a_simulation_crosses_walltimes(cluster: Cluster, store: Path) -> None:
    """What Slurm's notice stops goes on with another pilot at the step that was saved, and nobody has to ask for it."""
    flow = Flow("long")
    walk = flow.add(simulate, 9, folder=str(cluster.folder), gates=(3, 6))
    run = flow.start(store=store, executor=cluster.pilots(count=1), progress=False)
    for step in ("3", "6"):
        until((cluster.folder / f"at-{step}").exists)
        (pilot,) = [card for card in Box(box_of(str(store))).cards() if not card.leaving]
        cluster.say("scancel", "--signal=USR1", "--batch", pilot.label)
        until(lambda: any(card.leaving for card in Box(box_of(str(store))).cards()))
        (cluster.folder / f"open-{step}").touch()
    run.wait()
    steps = [int(line.split()[1]) for line in lines(cluster.folder)]
    here = flow.run(store=cluster.folder / "other", executor="inline", progress=False)

    assert list(range(9)) == steps
    assert here[walk].tobytes() == run[walk].tobytes()


def test_a_pilot_is_cancelled_in_mid_cell(cluster: Cluster, store: Path) -> None:
    """Its cell is carried out by another one."""
    flow = Flow("cancelled")
    node = flow.add(once_stuck, 1, folder=str(cluster.folder))
    run = flow.start(store=store, executor=cluster.pilots(count=1), progress=False)
    until((cluster.folder / "at-stuck").exists)
    cluster.say("scancel", *cluster.listed())
    run.wait()

    assert 2 == run[node]
    assert ["stuck", "free"] == lines(cluster.folder)


def test_a_node_goes_down(real: Cluster, store: Path) -> None:
    """What its pilots had is carried out when there is a node again."""
    node_name = real.say("sinfo", "--noheader", "--format=%n").strip()
    flow = Flow("down")
    node = flow.add(once_stuck, 1, folder=str(real.folder))
    run = flow.start(store=store, executor=real.pilots(), progress=False)
    until((real.folder / "at-stuck").exists)
    real.say("scontrol", "update", f"nodename={node_name}", "state=down", "reason=test")
    until(lambda: "RUNNING" not in real.listed().values())
    run.wait()

    assert 2 == run[node]


def test_what_waits_in_the_queue_is_cancelled(real: Cluster, store: Path) -> None:
    """At the end of a run its pilots do not stay in line for a node."""
    flow = Flow("queue")
    node = flow.add(gated, 1, folder=str(real.folder))
    run = flow.start(store=store, executor=real.pilots(count=9), progress=False)
    until((real.folder / "at-1").exists)
    until(lambda: {"PENDING", "RUNNING"} <= set(real.listed().values()))
    (real.folder / "open-1").touch()
    run.wait()

    assert 1 == run[node]
    assert "PENDING" not in real.listed().values()


DRIVER = """
    import sys
    sys.path.insert(0, {tests!r})
    from flowcore import Flow, each
    from flowcore_slurm import pilots
    from slurm_cells import gated
    if __name__ == "__main__":
        flow = Flow("killed")
        flow.add(gated, each(x=[0, 1, 2]), folder={folder!r})
        flow.run(store={store!r}, executor=pilots(count=2, every=0.2, idle=30), progress=False)
"""


def test_a_killed_driver_begins_again(cluster: Cluster, store: Path) -> None:
    """A new driver takes over what pilots have, asks for no others, and no cell runs twice."""
    program = cluster.folder / "driver.py"
    tests = str(Path(__file__).parent)
    program.write_text(textwrap.dedent(DRIVER.format(tests=tests, folder=str(cluster.folder), store=str(store))))
    driver = subprocess.Popen([sys.executable, program])
    for gate in ("1", "2"):
        until((cluster.folder / f"at-{gate}").exists)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    before = cluster.listed()
    flow = Flow("killed")
    node = flow.add(gated, each(x=[0, 1, 2]), folder=str(cluster.folder))
    run = flow.start(store=store, executor=cluster.pilots(), progress=False)
    for gate in ("1", "2"):
        (cluster.folder / f"open-{gate}").touch()
    run.wait()

    assert {0: 0, 1: 1, 2: 4} == dict(run[node])
    assert ["gated 0", "gated 1", "gated 2"] == sorted(line[:7] for line in lines(cluster.folder))
    assert set(cluster.listed()) <= set(before)


def test_squeue_fails_for_a_while(stand_ins: StandIns, store: Path) -> None:
    """Nothing is concluded from no answer: what pilots have stays theirs."""
    flow = Flow("unwell")
    node = flow.add(once_stuck, 1, folder=str(stand_ins.folder))
    run = flow.start(store=store, executor=stand_ins.pilots(count=1), progress=False)
    until((stand_ins.folder / "at-stuck").exists)
    pilots = list(stand_ins.listed())
    stand_ins.fall_ill()
    (stand_ins.folder / "open-stuck").touch()
    run.wait()
    stand_ins.recover()

    assert 2 == run[node]
    assert ["stuck"] == lines(stand_ins.folder)
    assert pilots == list(stand_ins.listed())


def test_the_controller_is_away_when_a_run_begins(stand_ins: StandIns, store: Path) -> None:
    """Its cells wait until there is one."""
    flow = Flow("away")
    node = flow.add(wave, 1, folder=str(stand_ins.folder))
    (stand_ins.folder / "jobs" / "unwell").touch()
    run = flow.start(store=store, executor=stand_ins.pilots(count=1), progress=False)
    stand_ins.fall_ill()
    stand_ins.recover()
    run.wait()

    assert np.sin(np.arange(5000.0)).tobytes() == run[node].tobytes()


@contextmanager
def fleet(store: Path, run: str, *, gpus: int = 0, count: int = 2) -> Iterator[Fleet]:
    """Have pilots seen to for a run with one message; if that needs a device, none of them takes it."""
    box = Box.open(box_of(str(store)))
    box.put(Ticket(run=run, serial=1, gpus=gpus), [b""])
    found = Fleet(Pilots(count=count, every=0.1), box, run=run, workers=1)
    found.launch(lambda: None)
    try:
        yield found
    finally:
        found.close()


def test_slurm_says_which_pilots_are_gone(stand_ins: StandIns, store: Path) -> None:
    """One that Slurm has no more is gone though nothing else says so; while Slurm says nothing, none is."""
    with fleet(store, "20260101T120000-0123456789abcdef") as found:
        until(lambda: len(stand_ins.listed()) == 2)
        cards = [Card(pilot="a" * 32, label=label) for label in stand_ins.listed()]
        stand_ins.fall_ill()
        unwell = [found.gone(card) for card in cards]
        stand_ins.recover()
        stand_ins.say("scancel", cards[0].label)
        until(lambda: bool(found.gone(cards[0])))

        assert ["", ""] == unwell
        assert "" == found.gone(cards[1])
        assert "" == found.gone(Card(pilot="b" * 32, label="somebody else's"))


def test_old_logs_are_removed(stand_ins: StandIns, store: Path) -> None:
    """What pilots have said a month ago goes, and nothing else does."""
    logs = Path(box_of(str(store)), "slurm")
    logs.mkdir(parents=True)
    names = ("1_0.log", "2_0.log", "notes.txt")
    for name, days in zip(names, (31, 29, 31), strict=True):
        (logs / name).touch()
        os.utime(logs / name, (time.time() - days * 86400,) * 2)
    Path(box_of(str(store))).chmod(0o700)
    with fleet(store, "20260101T120000-0123456789abcdef", gpus=9):
        stand_ins.called(1)

        assert [False, True, True] == [(logs / name).exists() for name in names]


def test_more_pilots_than_an_array_may_have(stand_ins: StandIns, store: Path) -> None:
    """They are asked for in several."""
    (stand_ins.folder / "jobs" / "most").write_text("3")
    with fleet(store, "20260101T120000-0123456789abcdef", count=5):
        until(lambda: len(stand_ins.listed()) == 5)
        jobs = {label.partition("_")[0] for label in stand_ins.listed()}

    assert 3 == len(jobs)


def test_a_new_driver_finds_the_pilots_there_are(stand_ins: StandIns, store: Path) -> None:
    """Those that another one has asked for count; it asks for none beside them, though its cells wait."""
    with fleet(store, "20260101T120000-0123456789abcdef"):
        until(lambda: len(stand_ins.listed()) == 2)
    there = stand_ins.listed()
    with fleet(store, "20260102T120000-0123456789abcdef", gpus=9):
        stand_ins.called()

        assert there == stand_ins.listed()


def failure_of(cluster: Cluster, store: Path, **options: object) -> str:
    """Run a cell that will have no pilot; give what is told of it."""
    flow = Flow("sunk")
    flow.add(wave, 1, folder=str(cluster.folder))
    with pytest.raises(fc.RunFailed) as caught:
        flow.run(store=store, executor=cluster.pilots(**options), progress=False)
    return str(caught.value)


def test_slurm_refuses(real: Cluster, store: Path) -> None:
    """What sbatch says is told, with what it was asked."""
    told = failure_of(real, store, partition="nowhere")

    assert "invalid partition specified: nowhere" in told
    assert "--partition=nowhere" in told


def test_there_is_no_slurm(stand_ins: Cluster, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine from which no jobs can be submitted is told as that."""
    monkeypatch.setenv("PATH", "/nowhere")

    assert "There is no squeue on this machine" in failure_of(stand_ins, store)


def test_pilots_end_before_they_begin(cluster: Cluster, store: Path) -> None:
    """The last words of one are told, after a second try."""
    told = failure_of(cluster, store, setup="echo no such module: python >&2; exit 3")

    assert "no such module: python" in told


def test_no_pilot_has_a_gpu(stand_ins: Cluster, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that no pilot will ever take ends the run, and does not wait for good."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    flow = Flow("gpus")
    flow.add(on_a_gpu, 1)
    with pytest.raises(fc.RunFailed, match=r"A cell needs 1 GPUs, and a pilot has 0"):
        flow.run(store=store, executor=stand_ins.pilots(count=1), progress=False)


def test_options_come_from_the_project(stand_ins: Cluster, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name the plugin does as the options file says."""
    (stand_ins.folder / "flowcore.toml").write_text(
        '[executors.slurm]\ncount = 1\nevery = "0.2 s"\nidle = 10\nsetup = "echo loaded; export LOADED=1"\n'
    )
    monkeypatch.chdir(stand_ins.folder)
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    made = EntryPoint("slurm", project["entry-points"]["flowcore.executors"]["slurm"], "flowcore.executors").load()
    flow = Flow("configured")
    node = flow.add(wave, 1, folder=str(stand_ins.folder))
    run = flow.run(store=store, executor=made, progress=False)
    (log,) = Path(box_of(str(store)), "slurm").glob("*.log")

    assert np.sin(np.arange(5000.0)).tobytes() == run[node].tobytes()
    assert "loaded" == log.read_text().splitlines()[0]


@pytest.mark.slow
def test_a_walltime_ends(real: Cluster, store: Path) -> None:
    """Slurm's own clock: a minute for each pilot, and a simulation that takes a minute and a half."""
    flow = Flow("walltime")
    walk = flow.add(simulate, 180, folder=str(real.folder), pause=0.5)
    run = flow.run(store=store, executor=real.pilots(count=1, time="1", notice=20), progress=False)
    steps = [int(line.split()[1]) for line in lines(real.folder)]
    quick = Flow("walltime")
    same = quick.add(simulate, 180, folder=str(real.folder))
    here = quick.run(store=real.folder / "other", executor="inline", progress=False)

    assert list(range(180)) == steps
    assert here[same].tobytes() == run[walk].tobytes()
    assert 2 <= len(list(Path(box_of(str(store)), "slurm").glob("*.log")))


@pytest.mark.slow
def test_conformance(stand_ins: Cluster) -> None:
    """Pilots keep what every executor promises."""
    check_executor(stand_ins.pilots(idle=2), loss="cell", stops_loops=True, prints=True)
