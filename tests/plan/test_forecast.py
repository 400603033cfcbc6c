"""Claims about plan/forecast.py: when a run would end, by its own schedule and a clock that is only counted."""

from __future__ import annotations

import cProfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.plan.cells import Span
from flowcore.plan.forecast import Forecast, Load, critical_path, forecast
from flowcore.plan.stations import Edge

X = Span("x", 4)


def run(*loads: Load, workers: int = 2, lane: str = "") -> Forecast:
    """Forecast a run of all nodes."""
    del lane
    return forecast(loads, {load.node: None for load in loads}, workers=workers)


@st.composite
def flows(draw: st.DrawFn) -> list[Load]:
    """Nodes of some cells each, joined in the order of drawing."""
    loads = []
    for node in range(draw(st.integers(1, 6))):
        sources = draw(st.sets(st.integers(0, node - 1), max_size=2)) if node else set()
        spans = (Span(draw(st.sampled_from("xy")), 3),) if draw(st.booleans()) else ()
        edges = tuple(Edge(source) for source in sorted(sources))
        loads.append(Load(node=node, spans=spans, edges=edges, seconds=draw(st.integers(1, 20))))
    return loads


@given(flows(), st.integers(1, 5))
def test_a_forecast_keeps_the_bounds_of_list_scheduling(loads: list[Load], workers: int) -> None:
    """Never less than the work shared evenly, nor than the longest chain; never more than both together."""
    found, (_, longest) = run(*loads, workers=workers), critical_path(loads, dict.fromkeys(range(len(loads))))
    cells = sum(3 if load.spans else 1 for load in loads)
    work = sum(load.seconds * (3 if load.spans else 1) for load in loads)

    assert (cells, work) == (found.cells, pytest.approx(found.work))
    assert found.seconds >= max(work / workers, longest) - 1e-9
    assert found.seconds <= work / workers + longest * (1 - 1 / workers) + 1e-9
    assert longest <= run(*loads, workers=1).seconds + 1e-9


def test_cells_start_as_soon_as_their_own_inputs_are_there() -> None:
    """No barrier between two grids: four cells of 3 s, each followed by one of 1 s, on four workers take 4 s."""
    first = Load(node=0, spans=(X,), seconds=3.0)

    assert 4.0 == run(first, Load(node=1, spans=(X,), edges=(Edge(0),), seconds=1.0), workers=4).seconds


def test_answered_cells_take_no_time() -> None:
    """Of some cells the others run; of all nothing does; what is skipped takes its consumers with it."""
    half = Load(node=0, spans=(X,), seconds=3.0, settled=frozenset({0, 2}), skipped=frozenset({2}))
    below = Load(node=1, spans=(X,), edges=(Edge(0),), seconds=1.0)
    whole = Load(node=0, spans=(X,), seconds=3.0, settled=None)

    assert (5, 9.0) == ((found := run(half, below)).cells, found.work)
    assert (4, 2.0) == ((found := run(whole, below)).cells, found.seconds)


def test_io_goes_beside_compute() -> None:
    """Threads are no workers: four downloads of 5 s take 5 s, and the first results are computed on meanwhile."""
    loads = Load(node=0, spans=(X,), seconds=5.0, lane="thread"), Load(node=1, spans=(X,), seconds=5.0)

    assert 10.0 == run(*loads).seconds


def test_a_cell_takes_its_own_time_where_that_is_known() -> None:
    """One long cell among short ones keeps its worker, and the others go on beside it."""
    load = Load(node=0, spans=(X,), seconds=1.0, own={0: 3.0})

    assert (3.0, 6.0) == ((found := run(load)).seconds, found.work)


def test_limits_and_cores_hold_cells_back() -> None:
    """Also a limit that two nodes share; a cell that takes more cores than there are runs alone."""
    limited = [Load(node=n, spans=(X,), seconds=1.0, lane="thread", limit=("db", 2, 0.0)) for n in range(2)]
    wide = Load(node=0, spans=(X,), seconds=1.0, cores=2)

    assert 4.0 == run(*limited).seconds
    assert (4.0, 2.0, 4.0) == tuple(run(wide, workers=workers).seconds for workers in (2, 4, 1))


