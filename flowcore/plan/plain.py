"""Many records at once, where each is no more than a number, a text or the like.

Owns the tests for that, by first byte and length. Promises the values that
:func:`~flowcore.plan.encode.decode` gives one by one, or None: then it is asked for each.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import msgpack

_LONGEST: Final = 9  # bytes of a record that is a number
_WIDTHS: Final = {0xC2: 1, 0xC3: 1, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9}
_SIZES: Final = bytes(1 if first < 0x80 or first >= 0xE0 else _WIDTHS.get(first, 0) for first in range(256))


_SCALARS: Final = bytes(
    first for first in range(256) if not (0x80 <= first <= 0x9F or 0xC7 <= first <= 0xC9 or 0xD4 <= first <= 0xD8)
).translate(None, b"\xdc\xdd\xde\xdf")


def are_scalars(records: Sequence[bytes]) -> bool:
    """Tell whether each record is a number, text, bytes or None: no container, and no extension, that is.

    Examples
    --------
    >>> are_scalars([bytes([7]), bytes([0xA0])]), are_scalars([bytes([0x90])]), are_scalars([b""])
    (True, False, False)
    """
    try:
        return not bytes([record[0] for record in records]).translate(None, _SCALARS)
    except IndexError:
        return False


def plain_numbers(records: Sequence[bytes]) -> list[bool | int | float] | None:
    """Give the value of each record; None unless all are truth values, integers below 2**64 or floats.

    Examples
    --------
    >>> plain_numbers([bytes([7]), bytes([0xC3]), bytes.fromhex("cb3fe0000000000000")])
    [7, True, 0.5]
    >>> plain_numbers([bytes([7]), bytes([0xA0])]) is None
    True
    """
    lengths = list(map(len, records))
    if not lengths or min(lengths) < 1 or max(lengths) > _LONGEST or len(lengths) >= 1 << 32:
        return None
    if bytes([record[0] for record in records]).translate(_SIZES) != bytes(lengths):
        return None
    found: list[bool | int | float] = msgpack.unpackb(b"\xdd" + struct.pack(">I", len(lengths)) + b"".join(records))
    return found
