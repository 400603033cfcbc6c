"""Turning one value into plain parts: the pass over it, and the table of who writes what.

Owns the state of one pass (where arrays go, how deep it is, which user classes it met)
and the rule that a kind is written by its *exact* type (K14): a subclass of a builtin
never goes by the builtin's writer. Promises paths to leaves in refusals. Never packs
bytes itself; `plan/encode.py` packs once at the end.
"""

from __future__ import annotations

import functools
import io
import struct
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from typing import Any, TypeAlias

import msgpack

from flowcore.plan.extension import (
    BYTEARRAY,
    COMPLEX,
    FROZENSET,
    FUNCTION,
    NESTING_LIMIT,
    PAIRS,
    SET,
    TUPLE,
    NoEncoding,
    Put,
    extension,
    kind_name,
    pack,
)
from flowcore.plan.files import Look
from flowcore.plan.records import component_of, no_fetch

Writer: TypeAlias = "Callable[[Any, Writing], object]"
Finder: TypeAlias = "Callable[[type], Writer | None]"

PLAIN = frozenset({type(None), bool, int, float, str, bytes})


class Table(dict[type, Writer]):
    """Who writes a kind; a kind met for the first time is looked for once."""

    def __init__(self, finders: Iterable[Finder]) -> None:
        super().__init__(_BUILTIN)
        self._finders = tuple(finders)

    def reset(self) -> None:
        """Look for every kind anew."""
        self.clear()
        self.update(_BUILTIN)

    def __missing__(self, kind: type) -> Writer:
        for find in self._finders:
            writer = find(kind)
            if writer is not None:
                self[kind] = writer
                return writer
        return _refuse


class Writing:
    """One pass over one value. Used by one thread, for one value, once."""

    __slots__ = (
        "arrays", "class_identity", "classes", "depth", "function_identity", "inline", "libraries", "look", "place",
        "put", "table",
    )  # fmt: skip

    def __init__(
        self,
        table: Table,
        *,
        put: Put,
        place: int,
        inline: int,
        class_identity: Callable[[type], bytes] | None = None,
        function_identity: Callable[[object], bytes] | None = None,
        look: Look | None = None,
    ) -> None:
        self.table = table
        self.put = put
        self.place = place
        self.inline = inline  # bytes up to which an array stays in the record
        self.class_identity = class_identity
        self.function_identity = function_identity  # None: functions have no encoding
        self.look = look  # None: files have no encoding
        self.classes: dict[str, type] = {}
        self.libraries: set[str] = set()  # whose values were met
        self.arrays = False  # whether the record holds an array
        self.depth = 0

    def write(self, value: object) -> object:
        """Give `value` as plain parts."""
        return self.table[type(value)](value, self)

    def enter(self) -> None:
        """Go one container deeper; a cycle ends here too."""
        self.depth += 1
        if self.depth > NESTING_LIMIT:
            raise NoEncoding("", f"container nested deeper than {NESTING_LIMIT}", "or it holds itself")

    def sequence(self, values: Iterable[object]) -> list[object]:
        """Write the items of a list or tuple."""
        self.enter()
        table = self.table
        parts: list[object] = []
        try:
            for value in values:
                parts.append(table[type(value)](value, self))  # noqa: PERF401 - its length is the path
        except NoEncoding as error:
            error.path = f"[{len(parts)}]{error.path}"
            raise
        self.depth -= 1
        return parts


def _plain(value: object, writing: Writing) -> object:  # noqa: ARG001 - every writer has this shape
    return value


def _list(value: list[object], writing: Writing) -> object:
    if PLAIN.issuperset(map(type, value)):
        return value
    return writing.sequence(value)


def _tuple(value: tuple[object, ...], writing: Writing) -> object:
    if PLAIN.issuperset(map(type, value)):
        return extension(TUPLE, list(value))
    return extension(TUPLE, writing.sequence(value))


def _dict(value: dict[object, object], writing: Writing) -> object:
    plain_keys = PLAIN.issuperset(map(type, value))
    if plain_keys and PLAIN.issuperset(map(type, value.values())):
        return value
    writing.enter()
    table = writing.table
    parts: dict[object, object] = {}
    pairs: list[object] = []
    for key, item in value.items():
        try:
            written = table[type(item)](item, writing)
        except NoEncoding as error:
            error.path = f"[{_shown(key)}]{error.path}"
            raise
        if plain_keys:
            parts[key] = written
        else:  # two keys may differ and yet be written alike, so these never become a map
            pairs += (_key(key, writing), written)
    writing.depth -= 1
    return parts if plain_keys else extension(PAIRS, pairs)


