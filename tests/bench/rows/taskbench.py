"""Graphs of no-ops, and the smallest task that pays (METG)."""

from __future__ import annotations

import statistics
from concurrent.futures import Executor
from functools import cache

from tests.bench import tasks
from tests.bench.graphs import Graph, chain, drawn, fan_out
from tests.bench.metg import NotReached, Point, metg
from tests.bench.peers.pools import process_pool
from tests.bench.peers.protocol import Peer
from tests.bench.rounds import Refused, seconds
from tests.bench.rows.arena import Arena, per_cell
from tests.bench.table import OURS, Budget, Row

CLUSTER = "dask distributed"
GRAPHS = (OURS, "concurrent.futures", "joblib", "dask threads", "dask processes", CLUSTER, "ray", "parsl")
_SLOW = frozenset({CLUSTER, "ray", "parsl", "joblib"})  # milliseconds a cell: a tenth of the graph tells as much


def _compared(
    arena: Arena, name: str, full: Graph, less: Graph, *, budgets: tuple[Budget, ...], meaning: float | None = None,
    slow: frozenset[str] = _SLOW, names: tuple[str, ...] = GRAPHS,
) -> list[Row]:  # fmt: skip
    samples = arena.compete(names, per_cell(lambda peer: less if peer in slow else full))
    sizes = {peer: (less if peer in slow else full).cells for peer in samples}
    return [Row(name=name, unit="us a cell", samples=samples, budgets=budgets, meaning=meaning, sizes=sizes)]


def fan_out_row(arena: Arena) -> list[Row]:
    """Independent no-ops, through processes."""
    cells = arena.pick(10_000, 500)
    return _compared(
        arena, f"fan-out of {cells} no-ops", fan_out(cells), fan_out(cells // 10),
        budgets=(
            Budget(peer="joblib", allowed=1.0), Budget(peer="dask processes", allowed=1 / 25),
            Budget(peer="pipefunc", allowed=0.27),
        ),
        meaning=8, slow=frozenset({CLUSTER, "ray", "parsl"}), names=(*GRAPHS, "chunked map", "pipefunc"),
    )  # fmt: skip


def chain_row(arena: Arena) -> list[Row]:
    """Each no-op needs the one before."""
    length = arena.pick(2_000, 100)
    return _compared(
        arena, f"chain of {length} no-ops", chain(length), chain(length // 10),
        budgets=(Budget(peer="concurrent.futures", allowed=1 / 20), Budget(peer="dask threads", allowed=0.08)),
        meaning=10,
    )  # fmt: skip


def stencil_row(arena: Arena) -> list[Row]:
    """Each no-op needs three of the step before."""
    steps = arena.pick(500, 20)
    return _compared(
        arena, f"stencil of 16 x {steps} no-ops",
        drawn("stencil", width=16, steps=steps), drawn("stencil", width=16, steps=steps // 10),
        budgets=(Budget(peer="dask processes", allowed=1 / 15), Budget(peer="dask threads", allowed=1 / 4)),
        meaning=25,
    )  # fmt: skip


def tree_row(arena: Arena) -> list[Row]:
    """One no-op doubles until there are many, which then go on reading half of their row."""
    return _pattern(arena, "tree")


def fft_row(arena: Arena) -> list[Row]:
    """Each no-op needs three, ever farther away."""
    return _pattern(arena, "fft")


def random_row(arena: Arena) -> list[Row]:
    """Each no-op needs neighbours drawn by chance."""
    return _pattern(arena, "random")


def _pattern(arena: Arena, pattern: str) -> list[Row]:
    width, steps = 16, arena.pick(100, 10)
    return _compared(
        arena, f"{pattern}, 16 x {steps} no-ops",
        drawn(pattern, width=width, steps=steps), drawn(pattern, width=width, steps=max(5, steps // 10)),
        budgets=(Budget(peer="dask processes", allowed=1 / 15), Budget(peer="dask threads", allowed=1 / 4)),
        meaning=25,
    )  # fmt: skip


def metg_row(arena: Arena) -> list[Row]:
    """The granularity at which half of the processors' time is useful, in a stencil.

    What a kernel takes is measured on bare workers just before each run, so that what
    other processes of this machine take is nobody's overhead.
    """
    steps = arena.pick(50, 6)
    names = (OURS, "concurrent.futures", "dask processes", CLUSTER, "ray", "parsl")

    @cache
    def graph(iterations: int, rows: int) -> Graph:
        return drawn("stencil", width=16, steps=rows, iterations=iterations)

    with process_pool(arena.workers) as bare:

        def work(name: str, peer: Peer) -> float:
            def measure(iterations: int) -> Point:
                wide = graph(iterations, max(5, steps // 5) if name in _SLOW else steps)
                alone = _kernel_seconds(bare, arena.workers)
                took = min(peer.graph(wide).seconds for _ in range(1 if name in _SLOW else 2))
                return Point(kernel=iterations * alone, granularity=took * arena.workers / wide.cells)

            try:
                return metg(measure, first=500, most=2_000_000) * 1e6
            except NotReached as error:
                raise Refused(str(error)) from error

        samples = arena.compete(names, work)
    return [
        Row(
            name=f"METG(50 %), stencil of 16 x {steps}", unit="us a task", samples=samples,
            budgets=(Budget(peer=CLUSTER, allowed=1 / 20),), meaning=80,
        )
    ]  # fmt: skip


def _kernel_seconds(bare: Executor, workers: int) -> float:
    """Measure seconds of an iteration while all workers compute: the least of several."""
    iterations = 50_000
    found = [statistics.mean(bare.map(_timed_kernel, [iterations] * workers)) for _ in range(5)]
    return min(found) / iterations


def _timed_kernel(iterations: int) -> float:
    return seconds(lambda: tasks.kernel(iterations))
