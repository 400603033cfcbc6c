"""Values for claims about encodings: near-equal ones, that all differ, and equal pairs."""

# ruff: noqa: E501, DTZ001, B002 - tables are read by column; times without zone are values too

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import pathlib
import re
import struct
import uuid
import zoneinfo
from typing import Any, NamedTuple

import numpy as np

UTC = dt.UTC


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Size(enum.Enum):
    RED = 1


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass
class Config:
    rate: Any = 0.1
    steps: Any = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    rate: Any = 0.1
    steps: Any = 10


@dataclasses.dataclass(eq=False)
class Mark:
    name: Any = ""


class Point(NamedTuple):
    x: Any
    y: Any


class Pair(NamedTuple):
    x: Any
    y: Any


def nan(payload: int) -> float:
    """Give a quiet NaN with this payload."""
    value: float = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000000 | payload))[0]
    return value


def padded(fill: int) -> np.ndarray[Any, Any]:
    """Give structs whose padding holds `fill`."""
    dtype = np.dtype([("a", "i1"), ("b", "<f8")], align=True)
    raw = np.full(dtype.itemsize * 2, fill, np.uint8)
    made = raw.view(dtype)
    made["a"], made["b"] = [1, 2], [3.0, 4.0]
    return made


def printed(value: Any) -> Any:
    """Give a value that was looked at before."""
    repr(value)
    return value


def matrix() -> Any:
    """Give a numpy.matrix, which numpy would rather not see any more."""
    return np.array([[1.0, 2.0]]).view(np.matrix)


def strings(*texts: Any, **options: Any) -> np.ndarray[Any, Any]:
    """Give a StringDType array."""
    return np.array(list(texts), dtype=np.dtypes.StringDType(**options))


def different() -> list[object]:
    """Give values of which no two may share an identity."""
    return [*_scalars(), *_containers(), *_standard(), *_arrays(), *_numpy_scalars(), *_classes()]


def _scalars() -> list[object]:
    return [
        None, True, False, 0, 1, -1, 2, 127, 128, 255, 256, -128, -129, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64,
        -(2**63), -(2**63) - 1, 2**70, -(2**70), 2**1000, 0.0, -0.0, 1.0, 2.0, float("inf"), float("-inf"), nan(0), nan(1),
        0.1, 0.1 + 2**-56, 5e-324, 1j, -1j, complex(0.0, -0.0), complex(1, 0), complex(nan(0), 0), "", "1", "True", "None", "a", "A", "a\0",
        "é", "e\u0301", "\ud800", "a" * 31, "a" * 32, "a" * 33, "a" * 100_000, b"", b"1", b"a", b"a\0", b"a" * 100_000, bytearray(b"a"),
        bytearray(), "[]", "1.0",
    ]  # fmt: skip


def _containers() -> list[object]:
    deep: list[object] = []
    for _ in range(100):
        deep = [deep]
    return [
        [], (), {}, set(), frozenset(), [[]], [()], ([],), ((),), [{}], [None], [0], [False], [0.0], (0,), [1, 2], [2, 1], (1, 2),
        [[1], 2], [1, [2]], [[1, 2]], [(1, 2)], ["a-b", "c"], ["a", "b-c"], ["ab"], ["a", "b"], [b"a", "b"], {1: 2}, {"1": 2}, {1.0: 2},
        {True: 2}, {1: 2.0}, {"a": 1, "b": 2}, {"b": 2, "a": 1}, [("a", 1), ("b", 2)], {"a": {"b": 1}}, {(1,): 2}, {(1, 2): 3},
        {(): {}}, {frozenset([1]): 1}, {1, 2}, frozenset([1, 2]), {1, 2, 3}, {"1", "2"}, {(1, 2)}, {frozenset([1])}, deep, [deep],
        list(range(20_000)), list(range(20_001)), tuple(range(20_000)), [bytearray(b"a")], [memoryview_like()], {"k": bytearray(b"v")},
        {"k": b"v"}, {2**70: 1}, [2**70], {None: 0}, {1: 1, 1.5: 1}, {nan(0)}, [Ellipsis], (Ellipsis,),
    ]  # fmt: skip


def memoryview_like() -> bytes:
    """Give bytes that look like an array inside a record."""
    return bytes([8, 0x96, 0xC4, 0x20]) * 4 + bytes([7, 0x94])


