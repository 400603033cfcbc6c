"""Engines of other people's, each in a process of its own: ``python -m tests.engines NAME``.

Such a process holds the engine to `check_executor`, asks where cells are carried out, and
says what it found as one line of JSON. An engine starts threads and processes, has opinions
about warnings, and may take its driver down: none of that belongs into the tests' process.
"""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor as FuturesLike
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore.run.executors.futures import FuturesFerry
from flowcore.run.executors.near import NearExecutor
from flowcore.run.executors.protocol import Executor
from flowcore.run.inbox import Inbox
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec
from flowcore.testing import check_executor
from tests.run.pilots.hands import worker

ROOT = Path(__file__).parents[1]
RANKS = 3  # the driver, and two that compute
NEEDS = {  # engine -> what has to be installed
    "loky": "loky", "mpi": "mpi4py", "dask's futures": "distributed", "dask": "distributed",
}  # fmt: skip
PLUGINS = [str(path) for path in sorted((ROOT / "plugins").glob("*/src"))]
SLURM = """
[executors.slurm]
count = 2
every = 0.2
idle = 10
"""
DEADLINE = 200.0  # seconds; only turns a hang into a failure


def command(engine: str, *arguments: str) -> list[str]:
    """Give how a script is started whose cells go to an engine; skips the test if that is not installed."""
    need = NEEDS.get(engine)
    if need is not None and importlib.util.find_spec(need) is None:
        pytest.skip(f"{need} is not installed, so nothing is known about {engine}: pip install 'flowcore[test]'")
    if engine != "mpi":
        return [sys.executable, *arguments]
    beside = Path(sys.executable).with_name("mpiexec")
    starter = str(beside) if beside.exists() else shutil.which("mpiexec")
    if starter is None:
        pytest.skip("there is no mpiexec, so nothing is known about MPI: pip install mpich")
    return [starter, "-n", str(RANKS), sys.executable, "-m", "mpi4py.futures", *arguments]


def started(line: list[str], *, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Start a script, and wait for its end."""
    path = os.pathsep.join(filter(None, [str(ROOT), *PLUGINS, os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        line, cwd=cwd, env={**os.environ, "PYTHONPATH": path, "FLOWCORE_PROGRESS": "0"} | variables,
        capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip


@contextmanager
def cluster(engine: str, folder: Path) -> Iterator[Mapping[str, str]]:
    """Have what an engine needs beside the script, whose store is in a folder; give variables for the script."""
    if engine == "pilots":
        with worker(folder / "store", 2):
            yield {}
    elif engine == "slurm":
        import one_box  # lies beside the plugin's tests

        if reason := one_box.lacking():
            pytest.skip(f"NO REAL SLURM IS TESTED: {reason}")
        (folder / "flowcore.toml").write_text(SLURM)
        (folder / "slurm").mkdir()
        with one_box.running(folder / "slurm") as environ:
            yield {name: environ[name] for name in ("PATH", "SLURM_CONF")}
    else:
        yield {}


@contextmanager
def opened(engine: str) -> Iterator[FuturesLike]:
    """Open an engine."""
    if engine == "threads":
        with ThreadPoolExecutor(2) as pool:
            yield pool
    elif engine in ("fork", "spawn", "forkserver"):
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(engine)) as pool:
            yield pool
    elif engine == "fc.Executor":
        with fc.Executor(2) as pool:
            yield pool
    elif engine == "loky":
        import loky

        with loky.ProcessPoolExecutor(2) as pool:
            yield pool
    elif engine == "mpi":
        from mpi4py.futures import MPIPoolExecutor

        with MPIPoolExecutor(2) as pool:
            yield pool
    else:
        with dask_client() as client:  # "dask's futures"
            yield client.get_executor(retries=0)


@contextmanager
def dask_client() -> Iterator[Any]:
    """Open a Dask cluster of two processes that tries nothing twice, and suspects nobody who has not begun."""
    import dask
    from distributed import Client, LocalCluster

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0, "distributed.scheduler.worker-saturation": 1.0}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


def through(pool: FuturesLike) -> Callable[..., Executor]:
    """Give what makes an executor of a pool, for a run."""

    def make(*, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> Executor:
        return NearExecutor(FuturesFerry(pool, workers=workers), inbox=inbox, surroundings=surroundings)

    return make


class _Clustered(FuturesFerry):
    """Has a Dask cluster of its own."""

    def __init__(self, workers: int) -> None:
        self._cluster = dask_client()
        super().__init__(self._cluster.__enter__().get_executor(retries=0), workers=workers)

    def close(self) -> None:
        super().close()
        self._cluster.__exit__(None, None, None)


def dask_executor(*, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> Executor:
    """Make an executor of a Dask cluster's `get_executor`, by the name ``tests.engines:dask_executor``."""
    return NearExecutor(_Clustered(workers), inbox=inbox, surroundings=surroundings)


def where(x: int) -> int:
    """Tell which process this is."""
    return os.getpid()


def places(pool: FuturesLike | None) -> Mapping[str, bool]:
    """Tell which cells are carried out in this process."""
    flow = fc.Flow("places")
    asked = {
        "compute": flow.add(where, 1),
        "io": flow.add(fc.io(where), 1, name="io"),
        "io on the driver": flow.add(fc.io(place="driver")(where), 1, name="driver"),
        "io on a worker": flow.add(fc.io(place="worker")(where), 1, name="worker"),
    }
    run = flow.run(executor=pool, workers=2)
    return {name: bool(run[node] == os.getpid()) for name, node in asked.items()}


def main(engine: str, loss: str) -> None:
    """Ask an engine; or, of what the environment names, only where cells are carried out."""
    if engine == "places":
        print(json.dumps(places(None)))  # noqa: T201 - as below
        return
    with opened(engine) as pool:
        found = places(pool)
        apart = engine != "threads"
        check_executor(through(pool), loss=loss or None, stops_loops=True, prints=apart)  # type: ignore[arg-type]
    print(json.dumps(found))  # noqa: T201 - that is what it is asked for


if __name__ == "__main__":
    main(sys.argv[1], *sys.argv[2:] or [""])
