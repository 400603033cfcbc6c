"""Graphs in the language of Mermaid: https://mermaid.js.org/syntax/flowchart.html."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowcore.inspect.pictures.boxes import box_of
from flowcore.inspect.pictures.grouping import grouped, written
from flowcore.inspect.pictures.lettering import plain

if TYPE_CHECKING:
    import networkx as nx

_SHAPES = {"compute": ("[", "]"), "io": ("[/", "/]"), "choose": ("{{", "}}"), "item": ("([", "])")}
_HELD = frozenset('"<>&#`\\;')  # what means something inside a label
_LONGEST = 120  # characters of a name


def mermaid(graph: nx.DiGraph[str]) -> Iterator[str]:
    r"""Give a graph, line by line.

    Examples
    --------
    >>> import networkx as nx
    >>> print("\n".join(mermaid(nx.DiGraph([("a", "b")]))))
    flowchart TD
      n0["a"]
      n1["b"]
      n0 --> n1
      classDef compute stroke:#0072B2,stroke-width:2px
      class n0,n1 compute
    """
    number = {node: i for i, node in enumerate(graph)}
    boxes = {node: box_of(node, facts, seconds=0.0) for node, facts in graph.nodes.items()}
    yield "flowchart TD"
    for group, depth, begins in written(grouped(graph)):
        indent = "  " * depth
        if not begins:
            yield from [f"{indent}end"] * bool(group.path)
            continue
        if group.path:
            yield f"{indent}subgraph g{group.number}[{_label(group.path[-1])}]"
        for node in group.nodes:
            left, right = _SHAPES[boxes[node].kind]
            told = _label(*boxes[node].lines(str(graph.nodes[node].get("name", node))))
            yield f"{indent}  n{number[node]}{left}{told}{right}"
    for (source, target), facts in graph.edges.items():
        arrow = "-.->" if facts.get("after") and not facts.get("parameters") else "-->"
        yield f"  n{number[source]} {arrow} n{number[target]}"
    looks: dict[tuple[str, str], list[int]] = {}
    for node, box in boxes.items():
        name = box.states[0][0].replace(" ", "_") if box.states else box.kind
        looks.setdefault((name, box.colour), []).append(number[node])
    for (name, colour), nodes in looks.items():
        yield f"  classDef {name} stroke:{colour},stroke-width:2px"
        yield f"  class {','.join(f'n{node}' for node in nodes)} {name}"


def _label(*lines: str) -> str:
    """Give lines as one label: what Mermaid would read as markup goes by its number."""
    safe = ("".join(f"#{ord(c)};" if c in _HELD else c for c in plain(line, _LONGEST)) for line in lines)
    return '"' + "<br/>".join(safe) + '"'
