"""Claims about plan/sketch.py: what a value is like, told without a value."""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowcore.plan.encode import encode
from flowcore.plan.extension import array_digest, extension, pack
from flowcore.plan.sketch import dtype_name, sketch


class Colour(enum.Enum):
    RED = "the secret"


@dataclass
class Params:
    rate: float
    note: str = "the secret"


def put(header: bytes, data: memoryview) -> bytes:
    """Keep nothing, and nothing can be fetched: a sketch must need no array."""
    return array_digest(header, data)


def told(value: object) -> tuple[str, str]:
    """Give sketch and digest of a value."""
    text, _, digest = sketch(encode(value, put=put).record).partition(" #")
    return text, digest


@pytest.mark.contract("S11")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "None"), (True, "bool"), (3, "int"), (10**40, "int"), (2.5, "float"), (1 + 2j, "complex"),
        ("the secret", "str of 10"), (b"the secret", "bytes of 10"), (bytearray(3), "bytearray of 3"),
        (["the secret"], "list of 1"), (("the", "secret"), "tuple of 2"), ({"the secret"}, "set of 1"),
        ({"the secret": 1}, "dict of 1"), ({(1, 2): 3}, "dict of 1"),
        (np.ones(3), "float64 (3,)"), (np.ones((300, 400)), "float64 (300, 400)"), (np.array(True), "bool ()"),
        (np.asfortranarray(np.ones((300, 400))), "float64 (300, 400) in Fortran order"),
        (np.ones(2, ">f8"), ">f8 (2,)"),
        (np.zeros(3, [("the secret", "i4")]), "structured (1 fields) (3,)"), (np.float32(3), "numpy float32"),
        (np.array(["the secret"]), "<U10 (1,)"), (np.ma.array([1, 2], mask=[0, 1]), "masked int64 (2,)"),
        (datetime.date(2020, 1, 1), "datetime.date"), (Path("/the secret"), "pathlib.PosixPath"),
        (Colour.RED, "test_sketch:Colour"), (Params(2.5), "test_sketch:Params"), (["the secret" * 9999], "value of"),
    ],
)  # fmt: skip
def test_sketches(value: Any, expected: str) -> None:
    """Kind, length, shape and dtype; nothing of what is inside."""
    text, digest = told(value)

    assert expected in text
    assert "secret" not in text
    assert 8 == len(digest)


def test_the_digest_tells_values_apart() -> None:
    """Equal values have equal digests, others have not; that of an array begins the name of its file."""
    array = np.arange(9000.0)
    header_and_data: list[bytes] = []

    def remember(header: bytes, data: memoryview) -> bytes:
        header_and_data.append(array_digest(header, data))
        return header_and_data[-1]

    record = encode(array, put=remember).record

    assert told([1, 2])[1] == told([1, 2])[1] != told([1, 3])[1]
    assert sketch(record).endswith(f"#{header_and_data[0].hex()[:8]}")


@pytest.mark.parametrize(
    "record", [b"", b"\xc1", b"\xc7", pack(extension(8, [])), pack(extension(9, [1])), b"\x93\x01", b"\x91" * 5000]
)
def test_what_is_no_record(record: bytes) -> None:
    """A sketch is made of anything."""
    assert sketch(record)


def test_a_large_record_is_not_read() -> None:
    """Its size is told."""
    assert sketch(pack([0] * 100_000)).startswith("100005 bytes #")


@pytest.mark.parametrize(
    ("descr", "name"), [("<f8", "float64"), ("|b1", "bool"), ("|u1", "uint8"), ("<M8[D]", "<M8[D]")]
)
def test_names_of_dtypes(descr: str, name: str) -> None:
    """As numpy calls them, where it has a name."""
    assert name == dtype_name(descr)
