"""Claims about forecasts of flows: wall time by what earlier runs took, and what more workers would bring."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import flowcore as fc
from flowcore import clock
from flowcore.errors import BadOption
from flowcore.result import Run
from flowcore.testing import FakeClock

NEAR = 0.1  # of what was measured
TRIES = 4  # other work on the machine makes a run slower than its forecast, never faster
CLOCK = FakeClock()


def pass_time(seconds: float) -> None:
    """Take so long, by the clock that is in place."""
    if clock.monotonic == CLOCK.monotonic:
        CLOCK.advance(seconds)
    else:
        time.sleep(seconds)  # in the one real run, whose time is measured


@fc.compute(ignore=("global:CLOCK",))
def nap(x: int, seconds: float) -> int:
    """Take some time in a worker."""
    pass_time(seconds)
    return x


@fc.io(limit=3, ignore=("global:CLOCK",))
def wait(x: int, seconds: float) -> int:
    """Take some time in a thread."""
    pass_time(seconds)
    return x


@fc.compute(ignore=("global:CLOCK",))
def total(xs: list[int]) -> int:
    """Sum up."""
    pass_time(0.1)
    return sum(xs)


@fc.compute(memory="10 MiB")
def grow(value: int, n: int) -> NDArray[np.int64]:
    """Give two megabytes."""
    return np.full(250_000, value + n)


def naps() -> fc.Flow:
    """Draw a flow whose cells sleep: some wait for others, some for a worker, some for a limit."""
    with fc.Flow("naps") as flow:
        loaded = wait(fc.each(x=list(range(6))), 0.15)
        short = nap(loaded, 0.06)
        flow.result = total(fc.gather(nap.options(version="2")(short, fc.each(seconds=[0.1, 0.2]))))
    return flow


def ran(flow: fc.Flow, store: Path) -> Run:
    """Run a flow whose cells take exactly as long as they say."""
    with CLOCK:
        return flow.run(store=store, executor="inline", progress=False)


def makespan(run: Run) -> float:
    """Give the seconds from the beginning of the first cell to the end of the last one."""
    attempts = run.timeline().attempts
    return float(attempts.ends.max() - attempts.begins.min())


def test_a_forecast_is_that_of_the_schedule(tmp_path: Path) -> None:
    """Two workers wait for the first loads, then both are busy, until one of them is at the last cell."""
    ran(naps(), tmp_path / "s")
    plan = naps().plan(store=tmp_path / "s", workers=2, refresh=True)
    least = 0.15 + 6 * (0.06 + 0.3) / 2 + 0.1

    assert least - 1e-6 <= plan.wall_seconds <= least + 0.2 / 2 + 1e-6
    assert plan.seconds == pytest.approx(6 * (0.15 + 0.06 + 0.3) + 0.1)
    assert plan.unknown == ()


@pytest.mark.slow  # real time, which a busy machine has less of; the claim before holds the schedule exactly
def test_a_forecast_is_near_a_real_run(tmp_path: Path) -> None:
    """Within 10 % of the time between the first and the last cell of a run of known sleeps.

    Both come from the journal of the same run: its seconds a cell, and when its cells were. Load
    on the machine can only part them, so the nearest of some runs counts.
    """
    with fc.Flow("warming up") as warm:
        nap(fc.each(x=[0, 1]), 0.1)
    warm.run(store=tmp_path / "warm", workers=2, progress=False)  # to start workers is in no forecast
    off = []
    for i in range(TRIES):
        run = naps().run(store=tmp_path / str(i), workers=2, progress=False)
        plan = naps().plan(store=tmp_path / str(i), workers=2, refresh=True)
        off.append(plan.wall_seconds / makespan(run) - 1)
        if abs(off[-1]) < NEAR:
            break

    assert min(map(abs, off)) < NEAR


def test_a_cell_is_forecast_by_its_own_labels(tmp_path: Path) -> None:
    """One long cell among short ones is what takes time: the mean of them all would promise less."""

    def drawn() -> fc.Flow:
        with fc.Flow("uneven") as flow:
            nap(1, fc.each(seconds=[0.01, 0.3]))
        return flow

    ran(drawn(), tmp_path / "s")
    plan = drawn().plan(store=tmp_path / "s", workers=2, refresh=True)
    alone = drawn().plan(store=tmp_path / "s", workers=2, refresh=True, executor="inline")

    assert plan.wall_seconds == pytest.approx(0.3)
    assert alone.wall_seconds == pytest.approx(0.31)
    assert [1.0, 1.0] == [row.speedup for row in alone.speedup([1, 2]).rows]


def test_speedup_names_what_binds(tmp_path: Path) -> None:
    """The work while workers are few, the longest chain once they are many; more than that bring nothing."""
    ran(naps(), tmp_path / "s")
    table = naps().plan(store=tmp_path / "s", refresh=True).speedup([1, 2, 64, 128])
    rows = table.rows

    assert ("nap_2", "total") == table.path[-2:]
    assert "work" == rows[0].binds
    assert rows[2].seconds == rows[3].seconds >= table.path_seconds
    assert [1.0] == [row.speedup for row in rows if row.workers == 1]
    assert rows[0].seconds > rows[1].seconds > rows[2].seconds
    assert f"it binds from {table.enough} workers on" in str(table)
    assert "wait -&gt; nap -&gt; nap_2 -&gt; total" in table._repr_html_()
    assert [1, 2, 64, 128] == [row["workers"] for row in table.to_dict()["rows"]]  # type: ignore[attr-defined]


def test_a_plan_tells_how_much_room_it_takes(tmp_path: Path) -> None:
    """Of results as large as last time, and cells that are said to need memory; in text, HTML and data."""

    def drawn(value: int) -> fc.Flow:
        with fc.Flow("large") as flow:
            grow(value, fc.each(n=[0, 1, 2]))
        return flow

    drawn(1).run(store=tmp_path / "s", executor="inline", progress=False)
    plan = drawn(2).plan(store=tmp_path / "s", workers=2)

    assert 3 * 2_000_000 <= plan.disk < 3 * 2_001_000
    assert (plan.disk, 10 * 2**20) == (plan.rows[0].disk, plan.rows[0].memory)
    assert 2 * 10 * 2**20 == plan.memory == plan.to_dict()["memory"]
    assert "about 5.72 MiB of results to keep, up to 20 MiB of memory at once" in str(plan)
    assert "up to 20 MiB of memory at once" in plan._repr_html_()


def test_what_nobody_knows_is_told(tmp_path: Path) -> None:
    """A flow that never ran has no durations: its nodes are named, and no time is promised."""
    plan = naps().plan(store=tmp_path / "s")

    assert ("wait", "nap", "nap_2", "total") == plan.unknown
    assert 0.0 == plan.wall_seconds
    assert "nobody knows how long these take: wait, nap, nap_2, total" in str(plan.speedup([4]))


def test_a_warm_flow_takes_no_time(tmp_path: Path) -> None:
    """But for what is not cached, and runs again."""
    ran(naps(), tmp_path / "s")
    plan = naps().plan(store=tmp_path / "s", workers=2)

    assert plan.wall_seconds == pytest.approx(0.3)
    assert ("wait", "wait") == plan.speedup([2]).path  # the second where the limit let it


@pytest.mark.parametrize("workers", [0, -1, 1.5, True])
def test_no_workers_is_no_number(workers: object, tmp_path: Path) -> None:
    """Less than one worker, or part of one, is refused."""
    with pytest.raises(BadOption):
        naps().plan(store=tmp_path / "s").speedup([1, workers])  # type: ignore[list-item]


def test_workers_may_be_elsewhere(tmp_path: Path) -> None:
    """What a cluster's messages and driver cost is in its forecast, and may be what binds."""
    ran(naps(), tmp_path / "s")
    plan = naps().plan(store=tmp_path / "s", refresh=True)
    slow = fc.Cluster(driver_cell=0.0, driver_message=0.5)
    here, there = plan.speedup([2, 64]), plan.speedup([2, 64], cluster=slow)

    assert "driver" == there.rows[1].binds != here.rows[1].binds
    assert there.rows[1].seconds >= there.rows[1].driver == pytest.approx(0.5 * there.rows[1].messages)
    assert (0, 0.0) == (here.rows[1].messages, here.rows[1].driver)
    assert str(there).splitlines()[2].endswith("driver")
    assert plan.speedup([2]) == plan.speedup([2], cluster=None)


def test_a_fitting_cluster_is_near_this_machine(tmp_path: Path) -> None:
    """One that costs nothing takes at most a message's share of the work longer."""
    ran(naps(), tmp_path / "s")
    plan = naps().plan(store=tmp_path / "s", refresh=True)
    free = fc.Cluster(latency=0.0, driver_cell=0.0, driver_message=0.0, worker_cell=0.0, worker_message=0.0)

    assert plan.speedup([2]).rows[0].seconds == pytest.approx(plan.speedup([2], cluster=free).rows[0].seconds, rel=0.2)
