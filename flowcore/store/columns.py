"""Columns of a trace record, made small.

Owns the packed forms. Promises that reading a cell of a column is a slice, and that a
malformed column is a ValueError and never a wrong cell. Knows nothing of what the
columns mean::

    numbers   [start, length, start, length, ...], or bytes of 1, 2, 4 or 8 each where that is longer
    bytes     nil: all empty · bin: all the same · [width, joined] · [0, [bin, ...]]
    floats    4 bytes each          sizes   8 bytes each, or nothing where all are 0
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, TypeAlias

Packed: TypeAlias = object

_WIDTHS: Final = {1: "b", 2: "h", 4: "i", 8: "q"}  # bytes of a number, and what `struct` calls it

LARGEST: Final = 1 << 62  # of a number: any sum of two fits into 64 bits

MOST: Final = (
    1 << 24
)  # cells in one column of runs, which a few bytes could otherwise say are more than there is memory


def pack_numbers(numbers: Sequence[int]) -> Packed:
    """Pack cell numbers; consecutive ones cost nothing."""
    if not numbers:
        return []
    if numbers[-1] - numbers[0] == len(numbers) - 1 and list(numbers) == list(range(numbers[0], numbers[-1] + 1)):
        return [numbers[0], len(numbers)]
    if numbers[0] == numbers[-1]:  # as it is where each is the only cell of its node
        return _joined_numbers(numbers)
    runs: list[int] = []
    start = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            runs += (start, last - start + 1)
            start = number
        last = number
    runs += (start, last - start + 1)
    return runs if len(runs) <= len(numbers) else _joined_numbers(numbers)


def _joined_numbers(numbers: Sequence[int]) -> bytes:
    largest = max(numbers)
    width = next(width for width in _WIDTHS if largest < 1 << (8 * width - 1))
    return struct.pack(f"<{len(numbers)}{_WIDTHS[width]}", *numbers)


def unpack_numbers(packed: Packed, count: int) -> list[int]:
    """Give the numbers back; ValueError unless there are `count`."""
    if isinstance(packed, bytes) and count and len(packed) % count == 0 and len(packed) // count in _WIDTHS:
        return list(struct.unpack(f"<{count:d}{_WIDTHS[len(packed) // count]}", packed))
    if not isinstance(packed, list) or len(packed) % 2 or not all(type(number) is int for number in packed):
        raise ValueError("numbers")
    if any(length < 1 for length in packed[1::2]) or sum(packed[1::2]) != count or count > MOST:
        raise ValueError("numbers")
    if any(abs(start) >= LARGEST for start in packed[::2]):
        raise ValueError("numbers")
    numbers: list[int] = []
    for start, length in zip(packed[::2], packed[1::2], strict=True):
        numbers.extend(range(start, start + length))
    return numbers


def pack_bytes(column: Sequence[bytes], count: int) -> Packed:
    """Pack a column of bytes; a column of one is shared by all."""
    if not column or not any(column):
        return None
    first = column[0]
    if len(column) == 1 or column.count(first) == len(column):
        return first
    width = len(first)
    if width and set(map(len, column)) == {width}:
        return [width, b"".join(column)]
    if len(column) != count:
        raise ValueError(f"a column of {len(column)} for {count} cells")
    return [0, list(column)]


def check_bytes(packed: Packed, count: int) -> Packed:
    """Give the column if every cell below `count` can be read from it; else ValueError."""
    if packed is None or isinstance(packed, bytes):
        return packed
    if not isinstance(packed, list) or len(packed) != 2 or type(packed[0]) is not int:
        raise ValueError("column")
    width, cells = packed
    if width > 0 and isinstance(cells, bytes) and len(cells) == width * count:
        return packed
    if width == 0 and isinstance(cells, list) and len(cells) == count and all(isinstance(c, bytes) for c in cells):
        return packed
    raise ValueError("column")


def cell_of(packed: Packed, row: int) -> bytes:
    """Give one cell of a checked column."""
    if packed is None:
        return b""
    if isinstance(packed, bytes):
        return packed
    if not isinstance(packed, list):
        raise ValueError("column")
    width: int = packed[0]
    cell: bytes = packed[1][row * width : row * width + width] if width else packed[1][row]
    return cell


def pack_floats(values: Sequence[float]) -> bytes:
    """Pack seconds, to seven digits."""
    return struct.pack(f"<{len(values)}f", *values)


def unpack_floats(packed: Packed, count: int) -> Sequence[float]:
    """Give the floats back; ValueError unless there are `count`."""
    if not isinstance(packed, bytes) or len(packed) != 4 * count:
        raise ValueError("floats")
    return struct.unpack(f"<{count:d}f", packed)


def pack_sizes(values: Sequence[int]) -> bytes:
    """Pack sizes in bytes."""
    return struct.pack(f"<{len(values)}q", *values) if any(values) else b""


def unpack_sizes(packed: Packed, count: int) -> list[int]:
    """Give the sizes back; nothing where none were packed."""
    if not packed:
        return []
    if not isinstance(packed, bytes) or len(packed) != 8 * count:
        raise ValueError("sizes")
    return list(struct.unpack(f"<{count:d}q", packed))