def _key(key: object, writing: Writing) -> object:
    try:
        return writing.write(key)
    except NoEncoding as error:
        error.path = f" key {kind_name(type(key))}{error.path}"
        raise


def _shown(key: object) -> str:
    """Give a key as text for a path; only what is short and plain."""
    return repr(key)[:60] if type(key) in PLAIN else kind_name(type(key))


def _set(value: set[object] | frozenset[object], writing: Writing) -> object:
    writing.enter()
    members = []
    for member in value:
        try:
            part = writing.write(member)
        except NoEncoding as error:
            error.path = f"{{{kind_name(type(member))}}}{error.path}"
            raise
        members.append((component_of(pack(part), fetch=no_fetch), part))
    writing.depth -= 1
    members.sort(key=_component)  # iteration order follows hash seeds, digests do not
    return extension(SET if type(value) is set else FROZENSET, [part for _, part in members])


def _component(member: tuple[bytes, object]) -> bytes:
    return member[0]


def _complex(value: complex, writing: Writing) -> object:  # noqa: ARG001
    return msgpack.ExtType(COMPLEX, struct.pack("<dd", value.real, value.imag))


def _bytearray(value: bytearray, writing: Writing) -> object:  # noqa: ARG001
    return msgpack.ExtType(BYTEARRAY, bytes(value))


def _function(value: object, writing: Writing) -> object:
    if writing.function_identity is None:
        raise NoEncoding("", "function", "functions are passed on, not kept")
    return msgpack.ExtType(FUNCTION, writing.function_identity(value))


def _function_like(value: object, writing: Writing) -> object:
    if writing.function_identity is None:
        return _refuse(value, writing)
    return msgpack.ExtType(FUNCTION, writing.function_identity(value))


def _refuse(value: object, writing: Writing) -> object:  # noqa: ARG001
    raise NoEncoding("", kind_name(type(value)), _hint(type(value)))


_LAZY = {
    "dask": "a graph is no value yet, and its names say nothing of what its functions read: hand on x.compute()",
    "zarr": "what lies behind it may change: hand on its numbers, x[:], or fc.File(path) of a zip store",
}
"""What to do about values of libraries whose objects stand for what is elsewhere."""

_STANDING = frozenset({"Array", "Group", "DataFrame", "Series", "Delayed", "DelayedLeaf", "Bag", "Item"})


def _hint(kind: type) -> str:
    """Say what to do instead, where that is known."""
    name = kind_name(kind)
    if name.startswith("numpy.random.") or any(k.__module__ == "random" for k in kind.__mro__):
        return "a live generator would not advance on a hit: call fc.rng() inside the task"
    if issubclass(kind, io.IOBase):
        return "an open file has a place in it, which a hit would not move: use fc.File(path), or the bytes"
    root, _, own = name.partition(".")
    if root in _LAZY and own.rpartition(".")[2] in _STANDING:
        return _LAZY[root]
    if issubclass(kind, Coroutine | Awaitable | AsyncIterator):
        return "it is awaited once and gone: use what it gives"
    if issubclass(kind, Iterator):
        return "it is used up by whoever reads it first: use a list of what it gives"
    return ""


def function_writer(kind: type) -> Writer | None:
    """Find the writer of functions, classes and what else is called: they have an identity and no storage."""
    if kind in _FUNCTIONS:
        return _function
    if issubclass(kind, (type, functools.partial)) or kind_name(kind) in _CALLED:
        return _function_like
    return None


_CALLED = frozenset({"numpy.ufunc", "numpy._ArrayFunctionDispatcher", "flowcore.declare.task.Task"})
_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
    types.MethodWrapperType,
)
_BUILTIN: dict[type, Writer] = {
    **dict.fromkeys(PLAIN, _plain),
    list: _list,
    tuple: _tuple,
    dict: _dict,
    set: _set,
    frozenset: _set,
    complex: _complex,
    bytearray: _bytearray,
}
