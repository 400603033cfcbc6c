"""Records as bytes: what identifies one, what it points to, how several become one.

Owns the *hash form*: the record with every array, wherever it lies, replaced by the
digest of its npy file, and every spill by the hash form of its content. The component
(the identity of a value) is made from it, so identity depends neither on the inline
limit nor on the place of an array. Works without numpy, and decodes no value.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgpack
from blake3 import blake3

from flowcore.plan.arrays import ArrayFacts, facts_from
from flowcore.plan.extension import (
    ARRAY,
    ARRAY_INLINE,
    ARRAY_MARK,
    BIG_INT,
    CONTAINERS,
    FILE,
    FILE_MARK,
    HASHED_ARRAY,
    HASHED_FILE,
    INLINE_LIMIT,
    INLINE_MARK,
    KEPT,
    OUTSIDE,
    PAIRS,
    PASSED,
    PASSED_MARK,
    PICKLED,
    PICKLED_MARK,
    SPILL,
    SPILL_MARK,
    TUPLE,
    BadRecord,
    Fetch,
    ValueGone,
    array_digest,
    pack,
)
from flowcore.plan.parsing import DEFER, Parser, file_parts, parts_of, reference_parts, spill_parts

_CONTEXT: Final = "flowcore v1 value"
_GATHER: Final = "flowcore v1 gather"
_LONGEST: Final = 255  # bytes of a component, whose length is one byte
_SHORT: Final = 32  # bytes up to which a hash form is its own component
_SMALLEST_REFERENCE: Final = 40  # no record shorter than this points anywhere
_HASHED = (ARRAY_MARK, INLINE_MARK, SPILL_MARK, PASSED_MARK, PICKLED_MARK, FILE_MARK)
_POINTING = (ARRAY_MARK, SPILL_MARK, FILE_MARK)
_CARRIED: Final = 2 * INLINE_LIMIT  # bytes; the longest plain record is hardly longer than the limit


def component_of_form(form: bytes) -> bytes:
    """Give the component of a hash form: itself if short, else its digest, tagged (K1)."""
    if len(form) <= _SHORT:
        return b"\0" + form
    return b"\1" + blake3(form, derive_key_context=_CONTEXT).digest()


def tells_itself(component: bytes) -> bool:
    """Tell whether a component is the value's own encoding, and no digest of it."""
    return component[:1] == b"\0"


def component_of(record: bytes, *, fetch: Fetch) -> bytes:
    """Give the identity of the value in `record`; empty if it can only be passed on.

    Raises
    ------
    ValueGone
        If the record is a spill whose content cannot be read.
    BadRecord
        If it is no record.
    """
    form = _hash_form(record, fetch)
    return component_of_form(form) if form else b""


def _hash_form(record: bytes, fetch: Fetch) -> bytes:
    for mark in _HASHED:
        if mark in record:
            break
    else:
        return record
    rewriter = _Rewriter(fetch)
    plain = rewriter.parse_all(record)
    if rewriter.passed:
        return b""
    return pack(plain) if rewriter.changed else record  # else it was text that only looks like an array


class _Rewriter(Parser):
    """Reads a record into plain parts with each array made a digest."""

    __slots__ = ("_fetch", "changed", "passed")

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self.passed = False
        self.changed = False

    def leaf(self, code: int, data: bytes) -> object:
        if code == ARRAY:
            self.changed = True
            return msgpack.ExtType(HASHED_ARRAY, reference_parts(data)[0])
        if code == ARRAY_INLINE:
            self.changed = True
            content, *facts = parts_of(data, 4)
            if type(content) is not bytes:
                raise BadRecord("not an array")
            return msgpack.ExtType(HASHED_ARRAY, array_digest(facts_from(*facts).header(), content))
        if code == FILE:
            self.changed = True
            return msgpack.ExtType(HASHED_FILE, file_parts(data)[0])
        if code in (PASSED, PICKLED):
            self.passed = True
        elif code == SPILL or (code in CONTAINERS and any(mark in data for mark in _HASHED)):
            return DEFER
        return msgpack.ExtType(code, data)

    def payload(self, code: int, data: bytes) -> bytes:
        return spilled(data, self._fetch) if code == SPILL else data

    def container(self, code: int, parts: object) -> object:
        self.changed = self.changed or code == SPILL
        return parts if code == SPILL else msgpack.ExtType(code, pack(parts))


def spilled(data: bytes, fetch: Fetch) -> bytes:
    """Fetch the record that was spilled to a file."""
    digest, place, size, _ = spill_parts(data)
    nbytes = size - len(ArrayFacts(descr="|u1", shape=(max(size, 0),)).header())  # it is as long for any size
    if nbytes <= 0:
        raise BadRecord("not a spill")
    header = ArrayFacts(descr="|u1", shape=(nbytes,)).header()
    buffer, offset = fetch(digest, header, nbytes, place)
    return bytes(memoryview(buffer)[offset : offset + nbytes])


def references(record: bytes) -> list[tuple[bytes, int, int]]:
    """Give name, size and place of each file that `record` points to.

    The name is the digest of an array or spill, 32 bytes; of a file that is kept (K22) it is
    its digest and the suffix, more than 32. `Layout.blob` finds both.
    """
    if len(record) < _SMALLEST_REFERENCE:
        return []
    if ARRAY_MARK not in record and SPILL_MARK not in record and FILE_MARK not in record:
        return []
    collector = _Collector()
    collector.parse_all(record)
    return collector.found


