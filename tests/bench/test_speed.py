"""How fast flowcore is beside its peers: ratios, both sides in one run, alternating, best of several.

Hashing, atomic publishing and the journal are on in every measurement of flowcore; the
peers keep nothing.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

import flowcore as fc
from tests.bench import tasks
from tests.bench.conftest import Row

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

CELLS = 10_000
MILLION = 1_000_000
COROUTINES = 2_000
WORKERS = 2


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def best(ours: Callable[[], object], theirs: Callable[[], object], *, times: int = 3) -> tuple[float, float]:
    """Time both sides in turn; give the best of each."""
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(times)]
    return min(a for a, _ in pairs), min(b for _, b in pairs)


class Stores:
    """A fresh store for every run, so that nothing is answered from an earlier one."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._count = 0

    def __call__(self) -> Path:
        self._count += 1
        return self._root / str(self._count)


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    """Give fresh stores."""
    return Stores(tmp_path)


def test_fan_out_beside_dask_processes(stores: Stores, row: Row) -> None:
    """10,000 no-ops through our pool, kept and journalled, cost a tenth of Dask's process scheduler."""
    import dask  # peers are installed by the bench extra alone

    with fc.Flow("fan-out") as flow:
        tasks.nothing_cell(fc.each(x=range(CELLS)))
    delayed = [dask.delayed(tasks.nothing)(x) for x in range(CELLS)]

    ours, theirs = best(
        lambda: flow.run(store=stores(), workers=WORKERS, progress=False),
        lambda: dask.compute(*delayed, scheduler="processes", num_workers=WORKERS),
    )

    row("10,000 no-op cells / dask processes", ours, theirs, 1 / 10)


def test_array_from_worker_to_worker_beside_a_process_pool(stores: Stores, row: Row) -> None:
    """64 MiB made in one worker and read in another, kept on the way, cost a quarter of a stock pool."""
    seeds = iter(range(100))

    def ours() -> None:
        with fc.Flow("hand-over") as flow:
            seen = tasks.look_cell(tasks.make_cell(next(seeds)))
        assert flow.run(store=stores(), workers=WORKERS, progress=False)[seen] >= 0

    with ProcessPoolExecutor(WORKERS) as pool:
        pool.submit(tasks.nothing, 0).result()

        def theirs() -> None:
            array = pool.submit(tasks.make, next(seeds)).result()
            assert pool.submit(tasks.look, array).result() >= 0

        mine, stock = best(ours, theirs, times=5)

    row("64 MiB from worker to worker / ProcessPoolExecutor", mine, stock, 1 / 4)


def test_coroutines_beside_gather(stores: Stores, row: Row) -> None:
    """2,000 coroutines that sleep 50 ms take at most twice as long as a bare gather."""
    with fc.Flow("coroutines") as flow:
        tasks.anap_cell(fc.each(x=range(COROUTINES)))

    async def bare() -> None:
        await asyncio.gather(*(tasks.anap(x) for x in range(COROUTINES)))

    ours, theirs = best(lambda: flow.run(store=stores(), progress=False), lambda: asyncio.run(bare()), times=5)

    row("2,000 coroutines of 50 ms / asyncio.gather", ours, theirs, 2.0)


def test_io_beside_compute(stores: Stores, row: Row) -> None:
    """40 naps on threads and 10 burns on two workers, all of 50 ms, overlap: within 1.2 of the ideal."""
    with fc.Flow("mixed") as flow:
        tasks.nap_cell(fc.each(x=range(40)))
        tasks.burn_cell(fc.each(x=range(10)))
    ideal = 10 * tasks.NAP / WORKERS
    flow.run(store=stores(), workers=WORKERS, progress=False)  # starts the workers

    ours = min(seconds(lambda: flow.run(store=stores(), workers=WORKERS, progress=False)) for _ in range(5))

    row("40 naps beside 10 burns of 50 ms / ideal", ours, ideal, 1.2)


_MILLION = """
import resource, sys, time
import flowcore as fc
from tests.bench import tasks
began = time.perf_counter()
with fc.Flow("million") as flow:
    cells = tasks.nothing_cell(fc.each(x=range({cells})))
run = flow.run(store=sys.argv[1], workers=2, progress=False)
assert run.counts(cells).done == {cells}
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def test_a_million_cells(stores: Stores, row: Row) -> None:
    """A million no-op cells take at most 30 us and 1 KB each, drawing, keys, pool and journal included."""
    script = _MILLION.format(cells=MILLION)
    told = subprocess.run(
        [sys.executable, "-c", script, str(stores())], capture_output=True, text=True, check=True, env=_environment()
    )
    took, peak = map(float, told.stdout.split())

    row("a million cells, seconds / 30 us each", took, MILLION * 30e-6, 1.0)
    row("a million cells, bytes / 1 KB each", peak, MILLION * 1e3, 1.0)


def test_import_beside_dask(row: Row) -> None:
    """`import flowcore` costs less than a third of `import dask`, both above a bare interpreter."""

    def process(code: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True, env=_environment())

    bare = min(seconds(process("pass")) for _ in range(5))
    ours, theirs = best(process("import flowcore"), process("import dask"), times=5)

    row("import flowcore / import dask", max(ours - bare, 1e-4), theirs - bare, 1 / 3)


def _environment() -> dict[str, str]:
    """Give an environment in which this checkout comes first."""
    root = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
