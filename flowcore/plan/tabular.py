"""Values of pandas, written and read: frames, series, every kind of index, arrays and scalars (contract K20).

What counts is what a user sees: names, dtypes, the order of categories, values and
attrs. What does not is how pandas holds it: blocks, cached hashes, levels of a
MultiIndex that nothing refers to, the bytes under a mask. Neighbouring columns of one
numpy dtype go as one array, columns by rows, so a large frame is one file.

pandas is never imported to look whether a value is one of its: a value of pandas cannot
exist before pandas. It is imported to read a record that says so.
"""

from __future__ import annotations

import datetime
import math
import sys
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, cast

from flowcore.plan import arrows
from flowcore.plan.extension import BadRecord, NoEncoding, kind_name
from flowcore.plan.libraries import library
from flowcore.plan.numeric import plain_array, write_plain
from flowcore.plan.parts import at, listed, written_as

if TYPE_CHECKING:
    from flowcore.plan.writing import Writer, Writing

VERSION: Final = "1"
_LIBRARIES: Final = frozenset({"pandas"})
_INDEXES: Final = (
    "Index", "RangeIndex", "DatetimeIndex", "TimedeltaIndex", "PeriodIndex", "CategoricalIndex", "IntervalIndex",
    "MultiIndex",
)  # fmt: skip
_ARRAYS: Final = (
    "Categorical", "IntegerArray", "FloatingArray", "BooleanArray", "StringArray", "ArrowStringArray", "DatetimeArray",
    "TimedeltaArray", "PeriodArray", "IntervalArray", "ArrowExtensionArray",
)  # fmt: skip


def writer(kind: type) -> Writer | None:
    """Find the writer of a kind of pandas, by its exact type: a GeoDataFrame is no DataFrame."""
    pandas: Any = sys.modules.get("pandas")
    name = kind.__name__
    home = pandas if hasattr(pandas, name) else getattr(pandas, "arrays", None)
    if name in ("NAType", "NaTType"):
        return _registered("pandas.missing", _missing)
    if getattr(home, name, None) is not kind:
        return None
    if name == "DataFrame":
        return _registered("pandas.DataFrame", _frame)
    if name == "Series":
        return _registered("pandas.Series", _series)
    if name in _INDEXES:
        return _registered("pandas.Index", _index)
    if name in _ARRAYS:
        return _registered("pandas.array", _values)
    if name in ("Timestamp", "Timedelta"):
        return _registered(f"pandas.{name}", _instant)
    return None


def _registered(name: str, parts: Callable[[Any, Writing], list[object]]) -> Writer:
    return written_as(name, VERSION, parts, _LIBRARIES)


# ---- written -----------------------------------------------------------------------


def _frame(frame: Any, writing: Writing) -> list[object]:
    dtypes = list(frame.dtypes)
    pieces: list[object] = []
    for alike, places in groupby(range(len(dtypes)), key=lambda i: dtypes[i] if _is_plain(dtypes[i]) else i):
        columns = list(places)
        if type(alike) is not int:
            block = frame.iloc[:, columns[0] : columns[-1] + 1].to_numpy().T
            pieces.append(["block", write_plain(block, writing)])
            continue
        label, values = frame.columns[columns[0]], frame.iloc[:, columns[0]].array
        pieces.append(["column", at(f"[{label!r}]", _values, values, writing)])
    index, columns_ = _labels(frame, "index", writing), _labels(frame, "columns", writing)
    return [pieces, index, columns_, *_notes(frame, writing)]


def _is_plain(dtype: Any) -> bool:
    """Tell whether this is a dtype of numpy that a file can hold."""
    return type(dtype).__module__.partition(".")[0] == "numpy" and dtype.kind != "O"


def _labels(frame: Any, name: str, writing: Writing) -> list[object]:
    labels: list[object] = at(f".{name}", _index, getattr(frame, name), writing)
    return labels


def _notes(value: Any, writing: Writing) -> list[object]:
    """Give what pandas holds beside the values: attrs, and whether a label may be there twice."""
    attrs = at(".attrs", writing.write, dict(value.attrs))
    return [attrs, bool(value.flags.allows_duplicate_labels)]


def _series(series: Any, writing: Writing) -> list[object]:
    name = at(".name", writing.write, series.name)
    return [_values(series.array, writing), _labels(series, "index", writing), name, *_notes(series, writing)]


def _index(index: Any, writing: Writing) -> list[object]:
    kind = type(index).__name__
    if kind not in _INDEXES or getattr(sys.modules["pandas"], kind) is not type(index):
        raise NoEncoding("", kind_name(type(index)), "turn it into an index of pandas first")
    names = at(".names", writing.write, list(index.names))
    if kind == "RangeIndex":
        return ["range", index.start, index.stop, index.step, names]
    if kind == "MultiIndex":
        levels = [index.get_level_values(i) for i in range(index.nlevels)]
        return ["levels", [_values(level.array, writing) for level in levels], names]
    if index.dtype.kind == "O" and _is_numpy(index.dtype):
        return ["labels", writing.sequence(index), names]
    return ["values", _values(index.array, writing), names, _frequency(index)]