def _standard() -> list[object]:
    noon, day = dt.datetime(2024, 10, 27, 2, 30), dt.timedelta(days=1)
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    return [
        noon, noon.replace(fold=1), noon.replace(microsecond=1), noon.replace(tzinfo=UTC), noon.replace(tzinfo=berlin),
        noon.replace(tzinfo=berlin, fold=1), noon.replace(tzinfo=dt.timezone(dt.timedelta(hours=1))),
        noon.replace(tzinfo=dt.timezone(dt.timedelta(hours=1), "X")), noon.date(), noon.time(), noon.timetz().replace(tzinfo=UTC),
        day, dt.timedelta(seconds=1), dt.timedelta(microseconds=1), UTC, dt.timezone(day / 2), berlin, zoneinfo.ZoneInfo("UTC"),
        pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("a"), pathlib.PosixPath("a"), pathlib.PosixPath("/a"), "/a",
        decimal.Decimal("1"), decimal.Decimal("1.0"), decimal.Decimal("-0"), decimal.Decimal("0"), decimal.Decimal("NaN"), decimal.Decimal("sNaN1"),
        decimal.Decimal("Infinity"), decimal.Decimal("1E+2"), decimal.Decimal("100"), fractions.Fraction(1, 3), fractions.Fraction(1),
        uuid.UUID(int=1), uuid.UUID(int=2), range(3), range(0, 3, 2), range(0, 4, 2), slice(3), slice(0, 3), slice(None), Ellipsis, NotImplemented,
        re.compile("a"), re.compile("a", re.IGNORECASE), re.compile(b"a"),
    ]  # fmt: skip


def _arrays() -> list[object]:
    six = np.arange(6.0)
    grid = six.reshape(2, 3)
    struct_ = np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f8")])
    return [
        six, six.astype(">f8"), six.astype("<f4"), six.astype("<i8"), six.astype("<u8"), six.astype("<c16"), grid, grid.reshape(3, 2),
        np.asfortranarray(grid), grid.T.copy(), six.reshape(1, 6), six.reshape(6, 1), -six, np.zeros(0), np.zeros((0, 3)), np.zeros((3, 0)),
        np.zeros(0, "<i8"), np.zeros(1), np.zeros(()), np.array(1.0), np.array(1), np.array([1.0]), np.array([-0.0]), np.array([nan(0)]),
        np.array([nan(1)]), np.array([True, False]), np.array([1, 0], "u1"), np.array([1, 0], "i1"), np.array(["a", "b"]), np.array(["a", "b"], "<U2"),
        np.array([b"a", b"b"]), np.array([b"a", b"b"], "V1"), np.array([0, 1], "M8[s]"), np.array([0, 1], "M8[D]"), np.array([0, 1], "M8[25s]"),
        np.array([0, 1], "m8[s]"), np.array(["NaT"], "M8[s]"), np.array(["NaT"], "m8[s]"), struct_, struct_.astype([("a", "<i4"), ("c", "<f8")]),
        struct_.astype([("a", "<i8"), ("b", "<f8")]), struct_[0], np.rec.array(struct_), padded(0),
        struct_.view(np.dtype((np.record, struct_.dtype))), matrix(), np.array([[1.0, 2.0]]),
        np.ma.masked_array([1.0, 2.0], [False, True]), np.ma.masked_array([1.0, 2.0], [True, False]), np.ma.masked_array([1.0, 2.0]),
        np.ma.masked_array([1.0, 2.0], [False, True], fill_value=7.0), np.ma.masked_array([1.0, 2.0], [False, True], hard_mask=True),
        strings("a", "bc"), strings("ab", "c"), strings("a", "bc").reshape(2, 1), strings("a", "bc", coerce=False),
        strings("a", None, na_object=None), strings("a", "", na_object=None), strings("a", float("nan"), na_object=float("nan")), strings(),
        np.arange(3, dtype=np.longdouble), np.arange(3, dtype=np.clongdouble), np.arange(5000.0), np.arange(5000.0)[::-1],
        [np.arange(5000.0)], [np.arange(5000.0), np.arange(5000.0)], {"a": np.arange(5000.0)}, (np.zeros(3),), [np.zeros(3)], [[0.0, 0.0, 0.0]],
        np.zeros((1000, 100)), np.zeros((100, 1000)), np.zeros((1000, 100), order="F"), np.zeros(100_000), np.zeros(100_000, "<i8"),
    ]  # fmt: skip


