"""The groups of a graph's nodes, as a tree: for languages in which a group is written around its nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import TYPE_CHECKING

from flowcore.dataclass import dataclass

if TYPE_CHECKING:
    import networkx as nx


@dataclass(slots=True)
class Group:
    """Some nodes, and groups inside; the outermost has an empty path and number 0."""

    path: tuple[str, ...]
    number: int
    nodes: list[str] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)


def grouped(graph: nx.DiGraph[str]) -> Group:
    """Give the nodes by the attribute ``group``, in the order of the graph."""
    known: dict[tuple[str, ...], Group] = {(): Group((), 0)}
    for node, facts in graph.nodes.items():
        path = tuple(map(str, facts.get("group") or ()))
        for end in range(1, len(path) + 1):
            if path[:end] not in known:
                known[path[:end]] = Group(path[:end], len(known))
                known[path[: end - 1]].groups.append(known[path[:end]])
        known[path].nodes.append(node)
    return known[()]


def written(outermost: Group) -> Iterator[tuple[Group, int, bool]]:
    """Give each group, how deep it is, and True before its nodes, False behind the groups inside."""
    waiting = [(outermost, 0, True)]
    while waiting:
        group, depth, begins = waiting.pop()
        yield group, depth, begins
        if begins:
            waiting.append((group, depth, False))
            waiting.extend((inner, depth + 1, True) for inner in reversed(group.groups))
