"""What a message and a cell cost, measured one by one: the numbers of a `Cluster`, and never a fit to a makespan.

Owns :func:`calibrated`. Flowcore's own parts are measured without any engine: messages
are carried out where they are handed over, so what a run takes besides them is the
driver's. The engine's parts are measured without flowcore, by messages that are echoed.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import flowcore as fc
from tests.bench.scaling.engines import SINGLY, TRAITS, Here, counting
from tests.bench.scaling.tasks import ARRAY, arrays, echo, nothings

_FEW, _MANY = 200, 1200  # cells: what is the same for both is the start of a run
_ECHOES = 200
_PAYLOAD = 1000  # bytes


def timed(flow: fc.Flow, executor: Any) -> tuple[float, float]:
    """Run a flow in a store of its own; give the seconds, and those in which its cells read and kept values."""
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        run = flow.run(store=Path(place) / "store", executor=executor, workers=1, progress=False)
        took = time.perf_counter() - began
        attempts = run.timeline().attempts
        return took, float(np.sum(attempts.fetching) + np.sum(attempts.keeping))


def own_costs() -> fc.Cluster:
    """Measure flowcore's part on both sides, without an engine."""
    driver: dict[int, float] = {}
    worker: dict[int, float] = {}
    for most in (1, TRAITS.most):
        took = [_here(cells, most) for cells in (_FEW, _MANY)]
        more = _MANY - _FEW
        driver[most], worker[most] = ((took[1][i] - took[0][i]) / more for i in (0, 1))
    cell, far = driver[TRAITS.most], worker[TRAITS.most]  # of a message with many cells, its own part is little
    return fc.Cluster(
        latency=0.0, seconds=TRAITS.seconds, most=TRAITS.most, ahead=TRAITS.ahead,
        driver_cell=cell, driver_message=max(0.0, driver[1] - cell),
        worker_cell=far, worker_message=max(0.0, worker[1] - far), worker_bandwidth=_worker_bandwidth(),
    )  # fmt: skip


def _here(cells: int, most: int) -> tuple[float, float]:
    """Give the driver's seconds, and the far side's, for a run of cells that do nothing."""
    found = []
    for _ in range(3):
        here, counted = Here(), list[int]()
        traits = replace(TRAITS, most=most)
        took, _ = timed(nothings(cells), counting(here, workers=1, counted=counted, traits=traits))
        found.append((took - sum(here.times), sum(here.times)))
    return min(found)


def _worker_bandwidth() -> float:
    """Give the bytes a second that a worker reads and writes, beside what tasks themselves take."""
    cells, found = 20, []
    for _ in range(3):
        _, beside = timed(arrays(cells), counting(Here(), workers=1, counted=[], traits=SINGLY))
        found.append(beside)
    return 3 * cells * ARRAY / min(found)  # written twice, read once


def engine_costs(executor: Executor) -> dict[str, float]:
    """Measure what a message costs on an engine: the driver's part, and all else, which is the way."""
    _echoed(executor, 20, 1)
    way = min(_per(lambda: _echoed(executor, 20, 1), 20) for _ in range(5))
    driver = min(_cpu(lambda: _echoed(executor, _ECHOES, 2), _ECHOES) for _ in range(3))
    return {"latency": max(0.0, way - driver), "driver_message": driver}


def calibrated(executor: Executor, own: fc.Cluster) -> fc.Cluster:
    """Give what describes an engine."""
    costs = engine_costs(executor)
    return replace(own, latency=costs["latency"], driver_message=own.driver_message + costs["driver_message"])


def _echoed(executor: Executor, count: int, ahead: int) -> None:
    """Have messages echoed, so many on their way at once; no two alike, or an engine might answer from what it has."""
    waiting: list[Any] = []
    for _ in range(count):
        waiting.append(executor.submit(echo, os.urandom(_PAYLOAD)))
        if len(waiting) >= ahead:
            waiting.pop(0).result()
    for future in waiting:
        future.result()


def _per(work: Callable[[], object], count: int) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) / count


def _cpu(work: Callable[[], object], count: int) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) / count


def makespan(run: fc.Run) -> float:
    """Give the seconds from the beginning of a run's first cell to the end of its last."""
    attempts = run.timeline().attempts
    return float(np.max(attempts.ends) - np.min(attempts.begins))


def known(flow: Callable[[], fc.Flow], workers: Sequence[int], cluster: fc.Cluster) -> dict[int, float]:
    """Forecast a flow of which only an inline run is known."""
    with tempfile.TemporaryDirectory() as place:
        store = Path(place) / "store"
        flow().run(store=store, executor="inline", progress=False)
        table = flow().plan(store=store, refresh=True).speedup(workers, cluster=cluster)
        return {row.workers: row.seconds for row in table.rows}