def test_a_choice_and_a_growing_axis_go_as_they_are_told() -> None:
    """Only the branch it falls on runs; an axis gets as many labels as it is said to."""
    branches = [Load(node=n, seconds=float(n + 1)) for n in range(2)]
    choice = Load(node=2, edges=(Edge(0, "branch", 0), Edge(1, "branch", 1)), lane="free", settled=None, side=1)
    spread = Load(node=0, lane="free", settled=None, length=5)
    along = Load(node=1, spans=(Span("n", None, 0),), edges=(Edge(0),), seconds=1.0)

    assert 2.0 == forecast([*branches, choice], {2: None}, workers=1).seconds
    assert (5, 5.0) == ((found := run(spread, along, workers=1)).cells, found.seconds)


def test_disk_and_memory_are_summed() -> None:
    """Kept results go to the disk; running cells and results that are not kept take memory until they are used."""
    kept = Load(node=0, spans=(X,), seconds=1.0, nbytes=10, peak=100)
    passed = Load(node=0, spans=(X,), seconds=1.0, nbytes=1000, peak=100, kept=False)
    total = Load(node=1, edges=(Edge(0),), seconds=1.0)

    assert (40, 200) == ((found := run(kept, total)).disk, found.memory)
    assert (0, 4000) == ((found := run(passed, total)).disk, found.memory)


def test_only_what_is_wanted_runs() -> None:
    """Of one node, the cells that are named, and what they need."""
    first, below = Load(node=0, spans=(X,), seconds=1.0), Load(node=1, spans=(X,), edges=(Edge(0),), seconds=1.0)

    assert 2 == forecast([first, below], {1: [3]}, workers=4).cells
    assert 4 == forecast([first, below], {0: None}, workers=4).cells


def test_the_longest_chain_is_named() -> None:
    """By its nodes, from the first; cells that are answered are not in it, and what takes no time is passed through."""
    loads = [
        Load(node=0, seconds=5.0, settled=None), Load(node=1, spans=(X,), edges=(Edge(0),), seconds=2.0, own={3: 4.0}),
        Load(node=2, seconds=1.0), Load(node=3, edges=(Edge(1), Edge(2)), lane="free", settled=None),
        Load(node=4, edges=(Edge(3),), seconds=1.0),
    ]  # fmt: skip

    assert ((1, 4), 5.0) == critical_path(loads, {4: None})
    assert ((), 0.0) == critical_path([], {})


def test_a_chain_goes_by_cells_and_not_by_nodes() -> None:
    """The longest cells of two nodes are no chain if neither feeds the other."""
    loads = [
        Load(node=0, spans=(X,), seconds=1.0, own={0: 9.0}),
        Load(node=1, spans=(X,), edges=(Edge(0),), seconds=1.0, own={1: 5.0}),
    ]

    assert ((0, 1), 10.0) == critical_path(loads, {1: None})


def test_many_cells_are_taken_together() -> None:
    """A hundred thousand cells of two nodes cost less than three calls of functions each, of the schedule's own."""

    def calls(cells: int) -> int:
        span = Span("x", cells)
        loads = [Load(node=0, spans=(span,), seconds=1.0), Load(node=1, spans=(span,), edges=(Edge(0),), seconds=1.0)]
        profile = cProfile.Profile()
        found = profile.runcall(forecast, loads, {1: None}, workers=8)
        assert found.seconds == pytest.approx(2 * cells / 8, rel=0.02)
        return sum(entry.callcount for entry in profile.getstats())

    assert calls(100_000) < 3 * 200_000


def test_rates_and_memory_hold_cells_back() -> None:
    """Two a second of four cells take until the second second has begun; what does not fit beside another one waits."""
    rated = Load(node=0, spans=(X,), seconds=0.5, lane="thread", limit=("web", 2, 1.0))
    large = Load(node=0, spans=(X,), seconds=1.0, need=6)

    assert 1.5 == run(rated).seconds
    assert (4.0, 2.0, 4.0) == tuple(
        forecast([large], {0: None}, workers=4, memory=memory).seconds for memory in (10, 12, 3)
    )
