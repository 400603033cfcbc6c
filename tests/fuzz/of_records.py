"""Records of values: decoded, identified, cut, sketched, and searched for what they point to.

A record that nobody vouches for may give some value, since any bytes may be a sound record.
But it is a value like any other: it is encoded again, or has no encoding, and then decodes to
what has the same identity (KT5). Everything else is BadRecord or ValueGone.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import operator
import pathlib
import re
import uuid
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import xarray as xr
from scipy import sparse

from flowcore.plan.cut import elements, item
from flowcore.plan.encode import BadRecord, NoEncoding, ValueGone, component_of, decode, encode, references
from flowcore.plan.extension import INLINE_LIMIT, array_digest
from flowcore.plan.files import Facts, Filed, files_in, has_files
from flowcore.plan.pickled import is_pickled, is_sealed, sealed
from flowcore.plan.records import value_bytes
from flowcore.plan.sketch import sketch
from flowcore.plan.skipped import reason_of, skip_record
from tests.fuzz.reader import Mistake, words

OURS: Final = (BadRecord, ValueGone)
_KEY: Final = b"k" * 32
_MANY: Final = 1000
_LONGEST_SKETCH: Final = 400


@dataclasses.dataclass
class Config:
    """A class of the user's."""

    rate: float
    steps: int


class Colour(enum.Enum):
    RED = 1
    BLUE = "blue"


class Mode(enum.Flag):
    A = 1
    B = 2


class Point(NamedTuple):
    x: float
    y: float


class Home:
    """Where arrays of records lie."""

    def __init__(self) -> None:
        self.files: dict[bytes, bytes] = {}

    def put(self, header: bytes, data: memoryview) -> bytes:
        """Keep an array."""
        digest = array_digest(header, data)
        self.files[digest] = header + bytes(data)
        return digest

    def fetch(self, digest: bytes, header: bytes, nbytes: int, place: int) -> tuple[bytearray, int]:  # noqa: ARG002
        """Give an array that is what its record says, as the store would (B7)."""
        content = self.files.get(digest)
        if content is None or len(content) != len(header) + nbytes or content[: len(header)] != header:
            raise ValueGone(digest)
        return bytearray(content), len(header)


HOME: Final = Home()


def _numpy() -> list[object]:
    structured = np.array([(1, 2.0, "ab")], dtype=[("a", "<i4"), ("b", "<f8"), ("c", "<U2")])
    return [
        np.arange(5),
        np.zeros((2, 3), order="F"),
        np.float64(1.5),
        np.array(3),
        np.empty((0, 4)),
        np.str_("text"),
        np.bytes_(b"\0a"),
        np.datetime64("2020-01-01", "ns"),
        np.timedelta64(5, "s"),
        structured,
        structured[0],
        structured.view(np.recarray),
        np.matrix([[1, 2]]),
        np.dtype("<f4"),
        np.longdouble(1.25),
        np.ma.MaskedArray([1, 2, 3], mask=[0, 1, 0]),
        np.ma.MaskedArray([1.0, 2.0]),
        np.array(["a", "bcd", ""], dtype=np.dtypes.StringDType()),
        np.array(["a", None], dtype=np.dtypes.StringDType(na_object=None)),
        np.arange(4000.0),
        np.array(["x", "yy"]),
        np.array([b"x"]),
        np.array([1 + 2j]),
        np.random.SeedSequence(5, spawn_key=(1,)),
    ]


def _tables() -> list[object]:
    frame = pd.DataFrame({"a": [1, 2], "b": [1.5, np.nan], "c": ["x", None], "d": pd.Categorical(["u", "v"])})
    zoned = pd.Series(pd.date_range("2020", periods=3, freq="D", tz="UTC"), name="when")
    many = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", "y"])
    array = xr.DataArray(
        np.arange(4.0).reshape(2, 2), dims=("x", "y"), coords={"x": [1, 2]}, name="z", attrs={"u": "m"}
    )
    return [
        frame,
        zoned,
        pd.Series([1, None], dtype="Int64"),
        pd.Series(["a", None], dtype="string"),
        pd.RangeIndex(5),
        pd.Series([1, 2], index=many),
        pd.period_range("2020", periods=2, freq="M"),
        pd.interval_range(0, 3),
        pd.Timestamp("2020-01-01", tz="UTC"),
        pd.Timedelta("1s"),
        pd.NA,
        pd.NaT,
        pd.Index([("a", 1), "b"], dtype=object),
        array,
        array.to_dataset(),
        array.variable,
        xr.Dataset({"v": ("t", ["a", None])}),
        sparse.csr_array(np.eye(3)),
        sparse.coo_array(np.eye(2)),
        sparse.dia_array(np.eye(3)),
        sparse.lil_array(np.eye(2)),
        sparse.csc_matrix(np.eye(2)),
        sparse.bsr_array(np.eye(4)),
        sparse.dok_array(np.eye(2)),
    ]


