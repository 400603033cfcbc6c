"""Ray, if asked for: remote functions, arrays in shared memory."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import ray

from tests.bench import tasks
from tests.bench.graphs import Graph, fan_out
from tests.bench.peers.protocol import Answer, Peer, timed


def _point(step: int, column: int, iterations: int, *inputs: int) -> int:
    return tasks.point(step, column, iterations, inputs)  # only plain arguments are waited for


class Ray(Peer):
    """One remote call a cell."""

    def __enter__(self) -> Self:
        ray.init(num_cpus=self.workers, include_dashboard=False, log_to_driver=False)
        self.graph(fan_out(2 * self.workers))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ray.shutdown()

    def graph(self, graph: Graph) -> Answer:
        """References are the edges."""
        point = ray.remote(_point)

        def run() -> list[int]:
            rows: list[list[Any]] = []
            for step, row in enumerate(graph.inputs):
                before = rows[-1] if rows else []
                rows.append(
                    [point.remote(step, c, graph.iterations, *(before[r] for r in cs)) for c, cs in enumerate(row)]
                )
            values: list[int] = ray.get([rows[step][column] for step, column in graph.sinks])
            return values

        return timed(run)

    def line(self, stages: int, size: int) -> Answer:
        """Arrays stay in shared memory."""

        def run() -> list[float]:
            array = ray.remote(tasks.make).remote(1, size)
            for _ in range(stages - 1):
                array = ray.remote(tasks.stage).remote(array)
            return [ray.get(ray.remote(tasks.look).remote(array))]

        return timed(run)

    def mixed(self, naps: int, burns: int) -> Answer:
        """Naps take a processor too, as long as nobody says otherwise."""

        def run() -> list[int]:
            napping = [ray.remote(tasks.nap).remote(x) for x in range(naps)]
            values: list[int] = ray.get(napping + [ray.remote(tasks.burn).remote(x) for x in range(burns)])
            return values

        return timed(run)
