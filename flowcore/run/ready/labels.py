"""What cells are called: their labels along each axis, and their readable ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import prod

from flowcore.declare.node import Node, cell_id, label_of
from flowcore.errors import AxisMismatch
from flowcore.plan.cells import Space
from flowcore.plan.encode import decode, no_fetch
from flowcore.plan.graph import Graph, Planned, span_of
from flowcore.run.job import Record
from flowcore.run.ready.values import Values
from flowcore.store.codecs import Codec


class Labels:
    """Labels of the cells of a run; those of dynamic axes are read from values."""

    def __init__(self, graph: Graph, spaces: Callable[[int], Space], values: Values, codec: Codec) -> None:
        self._graph = graph
        self._spaces = spaces
        self._values = values
        self._codec = codec

    def of(self, node: int, number: int) -> tuple[object, ...]:
        """Give the label of a cell along each axis of its node."""
        places = self._spaces(node).coordinates(number)
        return tuple(self._label(node, axis, number, place) for axis, place in enumerate(places))

    def places(self, node: int, number: int) -> tuple[int, ...]:
        """Give the place of a cell along each axis of its node."""
        return self._spaces(node).coordinates(number)

    def table(self, node: int, numbers: Sequence[int]) -> dict[tuple[object, ...], int]:
        """Give, by its labels, the number of each of these cells, which are in order."""
        along = [axis.labels for axis in self._graph[node].node.axes if axis.labels is not None]
        whole = len(along) == len(self._graph[node].node.axes)
        if numbers and whole and len(numbers) == prod(map(len, along)) == numbers[-1] + 1:
            return dict(zip(product(*along), numbers, strict=True))  # all there are, row-major
        return {self.of(node, number): number for number in numbers}

    def record(self, node: int, over: tuple[str, ...], number: int) -> Record:
        """Give the record of a cell's label along some axes: a tuple of them if there are several."""
        drawn = self._graph[node].node
        labels = [label for axis, label in zip(drawn.axes, self.of(node, number), strict=True) if axis.name in over]
        label = labels[0] if len(labels) == 1 else tuple(labels)
        return self._codec.encode(label, keep=False).record

    def name(self, node: int, number: int) -> str:
        """Give a cell's readable id."""
        drawn: Node = self._graph[node].node
        return cell_id(drawn, self.of(node, number))

    def _label(self, node: int, level: int, number: int, place: int) -> object:
        axis = self._graph[node].node.axes[level]
        if axis.labels is not None:
            return axis.labels[place]
        space, source = self._spaces(node), span_of(axis).source
        owner = self._spaces(source).number(dict(zip(space.names, space.coordinates(number), strict=True)))
        assert owner is not None, "a cell along a dynamic axis exists only after its source"
        record = self._values.label(source, owner, place)
        return place if record is None else label_of(self._codec.decode(record))


def repeated_label(planned: Planned, row: Sequence[tuple[bool, bytes, bytes]]) -> AxisMismatch | None:
    """Refuse labels that are equal, as `each` does while drawing: 1, True and 1.0 are one label."""
    if not row or not all(own for own, _, _ in row):
        return None
    labels = [label_of(decode(record, fetch=no_fetch)) for _, record, _ in row]
    if len(set(labels)) == len(labels):
        return None
    seen: dict[object, int] = {}
    first, second = next((seen[label], i) for i, label in enumerate(labels) if seen.setdefault(label, i) != i)
    axis = planned.name
    return AxisMismatch(
        node=axis, axis=axis, found=f"the same label at places {first} and {second}", expected="every label once",
        at=planned.node.site, remedy="Leave the repetition out of the list that is iterated over.",
    )  # fmt: skip
