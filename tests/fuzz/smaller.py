"""A mistake, and the smallest input found that is the same one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from tests.fuzz.mutation import SCALARS
from tests.fuzz.trees import LEAF, Node, made, parse

_TRIES: Final = 1500
_SECONDS: Final = 5.0  # of processor time


def smallest(data: bytes, same: Callable[[bytes], bool]) -> bytes:
    """Give an input for which `same` still holds, with as much taken away as can be in a bounded number of tries."""
    tries, progress, until = 0, True, time.thread_time() + _SECONDS
    while progress and tries < _TRIES:
        progress = False
        for smaller in _smaller(data):
            tries += 1
            if tries > _TRIES or time.thread_time() > until:
                return data
            if len(smaller) < len(data) and same(smaller):
                data, progress = smaller, True
                break
    return data


def _smaller(data: bytes) -> Iterator[bytes]:
    tree = parse(data)
    if tree.kind != LEAF:
        yield from _trees(tree)
    step = len(data) // 2
    while step:
        for start in range(0, len(data), step):
            yield data[:start] + data[start + step :]
        step //= 2


def _trees(tree: Node) -> Iterator[bytes]:
    """Yield a tree with a part gone, or made as small as can be; the largest parts first."""
    for path in sorted(tree.paths()[1:], key=lambda path: -len(tree.at(path).packed)):
        node, above = tree.at(path), tree.at(path[:-1])
        parts = [part for place, part in enumerate(above.parts) if place != path[-1]]
        yield tree.put(path[:-1], made(above.kind, parts, above.code)).packed
        if node.kind == LEAF and len(node.packed) == 1:
            continue
        for part in node.parts:
            yield tree.put(path, part).packed
        yield tree.put(path, SCALARS[0]).packed
