"""Parts of a picture that nothing joins, side by side and in rows.

Owns one small packing: the tall ones first, in rows about as long as the whole is to be
wide, and none beside one that is much taller. Takes sizes, gives places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Protocol, TypeVar

_BESIDE = 40.0
_SHORT = 0.4  # of the height of a row's first, under which a part waits for the next row
_WIDER = 2.0  # a picture is about so many times wider than high


class Sized(Protocol):
    """What has a width and a height."""

    width: float
    height: float


S = TypeVar("S", bound=Sized)


def shelved(parts: Sequence[S], merge: Callable[[Sequence[tuple[S, tuple[float, float]]], float, float], S]) -> S:
    """Put parts into rows; `merge` makes one of them, given left and top of each, width and height."""
    area = sum((part.width + _BESIDE) * (part.height + _BESIDE) for part in parts)
    limit = max([sqrt(area * _WIDER), *(part.width for part in parts)])
    placed: list[tuple[S, tuple[float, float]]] = []
    left = top = tall = width = 0.0
    for part in sorted(parts, key=lambda part: -part.height):  # stable
        if left and (left + part.width > limit or part.height < _SHORT * tall):
            left, top, tall = 0.0, top + tall + _BESIDE, 0.0
        placed.append((part, (left, top)))
        width, tall = max(width, left + part.width), max(tall, part.height)
        left += part.width + _BESIDE
    return merge(placed, width, top + tall)
