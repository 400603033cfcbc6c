"""The order of points in their layers, so that few edges cross.

Owns the third step of K. Sugiyama's method: sweeps down and up, each of which orders a
layer by the places of its points' neighbours in the one before; the best order seen is
kept, and neighbours that cross less the other way round change places. Deterministic:
what draws level stays in the order it had.

References
----------
E. R. Gansner, E. Koutsofios, S. C. North, K.-P. Vo, "A technique for drawing directed
graphs", IEEE Transactions on Software Engineering 19(3), 1993 (medians, and exchanges).

W. Barth, M. Juenger, P. Mutzel, "Simple and efficient bilayer cross counting", Graph
Drawing 2002.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Collection, Sequence

from flowcore.inspect.pictures.layers import Layered

_SWEEPS = 24
_WORK = 400_000  # edges looked at in all; a large graph has fewer sweeps
_PATIENCE = 4  # sweeps without any gain


def uncross(graph: Layered, fixed: Collection[int] = ()) -> None:
    """Order the points of each layer; layers in `fixed` stay as they are."""
    _begin(graph, fixed)
    edges = max(1, sum(map(len, graph.below)))
    best, least = [list(layer) for layer in graph.layers], crossings(graph)
    patience = _PATIENCE
    for sweep in range(min(_SWEEPS, max(2, _WORK // edges))):
        if not least or not patience:
            break
        _sweep(graph, fixed, down=sweep % 2 == 0, lean=sweep % 4 < 2)
        if edges <= _WORK // 100:
            _exchange(graph, fixed)
        found = crossings(graph)
        patience -= 1
        if found < least:
            best, least, patience = [list(layer) for layer in graph.layers], found, _PATIENCE
    graph.layers[:] = best


def crossings(graph: Layered) -> int:
    """Count the edges that cross.

    Examples
    --------
    >>> crossings(Layered([[0, 1], [2, 3]], [0, 0, 1, 1], [[], [], [1], [0]], [[3], [2], [], []]))
    1
    """
    total = 0
    for upper, lower in zip(graph.layers, graph.layers[1:], strict=False):
        place = {point: i for i, point in enumerate(lower)}
        seen: list[int] = []
        for point in upper:
            ends = sorted(place[target] for target in graph.below[point])
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def _begin(graph: Layered, fixed: Collection[int]) -> None:
    """Order the layers as a walk from the first points down meets them: trees have no crossings then."""
    met: dict[int, None] = {}
    starts = [point for layer in graph.layers for point in layer if not graph.above[point]]
    waiting = list(reversed(starts))
    while waiting:
        point = waiting.pop()
        if point not in met:
            met[point] = None
            waiting.extend(reversed(graph.below[point]))
    order = {point: i for i, point in enumerate(met)}
    for number, layer in enumerate(graph.layers):
        if number not in fixed:
            layer.sort(key=order.__getitem__)


def _sweep(graph: Layered, fixed: Collection[int], *, down: bool, lean: bool) -> None:
    """Order each layer by the one before it; `lean` decides who goes first of those that draw level."""
    layers = graph.layers
    sides = graph.above if down else graph.below
    numbers = range(1, len(layers)) if down else range(len(layers) - 2, -1, -1)
    for number in numbers:
        if number in fixed:
            continue
        before = {point: i for i, point in enumerate(layers[number - 1 if down else number + 1])}
        now = layers[number]
        wish = {point: _wish([before[other] for other in sides[point]]) for point in now}
        movable = [point for point in now if wish[point] is not None]
        movable.sort(key=lambda point: (wish[point], 0))  # stable
        if lean:
            movable = _leaning(movable, wish)
        following = iter(movable)
        layers[number] = [point if wish[point] is None else next(following) for point in now]


def _leaning(points: list[int], wish: dict[int, float | None]) -> list[int]:
    """Turn round those that draw level: what cannot be told apart is tried both ways."""
    turned: list[int] = []
    for point in points:
        at = len(turned)
        while at and wish[turned[at - 1]] == wish[point]:
            at -= 1
        turned.insert(at, point)
    return turned


def _wish(places: list[int]) -> float | None:
    """Give where a point would like to be: the middle of its neighbours, and of two medians between both."""
    if not places:
        return None
    return sum(places) / len(places)


def _exchange(graph: Layered, fixed: Collection[int]) -> None:
    """Let neighbours change places while that takes crossings away."""
    for number, layer in enumerate(graph.layers):
        if number in fixed:
            continue
        upper = {p: i for i, p in enumerate(graph.layers[number - 1])} if number else {}
        lower = {p: i for i, p in enumerate(graph.layers[number + 1])} if number + 1 < len(graph.layers) else {}
        ends = {
            point: (sorted(upper[o] for o in graph.above[point]), sorted(lower[o] for o in graph.below[point]))
            for point in layer
        }
        for _ in range(len(layer)):
            changed = False
            for i in range(len(layer) - 1):
                a, b = ends[layer[i]], ends[layer[i + 1]]
                if _between(b[0], a[0]) + _between(b[1], a[1]) < _between(a[0], b[0]) + _between(a[1], b[1]):
                    layer[i], layer[i + 1] = layer[i + 1], layer[i]
                    changed = True
            if not changed:
                break


def _between(left: Sequence[int], right: Sequence[int]) -> int:
    """Count the crossings of the edges of two points, by their sorted ends, the first being on the left."""
    total = at = 0
    for end in left:
        while at < len(right) and right[at] < end:
            at += 1
        total += at
    return total
