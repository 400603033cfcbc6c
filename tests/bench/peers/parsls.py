"""Parsl, if asked for: its high-throughput executor, one app a function."""

from __future__ import annotations

import tempfile
from types import TracebackType
from typing import Any, Self

import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor

from tests.bench import tasks
from tests.bench.graphs import Graph, fan_out
from tests.bench.peers.protocol import Answer, Peer, timed


def _point(step: int, column: int, iterations: int, *read: int) -> int:
    return tasks.point(step, column, iterations, read)  # only plain arguments are waited for


class Parsl(Peer):
    """Futures are edges."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        executor = HighThroughputExecutor(max_workers_per_node=self.workers, address="127.0.0.1")
        config = Config(executors=[executor], run_dir=self._folder.name, initialize_logging=False)
        self._kernel = parsl.DataFlowKernel(config)
        self._point, self._nap, self._burn = (self._app(function) for function in (_point, tasks.nap, tasks.burn))
        self.graph(fan_out(2 * self.workers))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kernel.cleanup()
        self._folder.cleanup()

    def _app(self, function: Any) -> Any:
        return parsl.python_app(function, data_flow_kernel=self._kernel)

    def graph(self, graph: Graph) -> Answer:
        """One call of the app a cell."""

        def run() -> list[int]:
            rows: list[list[Any]] = []
            for step, row in enumerate(graph.inputs):
                before = rows[-1] if rows else []
                rows.append(
                    [self._point(step, c, graph.iterations, *(before[r] for r in cs)) for c, cs in enumerate(row)]
                )
            return [rows[step][column].result() for step, column in graph.sinks]

        return timed(run)

    def mixed(self, naps: int, burns: int) -> Answer:
        """One kind of worker for both."""

        def run() -> list[int]:
            futures = [self._nap(x) for x in range(naps)] + [self._burn(x) for x in range(burns)]
            return [future.result() for future in futures]

        return timed(run)