def _is_numpy(dtype: Any) -> bool:
    return type(dtype).__module__.partition(".")[0] == "numpy"


def _frequency(index: Any) -> str | None:
    """Give the frequency of a regular index of dates, as pandas writes it."""
    if type(index).__name__ not in ("DatetimeIndex", "TimedeltaIndex") or index.freq is None:
        return None
    text: str = index.freqstr
    try:
        same = library("pandas.tseries.frequencies").to_offset(text) == index.freq
    except ValueError:
        same = False
    if not same:
        raise NoEncoding(".freq", kind_name(type(index.freq)), "set the index's freq to None")
    return text


def _values(values: Any, writing: Writing) -> list[object]:  # noqa: PLR0911 - one arm a kind
    dtype = values.dtype
    if _is_numpy(dtype) or type(dtype).__name__ == "NumpyEADtype":
        plain = values.to_numpy()
        if plain.dtype.kind == "O":
            return ["objects", texts(plain)]
        return ["numpy", write_plain(plain, writing)]
    match type(dtype).__name__:
        case "CategoricalDtype":
            categories = at(".categories", _index, dtype.categories, writing)
            return ["category", write_plain(values.codes, writing), categories, bool(dtype.ordered)]
        case "DatetimeTZDtype":
            zone = at(".tz", _zone, dtype.tz, writing)
            return ["zoned", write_plain(values.asi8, writing), dtype.unit, zone]
        case "StringDtype":
            held = values.to_numpy(dtype=object, na_value=None).tolist()
            return ["strings", dtype.storage, type(dtype.na_value) is float, held]
        case "ArrowDtype":
            return ["arrow", arrows.array_parts(values.__arrow_array__(), writing)]
        case "PeriodDtype":
            return ["period", write_plain(values.asi8, writing), dtype.name[len("period[") : -1]]
        case "IntervalDtype":
            ends = [_values(end.array, writing) for end in (values.left, values.right)]
            return ["interval", str(dtype.closed), *ends]
    if hasattr(dtype, "numpy_dtype") and hasattr(values, "isna") and type(values).__name__ in _ARRAYS:
        mask = values.isna()  # what lies under it is nobody's value
        plain = values.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
        return ["masked", dtype.name, write_plain(plain, writing), write_plain(mask, writing)]
    raise NoEncoding("", f"pandas array of dtype {dtype}", "turn it into a numpy dtype with .astype(...)")


def _zone(zone: Any, writing: Writing) -> object:
    try:
        return writing.write(zone)
    except NoEncoding as error:
        error.hint = "use zoneinfo.ZoneInfo or datetime.timezone"
        raise


_NOTHING: Final = ("NoneType", "NAType", "NaTType")


def texts(values: Iterable[object]) -> list[object]:
    """Give the elements of a column of objects: text, or missing in one of the ways there are."""
    found: list[object] = []
    for place, value in enumerate(values):
        if type(value) is str or value is None or (type(value) is float and math.isnan(value)):
            found.append(value)
        elif type(value).__name__ in _NOTHING:
            found.append([type(value).__name__])
        else:
            hint = "a column of objects may hold text; give it a dtype of its own"
            raise NoEncoding(f"[{place}]", kind_name(type(value)), hint)
    return found


def _missing(value: object, writing: Writing) -> list[object]:  # noqa: ARG001 - every writer has this shape
    return [type(value).__name__]


def _instant(value: Any, writing: Writing) -> list[object]:
    zone = None if getattr(value, "tz", None) is None else at(".tz", _zone, value.tz, writing)
    return [int(value.asm8.astype("i8")), value.unit, zone, getattr(value, "fold", 0)]


# ---- read --------------------------------------------------------------------------


def _read_frame(parts: list[Any]) -> object:
    pieces, index, columns, attrs, duplicates = listed(parts, 5)
    pandas = library("pandas")
    frames = [_read_piece(*listed(piece, 2)) for piece in listed(pieces)]
    labels = _read_index(index)
    if not frames:
        frame = pandas.DataFrame(index=labels)
    else:
        frame = frames[0] if len(frames) == 1 else pandas.concat(frames, axis=1)
        frame.index = labels
    frame.columns = _read_index(columns)
    return _noted(frame, attrs, duplicates)


def _read_piece(kind: object, made: object) -> Any:
    if type(kind) is str and kind == "block":
        return library("pandas").DataFrame(plain_array(made).T, copy=False)
    return _column(listed(made)).to_frame()


def _read_series(parts: list[Any]) -> object:
    values, index, name, attrs, duplicates = listed(parts, 5)
    made = _column(values)
    made.index, made.name = _read_index(index), name
    return _noted(made, attrs, duplicates)


def _column(parts: list[Any]) -> Any:
    """Give values as a series of their own dtype: pandas would take text among objects for its dtype of text."""
    values = _read_values(parts)
    return library("pandas").Series(values, dtype=values.dtype, copy=False)


def _noted(value: Any, attrs: object, duplicates: object) -> object:
    if type(attrs) is not dict or type(duplicates) is not bool:
        raise BadRecord("not what pandas holds beside values")
    value.attrs.update(attrs)
    if not duplicates:
        value.flags.allows_duplicate_labels = False
    return value


