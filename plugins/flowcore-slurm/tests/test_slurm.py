"""Claims about flows on Slurm's pilots: on stand-ins for its commands, and in a real Slurm."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

import flowcore as fc
from conftest import Cluster
from flowcore import Flow, each
from flowcore.run.pilots.box import Box
from flowcore.run.pilots.executor import box_of
from flowcore.testing import check_executor
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
    until(lambda: "PENDING" not in real.listed().values())


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


def test_squeue_fails_for_a_while(stand_ins: Cluster, store: Path) -> None:
    """Nothing is concluded from no answer; when there is one again, what is lost is carried out anew."""
    jobs = stand_ins.folder / "jobs"
    flow = Flow("unwell")
    node = flow.add(once_stuck, 1, folder=str(stand_ins.folder))
    run = flow.start(store=store, executor=stand_ins.pilots(count=1), progress=False)
    until((stand_ins.folder / "at-stuck").exists)
    pilots = list(stand_ins.listed())
    (jobs / "unwell").touch()
    (stand_ins.folder / "open-stuck").touch()
    run.wait()
    (jobs / "unwell").unlink()

    assert 2 == run[node]
    assert pilots == list(stand_ins.listed())


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
def test_conformance(stand_ins: Cluster) -> None:
    """Pilots keep what every executor promises."""
    check_executor(stand_ins.pilots(idle=2), loss="cell", stops_loops=True, prints=True)
