"""Files in records: what a record says of one, and the pass that finds them.

Owns the extension FILE, ``[digest, size, where, facts]``: BLAKE3-256 and length of the
content, then where to find it. Its identity is the digest alone (contract K22), so a
file is the same one wherever it lies. There are two forms.

kept
    ``where`` is the suffix of its name in the store, ``facts`` is nil. It is named by
    :func:`~flowcore.plan.records.references` with place 0, as digest followed by
    the suffix (``b"."`` if there is none): more than the 32 bytes of an array's name,
    and all that `store/layout.py` needs to find it. So whoever asks whether values are
    there, syncs or collects them treats both alike.
outside
    ``where`` is an absolute path, ``facts`` what a stat said when it was hashed: device,
    inode, mtime_ns, ctime_ns, and whether these will tell any later change. Named with
    place 2, so that no record with it is ever kept.

Never looks at a disk: who does is handed in. Written and read in `plan/filing.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import msgpack

from flowcore.declare.files import File
from flowcore.plan.extension import (
    CONTAINERS,
    FILE,
    FILE_MARK,
    OUTSIDE,
    SPILL,
    SPILL_MARK,
    Fetch,
)
from flowcore.plan.parsing import DEFER, Parser, file_parts
from flowcore.plan.records import references, spilled

_DIGEST: Final = 32  # bytes; names of kept files are longer


class Facts(NamedTuple):
    """What a stat said of a file outside when it was hashed."""

    device: int
    inode: int
    mtime_ns: int
    ctime_ns: int
    settled: bool  # any later change of the file shows in the four


class Filed(NamedTuple):
    """A file as a record has it."""

    digest: bytes
    size: int
    where: str  # suffix of a kept one, absolute path of one outside
    facts: Facts | None  # None: kept

    @property
    def name(self) -> bytes:
        """What a reference to it is called."""
        return self.digest + (self.where or ".").encode() if self.facts is None else self.digest


Look: TypeAlias = Callable[[File], Filed]
"""Finds out what a file is, and keeps it if it is to be kept."""

Locate: TypeAlias = Callable[[Filed], str]
"""Gives the path of a kept file, verified; ValueGone if it is not there."""


def filed_from(data: bytes) -> Filed:
    """Read the payload of the extension."""
    digest, size, where, facts = file_parts(data)
    return Filed(digest, size, where, Facts(*facts) if facts is not None else None)


def may_hold_files(records: bytes) -> bool:
    """Tell whether a record, or several joined, may hold files: a search, and never wrong if it says no."""
    return FILE_MARK in records or SPILL_MARK in records


def has_files(record: bytes) -> bool:
    """Tell whether a record holds files, or text that looks like one; a spill says so without being read."""
    if FILE_MARK in record:
        return True
    if SPILL_MARK not in record:
        return False
    return any(place == OUTSIDE or len(name) > _DIGEST for name, _, place in references(record))


def files_in(record: bytes, *, fetch: Fetch) -> list[Filed]:
    """Give the files in a record, in no order.

    Raises
    ------
    ValueGone
        If it is a spill that cannot be read.
    """
    if not has_files(record):
        return []
    finder = _Finder(fetch)
    finder.parse_all(record)
    return finder.found


class _Finder(Parser):
    """Reads a record for nothing but its files."""

    __slots__ = ("_fetch", "found")

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self.found: list[Filed] = []

    def leaf(self, code: int, data: bytes) -> object:
        if code == FILE:
            self.found.append(filed_from(data))
        elif code == SPILL or (code in CONTAINERS and may_hold_files(data)):
            return DEFER
        return msgpack.ExtType(code, data)

    def payload(self, code: int, data: bytes) -> bytes:
        return spilled(data, self._fetch) if code == SPILL else data

    def container(self, code: int, parts: object) -> object:  # noqa: ARG002
        return None
