"""One value to one record and one identity, and back.

Owns :func:`encode` and :func:`decode`. Promises: equal values have equal components,
values that differ in type, bits, order or layout have different ones (K12-K17), in
every process and under every hash seed; and that decoding gives a fresh object each
time (K29) and runs no code (S1). Never touches a disk: arrays above the inline limit
go to whoever `put` and `fetch` belong to.

The other rooms of records are reached from here too: `plan/records.py` (identity and
references of records), `plan/cut.py` (elements and items).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgpack

from flowcore.plan.arrays import ArrayFacts
from flowcore.plan.classes import PlainRecord, class_name, find_class, main_stem, register_classes, set_main_stem
from flowcore.plan.cut import elements, item
from flowcore.plan.extension import (
    ARRAY,
    INLINE_LIMIT,
    LIBRARY,
    NESTING_LIMIT,
    SPILL,
    BadRecord,
    Fetch,
    NoEncoding,
    Put,
    ValueGone,
    array_digest,
    extension,
    pack,
    pack_scalar,
)
from flowcore.plan.files import Locate, Look, files_in
from flowcore.plan.kinds import LEAF_READERS, READERS, WRITERS, forget_kinds
from flowcore.plan.libraries import library_version
from flowcore.plan.reading import FindClass, Reading, ReadPassed, Unpickle
from flowcore.plan.records import (
    combine,
    component_of,
    component_of_form,
    join_dict,
    join_list,
    join_tuple,
    no_fetch,
    references,
)
from flowcore.plan.writing import PLAIN, Writing

__all__ = [
    "INLINE_LIMIT", "NESTING_LIMIT", "ArrayFacts", "BadRecord", "Encoded", "Fetch", "Locate", "Look", "NoEncoding",
    "PlainRecord", "Put", "ValueGone", "class_name", "combine", "component_of", "decode", "elements", "encode",
    "encode_plain",
    "files_in", "find_class", "forget_kinds", "identify", "item", "join_dict", "join_list", "join_tuple", "main_stem",
    "no_fetch", "references", "register_classes", "set_main_stem",
]  # fmt: skip


class Encoded(NamedTuple):
    """A value as its record and its identity."""

    record: bytes
    component: bytes
    classes: tuple[tuple[str, bytes], ...] = ()  # user classes met: name, code identity


def encode(
    value: object,
    *,
    put: Put,
    place: int = 0,
    class_identity: Callable[[type], bytes] | None = None,
    function_identity: Callable[[object], bytes] | None = None,
    look: Look | None = None,
    inline: int = INLINE_LIMIT,
) -> Encoded:
    """Give the record and the component of `value`.

    Parameters
    ----------
    value : object
        Anything made of the kinds in :mod:`flowcore.plan.kinds`.
    put : callable
        Keeps an array that is too large for the record, and gives its digest.
    place : int
        Where `put` keeps: 0 the store, 1 the spool. Enters the record, never the component.
    class_identity : callable, optional
        Gives the code identity of a user class; without it `classes` stays empty.
    function_identity : callable, optional
        Gives the code identity of a function inside the value; without it functions have
        no encoding. A record made with it identifies a value and cannot be decoded.
    look : callable, optional
        Finds out what a file is; without it files have no encoding.
    inline : int
        Bytes of an array, or of the whole, that stay in the record. Never enters the component.

    Returns
    -------
    Encoded
        The record, the component, and the user classes met, sorted by name.

    Raises
    ------
    NoEncoding
        If a part of `value` has no canonical encoding; says where it is.
    """
    plain = encode_plain(value)
    if plain is not None:
        return plain
    writing = Writing(
        WRITERS, put=put, place=place, inline=inline,
        class_identity=class_identity, function_identity=function_identity, look=look,
    )  # fmt: skip
    return finish(_plain_parts(value, writing), writing)


def encode_plain(value: object) -> Encoded | None:
    """Encode a number, a text, bytes or None that fits into a record; None: it takes :func:`encode`."""
    if type(value) not in PLAIN:
        return None
    record = pack_scalar(value)
    if len(record) <= 32:
        return Encoded(record, b"\0" + record)
    return Encoded(record, component_of_form(record)) if len(record) <= INLINE_LIMIT else None


def _plain_parts(value: object, writing: Writing) -> object:
    try:
        return writing.write(value)
    except RecursionError as error:
        raise NoEncoding("", "value nested too deep for the stack", "") from error


def finish(parts: object, writing: Writing) -> Encoded:
    """Pack what a pass gave; a record over the inline limit that is no array becomes a file (L3)."""
    record = pack(parts)
    component = component_of(record, fetch=no_fetch) if writing.arrays else component_of_form(record)
    classes: tuple[tuple[str, bytes], ...] = ()
    if writing.classes and writing.class_identity is not None:
        identity = writing.class_identity
        classes = tuple((name, identity(kind)) for name, kind in sorted(writing.classes.items()))
    if writing.libraries and writing.class_identity is not None:
        classes += tuple((f"{LIBRARY}{name}", library_version(name)) for name in sorted(writing.libraries))
    is_array = isinstance(parts, msgpack.ExtType) and parts.code == ARRAY
    if len(record) > writing.inline and not is_array:
        record = _spill(record, writing)
    return Encoded(record, component, classes)


def _spill(record: bytes, writing: Writing) -> bytes:
    header = ArrayFacts(descr="|u1", shape=(len(record),)).header()
    digest = writing.put(header, memoryview(record))
    inner: list[object] = [list(reference) for reference in references(record)]
    return pack(extension(SPILL, [digest, writing.place, len(header) + len(record), inner]))


def decode(
    record: bytes, *, fetch: Fetch, find_class: FindClass = find_class, passed: ReadPassed | None = None,
    locate: Locate | None = None, unpickle: Unpickle | None = None,
) -> object:  # fmt: skip
    """Give the value in `record`, as a fresh object.

    Parameters
    ----------
    record : bytes
        What :func:`encode` gave.
    fetch : callable
        Gives the file of an array.
    find_class : callable
        Gives the class of a name, or None; then a :class:`PlainRecord` comes back.
    passed : callable, optional
        Reads a passed-on value from its parts; without it such a record is refused.
    locate : callable, optional
        Gives the path of a file that is kept; without it such a record is refused.
    unpickle : callable, optional
        Reads a kept pickle that has been checked; without it such a record is refused unread.

    Raises
    ------
    ValueGone
        If an array can no longer be read.
    BadRecord
        If this is no record, or holds what was not to be accepted: PickleRefused for a kept pickle.
    """
    return Reading(
        LEAF_READERS, READERS, fetch=fetch, find_class=find_class, passed=passed, locate=locate,
        unpickle=unpickle,
    ).read(record)  # fmt: skip


def identify(
    value: object, *, class_identity: Callable[[type], bytes], function_identity: Callable[[object], bytes]
) -> Encoded:
    """Give the identity of a value that may hold functions, keeping nothing (K19).

    The record of the result cannot be decoded.
    """
    return encode(value, put=array_digest, class_identity=class_identity, function_identity=function_identity)
