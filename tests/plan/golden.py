"""Values whose identities are frozen: a difference here is a new schema, or a fault."""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import pathlib
import re
import tempfile
import uuid
import zoneinfo
from typing import Any

import numpy as np

from flowcore.declare.files import File
from flowcore.plan.encode import encode
from flowcore.store.files import Files
from tests.plan.corpus import (
    Colour,
    Config,
    Frozen,
    Level,
    Mark,
    Memory,
    Point,
    Right,
    Size,
    matrix,
    nan,
    padded,
    strings,
)

FROZEN = pathlib.Path(__file__).with_name("golden.txt")  # a line a value: component and name


def component(value: object) -> str:
    """Give the identity of a value, as it stands in the file."""
    return encode(value, put=Memory().put, look=Files().look).component.hex()


def values() -> dict[str, object]:
    """Give the values, by name."""
    grid = np.arange(6.0).reshape(2, 3)
    return (
        {
            "none": None,
            "true": True,
            "one": 1,
            "one point": 1.0,
            "minus zero": -0.0,
            "nan": float("nan"),
            "big": 2**64,
            "minus big": -(2**63) - 1,
            "complex": 1 + 2j,
            "text": "Grüße",
            "long text": "a" * 40_000,
            "bytes": b"abc",
            "bytearray": bytearray(b"abc"),
            "list": [1, "a", 2.5],
            "tuple": (1, "a", 2.5),
            "nested": {"a": [1, (2, {3: None})]},
            "tuple keys": {(1, 2): "x"},
            "set": {"a", "b", "c", 1},
            "frozenset": frozenset({("x", 1), ("y", 2)}),
            "datetime": dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.UTC),
            "date": dt.date(2024, 2, 29),
            "duration": dt.timedelta(hours=1),
            "path": pathlib.PurePosixPath("a/b"),
            "decimal": decimal.Decimal("1.10"),
            "range": range(1, 10, 2),
            "float64": np.float64(1),
            "int8": np.int8(1),
            "datetime64": np.datetime64("2024-02-29", "D"),
            "array": grid,
            "fortran": np.asfortranarray(grid),
            "big endian": grid.astype(">f4"),
            "empty": np.zeros((0, 3)),
            "point": np.array(1.5),
            "large": np.arange(10_000.0),
            "days": np.array([0, 1], "M8[D]"),
            "texts": np.array(["a", "bc"]),
            "struct": padded(0),
            "masked": np.ma.masked_array([1.0, 2.0], [False, True]),
            "strings": strings("a", "bc"),
            "list of arrays": [np.arange(3.0), np.arange(10_000.0)],
            "dataclass": Config(0.5, (1, 2)),
            "namedtuple": Point(1, 2),
            "enum": Colour.RED,
        }
        | _scalars()
        | _moments()
        | _containers()
        | _arrays()
        | _classes()
    )


def _scalars() -> dict[str, object]:
    return {
        "false": False,
        "zero": 0,
        "minus one": -1,
        "byte": 255,
        "int 32": 2**31,
        "int 63": 2**63 - 1,
        "int 64": 2**64 - 1,
        "huge": 3**500,
        "plus zero": 0.0,
        "infinity": float("inf"),
        "minus infinity": float("-inf"),
        "smallest": 5e-324,
        "payload": nan(7),
        "negative nan": -nan(0),
        "complex zeros": complex(-0.0, 0.0),
        "complex nan": complex(nan(1), 1),
        "empty text": "",
        "nul": "a\0",
        "composed": "\u00e9",
        "decomposed": "e\u0301",
        "surrogate": "\ud800",
        "emoji": "\U0001f30d",
        "text of 31": "a" * 31,
        "text of 32": "a" * 32,
        "no bytes": b"",
        "bytes of zeros": bytes(40),
        "long bytes": b"ab" * 20_000,
        "ellipsis": ...,
        "not implemented": NotImplemented,
        "float32": np.float32(0.1),
        "float16": np.float16(0.1),
        "numpy minus zero": np.float64(-0.0),
        "uint64": np.uint64(2**64 - 1),
        "numpy bool": np.bool_(True),
        "complex64": np.complex64(1 + 2j),
        "numpy text": np.str_("a\0"),
        "numpy bytes": np.bytes_(b"a\0"),
        "void": np.void(b"abc"),
        "timedelta64": np.timedelta64(5, "ms"),
        "datetime64 in 25 s": np.datetime64(1, "25s"),
        "not a time": np.datetime64("NaT", "ns"),
        "dtype": np.dtype(">i2"),
        "structured dtype": np.dtype([("a", "<f4"), ("b", "<i8", (2,))]),
        "seed sequence": np.random.SeedSequence(7, spawn_key=(1, 2)),
    }


