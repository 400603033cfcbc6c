"""``flowcore graph FILE.py[:flow]``: the nodes of a flow as a tree, a picture, JSON, or for Graphviz and Mermaid."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flowcore.cli.loading import read_with_file
from flowcore.cli.parser import Parser, Usage, add_json, choice
from flowcore.cli.printing import document, name
from flowcore.errors import shorten
from flowcore.flow import Flow
from flowcore.inspect.pictures.pictured import FORMATS
from flowcore.store.handout import hand_out

Graph = Any  # a networkx.DiGraph: only its mappings are used here

_FORMS = ("tree", "svg", "dot", "mermaid", "json")
_ENDINGS = {**FORMATS, ".json": "json", ".txt": "tree"}


def main(arguments: Sequence[str]) -> int:
    """Draw a flow and print its graph, or write it; nothing runs."""
    parser = Parser("graph", "Show the nodes of a flow and what feeds what. Nothing runs.", add_help=False,
                    epilog="for example: flowcore graph lands.py --rates 0.1,0.2 -o lands.svg")  # fmt: skip
    parser.add_argument("source", metavar="FILE.py[:flow]", help="the file, and which of its flows if it has several")
    add_json(parser)
    parser.add_argument("--format", metavar="FORM", type=choice(_FORMS),
                        help=f"{', '.join(_FORMS)} (default: as the path ends, else tree)")  # fmt: skip
    parser.add_argument("-o", "--output", metavar="PATH", help="where to write it; otherwise it is printed")
    parser.add_argument("--cells", action="store_true", help="of --json: a node for each cell")
    asked = read_with_file(parser, arguments)
    given, form = asked.given, _form(asked.given)
    if given.cells and form != "json":
        raise Usage("--cells goes with --json: a picture has a box for all cells of a node.")
    content = _content(asked.drawer.draw(given), form, cells=given.cells)
    if given.output is None:
        print(content.rstrip("\n"))
    else:
        try:
            print(hand_out(given.output, content))
        except OSError as error:
            raise Usage(f"{shorten(given.output)} cannot be written: {error.strerror}.") from None
    return 0


def _form(given: Namespace) -> str:
    """Say in which form the graph is wanted."""
    if given.json:
        if given.format not in (None, "json"):
            raise Usage(f"--json and --format {given.format} are two forms. Leave one out.")
        return "json"
    if given.format is not None or given.output is None:
        return given.format or "tree"
    ending = os.path.splitext(given.output)[1].lower()
    if ending not in _ENDINGS:
        raise Usage(f"{shorten(given.output)} tells no form: end it in {', '.join(_ENDINGS)}, or give --format.")
    return _ENDINGS[ending]


def _content(flow: Flow, form: str, *, cells: bool) -> str:
    match form:
        case "svg":
            return str(flow.draw()) + "\n"
        case "dot":
            return flow.to_dot()
        case "mermaid":
            return flow.to_mermaid()
        case "json":
            return document(node_link(flow.to_networkx(cells=cells))) + "\n"
    return "\n".join(tree(flow.graph)) + "\n"


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


def _line(graph: Graph, node: str, order: Mapping[str, int]) -> str:
    facts = graph.nodes[node]
    others = sorted(graph.predecessors(node), key=order.__getitem__)[:-1]
    also = f"  (also from {', '.join(map(name, others))})" if others else ""
    return f"{name(node)}  {facts['kind']}, {_size(facts)}{also}"


def _size(facts: Mapping[str, Any]) -> str:
    cells = facts["cells"]
    told = counted(cells, "cell") if cells is not None else "cells known in the run"
    return f"{told} over {', '.join(map(name, facts['axes']))}" if facts["axes"] else told
