"""Claims about plan/rates.py: in no span of a period more begins than the rate says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.plan.rates import Window

pauses = st.lists(st.tuples(st.floats(0.0, 3.0, allow_nan=False), st.integers(1, 5)), max_size=60)


@given(st.integers(1, 7), st.floats(0.5, 2.0), pauses)
def test_no_period_holds_more_than_the_rate(count: int, period: float, asked: list[tuple[float, int]]) -> None:
    """Wherever the period begins, and however unevenly cells come."""
    window, now, began = Window(), 100.0, list[float]()
    for pause, wanted in asked:
        now += pause
        cells = min(wanted, window.room(count, period, now=now))
        if cells > 0:
            window.begin(cells, now)
            began += [now] * cells

    assert all(sum(start <= t < start + period for t in began) <= count for start in began)


@given(st.integers(1, 5), st.floats(0.5, 2.0), st.integers(0, 30))
def test_who_waits_until_it_is_due_may_begin(count: int, period: float, cells: int) -> None:
    """So one timer a cell is enough, and nobody waits longer than needed."""
    window, now = Window(), 100.0
    for _ in range(cells):
        if window.room(count, period, now=now) <= 0:
            due = window.due(count, period)

            assert now < due <= now + period
            now = due
        assert window.room(count, period, now=now) > 0
        window.begin(1, now)


def test_tasks_that_share_a_name_share_the_window() -> None:
    """Each asks with its own rate, and what the others began counts."""
    window = Window()
    window.begin(3, 0.0)

    assert (0, 7) == (window.room(3, 1.0, now=0.5), window.room(10, 1.0, now=0.5))


@pytest.mark.parametrize("most", [3, 1000])
def test_no_more_times_are_remembered_than_are_needed(most: int) -> None:
    """However long a run is."""
    window = Window()
    for i in range(5000):
        window.room(most, 1.0, now=float(i))
        window.begin(1, float(i))

    assert len(window._began) <= most  # noqa: SLF001