def _read_index(parts: list[Any]) -> Any:
    pandas = library("pandas")
    match listed(parts):
        case ["range", int(start), int(stop), int(step), [name]]:
            return pandas.RangeIndex(start, stop, step, name=name)
        case ["levels", list(levels), list(names)]:
            arrays = [_read_values(level) for level in levels]  # with their dtypes: text among objects is no other
            return pandas.MultiIndex.from_arrays([pandas.Index(a, dtype=a.dtype) for a in arrays], names=names)
        case ["labels", list(labels), [name]]:
            return pandas.Index(_objects(labels), dtype=object, name=name, tupleize_cols=False)
        case ["values", list(values), [name], frequency]:
            made = pandas.Index(_read_values(values), name=name)
            if type(frequency) is str:
                made.freq = frequency
            return made
    raise BadRecord("not an index of pandas")


def _objects(values: list[object]) -> Any:
    numpy = library("numpy")
    made = numpy.empty(len(values), object)
    for place, value in enumerate(values):  # assigned at once, tuples would be taken for rows
        made[place] = value
    return made


def _read_values(parts: list[Any]) -> Any:  # noqa: PLR0911 - one arm a kind
    pandas = library("pandas")
    match listed(parts):
        case ["numpy", values]:
            return plain_array(values)
        case ["objects", list(held)]:
            return read_texts(held)
        case ["category", codes, list(categories), bool(ordered)]:
            return pandas.Categorical.from_codes(
                plain_array(codes), categories=_read_index(categories), ordered=ordered
            )
        case ["zoned", ticks, str(unit), zone]:
            instants = pandas.DatetimeIndex(plain_array(ticks).view(f"M8[{unit}]")).tz_localize("UTC")
            return instants.tz_convert(_read_zone(zone)).array
        case ["strings", str(storage), bool(nan), list(held)]:
            missing = math.nan if nan else pandas.NA
            return pandas.array(_objects(held), dtype=pandas.StringDtype(storage, na_value=missing))
        case ["arrow", list(content)]:
            return pandas.arrays.ArrowExtensionArray(arrows.read_array("ChunkedArray", content))
        case ["period", ordinals, str(frequency)]:
            return pandas.arrays.PeriodArray(plain_array(ordinals), dtype=pandas.PeriodDtype(frequency))
        case ["interval", str(closed), list(left), list(right)]:
            ends = [pandas.Index(_read_values(end)) for end in (left, right)]
            return pandas.arrays.IntervalArray.from_arrays(*ends, closed=closed)
        case ["masked", str(name), values, mask]:
            kind = {"f": "FloatingArray", "b": "BooleanArray"}.get(plain_array(values).dtype.kind, "IntegerArray")
            made = getattr(pandas.arrays, kind)(values, plain_array(mask))
            if made.dtype.name == name:
                return made
    raise BadRecord("not an array of pandas")


def _read_zone(zone: object) -> datetime.tzinfo:
    """Give a time zone that is one: pandas takes text for a zone's name, and one kind of name for any file's path."""
    if kind_name(type(zone)) not in ("datetime.timezone", "zoneinfo.ZoneInfo"):
        raise BadRecord("not a time zone")
    return cast("datetime.tzinfo", zone)


def read_texts(held: list[object]) -> Any:
    """Give the array of objects whose elements :func:`texts` gave."""
    return _objects([_read_missing(one) if type(one) is list else one for one in held])


def _read_missing(parts: list[Any]) -> object:
    pandas = library("pandas")
    match parts:
        case ["NAType"]:
            return pandas.NA
        case ["NaTType"]:
            return pandas.NaT
    raise BadRecord("not a missing value of pandas")


def _read_array(parts: list[Any]) -> object:
    values = _read_values(parts)
    return library("pandas").array(values) if parts[0] == "numpy" else values


def _instant_parts(parts: list[Any]) -> list[Any]:
    ticks, unit, _, fold = listed(parts, 4)
    if (type(ticks), type(unit), type(fold)) != (int, str, int) or unit not in ("s", "ms", "us", "ns"):
        raise BadRecord("not an instant of pandas")
    return parts


def _read_timestamp(parts: list[Any]) -> object:
    ticks, unit, zone, fold = _instant_parts(parts)
    numpy, pandas = library("numpy"), library("pandas")
    made = pandas.Timestamp(numpy.datetime64(ticks, unit))
    if zone is not None:
        made = made.tz_localize("UTC").tz_convert(_read_zone(zone))
    return made.replace(fold=fold) if fold != made.fold else made


def _read_timedelta(parts: list[Any]) -> object:
    ticks, unit, _, _ = _instant_parts(parts)
    return library("pandas").Timedelta(library("numpy").timedelta64(ticks, unit))


READERS: dict[str, Callable[[list[Any]], object]] = {
    "pandas.DataFrame": _read_frame,
    "pandas.Series": _read_series,
    "pandas.Index": _read_index,
    "pandas.array": _read_array,
    "pandas.missing": _read_missing,
    "pandas.Timestamp": _read_timestamp,
    "pandas.Timedelta": _read_timedelta,
}
