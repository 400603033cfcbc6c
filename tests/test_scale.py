"""Claims about size: the cost of a cell is the same at any number of cells, and no depth is too deep."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore.store.directory import open_store
from flowcore.testing import FaultyDisk

LESS, MORE = 10_000, 100_000
SLACK = 1.15  # of the cost of a cell


def one_more(x: int) -> int:
    """Count up."""
    return x + 1


def how_many(values: list[int]) -> int:
    """Count."""
    return len(values)


def cost(cells: int, path: Path) -> tuple[int, int]:
    """Give the calls of the filesystem, and the bytes of the journal, of a cold run of a grid."""
    disk = FaultyDisk()
    flow = fc.Flow()
    grid = flow.add(one_more, fc.each(x=range(cells)))
    run = flow.run(store=open_store(path, disk=disk), executor="inline", progress=False)
    assert cells == run.counts(grid).done
    (journal,) = path.glob("v1/journals/*.journal")
    return disk.count, journal.stat().st_size


@pytest.mark.slow
@pytest.mark.contract("F29", "P11")
def test_the_cost_of_a_cell_is_flat(tmp_path: Path) -> None:
    """Calls of the filesystem and bytes of the journal a cell, at 10^4 and 10^5 cells."""
    less, more = cost(LESS, tmp_path / "less"), cost(MORE, tmp_path / "more")

    assert more[0] / MORE <= SLACK * less[0] / LESS
    assert more[0] / MORE < 0.1, "no call a cell"
    assert more[1] / MORE <= SLACK * less[1] / LESS


@pytest.mark.contract("F30", "P11")
def test_a_chain_of_ten_thousand(store: Path) -> None:
    """At the default recursion limit."""
    flow = fc.Flow()
    value: Any = 0
    for _ in range(10_000):
        value = flow.add(one_more, value)
    run = flow.run(store=store, executor="inline", progress=False)

    assert (10_000, 1000) == (run[value], sys.getrecursionlimit())


@pytest.mark.contract("F30", "P11")
def test_a_fan_in_of_a_hundred_thousand(store: Path) -> None:
    """One cell takes them all, as a gather."""
    flow = fc.Flow()
    flow.result = flow.add(how_many, fc.gather(flow.add(one_more, fc.each(x=range(MORE)))))
    run = flow.run(store=store, executor="inline", progress=False)

    assert (MORE, 1000) == (run[flow.result], sys.getrecursionlimit())