def _moments() -> dict[str, object]:
    berlin, noon = zoneinfo.ZoneInfo("Europe/Berlin"), dt.datetime(2024, 10, 27, 2, 30, 0, 5)  # noqa: DTZ001 - it has no zone on purpose
    return {
        "naive": noon,
        "fold": noon.replace(fold=1),
        "zone": noon.replace(tzinfo=berlin),
        "zone and fold": noon.replace(tzinfo=berlin, fold=1),
        "offset": noon.replace(tzinfo=dt.timezone(dt.timedelta(hours=-3, minutes=-30))),
        "named offset": noon.replace(tzinfo=dt.timezone(dt.timedelta(hours=1), "CET")),
        "time": dt.time(1, 2, 3, 4),
        "time with zone": dt.time(1, tzinfo=berlin, fold=1),
        "UTC": dt.UTC,
        "a zone": berlin,
        "negative duration": dt.timedelta(microseconds=-1),
        "windows path": pathlib.PureWindowsPath("C:/a"),
        "posix path": pathlib.PosixPath("/a/b"),
        "decimal nan": decimal.Decimal("sNaN12"),
        "decimal exponent": decimal.Decimal("-1E+5"),
        "fraction": fractions.Fraction(-1, 3),
        "uuid": uuid.UUID(int=2**100),
        "pattern": re.compile(r"a+", re.IGNORECASE),
        "bytes pattern": re.compile(rb"a+"),
        "slice": slice(1, None, -1),
        "empty range": range(0),
    }


def _containers() -> dict[str, object]:
    deep: object = None
    for _ in range(200):
        deep = [deep]
    return {
        "empty list": [],
        "empty tuple": (),
        "empty dict": {},
        "empty set": set(),
        "empty frozenset": frozenset(),
        "dict in order": {"b": 1, "a": 2},
        "dict of kinds": {1: "int", "1": "str", 1.5: "float", None: "none", b"1": "bytes"},
        "dict of tuples": {("a", 1): [1], ("a", 2): [2]},
        "set of tuples": {(i, str(i)) for i in range(20)},
        "set of texts": {f"text {i}" for i in range(50)},
        "set of mixed": {1, "1", 2.5, None, (1,), frozenset({1, 2})},
        "frozenset of frozensets": frozenset(frozenset({i, i + 1}) for i in range(10)),
        "deep": deep,
        "long list": list(range(20_000)),
        "list of everything": [None, True, 1, 1.0, "1", b"1", (1,), [1], {1}, {1: 1}, 1j],
    }


