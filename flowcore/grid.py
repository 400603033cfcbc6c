"""Grid: the values of a node with axes, by label."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from operator import eq
from typing import TYPE_CHECKING, Any

from flowcore.errors import AxisMismatch, UnknownNode, ValueLost
from flowcore.gridforms import in_pandas, in_xarray, is_labelled
from flowcore.inspect.html import grid_html

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Read = Callable[[int], Any]
ReadAll = Callable[[Sequence[int]], Sequence[Any]]


class Grid(Mapping[Any, Any]):
    """Labelled values, read when asked for.

    A mapping from label to value; the label of a grid with several axes is a tuple.
    Cells without a value (skipped, failed, not run) are not in the mapping.

    Parameters
    ----------
    name : str
        The node's name.
    axes : sequence of str
        Names of the axes.
    labels : mapping of tuple to int
        Label along each axis -> number of the cell, in row-major order.
    present : set of int
        Numbers of the cells that have a value.
    read : callable
        Gives the value of a cell.
    read_all : callable, optional
        Gives those of many, faster than one by one.

    Examples
    --------
    >>> grid = Grid("double", ("x",), {(1,): 0, (2,): 1}, {0, 1}, [2, 4].__getitem__)
    >>> grid[1], grid[dict(x=2)], list(grid)
    (2, 4, [1, 2])
    """

    def __init__(
        self,
        name: str,
        axes: Sequence[str],
        labels: Mapping[tuple[object, ...], int],
        present: set[int],
        read: Read,
        read_all: ReadAll | None = None,
    ) -> None:
        self.name = name
        self.axes = tuple(axes)
        self._labels = dict(labels)
        self._present = present
        self._read = read
        self._read_all = read_all or (lambda numbers: [read(number) for number in numbers])

    def __getitem__(self, label: object) -> Any:
        """Give the value at a label, at a tuple of labels, or at a dict from axis to label.

        A dict that leaves axes out gives the grid along these.
        """
        if isinstance(label, Mapping) and not self._whole(label):
            return self._part(label)
        number = self._labels.get(self._key(label))
        if number is None:
            raise UnknownNode(name=f"{self.name}[{label!r}]", flow="run")
        if number not in self._present:
            reason = "the cell has none: it was skipped, failed or not run"
            raise ValueLost(cell=f"{self.name}[{label!r}]", reason=reason)
        return self._read(number)

    def __iter__(self) -> Iterator[Any]:
        return (self._told(label) for label, number in self._labels.items() if number in self._present)

    def __len__(self) -> int:
        return len(self._present)

    def __contains__(self, label: object) -> bool:
        return self._labels.get(self._key(label)) in self._present

    @property
    def labels(self) -> dict[str, list[object]]:
        """The labels along each axis, in order."""
        return {
            axis: list(dict.fromkeys(label[place] for label in self._labels)) for place, axis in enumerate(self.axes)
        }

    @property
    def shape(self) -> tuple[int, ...]:
        """How many labels each axis has."""
        return tuple(len(labels) for labels in self.labels.values())

    def array(self) -> NDArray[Any]:
        """Give all values as one array, the grid's axes first.

        Returns
        -------
        ndarray, shape ``(*grid.shape, *value.shape)``
            Masked where a cell has no value.

        Raises
        ------
        AxisMismatch
            If the grid is ragged: rows of different length have no common shape.
        ValueError
            If the values differ in shape.
        """
        import numpy as np

        shape, places = self.shape, self._places()
        there = [place for place, n in enumerate(places) if n in self._present]
        if not there:
            return np.ma.masked_all(shape)  # type: ignore[no-untyped-call,no-any-return]
        column = self._read_all([places[place] for place in there])
        if len(there) == len(places) and _alike(column):
            return np.array(column).reshape(shape)
        values = {place: np.asarray(value) for place, value in zip(there, column, strict=True)}
        inner = next(iter(values.values())).shape
        for value in values.values():
            if value.shape != inner:
                raise ValueError(f"values of {self.name} differ in shape: {inner} and {value.shape}")
        if len(values) == len(places):
            return np.stack([values[place] for place in range(len(places))]).reshape(shape + inner)
        kind = np.result_type(*{value.dtype for value in values.values()})
        full: NDArray[Any] = np.ma.masked_all((len(places), *inner), dtype=kind)  # type: ignore[no-untyped-call]
        for place, value in values.items():
            full[place] = value
        return full.reshape(shape + inner)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Which cells have no value.

        Returns
        -------
        ndarray of bool, shape ``(*grid.shape,)``
            True where there is none.

        Raises
        ------
        AxisMismatch
            If the grid is ragged.
        """
        import numpy as np

        places = self._places()
        missing = [number not in self._present for number in places]
        return np.array(missing, dtype=bool).reshape(self.shape)

    def to_xarray(self) -> Any:
        """Give the grid as an ``xarray.DataArray`` with its labels as coordinates (needs xarray).

        Its dimensions are the axes, then those of the values, which all have one shape. A
        cell without a value is NaN, as everywhere in xarray: then integers and truth values
        become floats, and text objects; :attr:`mask` tells these cells from computed NaN.

        Values that are DataArrays or Datasets keep their dimensions, coordinates and the
        attrs that all agree on; Datasets give a Dataset.

        Returns
        -------
        xarray.DataArray or xarray.Dataset

        Raises
        ------
        AxisMismatch
            If the grid is ragged; :meth:`to_pandas` takes it as it is.
        ValueError
            If the values differ in shape, or in coordinates.

        Examples
        --------
        >>> grid = Grid("double", ("x",), {(1,): 0, (2,): 1}, {0, 1}, [2, 4].__getitem__)
        >>> grid.to_xarray().sel(x=2).item()
        4
        """
        there = {place: number for place, number in enumerate(self._places()) if number in self._present}
        labelled = bool(there) and is_labelled(self._read(next(iter(there.values()))))
        return in_xarray(self, there, self._read_all(list(there.values())) if labelled else [])

    def to_pandas(self) -> Any:
        """Give the cells that have a value as a ``pandas.Series``, indexed by their labels (needs pandas).

        One axis gives an index of its name, several a MultiIndex; cells without a value are
        left out, so integers stay integers. Values that are tables, or series, are put one
        below the other, with the labels in front of their own index.

        Returns
        -------
        pandas.Series or pandas.DataFrame

        Examples
        --------
        >>> grid = Grid("double", ("x",), {(1,): 0, (2,): 1}, {1}, [2, 4].__getitem__)
        >>> grid.to_pandas().to_dict()
        {2: 4}
        """
        there = {label: number for label, number in self._labels.items() if number in self._present}
        return in_pandas(self, list(there), self._read_all(list(there.values())))

    def __repr__(self) -> str:
        axes = ", ".join(f"{axis}: {length}" for axis, length in zip(self.axes, self.shape, strict=True))
        missing = len(self._labels) - len(self._present)
        return f"<Grid {self.name!r} ({axes}){f', {missing} without value' if missing else ''}>"

    def _repr_html_(self) -> str:
        cells = {label: number in self._present for label, number in self._labels.items()}
        return grid_html(self.name, self.labels, cells, lambda label: self._read(self._labels[label]))

    def _places(self) -> list[int]:
        """Give, for each place of the full grid, row-major, the number of its cell."""
        along = [{label: place for place, label in enumerate(labels)} for labels in self.labels.values()]
        if prod(map(len, along)) != len(self._labels):
            raise AxisMismatch(
                node=self.name, axis=self.axes[-1], found="rows of different length", expected="a full grid",
                at="array()", remedy="Gather the inner axis, or read the grid label by label.",
            )  # fmt: skip
        if all(map(eq, product(*along), self._labels)):  # it is in order already
            return list(self._labels.values())
        found: dict[int, int] = {}
        for label, number in self._labels.items():
            place = 0
            for known, part in zip(along, label, strict=True):
                place = place * len(known) + known[part]
            found[place] = number
        return [found[place] for place in range(len(found))]

    def _whole(self, label: Mapping[str, object]) -> bool:
        """Tell whether a dict names every axis; refuses names that are no axis."""
        for axis in label:
            if axis not in self.axes:
                raise UnknownNode(
                    name=f"{self.name}[{axis}=...]", flow="run", near=tuple(f"{self.name}[{a}=...]" for a in self.axes)
                )
        return len(label) == len(self.axes)

    def _part(self, fixed: Mapping[str, object]) -> Grid:
        """Give the grid along the axes that are not fixed."""
        free = [place for place, axis in enumerate(self.axes) if axis not in fixed]
        labels = {
            tuple(label[place] for place in free): number
            for label, number in self._labels.items()
            if all(label[place] == fixed[axis] for place, axis in enumerate(self.axes) if axis in fixed)
        }
        if not labels:
            raise UnknownNode(name=f"{self.name}[{dict(fixed)!r}]", flow="run")
        present = self._present.intersection(labels.values())
        return Grid(self.name, [self.axes[place] for place in free], labels, present, self._read, self._read_all)

    def _key(self, label: object) -> tuple[object, ...]:
        if isinstance(label, Mapping):
            return tuple(label.get(axis) for axis in self.axes)
        return label if len(self.axes) != 1 and isinstance(label, tuple) else (label,)

    def _told(self, label: tuple[object, ...]) -> object:
        return label[0] if len(label) == 1 else label


def _alike(values: Sequence[Any]) -> bool:
    """Tell whether values are numbers of one kind, which need no array each to become one together."""
    kinds = set(map(type, values))
    return kinds in ({float}, {bool}) or (kinds == {int} and -(2**63) <= min(values) <= max(values) < 2**63)
