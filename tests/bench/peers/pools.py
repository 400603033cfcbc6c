"""concurrent.futures, by hand: what a user writes who uses no workflow library."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from tests.bench import tasks
from tests.bench.graphs import Graph
from tests.bench.peers.protocol import Answer, Peer, timed
from tests.bench.rounds import Refused


def process_pool(workers: int) -> ProcessPoolExecutor:
    """Give a pool whose processes are there; not forked from this process, which has threads."""
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("forkserver"))
    for future in [pool.submit(tasks.nap, x) for x in range(2 * workers)]:
        future.result()
    return pool


class Pools(Peer):
    """One submit a cell."""

    def __enter__(self) -> Self:
        self._pool = process_pool(self.workers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def graph(self, graph: Graph) -> Answer:
        """Submit what is ready; a chain is submitted and waited for, cell by cell."""
        return timed(lambda: self._chain(graph) if max(map(len, graph.inputs)) == 1 else self._flow(graph))

    def _chain(self, graph: Graph) -> list[int]:
        value: list[int] = []
        for step in range(len(graph.inputs)):
            value = [self._pool.submit(tasks.point, step, 0, graph.iterations, value).result()]
        return value

    def _flow(self, graph: Graph) -> list[int]:
        waits = {(s, c): len(columns) for s, row in enumerate(graph.inputs) for c, columns in enumerate(row)}
        readers: dict[tuple[int, int], list[tuple[int, int]]] = {cell: [] for cell in waits}
        for step, row in enumerate(graph.inputs):
            for column, columns in enumerate(row):
                for read in columns:
                    readers[step - 1, read].append((step, column))
        ended: SimpleQueue[tuple[tuple[int, int], Future[int]]] = SimpleQueue()
        values: dict[tuple[int, int], int] = {}

        def submit(cell: tuple[int, int]) -> None:
            step, column = cell
            inputs = [values[step - 1, c] for c in graph.inputs[step][column]]
            future = self._pool.submit(tasks.point, step, column, graph.iterations, inputs)
            future.add_done_callback(lambda done: ended.put((cell, done)))

        for cell in [cell for cell, count in waits.items() if not count]:
            submit(cell)
        while len(values) < len(waits):
            cell, future = ended.get()
            values[cell] = future.result()
            for reader in readers[cell]:
                waits[reader] -= 1
                if not waits[reader]:
                    submit(reader)
        return [values[cell] for cell in graph.sinks]

    def line(self, stages: int, size: int) -> Answer:
        """Each array comes back here, and goes out again."""

        def run() -> list[float]:
            array = self._pool.submit(tasks.make, 1, size).result()
            for _ in range(stages - 1):
                array = self._pool.submit(tasks.stage, array).result()
            return [self._pool.submit(tasks.look, array).result()]

        return timed(run)

    def mixed(self, naps: int, burns: int) -> Answer:
        """Two pools: a thread for every nap, and processes for the burns."""

        def run() -> list[int]:
            with ThreadPoolExecutor(naps) as threads:
                napping, burning = threads.map(tasks.nap, range(naps)), self._pool.map(tasks.burn, range(burns))
                return [*napping, *burning]

        return timed(run)


class ChunkedMap(Pools):
    """One message for many cells, by hand: the floor. It has no key, no journal, and no failure to report."""

    def graph(self, graph: Graph) -> Answer:
        """Map over one row."""
        if len(graph.inputs) > 1:
            raise Refused("a map has one row")
        size = max(1, graph.cells // (8 * self.workers))
        columns = (
            [0] * graph.cells, range(graph.cells), [graph.iterations] * graph.cells, [()] * graph.cells,
        )  # fmt: skip
        return timed(lambda: list(self._pool.map(tasks.point, *columns, chunksize=size)))

    def line(self, stages: int, size: int) -> Answer:
        """Is no map."""
        raise Refused("a line is no map")

    def mixed(self, naps: int, burns: int) -> Answer:
        """Map burns alone: what the processor needs, and the least that the whole can take."""
        return timed(lambda: list(self._pool.map(tasks.burn, range(burns))))
