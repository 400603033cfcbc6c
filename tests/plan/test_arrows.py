"""Claims about values of pyarrow and polars: one identity, and back without loss (contract K20)."""

# ruff: noqa: E501 - tables are read by column

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from flowcore.plan.encode import NoEncoding, decode, encode, no_fetch
from flowcore.plan.extension import ARRAY_INLINE, REGISTERED, BadRecord, array_digest, extension, pack
from tests.plan.arrowtables import all_values, pairs
from tests.plan.corpus import Memory

VALUES = all_values()
PAIRS = pairs()


def identity(value: object) -> bytes:
    """Give the component of a value."""
    return encode(value, put=array_digest).component


def check_same(left: Any, right: Any) -> None:
    """Compare as each library does, types and names and metadata included; AssertionError if they differ."""
    assert type(left) is type(right)
    if isinstance(left, pl.DataFrame | pl.Series):
        assert (left.shape, repr(left)) == (right.shape, repr(right))
        assert (left.schema if isinstance(left, pl.DataFrame) else left.dtype) == (
            right.schema if isinstance(right, pl.DataFrame) else right.dtype
        )
        assert left.equals(right, null_equal=True)
        return
    if isinstance(left, pa.Table | pa.RecordBatch):
        assert left.schema.equals(right.schema, check_metadata=True)
    else:
        assert left.type == right.type
    right.validate(full=True)
    columns = [(one.columns if hasattr(one, "columns") else [one]) for one in (left, right)]
    assert repr([column.to_pylist() for column in columns[0]]) == repr([column.to_pylist() for column in columns[1]])


@pytest.mark.contract("K20", "KT5")
@pytest.mark.parametrize("name", VALUES)
def test_there_and_back(name: str) -> None:
    """What is decoded is what was encoded, to its types, names, nulls and metadata, and has its identity."""
    memory = Memory()
    encoded = encode(VALUES[name], put=memory.put)
    found = decode(encoded.record, fetch=memory.fetch)

    check_same(VALUES[name], found)
    assert encoded.component == identity(found)


@pytest.mark.contract("K20")
def test_no_two_share_an_identity() -> None:
    """Values that differ in a type, a name, a null or metadata."""
    counts = Counter(identity(value) for value in VALUES.values())

    assert [] == [name for name, value in VALUES.items() if counts[identity(value)] > 1]


@pytest.mark.contract("K20")
@pytest.mark.parametrize("name", PAIRS)
def test_what_is_not_seen_does_not_count(name: str) -> None:
    """Chunks, slices, what lies under a null, codes of categories."""
    one, other = PAIRS[name]

    assert identity(one) == identity(other)


@pytest.mark.contract("S7")
def test_large_values_are_mapped() -> None:
    """The buffer of a large array is the file of the store itself, and no copy."""
    memory = Memory()
    held = np.arange(30_000.0)
    record = encode(pa.table({"x": held}), put=memory.put).record
    mapped: list[int] = []

    def fetch(digest: bytes, header: bytes, nbytes: int, place: int) -> Any:
        buffer, offset = memory.fetch(digest, header, nbytes, place)
        mapped.append(np.frombuffer(buffer, "u1", offset=offset).ctypes.data)
        return buffer, offset

    found: Any = decode(record, fetch=fetch)

    assert mapped == [found.column("x").chunk(0).buffers()[1].address]


@pytest.mark.contract("K20", "K8")
def test_the_library_enters_the_keys_of_consumers() -> None:
    """Methods of a table are reached without a name, so the version of its library goes with the value."""
    values = (pa.table({"a": [1]}), pl.DataFrame({"a": [1]}))
    found = [encode(value, put=array_digest, class_identity=lambda kind: b"").classes for value in values]

    assert [(("library pyarrow", pa.__version__.encode()),), (("library polars", pl.__version__.encode()),)] == found


