"""The graph of a flow, as running it needs it: validated nodes, edges, and the slots of each call.

What the user drew (`declare/node.py`) keeps the forms in which arguments were written.
Here each node is lowered to numbers: spans for its axes, edges for the schedule, and
for its call a tree of constants and *slots*. A slot is one value that comes from
elsewhere and may differ from cell to cell. Nothing here runs, encodes or hashes.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

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
Constant = Literal  # a part of a call that is the same for every cell


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
    call: Hashable = None  # the same for all of one shape; None where there are constants in it


Shape: TypeAlias = Constant | Place | Container


class Planned(NamedTuple):
    """A node, lowered. A tuple, since there is one a node."""

    node: Node
    spans: tuple[Span, ...]
    edges: tuple[Edge, ...]
    slots: tuple[Moving, ...]
    arguments: dict[str, Shape]  # in the order of the call
    call: tuple[Hashable, ...]  # the same for calls of one shape; empty but for constants and values of single cells

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
            lowered = _Lowered()
            wanted = lowered.sinks(nodes) if targets is None else list(targets)
            if targets is not None:
                lowered.with_ancestors(wanted)  # of the sinks, these are all nodes
            self.targets = tuple(dict.fromkeys(node.number for node in wanted))
            self.size = len(nodes)  # numbers below are those of the flow's own nodes, or taken
            self.nodes = {number: lowered.nodes[number] for number in lowered.ordered()}

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
    arguments: dict[str, Shape] = {}
    edges: list[Edge] = []
    call: list[Hashable] = []
    alike = not node.axes and node.kind != "choose"
    for name, form in node.arguments.items():
        if type(form) is Constant:
            arguments[name] = form
            call.append(name)
            continue
        first = len(slots)
        shape = arguments[name] = _shape(form, slots)
        side = _SIDES.get(name) if node.kind == "choose" else None
        if side is None and _PLAIN.issuperset(map(type, slots)):
            edges += [_need(slot.node.number) for slot in slots[first:]]  # type: ignore[union-attr]
        else:
            edges += [_edge(slot, side) for slot in slots[first:] if type(slot) is not Along]
            alike = False
        call += (name, _call(shape))
    if node.after:
        edges += [Edge(before.number, "order") for before in node.after]
    if len(edges) > 1:
        edges = list(dict.fromkeys(edges))
    if not alike or None in call or any(slot.node.axes for slot in slots):  # type: ignore[union-attr]
        call = []
    spans = tuple([span_of(axis) for axis in node.axes]) if node.axes else ()
    return Planned(node, spans, tuple(edges), tuple(slots), arguments, tuple(call))


_SIDES = {"a": 0, "b": 1}  # the branches of a choice
_PLAIN = frozenset({Plain})


def span_of(axis: Axis) -> Span:
    """Give an axis as the cells know it."""
    if axis.labels is not None:
        return Span(axis.name, len(axis.labels))
    assert axis.source is not None, "an axis has labels or a source"
    return Span(axis.name, None, axis.source.number)


def _shape(form: Argument, slots: list[Moving]) -> Shape:
    if isinstance(form, Constant):
        return form
    if isinstance(form, Tree):
        if form.kind != "dict" and _PLAIN.issuperset([type(item) for _, item in form.items]):
            first = len(slots)
            slots += [item for _, item in form.items]  # type: ignore[misc]
            return _row(form.kind, first, len(form.items))
        items = tuple([(key, _shape(item, slots)) for key, item in form.items])
        inner = [_call(item) for _, item in items]
        return Container(form.kind, items, None if form.kind == "dict" or None in inner else (form.kind, *inner))
    slots.append(form)
    return _place(len(slots) - 1)


@lru_cache
def _place(slot: int) -> Place:
    return Place(slot)


@lru_cache
def _row(kind: str, first: int, count: int) -> Container:
    """Give a list or tuple of values that come from elsewhere: one object for all that are alike."""
    slots = range(first, first + count)
    return Container(kind, tuple((None, _place(slot)) for slot in slots), (kind, *slots))


def _call(shape: Shape) -> Hashable:
    """Give what is the same for arguments of one shape, made of values that come from elsewhere; None for others."""
    if type(shape) is Place:
        return shape.slot
    return shape.call if type(shape) is Container else None


def _edge(slot: Moving, side: int | None) -> Edge:
    if type(slot) is Plain:
        return _need(slot.node.number) if side is None else Edge(slot.node.number, "branch", side)
    if isinstance(slot, Gathered):
        mode: Mode = slot.missing if side is None else "branch"
        return Edge(slot.node.number, mode, side or 0, over=slot.over)
    assert isinstance(slot, Element), f"a slot of kind {type(slot).__name__} is fed by its axis"
    return Edge(span_of(slot.axis).source)


@lru_cache(maxsize=1024)
def _need(source: int) -> Edge:
    return Edge(source)


class _Lowered:
    """Nodes that were asked about, lowered: each once; and the numbers of those that each waits for."""

    def __init__(self) -> None:
        self.nodes: dict[int, Planned] = {}
        self._feeders: dict[int, list[int]] = {}

    def add(self, node: Node) -> Planned:
        """Lower a node."""
        planned = self.nodes[node.number] = lower(node)
        feeders = self._feeders[node.number] = [edge[0] for edge in planned.edges]
        if node.axes:
            feeders += [axis.source.number for axis in node.axes if axis.source is not None]
        return planned

    def sinks(self, nodes: Iterable[Node]) -> list[Node]:
        """Lower all of these; give those that feed no other, and that no other comes after."""
        feeding: set[int] = set()
        known = list(nodes)
        for node in known:
            self.add(node)
            feeding.update(self._feeders[node.number])
        return [node for node in known if node.number not in feeding]

    def with_ancestors(self, nodes: Iterable[Node]) -> None:
        """Lower these and all that feeds them."""
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if node.number not in self.nodes:
                waiting += feeders(self.add(node))

    def ordered(self) -> list[int]:
        """Give the numbers of all that were lowered, each behind its feeders; `after` may name nodes drawn later."""
        drawn = sorted(self._feeders)
        if all(max(feeding, default=-1) < number for number, feeding in self._feeders.items()):
            return drawn
        missing = {number: len({*self._feeders[number]} & self._feeders.keys()) for number in drawn}
        feeds: dict[int, list[int]] = {}
        for number in drawn:
            for feeder in {*self._feeders[number]}:
                feeds.setdefault(feeder, []).append(number)
        ready = [number for number, count in missing.items() if not count]
        for number in ready:  # grows as it is walked; the drawing has refused cycles already
            for consumer in feeds.get(number, ()):
                missing[consumer] -= 1
                if not missing[consumer]:
                    ready.append(consumer)
        return ready


def feeders(planned: Planned) -> list[Node]:
    """Give the nodes that a node waits for, those of its axes included."""
    sources = [_source(slot) for slot in planned.slots]
    if planned.node.after or planned.node.axes:
        sources += [*planned.node.after, *(axis.source for axis in planned.node.axes)]
    return [source for source in sources if source is not None]


def _source(slot: Moving) -> Node | None:
    if type(slot) is Plain:
        return slot.node
    return slot.node if isinstance(slot, Gathered) else slot.axis.source  # type: ignore[union-attr]


def sinks(nodes: Sequence[Node]) -> list[Node]:
    """Give the nodes that feed no other, and that no other comes after."""
    return _Lowered().sinks(nodes)


def ordered(nodes: Sequence[Node]) -> list[Planned]:
    """Lower nodes, and give them so that each follows its feeders; `after` may name nodes drawn later."""
    lowered = _Lowered()
    lowered.sinks(nodes)
    return [lowered.nodes[number] for number in lowered.ordered()]