def _numpy_scalars() -> list[object]:
    return [
        np.float64(1), np.float32(1), np.float16(1), np.int64(1), np.int32(1), np.uint8(1), np.int8(1), np.bool_(True), np.str_("a"), np.bytes_(b"a"),
        np.str_("a\0"), np.bytes_(b"a\0"), np.complex64(1), np.complex128(1), np.datetime64(1, "s"), np.datetime64(1, "ms"), np.timedelta64(1, "s"), np.timedelta64(1, "D"),
        np.datetime64("NaT", "s"), np.longdouble(1), np.void(b"a"), np.float64(-0.0), np.float64(0.0), np.dtype("<f8"), np.dtype("<f4"), np.dtype(">f8"),
        np.random.SeedSequence(1), np.random.SeedSequence(2), np.random.SeedSequence(1, spawn_key=(1,)),
    ]  # fmt: skip


def _classes() -> list[object]:
    return [
        Colour.RED, Colour.BLUE, Size.RED, Level.LOW, Right.READ, Right.WRITE, Right.READ | Right.WRITE, Right(0), Config(), Config(0.2), Config(10, 0.1),
        Frozen(), Point(1, 2), Pair(1, 2), Point(2, 1), Point((1,), 2), Config(Config()), Config(Frozen()), Config(np.zeros(3)), Mark("a"), Mark(),
        [Point(1, 2)], {Point(1, 2): 1}, {Frozen(1, 2)}, {Colour.RED}, {"rate": 0.1, "steps": 10}, ("rate", 0.1),
    ]  # fmt: skip


def equal_pairs() -> list[tuple[object, object]]:
    """Give pairs that must share their identity."""
    base = np.arange(24.0).reshape(4, 6)
    marked = np.dtype("<f8", metadata={"unit": "m"})
    frozen = np.arange(3.0)
    frozen.flags.writeable = False
    shared = [1]
    return [
        (base[::2, ::3], base[::2, ::3].copy()), (base[:, 1], np.ascontiguousarray(base[:, 1])), (base.T, np.asfortranarray(base.T)),
        (base[::-1], base[::-1].copy()), (np.broadcast_to(1.0, (2, 3)), np.ones((2, 3))), (np.arange(3.0, dtype=marked), np.arange(3.0)),
        (frozen, np.arange(3.0)), (padded(0), padded(255)), (np.zeros(3, "=f8"), np.zeros(3, "<f8")), (np.zeros((1, 5)), np.zeros((1, 5), order="F")),
        (np.zeros(5)[:1], np.zeros(1)), (np.arange(3, dtype=np.longlong), np.arange(3, dtype=np.int64)), ({1, 2, 3}, {3, 2, 1}),
        (frozenset("abc"), frozenset("cba")), ([shared, shared], [[1], [1]]), (strings("a", "b")[::-1], strings("b", "a")),
        (dt.UTC, dt.timezone(dt.timedelta(0))), (nan(0), -(-nan(0))), (pathlib.Path("a//b"), pathlib.Path("a/b")),
        (np.arange(10_000.0)[::2], np.arange(0, 10_000.0, 2)), (noise(np.longdouble), noise(np.longdouble)),
        (np.ma.masked_array([1.0, 2.0], [0, 1]), printed(np.ma.masked_array([1.0, 2.0], [0, 1]))),
    ]  # fmt: skip


def noise(kind: Any) -> np.ndarray[Any, Any]:
    """Give numbers whose padding, if they have some, is whatever was in memory."""
    made = np.frombuffer(np.random.default_rng().bytes(np.dtype(kind).itemsize * 3), kind).copy()
    made[:] = [1, 2, 3]
    return made


class Memory:
    """A home for arrays that is a dict; gives private writable copies, as the store does."""

    def __init__(self, place: int = 0) -> None:
        self.place = place
        self.files: dict[bytes, tuple[bytes, bytes]] = {}

    def put(self, header: bytes, data: memoryview) -> bytes:
        from flowcore.plan.extension import array_digest

        digest = array_digest(header, data)
        self.files[digest] = (bytes(header), bytes(data))
        return digest

    def map(self, digest: bytes, header: bytes, nbytes: int) -> tuple[bytearray, int]:
        from flowcore.plan.encode import ValueGone

        if digest not in self.files:
            raise ValueGone(digest)
        kept, data = self.files[digest]
        assert (kept, len(data)) == (header, nbytes)
        return bytearray(kept + data), len(kept)

    def fetch(self, digest: bytes, header: bytes, nbytes: int, place: int) -> tuple[bytearray, int]:
        assert place == self.place
        return self.map(digest, header, nbytes)