def is_carried(record: bytes) -> bool:
    """Tell whether a record holds what else lies in a file of its own: there was no room for that (contract F19)."""
    return len(record) > _CARRIED and extension_code(record) != SPILL


def value_bytes(record: bytes) -> int:
    """Give how many bytes a value takes: its record, and the files that it points to, if that can be read."""
    try:
        return len(record) + sum(size for _, size, _ in references(record))
    except BadRecord:
        return len(record)


class _Collector(Parser):
    """Reads a record for nothing but what it points to."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[tuple[bytes, int, int]] = []

    def leaf(self, code: int, data: bytes) -> object:
        if code == ARRAY:
            digest, place, size, _ = reference_parts(data)
            self.found.append((digest, size, place))
        elif code == SPILL:
            digest, place, size, inner = spill_parts(data)
            self.found.append((digest, size, place))
            self.found.extend(_inner(one) for one in inner)
        elif code == FILE:
            digest, size, where, facts = file_parts(data)
            kept = facts is None
            self.found.append((digest + (where or ".").encode() if kept else digest, size, KEPT if kept else OUTSIDE))
        elif code in CONTAINERS and any(mark in data for mark in _POINTING):
            return DEFER
        return msgpack.ExtType(code, data)

    def container(self, code: int, parts: object) -> object:  # noqa: ARG002
        return None


def _inner(reference: object) -> tuple[bytes, int, int]:
    match reference:
        case [bytes() as digest, int() as size, int() as place] if 32 <= len(digest) <= 41 and min(size, place) >= 0:
            return digest, size, place
    raise BadRecord("not a reference")


def join_list(records: Sequence[bytes]) -> bytes:
    """Give the record of the list of these values, without decoding them."""
    return _head(len(records), 0x90, 0xDC) + b"".join(records)


def join_dict(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Give the record of the dict of these keys and values.

    Keys must be plain (None, bool, int, float, str, bytes); others, as tuples, make
    the form that :func:`flowcore.plan.encode.encode` gives such a dict.
    """
    if all(is_plain_key(key) for key, _ in pairs):
        return _head(len(pairs), 0x80, 0xDE) + b"".join([part for pair in pairs for part in pair])
    payload = join_list([part for pair in pairs for part in pair])
    return _extension_head(PAIRS, len(payload)) + payload


def join_tuple(records: Sequence[bytes]) -> bytes:
    """Give the record of the tuple of these values."""
    payload = join_list(records)
    return _extension_head(TUPLE, len(payload)) + payload


def is_plain_key(record: bytes) -> bool:
    """Tell whether `record` is a plain scalar (or an int of any size), and no other extension."""
    first = record[0]
    if first in _EXTENSIONS:
        return record[_EXTENSIONS[first]] == BIG_INT
    return not (0x80 <= first <= 0x9F or 0xDC <= first <= 0xDF)


def extension_code(record: bytes) -> int:
    """Give the code of the extension that a record is as a whole; -1 if it is none."""
    at = _EXTENSIONS.get(record[0]) if record else None
    return record[at] if at is not None and at < len(record) else -1


_EXTENSIONS: Final = {0xC7: 2, 0xC8: 3, 0xC9: 5, 0xD4: 1, 0xD5: 1, 0xD6: 1, 0xD7: 1, 0xD8: 1}  # where the code is


def _head(count: int, small: int, large: int) -> bytes:
    """Write the head of an array or map of `count` members."""
    if count < 16:
        return bytes([small | count])
    if count < 1 << 16:
        return bytes([large]) + count.to_bytes(2, "big")
    return bytes([large + 1]) + count.to_bytes(4, "big")


def _extension_head(code: int, length: int) -> bytes:
    """Write the head of an extension type."""
    fixed = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}.get(length)
    if fixed is not None:
        return bytes([fixed, code])
    if length < 1 << 8:
        return bytes([0xC7, length, code])
    if length < 1 << 16:
        return b"\xc8" + length.to_bytes(2, "big") + bytes([code])
    return b"\xc9" + length.to_bytes(4, "big") + bytes([code])


def combine(tag: str, components: Sequence[bytes]) -> bytes:
    """Give the component of a structure of components: a gather, a list, a set of labels.

    Injective: `tag`, count and the length of each part enter, so no two structures meet.
    An empty component (no canonical encoding) makes the whole one empty.
    """
    if not all(components):
        return b""
    # every component is b"\0" + at most 32 bytes, or b"\1" + 32 bytes; the lengths make the sequence unambiguous
    if max(map(len, components), default=0) > _LONGEST:  # a label, or the name of a class
        components = [c if len(c) <= _LONGEST else component_of_form(c) for c in components]
    hasher = _begun(tag, len(components)).copy()
    hasher.update(b"".join((bytes(map(len, components)), *components)))
    return b"\2" + hasher.digest()


@lru_cache
def _begun(tag: str, count: int) -> blake3:
    hasher = blake3(derive_key_context=_GATHER)
    hasher.update(pack([tag, count]))
    return hasher


def no_fetch(digest: bytes, header: bytes, nbytes: int, place: int) -> tuple[bytearray, int]:  # noqa: ARG001
    """Refuse to read: for records that are known to hold no spill."""
    raise ValueGone(digest)
