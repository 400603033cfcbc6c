"""Claims about metg.py: the search finds the overhead that is there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.metg import NotReached, Point, metg

ITERATION = 4e-8  # seconds


@given(st.floats(1e-6, 5e-3), st.sampled_from([0.3, 0.5, 0.8]))
def test_constant_overhead_is_found(overhead: float, efficiency: float) -> None:
    """A task of h seconds' overhead has efficiency e where it takes h / (1 - e) in all."""

    def measure(iterations: int) -> Point:
        return Point(kernel=iterations * ITERATION, granularity=iterations * ITERATION + overhead)

    found = metg(measure, efficiency=efficiency, first=1)

    assert pytest.approx(overhead / (1 - efficiency), rel=1e-6) == found


def test_crossing_is_between_the_measurements_around_it() -> None:
    """Also where overhead changes with the size of tasks."""

    def measure(iterations: int) -> Point:
        kernel = iterations * ITERATION
        return Point(kernel=kernel, granularity=kernel + 1e-4 + kernel * 0.2)

    found = metg(measure, first=100)

    assert 2e-4 < found < 4e-4


def test_search_ends() -> None:
    """What never gets efficient is said to be so, with what it came to."""
    with pytest.raises(NotReached, match="efficiency 25%"):
        metg(lambda n: Point(kernel=n * ITERATION, granularity=4 * n * ITERATION), most=1000)


def test_search_doubles() -> None:
    """And stops when two in a row are efficient enough."""
    tried: list[int] = []

    def measure(iterations: int) -> Point:
        tried.append(iterations)
        return Point(kernel=iterations, granularity=iterations + 1000)

    metg(measure, first=100)

    assert [100, 200, 400, 800, 1600, 3200] == tried


def test_one_lucky_measurement_is_not_believed() -> None:
    """A point that seems efficient among others that are not is one whose kernel was measured in a busy moment."""

    def measure(iterations: int) -> Point:
        lucky = 30 if iterations == 200 else 1
        return Point(kernel=iterations * ITERATION * lucky, granularity=iterations * ITERATION * lucky + 1e-4)

    assert pytest.approx(2e-4) == metg(measure, first=100)
