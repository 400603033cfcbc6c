"""Claims about flowcore-dask, on real clusters of processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from dask import config
from distributed import Client, LocalCluster, Nanny, Scheduler, SpecCluster
from distributed.chaos import KillWorker

import dask_cells
import flowcore as fc
import flowcore_dask
from flowcore.run.workers.parcels import Pace
from flowcore.testing import cells, check_executor
from flowcore.testing.trial import gate

# A worker that is just being replaced is not given up, and where a message goes is left as it was decided.
CALM = {"distributed.deploy.lost-worker-timeout": "1h", "distributed.scheduler.work-stealing": False}

DRIVER = """
import sys
sys.path[:] = {path!r}
import flowcore as fc, flowcore_dask
from flowcore.testing.cells import wait_at
flow = fc.Flow()
flow.add(wait_at, {door!r}, fc.each(x=[1, 2]))
flow.run(executor=flowcore_dask.on(), workers=2, store={store!r}, progress=False)
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[LocalCluster]:
    """Give a cluster of two processes, of which one may be on its way."""
    with config.set(CALM), LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        yield cluster


@pytest.fixture
def cluster(shared: LocalCluster) -> LocalCluster:
    """Give a cluster of two processes that are there, whatever an earlier test has killed."""
    with Client(shared, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    return shared


@pytest.mark.contract("F4", "F5", "F6", "F40", "P5")
def test_conformance(cluster: LocalCluster) -> None:
    """It keeps the protocol, whatever cells do to its workers."""
    check_executor(flowcore_dask.on(cluster), loss="cell", stops_loops=True, prints=True)


@pytest.mark.contract("F6")
def test_a_cell_that_kills_its_worker_kills_one_a_try(cluster: LocalCluster, store: Path, tmp_path: Path) -> None:
    """Dask would hand it to the next one, and that to the next; who waited beside it is begun once, and not blamed."""
    log = tmp_path / "log"
    flow = fc.Flow()
    flow.add(dask_cells.killing, str(log), fc.each(x=range(12)), name="killing")
    with pytest.raises(fc.RunFailed) as failed:
        flow.run(executor=flowcore_dask.on(cluster, batches=False), store=store, on_error="continue", progress=False)
    begun = Counter(log.read_text().split())

    assert ["killing[x=0]"] == [failure.cell for failure in failed.value.failures]
    assert {"0": 3} | {str(x): 1 for x in range(1, 12)} == begun


def test_a_consumer_runs_where_its_array_was_made(cluster: LocalCluster, store: Path) -> None:
    """Though the other worker is as free."""
    flow = fc.Flow()
    arrays = flow.add(dask_cells.made, fc.each(seed=range(8)), after=())
    seen = flow.add(dask_cells.looked_at, arrays)
    run = flow.run(seen, executor=flowcore_dask.on(cluster, batches=False), store=store, progress=False)
    pairs = list(dict(run[seen]).values())

    assert [maker for maker, _ in pairs] == [consumer for _, consumer in pairs]
    assert 2 == len(set(pairs))


def test_messages_hold_many_cells(cluster: LocalCluster, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask hears of no more tasks than there is work worth one; here each cell is made to take 0.1 ms."""
    learn = Pace.learn
    monkeypatch.setattr(Pace, "learn", lambda self, task, seconds, cells: learn(self, task, 1e-4 * cells, cells))
    flow = fc.Flow()
    flow.add(dask_cells.tiny, fc.each(x=range(2000)))
    flow.run(executor=flowcore_dask.on(cluster), store=store, progress=False)
    messages = cluster.scheduler.task_prefixes["tiny"].state_counts["memory"]

    assert 0 < messages < 100


def test_a_worker_that_joins_gets_cells(cluster: LocalCluster, store: Path) -> None:
    """The third of many cells that wait begins when there is a third worker; and all of them can be called back."""
    flow = fc.Flow()
    with gate() as door:
        flow.add(cells.wait_at, door.getsockname()[:2], fc.each(x=range(12)))
        run = flow.start(executor=flowcore_dask.on(cluster, batches=False), store=store, progress=False)
        waiting = [door.accept()[0] for _ in range(2)]
        cluster.scale(3)
        waiting.append(door.accept()[0])
        run.cancel()
        for line in waiting:
            line.close()
        run.wait()

    assert "interrupted" == run.status


@pytest.mark.slow
@pytest.mark.contract("F4")
def test_workers_that_are_retired_in_mid_cell(store: Path) -> None:
    """The cell goes out again, unblamed: as many deaths as there were retired workers would have been too many."""
    flow = fc.Flow()
    with (
        gate() as door,
        config.set(CALM),
        LocalCluster(n_workers=4, threads_per_worker=1, dashboard_address=":0") as left,
    ):
        node = flow.add(cells.wait_at, door.getsockname()[:2], 7)
        run = flow.start(executor=flowcore_dask.on(left), store=store, progress=False)
        with Client(left, set_as_default=False) as client:
            lines = [door.accept()[0]]
            while len(lines) < 4:
                client.retire_workers([who for who, keys in client.processing().items() if keys])
                lines.append(door.accept()[0])
        for line in lines:
            line.close()
        run.wait()

    assert (7, "done") == (run[node], run.status)


def test_an_adaptive_cluster_grows_from_nothing(store: Path) -> None:
    """By the first message; and it may shrink to nothing again before the next."""
    flow = fc.Flow()
    first = flow.add(cells.plus, 1)
    flow.add(cells.plus, first, name="last")
    with LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=":0") as empty:
        empty.adapt(minimum=0, maximum=1, interval="100ms")
        run = flow.run(executor=flowcore_dask.on(empty, batches=False), store=store, progress=False)

    assert 3 == run["last"]


def test_a_gpu_is_a_resource_of_its_worker(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells that ask for one run where it is declared, though this machine has none, as many at once as there are."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    flow = fc.Flow()
    node = flow.add(fc.compute(gpus=1)(dask_cells.whereabouts), fc.each(x=range(6)))
    workers = {
        name: {"cls": Nanny, "options": {"nthreads": 1, "resources": resources}}
        for name, resources in (("with", {"GPU": 1}), ("without", {}))
    }
    with (
        SpecCluster(workers, scheduler={"cls": Scheduler, "options": {"dashboard_address": ":0"}}) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        run = flow.run(executor=flowcore_dask.on(cluster, batches=False), store=store, progress=False)
        found = set(dict(run[node]).values())
        names = client.run(lambda dask_worker: (dask_worker.name, os.getpid())).values()

    assert {process for name, process in names if name == "with"} == found


def test_a_gpu_that_no_worker_declares_is_asked_for(cluster: LocalCluster, store: Path) -> None:
    """And said to be lacking, with what there is."""
    flow = fc.Flow()
    flow.add(fc.compute(gpus=1)(dask_cells.tiny), 1)
    with pytest.raises(fc.RunFailed, match=r"it takes \{'GPU': 1.0\}, and the most that a worker has is nothing"):
        flow.run(executor=flowcore_dask.on(cluster), store=store, progress=False)


def test_a_scheduler_remembers_little_and_not_for_good(store: Path) -> None:
    """Of a run's news the last thousand, by the name of its client: all of that goes when the client has gone."""
    flow = fc.Flow()
    flow.add(dask_cells.tiny, fc.each(x=range(300)))
    calm = {"distributed.scheduler.events-cleanup-delay": "0s", "distributed.admin.low-level-log-length": 10}
    with config.set(calm), LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster:
        run = flow.start(executor=flowcore_dask.on(cluster, batches=False), store=store, progress=False)
        run.wait()
        with Client(cluster, set_as_default=False) as client:
            left = [
                topic for topic, events in client.get_events().items() for _, told in events if isinstance(told, bytes)
            ]
            keys = client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))

    assert ([], 0) == (left, keys)