@pytest.mark.contract("K20")
def test_nothing_is_imported_to_judge() -> None:
    """Encoding values of numpy and Python does not load these libraries; reading a record of theirs does."""
    script = (
        "import sys, numpy as np\n"
        "from flowcore.plan.encode import encode, decode\n"
        "encode([1, 'a', np.zeros(3), {1: 2}], put=None)\n"
        "print(*sorted({'pyarrow', 'polars'} & set(sys.modules)))\n"
        f"value = decode({encode(pa.array([1, 2]), put=array_digest).record!r}, fetch=None)\n"
        "print(type(value).__name__, *sorted({'pyarrow', 'polars'} & set(sys.modules)))\n"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert ["", "Int64Array pyarrow"] == out.splitlines()


REFUSED = {
    "a query": (pl.LazyFrame({"a": [1]}), "", "a query has no value yet: call .collect() on it first"),
    "objects": (pl.DataFrame({"a": [1], "o": pl.Series([object()])}), "['o']", "cast it to another dtype first"),
    "categories in a list": (pl.Series([["u"]], dtype=pl.List(pl.Categorical)), "", "cast it to another dtype first"),
    "128 bits": (pl.Series([1], dtype=pl.Int128), "", "cast it to another dtype first"),
    "a union": (
        pa.table({"u": pa.UnionArray.from_dense(pa.array([0], "i1"), pa.array([0], "i4"), [pa.array([1])])}),
        "['u']",
        "cast it to another type first",
    ),
    "an extension": (pa.array([b"0" * 16], pa.uuid()), "", "take its .storage"),
    "runs": (pa.RunEndEncodedArray.from_arrays([1], [2]), "", "cast it to another type first"),
}


@pytest.mark.contract("K20")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_kept_says_what_to_do(name: str) -> None:
    """With the column where it is."""
    value, path, hint = REFUSED[name]
    with pytest.raises(NoEncoding) as refusal:
        identity(value)

    assert (path, hint) == (refusal.value.path, refusal.value.hint)


@pytest.mark.contract("K20")
def test_polars_without_pyarrow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """It hands its values over by way of pyarrow alone."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(NoEncoding, match="install pyarrow"):
        identity(pl.Series([1]))


def shipped(name: str, *parts: object) -> Any:
    """Give a record that says it is a value of pyarrow or polars."""
    return extension(REGISTERED, [name, "1", list(parts)])


def held(values: Any, dtype: str) -> Any:
    """Give an array as a part of a record."""
    array = np.array(values, dtype)
    return extension(ARRAY_INLINE, [array.tobytes(), array.dtype.str, False, list(array.shape)])


INTS = ["int64"]
TEXTS = ["string"]
LIST = ["list", ["item", True, None, INTS]]
INDEX = [["int8"], TEXTS, False]
TEXT = [None, [held([0, 1], "<i4"), held([97], "u1")], []]
CRAFTED = {
    "a length beyond the buffer": (INTS, 3, [None, [held([1, 2], "<i8")], []]),
    "a length beyond all memory": (INTS, 1 << 61, [None, [held([1, 2], "<i8")], []]),
    "a length below zero": (INTS, -1, [None, [held([1, 2], "<i8")], []]),
    "a length that is a bool": (INTS, True, [None, [held([1], "<i8")], []]),
    "a buffer of another dtype": (INTS, 2, [None, [held([1, 2], "<i4")], []]),
    "a buffer of rows": (INTS, 2, [None, [held([[1, 2]], "<i8")], []]),
    "a buffer that is text": (INTS, 2, [None, ["ab"], []]),
    "a buffer too many": (INTS, 1, [None, [held([1], "<i8"), held([1], "<i8")], []]),
    "a buffer too few": (TEXTS, 1, [None, [], []]),
    "a child of what has none": (INTS, 1, [None, [held([1], "<i8")], [TEXT]]),
    "a mask that is too short": (INTS, 9, [held([255], "u1"), [held(range(9), "<i8")], []]),
    "offsets that go back": (TEXTS, 2, [None, [held([0, 3, 1], "<i4"), held([97], "u1")], []]),
    "offsets that overlap": (TEXTS, 3, [None, [held([0, 1, 0, 1], "<i4"), held([97], "u1")], []]),
    "offsets beyond the text": (TEXTS, 1, [None, [held([0, 9], "<i4"), held([97], "u1")], []]),
    "offsets that begin later": (TEXTS, 1, [None, [held([1, 2], "<i4"), held([97, 98], "u1")], []]),
    "text that is none": (TEXTS, 1, [None, [held([0, 1], "<i4"), held([255], "u1")], []]),
    "views of text that is none": (["string_view"], 1, [None, [held([0, 1], "<i8"), held([255], "u1")], []]),
    "a list beyond its elements": (LIST, 1, [None, [held([0, 9], "<i4")], [[None, [held([1], "<i8")], []]]]),
    "a list of elements of another type": (LIST, 1, [None, [held([0, 1], "<i4")], [TEXT]]),
    "an index beyond the dictionary": (
        ["dictionary", *INDEX],
        1,
        [None, [1], [[None, [held([7], "|i1")], []], TEXT]],
    ),
    "an index below zero": (["dictionary", *INDEX], 1, [None, [1], [[None, [held([-1], "|i1")], []], TEXT]]),
    "a dictionary of floats as indices": (
        ["dictionary", ["double"], TEXTS, False],
        1,
        [None, [1], [[None, [held([0], "<f8")], []], TEXT]],
    ),
    "a type that is none": (["eval"], 1, [None, [], []]),
    "a type with a method's name": (["__class__"], 1, [None, [], []]),
    "a decimal without end": (["decimal", 128, 999, 2], 1, [None, [held([[0] * 16], "u1")], []]),
    "a list of 2**40 each": (
        ["fixed_size_list", ["item", True, None, INTS], 1 << 40],
        1,
        [None, [], [[None, [held([1], "<i8")], []]]],
    ),
    "structs of lists that are too short": (
        ["struct", [["p", True, None, INTS]]],
        2,
        [None, [], [[None, [held([1], "<i8")], []]]],
    ),
}


@pytest.mark.contract("S7")
@pytest.mark.parametrize("name", CRAFTED)
@pytest.mark.parametrize("kind", ["pyarrow.Array", "polars.Series"])
def test_crafted_arrays_are_refused(name: str, kind: str) -> None:
    """Arrow would read beyond a buffer, or believe what it is told: nothing of this reaches it."""
    parts = list(CRAFTED[name])
    whole = shipped(kind, *parts) if kind == "pyarrow.Array" else shipped(kind, "a", ["Int64"], parts)

    with pytest.raises(BadRecord):
        decode(pack(whole), fetch=no_fetch)


TABLES = {
    "a column that is longer": [[["a", True, None, INTS]], None, 1, [[None, [held([1, 2], "<i8")], []]]],
    "a column too many": [[], None, 1, [[None, [held([1], "<i8")], []]]],
    "rows without columns": [[], None, 1 << 40, []],
    "metadata that is text": [[["a", True, [["a", "b"]], INTS]], None, 1, [[None, [held([1], "<i8")], []]]],
}


@pytest.mark.contract("S7")
@pytest.mark.parametrize("name", TABLES)
def test_crafted_tables_are_refused(name: str) -> None:
    """Likewise."""
    with pytest.raises(BadRecord):
        decode(pack(shipped("pyarrow.Table", *TABLES[name])), fetch=no_fetch)


NULLS = ["null"]
FRAMES = {
    "a height beyond the columns": ["polars.DataFrame", [["a", ["Null"], [NULLS, 2, [None, [], []]]]], 3],
    "a height without columns": ["polars.DataFrame", [], 1 << 60],
    "names that are there twice": ["polars.DataFrame", [["a", ["Null"], [NULLS, 2, [None, [], []]]]] * 2, 2],
    "text that is not of the enum": ["polars.Series", "e", ["Enum", ["u"]], [["large_string"], 1, [None, [held([0, 1], "<i8"), held([97], "u1")], []]]],
    "categories that are there twice": ["polars.Series", "e", ["Enum", ["u", "u"]], [["large_string"], 1, [None, [held([0, 1], "<i8"), held([117], "u1")], []]]],
    "a zone that is none": ["polars.Series", "t", ["Datetime", "us", "../../etc"], [["timestamp", "us", "../../etc"], 1, [None, [held([0], "<i8")], []]]],
    "another dtype": ["polars.Series", "a", ["Int8"], [INTS, 1, [None, [held([1], "<i8")], []]]],
}  # fmt: skip


@pytest.mark.contract("S7")
@pytest.mark.parametrize("name", FRAMES)
def test_crafted_frames_are_refused(name: str) -> None:
    """What polars raises over them is no error of another kind."""
    kind, *parts = FRAMES[name]

    with pytest.raises(BadRecord):
        decode(pack(shipped(str(kind), *parts)), fetch=no_fetch)
