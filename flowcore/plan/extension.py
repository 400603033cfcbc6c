"""The words of a record: extension codes, the packer, and the refusals.

Owns what the rooms that write and read records share. A *record* is one msgpack
object. None, bool, float, str, bytes, list, dict and integers of at most 64 bits are
plain msgpack; every other kind is an extension type with a code of its own, so two
kinds never share bytes (K12-K14). The payload of a *container* extension is again one
msgpack object; the payload of a *leaf* extension is opaque.

The codes are part of the format: a code is never given another meaning.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Final, TypeAlias

import msgpack
from blake3 import blake3

INLINE_LIMIT: Final = 16 * 1024  # bytes; what is larger goes to a file of its own
NESTING_LIMIT: Final = 256

TUPLE: Final = 1
SET: Final = 2
FROZENSET: Final = 3
BIG_INT: Final = 4  # leaf: two's complement, little endian, shortest
COMPLEX: Final = 5  # leaf: two float64
NUMPY_SCALAR: Final = 6  # leaf: [descr, data], or ["str" | "bytes" | "dtype", text or descr]
ARRAY_INLINE: Final = 7  # [data, descr, fortran, shape]
ARRAY: Final = 8  # [digest, place, size of the file, descr, fortran, shape]
SPILL: Final = 9  # [digest, place, size of the file, [[digest, size, place], ...]]
STANDARD: Final = 10  # [name of the kind, plain parts]: datetime and friends
BYTEARRAY: Final = 11  # leaf
ENUM: Final = 12  # [class, member name or None, value or None]
DATACLASS: Final = 13  # [class, name, value, name, value, ...]
NAMEDTUPLE: Final = 14  # [class, name, value, ...]
MASKED: Final = 15  # [data, mask or None, fill value, hard mask]
STRINGS: Final = 16  # [coerce, missing value, offsets, UTF-8 bytes, which are missing or None, shape]
ARRAY_CLASS: Final = 17  # [name of the class, array]
REGISTERED: Final = 18  # [name of the codec, its version, parts]
PAIRS: Final = 19  # a dict with a key that is not plain: [key, value, key, value, ...]
FILE: Final = 20  # leaf: [digest, size, where, facts], see plan/filed.py
LIBRARY: Final = "library "  # begins the name of a library among the classes met in a value
HASHED_ARRAY: Final = 30  # leaf, only in hash forms: digest of the npy file
HASHED_FILE: Final = 31  # leaf, only in hash forms: digest of the content
FUNCTION: Final = 32  # leaf, only in identities: code identity (K19)
PASSED: Final = 100  # made by store/codecs.py alone: [pickle or array of its bytes, [buffer arrays]]
PICKLED: Final = 101  # [codec, key, digest, size, array of bytes], see plan/pickled.py
SKIPPED: Final = 102  # [reason]: the record of a cell without a value, see plan/skipped.py; no decoder takes it

CONTAINERS: Final = frozenset({
    TUPLE, SET, FROZENSET, STANDARD, ENUM, DATACLASS, NAMEDTUPLE, MASKED, STRINGS, ARRAY_CLASS,
    REGISTERED, PAIRS, PASSED, PICKLED,
})  # fmt: skip

# How the code and the first payload bytes of these look in a record. A record without any of the marks holds no
# array; one with a mark may hold one, or text that looks like it. So a mark only ever costs a closer look.
ARRAY_MARK: Final = bytes([ARRAY, 0x96, 0xC4, 0x20])
SPILL_MARK: Final = bytes([SPILL, 0x94, 0xC4, 0x20])
INLINE_MARK: Final = bytes([ARRAY_INLINE, 0x94])
PASSED_MARK: Final = bytes([PASSED, 0x92])
PICKLED_MARK: Final = bytes([PICKLED, 0x95])
FILE_MARK: Final = bytes([FILE, 0x94, 0xC4, 0x20])

KEPT: Final = 0  # places of what a record points to: in the store
SPOOLED: Final = 1  # handed over within a run, and gone after it
OUTSIDE: Final = 2  # a file that is the user's own; no record with one is kept

Put: TypeAlias = Callable[[bytes, memoryview], bytes]
"""Keeps an array: npy header and data; gives the BLAKE3-256 of both together."""

Buffer: TypeAlias = bytearray | memoryview | mmap.mmap

Fetch: TypeAlias = Callable[[bytes, bytes, int, int], tuple[Buffer, int]]
"""Given digest, npy header, bytes of data and place: a writable private buffer of the file, and where data start."""


class NoEncoding(Exception):  # noqa: N818 - says what is the case; callers turn it into NotKeyable or NotStorable
    """A value, or a part of it, has no canonical encoding.

    `path` leads from the value to the leaf (``".net[3]"``; empty: the value itself), so
    a caller puts the name of the value in front. `kind` names the type of the leaf,
    `hint` what to do about it, if there is something.
    """

    def __init__(self, path: str = "", kind: str = "", hint: str = "") -> None:
        super().__init__(path, kind, hint)
        self.path = path
        self.kind = kind
        self.hint = hint

    def __str__(self) -> str:
        where = self.path or "the value"
        return f"{where} is a {self.kind}, which has no canonical encoding{': ' if self.hint else ''}{self.hint}"


class ValueGone(Exception):  # noqa: N818 - says what is the case
    """A record names an array that can no longer be read."""

    def __init__(self, digest: bytes) -> None:
        super().__init__(digest)
        self.digest = digest


class BadRecord(Exception):  # noqa: N818 - says what is the case
    """Bytes are not a record, or hold what this reader was not told to accept."""


def kind_name(kind: type) -> str:
    """Give the name of a type for a message: ``dict``, ``torch.nn.Module``."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def digest_of(data: bytes | memoryview) -> bytes:
    """Give the BLAKE3-256 of `data`, as ``b3sum`` would."""
    return blake3(data).digest()


def array_digest(header: bytes, data: bytes | memoryview) -> bytes:
    """Give the digest of the npy file that these two make: a Put that keeps nothing."""
    hasher = blake3(header)
    hasher.update(data)
    return hasher.digest()


def _big(value: object) -> msgpack.ExtType:
    """Pack an int of more than 64 bits; everything else has been turned into plain parts before."""
    if type(value) is not int:
        raise TypeError(f"{kind_name(type(value))} reached the packer")
    return msgpack.ExtType(BIG_INT, value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))


def pack(plain: object) -> bytes:
    """Pack what is made of plain kinds and extension types only."""
    packer = msgpack.Packer(default=_big, strict_types=True, unicode_errors="surrogatepass", buf_size=1024)
    packed: bytes = packer.pack(plain)
    return packed


def extension(code: int, parts: list[object]) -> msgpack.ExtType:
    """Make a container extension of plain parts."""
    return msgpack.ExtType(code, pack(parts))


pack_scalar: Callable[[object], bytes] = msgpack.Packer(
    default=_big, strict_types=True, unicode_errors="surrogatepass", buf_size=1024
).pack
"""Packs one None, bool, int, float, str or bytes: a single call that runs no Python but for an int too large."""
