"""The graph of a flow, as running it needs it: validated nodes, edges, and the slots of each call.

What the user drew (`declare/node.py`) keeps the forms in which arguments were written.
Here each node is lowered to numbers: spans for its axes, edges for the schedule, and
for its call a tree of constants and *slots*. A slot is one value that comes from
elsewhere and may differ from cell to cell. Nothing here runs, encodes or hashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from flowcore.collector import at_rest
from flowcore.dataclass import dataclass
from flowcore.declare.node import (
    Along,
    Argument,
    Axis,
    Element,
    Gathered,
    Literal,
    Node,
    Plain,
    Tree,
)
from flowcore.plan.cells import Span
from flowcore.plan.stations import Edge, Mode

Moving: TypeAlias = Plain | Along | Element | Gathered


@dataclass(frozen=True, slots=True)
class Constant:
    """A part of a call that is the same for every cell."""

    value: object


@dataclass(frozen=True, slots=True)
class Ready:
    """The value of a constant where its record is all that there is."""

    record: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a call that is the value in a slot."""

    slot: int


@dataclass(frozen=True, slots=True)
class Container:
    """A part of a call that is a list, tuple or dict with slots somewhere inside."""

    kind: str
    items: tuple[tuple[object, Shape], ...]  # the key is None but in a dict


Shape: TypeAlias = Constant | Place | Container


@dataclass(frozen=True, slots=True)
class Planned:
    """A node, lowered."""

    node: Node
    spans: tuple[Span, ...]
    edges: tuple[Edge, ...]
    slots: tuple[Moving, ...]
    arguments: dict[str, Shape]  # in the order of the call

    @property
    def number(self) -> int:
        """Its number, as in the flow."""
        return self.node.number

    @property
    def name(self) -> str:
        """Its name, as in the flow."""
        return self.node.name

    def slots_of(self, parameter: str) -> list[int]:
        """Give the slots of one parameter, in order."""
        found: list[int] = []
        waiting = [self.arguments[parameter]]
        while waiting:
            shape = waiting.pop()
            if isinstance(shape, Place):
                found.append(shape.slot)
            elif isinstance(shape, Container):
                waiting.extend(item for _, item in reversed(shape.items))
        return found


class Graph:
    """The nodes of a flow that some targets need, lowered, in the order of drawing.

    Parameters
    ----------
    nodes : sequence of Node
        All nodes of the flow; each comes after those that feed it.
    targets : iterable of Node, optional
        What is wanted; by default the nodes that feed no other, and so all nodes but for
        branches that no choice falls on.
    """

    def __init__(self, nodes: Sequence[Node], targets: Iterable[Node] | None = None) -> None:
        with at_rest:
            feeders = _Feeders()
            wanted = sinks(nodes, feeders) if targets is None else list(targets)
            needed = _ancestors(wanted, feeders)
            self.targets = tuple(dict.fromkeys(node.number for node in wanted))
            self.size = len(nodes)  # numbers below are those of the flow's own nodes, or taken
            self.nodes = {
                node.number: lower(node) for node in ordered([n for n in nodes if n.number in needed], feeders)
            }

    def __getitem__(self, number: int) -> Planned:
        return self.nodes[number]

    def planned(self) -> list[Planned]:
        """Give the nodes that there are now. Any thread, also while nodes are added."""
        return list(self.nodes.values())

    def extend(self, planned: Sequence[Planned]) -> None:
        """Add nodes that were drawn in mid-run; their numbers follow the others'."""
        self.nodes.update({one.number: one for one in planned})
        self.size += len(planned)


def lower(node: Node) -> Planned:
    """Turn a drawn node to numbers."""
    slots: list[Moving] = []
    arguments = {name: _shape(form, slots) for name, form in node.arguments.items()}
    edges: list[Edge] = []
    for name, form in node.arguments.items():
        side = {"a": 0, "b": 1}.get(name) if node.kind == "choose" else None
        edges.extend(_edges(form, side))
    edges.extend(Edge(before.number, "order") for before in node.after)
    spans = tuple(span_of(axis) for axis in node.axes)
    return Planned(node, spans, tuple(dict.fromkeys(edges)), tuple(slots), arguments)


def span_of(axis: Axis) -> Span:
    """Give an axis as the cells know it."""
    if axis.labels is not None:
        return Span(axis.name, len(axis.labels))
    assert axis.source is not None, "an axis has labels or a source"
    return Span(axis.name, None, axis.source.number)


def _shape(form: Argument, slots: list[Moving]) -> Shape:
    if isinstance(form, Literal):
        return Constant(form.value)
    if isinstance(form, Tree):
        return Container(form.kind, tuple((key, _shape(item, slots)) for key, item in form.items))
    slots.append(form)
    return Place(len(slots) - 1)


def _edges(form: Argument, side: int | None) -> list[Edge]:
    found: list[Edge] = []
    if type(form) is Literal:
        return found
    waiting = [form]
    while waiting:
        leaf = waiting.pop()
        if isinstance(leaf, Tree):
            waiting.extend(item for _, item in leaf.items)
        elif isinstance(leaf, Plain):
            found.append(Edge(leaf.node.number) if side is None else Edge(leaf.node.number, "branch", side))
        elif isinstance(leaf, Gathered):
            mode: Mode = leaf.missing if side is None else "branch"
            found.append(Edge(leaf.node.number, mode, side or 0, over=leaf.over))
        elif isinstance(leaf, Element):
            found.append(Edge(span_of(leaf.axis).source))
    return found


def _feeders(node: Node) -> list[Node]:
    """Give the nodes that a node waits for, those of its axes included."""
    axes = [axis.source for axis in node.axes if axis.source is not None]
    return [source for _, source in node.sources()] + list(node.after) + axes


class _Feeders(dict[Node, list[Node]]):
    """What feeds each node that was asked about: looked at once, though several ask."""

    def __missing__(self, node: Node) -> list[Node]:
        found = self[node] = _feeders(node)
        return found


def sinks(nodes: Sequence[Node], feeders: Mapping[Node, list[Node]] | None = None) -> list[Node]:
    """Give the nodes that feed no other, and that no other comes after."""
    feeders = _Feeders() if feeders is None else feeders
    feeding = {feeder.number for node in nodes for feeder in feeders[node]}
    return [node for node in nodes if node.number not in feeding]


def _ancestors(nodes: Iterable[Node], feeders: Mapping[Node, list[Node]]) -> set[int]:
    needed: set[int] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node.number not in needed:
            needed.add(node.number)
            waiting.extend(feeders[node])
    return needed


def ordered(nodes: list[Node], feeders: Mapping[Node, list[Node]] | None = None) -> list[Node]:
    """Sort so that each node follows its feeders; `after` may name nodes drawn later."""
    feeders = _Feeders() if feeders is None else feeders
    known = {node.number for node in nodes}
    if all(f.number < node.number for node in nodes for f in feeders[node]):
        return sorted(nodes, key=lambda node: node.number)
    missing = {node.number: len({f.number for f in feeders[node]} & known) for node in nodes}
    feeds: dict[int, list[Node]] = {}
    for node in nodes:
        for number in {f.number for f in feeders[node]}:
            feeds.setdefault(number, []).append(node)
    ready = [node for node in nodes if not missing[node.number]]
    for node in ready:  # grows as it is walked; the drawing has refused cycles already
        for consumer in feeds.get(node.number, ()):
            missing[consumer.number] -= 1
            if not missing[consumer.number]:
                ready.append(consumer)
    return ready
