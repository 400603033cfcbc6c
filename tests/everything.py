"""Every kind of value that is kept, by name, and tasks that give and look at them. Imported in the workers."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
from typing import Any

import numpy as np

import flowcore as fc
from flowcore.plan.arrays import canonical, describe
from flowcore.plan.encode import encode
from tests.plan import corpus, golden
from tests.plan.corpus import Memory
from tests.plan.tables import tables

_SIZES = re.compile(r"\b[0-9]+B\b")  # of buffers, as xarray tells them: pyarrow leaves some out that hold nothing


@functools.cache
def values() -> dict[str, object]:
    """Give the values; those with files are the business of other tests."""
    named = {f"corpus {i}": value for i, value in enumerate(corpus.different())}
    frozen = {f"golden {name}": value for name, value in golden.values().items() if "file" not in name}
    return named | frozen | {f"table {name}": value for name, value in tables().items()}


@fc.compute(cache=True)
def given(name: str) -> Any:
    """Give a value, made once in each process."""
    return values()[name]


@fc.compute(cache=True)
def seen(value: Any) -> list[str]:
    """Tell what is to be seen of a value: class, dtype, layout, flags and bits, all the way down."""
    return described(value)


@fc.compute(cache=True)
def seen_gathered(every: Any) -> list[list[str]]:
    """Tell it of many at once."""
    return [described(value) for value in every]


def described(value: Any) -> list[str]:
    """Give a line for each part of a value that can be looked at, and its identity."""
    lines = list(_lines(value, 0))
    return [*lines, encode(value, put=Memory().put).component.hex()]


def _lines(value: Any, depth: int) -> Any:
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if depth > 8:
        yield kind
        return
    if isinstance(value, np.ma.MaskedArray):
        yield f"{kind} {value.hardmask} {value.mask is np.ma.nomask}"
        yield from _lines(value.data, depth + 1)
        yield from _lines(np.asarray(value.mask), depth + 1)
    elif isinstance(value, np.ndarray):
        kind = kind.replace("memmap", "ndarray").replace(".core.memmap", "")  # where an array lies is no part of it
        yield f"{kind} {_dtype(value)} {value.dtype.type.__name__} {value.shape} {_layout(value)} {_bits(value)}"
    elif isinstance(value, np.generic):
        yield f"{kind} {_dtype(value)} {_bits(np.asarray(value))}"
    elif isinstance(value, dict):
        yield f"{kind} {len(value)}"
        for key, item in value.items():
            yield from _lines(key, depth + 1)
            yield from _lines(item, depth + 1)
    elif isinstance(value, list | tuple):
        yield f"{kind} {len(value)}"
        for item in value[:50]:
            yield from _lines(item, depth + 1)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield kind
        for field in dataclasses.fields(value):
            yield from _lines(getattr(value, field.name), depth + 1)
    else:
        yield f"{kind} {_text(value)}"


def _dtype(value: Any) -> str:
    """Give the dtype with byte order, units, offsets; whether it was asked to be aligned is no part of it."""
    return str(describe(value.dtype)) if value.dtype.kind != "T" else repr(value.dtype)


def _layout(value: Any) -> str:
    """Give the order that a value has, or would have once it is kept; strings are always in C order."""
    fortran = value.flags.f_contiguous and not value.flags.c_contiguous and value.dtype.kind != "T"
    return "F" if fortran else "C"


def _bits(value: Any) -> str:
    """Give the bits of an array, but for padding, which is nobody's."""
    if value.dtype.kind == "T":
        return repr(value.tolist())
    plain = canonical(np.array(value, order="C", subok=False))
    return hashlib.sha256(plain.tobytes()).hexdigest()[:16]


def _text(value: Any) -> str:
    if isinstance(value, set | frozenset):
        return str(sorted(map(repr, value)))
    if isinstance(value, float):
        return np.float64(value).tobytes().hex()
    return _SIZES.sub("", repr(value))[:2000]
