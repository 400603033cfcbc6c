"""Deterministic tasks for the oracle: what they give depends on every bit of what they are given.

Each call adds a line to a file, so that executions can be counted in whatever process
they happen. Imported in the workers.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import os
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowcore import Checkpoint, File, Flow, Skip, allclose, compute, each, gather, rng

COUNTER = "FLOWCORE_TEST_COUNTER"  # variable: path of the file
STREAMS = "FLOWCORE_TEST_STREAMS"  # variable: directory of what streams were; empty: they are not compared
DOZE = "FLOWCORE_TEST_DOZE"  # variable: file that is there once a cell has dozed; empty: none does
NAP = "FLOWCORE_TEST_NAP"  # variable: seconds that each call takes besides; empty: none
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
        time.sleep(float(os.getenv("FLOWCORE_TEST_NAP") or 0))
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


def stubborn(a: Any, b: Any = None, c: Any = None) -> Any:
    """Fail now and then, however often it is tried."""
    x = note("stubborn", a, b, c)
    if x % 4 == 0:
        raise ValueError(f"still no {x}")
    return x % 7


def near(a: Any, b: Any = None, c: Any = None) -> Any:
    """Give a float that is the same as before, or far from it: for a task with ``same=``."""
    return 1.0 + note("near", a, b, c) % 3


def dozes(a: Any, b: Any = None, c: Any = None) -> Any:
    """Come to no end, the first time that it is called in a run: for a task with ``timeout=``."""
    x = note("dozes", a, b, c)
    path = os.getenv("FLOWCORE_TEST_DOZE", "")
    if path:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return x % 5
        time.sleep(600)
    return x % 5


def walk(a: Any, b: Any = None, c: Any = None, ckpt: Checkpoint = Checkpoint()) -> Any:
    """Go step by step, save in the middle, and keep a series."""
    x = note("walk", a, b, c)
    s = ckpt.state(z=np.full(9, float(x % 1000)), path=[])
    for step in ckpt.steps(6):
        s.z = np.sqrt(s.z) * 3 + step
        s.path.append(float(s.z[0]))
        ckpt.append(level=s.z[0])
        if step in (1, 3):
            ckpt.save()
    return s.z, s.path, ckpt.series("level")


def longer(a: Any, b: Any = None, c: Any = None, years: int = 3, ckpt: Checkpoint = Checkpoint()) -> Any:
    """Go on for so many years, from where fewer of them ended: for a task with ``extend=``."""
    s = ckpt.state(z=note("longer", a, b, c) % 1009)
    for year in ckpt.steps(years):
        s.z = (s.z * 31 + year) % 1009
    return s.z, years


def noise(a: Any, b: Any = None, c: Any = None, rng: Any = rng(), known: Any = ()) -> Any:
    """Look at the cell's stream: it is the same whenever the arguments are."""
    x = note("noise", a, b, c)
    _same_stream(("noise", known), rng.integers(1 << 30, size=3).tolist())
    return x % 11


def drift(
    a: Any, b: Any = None, c: Any = None, ckpt: Checkpoint = Checkpoint(), rng: Any = rng(), known: Any = ()
) -> Any:  # fmt: skip
    """Draw a number a step; the numbers are the same however often it was interrupted."""
    x = note("drift", a, b, c)
    s = ckpt.state(drawn=[])
    for step in ckpt.steps(5):
        s.drawn.append(int(rng.integers(1 << 30)))
        if step == 2:
            ckpt.save()
    _same_stream(("drift", known), s.drawn)
    return x % 13


def _same_stream(name: object, drawn: list[int]) -> None:
    """Compare what was drawn with what was drawn under this name before, in whatever process."""
    directory = os.getenv("FLOWCORE_TEST_STREAMS", "")
    if not directory:
        return
    path, draft = f"{directory}/{fold(name)}", f"{directory}/{os.getpid()}-{threading.get_ident()}"
    with open(draft, "w") as file:
        file.write(str(drawn))
    try:
        os.link(draft, path)
    except FileExistsError:
        with open(path) as file:
            before = file.read()
        if before != str(drawn):
            raise AssertionError(f"{name}: {drawn} were drawn, and {before} before") from None
    finally:
        os.unlink(draft)


async def waits(a: Any, b: Any = None, c: Any = None) -> Any:
    """Wait a little, on the event loop."""
    x = note("waits", a, b, c)
    await asyncio.sleep(0)
    return x / 3


@compute
def leaf(i: int) -> int:
    """Be part of what has grown."""
    return note("leaf", i) % 17


@compute
def joined(parts: list[int]) -> int:
    """Bring the parts together."""
    return note("joined", parts)


def grows(a: Any, b: Any = None, c: Any = None) -> Any:
    """Give a flow."""
    x = note("grows", a, b, c)
    with Flow("grown") as flow:
        flow.result = joined(gather(leaf(each(i=[x % 3, 3 + x % 2]))))
    return flow


def grown(x: int) -> tuple[int, list[str]]:
    """Give what that flow comes to, and the lines that it leaves."""
    numbers = [x % 3, 3 + x % 2]
    parts = [fold((i,)) % 17 for i in numbers]
    return fold((parts,)), [*(line_of("leaf", (i,)) for i in numbers), line_of("joined", (parts,))]


def _plain_noise(a: Any, b: Any = None, c: Any = None) -> Any:
    return fold((a, b, c)) % 11


def _plain_drift(a: Any, b: Any = None, c: Any = None) -> Any:
    return fold((a, b, c)) % 13


def _plain_waits(a: Any, b: Any = None, c: Any = None) -> Any:
    return fold((a, b, c)) / 3


def _plain_grows(a: Any, b: Any = None, c: Any = None) -> Any:
    return grown(fold((a, b, c)))[0]


PLAIN = ("whole", "real", "text", "small", "big", "point", "scribble", "picky", "fragile")
SOURCES = ("several", "fields", "ramp")  # what can be iterated over
PARTS: dict[str, tuple[object, ...]] = {"named": ("n", "field", "pair"), "pair": (0, 1)}
LIVELY = ("stubborn", "near", "walk", "longer", "noise", "drift", "waits", "grows")  # what a plain call is not like
RANDOM = ("noise", "drift")
DOZING = ("dozes",)
FUNCTIONS = {name: globals()[name] for name in (*PLAIN, *SOURCES, *PARTS, *LIVELY, *DOZING, "even")}
MEANT = FUNCTIONS | {
    "noise": _plain_noise, "drift": _plain_drift, "waits": _plain_waits, "grows": _plain_grows,
}  # fmt: skip
"""What each function gives, by plain calls."""
OPTIONS: dict[str, dict[str, Any]] = {
    "stubborn": {"retries": 1}, "dozes": {"retries": 1, "timeout": "2s"}, "near": {"same": allclose(rtol=1e-9)},
    "longer": {"extend": "years"},
}  # fmt: skip
