"""Turning a record back into a value: fresh objects each time (K29), and no code run (S1).

Owns the pass over a record. Anything that is not what flowcore writes is a
:class:`~flowcore.plan.extension.BadRecord`, whatever its bytes; an array that cannot be
read any more is a :class:`~flowcore.plan.extension.ValueGone`. Passed-on pickles are
refused unless the caller says how to read them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from flowcore.plan.extension import (
    BIG_INT,
    BYTEARRAY,
    COMPLEX,
    FROZENSET,
    PAIRS,
    PASSED,
    PICKLED,
    SET,
    SPILL,
    TUPLE,
    BadRecord,
    Fetch,
)
from flowcore.plan.files import Locate
from flowcore.plan.parsing import DEFER, Parser
from flowcore.plan.pickled import PickleRefused, payload_of
from flowcore.plan.records import spilled

FindClass: TypeAlias = Callable[[str], "type | None"]
ReadPassed: TypeAlias = Callable[[list[Any]], object]
Unpickle: TypeAlias = Callable[[memoryview], object]
Reader: TypeAlias = "Callable[[Any, Reading], object]"


class Reading(Parser):
    """One pass over one record. Used by one thread, for one record, once."""

    __slots__ = ("_foreign", "_leaves", "_passed", "_readers", "fetch", "find_class", "locate", "unpickle")

    def __init__(
        self,
        leaves: Mapping[int, Reader],
        readers: Mapping[int, Reader],
        *,
        fetch: Fetch,
        find_class: FindClass,
        passed: ReadPassed | None,
        locate: Locate | None = None,
        unpickle: Unpickle | None = None,
    ) -> None:
        self._leaves = leaves
        self._readers = readers
        self._passed = passed
        self._foreign = False  # in code of the user: its exceptions are its own
        self.fetch = fetch
        self.find_class = find_class
        self.locate = locate  # None: kept files are not accepted
        self.unpickle = unpickle  # None: pickles are not looked into

    def read(self, data: bytes) -> object:
        """Give the value in a record."""
        try:
            return self.parse(data)
        except (
            ValueError,
            TypeError,
            LookupError,
            AttributeError,
            OverflowError,
            RecursionError,
            SystemError,
        ) as error:
            if self._foreign:
                raise
            raise BadRecord(f"not a record: {error}") from error

    def foreign(self, function: Callable[[Any], object], argument: Any) -> object:
        """Call code that is not flowcore's; what it raises is not taken for a bad record."""
        self._foreign = True
        value = function(argument)
        self._foreign = False
        return value

    def leaf(self, code: int, data: bytes) -> object:
        """Read an extension that holds no others; a pickle is refused here, before anything of it is read."""
        if code == PICKLED and self.unpickle is None:
            raise PickleRefused(data)
        reader = self._leaves.get(code)
        return DEFER if reader is None else reader(data, self)

    def payload(self, code: int, data: bytes) -> bytes:
        """Give the record inside: of a spill it has to be fetched."""
        return spilled(data, self.fetch) if code == SPILL else data

    def container(self, code: int, parts: object) -> object:
        """Read an extension whose parts are read."""
        if code == SPILL:
            return parts
        if type(parts) is not list:
            raise BadRecord("an extension has other parts")
        reader = self._readers.get(code)
        if reader is not None:
            return reader(parts, self)
        if code == PICKLED and self.unpickle is not None:
            return self.foreign(self.unpickle, payload_of(parts))
        if code == PASSED and self._passed is not None:
            return self.foreign(self._passed, parts)
        raise BadRecord(f"extension {code} is not accepted here")


def _big_int(data: bytes, reading: Reading) -> object:  # noqa: ARG001 - every reader has this shape
    return int.from_bytes(data, "little", signed=True)


def _complex(data: bytes, reading: Reading) -> object:  # noqa: ARG001
    try:
        return complex(*struct.unpack("<dd", data))
    except struct.error as error:
        raise BadRecord("not a complex number") from error


def _bytearray(data: bytes, reading: Reading) -> object:  # noqa: ARG001
    return bytearray(data)


def _tuple(parts: list[object], reading: Reading) -> object:  # noqa: ARG001
    return tuple(parts)


def _set(parts: list[object], reading: Reading) -> object:  # noqa: ARG001
    return set(parts)


def _frozenset(parts: list[object], reading: Reading) -> object:  # noqa: ARG001
    return frozenset(parts)


def _pairs(parts: list[object], reading: Reading) -> object:  # noqa: ARG001
    return dict(zip(parts[::2], parts[1::2], strict=True))


LEAF_READERS: dict[int, Reader] = {BIG_INT: _big_int, COMPLEX: _complex, BYTEARRAY: _bytearray}
READERS: dict[int, Reader] = {TUPLE: _tuple, SET: _set, FROZENSET: _frozenset, PAIRS: _pairs}
