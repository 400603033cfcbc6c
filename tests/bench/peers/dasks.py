"""Dask's three schedulers, on graphs as dicts; pools are made beforehand and given to it.

A graph of thousands of single calls is drawn by `delayed` in more time than it then
takes (500 us a call and more, growing with the graph), so dicts are what is fair to it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import dask.multiprocessing
import dask.threaded

from tests.bench import tasks
from tests.bench.graphs import Graph
from tests.bench.peers.pools import process_pool
from tests.bench.peers.protocol import Answer, Peer, timed_drawn

Drawn = tuple[dict[str, tuple[Any, ...]], list[str]]  # calls by key, and the keys that are wanted
_fresh = itertools.count(1)  # a cluster remembers keys while somebody holds them


class _Dask(Peer):
    """What is the same for all of them: drawing."""

    def _get(self, calls: dict[str, tuple[Any, ...]], wanted: list[str]) -> Sequence[Any]:
        """Run."""
        raise AssertionError("each scheduler has its own")

    def _answer(self, draw: Callable[[], Drawn]) -> Answer:
        return timed_drawn(draw, lambda drawn: list(self._get(*drawn)))

    def graph(self, graph: Graph) -> Answer:
        """Draw one call a cell."""
        return self._answer(lambda: _calls(graph))

    def line(self, stages: int, size: int) -> Answer:
        """Draw one call a stage."""

        def draw() -> Drawn:
            name = f"line{next(_fresh)}"
            calls: dict[str, tuple[Any, ...]] = {f"{name}-0": (tasks.make, 1, size)}
            calls |= {f"{name}-{i}": (tasks.stage, f"{name}-{i - 1}") for i in range(1, stages)}
            return calls | {name: (tasks.look, f"{name}-{stages - 1}")}, [name]

        return self._answer(draw)

    def mixed(self, naps: int, burns: int) -> Answer:
        """Draw naps and burns; it has one kind of worker for both."""

        def draw() -> Drawn:
            name = f"mixed{next(_fresh)}"
            calls: dict[str, tuple[Any, ...]] = {f"{name}-nap-{x}": (tasks.nap, x) for x in range(naps)}
            calls |= {f"{name}-burn-{x}": (tasks.burn, x) for x in range(burns)}
            return calls, list(calls)

        return self._answer(draw)


class _Local(_Dask):
    """A scheduler of this process, with a pool."""

    _pool: Executor

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()


class DaskThreads(_Local):
    """Threads."""

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(self.workers)
        return self

    def _get(self, calls: dict[str, tuple[Any, ...]], wanted: list[str]) -> Sequence[Any]:
        values: Sequence[Any] = dask.threaded.get(calls, wanted, pool=self._pool, num_workers=self.workers)
        return values


class DaskProcesses(_Local):
    """Processes."""

    def __enter__(self) -> Self:
        self._pool = process_pool(self.workers)
        return self

    def _get(self, calls: dict[str, tuple[Any, ...]], wanted: list[str]) -> Sequence[Any]:
        values: Sequence[Any] = dask.multiprocessing.get(calls, wanted, pool=self._pool, num_workers=self.workers)
        return values


class DaskDistributed(_Dask):
    """A cluster of processes on this machine."""

    def __init__(self, workers: int, *, only: int | None = None) -> None:
        super().__init__(only or workers)

    def __enter__(self) -> Self:
        from distributed import Client, LocalCluster  # half a second, and only this adapter needs it

        self._cluster = LocalCluster(
            n_workers=self.workers, threads_per_worker=1, processes=True, dashboard_address=":0", memory_limit=0
        )
        self._client = Client(self._cluster)
        self._client.gather([self._client.submit(tasks.nap, x, pure=False) for x in range(2 * self.workers)])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        self._cluster.close()

    def _get(self, calls: dict[str, tuple[Any, ...]], wanted: list[str]) -> Sequence[Any]:
        values: Sequence[Any] = self._client.get(calls, wanted)
        return values


def _calls(graph: Graph) -> Drawn:
    name = f"graph{next(_fresh)}"
    keys = [[f"{name}-{step}-{column}" for column in range(len(row))] for step, row in enumerate(graph.inputs)]
    calls = {
        keys[step][column]: (tasks.point, step, column, graph.iterations, [keys[step - 1][c] for c in columns])
        for step, row in enumerate(graph.inputs)
        for column, columns in enumerate(row)
    }
    return calls, [keys[step][column] for step, column in graph.sinks]
