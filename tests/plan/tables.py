"""Values of pandas, xarray and scipy.sparse for claims about encodings: near-equal ones, and equal pairs."""

# ruff: noqa: E501 - tables are read by column

from __future__ import annotations

import zoneinfo
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import scipy.sparse as sp
import xarray as xr

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def series(values: Any, dtype: Any = None, **options: Any) -> Any:
    """Give a series."""
    return pd.Series(values, dtype=dtype, **options)


def noted(value: Any, **attrs: Any) -> Any:
    """Give a value with attrs."""
    value.attrs.update(attrs)
    return value


def strict(value: Any) -> Any:
    """Give a value that refuses labels that are there twice."""
    return value.set_flags(allows_duplicate_labels=False)


def frames() -> dict[str, object]:
    """Give frames of which no two may share an identity."""
    plain = pd.DataFrame({"a": [1, 2], "b": [3.0, 4.0]})
    mixed = pd.DataFrame(
        {"a": [1, 2], "s": ["x", None], "c": pd.Categorical(["u", "v"]), "t": pd.to_datetime(["2024", "2025"])}
    )
    return {
        "frame": plain,
        "frame of int32": plain.astype({"a": "i4"}),
        "frame renamed": plain.rename(columns={"b": "c"}),
        "frame reordered": plain[["b", "a"]],
        "frame with labels": plain.set_axis(["r", "s"]),
        "frame with a named index": plain.rename_axis("row"),
        "frame with named columns": plain.rename_axis(columns="what"),
        "frame edited": plain.assign(a=[1, 3]),
        "frame of floats": pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}),
        "frame transposed": pd.DataFrame({"a": [1.0, 3.0], "b": [2.0, 4.0]}),
        "frame mixed": mixed,
        "frame of two levels": plain.set_index(["a", "b"]),
        "frame pivoted": pd.DataFrame([[1.0, 2.0]], columns=pd.MultiIndex.from_tuples([("u", 1), ("u", 2)])),
        "frame with attrs": noted(plain.copy(), unit="m"),
        "frame strict": strict(plain),
        "frame with equal names": pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]),
        "frame without columns": pd.DataFrame(index=[1, 2]),
        "frame without rows": pd.DataFrame({"a": np.zeros(0), "b": np.zeros(0, "i8")}),
        "frame empty": pd.DataFrame(),
        "frame large": pd.DataFrame(np.arange(30_000.0).reshape(10_000, 3), columns=list("abc")),
        "frame of numbers as names": pd.DataFrame([[1, 2]], columns=[0, 1]),
        "frame with mixed names": pd.DataFrame([[1, 2]], columns=[0, "1"]),
        "frame of tuples as names": pd.DataFrame([[1, 2]], columns=pd.Index([("a", 1), ("a", 2)], tupleize_cols=False)),
    }


