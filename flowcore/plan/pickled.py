"""What a record says of a value that is kept as a pickle, where a store allows that (contract S2, S3).

Owns the extension PICKLED, ``[codec, key, digest, size, payload]``: how the payload was
made, the key of the cell that it is the value of, and BLAKE3-256 and length of the
payload, which is an array of bytes like any other. A pickle never stands inside another
value's record in the store; in a run it may, gathered with others.

Promises that permission and codec are looked at before the payload is fetched, and key,
digest and length before it is handed to whoever unpickles. Never unpickles.
"""

from __future__ import annotations

from typing import Any, Final

import msgpack

from flowcore.plan.extension import PICKLED, BadRecord, digest_of, extension, pack
from flowcore.plan.parsing import flat, parts_of
from flowcore.plan.records import extension_code

CODEC: Final = "pickle 5"
_KEY: Final = 32  # bytes


class PickleRefused(BadRecord):
    """A record holds a pickle, and whoever reads it has not said that pickles may be read."""

    def __init__(self, data: bytes) -> None:
        digest = parts_of(data, 5)[2]
        self.entry = digest.hex()[:12] if type(digest) is bytes else ""
        super().__init__(f"{self.entry} is a pickle, which this reader has no leave to read")


def pickled(payload: bytes, array: object) -> bytes:
    """Give the record of a pickle whose bytes stand in `array`, as written; no key yet."""
    return pack(extension(PICKLED, [CODEC, b"", digest_of(payload), len(payload), array]))


def is_pickled(record: bytes) -> bool:
    """Tell whether a record is, as a whole, a kept pickle."""
    return extension_code(record) == PICKLED


def sealed(record: bytes, key: bytes) -> bytes:
    """Give the record of a pickle with the key that it is kept under; empty if it has another one, or there is none."""
    codec, found, digest, size, array = _parts(record)
    if codec != CODEC or len(key) != _KEY or found not in (b"", key):
        return b""
    return pack(extension(PICKLED, [codec, key, digest, size, array]))


def is_sealed(record: bytes, key: bytes) -> bool:
    """Tell whether a kept pickle is the value of this key and of no other."""
    try:
        codec, found, *_ = _parts(record)
    except BadRecord:
        return False
    return codec == CODEC and found == key and len(key) == _KEY


def payload_of(parts: list[Any]) -> memoryview:
    """Give the bytes to unpickle, once codec, length and digest are what the record says.

    Raises
    ------
    BadRecord
        If they are not.
    """
    match parts:
        case [str(codec), bytes(), bytes(digest), int(size), array] if codec == CODEC:
            data = memoryview(array).cast("B") if hasattr(array, "dtype") and array.dtype.str == "|u1" else None
            if data is not None and len(data) == size and digest_of(data) == digest:
                return data
    raise BadRecord("a pickle is not what its record says")


def _parts(record: bytes) -> list[Any]:
    outer = flat(record)
    if not isinstance(outer, msgpack.ExtType) or outer.code != PICKLED:
        raise BadRecord("not a pickle")
    return parts_of(outer.data, 5)
