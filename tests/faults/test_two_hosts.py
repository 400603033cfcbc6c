"""Two hosts for real: a Dask cluster over both, of which one is cut off while it has cells, or does not see the store.

Where no two hosts can be had, `test_futures.py` and `test_greeting.py` hold the same at the seam.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.faults import hosts
from tests.faults.hosts import Host, two_hosts
from tests.faults.scripts import hosted

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "plugins/flowcore-dask/src"
ENGINES = ("futures", "plugin") if PLUGIN.exists() or find_spec("flowcore_dask") else ("futures", "futures")
CELLS = 12
DEADLINE = 120.0  # seconds; only turns a hang into a failure
DASK = {
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "1s",  # of silence, until a worker is gone; ten heartbeats at least: 5 s
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",  # what is lost is flowcore's to decide
    "OMP_NUM_THREADS": "1",
}
PORT = 8786


class Cluster:
    """A scheduler on one host, and workers on both."""

    def __init__(self, left: Host, right: Host, place: Path) -> None:
        self.left, self.right, self.place = left, right, place
        self.url = f"tcp://{left.address}:{PORT}"
        self._ledger = place / "ledger"
        self._begun: list[tuple[Host, str]] = []  # what should not end by itself
        scheduler = ["distributed.cli.dask_scheduler", "--host", left.address, "--port", str(PORT), "--no-dashboard"]
        self._begin(left, "scheduler", *scheduler)

    def work(self, host: Host, name: str = "worker") -> None:
        """Begin a worker."""
        where = ["--local-directory", str(self.place / f"{host.name}-{name}"), "--host", host.address]
        self._begin(
            host, name, "distributed.cli.dask_worker", self.url, *where, "--nthreads=1", "--no-nanny", "--no-dashboard"
        )

    def drive(self, cells: int = CELLS, workers: int = 2, engine: str = "futures") -> None:
        """Begin the run."""
        given = [self.url, str(self.place), str(self.place / "store"), str(cells), str(workers), engine]
        self._begin(self.left, "driver", "tests.faults.scripts.hosted", *given)

    def said(self) -> dict[str, Any]:
        """Wait for the run's end; give what it came to."""
        self._wait(lambda: self.left.ended("driver"))
        said = self.left.printed("driver")
        assert said.rstrip().endswith("}"), said
        found: dict[str, Any] = json.loads(said.splitlines()[-1])
        return found

    def executed(self, at_least: int = 0, host: str = "") -> list[tuple[str, str]]:
        """Wait until so many cells have been begun on a host; give all, with their hosts."""
        self._wait(lambda: sum(host in (one, "") for _, one in self._executions()) >= at_least)
        return self._executions()

    def gone(self) -> None:
        """Wait until the scheduler has given a worker up."""
        self._wait(lambda: "failed to heartbeat" in self.left.printed("scheduler"))

    def _executions(self) -> list[tuple[str, str]]:
        lines = self._ledger.read_text().splitlines() if self._ledger.exists() else []
        return [(cell, host) for cell, _, host in (line.partition(" ") for line in lines)]

    def _begin(self, host: Host, name: str, module: str, *arguments: str) -> None:
        environment = {
            **DASK,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(PLUGIN), os.environ.get("PYTHONPATH", "")]),
        }
        if name in ("scheduler", "driver"):
            self._begun.append((host, name))
        host.begin(name, sys.executable, "-m", module, *arguments, environment=environment)

    def _wait(self, there: Callable[[], bool]) -> None:
        end = time.monotonic() + DEADLINE
        while not there():
            late = time.monotonic() > end or any(host.ended(name) for host, name in self._begun)
            assert there() or not late, "\n".join(path.read_text()[-3000:] for path in self.left.logs.glob("*.log"))
            time.sleep(0.02)  # other hosts' files are all that we see of them


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Give a scheduler on one of two hosts; skip where no two hosts can be had."""
    why = hosts.missing() or ("" if find_spec("distributed") else "Dask is not installed (pip install distributed)")
    if why:
        pytest.skip(f"no run over two hosts was tried: {why}")
    with two_hosts(tmp_path) as (left, right):
        yield Cluster(left, right, tmp_path)


def expected() -> str:
    """Give what the run comes to, as computed here, in plain Python."""
    fields = [hosted.np.cumsum(hosted.np.random.default_rng(s).normal(size=hosted.SIDE)) * s for s in range(CELLS)]
    return hosted.np.sum(fields, axis=0).tobytes().hex()


def cut_off(cluster: Cluster, engine: str) -> None:
    """Have the run begin on both hosts, and cut one off while it has a cell."""
    cluster.work(cluster.left)
    cluster.work(cluster.right)
    cluster.drive(engine=engine)
    cluster.executed(1, "right")
    cluster.right.do("ip", "link", "set", "cable", "down")
    (cluster.place / "cut").touch()


def stays_away(cluster: Cluster) -> None:
    """It is never seen again; what it goes on with reaches nobody."""


def flickers(cluster: Cluster) -> None:
    """The cable is back before anybody takes note."""
    cluster.right.do("ip", "link", "set", "cable", "up")


def comes_back(cluster: Cluster) -> None:
    """It was given up, and a worker is begun there again, which the rest of the run needs: the other host waits."""
    (cluster.place / "awaited").touch()
    cluster.gone()
    before = len([host for _, host in cluster.executed() if host == "right"])
    cluster.right.do("ip", "link", "set", "cable", "up")
    cluster.work(cluster.right, "worker-again")
    cluster.executed(before + 1, "right")
    (cluster.place / "back").touch()


@pytest.mark.parametrize(
    ("then", "engine"),
    [
        (flickers, "futures"),
        (stays_away, ENGINES[-1]),
        pytest.param(stays_away, "futures", marks=pytest.mark.slow),
        pytest.param(comes_back, "futures", marks=pytest.mark.slow),
        pytest.param(comes_back, ENGINES[-1], marks=pytest.mark.slow),
    ],
)
@pytest.mark.contract("F4")
def test_a_host_that_is_cut_off_costs_only_what_it_had(
    cluster: Cluster, then: Callable[[Cluster], None], engine: str
) -> None:  # fmt: skip
    """The run ends with the same bits; a cell is executed again only if it was there, and the run never hangs."""
    cut_off(cluster, engine)
    then(cluster)
    said = cluster.said()
    times = Counter(cell for cell, _ in cluster.executed())
    there = {cell for cell, host in cluster.executed() if host == "right"}

    assert ("done", expected()) == (said["status"], said.get("total")), said.get("text")
    assert 2 * CELLS + 1 == len(times)
    assert {cell for cell, count in times.items() if count > 1} <= there


def test_a_host_that_does_not_see_the_store_is_told_apart(cluster: Cluster) -> None:
    """An empty directory in the store's place is no store: the cell fails as UnfitWorker, which names the host."""
    store = cluster.place / "store"
    store.mkdir()
    cluster.right.do("mount", "-t", "tmpfs", "none", str(store))
    cluster.work(cluster.right)
    cluster.drive(cells=2, workers=1)
    said = cluster.said()

    assert "failed" == said["status"]
    assert {"flowcore.errors.UnfitWorker"} == set(said["types"])
    assert "does not see the run's store" in said["text"]
    assert "on right" in said["text"]
    assert [] == cluster.executed()


HOLDER = """
import sys, time
from pathlib import Path
from tests.faults.hosts import two_hosts
with two_hosts(Path(sys.argv[1])) as (left, right):
    left.begin("sleeper", "setsid", "sleep", "1000", environment={})
    print(*(host.space() for host in (left, right)), flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["it ends", "it is killed"])
def test_nothing_is_left_of_two_hosts(tmp_path: Path, end: str) -> None:
    """Whatever runs on a host ends with who made it, also what has left its session, also after a SIGKILL."""
    if why := hosts.missing():
        pytest.skip(f"no run over two hosts was tried: {why}")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        spaces = holder.stdout.readline().decode().split()
        before = [inhabitants(space) for space in spaces]
        if end == "it is killed":
            holder.kill()
    until = time.monotonic() + DEADLINE
    while any(map(inhabitants, spaces)) and time.monotonic() < until:
        time.sleep(0.02)  # the kernel tells nobody

    assert [True, True] == [bool(one) for one in before]
    assert [] == [pid for space in spaces for pid in inhabitants(space)]


def inhabitants(space: str) -> list[str]:
    """Give the processes in a process namespace."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str((process / "ns/pid").readlink()) == space:
                found.append(process.name)
    return found