def columns() -> dict[str, object]:
    """Give series of which no two may share an identity."""
    moments = ["2024-10-27 02:30", None]
    return {
        "series": series([1, 2]),
        "series of floats": series([1.0, 2.0]),
        "series of int8": series([1, 2], "i1"),
        "series named": series([1, 2], name="a"),
        "series named 0": series([1, 2], name=0),
        "series indexed": series([1, 2], index=[0, 1]),
        "series indexed by text": series([1, 2], index=["0", "1"]),
        "series with attrs": noted(series([1, 2]), unit="m"),
        "series of bool": series([True, False]),
        "series of complex": series([1j, 2]),
        "series big endian": series(np.array([1.0, 2.0], ">f8")),
        "series of nan": series([np.nan, -0.0]),
        "series of nan and 0": series([np.nan, 0.0]),
        "nullable int": series([1, None], "Int64"),
        "nullable int8": series([1, None], "Int8"),
        "nullable int full": series([1, 2], "Int64"),
        "nullable float": series([1.0, None], "Float64"),
        "nullable bool": series([True, None], "boolean"),
        "text": series(["a", None], pd.StringDtype("python", na_value=np.nan)),
        "text with NA": series(["a", None], pd.StringDtype("python", na_value=pd.NA)),
        "text empty": series(["a", ""], pd.StringDtype("python", na_value=np.nan)),
        "objects": series(["a", None], object),
        "objects with nan": series(["a", np.nan], object),
        "objects with NA": series(["a", pd.NA], object),
        "objects with NaT": series(["a", pd.NaT], object),
        "objects of text": series(["a", "b"], object),
        "categories": series(pd.Categorical(["a", "b"])),
        "categories the other way": series(pd.Categorical(["a", "b"], categories=["b", "a"])),
        "categories ordered": series(pd.Categorical(["a", "b"], ordered=True)),
        "categories unused": series(pd.Categorical(["a", "b"], categories=["a", "b", "c"])),
        "categories missing": series(pd.Categorical(["a", None])),
        "categories of int": series(pd.Categorical([1, 2])),
        "moments": series(pd.to_datetime(moments)),
        "moments in s": series(pd.to_datetime(moments)).astype("M8[s]"),
        "moments in ns": series(pd.to_datetime(moments)).astype("M8[ns]"),
        "moments in UTC": series(pd.to_datetime(moments, utc=True)),
        "moments in Berlin": series(pd.to_datetime(moments, utc=True)).dt.tz_convert(BERLIN),
        "durations": series(pd.to_timedelta([1, None], "s")),
        "arrow int": series([1, None], pd.ArrowDtype(pa.int64())),
        "arrow text": series(["a", None], pd.ArrowDtype(pa.string())),
        "arrow lists": series([[1], None], pd.ArrowDtype(pa.list_(pa.int64()))),
        "periods": series(pd.period_range("2024", periods=2, freq="M")),
        "quarters": series(pd.period_range("2024", periods=2, freq="Q")),
        "intervals": series(pd.interval_range(0, 2)),
        "intervals closed left": series(pd.interval_range(0, 2, closed="left")),
        "series empty": series([], "f8"),
    }


def indexes() -> dict[str, object]:
    """Give indexes, arrays and scalars of which no two may share an identity."""
    return {
        "range index": pd.RangeIndex(3),
        "range index from 1": pd.RangeIndex(1, 4),
        "range index by 2": pd.RangeIndex(0, 6, 2),
        "range index named": pd.RangeIndex(3, name="r"),
        "index": pd.Index([0, 1, 2]),
        "index of floats": pd.Index([0.0, 1.0, 2.0]),
        "index of text": pd.Index(["a", "b"]),
        "index of objects": pd.Index(["a", "b"], dtype=object),
        "index mixed": pd.Index([1, "a", (2, 3), None], dtype=object),
        "index of bool": pd.Index([True, False]),
        "index of days": pd.date_range("2024", periods=2, freq="D"),
        "index of moments": pd.DatetimeIndex(pd.date_range("2024", periods=2), freq=None),
        "index of days in Berlin": pd.date_range("2024", periods=2, freq="D", tz=BERLIN),
        "index of durations": pd.timedelta_range("1s", periods=2, freq="s"),
        "index of periods": pd.period_range("2024", periods=2, freq="M"),
        "index of categories": pd.CategoricalIndex(["a", "b"]),
        "index of intervals": pd.interval_range(0, 2),
        "index of two levels": pd.MultiIndex.from_product([[1, 2], ["a", "b"]]),
        "index of two named levels": pd.MultiIndex.from_product([[1, 2], ["a", "b"]], names=["n", None]),
        "index of the same tuples": pd.Index([(1, "a"), (1, "b"), (2, "a"), (2, "b")], tupleize_cols=False),
        "index of a level of objects": pd.MultiIndex.from_arrays([pd.Index(["a", "b"], dtype=object), [1, 2]]),
        "index of a level of text": pd.MultiIndex.from_arrays([["a", "b"], [1, 2]]),
        "levels without rows": pd.MultiIndex.from_arrays([np.zeros(0, "i8"), np.zeros(0)]),
        "array of nullable": pd.array([1, None], dtype="Int64"),
        "array of categories": pd.Categorical(["a", "b"]),
        "array of text": pd.array(["a", None], dtype="str"),
        "array of moments": pd.date_range("2024", periods=2).array,
        "array of periods": pd.period_range("2024", periods=2, freq="M").array,
        "NA": pd.NA,
        "NaT": pd.NaT,
        "timestamp": pd.Timestamp("2024-10-27 02:30"),
        "timestamp in s": pd.Timestamp("2024-10-27 02:30").as_unit("s"),
        "timestamp in Berlin": pd.Timestamp("2024-10-27 02:30", tz="UTC").tz_convert(BERLIN),
        "timedelta": pd.Timedelta("1s"),
    }