def _columns() -> list[object]:
    texts, lists = ["a", None, "bc"], [[1, 2], None, [3]]
    pairs = [{"p": 1, "q": "a"}, None]
    return [
        pa.table({"a": [1, None], "s": ["x", "yz"]}).replace_schema_metadata({"unit": "m"}),
        pa.table({"a": [1, None]}).to_batches()[0],
        pa.chunked_array([pa.array([True, None])]),
        pa.array(texts),
        pa.array(texts, pa.string_view()),
        pa.array(texts).dictionary_encode(),
        pa.array(lists, pa.large_list(pa.int8())),
        pa.array([[1, 2], None], pa.list_(pa.int64(), 2)),
        pa.array(pairs),
        pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int32())),
        pa.array([decimal.Decimal("1.20"), None]),
        pa.array([datetime.datetime(2020, 1, 2)], pa.timestamp("us", "UTC")),  # noqa: DTZ001 - arrow gives it one
        pa.nulls(3),
        pa.array(np.arange(4000.0)),
        pl.DataFrame({"a": [1, None], "s": ["x", "yz"]}),
        pl.Series("c", texts, dtype=pl.Categorical),
        pl.Series("e", ["u", None], dtype=pl.Enum(["u", "v"])),
        pl.Series("l", lists),
        pl.Series("p", pairs),
        pl.Series("t", [datetime.datetime(2020, 1, 2)], dtype=pl.Datetime("us", "UTC")),  # noqa: DTZ001 - as above
        pl.Series("d", [decimal.Decimal("1.20"), None]),
        pl.Series("n", [None, None]),
    ]


def _plain() -> list[object]:
    zone = datetime.timezone(datetime.timedelta(hours=1), "CET")
    return [
        None,
        True,
        1,
        -5,
        1 << 70,
        1.5,
        "text",
        "\ud800",
        b"bytes",
        [1, [2, "x"]],
        {"a": 1, 2: [3]},
        (1, (2,)),
        {1, 2},
        frozenset({"a"}),
        complex(1, 2),
        bytearray(b"xy"),
        {(1, 2): 3},
        datetime.datetime(2020, 1, 2, 3, 4, 5, 6, zone),
        datetime.date(2020, 1, 2),
        datetime.time(1, 2),
        datetime.timedelta(1, 2, 3),
        pathlib.PurePosixPath("/a/b"),
        re.compile("a+(b|c)", re.IGNORECASE),
        range(3),
        slice(1, None, 2),
        ...,
        decimal.Decimal("1.50"),
        fractions.Fraction(1, 3),
        uuid.UUID(int=5),
        Config(0.5, 10),
        Colour.RED,
        Mode.A | Mode.B,
        Point(1.0, 2.0),
        [Config(1.0, 2), {"p": Point(0.0, 1.0)}],
        zone,
        list(range(6000)),
        ["x" * 50] * 500,
        {"deep": [[[[(1,)]]]]},
    ]


@functools.cache
def records() -> list[bytes]:
    """Give records of every kind of value."""
    filed = iter(
        [
            Filed(b"d" * 32, 7, ".csv", None),
            Filed(b"e" * 32, 7, "/tmp/x.csv", Facts(1, 2, 3, 4, True)),
        ]
    )
    from flowcore.declare.files import File

    found = [encode(value, put=HOME.put).record for value in (*_plain(), *_numpy(), *_tables(), *_columns())]
    found += [encode(File("x.csv"), put=HOME.put, look=lambda _: next(filed)).record for _ in range(2)]
    found.append(skip_record("no data"))
    payload = np.frombuffer(b"pickled", np.uint8)
    array = encode(payload, put=HOME.put).record
    from flowcore.plan.extension import PICKLED, digest_of, extension, pack
    from flowcore.plan.parsing import flat
    from flowcore.plan.pickled import CODEC

    found.append(pack(extension(PICKLED, [CODEC, _KEY, digest_of(b"pickled"), 7, flat(array)])))
    return found


