"""What a user asks for: a node, its name, or the readable id of cells, turned to numbers."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol

from flowcore.declare.node import Node, fragments, node_of
from flowcore.errors import ForeignReference, UnknownNode


class Nodes(Protocol):
    """A flow, as far as its nodes go."""

    name: str

    @property
    def drawing(self) -> object:
        """What its nodes belong to."""
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
