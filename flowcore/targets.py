"""What a user asks for, turned to numbers: nodes, their names, the readable ids of cells, and options naming them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Protocol

from flowcore.dataclass import dataclass
from flowcore.declare.drawing import Drawing
from flowcore.declare.node import Node, fragments, node_of
from flowcore.errors import AxisMismatch, ForeignReference, UnknownNode
from flowcore.grid import Grid
from flowcore.plan.graph import Graph
from flowcore.run.rehearsals.asked import Asked
from flowcore.run.told.origin import origin
from flowcore.settings import Settings


class Nodes(Protocol):
    """A flow, as far as its nodes go."""

    name: str

    @property
    def drawing(self) -> object:
        """What its nodes belong to."""
        ...

    def __getitem__(self, name: str, /) -> Node: ...
    def __contains__(self, name: object, /) -> bool: ...


class Drawn(Protocol):
    """A flow, as far as its runs need to know it."""

    name: str
    drawing: Drawing

    @property
    def result(self) -> Any:
        """What the flow gives."""
        ...

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes in the order of drawing."""
        ...

    def __getitem__(self, name: str, /) -> Node: ...
    def __contains__(self, name: object, /) -> bool: ...


@dataclass(frozen=True, slots=True)
class Target:
    """A node, and which of its cells; None: all."""

    node: Node
    numbers: tuple[int, ...] | None = None


def target(flow: Nodes, key: object) -> Target:
    """Find what `key` asks for.

    Parameters
    ----------
    flow : Flow
    key : node, reference or str
        As text a node's name, or the id of cells: ``erode[path='a.npz', rate=0.1]``. An
        axis that is left out stands for all of its labels.

    Raises
    ------
    UnknownNode
        If there is no such node, axis or label, or the labels are known only in the run.
    ForeignReference
        If the node belongs to another flow.
    """
    node = node_of(key)
    if node is not None:
        if node.owner is not flow.drawing:
            raise ForeignReference(node=node.name, flow=node.owner.name, at="run")
        return Target(node)
    text = str(key)
    if text in flow or not text.endswith("]"):
        return Target(flow[text])
    name, inside = split_id(flow, text)
    node = flow[name]
    return Target(node, _numbers(node, _places(flow, node, text, inside)))


def split_id(flow: Nodes, text: str) -> tuple[str, str]:
    """Part a cell's id into the node's name, which may have brackets of its own, and the labels."""
    at = text.find("[")
    while at >= 0:
        if text[:at] in flow:
            rest = text.find("[", at + 1)
            if rest < 0 or text[:rest] not in flow:
                return text[:at], text[at + 1 : -1]
        at = text.find("[", at + 1)
    return text.partition("[")[0], text.partition("[")[2][:-1]


def _places(flow: Nodes, node: Node, text: str, inside: str) -> list[Sequence[int]]:
    """Give the places that are meant along each axis."""
    told = {axis.name: fragments(axis) for axis in node.axes}
    meant: dict[str, int] = {}
    while inside:
        found = [
            (name, place, fragment)
            for name, known in told.items()
            for fragment, place in known.items()
            if inside == fragment or inside.startswith(fragment + ", ")
        ]
        if not found:
            every = [fragment for known in told.values() for fragment in known]
            near = difflib.get_close_matches(inside, every, n=2)
            raise UnknownNode(name=text, flow=flow.name, near=tuple(f"{node.name}[{fragment}]" for fragment in near))
        name, place, fragment = max(found, key=lambda match: len(match[2]))
        meant[name] = place
        inside = inside[len(fragment) + 2 :]
    return [[meant[a.name]] if a.name in meant else range(len(a.labels or ())) for a in node.axes]


def _numbers(node: Node, places: list[Sequence[int]]) -> tuple[int, ...] | None:
    """Give the cells at these places, row-major; None if an axis has labels only in the run and none was named."""
    if any(axis.labels is None for axis in node.axes):
        return None
    lengths = [len(axis.labels or ()) for axis in node.axes]
    found = []
    for place in product(*places):
        number = 0
        for at, length in zip(place, lengths, strict=True):
            number = number * length + at
        found.append(number)
    return tuple(found)


def asked_of(flow: Drawn, targets: Sequence[object], settings: Settings) -> tuple[Graph, Asked]:
    """Turn what a user asked for to numbers: the nodes that it takes, and which of their cells."""
    nodes = flow.nodes
    wanted = [target(flow, key) for key in targets]
    graph = Graph(nodes, [found.node for found in wanted] if wanted else None)
    supplied = [(target(flow, key).node, value) for key, value in settings.given.items()]
    given = {node.number: _given(node, value) for node, value in supplied}
    asked = Asked(
        wants=_wants(wanted),
        held=_held(flow.result, [t.node for t in wanted]),
        refresh=_named(flow, nodes, settings.refresh),
        trust=_named(flow, nodes, settings.trust),
        given={number: values for number, values in given.items() if number in graph.nodes},
        origin=origin(),
    )
    return graph, asked


def _named(flow: Drawn, nodes: Sequence[Node], keys: object) -> dict[int, Sequence[int] | None]:
    """Give the nodes that an option names, True being all of them, and which of their cells; None: all."""
    if keys is True:
        return {node.number: None for node in nodes}
    listed = keys if isinstance(keys, list | tuple | set | frozenset) else [keys] if keys else ()
    return _wants([target(flow, key) for key in listed])


def _wants(targets: Sequence[Target]) -> dict[int, Sequence[int] | None]:
    """Give the cells wanted of each node that was asked for; None: all."""
    wants: dict[int, Sequence[int] | None] = {}
    for found in targets:
        known = wants.get(found.node.number, ())
        both = known is not None and found.numbers is not None
        wants[found.node.number] = [*known, *found.numbers] if both else None  # type: ignore[misc]
    return wants


def _held(result: object, targets: Sequence[Node]) -> set[int]:
    """Give the nodes whose values live as long as the run: what was asked for, and what the flow gives."""
    held = {node.number for node in targets}
    waiting = [result]
    while waiting:
        part = waiting.pop()
        node = node_of(part)
        if node is not None:
            held.add(node.number)
        elif isinstance(part, list | tuple):
            waiting.extend(part)
        elif isinstance(part, dict):
            waiting.extend(part.values())
    return held


def _given(node: Node, value: object) -> list[object]:
    """Give the values supplied for a node's cells, row-major."""
    if not node.axes:
        return [value]
    labels = [axis.labels for axis in node.axes]
    if any(known is None for known in labels):
        raise AxisMismatch(
            node=node.name, axis=node.axes[-1].name, found="an axis whose length is known only in the run",
            expected="axes with labels", at="given=", remedy="Give the node that the axis iterates over.",
        )  # fmt: skip
    if isinstance(value, Grid | Mapping):
        return [value[key[0] if len(key) == 1 else key] for key in _product(labels)]  # type: ignore[arg-type]
    values = list(value) if isinstance(value, Sequence) else [value]
    if len(values) != len(_product(labels)):  # type: ignore[arg-type]
        raise AxisMismatch(
            node=node.name, axis=node.axes[-1].name, found=f"{len(values)} values",
            expected=f"{len(_product(labels))}, one a cell", at="given=", remedy="Give a dict by label.",  # type: ignore[arg-type]
        )  # fmt: skip
    return values


def _product(labels: Sequence[Sequence[object]]) -> list[tuple[object, ...]]:
    keys: list[tuple[object, ...]] = [()]
    for along in labels:
        keys = [(*key, label) for key in keys for label in along]
    return keys
