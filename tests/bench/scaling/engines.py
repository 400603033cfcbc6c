"""Engines to measure, each with workers that are there already, under one face: an executor for `flow.run`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flowcore.run.executors.ferry import Load, Traits
from flowcore.run.executors.futures import FuturesFerry
from flowcore.run.executors.near import NearExecutor
from flowcore.run.inbox import Inbox
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec

TRAITS = FuturesFerry.traits
SINGLY = Traits(seconds=TRAITS.seconds, most=1, ahead=TRAITS.ahead)


@contextmanager
def pool(workers: int) -> Iterator[Executor]:
    """Give the standard library's processes."""
    with ProcessPoolExecutor(workers) as executor:
        yield executor


@contextmanager
def loky(workers: int) -> Iterator[Executor]:
    """Give loky's."""
    from loky import ProcessPoolExecutor as Loky

    with Loky(workers) as executor:
        yield executor


@contextmanager
def dask(workers: int) -> Iterator[Executor]:
    """Give those of a Dask cluster, through its futures."""
    with dask_client(workers) as client:
        yield client.get_executor(pure=False)  # else it looks for equal messages


def on_dask(client: Any, *, batches: bool) -> Any:
    """Give those of a Dask cluster, through the plugin."""
    from flowcore_dask import on

    return on(client, batches=batches)


@contextmanager
def dask_client(workers: int) -> Iterator[Any]:
    """Give a client of a Dask cluster on this machine, whose scheduler is a process of its own."""
    from distributed import Client

    context = get_context("spawn")
    ours, theirs = context.Pipe()
    cluster = context.Process(target=_cluster, args=(theirs, workers))
    cluster.start()
    try:
        with Client(ours.recv()) as client:
            client.wait_for_workers(workers)
            yield client
    finally:
        ours.send("end")
        cluster.join()


def _cluster(pipe: Connection[Any, Any], workers: int) -> None:
    from distributed import LocalCluster

    with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0") as cluster:
        pipe.send(cluster.scheduler_address)
        pipe.recv()


@contextmanager
def pilots(workers: int) -> Iterator[Path]:
    """Give a store that pilots serve: here a single one, of so many processes."""
    with TemporaryDirectory() as place:
        store = Path(place) / "store"
        command = [sys.executable, "-m", "flowcore", "worker", "--spool", str(store), "-w", str(workers)]
        pilot = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield store
        finally:
            pilot.terminate()
            pilot.wait()


ENGINES: dict[str, Callable[[int], Any]] = {"concurrent.futures": pool, "loky": loky, "Dask's executor": dask}


class _Counting(FuturesFerry):
    """Counts messages."""

    def __init__(self, executor: Executor, *, workers: int, traits: Traits, counted: list[int]) -> None:
        super().__init__(executor, workers=workers)
        self.traits = traits
        self._counted = counted

    def send(self, loads: Sequence[Load]) -> None:
        """Submit them."""
        self._counted.extend(len(load.job.every) for load in loads)
        super().send(loads)


def counting(executor: Executor, *, workers: int, counted: list[int], traits: Traits = TRAITS) -> Any:
    """Give what `flow.run(executor=...)` takes: this executor, with these traits, its messages counted."""
    return partial(_make, executor, workers, traits, counted)


def _make(
    executor: Executor, width: int, traits: Traits, counted: list[int], *, workers: int, inbox: Inbox, codec: Codec,
    surroundings: Surroundings,
) -> NearExecutor:  # fmt: skip
    del workers, codec
    ferry = _Counting(executor, workers=width, traits=traits, counted=counted)
    return NearExecutor(ferry, inbox=inbox, surroundings=surroundings)


class Here(Executor):
    """Carries each message out at once, where it is handed over, and keeps the time that this takes."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Carry it out."""
        future: Future[Any] = Future()
        began = time.perf_counter()
        try:
            future.set_result(fn(*args, **kwargs))
        finally:
            self.times.append(time.perf_counter() - began)
        return future
