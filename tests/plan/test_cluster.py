"""Claims about plan/cluster.py: a run beyond this machine, by messages, a driver of one thread, and shared files."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.errors import BadOption
from flowcore.plan import cluster
from flowcore.plan.cells import Span
from flowcore.plan.cluster import Cluster, forecast_cluster
from flowcore.plan.forecast import Forecast, Load, forecast
from flowcore.plan.stations import Edge
from tests.plan.test_forecast import flows

FREE = Cluster(latency=0.0, driver_cell=0.0, driver_message=0.0, worker_cell=0.0, worker_message=0.0)
SINGLY = replace(FREE, most=1)
MB = 10**6


def run(there: Cluster, *loads: Load, workers: int = 2) -> Forecast:
    """Forecast a run of all nodes."""
    return forecast_cluster(loads, {load.node: None for load in loads}, workers=workers, cluster=there)


def grid(node: int, cells: int, seconds: float, *feeds: int, nbytes: int = 0, **more: object) -> Load:
    """Give a node along one axis."""
    edges = tuple(Edge(feed) for feed in feeds)
    return Load(node=node, spans=(Span("x", cells),), edges=edges, seconds=seconds, nbytes=nbytes, **more)  # type: ignore[arg-type]


@given(flows(), st.integers(1, 5))
def test_a_cluster_that_costs_nothing_is_this_machine(loads: list[Load], workers: int) -> None:
    """All cells run, for as long, and the bounds of list scheduling hold."""
    found, here = run(FREE, *loads, workers=workers), forecast(loads, dict.fromkeys(range(len(loads))), workers=workers)

    assert (here.cells, here.work, here.disk) == (found.cells, pytest.approx(found.work), found.disk)
    assert found.seconds <= here.work
    assert found.seconds >= here.work / workers - 1e-9
    assert found.cells >= found.messages > 0


def test_the_way_is_bridged_by_messages_ahead() -> None:
    """Ten cells of 1 s on a worker wait for one message alone: the next is there when it ends; without, each waits."""
    far = replace(SINGLY, latency=0.5)

    assert 10.5 == run(far, grid(0, 10, 1.0), workers=1).seconds
    assert 15.0 == run(replace(far, ahead=1), grid(0, 10, 1.0), workers=1).seconds


def test_a_chain_pays_the_way_for_each_message() -> None:
    """Links that go singly pay for each way; where a message holds many links, few do."""
    chain = [Load(node=n, edges=(Edge(n - 1),) if n else (), seconds=0.01) for n in range(10)]
    far = replace(FREE, latency=0.1, seconds=0.05)
    wide = [grid(n, 1, 0.01, *((n - 1,) if n else ())) for n in range(10)]

    assert run(replace(far, most=1), *chain).seconds == pytest.approx(10 * 0.11)
    assert run(replace(far, most=1), *wide).seconds == pytest.approx(10 * 0.11)
    assert 10 == run(far, *chain).messages  # each is another task, and nobody knows yet what it takes
    assert 6 > run(far, *(replace(link, task="link") for link in chain)).messages


def test_cells_come_along_with_what_they_need() -> None:
    """Once it is known what cells of both nodes take, the second one rides with the first."""
    far = replace(FREE, latency=0.1, seconds=0.05)
    apart = run(replace(far, most=1), grid(0, 200, 0.01), grid(1, 200, 0.01, 0))
    together = run(far, grid(0, 200, 0.01), grid(1, 200, 0.01, 0))

    assert (400, 400) == (apart.messages, together.cells)
    assert together.messages < 120


def test_the_driver_is_one_thread() -> None:
    """Workers by the thousand get no more cells than it hands out: 1 ms for each, and 9 ms for each message."""
    slow = replace(SINGLY, driver_cell=0.001, driver_message=0.009)
    found = run(slow, grid(0, 500, 0.1), workers=1000)

    assert 0.01 * 500 == pytest.approx(found.driver)
    assert found.seconds == pytest.approx(5.0, rel=0.05)
    assert 500 == run(replace(slow, most=100, seconds=1.0), grid(0, 500, 0.1), workers=1000).messages
    assert 3000 > run(replace(slow, most=100, seconds=1.0), grid(0, 5000, 0.1), workers=100).messages


def test_what_a_message_costs_there_is_the_workers() -> None:
    """Beside the function's second, each cell takes 0.1 s, and each message 0.4 s."""
    slow = replace(SINGLY, worker_cell=0.1, worker_message=0.4)

    assert run(slow, grid(0, 10, 1.0), workers=2).seconds == pytest.approx(5 * 1.5)


