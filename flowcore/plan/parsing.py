"""Reading the bytes of a record, extension by extension, on a bounded stack.

Owns the one way in which records are parsed. An extension inside an extension is not
parsed from within msgpack: each level of that takes some 40 KiB of the C stack, and a
record nested deep enough would end the process. Instead extensions that hold others are
put aside and parsed when msgpack has returned, which costs one Python frame a level.
Anything that is no record ends as :class:`~flowcore.plan.extension.BadRecord`.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgpack

from flowcore.plan.extension import BadRecord

DEFER: Final = object()


class _Deferred:
    """An extension put aside."""

    __slots__ = ("code", "data")

    def __init__(self, code: int, data: bytes) -> None:
        self.code = code
        self.data = data


_OPEN: Final = (_Deferred, list, dict)


class Parser:
    """A pass over a record; subclasses say what becomes of extensions."""

    __slots__ = ()

    def leaf(self, code: int, data: bytes) -> object:
        """Give what an extension stands for, or DEFER if it holds other extensions."""
        raise BadRecord(f"extension {code} is not accepted here")

    def payload(self, code: int, data: bytes) -> bytes:  # noqa: ARG002
        """Give the record inside a deferred extension."""
        return data

    def container(self, code: int, parts: Any) -> object:
        """Give what a deferred extension stands for, from the parts inside."""
        raise BadRecord(f"extension {code} is not accepted here")

    def parse(self, data: bytes) -> Any:
        """Give what a whole record stands for."""
        tree, deferred = self._unpack(data)
        return self._resolve(tree) if deferred else tree

    def parse_all(self, data: bytes) -> Any:
        """As :meth:`parse`, for parsers that run no code but their own: nesting without end is no record."""
        try:
            return self.parse(data)
        except RecursionError as error:
            raise BadRecord("nested too deep for a record") from error

    def _unpack(self, data: bytes) -> tuple[Any, bool]:
        deferred = False

        def extension(code: int, data: bytes) -> object:
            made = self.leaf(code, data)
            if made is not DEFER:
                return made
            nonlocal deferred
            deferred = True
            return _Deferred(code, data)

        try:
            tree = msgpack.unpackb(data, ext_hook=extension, strict_map_key=False, unicode_errors="surrogatepass")
        except (ValueError, TypeError, OverflowError, msgpack.exceptions.UnpackException) as error:
            raise BadRecord(f"not a record: {error}") from error
        return tree, deferred

    def _resolve(self, node: Any) -> Any:
        """Give `node` with all deferred extensions in it made: one frame a level of nesting."""
        outer = node if type(node) is _Deferred else None
        if outer is not None:
            data, outer.data = outer.data, b""  # each level holds all that is inside it: only one is held at a time
            node, deferred = self._unpack(self.payload(outer.code, data))
            del data
            if not deferred:
                return self.container(outer.code, node)
            if type(node) is _Deferred:
                return self.container(outer.code, self._resolve(node))
        if type(node) is list:
            for i, part in enumerate(node):
                if type(part) in _OPEN:
                    node[i] = self._resolve(part)
        elif type(node) is dict:
            for key, part in node.items():
                if type(key) is _Deferred:
                    raise BadRecord("a key that no record has")
                if type(part) in _OPEN:
                    node[key] = self._resolve(part)
        return node if outer is None else self.container(outer.code, node)


class _Flat(Parser):
    """Reads plain parts, with extensions as they are."""

    __slots__ = ()

    def leaf(self, code: int, data: bytes) -> object:
        return msgpack.ExtType(code, data)


def flat(data: bytes) -> Any:
    """Read one msgpack object; extensions stay unread."""
    return _Flat().parse(data)


def parts_of(data: bytes, count: int) -> list[Any]:
    """Read the payload of an extension that has `count` parts."""
    parts = flat(data)
    if type(parts) is not list or len(parts) != count:
        raise BadRecord("an extension has other parts")
    return parts


def reference_parts(data: bytes) -> tuple[bytes, int, int, list[Any]]:
    """Read digest, place and size of the file that an ARRAY names, and the facts of the array."""
    digest, place, size, *facts = parts_of(data, 6)
    return *_reference(digest, place, size), facts


def spill_parts(data: bytes) -> tuple[bytes, int, int, list[Any]]:
    """Read digest, place and size of the file of a SPILL, and what its content points to."""
    digest, place, size, inner = parts_of(data, 4)
    if type(inner) is not list:
        raise BadRecord("not a spill")
    return *_reference(digest, place, size), inner


_SUFFIX: Final = re.compile(r"(\.[A-Za-z0-9]{1,8})?")


def file_parts(data: bytes) -> tuple[bytes, int, str, list[Any] | None]:
    """Read digest, size, where and facts of a FILE; see `plan/filed.py`."""
    digest, size, where, facts = parts_of(data, 4)
    if type(digest) is not bytes or len(digest) != 32 or type(size) is not int or size < 0 or type(where) is not str:
        raise BadRecord("not a file")
    if facts is None:
        if _SUFFIX.fullmatch(where) is None:
            raise BadRecord("not the suffix of a file")
    elif not where or "\0" in where or not _facts(facts):
        raise BadRecord("not a file outside")
    return digest, size, where, facts


def _facts(facts: Any) -> bool:
    return type(facts) is list and len(facts) == 5 and all(type(f) is int for f in facts[:4]) and type(facts[4]) is bool


def _reference(digest: Any, place: Any, size: Any) -> tuple[bytes, int, int]:
    if type(digest) is not bytes or len(digest) != 32 or type(place) is not int or type(size) is not int:
        raise BadRecord("not a reference")
    if size < 0 or place < 0:
        raise BadRecord("not a reference")
    return digest, place, size
