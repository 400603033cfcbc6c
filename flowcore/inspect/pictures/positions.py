"""Where along its layer each point stands: near what it is joined to, in order, and never too close.

Owns the last step of K. Sugiyama's method, by sweeps. In each the points of a layer are
put as near to their neighbours' places as their order and widths allow, in the sense of
weighted least squares: the exact answer comes from pooling adjacent violators. Lines
between bends weigh most, so that long edges run straight.

References
----------
R. E. Barlow, H. D. Brunk, "The isotonic regression problem and its dual", Journal of the
American Statistical Association 67, 1972.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from flowcore.inspect.pictures.layers import Layered

_SWEEPS = 14
_WORK = 600_000  # edges looked at in all
_WEIGHTS = (1.0, 3.0, 12.0)  # of an edge with no bend, one and two at its ends

Gap = Callable[[int, int], float]


def positions(
    graph: Layered, widths: Sequence[float], *, real: int, gap: Gap, offsets: Mapping[tuple[int, int], float]
) -> list[float]:
    """Give the middle of each point.

    Parameters
    ----------
    graph : Layered
        With its layers in their final order.
    widths : sequence of float
        Of each point, bends included.
    real : int
        How many points are no bends.
    gap : callable
        Gives the least distance of two neighbours' sides.
    offsets : mapping of (int, int) to float
        How far the end of an edge is from the middle of its lower point less from that of its upper one.
    """
    at = [0.0] * len(widths)
    for layer in graph.layers:
        left = 0.0
        for i, point in enumerate(layer):
            left += widths[point] / 2 + (gap(layer[i - 1], point) + widths[layer[i - 1]] / 2 if i else 0.0)
            at[point] = left
    edges = max(1, sum(map(len, graph.below)))
    sweeps = min(_SWEEPS, max(3, _WORK // edges))
    pull = _Pull(graph, at, real, offsets)
    apart = [[0.0, *(_apart(a, b, widths, gap) for a, b in pairwise(row))] for row in graph.layers]
    numbers = range(len(graph.layers))
    for sweep in range(sweeps):
        sides = "above" if sweep % 2 == 0 else "below"
        if sweep >= sweeps - 4:
            sides = "both"
        for number in numbers if sweep % 2 == 0 else reversed(numbers):
            layer = graph.layers[number]
            wishes = [pull.wish(point, sides) for point in layer]
            for point, place in zip(layer, spread(wishes, apart[number]), strict=True):
                at[point] = place
    return at


class _Pull:
    """Where a point's neighbours would have it."""

    def __init__(self, graph: Layered, at: list[float], real: int, offsets: Mapping[tuple[int, int], float]) -> None:
        self._graph = graph
        self._at = at
        self._real = real
        self._offsets = offsets

    def wish(self, point: int, sides: str) -> tuple[float, float]:
        """Give the place that a point would have by its neighbours, and how much it matters."""
        total = weight = 0.0
        at, real, offsets = self._at, self._real, self._offsets
        if sides != "below":
            for other in self._graph.above[point]:
                w = _WEIGHTS[(point >= real) + (other >= real)]
                total += w * (at[other] - offsets.get((other, point), 0.0))
                weight += w
        if sides != "above":
            for other in self._graph.below[point]:
                w = _WEIGHTS[(point >= real) + (other >= real)]
                total += w * (at[other] + offsets.get((point, other), 0.0))
                weight += w
        return (total / weight, weight) if weight else (at[point], 0.05)


def spread(wishes: Sequence[tuple[float, float]], apart: Sequence[float]) -> list[float]:
    """Give places, in order and `apart`, with the least weighted sum of squares from the wishes.

    Parameters
    ----------
    wishes : sequence of (float, float)
        Place and weight of each.
    apart : sequence of float
        Least distance from the one before; of the first 0.

    Examples
    --------
    >>> spread([(0.0, 1.0), (0.0, 1.0), (9.0, 1.0)], [0.0, 2.0, 2.0])
    [-1.0, 1.0, 9.0]
    """
    blocks: list[tuple[float, float, int]] = []  # sum of weight times place, weight, how many
    shift, shifts = 0.0, list[float]()
    for (place, weight), distance in zip(wishes, apart, strict=True):
        shift += distance
        shifts.append(shift)
        total, mass, size = weight * (place - shift), weight, 1
        while blocks and blocks[-1][0] * mass >= total * blocks[-1][1]:
            before = blocks.pop()
            total, mass, size = total + before[0], mass + before[1], size + before[2]
        blocks.append((total, mass, size))
    places = [total / mass for total, mass, size in blocks for _ in range(size)]
    return [place + shift for place, shift in zip(places, shifts, strict=True)]


def straighten(graph: Layered, at: list[float], widths: Sequence[float], *, real: int, gap: Gap) -> None:
    """Put the bends of a line one below the other, where nothing stands in the way."""
    beside: dict[int, tuple[int | None, int | None]] = {}
    for layer in graph.layers:
        for i, point in enumerate(layer):
            beside[point] = (layer[i - 1] if i else None, layer[i + 1] if i + 1 < len(layer) else None)

    def room(point: int) -> tuple[float, float]:
        left, right = beside[point]
        low = at[left] + _apart(left, point, widths, gap) if left is not None else -1e9
        high = at[right] - _apart(point, right, widths, gap) if right is not None else 1e9
        return low, high

    for chain in _chains(graph, real):
        rooms = [room(point) for point in chain]
        low, high = max(low for low, _ in rooms), min(high for _, high in rooms)
        if low <= high:
            wanted = sorted(at[point] for point in chain)[len(chain) // 2]
            for point in chain:
                at[point] = min(max(wanted, low), high)


def _chains(graph: Layered, real: int) -> list[list[int]]:
    """Give the bends of each line, from above."""
    chains: list[list[int]] = []
    for point in range(real, len(graph.rank)):
        if graph.above[point][0] >= real:
            chains[-1].append(point)  # bends are numbered along their line
        else:
            chains.append([point])
    return [chain for chain in chains if len(chain) > 1]


def _apart(left: int, right: int, widths: Sequence[float], gap: Gap) -> float:
    return (widths[left] + widths[right]) / 2 + gap(left, right)
