"""What a value is like, told from its record alone: kind, shape, dtype and a short digest, never data.

For messages, logs and failure records (contract S11). Promises to read no array, to make
no user class, and to take no longer for a large value than for a small one. The digest
tells whether two values are the same; that of an array is the beginning of the name of
its file in the store.
"""

from __future__ import annotations

from typing import Any, Final

import msgpack
from blake3 import blake3

from flowcore.errors import shorten
from flowcore.plan.arrays import facts_from
from flowcore.plan.extension import (
    ARRAY,
    ARRAY_CLASS,
    ARRAY_INLINE,
    BIG_INT,
    BYTEARRAY,
    COMPLEX,
    DATACLASS,
    ENUM,
    FILE,
    FROZENSET,
    MASKED,
    NAMEDTUPLE,
    NUMPY_SCALAR,
    PAIRS,
    PASSED,
    PICKLED,
    REGISTERED,
    SET,
    SPILL,
    STANDARD,
    STRINGS,
    TUPLE,
    BadRecord,
    ValueGone,
    array_digest,
)
from flowcore.plan.parsing import flat
from flowcore.plan.records import component_of, no_fetch

_DIGITS: Final = 8  # hex digits of a digest that are shown
_LONGEST: Final = 64 * 1024  # bytes of a record that are looked at
_WIDTH: Final = 120  # characters: names in a record may be of any length
_DTYPES: Final = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex"}
_COUNTED: Final = {TUPLE: "tuple", SET: "set", FROZENSET: "frozenset"}
_NAMED: Final = {DATACLASS, ENUM, NAMEDTUPLE, REGISTERED, STANDARD}


def sketch(record: bytes) -> str:
    """Tell what the value in `record` is like.

    Examples
    --------
    >>> from flowcore.plan.encode import encode
    >>> def put(header, data):
    ...     raise AssertionError("too small for a file")
    >>> sketch(encode([1, 2], put=put).record)
    'list of 2 #a295bf42'
    >>> sketch(encode("secret", put=put).record)
    'str of 6 #3cc0d10e'
    """
    if len(record) > _LONGEST:
        return f"{len(record)} bytes #{_short(blake3(record).digest())}"
    try:
        told, digest = _told(flat(record))
        digest = digest or _digest(record)
    except (BadRecord, ValueError, OverflowError, RecursionError):
        return f"{len(record)} bytes"
    told = shorten(told, _WIDTH)
    return f"{told} #{digest}" if digest else told


def dtype_name(descr: object) -> str:
    """Give the name of a dtype from what a npy header says of it."""
    if not isinstance(descr, str):
        return f"structured ({len(descr)} fields)" if isinstance(descr, list) else "structured"
    kind = descr.lstrip("<|=")
    if descr in ("|b1", "?"):
        return "bool"
    if kind[:1] in _DTYPES and kind[1:].isdecimal():
        return f"{_DTYPES[kind[0]]}{int(kind[1:]) * 8}"
    return descr


def _told(plain: Any) -> tuple[str, str]:
    """Give the sketch of a record read flat, and its digest if that is known already."""
    match plain:
        case None | bool() | int() | float():
            return type(plain).__name__ if plain is not None else "None", ""
        case str() | bytes():
            return f"{type(plain).__name__} of {len(plain)}", ""
        case list():
            return f"list of {len(plain)}", ""
        case dict():
            return f"dict of {len(plain)}", ""
        case msgpack.ExtType():
            return _extension(plain.code, plain.data)
    return "value", ""


def _extension(code: int, data: bytes) -> tuple[str, str]:  # noqa: PLR0911 - one arm a kind
    parts = flat(data) if code not in (BIG_INT, COMPLEX, BYTEARRAY) else None
    match code, parts:
        case _, [bytes() as digest, _, _, descr, fortran, list() as shape] if code == ARRAY:
            return _array(descr, shape, fortran), _short(digest)
        case _, [bytes() as content, descr, fortran, list() as shape] if code == ARRAY_INLINE:
            digest = array_digest(facts_from(descr, fortran, shape).header(), content)
            return _array(descr, shape, fortran), _short(digest)
        case _, [bytes() as digest, _, int() as size, _] if code == SPILL:
            return f"value of {size} bytes", _short(digest)
        case _, [str() as descr, *_] if code == NUMPY_SCALAR:
            return f"numpy {dtype_name(descr)}", ""
        case _, [msgpack.ExtType() as inner, *_] if code == MASKED:
            return f"masked {_told(inner)[0]}", ""
        case _, [str() as name, msgpack.ExtType() as inner] if code == ARRAY_CLASS:
            return f"{name} {_told(inner)[0]}", ""
        case _, [*_, list() as shape] if code == STRINGS:
            return f"text {tuple(shape)}", ""
        case _, list() if code in _COUNTED:
            return f"{_COUNTED[code]} of {len(parts)}", ""
        case _, list() if code == PAIRS:
            return f"dict of {len(parts) // 2}", ""
        case _, [bytes() as digest, int() as size, str(), _] if code == FILE:
            return f"file of {size} bytes", _short(digest)
        case _, [str() as name, *_] if code in _NAMED:
            return name, ""
        case _ if code in (PASSED, PICKLED):
            return "an object that has no digest", ""
    names = {BIG_INT: "int", COMPLEX: "complex", BYTEARRAY: f"bytearray of {len(data)}"}
    return names.get(code, f"value of {len(data)} bytes"), ""


def _array(descr: object, shape: list[int], fortran: object) -> str:
    return f"{dtype_name(descr)} {tuple(shape)}{' in Fortran order' if fortran else ''}"


def _digest(record: bytes) -> str:
    try:
        component = component_of(record, fetch=no_fetch)
    except (ValueGone, BadRecord):
        return ""
    return _short(blake3(component).digest()) if component else ""


def _short(digest: bytes) -> str:
    return digest.hex()[:_DIGITS]


__all__ = ["dtype_name", "sketch"]