@pytest.mark.slow
@pytest.mark.contract("F4")
def test_chaos(store: Path) -> None:
    """Workers that end by chance, again and again, cost no value."""
    flow = fc.Flow()
    first = flow.add(cells.plus, fc.each(x=range(60)))
    last = flow.add(cells.total, fc.gather(first))
    with config.set(CALM), LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        with Client(cluster, set_as_default=False) as client:
            client.register_plugin(KillWorker(delay="5 s", mode="sys.exit"), name="chaos")
        run = flow.run(executor=flowcore_dask.on(cluster, batches=False, ahead=2), store=store, progress=False)

    assert cells.total([x + 1 for x in range(60)]) == run[last]


@pytest.mark.contract("P5")
def test_a_lost_scheduler_ends_the_run(store: Path) -> None:
    """With what it was, and no hang."""
    flow = fc.Flow()
    with gate() as door, config.set({"distributed.comm.timeouts.connect": "1s"}):
        flow.add(cells.wait_at, door.getsockname()[:2], fc.each(x=[1, 2]))
        with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as lost:
            run = flow.start(executor=flowcore_dask.on(lost), store=store, progress=False)
            line, _ = door.accept()
        with line, pytest.raises(fc.RunFailed, match="connection to its scheduler was lost"):
            run.wait()


@pytest.mark.contract("P5")
def test_a_cluster_without_workers_ends_the_run(store: Path) -> None:
    """After as long as was asked for."""
    flow = fc.Flow()
    flow.add(cells.plus, 1)
    with LocalCluster(n_workers=0, dashboard_address=":0") as empty, pytest.raises(fc.RunFailed, match="no worker"):
        flow.run(executor=flowcore_dask.on(empty, patience=1.0), store=store, progress=False)


def test_a_scheduler_that_is_not_there_ends_the_run(store: Path) -> None:
    """And is named."""
    flow = fc.Flow()
    flow.add(cells.plus, 1)
    with (
        config.set({"distributed.comm.timeouts.connect": "300ms"}),
        pytest.raises(fc.RunFailed, match=r"127\.0\.0\.1:9"),
    ):
        flow.run(executor=flowcore_dask.on("tcp://127.0.0.1:9"), store=store, progress=False)


@pytest.mark.contract("P6")
def test_the_cluster_of_a_run_is_gone_after_it(store: Path) -> None:
    """And all of its processes."""
    flow = fc.Flow()
    node = flow.add(cells.plus, 1)
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    value = flow.run(executor=flowcore_dask.dask, workers=1, store=store, progress=False)[node]
    after = {child.pid for child in psutil.Process().children(recursive=True)}

    assert (2, set()) == (value, after - before)


@pytest.mark.contract("P6")
def test_the_cluster_of_a_run_ends_with_a_killed_driver(store: Path) -> None:
    """Cells that run are ended: their lines to us are cut."""
    with gate() as door:
        code = DRIVER.format(path=sys.path, door=door.getsockname()[:2], store=str(store))
        with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL) as driver:
            lines = [door.accept()[0] for _ in range(2)]
            driver.kill()
        heard = [line.recv(1) for line in lines]
        for line in lines:
            line.close()

    assert [b"", b""] == heard
