"""Claims about gridforms.py: a grid as xarray and as pandas, with labels and values of the types that they have."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import flowcore as fc
from flowcore.grid import Grid

FOUR = [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
XY = ("x", "y")


class Colour(enum.Enum):
    RED = 1


def grid(
    labels: Sequence[tuple[object, ...]],
    values: Sequence[Any],
    axes: Sequence[str] = XY,
    *,
    missing: Sequence[int] = (),
) -> Grid:
    """Give a grid of these values, of which some are missing."""
    numbers = {label: number for number, label in enumerate(labels)}
    return Grid("node", axes, numbers, set(range(len(values))) - set(missing), values.__getitem__)


def waves() -> list[xr.DataArray]:
    """Give four labelled arrays."""
    return [
        xr.DataArray(np.arange(2) + n, dims="t", coords={"t": [10, 20]}, attrs={"units": "m", "n": n}) for n in range(4)
    ]


def test_axes_are_dimensions_and_labels_coordinates() -> None:
    """Of a full grid, with the dtype of the values and their own dimensions behind."""
    made = grid(FOUR, [np.full(3, n, "f4") for n in range(4)]).to_xarray()

    assert (("x", "y", "dim_0"), np.float32, "node") == (made.dims, made.dtype, made.name)
    assert (["a", "b"], [1, 2]) == (made.x.values.tolist(), made.y.values.tolist())
    assert [2.0, 2.0, 2.0] == made.sel(x="b", y=1).values.tolist()


@pytest.mark.parametrize(
    ("values", "dtype"),
    [([1, 2, 3, 4], "f8"), ([1.0, 2.0, 3.0, 4.0], "f8"), ([np.float32(n) for n in range(4)], "f4"),
     ([True] * 4, "f8"), (["a", "b", "c", "d"], "O")],
)  # fmt: skip
def test_a_cell_without_value_is_nan(values: list[Any], dtype: str) -> None:
    """In xarray, which has no masks; all other cells have what they have."""
    made = grid(FOUR, values, missing=[1]).to_xarray()

    assert np.dtype(dtype) == made.dtype
    assert [[False, True], [False, False]] == made.isnull().values.tolist()
    assert [values[0], values[2], values[3]] == made.values[[0, 1, 1], [0, 0, 1]].tolist()


def test_a_grid_without_any_value_is_all_nan() -> None:
    """And without any entry in pandas, whatever its axes."""
    none = grid(FOUR, [1, 2, 3, 4], missing=range(4))

    assert none.to_xarray().isnull().all()
    assert ([], ["x", "y"]) == (none.to_pandas().tolist(), none.to_pandas().index.names)
    assert 0 == len(grid([], [], ["x"]).to_pandas())


def test_labels_keep_their_types() -> None:
    """Where numpy would make text of a number beside a text, they stay objects."""
    labels = [1, "1", Path("a"), Colour.RED, 2.5]
    mixed = grid([(label,) for label in labels], [0, 1, 2, 3, 4], ["x"])

    assert labels == mixed.to_xarray().x.values.tolist()
    assert labels == mixed.to_pandas().index.tolist()
    assert 2**70 == grid([(2**70,)], [0], ["x"]).to_xarray().x.values[0]
    assert ["a\0"] == grid([("a\0",)], [0], ["x"]).to_xarray().x.values.tolist()


def test_moments_are_labels_that_can_be_sliced() -> None:
    """As xarray and pandas slice them: by text."""
    days = [(np.datetime64(f"2024-01-0{n}"),) for n in (1, 2, 3)]
    daily = grid(days, [1, 2, 3], ["day"])

    assert [2, 3] == daily.to_xarray().sel(day=slice("2024-01-02", None)).values.tolist()
    assert [1, 2] == daily.to_pandas()[:"2024-01-02"].tolist()


def test_rows_in_another_order_are_put_right() -> None:
    """By their labels, as in the array."""
    made = grid([(1, "a"), (1, "b"), (2, "b"), (2, "a")], [10, 11, 12, 13]).to_xarray()

    assert (12, 13) == (made.sel(x=2, y="b"), made.sel(x=2, y="a"))


def test_a_dimension_of_the_values_never_meets_an_axis() -> None:
    """An axis may have the name that a dimension would get; a labelled value with an axis of its own is refused."""
    made = grid([(1,), (2,)], [np.zeros(2), np.ones(2)], ["dim_0"]).to_xarray()

    assert ("dim_0", "node_dim_0") == made.dims
    with pytest.raises(ValueError, match="have a dimension 't', as the grid has"):
        grid([(1,), (2,)], waves()[:2], ["t"]).to_xarray()


def test_values_that_differ_in_shape_are_refused() -> None:
    """With the shapes; also where all cells have a value."""
    for missing in ([], [3]):
        with pytest.raises(ValueError, match=r"differ in shape: \(2,\) and \(3,\)"):
            grid(FOUR, [np.zeros(2), np.zeros(3), np.zeros(2), np.zeros(2)], missing=missing).to_xarray()


def test_labelled_values_keep_dimensions_coordinates_and_units() -> None:
    """The attrs that all agree on stay; cells without a value are NaN along all of it."""
    full, part = grid(FOUR, waves()).to_xarray(), grid(FOUR, waves(), missing=[1]).to_xarray()

    assert (("x", "y", "t"), [10, 20], {"units": "m"}) == (full.dims, full.t.values.tolist(), full.attrs)
    assert (np.int64, np.float64) == (full.dtype, part.dtype)
    assert [2, 3] == full.sel(x="b", y=1).values.tolist() == part.sel(x="b", y=1).values.tolist()
    assert part.sel(x="a", y=2).isnull().all()


def test_a_label_without_any_value_stays() -> None:
    """In the order of the axis, also where it comes first."""
    made = grid([("b",), ("a",)], waves()[:2], ["x"], missing=[0]).to_xarray()

    assert (["b", "a"], [True, False]) == (made.x.values.tolist(), made.isnull().all("t").values.tolist())


def test_datasets_give_a_dataset() -> None:
    """With all of their variables along the axes."""
    made = grid(FOUR, [wave.to_dataset(name="height") for wave in waves()]).to_xarray()

    assert isinstance(made, xr.Dataset)
    assert ("x", "y", "t") == made.height.dims


def test_labelled_values_over_other_coordinates_are_refused() -> None:
    """They are not filled up behind the user's back."""
    one, *_ = waves()

    with pytest.raises(ValueError, match="exact"):
        grid([(1,), (2,)], [one, one.assign_coords(t=[10, 30])], ["x"]).to_xarray()


