"""Claims about the size of flows: work and memory are linear in cells and edges, and nothing recurses over the graph.

Work is counted, never timed: lines executed in the rooms concerned, and bytes allocated.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

import pytest

from flowcore.plan import cells, schedule, stations
from flowcore.plan.cells import Span
from flowcore.plan.schedule import Schedule
from flowcore.plan.states import State
from flowcore.plan.stations import Edge

MANY = 100_000
ROOMS = {room.__file__ for room in (cells, schedule, stations)}
SLACK = 1.3  # lists grow in jumps, and a few calls happen once a run

Drawing = Callable[[Schedule, int], None]  # draws a flow of about n cells, and wants it


@contextmanager
def shallow(depth: int = 120) -> Iterator[None]:
    """Leave little stack beyond what is in use."""
    frame: FrameType | None = sys._getframe()
    used = 0
    while frame is not None:
        used, frame = used + 1, frame.f_back
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(used + depth)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


class Steps:
    """Counts lines that run in the rooms concerned."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, frame: FrameType, event: str, arg: object) -> Steps | None:
        if frame.f_code.co_filename not in ROOMS:
            return None
        self.count += event == "line"
        return self

    def __enter__(self) -> Self:
        self.outer = sys.gettrace()
        sys.settrace(self)
        return self

    def __exit__(self, *exc: object) -> None:
        sys.settrace(self.outer)


def run(plan: Schedule, batch: int = 512, lengths: Callable[[int, int], int | None] = lambda node, n: None) -> int:
    """Let everything be done; give the number of cells that ran."""
    count = 0
    while (first := plan.ready()) is not None:
        node = first[0]
        taken = plan.take(node, batch)
        plan.started(node, taken)
        for n in taken:
            length = lengths(node, n)
            if length is not None:
                plan.expand(node, n, length)
        plan.done(node, taken)
        plan.released()
        count += len(taken)
    return count


def chain(plan: Schedule, n: int) -> None:
    """Draw n nodes, one after the other."""
    for number in range(n):
        plan.add(number, (), [Edge(number - 1)] if number else [])
    plan.want(n - 1)


def nodes_into_one(plan: Schedule, n: int) -> None:
    """Draw n nodes that feed one."""
    for number in range(n):
        plan.add(number, ())
    plan.add(n, (), [Edge(number) for number in range(n)])
    plan.want(n)


def one_into_nodes(plan: Schedule, n: int) -> None:
    """Draw a node that feeds n others."""
    plan.add(0, ())
    for number in range(1, n + 1):
        plan.add(number, (), [Edge(0)])
    for number in range(1, n + 1):
        plan.want(number)


def fan(plan: Schedule, n: int) -> None:
    """Draw one cell that feeds n, which feed one."""
    plan.add(0, ())
    plan.add(1, (Span("x", n),), [Edge(0)])
    plan.add(2, (), [Edge(1)])
    plan.want(2)