def test_a_shared_filesystem_is_shared() -> None:
    """Four arrays of 100 MB take 0.4 s to write at 1 GB/s, however many write; one writer may be slower than that."""
    shared = replace(SINGLY, bandwidth=1e9)
    arrays = grid(0, 4, 0.0, nbytes=100 * MB)

    assert run(shared, arrays, workers=4).seconds == pytest.approx(0.4)
    assert run(shared, arrays, grid(1, 4, 0.0, 0), workers=4).seconds == pytest.approx(0.8)
    assert run(replace(shared, worker_bandwidth=0.1e9), arrays, workers=4).seconds == pytest.approx(1.0)
    assert 0.8 == pytest.approx(run(shared, arrays, grid(1, 4, 0.0, 0), workers=4).filesystem)


def test_a_gather_reads_all_that_it_gathers() -> None:
    """One cell of four arrays of 100 MB reads 400 MB; small values travel in messages."""
    shared = replace(SINGLY, bandwidth=1e9)
    total = Load(node=1, edges=(Edge(0),), seconds=0.0)

    assert run(shared, grid(0, 4, 0.0, nbytes=100 * MB), total).filesystem == pytest.approx(0.8)
    assert 0.0 == run(shared, grid(0, 4, 0.0, nbytes=1000), total).filesystem


def test_what_does_not_go_there_is_as_ever() -> None:
    """Threads, limits and answered cells are the driver's: four downloads of 5 s, two at once, beside 10 s of work."""
    io = replace(grid(0, 4, 5.0), lane="thread", limit=("web", 2, 0.0))
    known = replace(grid(2, 4, 9.0), settled=None)

    assert 10.0 == run(SINGLY, io, grid(1, 4, 5.0), known).seconds
    assert 20.0 == run(SINGLY, replace(grid(0, 4, 5.0), limit=("db", 1, 0.0))).seconds
    assert 10.0 == run(SINGLY, replace(grid(0, 4, 5.0), cores=2), workers=4).seconds


def test_many_messages_are_followed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more than so many of a node several count as one, and no message, cell or second is lost."""
    monkeypatch.setattr(cluster, "_STEPS", 5000)
    many = 20_000
    found = run(replace(SINGLY, driver_message=0.001), grid(0, many, 0.1), workers=1000)

    assert (many, many) == (found.cells, found.messages)
    assert found.driver == pytest.approx(many * 0.001)
    assert found.seconds == pytest.approx(many * 0.001, rel=0.1)


def test_it_is_the_same_each_time() -> None:
    """A simulation draws no lots."""
    loads = [grid(0, 1000, 0.01, nbytes=10**6), grid(1, 1000, 0.02, 0)]

    assert run(Cluster(), *loads, workers=50) == run(Cluster(), *loads, workers=50)


@pytest.mark.parametrize(
    ("option", "value"),
    [("latency", -1.0), ("most", 0), ("most", 1.5), ("bandwidth", 0.0), ("seconds", math.nan), ("ahead", True)],
)
def test_what_is_no_cluster_is_refused(option: str, value: float) -> None:
    """Negative seconds, no bytes a second, part of a cell."""
    with pytest.raises(BadOption):
        Cluster(**{option: value})  # type: ignore[arg-type]
