"""A graph of many nodes, drawn as one box a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import networkx as nx

_MOST = 200  # boxes; what is behind them shares one


def summed(graph: nx.DiGraph[str]) -> nx.DiGraph[str]:
    """Give a graph with one node for all nodes of a task, its attributes summed.

    Nodes of a task that feed each other, as in a chain, become one without an edge to
    itself. ``members`` has the names of the nodes behind each.
    """
    import networkx as nx

    whole: nx.DiGraph[str] = nx.DiGraph(**graph.graph)
    box: dict[str, str] = {}
    for name, facts in graph.nodes.items():
        told = str(facts.get("task") or facts.get("kind"))
        told = told if told in whole or len(whole) < _MOST else "everything else"
        box[name] = told
        if told not in whole:
            whole.add_node(told, **facts | {
                "name": told.rpartition(".")[2], "cells": 0, "states": {}, "seconds": 0.0, "members": [], "group": [],
                "axes": [],
            })  # fmt: skip
        _add(whole.nodes[told], name, facts)
    for a, b in graph.edges:
        if box[a] != box[b]:
            whole.add_edge(box[a], box[b], parameters=[], after=False)
    return whole


def _add(group: dict[str, Any], name: str, facts: dict[str, Any]) -> None:
    group["members"].append(name)
    group["cells"] += facts.get("cells") or 0
    group["seconds"] += facts.get("seconds") or 0.0
    for state, count in facts.get("states", {}).items():
        group["states"][state] = group["states"].get(state, 0) + count
