"""Flows as networkx graphs, for everything that networkx, JSON and other tools can do with them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from flowcore.declare.far import DrawnBy
from flowcore.declare.node import HIDDEN, Axis, Node

if TYPE_CHECKING:
    import networkx as nx


def node_network(name: str, nodes: Sequence[Node]) -> nx.DiGraph[str]:
    """Give the graph of nodes by name; edges go from producer to consumer.

    Node attributes, all of them plain JSON: ``name``, ``kind``, ``runner``, ``task``
    (module and name of the function, or None), ``cells`` (how many, or None where that
    is known only in the run), ``axes`` (names), ``group``, ``site``. Edge attributes:
    ``parameters`` (which arguments of the consumer), ``after`` (whether it orders
    without data). The hidden nodes behind dynamic axes are left out: their edges go
    from the node that is iterated. In a run, what a cell drew has an edge, of the parameter
    ``result``, to the node of that cell, which has its value.
    """
    import networkx as nx  # half of a second that only a graph is worth

    graph: nx.DiGraph[str] = nx.DiGraph(name=name)
    for node in nodes:
        if node.kind not in HIDDEN:
            graph.add_node(node.name, **_attributes(node))
    for node in nodes:
        if node.kind == "expand":
            continue
        for parameter, source in node.sources():
            _parameters(graph, _shown(source), _taker(node)).append(parameter)
        for source in node.after if node.kind not in HIDDEN else ():
            _parameters(graph, _shown(source), node)
            graph.edges[_shown(source).name, node.name]["after"] = True
    return graph


def cell_count(axes: Sequence[Axis]) -> int | None:
    """Give the number of cells along these axes, or None if that is known only in the run."""
    lengths = [len(axis.labels) for axis in axes if axis.labels is not None]
    return prod(lengths) if len(lengths) == len(axes) else None


def _attributes(node: Node) -> dict[str, object]:
    function = getattr(node.task, "function", None)
    return {
        "name": node.name,
        "kind": node.kind,
        "runner": node.runner,
        "task": f"{getattr(function, '__module__', None)}.{node.task.name}" if node.task is not None else None,
        "cells": cell_count(node.axes),
        "axes": [axis.name for axis in node.axes],
        "group": list(node.group),
        "site": node.site,
    }


def _shown(node: Node) -> Node:
    """Give the node itself, or the one that a hidden node spreads out."""
    while node.kind == "expand":
        node = next(source for _, source in node.sources())
    return node


def _taker(node: Node) -> Node:
    """Give the node itself, or the one whose cell has the value of what it drew."""
    return node.owner.node if node.kind == "result" and isinstance(node.owner, DrawnBy) else node


def _parameters(graph: nx.DiGraph[str], source: Node, target: Node) -> list[str]:
    """Give the list of parameters of an edge, which is added if it is not there."""
    if not graph.has_edge(source.name, target.name):
        graph.add_edge(source.name, target.name, parameters=[], after=False)
    parameters: list[str] = graph.edges[source.name, target.name]["parameters"]
    return parameters
