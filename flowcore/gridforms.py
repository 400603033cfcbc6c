"""A grid in the forms of other libraries: arrays of xarray, series of pandas.

Owns how labels become coordinates, what stands for a cell without a value, and how values
that are tables or labelled arrays themselves are put together. Promises that labels and
values keep their types: numbers are not made text because a text stands beside them.
Imports xarray and pandas only when asked for one of their values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

_PLAIN = "biufcUMm"  # kinds of dtypes that labels of one type may become


class Labelled(Protocol):
    """A grid, as far as its form goes."""

    name: str
    axes: tuple[str, ...]

    @property
    def labels(self) -> dict[str, list[object]]:
        """The labels along each axis, in order."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """How many labels each axis has."""
        ...

    def array(self) -> Any:
        """Give all values as one array."""
        ...


def in_xarray(grid: Labelled, present: Mapping[int, object], values: Sequence[Any]) -> Any:
    """Give a full grid as a DataArray, or as a Dataset where its values are that.

    Parameters
    ----------
    grid : Grid
        The grid.
    present : mapping of int
        Its keys are the places, row-major, of the cells that have a value.
    values : sequence
        Values of xarray, one for each of these places; empty if the values are others.
    """
    import xarray as xr

    coords = {axis: (axis, coordinate(labels)) for axis, labels in grid.labels.items()}
    if values:
        made = _together(grid, list(present), values).assign_coords(coords)
        if isinstance(made, xr.DataArray):
            made.name = grid.name
        return made
    data = grid.array()
    inner = [f"dim_{i}" for i in range(data.ndim - len(grid.axes))]
    inner = [f"{grid.name}_{dim}" if dim in grid.axes else dim for dim in inner]
    return xr.DataArray(data, dims=[*grid.axes, *inner], coords=coords, name=grid.name)


def is_labelled(value: object) -> bool:
    """Tell whether a value is a DataArray or a Dataset of xarray."""
    return any(f"{k.__module__.partition('.')[0]}.{k.__name__}" in _XARRAY for k in type(value).__mro__)


_XARRAY = ("xarray.DataArray", "xarray.Dataset")


def _together(grid: Labelled, places: list[int], values: Sequence[Any]) -> Any:
    """Put values of xarray side by side along the axes; what is missing is NaN."""
    import pandas as pd  # type: ignore[import-untyped,import-not-found,unused-ignore]
    import xarray as xr

    for axis in grid.axes:
        if any(axis in value.dims for value in values):
            raise ValueError(f"values of {grid.name} have a dimension {axis!r}, as the grid has: rename one of them")
    cell = "cells of the grid"
    options: dict[str, Any] = {"coords": "different", "compat": "equals", "join": "exact"}
    if isinstance(values[0], xr.Dataset):
        options["data_vars"] = "all"
    stacked = xr.concat(values, dim=cell, combine_attrs="drop_conflicts", **options)
    along = [[place // math.prod(grid.shape[i + 1 :]) % n for place in places] for i, n in enumerate(grid.shape)]
    index = pd.MultiIndex.from_arrays(along, names=list(grid.axes))
    apart = stacked.assign_coords(xr.Coordinates.from_pandas_multiindex(index, cell)).unstack(cell)
    whole = apart.reindex({axis: range(n) for axis, n in zip(grid.axes, grid.shape, strict=True)})
    return whole.transpose(*grid.axes, ...)


def in_pandas(grid: Labelled, labels: Sequence[tuple[object, ...]], values: Sequence[Any]) -> Any:
    """Give the cells that have a value as a Series, or one below the other where the values are tables."""
    import pandas as pd

    columns = [coordinate([label[place] for label in labels]) for place in range(len(grid.axes))]
    if values and all(isinstance(value, pd.DataFrame | pd.Series) for value in values):
        keys = labels if len(grid.axes) > 1 else [label[0] for label in labels]
        return pd.concat(list(values), keys=keys, names=list(grid.axes))
    if len(columns) == 1:
        index = pd.Index(columns[0], name=grid.axes[0], tupleize_cols=False)
    else:
        index = pd.MultiIndex.from_arrays(columns, names=list(grid.axes))
    return pd.Series(coordinate(values), index=index, name=grid.name)


def coordinate(values: Sequence[Any]) -> Any:
    """Give values as one array of their own type, or of objects if they have several or numpy has none for them.

    Examples
    --------
    >>> coordinate([1, 2]).dtype.name, coordinate(["a", 1]).tolist(), coordinate([2**70]).dtype.name
    ('int64', ['a', 1], 'object')
    """
    import numpy as np

    if len(set(map(type, values))) == 1 and not isinstance(values[0], list | tuple | dict | np.ndarray):
        made = np.array(values)
        same = made.dtype.kind in "Mm" or made.dtype.type is type(values[0]) or made.tolist() == list(values)
        if made.shape == (len(values),) and made.dtype.kind in _PLAIN and (same or made.dtype.kind == "f"):
            return made
    objects = np.empty(len(values), object)
    for place, value in enumerate(values):  # assigned at once, tuples and arrays would be taken for rows
        objects[place] = value
    return objects
