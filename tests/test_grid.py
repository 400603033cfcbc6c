"""Claims about grid.py: values by label."""

from __future__ import annotations

import numpy as np
import pytest

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
