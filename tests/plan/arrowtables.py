"""Values of pyarrow and polars for claims about encodings: near-equal ones, and pairs that are equal."""

# ruff: noqa: E501 - tables are read by column

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

DAY = datetime.date(2024, 2, 29)
MOMENT = datetime.datetime(2024, 10, 27, 2, 30)  # noqa: DTZ001 - arrow gives it a zone, or none
PAIR = pa.struct([pa.field("p", pa.int64()), pa.field("q", pa.string())])


def arrays() -> dict[str, object]:
    """Give arrays of pyarrow of which no two may share an identity."""
    texts = ["a", None, "", "längerer Text"]
    lists = [[1, 2], None, [], [3]]
    pairs = [{"p": 1, "q": "a"}, None, {"p": None, "q": "b"}]
    return {
        "int64": pa.array([1, 2, None]),
        "int64 with 0": pa.array([1, 2, 0]),
        "int64 with nan": pa.array([1.0, 2.0, float("nan")]),
        "int8": pa.array([1, 2, None], pa.int8()),
        "uint16": pa.array([1, 2, None], pa.uint16()),
        "half": pa.array(np.array([1, 2], "f2")),
        "float": pa.array([1, 2, -0.0], pa.float32()),
        "double": pa.array([1, 2, -0.0], pa.float64()),
        "bool": pa.array([True, None, False]),
        "bool full": pa.array([True, False, False]),
        "null": pa.nulls(3),
        "null longer": pa.nulls(4),
        "text": pa.array(texts),
        "large text": pa.array(texts, pa.large_string()),
        "text by view": pa.array(texts, pa.string_view()),
        "bytes": pa.array([b"a", None, b""]),
        "large bytes": pa.array([b"a", None, b""], pa.large_binary()),
        "bytes by view": pa.array([b"a", None, b""], pa.binary_view()),
        "bytes of 3": pa.array([b"abc", None], pa.binary(3)),
        "bytes of 0": pa.array([b"", None], pa.binary(0)),
        "date": pa.array([DAY, None]),
        "date in ms": pa.array([DAY, None], pa.date64()),
        "time in s": pa.array([datetime.time(1, 2, 3)], pa.time32("s")),
        "time in ns": pa.array([datetime.time(1, 2, 3)], pa.time64("ns")),
        "moment": pa.array([MOMENT, None]),
        "moment in ns": pa.array([MOMENT, None], pa.timestamp("ns")),
        "moment in Berlin": pa.array([MOMENT, None], pa.timestamp("us", "Europe/Berlin")),
        "moment in UTC": pa.array([MOMENT, None], pa.timestamp("us", "UTC")),
        "duration": pa.array([datetime.timedelta(1), None]),
        "interval": pa.array([pa.MonthDayNano([1, 2, 3]), None]),
        "decimal": pa.array([decimal.Decimal("1.20"), None]),
        "decimal of 256 bits": pa.array([decimal.Decimal("1.20"), None], pa.decimal256(40, 2)),
        "list": pa.array(lists),
        "large list": pa.array(lists, pa.large_list(pa.int64())),
        "list of lists": pa.array([[[1], None], None, [[]]]),
        "list of named elements": pa.array(lists, pa.list_(pa.field("element", pa.int64()))),
        "pairs in a list": pa.array([[1, 2], None, [3, None]], pa.list_(pa.int64(), 2)),
        "struct": pa.array(pairs, PAIR),
        "struct of nothing": pa.array([{}, None], pa.struct([])),
        "list of structs": pa.array([pairs, None], pa.list_(PAIR)),
        "map": pa.array([[("a", 1)], None, [("b", None)]], pa.map_(pa.string(), pa.int32())),
        "dictionary": pa.array(["a", "b", None, "a"]).dictionary_encode(),
        "dictionary unused": pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0], pa.int32()), ["a", "b", "c"]),
        "dictionary of int8": pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0], pa.int8()), ["a", "b"]),
        "dictionary ordered": pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0], pa.int32()), ["a", "b"], ordered=True),
        "empty": pa.array([], pa.int64()),
        "empty text": pa.array([], pa.string()),
        "empty list": pa.array([], pa.list_(pa.int64())),
        "large": pa.array(np.arange(30_000.0)),
    }  # fmt: skip


def arrow_tables() -> dict[str, object]:
    """Give tables of pyarrow of which no two may share an identity."""
    plain = pa.table({"a": [1, 2], "s": ["x", None]})
    return {
        "table": plain,
        "table renamed": plain.rename_columns(["a", "t"]),
        "table reordered": plain.select(["s", "a"]),
        "table edited": pa.table({"a": [1, 3], "s": ["x", None]}),
        "table with metadata": plain.replace_schema_metadata({"unit": "m"}),
        "table of a field with metadata": plain.cast(pa.schema([pa.field("a", pa.int64(), metadata={"unit": "m"}), plain.schema.field("s")])),
        "table that needs all": plain.cast(pa.schema([pa.field("a", pa.int64(), nullable=False), plain.schema.field("s")])),
        "table with equal names": pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]),
        "table without rows": plain.slice(0, 0),
        "table without columns": pa.table({}),
        "batch": plain.to_batches()[0],
        "chunked array": pa.chunked_array([pa.array([1, 2, None])]),
        "table of all kinds": pa.table({name: array.slice(0, 2) for name, array in arrays().items() if len(array) > 1}),  # type: ignore[attr-defined, arg-type]
    }  # fmt: skip