def _arrays() -> dict[str, object]:
    grid = np.arange(24.0).reshape(2, 3, 4)
    inner = np.dtype([("x", "<i2"), ("y", "<f8")], align=True)
    outer = np.dtype([("a", "i1"), ("b", inner, (2,)), ("c", "<U3")], align=True)
    structured = np.zeros(3, outer)
    structured["b"]["y"] = [[1, 2], [3, 4], [5, 6]]
    found: dict[str, object] = {
        "slice": grid[:, ::2, 1:],
        "reversed": grid[::-1],
        "broadcast": np.broadcast_to(np.float32(1.5), (3, 2)),
        "transposed": grid.T,
        "half transposed": grid.transpose(1, 0, 2),
        "three dimensions": grid,
        "nothing by three": np.zeros((0, 3), "<i4"),
        "three by nothing": np.zeros((3, 0), "<i4"),
        "no dimension": np.array(7, "<u2"),
        "bools": np.array([True, False]),
        "uint8": np.arange(256, dtype="u1"),
        "int64 big endian": np.arange(3, dtype=">i8"),
        "complex128": np.array([1 + 2j, -0.0j]),
        "payloads": np.array([nan(0), nan(1), -nan(2), np.inf, -0.0]),
        "float16 array": np.arange(4, dtype="<f2"),
        "bytes array": np.array([b"a", b"bc\0"], "S4"),
        "void array": np.array([b"ab", b"cd"], "V2"),
        "seconds": np.array(["2024-01-01", "NaT"], "M8[s]"),
        "nanoseconds": np.array(["2024-01-01", "NaT"], "M8[ns]"),
        "durations": np.array([1, -1], "m8[25us]"),
        "generic durations": np.array([1, -1], "i8").view("m8"),
        "nested struct": structured,
        "struct scalar": structured[1],
        "packed struct": np.array([(1, 2.0)], [("a", "i1"), ("b", "<f8")]),
        "titled by text": np.array([(1, 2.0)], [("\u00e4", "i1"), ("b", "<f8")]),
        "records": np.rec.array([(1, 2.0)], dtype=[("a", "i1"), ("b", "<f8")]),
        "matrix": matrix(),
        "masked all": np.ma.masked_array(np.zeros(3), True),
        "masked hard": np.ma.masked_array([1, 2], [1, 0], fill_value=9, hard_mask=True),
        "masked struct": np.ma.masked_array([(1, 2.0)], [(0, 1)], dtype=[("a", "i1"), ("b", "<f8")]),
        "no mask": np.ma.masked_array([1.0, 2.0]),
        "strings with None": strings("a", None, na_object=None),
        "strings with nan": strings("a", float("nan"), na_object=float("nan")),
        "strings not coerced": strings("a", coerce=False),
        "strings in two dimensions": strings("a", "b", "c", "d").reshape(2, 2).T,
        "long strings": strings("x" * 50_000, "y"),
        "large fortran": np.asfortranarray(np.arange(10_000.0).reshape(100, 100)),
        "large slice": np.arange(20_000.0)[::2],
        "dict of arrays": {"a": grid, "b": [np.arange(10_000)]},
        "memory map": mapped(),
        "file": File(FROZEN.with_name("golden_file.txt")),
        "list of files": [File(FROZEN.with_name("golden_file.txt"))] * 2,
    }
    if np.finfo(np.longdouble).nmant == 63:  # 80 bits in 16 bytes: elsewhere it is another dtype
        found["longdouble"] = np.arange(3, dtype=np.longdouble)
        found["clongdouble"] = np.arange(3, dtype=np.clongdouble)
        found["longdouble scalar"] = np.longdouble("0.1")
    return found


def mapped() -> Any:
    """Give an array that lies in a file."""
    with tempfile.TemporaryFile() as file:
        made = np.memmap(file, "<i4", "w+", shape=(5,))
    made[:] = range(5)
    return made


def _classes() -> dict[str, object]:
    return {
        "default dataclass": Config(),
        "nested dataclass": Config(Point(1, (Frozen(2, 3),)), {"a": Mark("x")}),
        "slotted": Frozen(np.arange(3), None),
        "enum by value": Size.RED,
        "int enum": Level.LOW,
        "flags": Right.READ | Right.WRITE,
        "no flags": Right(0),
        "key of enums": {Colour.RED: 1, Colour.BLUE: 2},
        "set of namedtuples": {Point(1, 2), Point(2, 1)},
        "set of frozen": {Frozen(i, str(i)) for i in range(9)},
    }


