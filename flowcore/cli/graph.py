"""``flowcore graph FILE.py[:flow]``: the nodes of a flow as a tree, as JSON, or for Graphviz."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flowcore.cli.loading import read_with_file
from flowcore.cli.parser import Parser, add_json
from flowcore.cli.printing import document, name

Graph = Any  # a networkx.DiGraph: only its mappings are used here


def main(arguments: Sequence[str]) -> int:
    """Draw a flow and print its graph; nothing runs."""
    parser = Parser("graph", "Show the nodes of a flow and what feeds what. Nothing runs.", add_help=False,
                    epilog="for example: flowcore graph lands.py --rates 0.1,0.2")  # fmt: skip
    parser.add_argument("source", metavar="FILE.py[:flow]", help="the file, and which of its flows if it has several")
    add_json(parser)
    parser.add_argument("--dot", action="store_true", help="print it for Graphviz")
    asked = read_with_file(parser, arguments)
    graph = asked.drawer.draw(asked.given).graph
    if asked.given.json:
        print(document(node_link(graph)))
    elif asked.given.dot:
        print("\n".join(dot(graph)))
    else:
        print("\n".join(tree(graph)))
    return 0


def node_link(graph: Graph) -> dict[str, object]:
    """Give a graph in the form of ``networkx.node_link_data(graph, edges="edges")``."""
    return {
        "directed": True,
        "multigraph": False,
        "graph": dict(graph.graph),
        "nodes": [{**facts, "id": node} for node, facts in graph.nodes.items()],
        "edges": [{**facts, "source": a, "target": b} for (a, b), facts in graph.edges.items()],
    }


def tree(graph: Graph) -> Iterator[str]:
    """Give a line a node, each under the last drawn node that feeds it; other feeders stand beside it."""
    cells = [facts["cells"] for facts in graph.nodes.values()]
    total = f"{sum(n for n in cells if n is not None)}{'+' if None in cells else ''}"
    yield f"{name(graph.graph['name'])}: {counted(len(cells), 'node')}, {total} cell{'s' if total != '1' else ''}"
    order = {node: i for i, node in enumerate(graph.nodes)}
    under: dict[str | None, list[str]] = {}
    for node in graph.nodes:
        feeders = sorted(graph.predecessors(node), key=order.__getitem__)
        under.setdefault(feeders[-1] if feeders else None, []).append(node)
    waiting = [(node, "", node == under[None][-1]) for node in reversed(under.get(None, ()))]
    while waiting:  # a loop: a chain of nodes may be longer than Python's stack
        node, indent, last = waiting.pop()
        yield f"{indent}{'└─' if last else '├─'} {_line(graph, node, order)}"
        below = under.get(node, [])
        indent += "   " if last else "│  "
        waiting += [(child, indent, child == below[-1]) for child in reversed(below)]


def counted(number: int, what: str) -> str:
    """Give a number of things.

    Examples
    --------
    >>> counted(1, "node"), counted(3, "cell")
    ('1 node', '3 cells')
    """
    return f"{number} {what}{'' if number == 1 else 's'}"


def dot(graph: Graph) -> Iterator[str]:
    """Give a graph in the language of Graphviz."""
    yield f"digraph {_quoted(graph.graph['name'])} {{"
    yield "  node [shape=box];"
    for node, facts in graph.nodes.items():
        shape = "box" if facts["kind"] == "compute" else "ellipse"
        yield f"  {_quoted(node)} [label={_quoted(node, _size(facts))}, shape={shape}];"
    for (a, b), facts in graph.edges.items():
        style = ", style=dashed" if facts["after"] else ""
        yield f"  {_quoted(a)} -> {_quoted(b)} [label={_quoted(', '.join(facts['parameters']))}{style}];"
    yield "}"


def _line(graph: Graph, node: str, order: Mapping[str, int]) -> str:
    facts = graph.nodes[node]
    others = sorted(graph.predecessors(node), key=order.__getitem__)[:-1]
    also = f"  (also from {', '.join(map(name, others))})" if others else ""
    return f"{name(node)}  {facts['kind']}, {_size(facts)}{also}"


def _size(facts: Mapping[str, Any]) -> str:
    cells = facts["cells"]
    told = counted(cells, "cell") if cells is not None else "cells known in the run"
    return f"{told} over {', '.join(map(name, facts['axes']))}" if facts["axes"] else told


def _quoted(*lines: str) -> str:
    """Give lines as one string of Graphviz."""
    safe = (name(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + r"\n".join(safe) + '"'
