"""What is measured, and simulated, for docs/scaling.md. Each function gives rows of plain data."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import flowcore as fc
from flowcore.plan.cells import Span
from flowcore.plan.cluster import forecast_cluster
from flowcore.plan.forecast import Load
from tests.bench.scaling.calibration import calibrated, known, makespan, own_costs
from tests.bench.scaling.engines import ENGINES, SINGLY, TRAITS, counting, dask_client, on_dask, pilots
from tests.bench.scaling.tasks import arrays, chain, fan_out, nothings, tree

Row = dict[str, Any]
GRAPHS: dict[str, Callable[[], fc.Flow]] = {
    "fan-out of 100 naps": partial(fan_out, 100),
    "chain of 60 naps": partial(chain, 60),
    "tree over 32 naps": partial(tree, 32),
    "24 arrays of 4 MiB, and 24 of these": partial(arrays, 24),
}
CAMPAIGN = 10**7  # cells
CORES = 10**4
SHARED = 10e9  # bytes a second of its filesystem


def overheads(rounds: int) -> Iterator[Row]:
    """Run cells that do nothing on each engine: wall time, the driver's own, and cells a message."""
    for name in ("inline", "thread", "process"):
        yield _overhead(name, name, 2, (1000, 6000), rounds)
    for name, engine in ENGINES.items():
        with engine(2) as executor:
            for told, traits, cells in ((name, TRAITS, (1000, 6000)), (f"{name}, batches off", SINGLY, (100, 600))):
                counted: list[int] = []
                make = counting(executor, workers=2, counted=counted, traits=traits)
                yield _overhead(told, make, 2, cells, rounds, counted)
    with dask_client(2) as client:
        for told, batches, cells in (
            ("flowcore-dask", True, (1000, 6000)),
            ("flowcore-dask, batches off", False, (100, 600)),
        ):
            yield _overhead(told, on_dask(client, batches=batches), 2, cells, rounds)
    with pilots(2) as store:
        yield _overhead("pilots", "pilots", 2, (1000, 6000), rounds, store=store)


def _overhead(
    name: str, executor: Any, workers: int, cells: tuple[int, int], rounds: int,
    counted: list[int] | None = None, store: Path | None = None,
) -> Row:  # fmt: skip
    counts = [] if counted is None else counted
    few, many, messages = [], [], 0
    for _ in range(rounds):
        few.append(_timed(cells[0], executor, workers, store))
        counts.clear()
        many.append(_timed(cells[1], executor, workers, store))
        messages = len(counts)
    more = cells[1] - cells[0]
    wall, cpu = ((min(one[i] for one in many) - min(one[i] for one in few)) / more * 1e6 for i in (0, 1))
    return {
        "engine": name,
        "wall_us": wall,
        "driver_us": cpu,
        "cells_a_message": cells[1] / messages if messages else 0,
    }


def _timed(cells: int, executor: Any, workers: int, store: Path | None = None) -> tuple[float, float]:
    """Run them all, in a store of their own or again in this one; give wall time, and CPU time of this process."""
    flow = nothings(cells)
    with tempfile.TemporaryDirectory() as place:
        began, cpu = time.perf_counter(), time.process_time()
        flow.run(
            store=store or Path(place) / "store", executor=executor, workers=workers, progress=False,
            refresh=store is not None,
        )  # fmt: skip
        return time.perf_counter() - began, time.process_time() - cpu


def forecasts(rounds: int) -> Iterator[Row]:
    """Forecast graphs on each engine by what was measured of its messages, and run them."""
    own = own_costs()
    for name, engine in ENGINES.items():
        for workers in (1, 2):
            with engine(workers) as executor:
                cluster = calibrated(executor, own)
                _timed(50, executor, workers)  # workers are there, and have imported all
                for graph, draw in GRAPHS.items():
                    found = min(_ran(draw(), executor, workers) for _ in range(rounds))
                    said = known(draw, [workers], cluster)[workers]
                    yield {
                        "engine": name, "workers": workers, "graph": graph, "forecast": said, "measured": found,
                        "error": said / found - 1, "cluster": _finite(cluster),
                    }  # fmt: skip


def _ran(flow: fc.Flow, executor: Any, workers: int) -> float:
    with tempfile.TemporaryDirectory() as place:
        run = flow.run(store=Path(place) / "store", executor=executor, workers=workers, progress=False)
        return makespan(run)


def _finite(cluster: fc.Cluster) -> dict[str, float]:
    return {name: value for name, value in asdict(cluster).items() if value != float("inf")}


def footprint() -> Row:
    """Measure what a cell leaves: memory of the driver, bytes of journal, files."""
    found = {}
    for kind in ("numbers", "arrays"):
        sizes = (20_000, 120_000) if kind == "numbers" else (50, 250)
        few, many = (_apart(kind, size) for size in sizes)
        found[kind] = {name: (many[name] - few[name]) / (sizes[1] - sizes[0]) for name in few}
    return found


def _apart(kind: str, cells: int) -> dict[str, float]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        return apart.submit(_left, kind, cells).result()


def _left(kind: str, cells: int) -> dict[str, float]:
    flow = nothings(cells) if kind == "numbers" else arrays(cells)
    with tempfile.TemporaryDirectory() as place:
        store = Path(place) / "store"
        run = flow.run(store=store, executor="inline", progress=False)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        files = [path for path in store.rglob("*") if path.is_file()]
        journals = sum(path.stat().st_size for path in files if path.suffix == ".journal")
        assert run.status == "done"
        return {"memory": memory, "journal": journals, "files": len([path for path in files if path.suffix == ".npy"])}


def campaigns(cluster: fc.Cluster) -> Iterator[Row]:
    """Simulate ten million cells on ten thousand cores, by what a cell takes, and what a message holds."""
    for seconds, message in ((0.1, 0.05), (0.1, 30.0), (1.0, 0.05), (1.0, 30.0), (10.0, 0.05), (60.0, 0.05)):
        yield _campaign(replace(cluster, seconds=message), seconds, 0)
    yield _campaign(replace(cluster, seconds=30.0, bandwidth=SHARED), 1.0, 10**6)
    yield _campaign(replace(cluster, bandwidth=SHARED), 60.0, 10**7)
    quick = replace(cluster, seconds=30.0, driver_message=cluster.driver_message / 10)
    yield {**_campaign(quick, 1.0, 0), "note": "driver's part of a message a tenth"}


def _campaign(cluster: fc.Cluster, seconds: float, nbytes: int) -> Row:
    load = Load(node=0, task="cell", spans=(Span("x", CAMPAIGN),), seconds=seconds, nbytes=nbytes)
    found = forecast_cluster([load], {0: None}, workers=CORES, cluster=cluster)
    bounds = {"work": found.work / CORES, "driver": found.driver, "filesystem": found.filesystem}
    return {
        "cell_seconds": seconds, "message_seconds": cluster.seconds, "nbytes": nbytes, "seconds": found.seconds,
        "efficiency": found.work / CORES / found.seconds, "binds": max(bounds, key=bounds.__getitem__),
        "messages": found.messages, "driver": found.driver, "filesystem": found.filesystem, "note": "",
    }  # fmt: skip
