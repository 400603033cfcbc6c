"""Graphs in the language of Graphviz: https://graphviz.org/doc/info/lang.html."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowcore.inspect.pictures.boxes import box_of
from flowcore.inspect.pictures.grouping import Group, grouped
from flowcore.inspect.pictures.lettering import plain
from flowcore.inspect.pictures.palette import GREY, KINDS, STATES

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
    yield from _inside(graph, grouped(graph), "  ")
    for (source, target), facts in graph.edges.items():
        parameters = ", ".join(map(str, facts.get("parameters") or ()))
        told = f" [label={_quoted(parameters)}]" if parameters else " [style=dashed]" if facts.get("after") else ""
        yield f"  {_quoted(source)} -> {_quoted(target)}{told};"
    yield "}"


def _inside(graph: nx.DiGraph[str], group: Group, indent: str) -> Iterator[str]:
    """Give the nodes of a group, and the groups in it."""
    waiting: list[tuple[Group | None, str]] = [(group, indent)]
    while waiting:
        one, indent = waiting.pop()
        if one is None:
            yield f"{indent}}}"
            continue
        if one.path:
            yield f'{indent}subgraph "cluster_{one.number}" {{'
            indent += "  "
            yield f'{indent}label={_quoted(one.path[-1])}; style=rounded; color="{GREY}";'
            waiting.append((None, indent[2:]))
        for node in one.nodes:
            yield f"{indent}{_node(node, graph)}"
        waiting.extend((inner, indent) for inner in reversed(one.groups))


def _node(node: str, graph: nx.DiGraph[str]) -> str:
    box = box_of(node, graph.nodes[node], seconds=0.0)
    states = " · ".join(told if told[:1].isalpha() else f"{told} {state}" for state, told in box.states)
    lines = [str(graph.nodes[node].get("name", node)), box.below, " · ".join(filter(None, (states, box.time)))]
    colour = STATES.get(box.states[0][0], (GREY, ""))[0] if box.states else KINDS[box.kind]
    return f'{_quoted(node)} [label={_quoted(*filter(None, lines))}, shape={_SHAPES[box.kind]}, color="{colour}"];'


def _quoted(*lines: str) -> str:
    """Give lines as one string of Graphviz."""
    safe = (plain(line, _LONGEST).replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + r"\n".join(safe) + '"'