def test_pandas_has_what_there_is() -> None:
    """Integers stay integers, since nothing has to stand for what is missing."""
    made = grid(FOUR, [5, 6, 7, 8], missing=[0]).to_pandas()

    assert ({("a", 2): 6, ("b", 1): 7, ("b", 2): 8}, np.int64) == (made.to_dict(), made.dtype)
    assert (["x", "y"], "node") == (made.index.names, made.name)


def test_one_axis_is_a_plain_index() -> None:
    """Of its name and its dtype."""
    made = grid([(0.5,), (1.5,)], [5, 6], ["rate"]).to_pandas()

    assert ("rate", np.float64, 5) == (made.index.name, made.index.dtype, made[0.5])


def test_arrays_are_elements_of_a_series() -> None:
    """One each, and no rows; likewise lists, dicts and None."""
    values = [np.zeros(2), [1, 2], {"a": 1}, None]
    made = grid(FOUR, values).to_pandas()

    assert all(kept is value for kept, value in zip(made, values, strict=True))
    assert 2 == len(grid([(1,), (2,)], [np.zeros(2), np.ones(2)], ["x"]).to_pandas())


def test_ragged_grids_are_for_pandas() -> None:
    """Which has no use for a common shape."""
    ragged = grid([(1, "a"), (1, "b"), (2, "a")], [1, 2, 3])

    assert {(1, "a"): 1, (1, "b"): 2, (2, "a"): 3} == ragged.to_pandas().to_dict()
    with pytest.raises(fc.AxisMismatch, match="rows of different length"):
        ragged.to_xarray()


def test_tables_are_put_one_below_the_other() -> None:
    """With labels in front of their own index; dtypes stay."""
    tables = [pd.DataFrame({"k": [n, n + 1]}, index=pd.Index([7, 8], name="row")) for n in range(4)]
    made = grid(FOUR, tables, missing=[1]).to_pandas()

    assert (["x", "y", "row"], (6, 1), np.int64) == (made.index.names, made.shape, made["k"].dtype)
    assert 3 == made.loc[("b", 1, 8), "k"]


def test_a_run_gives_both(store: Path) -> None:
    """Zipped values have the labels of the first; skipped cells are missing."""

    @fc.compute
    def power(x: float, n: int) -> float:
        if n == 3:
            raise fc.Skip("enough")
        return float(x**n)

    with fc.Flow() as flow:
        power(fc.each(x=[2.0, 3.0, 4.0]), n=fc.each(x=[1, 2, 3]))
    found = flow.run(store=store, executor="inline", progress=False)["power"]

    assert {2.0: 2.0, 3.0: 9.0} == found.to_pandas().to_dict()
    assert [2.0, 9.0] == found.to_xarray().dropna("x").values.tolist()
