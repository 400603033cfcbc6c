"""pipefunc: a mapspec over one row, in processes. It wires functions by name: thousands of calls are not its work."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from pipefunc import PipeFunc, Pipeline

from tests.bench import tasks
from tests.bench.graphs import Graph
from tests.bench.peers.pools import process_pool
from tests.bench.peers.protocol import Answer, Peer, timed_drawn
from tests.bench.rounds import Refused


def first_row(column: int, iterations: int) -> int:
    """Compute a cell that reads nothing."""
    return tasks.point(0, column, iterations, ())


class Pipefunc(Peer):
    """Results stay in memory: it keeps nothing here."""

    def __enter__(self) -> Self:
        self._pool = process_pool(self.workers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def graph(self, graph: Graph) -> Answer:
        """Map over one row; chunks are its own choice."""
        if len(graph.inputs) > 1:
            raise Refused("it wires functions, not calls")

        def run(pipeline: Pipeline) -> list[int]:
            inputs = {"column": list(range(graph.cells)), "iterations": graph.iterations}
            results = pipeline.map(inputs, executor=self._pool, storage="dict", show_progress=False)
            values: list[int] = results["value"].output.tolist()
            return values

        return timed_drawn(lambda: Pipeline([PipeFunc(first_row, "value", mapspec="column[i] -> value[i]")]), run)
