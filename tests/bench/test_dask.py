"""Claims about what flowcore adds to Dask's own cost of a cell, each measured beside the same graph by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster

import flowcore as fc
import flowcore_dask
from flowcore import clock
from flowcore.testing.cells import plus

CELLS = 2000
LINKS = 100
ROUNDS = 3
# Of the time by hand, by submit. What is aimed at is 1.1 for both. A fan-out takes what the scheduler and all workers
# leave of the processors: on two of them it took 1.34 of it, before cells left in groups (decision 0096); since then
# 1.09 and 1.04 by the best of three and of five, 1.14 and 1.19 by their medians.
MOST = {"fan": 1.4, "chain": 1.1}


def fan_by_hand(client: Any) -> int:
    """Add up what many calls give."""
    return sum(client.gather([client.submit(plus, x, pure=False) for x in range(CELLS)]))


def fan(client: Any, store: Path) -> int:
    """Do that with a flow."""
    flow = fc.Flow()
    grid = flow.add(plus, fc.each(x=range(CELLS)))
    run = flow.run(executor=flowcore_dask.on(client, batches=False), store=store, progress=False)
    return int(run[grid].array().sum())


def chain_by_hand(client: Any) -> int:
    """Have each link's value here before the next one goes, as flowcore must to key and keep it."""
    value = 0
    for _ in range(LINKS):
        value = client.submit(plus, value, pure=False).result()
    return value


def chain(client: Any, store: Path) -> int:
    """Do that with a flow."""
    flow = fc.Flow()
    node: Any = 0
    for _ in range(LINKS):
        node = flow.add(plus, node)
    return int(flow.run(executor=flowcore_dask.on(client, batches=False), store=store, progress=False)[node])


def seconds(call: Callable[[], int], expected: int) -> float:
    """Give the time that a call took, if it gave what it should."""
    began = clock.monotonic()
    assert expected == call()
    return clock.monotonic() - began


@pytest.mark.bench
@pytest.mark.parametrize(
    ("by_hand", "ours", "expected"),
    [(fan_by_hand, fan, sum(range(1, CELLS + 1))), (chain_by_hand, chain, LINKS)],
    ids=["fan-out", "chain"],
)
def test_a_message_a_cell_costs_little_above_dasks_own(by_hand: Any, ours: Any, expected: int, tmp_path: Path) -> None:
    """With batches off, or nearly: the run's start and end, and all that is kept, are included."""
    found: dict[str, list[float]] = {"by hand": [], "ours": []}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        for round_ in range(ROUNDS):
            found["by hand"].append(seconds(lambda: by_hand(client), expected))
            found["ours"].append(seconds(lambda: ours(client, tmp_path / str(round_)), expected))  # noqa: B023
    ratio = min(found["ours"]) / min(found["by hand"])
    print(f"{ours.__name__}: {ratio:.2f} of the time by hand; {found}")

    assert ratio <= MOST[ours.__name__]
