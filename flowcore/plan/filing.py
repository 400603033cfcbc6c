"""Values of `fc.File`, written and read; `plan/files.py` says what stands in a record.

Promises that the identity of a file is its content alone (contract K22), and that what
a reader gets is a `File` with the path of what was verified. Never looks at a disk: who
does is handed in, and where nobody is, files have no encoding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowcore.declare.files import File
from flowcore.plan.extension import FILE, BadRecord, NoEncoding, extension
from flowcore.plan.files import filed_from

if TYPE_CHECKING:
    from flowcore.plan.reading import Reading
    from flowcore.plan.writing import Writer, Writing


def writer(kind: type) -> Writer | None:
    """Find the writer of files."""
    return _write if kind is File else None


def _write(value: File, writing: Writing) -> object:
    if writing.look is None:
        raise NoEncoding("", "flowcore.File", "a file is looked at as an argument or result, beside nothing else")
    filed = writing.look(value)
    writing.arrays = True  # so that the identity is made from digests
    facts = list(filed.facts) if filed.facts is not None else None
    return extension(FILE, [filed.digest, filed.size, filed.where, facts])


def _read(data: bytes, reading: Reading) -> object:
    filed = filed_from(data)
    if filed.facts is not None:
        return File(filed.where)
    if reading.locate is None:
        raise BadRecord("a kept file is not accepted here")
    return File(reading.locate(filed))


LEAF_READERS = {FILE: _read}
