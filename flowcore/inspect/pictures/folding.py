"""Many nodes that are alike as one: for pictures, in which a hundred equal boxes say less than one.

Owns the finding of nodes that cannot be told apart: of one task, in one group or groups
of one flow, at one depth, fed by and feeding nodes that cannot be told apart either (the coarsest such
partition, by refinement of colours). Edges go down in depth, so what comes out has no
cycle where there was none.

References
----------
R. Paige, R. E. Tarjan, "Three partition refinement algorithms", SIAM Journal on Computing 16(6), 1987.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import networkx as nx

MANY = 8  # nodes that are alike, from which on they are drawn as one
_CALL = re.compile(r"(_\d+|\[.*\])$", re.DOTALL)  # tells one call of a flow, or one cell that drew, from another
_ROUNDS = 60
_SUMMED = ("seconds", "bytes", "attempts")


def folded(graph: nx.DiGraph[str], many: int = MANY) -> nx.DiGraph[str]:
    """Give a graph in which many nodes that are alike are one; the graph itself where there are none.

    A node that stands for others has the id of the first of them, ``folded``, how many
    they are, and ``members``, their names. Numbers of cells, states, seconds and bytes are summed.

    Examples
    --------
    >>> import networkx as nx
    >>> star = nx.DiGraph([(f"load_{i}", "table") for i in range(20)])
    >>> list(folded(star).nodes(data="folded"))
    [('load_0', 20), ('table', None)]
    """
    alike: dict[Hashable, list[str]] = {}
    for node, colour in _colours(graph).items():
        alike.setdefault(colour, []).append(node)
    first = {node: nodes[0] if len(nodes) >= many else node for nodes in alike.values() for node in nodes}
    if len(set(first.values())) == len(graph):
        return graph
    found: nx.DiGraph[str] = graph.__class__(**graph.graph)
    members: dict[str, list[str]] = {}
    for node in graph:
        members.setdefault(first[node], []).append(node)
    for node, nodes in members.items():
        facts = graph.nodes[node]
        if len(nodes) > 1:
            facts = _summed([graph.nodes[one] for one in nodes]) | {"members": nodes}
        found.add_node(node, **facts)
    for (source, target), facts in graph.edges.items():
        if not found.has_edge(first[source], first[target]):
            found.add_edge(first[source], first[target], **facts)
    return found


def _colours(graph: nx.DiGraph[str]) -> dict[str, int]:
    """Give each node a number that those which cannot be told apart share."""
    depth: dict[str, int] = {}
    missing = dict(graph.in_degree())
    order = [node for node, n in missing.items() if not n]
    for node in order:  # grows as it is walked
        depth[node] = 1 + max((depth[source] for source in graph.predecessors(node)), default=0)
        for target in graph.successors(node):
            missing[target] -= 1
            if not missing[target]:
                order.append(target)
    colours = _numbered({node: (_looks(facts), depth.get(node, 0)) for node, facts in graph.nodes.items()})
    for _ in range(_ROUNDS):
        finer = _numbered({
            node: (colour, frozenset(colours[a] for a in graph.predecessors(node)),
                   frozenset(colours[b] for b in graph.successors(node)))
            for node, colour in colours.items()
        })  # fmt: skip
        if len(set(finer.values())) == len(set(colours.values())):
            return colours
        colours = finer
    return {node: i for i, node in enumerate(graph)}  # a deep graph: rather none than wrong ones


def _looks(facts: Mapping[str, Any]) -> Hashable:
    task = facts.get("task") or facts.get("name")
    groups = tuple(_CALL.sub("", str(group)) for group in facts.get("group") or ())
    return facts.get("kind"), task, groups, tuple(facts.get("axes") or ())


def _numbered(colours: Mapping[str, Hashable]) -> dict[str, int]:
    numbers: dict[Hashable, int] = {}
    return {node: numbers.setdefault(colour, len(numbers)) for node, colour in colours.items()}


def _summed(nodes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give the attributes of one node for many."""
    cells = [facts.get("cells") for facts in nodes]
    states = Counter[str]()
    for facts in nodes:
        states.update(facts.get("states") or {})
    told = {
        name: sum(facts[name] for facts in nodes if facts.get(name) is not None)
        for name in _SUMMED if any(facts.get(name) is not None for facts in nodes)
    }  # fmt: skip
    return {**nodes[0], **told, "cells": None if None in cells else sum(n for n in cells if n is not None),
            "states": dict(states), "folded": len(nodes)}  # fmt: skip
