"""Parts of a state that are one: what would be two after it was saved and read again.

Looks at arrays by the memory that they lie in, and at lists, dicts and sets by which
object they are, inside of each other too. Promises to look at each once; never copies.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

_EFFORT = 100_000  # candidate solutions looked at to tell whether two arrays that interleave share an element
_DEEP = 16  # levels of containers


def shared(values: Mapping[str, object]) -> tuple[str, str] | None:
    """Give the names of two parts that share memory; None if no two do.

    Examples
    --------
    >>> row = [1, 2]
    >>> shared({"a": row, "b": {"last": row}})
    ('a', "b['last']")
    >>> shared({"a": [1], "b": [1]}) is None
    True
    """
    seen: dict[int, str] = {}
    arrays: list[tuple[int, int, str, Any]] = []
    for name, part in _parts(values):
        if id(part) in seen:
            return seen[id(part)], name
        seen[id(part)] = name
        if _is_array(part) and part.size:
            arrays.append((*_bounds(part), name, part))
    arrays.sort(key=lambda one: one[:2])
    return _overlapping(arrays)


def _overlapping(arrays: list[tuple[int, int, str, Any]]) -> tuple[str, str] | None:
    """Go along the memory: an array is compared with those before it that have not ended yet."""
    open_: list[tuple[int, int, str, Any]] = []
    for one in arrays:
        open_ = [other for other in open_ if other[1] > one[0]]
        for other in open_:
            if _share(other[3], one[3]):
                first, second = sorted((other, one), key=lambda array: array[2])
                return first[2], second[2]
        open_.append(one)
    return None


def _parts(values: Mapping[str, object]) -> Iterator[tuple[str, Any]]:
    waiting: list[tuple[str, Any, int]] = [(name, value, 0) for name, value in reversed(list(values.items()))]
    while waiting:
        name, part, level = waiting.pop()
        if _is_array(part):
            yield name, part
            continue
        if not isinstance(part, list | tuple | dict | set) or level > _DEEP:
            continue
        if not isinstance(part, tuple):
            yield name, part
        inner = part.items() if isinstance(part, dict) else enumerate(part) if not isinstance(part, set) else ()
        waiting += [(f"{name}[{key!r}]", one, level + 1) for key, one in reversed(list(inner))]


def _is_array(part: object) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(part, numpy.ndarray)


def _bounds(part: Any) -> tuple[int, int]:
    from numpy.lib.array_utils import byte_bounds

    low, high = byte_bounds(part)
    return int(low), int(high)


def _share(one: Any, other: Any) -> bool:
    import numpy as np

    try:
        return bool(np.shares_memory(one, other, max_work=_EFFORT))  # type: ignore[arg-type] # any int does
    except np.exceptions.TooHardError:
        return True
