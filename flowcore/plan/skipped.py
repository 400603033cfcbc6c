"""What is kept of a cell whose task said that it has no result (contract K32).

Owns the extension SKIPPED, ``[reason]``. It stands alone, as the record of a skip, and
nowhere inside a value: every decoder refuses it, so that it is never taken for one. The
reason is told and decides nothing: all skips have one identity.
"""

from __future__ import annotations

from typing import Final

import msgpack

from flowcore.plan.extension import SKIPPED, BadRecord, extension, pack
from flowcore.plan.parsing import flat, parts_of
from flowcore.plan.records import combine

NO_VALUE: Final = combine("skipped", [])  # in place of the identity of a value; enters no key


def skip_record(reason: str) -> bytes:
    """Give the record of a skip."""
    return pack(extension(SKIPPED, [reason]))


def reason_of(record: bytes) -> str:
    """Give the reason in the record of a skip.

    Raises
    ------
    BadRecord
        If it is no such record.
    """
    outer = flat(record)
    if isinstance(outer, msgpack.ExtType) and outer.code == SKIPPED:
        (reason,) = parts_of(outer.data, 1)
        if isinstance(reason, str):
            return reason
    raise BadRecord("not a skip")
