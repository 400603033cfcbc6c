"""A graph in layers: every edge goes down, and long ones pass through each layer on their way.

Owns the first two steps of K. Sugiyama's method: ranks, and *bends*, the places where an
edge that spans several layers passes those between. The bends of all edges with one
source are shared: such edges leave as one line and part late, which is easier to follow,
and keeps a picture of many long edges small. Takes numbers, gives numbers.

References
----------
K. Sugiyama, S. Tagawa, M. Toda, "Methods for visual understanding of hierarchical system
structures", IEEE Transactions on Systems, Man, and Cybernetics 11(2), 1981.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from flowcore.dataclass import dataclass

Pair = tuple[int, int]
Strand = tuple[int, int, int]  # upper point, lower point, and the line that it is part of

_TIGHTENINGS = 4


@dataclass(slots=True)
class Layered:
    """A graph in layers: points 0 ... n-1 are what was given, those above are bends.

    Attributes
    ----------
    layers : list of list of int
        The points of each layer, from left to right.
    rank : list of int
        The layer of each point.
    above, below : list of list of int
        Of each point those next to it in the layer above, and in the layer below.
    routes : dict of (int, int) to list of int
        By line and lower point: the bends on the way there, from above.
    """

    layers: list[list[int]]
    rank: list[int]
    above: list[list[int]]
    below: list[list[int]]
    routes: dict[Pair, list[int]] = field(default_factory=dict)


def layered(count: int, edges: Sequence[Strand], pinned: Mapping[int, str]) -> Layered:
    """Put points into layers.

    Parameters
    ----------
    count : int
        How many points there are.
    edges : sequence of (int, int, int)
        Upper and lower point of each, and its line; no cycles. Edges of one line have one
        upper point, and share their bends.
    pinned : mapping of int to {"first", "last"}
        Points that have to be alone, with others of their kind, in the first or the last layer.
    """
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for source, target, _ in edges:
        below[source].append(target)
        above[target].append(source)
    rank = ranks(above, below, pinned)
    return _bent(rank, edges, count)


def ranks(above: Sequence[Sequence[int]], below: Sequence[Sequence[int]], pinned: Mapping[int, str]) -> list[int]:
    """Give the layer of each point: as few layers as can be, and edges that are short."""
    order = topological(above, below)
    floor = 1 if "first" in pinned.values() else 0
    rank = [floor] * len(order)
    for point in order:
        if pinned.get(point) == "first":
            rank[point] = 0
        else:
            rank[point] = max([floor, *(rank[source] + 1 for source in above[point])])
    free = [rank[point] for point in order if pinned.get(point) != "last"]
    bottom = max(free, default=-1) + 1
    for point, where in pinned.items():
        if where == "last":
            rank[point] = bottom
    last = bottom if "last" in pinned.values() else bottom - 1
    for turn in range(_TIGHTENINGS):
        for point in reversed(order) if turn % 2 == 0 else order:
            if point not in pinned:
                _tighten(point, rank, above[point], below[point], (floor, last - ("last" in pinned.values())))
    return rank


def _tighten(point: int, rank: list[int], above: Sequence[int], below: Sequence[int], limits: Pair) -> None:
    """Move a point to where its edges together are shortest: towards the side with more of them."""
    low = max([limits[0], *(rank[source] + 1 for source in above)])
    high = min([limits[1], *(rank[target] - 1 for target in below)])
    if len(below) > len(above):
        rank[point] = high
    elif len(below) < len(above) or not below:
        rank[point] = low


def topological(above: Sequence[Sequence[int]], below: Sequence[Sequence[int]]) -> list[int]:
    """Give the points so that each comes after those above it; the lowest number first where there is a choice."""
    missing = [len(sources) for sources in above]
    order = [point for point, n in enumerate(missing) if not n]
    for point in order:  # grows as it is walked
        for target in below[point]:
            missing[target] -= 1
            if not missing[target]:
                order.append(target)
    return order


def _bent(rank: list[int], edges: Sequence[Strand], count: int) -> Layered:
    """Give long edges their bends."""
    rank = list(rank)
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    routes: dict[Pair, list[int]] = {}
    trunks: dict[int, list[int]] = {}
    for source, target, line in edges:
        trunk = trunks.setdefault(line, [])
        for layer in range(rank[source] + 1 + len(trunk), rank[target]):
            _join(trunk[-1] if trunk else source, len(rank), above, below)
            trunk.append(len(rank))
            rank.append(layer)
        passed = routes[line, target] = trunk[: rank[target] - rank[source] - 1]
        _join(passed[-1] if passed else source, target, above, below)
    layers: list[list[int]] = [[] for _ in range(max(rank, default=-1) + 1)]
    for point, layer in enumerate(rank):
        layers[layer].append(point)
    return Layered(layers, rank, above, below, routes)


def _join(upper: int, lower: int, above: list[list[int]], below: list[list[int]]) -> None:
    if lower == len(above):
        above.append([])
        below.append([])
    above[lower].append(upper)
    below[upper].append(lower)
