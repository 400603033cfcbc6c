"""Graphs in the language of Graphviz: https://graphviz.org/doc/info/lang.html."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowcore.inspect.pictures.boxes import box_of
from flowcore.inspect.pictures.grouping import Group, grouped, written
from flowcore.inspect.pictures.lettering import plain
from flowcore.inspect.pictures.palette import GREY

if TYPE_CHECKING:
    import networkx as nx

_SHAPES = {"compute": "box", "io": "parallelogram", "choose": "hexagon", "item": "ellipse"}
_LONGEST = 400  # characters of a name


def dot(graph: nx.DiGraph[str]) -> Iterator[str]:
    r"""Give a graph, line by line.

    Examples
    --------
    >>> import networkx as nx
    >>> print("\n".join(dot(nx.DiGraph([("a", "b")], name="pair"))))
    digraph "pair" {
      node [fontname="Helvetica", fontsize=11, style=filled, fillcolor=white];
      "a" [label="a", shape=box, color="#0072B2"];
      "b" [label="b", shape=box, color="#0072B2"];
      "a" -> "b";
    }
    """
    yield f"digraph {_quoted(str(graph.graph.get('name', '')))} {{"
    yield '  node [fontname="Helvetica", fontsize=11, style=filled, fillcolor=white];'
    for group, depth, begins in written(grouped(graph)):
        yield from (_begin(group, graph, "  " * depth) if begins else ["  " * depth + "}"] * bool(group.path))
    for (source, target), facts in graph.edges.items():
        parameters = ", ".join(map(str, facts.get("parameters") or ()))
        told = f" [label={_quoted(parameters)}]" if parameters else " [style=dashed]" if facts.get("after") else ""
        yield f"  {_quoted(source)} -> {_quoted(target)}{told};"
    yield "}"


def _begin(group: Group, graph: nx.DiGraph[str], indent: str) -> Iterator[str]:
    """Give the head of a group, and its nodes."""
    if group.path:
        yield f'{indent}subgraph "cluster_{group.number}" {{'
        yield f'{indent}  label={_quoted(group.path[-1])}; style=rounded; color="{GREY}";'
    for node in group.nodes:
        box = box_of(node, graph.nodes[node], seconds=0.0)
        told = _quoted(*box.lines(str(graph.nodes[node].get("name", node))))
        yield f'{indent}  {_quoted(node)} [label={told}, shape={_SHAPES[box.kind]}, color="{box.colour}"];'


def _quoted(*lines: str) -> str:
    """Give lines as one string of Graphviz."""
    safe = (plain(line, _LONGEST).replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + r"\n".join(safe) + '"'
