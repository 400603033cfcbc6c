"""Values of xarray, written and read: DataArray, Dataset and Variable (contract K20).

What counts is what a user sees: names, dimensions, coordinates, indexes, values, attrs,
and the order of a Dataset's variables. What does not: `encoding`, which says how a file
was written, and the order of coordinates. Data that are not in memory yet as a numpy
array are refused where that would mean computing them.

xarray is imported to read a record that says so, and never to look what a value is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from flowcore.plan import tabular
from flowcore.plan.extension import BadRecord, NoEncoding, kind_name
from flowcore.plan.libraries import library
from flowcore.plan.numeric import plain_array, write_plain
from flowcore.plan.parts import at, listed, written_as

if TYPE_CHECKING:
    from flowcore.plan.writing import Writer, Writing

VERSION: Final = "1"
_LIBRARIES: Final = frozenset({"xarray", "pandas"})  # its indexes are those of pandas


def writer(kind: type) -> Writer | None:
    """Find the writer of a kind of xarray, by its exact type."""
    if getattr(sys.modules.get("xarray"), kind.__name__, None) is not kind:
        return None
    parts = {"DataArray": _data_array, "Dataset": _dataset, "Variable": _variable}.get(kind.__name__)
    if parts is None:
        return None
    return written_as(f"xarray.{kind.__name__}", VERSION, parts, _LIBRARIES)


# ---- written -----------------------------------------------------------------------


def _data_array(array: Any, writing: Writing) -> list[object]:
    name = at(".name", writing.write, array.name)
    return [name, _variable(array.variable, writing), *_coordinates(array, writing)]


def _dataset(dataset: Any, writing: Writing) -> list[object]:
    variables = _variables({name: dataset.variables[name] for name in dataset.data_vars}, writing)
    attrs = at(".attrs", writing.write, dict(dataset.attrs))
    return [variables, *_coordinates(dataset, writing), attrs]


def _variables(variables: Mapping[Any, Any], writing: Writing) -> list[object]:
    return [
        [writing.write(name), at(f"[{name!r}]", _variable, variable, writing)] for name, variable in variables.items()
    ]


def _variable(variable: Any, writing: Writing) -> list[object]:
    dims = [writing.write(dim) for dim in variable.dims]
    attrs = at(".attrs", writing.write, dict(variable.attrs))
    return [dims, _data(variable, writing), attrs]


def _data(variable: Any, writing: Writing) -> list[object]:
    numpy = sys.modules["numpy"]
    if variable.chunks is not None:
        raise NoEncoding("", "chunked array that is not computed", "call .compute() first")
    data = variable.data
    if type(data) is numpy.ndarray:
        if data.dtype.kind == "O":
            return ["objects", list(data.shape), tabular.texts(data.reshape(-1))]
        if data.dtype.kind == "T":
            return ["plain", writing.write(data)]
        return ["plain", write_plain(data, writing)]
    pandas_array = getattr(data, "array", data)  # of dates with a zone, or of another dtype that numpy has not
    if type(pandas_array).__module__.partition(".")[0] == "pandas":
        return ["extended", writing.write(pandas_array)]
    raise NoEncoding("", kind_name(type(data)), "turn it into a numpy array first")


def _coordinates(value: Any, writing: Writing) -> list[object]:
    """Give coordinates and indexes, by name; those of a MultiIndex are in the index."""
    indexes: list[object] = []
    held: set[Any] = set()
    for index, variables in value.xindexes.group_by_index():
        names = list(variables)
        kind = type(index).__name__
        if kind == "PandasMultiIndex":
            frozen = at(f".indexes[{index.dim!r}]", writing.write, index.index)
            attrs = [[writing.write(n), writing.write(dict(variables[n].attrs))] for n in sorted(names, key=str)]
            indexes.append(["levels", writing.write(index.dim), frozen, attrs])
            held |= set(names)
        elif kind == "PandasIndex" and len(names) == 1:
            indexes.append(["one", writing.write(names[0])])
        else:
            raise NoEncoding(f".xindexes[{names[0]!r}]", kind_name(type(index)), "drop the index, or use one of pandas")
    names = sorted((name for name in value.coords if name not in held), key=str)
    coords = _variables({name: value.coords[name].variable for name in names}, writing)
    return [coords, sorted(indexes, key=str)]


# ---- read --------------------------------------------------------------------------


def _read_data_array(parts: list[Any]) -> object:
    name, variable, coords, indexes = listed(parts, 4)
    made = library("xarray").DataArray(_read_variable(variable), coords=_bare(coords), name=name)
    return _indexed(made, indexes)


def _read_dataset(parts: list[Any]) -> object:
    variables, coords, indexes, attrs = listed(parts, 4)
    found = _read_variables(variables)
    return _indexed(library("xarray").Dataset(found, coords=_bare(coords), attrs=attrs), indexes)


def _bare(coords: list[Any]) -> Any:
    """Give coordinates without any index."""
    return library("xarray").Coordinates(_read_variables(coords), indexes={})


def _read_variables(parts: object) -> dict[Any, Any]:
    return {name: _read_variable(variable) for name, variable in (listed(pair, 2) for pair in listed(parts))}


def _read_variable(parts: list[Any]) -> Any:
    dims, data, attrs = listed(parts, 3)
    if type(attrs) is not dict or not listed(data):
        raise BadRecord("not a variable")
    listed(dims)
    as_it_is = data[0] == "objects" and bool(dims)  # or missing text would be taken for another kind of missing
    return library("xarray").Variable(tuple(dims), _read_data(data), attrs=attrs, fastpath=as_it_is)


def _read_data(parts: list[Any]) -> Any:
    match parts:
        case ["plain", data]:
            return plain_array(data)
        case ["extended", data] if type(data).__module__.partition(".")[0] == "pandas":
            zoned = type(data).__name__ == "DatetimeArray"  # bare, xarray would make objects of it
            return library("pandas").DatetimeIndex(data) if zoned else data
        case ["objects", list(shape), list(texts)]:
            return tabular.read_texts(texts).reshape(shape)
    raise BadRecord("not the data of a variable")


def _indexed(value: Any, indexes: list[Any]) -> Any:
    for index in listed(indexes):
        match listed(index):
            case ["one", name]:
                value = _indexed_by(value, name)
            case ["levels", dim, pandas_index, list(attrs)]:
                coords = library("xarray").Coordinates.from_pandas_multiindex(pandas_index, dim)
                value = value.assign_coords(coords)
                for name, noted in (listed(pair, 2) for pair in attrs):
                    if type(noted) is not dict:
                        raise BadRecord("not attributes")
                    value.coords[name].attrs.update(noted)
            case _:
                raise BadRecord("not an index of xarray")
    return value


def _indexed_by(value: Any, name: Any) -> Any:
    """Give a value with one of its coordinates as an index of the same dtype."""
    bare = value.coords[name].variable
    if type(bare.data).__module__.partition(".")[0] == "pandas":  # `set_xindex` asks such data for another dtype
        index = library("pandas").Index(bare.data, name=name)
        made = library("xarray").indexes.PandasIndex(index, *bare.dims)
        indexed = value.assign_coords(library("xarray").Coordinates.from_xindex(made))
        indexed.coords[name].attrs.update(bare.attrs)
    else:
        indexed = value.set_xindex(name)
    if indexed.coords[name].dims != bare.dims:  # it takes bytes for several names, say
        raise BadRecord("a dimension that xarray does not index")
    return indexed


READERS: dict[str, Callable[[list[Any]], object]] = {
    "xarray.DataArray": _read_data_array,
    "xarray.Dataset": _read_dataset,
    "xarray.Variable": _read_variable,
}
