"""Files of arrays, and what records say of them: an array exactly as its file has it, or no value."""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import Any, Final

import msgpack
import numpy as np
from blake3 import blake3

from flowcore.errors import FlowcoreWarning
from flowcore.plan.arrays import descr_parts, facts_of
from flowcore.plan.encode import BadRecord, ValueGone, decode
from flowcore.plan.extension import ARRAY, extension, pack
from flowcore.store.blobs import Blobs
from flowcore.store.layout import Layout
from flowcore.store.trouble import Trouble
from flowcore.store.verified import Verified
from tests.fuzz.reader import Mistake, words
from tests.fuzz.shelf import Shelf

_LAYOUT: Final = Layout(Path("/store"))


@functools.cache
def files() -> list[bytes]:
    """Give ``[descr, order, shape, size, content of the file, whether its name is its digest]``."""
    structured = np.array([(1, 2.0, "ab")], dtype=[("a", "<i4"), (("title", "b"), "<f8"), ("c", "<U2", (2,))])
    found = []
    for array in (
        np.arange(5),
        np.zeros((2, 3), order="F"),
        np.array(["a", "bc"]),
        np.empty((0, 4)),
        structured,
        np.array(["2020"], "M8[D]"),
        np.array([True]),
        np.array(3.5),
        np.array([b"ab"]),
        np.ones((1, 1, 2), ">c8"),
        np.zeros(3, "V5"),
        np.array([1], "m8[25s]"),
        np.arange(700.0),
    ):
        facts = facts_of(array)
        content = facts.header() + array.tobytes(order="F" if facts.fortran else "C")
        told: list[object] = [descr_parts(facts.descr), facts.fortran, list(facts.shape), len(content), content]
        found += [msgpack.packb([*told, honest]) for honest in (True, False)]
    return found


@functools.cache
def _digests() -> dict[bytes, bytes]:
    contents = [msgpack.unpackb(one)[4] for one in files()]
    return {blake3(content).digest(): content for content in contents}


def read(data: bytes) -> str:
    """Keep the bytes as the file of an array, and read it by a record."""
    try:
        match msgpack.unpackb(data, strict_map_key=False):
            case [descr, fortran, shape, size, bytes(content), honest]:
                pass
            case _:
                return "no input"
    except (ValueError, TypeError):
        return "no input"
    digest = blake3(content).digest() if honest is True else next(iter(_digests()))
    try:
        record = pack(extension(ARRAY, [digest, 0, size, descr, fortran, shape]))
    except (ValueError, TypeError, OverflowError):
        return "no input"
    path = _LAYOUT.blob(digest)
    shelf = Shelf(**{path: content})
    told: list[FlowcoreWarning] = []
    trouble = Trouble("/store", disk=shelf, tell=told.append)
    blobs = Blobs(_LAYOUT, "r", disk=shelf, trouble=trouble, verified=Verified("", disk=shelf), mapped=False)
    outcome = _read(record, blobs, content)
    sound = blake3(content).digest() == digest
    if sound and shelf.moved:
        raise Mistake("a sound file was put aside")
    if outcome.startswith("array") and not sound:
        raise Mistake("a damaged file gave a value")
    if len(told) > 1 or shelf.leaked:
        raise Mistake("more than one warning, or a descriptor left open")
    return outcome


def _read(record: bytes, blobs: Blobs, content: bytes) -> str:
    try:
        value: Any = decode(record, fetch=lambda digest, header, nbytes, place: blobs.map(digest, header, nbytes))
    except BadRecord as refusal:
        return words(str(refusal))[:40]
    except ValueGone:
        return "gone"
    try:  # numpy is a second reader of the same file
        expected = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, TypeError, EOFError, SyntaxError, OverflowError) as error:
        raise Mistake(f"an array that numpy does not read: {error}") from error
    if value.dtype != expected.dtype or value.shape != expected.shape or value.tobytes() != expected.tobytes():
        raise Mistake("an array that is not in the file")
    if not value.flags.writeable or (value.flags.f_contiguous != expected.flags.f_contiguous):
        raise Mistake("an array of another layout")
    return f"array of {value.dtype.kind}"
