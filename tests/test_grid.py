"""Claims about grid.py: values by label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import flowcore as fc
from flowcore.grid import Grid

LABELS = {("a", 1): 0, ("a", 2): 1, ("b", 1): 2, ("b", 2): 3}


def test_labels_find_values() -> None:
    """A tuple or a dict; a plain label where there is one axis."""
    grid = Grid("g", ("x", "y"), LABELS, {0, 1, 2, 3}, [10, 20, 30, 40].__getitem__)
    line = Grid("l", ("x",), {("a",): 0}, {0}, [7].__getitem__)

    assert (30, 40, 7, 7) == (grid["b", 1], grid[{"y": 2, "x": "b"}], line["a"], line[{"x": "a"}])
    assert ({"x": ["a", "b"], "y": [1, 2]}, (2, 2), list(LABELS)) == (grid.labels, grid.shape, list(grid))


def test_cells_without_value_are_left_out() -> None:
    """And say so when asked for."""
    grid = Grid("g", ("x", "y"), LABELS, {0, 3}, [10, 20, 30, 40].__getitem__)

    assert ({("a", 1): 10, ("b", 2): 40}, 2, False) == (dict(grid), len(grid), ("a", 2) in grid)
    with pytest.raises(fc.ValueLost, match="skipped, failed or not run"):
        grid["a", 2]
    with pytest.raises(fc.UnknownNode):
        grid["c", 1]


def test_a_grid_along_an_axis_without_labels_is_empty(store: Path) -> None:
    """Nothing was to be computed, and nothing is missing."""
    flow = fc.Flow()
    grid = flow.add(abs, fc.each(x=[]), name="grid")
    run = flow.run(grid, store=store, executor="inline", progress=False)

    assert ({}, (0,), {"x": []}) == (dict(run[grid]), run[grid].shape, run[grid].labels)


def test_an_array_has_the_axes_first() -> None:
    """Masked where there is no value."""
    values = [np.full(3, n, dtype=np.float32) for n in range(4)]
    full = Grid("g", ("x", "y"), LABELS, {0, 1, 2, 3}, values.__getitem__).array()
    part = Grid("g", ("x", "y"), LABELS, {0, 3}, values.__getitem__).array()

    assert ((2, 2, 3), np.float32) == (full.shape, full.dtype)
    assert [[0, 1], [2, 3]] == full[:, :, 0].tolist()
    assert [[False, True], [True, False]] == np.ma.getmaskarray(part)[:, :, 0].tolist()


def test_a_ragged_grid_is_no_array() -> None:
    """Rows of different length have no common shape."""
    grid = Grid("g", ("x", "y"), {("a", 0): 0, ("b", 0): 1, ("b", 1): 2}, {0, 1, 2}, [1, 2, 3].__getitem__)

    with pytest.raises(fc.AxisMismatch, match="rows of different length"):
        grid.array()


NUMBERS = st.one_of(st.booleans(), st.integers(-(2**64), 2**65), st.floats())


@example([1, 2**63])
@example([-1, 2**63])
@given(st.one_of(*(st.lists(one, min_size=1, max_size=6) for one in (NUMBERS, st.integers(-9, 9), st.floats()))))
def test_numbers_make_the_array_that_they_make_one_by_one(values: list[Any]) -> None:
    """Whatever their kinds: values, bit by bit, and dtype."""
    expected = np.stack([np.asarray(value) for value in values])

    found = Grid(
        "g", ("x",), {(i,): i for i in range(len(values))}, set(range(len(values))), values.__getitem__
    ).array()

    assert expected.dtype == found.dtype
    assert expected.tobytes() == found.tobytes() or expected.tolist() == found.tolist()


def test_an_array_asks_for_all_values_at_once() -> None:
    """Those of the cells that have one, in the order of the array, and never one by one."""
    asked: list[list[int]] = []

    def one(number: int) -> Any:
        raise AssertionError(f"{number} was asked for alone")

    def many(numbers: Sequence[int]) -> list[float]:
        asked.append(list(numbers))
        return [number / 2 for number in numbers]

    labels = {(1, "a"): 0, (1, "b"): 1, (2, "b"): 2, (2, "a"): 3}
    full = Grid("g", ("x", "y"), labels, {0, 1, 2, 3}, one, many).array()
    part = Grid("g", ("x", "y"), labels, {0, 2}, one, many)[{"x": 2}].array()

    assert [[0, 1, 3, 2], [2]] == asked
    assert [[0, 0.5], [1.5, 1]] == full.tolist()
    assert [1.0, None] == part.tolist()