def read(data: bytes) -> str:
    """Have a record read in every way there is."""
    for function in (_identity, _references, _files, _sketch, _pickle, _reason, _elements, _items):
        function(data)
    return _value(data)


def refused(function: Callable[[], object], *more: type[Exception]) -> object:
    """Call something that may refuse in our words; give None then."""
    try:
        return function()
    except (*OURS, *more):
        return None


def _identity(data: bytes) -> None:
    component = refused(lambda: component_of(data, fetch=HOME.fetch))
    if component is not None and not (isinstance(component, bytes) and len(component) <= 33):
        raise Mistake("a component of another form")


def _references(data: bytes) -> None:
    found: Any = refused(lambda: references(data))
    for name, size, place in found or ():
        if not (32 <= len(name) <= 41 and type(size) is int and size >= 0 and type(place) is int):
            raise Mistake("a reference of another form")
    nbytes: Any = refused(lambda: value_bytes(data))
    if nbytes is not None and nbytes < len(data):
        raise Mistake("a value smaller than its record")


def _files(data: bytes) -> None:
    refused(lambda: has_files(data))
    refused(lambda: files_in(data, fetch=HOME.fetch))


def _sketch(data: bytes) -> None:
    told = sketch(data)
    if len(told) > _LONGEST_SKETCH:
        raise Mistake("a sketch without end")


def _pickle(data: bytes) -> None:
    is_pickled(data)
    is_sealed(data, _KEY)
    record: Any = refused(lambda: sealed(data, _KEY))
    if record and not is_sealed(record, _KEY):
        raise Mistake("sealed for a key, and not found to be")


def _reason(data: bytes) -> None:
    refused(lambda: reason_of(data))


def _elements(data: bytes) -> None:
    if b"range" in data:
        held = refused(lambda: decode(data, fetch=HOME.fetch))
        if isinstance(held, range) and not -_MANY < held.stop - held.start < _MANY:
            return  # it has that many elements
    found: Any = refused(lambda: elements(data, fetch=HOME.fetch, put=HOME.put), TypeError, NoEncoding)
    for label, record, component in found or ():
        if label is not None or not isinstance(record, bytes) or not isinstance(component, bytes):
            raise Mistake("an element of another form")


def _items(data: bytes) -> None:
    """Cutting an item out of a record gives what Python would, or raises what Python would."""
    for key in (0, "a"):
        expected = found = None
        try:
            found = item(data, key, fetch=HOME.fetch, put=HOME.put)[1]
        except Exception as error:  # noqa: BLE001 - a value of a library refuses an index in words of its own
            raised: Exception = error
        if isinstance(found, bytes):
            continue
        try:
            expected = operator.getitem(decode(data, fetch=HOME.fetch), key)  # type: ignore[call-overload]
            encode(expected, put=HOME.put)
        except Exception as error:  # noqa: BLE001
            if type(error) is type(raised) or isinstance(raised, (*OURS, NoEncoding)):
                continue
            if isinstance(error, OURS) and isinstance(raised, (LookupError, TypeError)):
                continue  # what is not cut out was not looked at
            if isinstance(error, TypeError) and isinstance(raised, LookupError) and b":" in data:
                continue  # a class that has other fields by now: what stands for its values has no items
        raise raised


def _value(data: bytes) -> str:
    try:
        value = decode(data, fetch=HOME.fetch)
    except OURS as refusal:
        return (
            f"{type(refusal).__name__}: {words(str(refusal))[:40]}" if isinstance(refusal, BadRecord) else "ValueGone"
        )
    try:
        again = encode(value, put=HOME.put)
    except NoEncoding as refusal:
        return f"{type(value).__name__} without encoding: {refusal.kind[:30]}"
    finally:
        if len(HOME.files) > 4000:
            HOME.files.clear()
            records.cache_clear()
            records()
    third = encode(decode(again.record, fetch=HOME.fetch), put=HOME.put)
    if third.component != again.component:
        raise Mistake(f"a {type(value).__name__} is another one when it is read back")
    if again.record != data and len(data) <= INLINE_LIMIT and data in records():
        raise Mistake("a sound record is not what is written for its value")
    return type(value).__name__