COMPONENTS: dict[str, str] = {
    name: component for component, _, name in (line.partition("  ") for line in FROZEN.read_text().splitlines())
}
RECORDS: dict[str, str] = {
    "none": "c0",
    "true": "c3",
    "one": "01",
    "one point": "cb3ff0000000000000",
    "minus zero": "cb8000000000000000",
    "nan": "cb7ff8000000000000",
    "big": "c70904000000000000000001",
    "minus big": "c70904ffffffffffffff7fff",
    "complex": "d805000000000000f03f0000000000000040",
    "text": "a74772c3bcc39f65",
    "long text": "c7280994c420386ddcdd3996e09a1c224a2497bbf647207979118a632093e5c4cb28090f9df200cd9cc390",
    "bytes": "c403616263",
    "bytearray": "c7030b616263",
    "list": "9301a161cb4004000000000000",
    "tuple": "c70d019301a161cb4004000000000000",
    "nested": "81a1619201c7050192028103c0",
    "tuple keys": "c7091392c70301920102a178",
    "set": "d7029401a161a162a163",
    "frozenset": "c70d0392d60192a17801d60192a17902",
    "datetime": "c72a0a92b16461746574696d652e6461746574696d6599cd07e8021d0c1e00000092a66f666673657493000000",
    "date": "c7150a92ad6461746574696d652e6461746593cd07e8021d",
    "duration": "c71a0a92b26461746574696d652e74696d6564656c74619300cd0e1000",
    "path": "c72a0a92b5706174686c69622e50757265506f7369785061746892ad50757265506f73697850617468a3612f62",
    "decimal": "c7180a92af646563696d616c2e446563696d616c9300a3313130fe",
    "range": "c70b0a92a572616e676593010a02",
    "float64": "c70f0692a33c6638c408000000000000f03f",
    "int8": "d70692a37c6931c40101",
    "datetime64": "c7120692a63c4d385b445dc408464d000000000000",
    "array": (
        "c73b0794c4300000000000000000000000000000f03f0000000000000040000000000000084000000000000010400000"
        "000000001440a33c6638c2920203"
    ),
    "fortran": (
        "c73b0794c43000000000000000000000000000000840000000000000f03f000000000000104000000000000000400000"
        "000000001440a33c6638c3920203"
    ),
    "big endian": "c7230794c418000000003f80000040000000404000004080000040a00000a33e6634c2920203",
    "empty": "c70b0794c400a33c6638c2920003",
    "point": "c7110794c408000000000000f83fa33c6638c290",
    "large": (
        "c7320896c420c8209ac26a5a71cad2710b19d7e3e61b8555043a60820520fa98c3e654d7475f00ce00013900a33c6638c291cd2710"
    ),
    "days": "c71d0794c41000000000000000000100000000000000a63c4d385b445dc29102",
    "texts": "c71a0794c41061000000000000006200000063000000a33c5532c29102",
    "struct": (
        "c73b0794c42001000000000000000000000000000840020000000000000000000000000010409392a161a37c693192a0"
        "a37c563792a162a33c6638c29102"
    ),
    "masked": (
        "c7420f94c71a0794c410000000000000f03f0000000000000040a33c6638c29102c70c0794c4020001a37c6231c29102"
        "c7110794c408408cb5781daf1544a33c6638c290c2"
    ),
    "strings": (
        "c73b1096c390c7220794c418000000000000000001000000000000000300000000000000a33c6938c29103c70d0794c4"
        "03616263a37c7531c29103c09102"
    ),
    "list of arrays": (
        "92c7220794c4180000000000000000000000000000f03f0000000000000040a33c6638c29103c7320896c420c8209ac2"
        "6a5a71cad2710b19d7e3e61b8555043a60820520fa98c3e654d7475f00ce00013900a33c6638c291cd2710"
    ),
    "dataclass": (
        "c7340d95b874657374732e706c616e2e636f727075733a436f6e666967a472617465cb3fe0000000000000a57374657073c70301920102"
    ),
    "namedtuple": "c71f0e95b774657374732e706c616e2e636f727075733a506f696e74a17801a17902",
    "enum": "c71f0c93b874657374732e706c616e2e636f727075733a436f6c6f7572a3524544c0",
}