def grids(plan: Schedule, n: int) -> None:
    """Draw grids that share one axis, both, or none."""
    x, y = Span("x", n // 100), Span("y", 100)
    plan.add(0, (x,))
    plan.add(1, (x, y), [Edge(0)])
    plan.add(2, (y, x), [Edge(1)])
    plan.add(3, (y,), [Edge(2)])
    plan.add(4, (), [Edge(3), Edge(2, "order")])
    plan.want(4)


def rows(plan: Schedule, n: int) -> None:
    """Draw n / 10 cells that give ten labels each, a cell a label, and two gathers."""
    x, d = Span("x", n // 10), Span("d", None, 1)
    plan.add(0, ())
    plan.add(1, (x,), [Edge(0)])
    plan.add(2, (x, d), [Edge(1), Edge(0)])
    plan.add(3, (x,), [Edge(2)])
    plan.add(4, (), [Edge(3)])
    plan.want(4)


def rows_of_one(plan: Schedule, n: int) -> None:
    """Draw n / 10 rows that all wait for one cell."""
    x, d = Span("x", n // 10), Span("d", None, 1)
    plan.add(1, ())
    plan.add(2, (x, d), [Edge(1)])
    plan.add(4, (), [Edge(2)])
    plan.want(4)


DRAWINGS = [chain, nodes_into_one, one_into_nodes, fan, grids, rows, rows_of_one]


def ten(node: int, n: int) -> int | None:
    """Let node 1 of the ragged drawings give ten labels."""
    return 10 if node == 1 else None


def play(draw: Drawing, n: int, batch: int) -> int:
    """Draw a flow and run it to its end; give the number of cells."""
    plan = Schedule()
    draw(plan, n)
    count = run(plan, batch, ten if draw in (rows, rows_of_one) else lambda node, n: None)
    assert plan.finished
    return count


@pytest.mark.contract("P11")
@pytest.mark.parametrize("draw", DRAWINGS)
def test_work_is_linear(draw: Drawing) -> None:
    """Eight times the cells take eight times the steps."""
    steps = []
    for n in (300, 2400):
        with Steps() as counter:
            count = play(draw, n, 7)
        steps.append(counter.count / count)
        assert count >= n

    assert steps[1] <= steps[0] * SLACK


@pytest.mark.contract("P11")
@pytest.mark.parametrize("draw", DRAWINGS)
def test_memory_is_linear(draw: Drawing) -> None:
    """Eight times the cells take eight times the memory, also what is taken for a moment."""
    sizes = []
    for n in (1500, 12_000):
        tracemalloc.start()
        count = play(draw, n, 512)
        sizes.append(tracemalloc.get_traced_memory()[1] / count)
        tracemalloc.stop()

    assert sizes[1] <= sizes[0] * SLACK


@pytest.mark.contract("P11")
def test_a_million_cells_take_a_few_bytes_each() -> None:
    """Two grids of half a million cells and a gather hold no objects by the cell."""
    tracemalloc.start()
    plan = Schedule()
    grid = (Span("x", 500), Span("y", 1000))
    plan.add(0, grid)
    plan.add(1, grid, [Edge(0)])
    plan.add(2, (), [Edge(1)])
    plan.want(2)
    size, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size < 24 * 1_000_000
    assert peak < 48 * 1_000_000
    assert 1_000_001 == run(plan)


@pytest.mark.contract("P11")
@pytest.mark.parametrize("draw", [chain, nodes_into_one, one_into_nodes, fan])
def test_deep_and_wide_flows_end(draw: Drawing) -> None:
    """A hundred thousand in a row, into one, or out of one: done in a small stack."""
    with shallow():
        count = play(draw, MANY, 512)

    assert MANY <= count <= MANY + 2


@pytest.mark.contract("P11")
@pytest.mark.parametrize(("draw", "last"), [(chain, MANY - 1), (nodes_into_one, MANY), (fan, 2)])
def test_a_failure_spreads_to_the_end(draw: Drawing, last: int) -> None:
    """All that depends on a failed cell is blocked at once, in a small stack."""
    plan = Schedule()
    draw(plan, MANY)
    with shallow():
        plan.failed(0, plan.take(0, 1))

    assert State.BLOCKED == plan.state(last, 0)
    assert plan.finished == (draw is not nodes_into_one)


@pytest.mark.contract("P11")
@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (Schedule.done, State.DONE),
        (Schedule.failed, State.BLOCKED),
        (Schedule.skipped, State.SKIPPED),
    ],
)
def test_cells_may_grow_ten_thousand_deep(end: Callable[[Schedule, int, cells.Numbers], None], expected: State) -> None:
    """A cell that grows into a cell that grows ... is settled in a small stack."""
    depth = 10_000
    plan = Schedule()
    plan.add(0, ())
    plan.want(0)
    with shallow():
        for number in range(depth):
            plan.take(number, 1)
            plan.add(number + 1, ())
            plan.grow(number, 0, number + 1)
        end(plan, depth, plan.take(depth, 1))
        if end is Schedule.done:
            run(plan)

    assert expected == plan.state(0, 0)
    assert plan.finished


@pytest.mark.contract("P11")
def test_growth_is_linear() -> None:
    """Each of n cells grows into a graph with rows of its own, with the same work for each."""
    steps = []
    for n in (50, 400):
        plan = Schedule()
        plan.add(0, (Span("x", n),))
        plan.want(0)
        with Steps() as counter:
            for cell in range(n):
                plan.take(0, 1)
                first = 1 + 3 * cell
                plan.add(first, ())
                plan.add(first + 1, (Span("d", None, first),), [Edge(first)])
                plan.add(first + 2, (), [Edge(first + 1)])
                plan.grow(0, cell, first + 2)
                plan.take(first, 1)
                plan.expand(first, 0, 3)
                plan.done(first, [0])
                plan.done(first + 1, plan.take(first + 1, 3))
                plan.done(first + 2, plan.take(first + 2, 1))
        steps.append(counter.count / n)

        assert (0, n) == plan.ready()

    assert steps[1] <= steps[0] * SLACK


class Recurses(Schedule):
    """Sees to the consequences of a settled cell in the depth of the stack."""

    def _settle(self, stack: list[schedule.Closing]) -> None:
        while stack:
            station, numbers, state = stack.pop()
            station.mark(numbers, state)
            for wire in station.out:
                following: list[schedule.Closing] = []
                self._tell(wire, wire.link.fed(numbers), state, following)
                self._settle(following)


def test_the_small_stack_is_small() -> None:
    """A schedule that recurses over the graph is found out."""
    plan = Recurses()
    chain(plan, 1000)

    with pytest.raises(RecursionError), shallow():
        plan.failed(0, plan.take(0, 1))


class Counted(list[int]):
    """Counts how many of its items were copied out."""

    copied = 0

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        self.copied += len(found) if isinstance(found, list) else 1
        return found


@pytest.mark.contract("P11")
def test_taking_copies_each_cell_once() -> None:
    """What became ready at once is not copied again for each take of a part of it."""
    station = stations.Station(0, cells.Space((Span("x", 1000),)), "")
    ready = Counted(range(1000))
    station.ready = deque([ready])  # type: ignore[list-item]
    station.n_ready = 1000
    taken = [n for _ in range(100) for n in station.take(10)]

    assert list(range(1000)) == taken
    assert 1000 == ready.copied
    assert not station.ready


class LooksAtAll(Schedule):
    """Looks through all states to find out whether it has finished."""

    def done(self, node: int, numbers: cells.Numbers) -> None:
        super().done(node, numbers)
        station = self._stations[node]
        station.mark([n for n in range(len(station.states)) if station.states[n] == State.DONE], State.DONE)


def test_the_count_of_steps_counts() -> None:
    """A schedule whose work is quadratic is found out."""
    steps = []
    for n in (500, 4000):
        plan = LooksAtAll()
        fan(plan, n)
        with Steps() as counter:
            run(plan, 7)
        steps.append(counter.count / n)

    assert steps[1] > steps[0] * SLACK
