"""Claims about size: the cost of a cell is the same at any number of cells, and no depth is too deep."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import flowcore as fc
from flowcore.store.directory import open_store
from flowcore.testing import FaultyDisk

LESS, MORE, MOST = 10_000, 100_000, 1_000_000
ROOT = Path(__file__).parents[1]
SLACK = 1.15  # of the cost of a cell


def one_more(x: int) -> int:
    """Count up."""
    return x + 1


def shifted(x: int, by: int) -> int:
    """Add."""
    return x + by


def how_many(values: list[int]) -> int:
    """Count."""
    return len(values)


class Cost(NamedTuple):
    """What a cold run of a grid comes to."""

    calls: int  # of the filesystem
    written: int  # bytes of the journal
    objects: int  # that Python's collector knows of, once it has ended
    peak: int  # bytes of memory of the process, at most


def cost(cells: int, path: Path) -> Cost:
    """Run a grid in this process."""
    gc.collect()
    disk, before = FaultyDisk(), len(gc.get_objects())
    flow = fc.Flow()
    grid = flow.add(one_more, fc.each(x=range(cells)))
    run = flow.run(store=open_store(path, disk=disk), executor="inline", progress=False)
    assert cells == run.counts(grid).done
    (journal,) = path.glob("v1/journals/*.journal")
    gc.collect()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    return Cost(disk.count, journal.stat().st_size, len(gc.get_objects()) - before, peak)


def cost_elsewhere(cells: int, path: Path) -> Cost:
    """Run a grid in a process of its own."""
    line = f"from tests.test_scale import *; print(*cost({cells}, Path({str(path)!r})))"
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True, cwd=ROOT)
    return Cost(*map(int, done.stdout.split()))


def check_cost(home: Path) -> None:
    """See what two thousand cells more come to."""
    cost(100, home / "warm")
    less, more = cost(500, home / "less"), cost(2500, home / "more")
    calls, written, objects = ((more[i] - less[i]) / 2000 for i in range(3))

    assert calls < 0.1, "no call a cell"
    assert written < 200, "bytes of the journal a cell"
    assert objects < 0.5, "no object a cell stays"


@pytest.mark.contract("F29", "P11")
def test_a_cell_makes_no_call_and_leaves_no_object(tmp_path: Path) -> None:
    """Two thousand cells more are a few blocks of the journal more."""
    check_cost(tmp_path)


@pytest.mark.slow
@pytest.mark.contract("F29", "P11")
def test_the_cost_of_a_cell_is_flat(tmp_path: Path) -> None:
    """Calls, bytes of the journal, objects and memory a cell, at 10^4, 10^5 and 10^6 cells."""
    sizes = LESS, MORE, MOST
    costs = [cost_elsewhere(cells, tmp_path / f"{cells}") for cells in sizes]
    for less, more, fewer, many in zip(costs, costs[1:], sizes, sizes[1:], strict=False):
        assert more.calls / many <= SLACK * less.calls / fewer
        assert more.written / many <= SLACK * less.written / fewer
        assert more.objects / many <= SLACK * less.objects / fewer
        assert more.peak / many <= SLACK * less.peak / fewer
    assert costs[-1].calls / MOST < 0.1, "no call a cell"


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
def test_a_fan_out_and_in_of_a_hundred_thousand(store: Path) -> None:
    """One value goes to all cells, and one cell takes them all, as a gather."""
    flow = fc.Flow()
    first = flow.add(one_more, 0)
    flow.result = flow.add(how_many, fc.gather(flow.add(shifted, fc.each(x=range(MORE)), first)))
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
