"""Circles among nodes: they come from names in ``after=`` alone, as data flows from earlier nodes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from flowcore.declare.node import Node
from flowcore.errors import CycleError

_TRACED = 10  # edges that are followed for a message, if so many close a circle


def needs(node: Node) -> Iterator[Node]:
    """Yield the nodes that must be done before `node`."""
    for _, source in node.sources():
        yield source
    yield from node.after


def shortest_cycles(nodes: Sequence[Node], forward: Sequence[tuple[Node, Node]]) -> list[CycleError]:
    """Find circles through edges (node, what it waits for), the shortest first.

    Linear in nodes and edges if there is none.
    """
    stuck = _stuck(nodes)
    found: dict[frozenset[int], list[Node]] = {}
    for node, awaited in forward:
        if node.number in stuck and awaited.number in stuck and len(found) < _TRACED:
            path = _path(awaited, node, stuck)
            if path:
                found.setdefault(frozenset(n.number for n in path), path)
    return [_error(path) for path in sorted(found.values(), key=len)]


def _stuck(nodes: Sequence[Node]) -> set[int]:
    """Give the numbers of the nodes that no order can reach (Kahn's algorithm)."""
    waits = {node.number: 0 for node in nodes}
    feeds: dict[int, list[int]] = {}
    for node in nodes:
        for source in needs(node):
            feeds.setdefault(source.number, []).append(node.number)
            waits[node.number] += 1
    ready = [number for number, count in waits.items() if count == 0]
    while ready:
        number = ready.pop()
        del waits[number]
        for consumer in feeds.get(number, ()):
            waits[consumer] -= 1
            if waits[consumer] == 0:
                ready.append(consumer)
    return set(waits)


def _path(start: Node, end: Node, among: set[int]) -> list[Node]:
    """Give the shortest way from `start` to `end` along what nodes need, or nothing."""
    came: dict[int, Node | None] = {start.number: None}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        if node is end:
            path = [node]
            while (before := came[path[-1].number]) is not None:
                path.append(before)
            return path  # from `end` back to `start`: `end` waits for `start`
        for source in needs(node):
            if source.number in among and source.number not in came:
                came[source.number] = node
                queue.append(source)
    return []


def _error(path: list[Node]) -> CycleError:
    # `path` is end, ..., start where each is needed by the next, and start is needed by end:
    # told in the order of running, a -> b meaning that b waits for a.
    first = min(range(len(path)), key=lambda place: path[place].number)
    ring = path[first:] + path[:first]
    return CycleError(path=(*(n.name for n in ring), ring[0].name), sites=tuple(n.site for n in ring))
