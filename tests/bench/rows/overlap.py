"""Arrays handed over, naps beside burns, coroutines by the thousand."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import flowcore as fc
from tests.bench import tasks
from tests.bench.peers.protocol import Peer
from tests.bench.rounds import alternate, seconds
from tests.bench.rows.arena import Arena, checked
from tests.bench.table import OURS, Budget, Row


def line_row(arena: Arena) -> list[Row]:
    """An array made in a worker goes through functions, one after the other; ours keeps every one of them."""
    stages, size = 10, arena.pick(64, 8) * 2**20
    expected = [float(size // 4096 * stages)]

    def work(name: str, peer: Peer) -> float:
        return checked(peer.line(stages, size), expected).seconds / stages * 1e3

    alone = "dask distributed on one worker"
    names = (OURS, "concurrent.futures", "joblib", "dask threads", "dask processes", "dask distributed", alone, "ray")
    samples = arena.compete(names, work)
    budgets = (
        Budget(peer="concurrent.futures", allowed=1 / 8), Budget(peer="ray", allowed=1 / 2),
        Budget(peer=alone, allowed=1.0),
    )  # fmt: skip
    name = f"{size >> 20} MiB array through {stages} stages"
    return [Row(name=name, unit="ms a stage", samples=samples, budgets=budgets, meaning=50)]


def mixed_row(arena: Arena) -> list[Row]:
    """Naps and burns at once; the ideal is what the burns alone take on a bare pool, in the same rounds."""
    naps, burns = 40, 10
    expected = [*range(naps), *range(burns)]

    def work(name: str, peer: Peer) -> float:
        if name == "chunked map":
            return max(checked(peer.mixed(0, burns), range(burns)).seconds, tasks.NAP) * 1e3
        return checked(peer.mixed(naps, burns), expected).seconds * 1e3

    names = (
        OURS, "chunked map", "concurrent.futures", "dask threads", "dask processes", "dask distributed", "ray", "parsl",
    )  # fmt: skip
    samples = arena.compete(names, work, times=2 * arena.rounds)
    if "chunked map" in samples:
        samples = {"ideal": samples.pop("chunked map"), **samples}
    budgets = (Budget(peer="ideal", allowed=1.05),)
    return [Row(name=f"{naps} naps beside {burns} burns of 50 ms", unit="ms", samples=samples, budgets=budgets)]


def coroutines_row(arena: Arena) -> list[Row]:
    """Coroutines that sleep, all at once."""
    count = arena.pick(10_000, 1_000)
    root = Path(tempfile.mkdtemp(prefix="bench-"))

    def ours() -> float:
        def run() -> None:
            with fc.Flow("coroutines") as flow:
                cells = tasks.anap_cell(fc.each(x=range(count)))
            done = flow.run(store=root / "store", progress=False)
            assert count == done.counts(cells).done

        try:
            return seconds(run) * 1e3
        finally:
            shutil.rmtree(root, ignore_errors=True)

    async def gathered() -> None:
        assert list(range(count)) == await asyncio.gather(*(tasks.anap(x) for x in range(count)))

    gather = "asyncio.gather"
    samples = alternate(
        {OURS: ours, gather: lambda: seconds(lambda: asyncio.run(gathered())) * 1e3}, times=arena.rounds
    )
    budgets = (Budget(peer=gather, allowed=2.0),)
    return [Row(name=f"{count} coroutines of 50 ms", unit="ms", samples=samples, budgets=budgets)]
