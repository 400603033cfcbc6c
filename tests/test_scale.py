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


@pytest.mark.slow
@pytest.mark.contract("F30", "P11")
def test_a_chain_of_a_hundred_thousand(store: Path) -> None:
    """At the default recursion limit."""
    flow = fc.Flow()
    value: Any = 0
    for _ in range(MORE):
        value = flow.add(one_more, value)
    run = flow.run(store=store, executor="inline", progress=False)

    assert (MORE, 1000) == (run[value], sys.getrecursionlimit())


@pytest.mark.contract("F30", "P11")
def test_a_fan_in_of_a_hundred_thousand(store: Path) -> None:
    """One cell takes them all, as a gather."""
    flow = fc.Flow()
    flow.result = flow.add(how_many, fc.gather(flow.add(one_more, fc.each(x=range(MORE)))))
    run = flow.run(store=store, executor="inline", progress=False)

    assert (MORE, 1000) == (run[flow.result], sys.getrecursionlimit())


@fc.compute
def deeper(x: int, left: int) -> int | fc.Flow:
    """Return a flow that does, until there is nothing left."""
    if not left:
        return x
    with fc.Flow() as flow:
        flow.result = flow.add(one_more, deeper(x, left - 1))
    return flow


@fc.compute
def wide(x: int) -> int | fc.Flow:
    """Return a flow of one node."""
    with fc.Flow() as flow:
        flow.result = flow.add(one_more, x)
    return flow


def grown(task: Any, *args: Any, path: Path) -> tuple[Any, int]:
    """Give what a task gives that returns flows, and the bytes of the journal."""
    flow = fc.Flow()
    flow.result = flow.add(task, *args)
    run = flow.run(store=path, executor="inline", progress=False)
    (journal,) = path.glob("v1/journals/*.journal")
    return run[flow.result], journal.stat().st_size


@pytest.mark.contract("F30", "P11", "K30")
def test_growth_deeper_than_the_stack(store: Path) -> None:
    """Each in the one before, and back again, at the default recursion limit."""
    value, _ = grown(deeper, 0, 1100, path=store)

    assert (1100, 1000) == (value, sys.getrecursionlimit())


@pytest.mark.slow
@pytest.mark.contract("F30", "P11", "K30")
def test_ten_thousand_growths(tmp_path: Path) -> None:
    """One in another, and beside each other; a growth costs the same at any number of them."""
    deep = [grown(deeper, 0, n, path=tmp_path / f"deep {n}") for n in (1_000, 10_000)]
    beside = [grown(wide, fc.each(x=range(n)), path=tmp_path / f"wide {n}") for n in (1_000, 10_000)]

    assert [1_000, 10_000] == [value for value, _ in deep]
    assert [list(range(1, n + 1)) for n in (1_000, 10_000)] == [value.array().tolist() for value, _ in beside]
    for (_, less), (_, more) in (deep, beside):
        assert more <= 10 * SLACK * less
