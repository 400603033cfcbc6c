"""flowcore itself. Hashing, atomic publishing and the journal are on, and no answer comes from an earlier run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import flowcore as fc
from tests.bench import tasks
from tests.bench.graphs import Graph, fan_out
from tests.bench.peers.protocol import Answer, Peer, timed_drawn


class Ours(Peer):
    """Single nodes, but for rows that read nothing: these are grids."""

    def __enter__(self) -> Self:
        self._root = Path(tempfile.mkdtemp(prefix="bench-"))
        self.graph(fan_out(10 * self.workers))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._root, ignore_errors=True)

    def _answer(self, draw: Any, values: Any) -> Answer:
        """Draw and run with a store of its own, which is gone when the clock has stopped."""
        store = self._root / "store"

        def run(flow: fc.Flow) -> Sequence[Any]:
            done = flow.run(store=store, workers=self.workers, progress=False)
            found: Sequence[Any] = values(done, flow.result)
            return found

        try:
            return timed_drawn(draw, run)
        finally:
            shutil.rmtree(store, ignore_errors=True)

    def graph(self, graph: Graph) -> Answer:
        """Run a task graph; one row of cells without inputs is one grid."""
        if len(graph.inputs) == 1:
            return self._answer(lambda: _grid(graph), lambda run, grid: run[grid].array().tolist())
        return self._answer(lambda: _nodes(graph), lambda run, sinks: [run[sink] for sink in sinks])

    def line(self, stages: int, size: int) -> Answer:
        """Hand arrays over; each is kept."""

        def draw() -> fc.Flow:
            with fc.Flow("line") as flow:
                array = tasks.make_cell(1, size)
                for _ in range(stages - 1):
                    array = tasks.stage_cell(array)
                flow.result = tasks.look_cell(array)
            return flow

        return self._answer(draw, lambda run, seen: [run[seen]])

    def mixed(self, naps: int, burns: int) -> Answer:
        """Naps are io, burns are compute."""

        def draw() -> fc.Flow:
            with fc.Flow("mixed") as flow:
                flow.result = [tasks.nap_cell(fc.each(x=range(naps))), tasks.burn_cell(fc.each(x=range(burns)))]
            return flow

        return self._answer(draw, lambda run, grids: [x for grid in grids for x in run[grid].array().tolist()])


def _grid(graph: Graph) -> fc.Flow:
    with fc.Flow("grid") as flow:
        flow.result = tasks.point_cell(0, fc.each(column=range(graph.cells)), graph.iterations, [])
    return flow


def _nodes(graph: Graph) -> fc.Flow:
    rows: list[list[int]] = []
    with fc.Flow("graph") as flow:
        for step, row in enumerate(graph.inputs):
            before = rows[-1] if rows else []
            rows.append(
                [
                    tasks.point_cell(step, column, graph.iterations, [before[c] for c in columns])
                    for column, columns in enumerate(row)
                ]
            )
        flow.result = [rows[step][column] for step, column in graph.sinks]
    return flow
