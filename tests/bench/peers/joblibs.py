"""joblib: loky's processes, batches that grow by themselves, large inputs mapped."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import joblib

from tests.bench import tasks
from tests.bench.graphs import Graph, fan_out
from tests.bench.peers.protocol import Answer, Peer, timed


class Joblib(Peer):
    """One call of `Parallel` a row, since it has no graphs: each row waits for the whole row before."""

    def __enter__(self) -> Self:
        self._parallel = joblib.Parallel(n_jobs=self.workers)
        self._parallel.__enter__()
        self.graph(fan_out(10 * self.workers))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parallel.__exit__(kind, error, trace)

    def _map(self, calls: Any) -> list[Any]:
        results: list[Any] = self._parallel(calls)
        return results

    def graph(self, graph: Graph) -> Answer:
        """Row by row."""
        point = joblib.delayed(tasks.point)

        def run() -> list[int]:
            rows: list[list[int]] = []
            for step, row in enumerate(graph.inputs):
                before = rows[-1] if rows else []
                rows.append(
                    self._map(
                        point(step, column, graph.iterations, [before[c] for c in columns])
                        for column, columns in enumerate(row)
                    )
                )
            return [rows[step][column] for step, column in graph.sinks]

        return timed(run)

    def line(self, stages: int, size: int) -> Answer:
        """One call a stage."""

        def run() -> list[float]:
            (array,) = self._map([joblib.delayed(tasks.make)(1, size)])
            for _ in range(stages - 1):
                (array,) = self._map([joblib.delayed(tasks.stage)(array)])
            return self._map([joblib.delayed(tasks.look)(array)])

        return timed(run)