def cube(**options: Any) -> Any:
    """Give a DataArray with coordinates."""
    coords = {"x": ["a", "b"], "y": [1.0, 2.0, 3.0], "t": ("y", np.arange(3)), "s": 7}
    return xr.DataArray(np.arange(6.0).reshape(2, 3), dims=("x", "y"), coords=coords, **options)


def labelled() -> dict[str, object]:
    """Give values of xarray of which no two may share an identity."""
    plain = xr.Dataset({"u": cube(), "v": ("x", [1, 2])}, attrs={"title": "t"})
    levels = xr.Coordinates.from_pandas_multiindex(
        pd.MultiIndex.from_product([[1, 2], ["a", "b"]], names=["i", "j"]), "z"
    )
    return {
        "array": cube(),
        "array named": cube(name="n"),
        "array with attrs": cube(attrs={"unit": "m"}),
        "array transposed": cube().transpose("y", "x"),
        "array edited": cube() + 1,
        "array renamed": cube().rename(x="w"),
        "array without coordinates": xr.DataArray(np.arange(6.0).reshape(2, 3), dims=("x", "y")),
        "array with other labels": cube().assign_coords(x=["a", "c"]),
        "array without an index": cube().drop_indexes("x"),
        "array of float32": cube().astype("f4"),
        "array over moments": xr.DataArray([1.0, 2.0], dims="t", coords={"t": pd.date_range("2024", periods=2)}),
        "array over moments in Berlin": xr.DataArray(
            [1.0, 2.0], dims="t", coords={"t": pd.date_range("2024", periods=2, tz=BERLIN)}
        ),
        "array over categories": xr.DataArray(
            [1.0, 2.0], dims="t", coords={"t": ("t", pd.CategoricalIndex(["a", "b"]), {"unit": "m"})}
        ),
        "array over nullable": xr.DataArray([1.0, 2.0], dims="t", coords={"t": pd.Index([1, 2], dtype="Int64")}),
        "dataset of moments in Berlin": xr.Dataset({"when": ("t", pd.date_range("2024", periods=2, tz=BERLIN))}),
        "array over two levels": xr.DataArray(np.arange(4.0), dims="z", coords=levels),
        "array of text": xr.DataArray(np.array(["a", None], object), dims="x"),
        "array indexed by another": cube().set_xindex("t"),
        "array of one": xr.DataArray(1.5),
        "array large": xr.DataArray(np.zeros((100, 100)), dims=("x", "y"), coords={"x": np.arange(100)}),
        "coordinate attrs": cube().assign_coords(x=("x", ["a", "b"], {"axis": "X"})),
        "dataset": plain,
        "dataset reordered": plain[["v", "u"]],
        "dataset without v": plain.drop_vars("v"),
        "dataset other attrs": plain.assign_attrs(title="u"),
        "dataset empty": xr.Dataset(),
        "variable": xr.Variable(("x",), [1.0, 2.0]),
        "variable with attrs": xr.Variable(("x",), [1.0, 2.0], {"unit": "m"}),
    }


