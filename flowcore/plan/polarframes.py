"""Values of polars, written and read: DataFrame and Series (contract K20).

What counts is what a user sees: names, dtypes and values, and the height of a frame
without columns. What does not: chunks, flags of order, and the codes of categories. The
content goes by way of Arrow (`plan/arrows.py`), text of categories as text, so pyarrow
has to be installed. A LazyFrame is a query, and no value: it is refused.

Neither library is imported to look what a value is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from flowcore.plan import arrows
from flowcore.plan.extension import BadRecord, NoEncoding
from flowcore.plan.libraries import library
from flowcore.plan.parts import at, listed, written_as

if TYPE_CHECKING:
    from flowcore.plan.writing import Writer, Writing

VERSION: Final = "1"
_LIBRARIES: Final = frozenset({"polars"})
_PLAIN: Final = frozenset(
    "Null Boolean String Binary Date Time Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 Float16 Float32 Float64"
    .split()
)  # fmt: skip
_CATEGORIES: Final = ("Categorical", "Enum")
_UNITS: Final = ("ms", "us", "ns")


def writer(kind: type) -> Writer | None:
    """Find the writer of a kind of polars, by its exact type."""
    if getattr(sys.modules.get("polars"), kind.__name__, None) is not kind:
        return None
    if kind.__name__ == "LazyFrame":
        return _refuse_query
    parts = {"DataFrame": _frame, "Series": _series}.get(kind.__name__)
    return written_as(f"polars.{kind.__name__}", VERSION, parts, _LIBRARIES) if parts is not None else None


def _refuse_query(value: object, writing: Writing) -> object:  # noqa: ARG001 - every writer has this shape
    raise NoEncoding("", "polars.LazyFrame", "a query has no value yet: call .collect() on it first")


# ---- written -----------------------------------------------------------------------


def _frame(frame: Any, writing: Writing) -> list[object]:
    columns = [at(f"[{series.name!r}]", _series, series, writing) for series in frame.get_columns()]
    return [columns, frame.height]


def _series(series: Any, writing: Writing) -> list[object]:
    try:
        library("pyarrow")
    except ImportError as error:
        raise NoEncoding("", "value of polars", "install pyarrow, which polars hands its values over by") from error
    kind = _dtype_parts(series.dtype)
    if kind[0] in _CATEGORIES:  # whose codes are nobody's value
        series = series.cast(library("polars").String())
    return [series.name, kind, arrows.array_parts(series.rechunk().to_arrow(), writing)]


def _dtype_parts(dtype: Any, *, inside: bool = False) -> list[object]:
    """Give a dtype as parts, its name first.

    Categories inside of lists and structs are refused: several versions of polars cast them to other text, or crash.
    """
    name = str(dtype.base_type().__name__)
    if name in _PLAIN:
        return [name]
    match name:
        case "Datetime":
            return [name, dtype.time_unit, dtype.time_zone]
        case "Duration":
            return [name, dtype.time_unit]
        case "Decimal":
            return [name, dtype.precision, dtype.scale]
        case "Enum" if not inside:
            return [name, dtype.categories.to_list()]
        case "Categorical" if not inside and dtype == type(dtype)():
            return [name]
        case "List":
            return [name, _dtype_parts(dtype.inner, inside=True)]
        case "Array":
            return [name, _dtype_parts(dtype.inner, inside=True), dtype.size]
        case "Struct":
            fields = [[one.name, at(f".{one.name}", _dtype_parts, one.dtype, inside=True)] for one in dtype.fields]
            return [name, fields]
    raise NoEncoding("", f"polars series of dtype {dtype}", "cast it to another dtype first")


# ---- read --------------------------------------------------------------------------


def _checked(read: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
    """Make all that polars raises over a record a BadRecord: its errors have no other class in common."""

    def checked(parts: list[Any]) -> Any:
        exceptions = library("polars").exceptions
        try:
            return read(parts)
        except (exceptions.PolarsError, exceptions.PanicException) as error:
            raise BadRecord(f"not a value of polars: {error}") from error

    return checked


def _read_frame(parts: list[Any]) -> Any:
    polars = library("polars")
    columns, height = listed(parts, 2)
    series = [_read_series(column) for column in listed(columns)]
    if type(height) is not int or not 0 <= height < 1 << 32 or any(len(one) != height for one in series):
        raise BadRecord("columns that are not as long as the frame")
    if series or not height:
        return polars.DataFrame(series)
    return polars.DataFrame(height=height)  # older versions have no such frames


def _read_series(parts: list[Any]) -> Any:
    polars = library("polars")
    name, kind, content = listed(parts, 3)
    if type(name) is not str:
        raise BadRecord("not the name of a series")
    dtype = _dtype_from(kind)
    made = polars.from_arrow(arrows.read_array("Array", listed(content)))
    if kind[0] in _CATEGORIES and made.dtype == polars.String():
        made = made.cast(dtype)
    if made.dtype != dtype:
        raise BadRecord("not the content of a series of this dtype")
    return made.alias(name)


def _dtype_from(parts: object) -> Any:
    polars = library("polars")
    match listed(parts):
        case [str(name)] if name in _PLAIN or name == "Categorical":
            return getattr(polars, name)()
        case ["Datetime", str(unit), str() | None as zone] if unit in _UNITS:
            return polars.Datetime(unit, zone)
        case ["Duration", str(unit)] if unit in _UNITS:
            return polars.Duration(unit)
        case ["Decimal", int(precision), int(scale)]:
            return polars.Decimal(precision, scale)
        case ["Enum", list(names)] if all(type(one) is str for one in names):
            return polars.Enum(names)
        case ["List", inner]:
            return polars.List(_dtype_from(inner))
        case ["Array", inner, int(size)] if 0 <= size < 1 << 32:
            return polars.Array(_dtype_from(inner), size)
        case ["Struct", list(fields)]:
            pairs = [listed(field, 2) for field in fields]
            if all(type(field) is str for field, _ in pairs):
                return polars.Struct([polars.Field(field, _dtype_from(dtype)) for field, dtype in pairs])
    raise BadRecord("not a dtype of polars")


READERS: dict[str, Callable[[list[Any]], object]] = {
    "polars.DataFrame": _checked(_read_frame),
    "polars.Series": _checked(_read_series),
}