def polars_values() -> dict[str, object]:
    """Give frames and series of polars of which no two may share an identity."""
    frame = pl.DataFrame({"a": [1, 2], "s": ["x", None]})
    texts = ["u", None, "v"]
    return {
        "polars frame": frame,
        "polars frame renamed": frame.rename({"a": "b"}),
        "polars frame reordered": frame.select("s", "a"),
        "polars frame edited": frame.with_columns(a=pl.Series([1, 3])),
        "polars frame without rows": frame.head(0),
        "polars frame empty": pl.DataFrame(),
        "polars frame of height 5": pl.DataFrame(height=5),
        "polars series": pl.Series("a", [1, 2]),
        "polars series without name": pl.Series([1, 2]),
        "polars series of int8": pl.Series("a", [1, 2], pl.Int8),
        "polars series of nan": pl.Series("a", [1.0, float("nan")]),
        "polars series of null": pl.Series("a", [1.0, None]),
        "polars bool": pl.Series([True, None]),
        "polars text": pl.Series(texts),
        "polars bytes": pl.Series([b"a", None]),
        "polars categories": pl.Series(texts, dtype=pl.Categorical),
        "polars enum": pl.Series(texts, dtype=pl.Enum(["u", "v"])),
        "polars enum the other way": pl.Series(texts, dtype=pl.Enum(["v", "u"])),
        "polars moment": pl.Series([MOMENT, None]),
        "polars moment in ms": pl.Series([MOMENT, None], dtype=pl.Datetime("ms")),
        "polars moment in Berlin": pl.Series([MOMENT, None]).dt.replace_time_zone("Europe/Berlin", ambiguous="earliest"),
        "polars date": pl.Series([DAY, None]),
        "polars time": pl.Series([datetime.time(1, 2), None]),
        "polars duration": pl.Series([datetime.timedelta(1), None]),
        "polars decimal": pl.Series([decimal.Decimal("1.20"), None]),
        "polars list": pl.Series([[1, 2], None, []]),
        "polars array": pl.Series([[1.0, 2.0], None], dtype=pl.Array(pl.Float64, 2)),
        "polars array of arrays": pl.Series([[[1, 2]], None], dtype=pl.Array(pl.Int64, (1, 2))),
        "polars struct": pl.Series([{"p": 1, "q": "a"}, None, {"p": None, "q": "b"}]),
        "polars null": pl.Series([None, None]),
        "polars large": pl.Series(np.arange(30_000.0)),
    }  # fmt: skip


def all_values() -> dict[str, Any]:
    """Give all of them."""
    return {**arrays(), **arrow_tables(), **polars_values()}


def pairs() -> dict[str, tuple[object, object]]:
    """Give pairs of values that look the same and are held in another way."""
    table = pa.table({name: array.slice(0, 2) for name, array in arrays().items() if len(array) > 1})  # type: ignore[attr-defined, arg-type]
    hidden = pa.Array.from_buffers(pa.int64(), 2, [pa.py_buffer(b"\x01"), pa.py_buffer(np.array([1, 99]))])
    under = pa.Array.from_buffers(
        pa.string(), 2, [pa.py_buffer(b"\x02"), pa.py_buffer(np.array([0, 2, 3], "i4")), pa.py_buffer(b"xyz")]
    )
    lists = pa.Array.from_buffers(
        pa.list_(pa.int64()),
        2,
        [pa.py_buffer(b"\x02"), pa.py_buffer(np.array([0, 2, 3], "i4"))],
        children=[pa.array([7, 8, 9])],
    )
    frame = pl.DataFrame({"a": [1, 2, 3], "c": pl.Series(["u", "v", "u"], dtype=pl.Categorical)})
    whole = {
        f"slice of {name}": (array.slice(1), pa.concat_arrays([array.slice(1, 1), array.slice(2)]))
        for name, array in arrays().items()
        if len(array) > 2
    }  # type: ignore[attr-defined, arg-type]
    return {
        **whole,
        "chunks": (table, pa.concat_tables([table.slice(0, 1), table.slice(1)])),
        "chunks of an array": (pa.chunked_array([[1, 2, 3]]), pa.chunked_array([[1], [], [2, 3]])),
        "dictionaries of chunks": (
            pa.chunked_array([pa.array(["a", "b", "b", "c"]).dictionary_encode()]),
            pa.chunked_array([pa.array(["a", "b"]).dictionary_encode(), pa.array(["b", "c"]).dictionary_encode()]),
        ),
        "number under a null": (pa.array([1, None]), hidden),
        "text under a null": (pa.array([None, "z"]), under),
        "list under a null": (pa.array([None, [9]]), lists),
        "mask that masks nothing": (pa.array([1, 2]), pa.array([1, 2, None]).slice(0, 2)),
        "chunks of a frame": (frame, pl.concat([frame[:1], frame[1:]], rechunk=False)),
        "order of categories": (
            pl.Series(["u", "v"], dtype=pl.Categorical),
            pl.Series(["v", "u", "v"], dtype=pl.Categorical)[1:],
        ),
        "flag of order": (pl.Series([1, 2]), pl.Series([1, 2]).sort()),
    }  # fmt: skip