def sparse() -> dict[str, object]:
    """Give sparse matrices of which no two may share an identity."""
    dense = np.array([[0, 1.0, 0], [2.0, 0, 3.0]])
    found: dict[str, object] = {}
    for form in ("csr", "csc", "coo", "bsr", "dia", "lil", "dok"):
        for kind in ("array", "matrix"):
            found[f"{form} {kind}"] = getattr(sp, f"{form}_{kind}")(dense)
    zero = sp.csr_array(dense)
    zero.data[0] = 0.0
    return found | {
        "csr float32": sp.csr_array(dense.astype("f4")),
        "csr transposed": sp.csr_array(dense.T),
        "csr edited": sp.csr_array(dense * 2),
        "csr with a zero": zero,
        "csr empty": sp.csr_array((2, 3)),
        "csr wide": sp.csr_array((2, 4)),
        "csr complex": sp.csr_array(dense * 1j),
        "csr large": sp.random_array((500, 500), density=0.05, rng=np.random.default_rng(1), format="csr"),
        "coo of three dimensions": sp.coo_array(np.arange(8.0).reshape(2, 2, 2)),
        "coo of one": sp.coo_array(np.array([0.0, 1.0])),
    }


def tables() -> dict[str, object]:
    """Give all of them, by name."""
    return frames() | columns() | indexes() | labelled() | sparse()


def equal_tables() -> list[tuple[object, object]]:
    """Give pairs that must share their identity."""
    plain = pd.DataFrame({"a": [1, 2], "b": [3.0, 4.0]})
    grown = pd.DataFrame({"a": [1, 2]})
    grown["b"] = [3.0, 4.0]
    floats = pd.DataFrame(np.arange(6.0).reshape(3, 2), columns=["a", "b"])
    apart = pd.DataFrame({"a": np.arange(0, 6.0, 2), "b": np.arange(1, 6.0, 2)})
    mapped, looked = pd.Index(["a", "b"]), pd.Index(["a", "b"])
    looked.get_loc("b")
    rows = pd.MultiIndex.from_product([[1, 2], ["a", "b"]])
    masked = pd.array([1, 2], dtype="Int64")
    masked[1] = pd.NA
    row, column, data = [0, 0, 1], [1, 1, 0], [1.0, 2.0, 4.0]
    unsorted = sp.csr_array(([2.0, 1.0], [2, 0], [0, 2]), shape=(1, 3))
    wide = sp.csr_array(np.eye(3))
    wide.indices, wide.indptr = wide.indices.astype("i8"), wide.indptr.astype("i8")
    written = cube()
    written.encoding["zlib"] = True
    return [
        (plain, grown), (plain, plain.copy()), (floats, apart), (plain.iloc[::-1].iloc[::-1], plain.set_axis(pd.RangeIndex(2))),
        (mapped, looked), (rows[:2], pd.MultiIndex.from_tuples([(1, "a"), (1, "b")])), (series(masked), series([1, None], "Int64")),
        (series(np.arange(10)[::2]), series(np.arange(0, 10, 2))), (floats.T.T, floats), (floats.iloc[1:].reset_index(drop=True), apart.iloc[1:].reset_index(drop=True)),
        (sp.coo_array((data, (row, column)), shape=(2, 2)), sp.coo_array(([3.0, 4.0], ([0, 1], [1, 0])), shape=(2, 2))),
        (unsorted, sp.csr_array(np.array([[1.0, 0, 2.0]]))), (wide, sp.csr_array(np.eye(3))),
        (sp.dia_array((np.array([[1.0, 2, 3], [9, 5, 6]]), [0, 1]), shape=(3, 3)), sp.dia_array((np.array([[8.0, 5, 6], [1, 2, 3]]), [1, 0]), shape=(3, 3))),
        (cube(), cube().copy()), (cube(), written), (cube().transpose("y", "x").transpose("x", "y"), cube()),
        (cube().drop_vars("s").assign_coords(s=7), cube()),
    ]  # fmt: skip
