"""Deterministic tasks for the oracle: what they give depends on every bit of what they are given.

Each call adds a line to a file, so that executions can be counted in whatever process
they happen. Imported in the workers.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowcore.declare.files import File
from flowcore.errors import Skip

COUNTER = "FLOWCORE_TEST_COUNTER"  # variable: path of the file
BIG = 2_500  # elements of 8 bytes: above what travels in a message


@dataclass
class Point:
    """A record with an array in it."""

    x: int
    name: str
    trace: Any


def fold(value: object) -> int:
    """Give a number that any difference in `value`, its types included, changes."""
    return int.from_bytes(hashlib.blake2b(_canonical(value), digest_size=6).digest(), "little")


def _canonical(value: object) -> bytes:
    head = type(value).__name__.encode() + b":"
    if isinstance(value, np.ndarray | np.generic):
        return head + str(value.dtype).encode() + str(value.shape).encode() + value.tobytes()
    if isinstance(value, File):
        return head + value.path.read_bytes()  # whatever it is called
    if isinstance(value, list | tuple):
        return head + b"(" + b"".join(_framed(part) for part in value) + b")"
    if isinstance(value, dict):
        return head + b"{" + b"".join(_framed(key) + _framed(part) for key, part in value.items()) + b"}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return head + b"".join(_framed(getattr(value, field.name)) for field in dataclasses.fields(value))
    return head + repr(value).encode()


def _framed(value: object) -> bytes:
    body = _canonical(value)
    return len(body).to_bytes(4, "little") + body


def line_of(name: str, arguments: tuple[object, ...]) -> str:
    """Give the line that an execution leaves."""
    return f"{name} {fold(arguments)}"


def note(name: str, *arguments: object) -> int:
    """Leave a line, and give what the arguments come to."""
    path = os.getenv("FLOWCORE_TEST_COUNTER", "")
    if path:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, f"{name} {fold(arguments)}\n".encode())
        os.close(fd)
    return fold(arguments)


def whole(a: Any, b: Any = None, c: Any = None) -> Any:
    """Give a small integer: equal ones come up by chance."""
    return note("whole", a, b, c) % 5


def real(a: Any, b: Any = None, c: Any = None) -> Any:
    """Give a float."""
    return note("real", a, b, c) / 7


def text(a: Any, b: Any = None, c: Any = None) -> Any:
    """Give text that is no ASCII."""
    return f"ä{note('text', a, b, c)}"


def small(a: Any, b: Any = None, c: Any = None) -> Any:
    """Give an array that fits into a message."""
    return np.arange(6, dtype=np.int32).reshape(2, 3) * (note("small", a, b, c) % 1000)


def big(a: Any, b: Any = None, c: Any = None) -> Any:
    """Give an array that does not."""
    return np.arange(BIG, dtype=np.float64) + note("big", a, b, c)


def point(a: Any, b: Any = None, c: Any = None) -> Any:
    """Give a dataclass."""
    x = note("point", a, b, c)
    return Point(x % 3, f"p{x % 2}", np.full(3, x))


def named(a: Any, b: Any = None, c: Any = None) -> Any:
    """Give a dict to take parts from."""
    x = note("named", a, b, c)
    return {"n": x % 4, "field": np.arange(BIG) + x, "pair": (x, "end")}


def pair(a: Any, b: Any = None, c: Any = None) -> Any:
    """Give a tuple to take parts from."""
    x = note("pair", a, b, c)
    return (x % 4, [x, float(x)])


def scribble(a: Any, b: Any = None, c: Any = None) -> Any:
    """Write into whatever can be written into, after looking at it."""
    x = note("scribble", a, b, c)
    for value in (a, b, c):
        if isinstance(value, np.ndarray):
            value[...] = 99
        if isinstance(value, list):
            value.append(99)
        if isinstance(value, dict):
            value["more"] = 99
    return x


def even(a: Any, b: Any = None, c: Any = None) -> Any:
    """Give a truth."""
    return note("even", a, b, c) % 2 == 0


def picky(a: Any, b: Any = None, c: Any = None) -> Any:
    """Skip now and then."""
    x = note("picky", a, b, c)
    if x % 3 == 0:
        raise Skip("not this one")
    return x % 7


def fragile(a: Any, b: Any = None, c: Any = None) -> Any:
    """Fail now and then."""
    x = note("fragile", a, b, c)
    if x % 4 == 0:
        raise ValueError(f"no {x}")
    return x % 7


def several(a: Any, b: Any = None, c: Any = None) -> Any:
    """Give up to three different numbers."""
    x = note("several", a, b, c)
    return [x % 10 + i for i in range(x % 4)]


def fields(a: Any, b: Any = None, c: Any = None) -> Any:
    """Give one or two arrays, which have no labels of their own."""
    x = note("fields", a, b, c)
    return [np.arange(BIG) + x + i for i in range(1 + x % 2)]


def ramp(a: Any, b: Any = None, c: Any = None) -> NDArray[Any]:
    """Give an array to iterate over."""
    return np.arange(2.0) + note("ramp", a, b, c)


PLAIN = ("whole", "real", "text", "small", "big", "point", "scribble", "picky", "fragile")
SOURCES = ("several", "fields", "ramp")  # what can be iterated over
PARTS: dict[str, tuple[object, ...]] = {"named": ("n", "field", "pair"), "pair": (0, 1)}
FUNCTIONS = {name: globals()[name] for name in (*PLAIN, *SOURCES, *PARTS, "even")}
