"""Which node's cells should go first: the length of the way that still lies before what was begun.

Owns the critical path of a graph, in seconds where they are known. Promises one walk back
and one forth over the edges, and nothing afterwards: a node's place is a number that does
not change.

The way before a node is the longest sum of seconds from it to an end of the graph, itself
included (the upward rank of Topcuoglu, Hariri and Wu, "Performance-effective and low-complexity task
scheduling", IEEE TPDS 13(3), 2002). A node inherits the longest way of all above it: so a
long chain goes before many short ones, and what was begun is finished, its short side
branches included, before more is begun. Ways that differ by less than a factor of two count
as equal, for durations are guesses; then what lies deeper goes first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from flowcore.plan.graph import Graph

NO_WAYS: Mapping[int, int] = MappingProxyType({})
_MOMENT = 1e-6  # seconds; no cell is thought to take less


def ways(graph: Graph, seconds: Mapping[int, float]) -> dict[int, int]:
    """Give the place of each node: the higher goes first.

    Parameters
    ----------
    graph : Graph
    seconds : mapping
        What a cell of a node takes, by its number. One that is not there is taken to be as long as the others are on
        the mean; where none are, ways are counted in cells.
    """
    times = [seconds[number] for number in graph.nodes if number in seconds]
    usual = max(_MOMENT, sum(times) / len(times)) if times else 1.0
    before: dict[int, float] = {}
    below: dict[int, float] = {}  # the longest way of those that a node feeds
    for number, planned in reversed(graph.nodes.items()):  # nodes come after what feeds them
        way = before[number] = max(_MOMENT, seconds.get(number, usual)) + below.get(number, 0.0)
        for edge in planned.edges:
            if way > below.get(edge.source, 0.0):
                below[edge.source] = way
    inherited: dict[int, float] = {}
    places: dict[int, int] = {}
    known: dict[float, int] = {}
    for number, planned in graph.nodes.items():
        longest = before[number]
        for edge in planned.edges:
            longest = max(longest, inherited.get(edge.source, 0.0))
        inherited[number] = longest
        place = known.get(longest)
        if place is None:
            place = known[longest] = _place(longest)
        places[number] = place
    return places


def _place(way: float) -> int:
    return max(0, math.ceil(math.log2(way / _MOMENT)))


def later(lanes: Sequence[str]) -> list[str]:
    """Give lanes in the order in which they are served: what waits for the world first, the engine's thread last."""
    return sorted(lanes, key=lambda lane: (lane == "inline", lane not in ("async", "thread")))
