"""Claims about values of pandas, xarray and scipy.sparse: one identity, and back without loss (contract K20)."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr

from flowcore.plan.encode import NoEncoding, decode, encode
from flowcore.plan.extension import BadRecord
from tests.plan.corpus import Memory
from tests.plan.tables import cube, equal_tables, tables

TABLES = tables()


def identity(value: object) -> bytes:
    """Give the component of a value."""
    return encode(value, put=Memory().put).component


def check_same(left: Any, right: Any) -> None:
    """Compare as each library does, types and names and flags included; AssertionError if they differ."""
    assert type(left) is type(right)
    if isinstance(left, pd.DataFrame):
        pd.testing.assert_frame_equal(left, right, check_exact=True, check_freq=True, check_flags=True)
        assert left.attrs == right.attrs
        assert type(left.index) is type(right.index)
    elif isinstance(left, pd.Series):
        pd.testing.assert_series_equal(left, right, check_exact=True, check_freq=True, check_flags=True)
        assert left.attrs == right.attrs
    elif isinstance(left, pd.Index):
        pd.testing.assert_index_equal(left, right, exact=True, check_exact=True)
        assert getattr(left, "freq", None) == getattr(right, "freq", None)
    elif isinstance(left, pd.api.extensions.ExtensionArray):
        pd.testing.assert_extension_array_equal(left, right, check_exact=True)
    elif isinstance(left, xr.DataArray | xr.Dataset | xr.Variable):
        assert left.identical(right)
        if not isinstance(left, xr.Variable):
            assert set(left.xindexes) == set(right.xindexes)
            assert {n: c.dtype for n, c in left.coords.items()} == {n: c.dtype for n, c in right.coords.items()}
    elif isinstance(left, sp.sparray | sp.spmatrix):
        assert (left.shape, left.dtype, left.nnz) == (right.shape, right.dtype, right.nnz)
        assert np.array_equal(np.asarray(left.todense()), np.asarray(right.todense()))
    else:
        assert left is right or left == right


@pytest.mark.contract("K20", "KT5")
@pytest.mark.parametrize("name", TABLES)
def test_there_and_back(name: str) -> None:
    """What is decoded is what was encoded, to its names, dtypes, order and flags, and has its identity."""
    home, value = Memory(), TABLES[name]
    encoded = encode(value, put=home.put)
    back = decode(encoded.record, fetch=home.fetch)

    check_same(value, back)
    assert encoded == encode(back, put=home.put)


@pytest.mark.contract("K20", "KT2")
def test_no_two_tables_share_an_identity() -> None:
    """A dtype, a name, an order, a flag, a label: each alone makes another value."""
    found = Counter(identity(value) for value in TABLES.values())
    clashes = [
        (a, b) for a, b in itertools.combinations(TABLES, 2) if identity(TABLES[a]) == identity(TABLES[b])
    ] if len(found) < len(TABLES) else []  # fmt: skip

    assert [] == clashes
    assert len(TABLES) > 120


@pytest.mark.contract("K20", "KT2")
@pytest.mark.parametrize("place", range(len(equal_tables())))
def test_equal_tables_agree(place: int) -> None:
    """Blocks, caches, unused levels, what lies under a mask, the order of sparse entries: none of it counts."""
    left, right = equal_tables()[place]

    assert identity(left) == identity(right)


def _by_values(value: Any) -> object:
    return value.to_numpy().tobytes() if hasattr(value, "to_numpy") else None


def _by_hash(value: Any) -> object:
    return pd.util.hash_pandas_object(value).sum() if isinstance(value, pd.Series | pd.DataFrame | pd.Index) else None


def _by_dense(value: Any) -> object:
    return (value.shape, value.todense().tobytes()) if isinstance(value, sp.sparray | sp.spmatrix) else None


def _by_equals(value: Any) -> object:
    return str(value) if isinstance(value, xr.DataArray) else None


@pytest.mark.contract("K20", "KT2")
@pytest.mark.parametrize("saboteur", [_by_values, _by_hash, _by_dense, _by_equals, repr])
def test_weaker_identities_clash_on_tables(saboteur: Any) -> None:
    """The values are near enough to each other: identities made in the usual ways do clash on them."""
    weak = []
    for value in TABLES.values():
        try:
            made = saboteur(value)
        except (TypeError, ValueError):
            continue
        if made is not None:
            weak.append(str(made) if not isinstance(made, bytes) else made)

    assert 0 < len(set(weak)) < len(weak)


@pytest.mark.contract("K20", "E8")
@pytest.mark.parametrize(
    ("value", "path"),
    [
        (pd.DataFrame({"a": [1, 2], "col": pd.Series(["x", object()], dtype=object)}), "['col'][1]"),
        (pd.DataFrame({"a": [[1], [2]]}), "['a'][0]"),
        ([pd.Series([1, "a"], dtype=object)], "[0][0]"),
        (pd.DataFrame({"a": [1]}, index=pd.Index([object()], dtype=object)), ".index[0]"),
        (xr.Dataset({"v": ("x", np.array([object()], object))}), "['v'][0]"),
        ({"k": cube(attrs={"model": object()})}, "['k'].attrs['model']"),
        (pd.Series(pd.arrays.SparseArray([0, 1])), ""),
    ],
)
def test_refusals_name_the_leaf(value: object, path: str) -> None:
    """A column of objects may hold text; anything else is named by frame, column and row."""
    with pytest.raises(NoEncoding) as refused:
        identity(value)

    assert path == refused.value.path


class Frame(pd.DataFrame):
    """A frame of a class of its own."""


@pytest.mark.contract("K20", "K14")
def test_subclasses_and_lazy_values_are_refused() -> None:
    """What is more than a frame is no frame, and nothing is computed for the sake of an identity."""
    chunked = xr.Variable(("x",), np.zeros(4))
    chunked._data = Chunked(np.zeros(4))
    for value in (Frame({"a": [1]}), pd.DataFrame({"a": [1]}).groupby("a"), xr.DataArray(chunked)):
        with pytest.raises(NoEncoding):
            identity(value)


class Chunked(np.lib.mixins.NDArrayOperatorsMixin):
    """An array that would have to be computed."""

    chunks = ((4,),)
    shape, dtype, ndim, size = (4,), np.dtype("f8"), 1, 4

    def __init__(self, data: Any) -> None:
        self.data = data

    def __array__(self, *_: object, **__: object) -> Any:
        raise AssertionError("computed")

    def __array_function__(self, *_: object) -> Any:
        raise AssertionError("computed")


@pytest.mark.contract("K20")
def test_nothing_is_imported_to_judge() -> None:
    """Encoding values of numpy and Python does not load these libraries; reading a record of theirs does."""
    script = (
        "import sys, numpy as np\n"
        "from flowcore.plan.encode import encode, decode\n"
        "encode([1, 'a', np.zeros(3), {1: 2}], put=None)\n"
        "print(*sorted({'pandas', 'xarray', 'scipy'} & set(sys.modules)))\n"
        f"value = decode({encode(pd.Series([1, 2]), put=Memory().put).record!r}, fetch=None)\n"
        "print(type(value).__name__, *sorted({'pandas', 'xarray'} & set(sys.modules)))\n"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert ["", "Series pandas"] == out.splitlines()


@pytest.mark.contract("K20", "K8")
def test_the_library_enters_the_keys_of_consumers() -> None:
    """Methods of a frame are reached without a name, so the version of pandas goes with the value."""
    encoded = encode(cube(), put=Memory().put, class_identity=lambda kind: b"")
    plain = encode(cube(), put=Memory().put)

    assert (("library pandas", pd.__version__.encode()), ("library xarray", xr.__version__.encode())) == encoded.classes
    assert ((), plain.component) == (plain.classes, encoded.component)


@pytest.mark.contract("K20", "K18")
def test_another_version_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record of another version of the codec is no value; a name of flowcore's cannot be taken."""
    from flowcore.plan import classes, kinds

    record = encode(pd.Series([1]), put=Memory().put).record
    monkeypatch.setitem(classes.shipped_codecs, "pandas.Series", ("2", classes.shipped_codecs["pandas.Series"][1]))
    with pytest.raises(BadRecord, match=r"pandas\.Series"):
        decode(record, fetch=Memory().fetch)
    with pytest.raises(ValueError, match="flowcore's own"):
        kinds.register(Frame, name="pandas.DataFrame", version="1", to=str, back=str)


@pytest.mark.contract("K20")
def test_large_frames_are_one_file() -> None:
    """Neighbouring columns of one dtype go as one array, without being copied where pandas holds them so."""
    home = Memory()
    encode(TABLES["frame large"], put=home.put)

    assert 1 == len(home.files)


@pytest.mark.contract("K20", "KT5")
def test_missing_text_in_an_array_stays_what_it_is() -> None:
    """There are several ways to be missing, and xarray would take one for another."""
    home = Memory()
    held = np.array(["a", pd.NA, None, np.nan], object)
    encoded = encode(xr.Variable("x", held, fastpath=True), put=home.put)
    back: Any = decode(encoded.record, fetch=home.fetch)

    assert list(map(type, held)) == list(map(type, back.data))
    assert encoded.component == identity(back)
