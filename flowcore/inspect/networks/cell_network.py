"""Flows and runs as networkx graphs with a node for each cell.

Promises time and memory linear in cells and edges. A node of the flow whose cells are not
known yet stands for them itself, with ``cells`` None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowcore.declare.node import Node
from flowcore.inspect.networks.sheets import Sheet, drawn_sheets
from flowcore.plan.cells import Link, Numbers

if TYPE_CHECKING:
    import networkx as nx

Facts = dict[str, Any]
_SHARED = ("kind", "runner", "task", "group", "site")


def cell_network(
    nodes: nx.DiGraph[str], sheets: Mapping[int, Sheet], facts: Callable[[int], Sequence[Facts]] | None = None
) -> nx.DiGraph[str]:
    """Give the graph of cells.

    Parameters
    ----------
    nodes : networkx.DiGraph
        The graph of nodes, from which kinds, groups and parameters are taken.
    sheets : mapping of int to Sheet
        By number of node; all that the edges need, the hidden ones as well.
    facts : callable, optional
        Gives what else is known of each cell of a node, by number.
    """
    import networkx as nx  # half of a second that only a graph is worth

    graph: nx.DiGraph[str] = nx.DiGraph(**nodes.graph)
    ids: dict[int, list[str]] = {}
    for number, sheet in sheets.items():
        if not sheet.hidden:
            ids[number] = _add(graph, nodes.nodes[sheet.name], sheet, facts(number) if facts is not None else ())
    for number, sheet in sheets.items():
        taker = sheet.taker
        if sheet.hidden and taker is None:
            continue
        if taker is not None and taker[0] not in ids:
            continue  # what told of it is lost
        here = ids[number] if taker is None else ids[taker[0]][taker[1] : taker[1] + 1]
        name = sheet.name if taker is None else sheets[taker[0]].name
        for shown, pairs in _feeders(sheets, number):
            above, edge = ids[shown], nodes.edges[sheets[shown].name, name]
            told = {"parameters": edge["parameters"], "after": edge["after"]}
            if sheet.space.count and sheets[shown].space.count:
                graph.add_edges_from([(above[n], here[m]) for n, m in pairs], **told)
            else:
                graph.add_edges_from([(source, one) for source in above for one in here[:1]], **told)
    return graph


def drawn_cells(nodes: nx.DiGraph[str], drawn: Sequence[Node]) -> nx.DiGraph[str]:
    """Give the graph of cells of a flow that has not run, with the graph of its nodes."""
    return cell_network(nodes, drawn_sheets(drawn))


def _add(graph: nx.DiGraph[str], facts: Facts, sheet: Sheet, found: Sequence[Facts]) -> list[str]:
    """Add the cells of a node; give their ids."""
    shared = {"node": sheet.name} | {name: facts[name] for name in _SHARED}
    if not sheet.space.count:
        graph.add_node(sheet.name, name=sheet.name, **shared, labels={}, cells=None if not sheet.space.complete else 0)
        return [sheet.name]
    ids: list[str] = []
    graph.add_nodes_from(_rows(graph, shared, sheet, found, ids))
    return ids


def _rows(
    graph: nx.DiGraph[str], shared: Facts, sheet: Sheet, found: Sequence[Facts], ids: list[str]
) -> Iterator[tuple[str, Facts]]:
    """Yield id and attributes of each cell; note the ids."""
    for number, (told, labels) in enumerate(sheet.rows()):
        name = told if told not in graph else f"{told} #{number}"  # labels that were cut may be alike
        ids.append(name)
        facts = {"name": name, **shared, "labels": labels, "cells": 1}
        if found:
            facts.update(found[number])
        yield name, facts


def _feeders(sheets: Mapping[int, Sheet], number: int) -> Iterator[tuple[int, Iterator[tuple[int, int]]]]:
    """Give each node that feeds a node, hidden ones passed through, and the pairs of their cells."""
    here = sheets[number].space
    for source, over in sheets[number].feeds:
        steps = [Link(sheets[source].space, here, over)]
        while sheets[source].hidden and sheets[source].feeds:
            above = sheets[source].feeds[0][0]
            steps.append(Link(sheets[above].space, sheets[source].space))
            source = above
        if not sheets[source].hidden:
            yield source, _pairs(steps, here.count)


def _pairs(steps: Sequence[Link], count: int) -> Iterator[tuple[int, int]]:
    """Give (producer cell, consumer cell) along links, the nearest first."""
    first, *rest = steps
    if first.single and not rest:
        yield from zip(first.sources(range(count)), range(count), strict=True)
        return
    for m in range(count):
        numbers: Numbers = first.inputs(m).numbers
        for link in rest:
            numbers = sorted(set(link.feeding(numbers)))
        for n in numbers:
            yield n, m
