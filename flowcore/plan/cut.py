"""Taking a value apart while it stays bytes: the elements of a list, one item of a container.

Owns what `fc.each` over a result and `node[key]` do. A list, tuple, dict or namedtuple
is cut in its record, so its arrays are never read; other values are decoded, indexed
as Python would, and encoded again.
"""

from __future__ import annotations

import operator
import sys
from itertools import pairwise
from typing import Any

import msgpack

from flowcore.plan.classes import find_class
from flowcore.plan.extension import (
    INLINE_LIMIT,
    NAMEDTUPLE,
    PAIRS,
    SPILL,
    TUPLE,
    BadRecord,
    Fetch,
    Put,
    ValueGone,
    kind_name,
    pack,
)
from flowcore.plan.kinds import LEAF_READERS, READERS, WRITERS
from flowcore.plan.parsing import flat
from flowcore.plan.reading import Reading, ReadPassed
from flowcore.plan.records import component_of, spilled
from flowcore.plan.writing import Writing


def elements(
    record: bytes, *, fetch: Fetch, put: Put | None = None, place: int = 0, passed: ReadPassed | None = None
) -> list[tuple[object, bytes, bytes]]:
    """Give label, record and component of each element of a list, tuple, range or array (along axis 0).

    Labels are None: elements are known by position. Without `put`, the rows of an array
    stay in their records, whatever their size; their components are the same.

    Raises
    ------
    TypeError
        If the value has no elements in an order of its own.
    """
    content = _unspilled(record, fetch)
    parts = sequence(content)
    if parts is None:
        value = _decode(content, fetch, passed)
        if not _has_rows(value):
            raise TypeError(f"a {kind_name(type(value))} has no elements in order: return a list, tuple or array")
        try:
            parts = [_encode(row, put, place) for row in value]
        except SystemError as error:  # numpy's, of an array of text whose numbers are no characters
            raise BadRecord("text that is none") from error
    return [(None, part, component_of(part, fetch=fetch)) for part in parts]


def _has_rows(value: object) -> bool:
    if isinstance(value, (range, list, tuple)):
        return True
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray) and value.ndim > 0


def item(
    record: bytes, key: object, *, fetch: Fetch, put: Put | None = None, place: int = 0,
    passed: ReadPassed | None = None,
) -> tuple[bytes, bytes]:  # fmt: skip
    """Give record and component of ``value[key]``.

    Raises
    ------
    LookupError, TypeError
        As ``value[key]`` would.
    """
    content = _unspilled(record, fetch)
    part = _item(content, key, fetch)
    if part is None:
        part = _encode(operator.getitem(_decode(content, fetch, passed), key), put, place)
    return part, component_of(part, fetch=fetch)


def _item(content: bytes, key: object, fetch: Fetch) -> bytes | None:
    """Cut one item out of the bytes; None where Python has to be asked."""
    if type(key) is int:
        parts = sequence(content)
        if parts is not None:
            kind = "list" if 0x90 <= content[0] <= 0x9F or content[0] in (0xDC, 0xDD) else "tuple"
            if not -len(parts) <= key < len(parts):
                raise IndexError(f"{kind} index {key} out of range: it has {len(parts)} items")
            return parts[key]
    pairs = _pairs(content)
    if pairs is None:
        return None
    if len(pairs) % 2:
        raise BadRecord("a dict with a key and no value")
    places = {_decode(k, fetch, None): value for k, value in zip(pairs[::2], pairs[1::2], strict=True)}
    return places[key]


def sequence(content: bytes) -> list[bytes] | None:
    """Cut the record of a list, tuple or namedtuple into those of its members; None for anything else."""
    first = content[0] if content else 0
    if 0x90 <= first <= 0x9F or first in (0xDC, 0xDD):
        return _split(content)
    code, payload = _outer(content)
    if code == TUPLE:
        return _split(payload)
    if code == NAMEDTUPLE:
        return _split(payload)[2::2]
    return None


def _pairs(content: bytes) -> list[bytes] | None:
    """Cut a dict into keys and values, one after the other; None for anything else."""
    first = content[0] if content else 0
    if 0x80 <= first <= 0x8F or first in (0xDE, 0xDF):
        return _split(content, pairs=True)
    code, payload = _outer(content)
    return _split(payload) if code == PAIRS else None


def _outer(content: bytes) -> tuple[int, bytes]:
    """Give code and payload if the record is one extension, else -1."""
    if not content or not (0xC7 <= content[0] <= 0xC9 or 0xD4 <= content[0] <= 0xD8):
        return -1, b""
    plain = flat(content)
    return (plain.code, plain.data) if isinstance(plain, msgpack.ExtType) else (-1, b"")


def _split(content: bytes, *, pairs: bool = False) -> list[bytes]:
    """Cut a msgpack array or map into the bytes of its members."""
    unpacker = msgpack.Unpacker(max_buffer_size=len(content) + 1, strict_map_key=False)
    unpacker.feed(content)
    try:
        count = unpacker.read_map_header() * 2 if pairs else unpacker.read_array_header()
        if count > len(content):
            raise BadRecord("more members than bytes")
        cuts = [unpacker.tell()]
        for _ in range(count):
            unpacker.skip()
            cuts.append(unpacker.tell())
    except (ValueError, msgpack.exceptions.UnpackException) as error:
        raise BadRecord(f"not a record: {error}") from error
    return [content[a:b] for a, b in pairwise(cuts)]


def _unspilled(record: bytes, fetch: Fetch) -> bytes:
    code, payload = _outer(record)
    return spilled(payload, fetch) if code == SPILL else record


def _decode(record: bytes, fetch: Fetch, passed: ReadPassed | None) -> Any:
    return Reading(LEAF_READERS, READERS, fetch=fetch, find_class=find_class, passed=passed).read(record)


def _encode(value: object, put: Put | None, place: int) -> bytes:
    """Encode a part; without somewhere to put arrays, all of it stays in the record."""
    inline = INLINE_LIMIT if put is not None else 1 << 62
    writing = Writing(WRITERS, put=put or _nowhere, place=place, inline=inline)
    return pack(writing.write(value))


def _nowhere(header: bytes, data: memoryview) -> bytes:  # noqa: ARG001
    raise ValueGone(b"")
