"""Where the slots of a node's calls get their values: columns of records and of identities.

A slot is fed by an axis's own values, by another node cell by cell, by an element of
another cell's value, or by many cells gathered. Each feeder answers for a whole batch
of cells at once, and answers with one entry where all of them share it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from flowcore.declare.node import Element, Gathered, Plain
from flowcore.plan.cells import Link, Space
from flowcore.plan.graph import Moving, span_of
from flowcore.plan.records import combine, join_dict, join_list
from flowcore.run.job import Component, Record
from flowcore.run.ready.values import Values

LabelRecord = Callable[[int, tuple[str, ...], int], Record]  # node, axes, number -> record of a cell's label


class Feeder(Protocol):
    """Gives the values of one slot."""

    def records(self, numbers: Sequence[int], values: Values) -> list[Record]:
        """Give a record a cell, or a single one that all share."""
        ...

    def components(self, numbers: Sequence[int], values: Values) -> list[Component]:
        """Give an identity a cell, or a single one that all share."""
        ...

    def origins(self, number: int) -> list[tuple[int, int]]:
        """Give the (node, number) of the cells that feed a cell."""
        ...


class FromAxis:
    """The axis's own value for this parameter."""

    def __init__(self, space: Space, name: str, encoded: Sequence[tuple[Record, Component]]) -> None:
        self._level = space.names.index(name)
        self._space = space
        self._records = [record for record, _ in encoded]
        self._components = [component for _, component in encoded]

    def encoded(self) -> tuple[list[Record], list[Component]]:
        """Give the values along the axis, and their identities."""
        return self._records, self._components

    def place(self, number: int) -> int:
        """Give the place of a cell along the axis."""
        return places(self._space, self._level, [number])[0]

    def records(self, numbers: Sequence[int], values: Values) -> list[Record]:  # noqa: ARG002
        """See Feeder."""
        return [self._records[p] for p in places(self._space, self._level, numbers)]

    def components(self, numbers: Sequence[int], values: Values) -> list[Component]:  # noqa: ARG002
        """See Feeder."""
        return [self._components[p] for p in places(self._space, self._level, numbers)]

    def origins(self, number: int) -> list[tuple[int, int]]:  # noqa: ARG002
        """See Feeder."""
        return []


class FromCall:
    """A small constant, as it was written into the call: the same for all cells of a node."""

    __slots__ = ("component", "record")

    def __init__(self, record: Record, component: Component) -> None:
        self.record = record
        self.component = component

    def encoded(self) -> tuple[Record, Component]:
        """Give the value and its identity."""
        return self.record, self.component

    def records(self, numbers: Sequence[int], values: Values) -> list[Record]:  # noqa: ARG002
        """See Feeder."""
        return [self.record]

    def components(self, numbers: Sequence[int], values: Values) -> list[Component]:  # noqa: ARG002
        """See Feeder."""
        return [self.component]

    def origins(self, number: int) -> list[tuple[int, int]]:  # noqa: ARG002
        """See Feeder."""
        return []


class FromOne:
    """The value of the only cell of another node."""

    __slots__ = ("cell",)

    def __init__(self, source: int) -> None:
        self.cell = source, 0

    def records(self, numbers: Sequence[int], values: Values) -> list[Record]:  # noqa: ARG002
        """See Feeder."""
        return [values.record(*self.cell)]

    def components(self, numbers: Sequence[int], values: Values) -> list[Component]:  # noqa: ARG002
        """See Feeder."""
        return [values.component(*self.cell)]

    def origin(self, number: int) -> tuple[int, int]:  # noqa: ARG002
        """Give the one cell that feeds a cell."""
        return self.cell

    def origins(self, number: int) -> list[tuple[int, int]]:  # noqa: ARG002
        """See Feeder."""
        return [self.cell]


class FromNode:
    """The value of one cell of another node."""

    def __init__(self, source: int, link: Link) -> None:
        self._source = source
        self._link = link
        self._shared = not link.producer.spans

    def records(self, numbers: Sequence[int], values: Values) -> list[Record]:
        """See Feeder."""
        return values.records(self._source, [0] if self._shared else self._link.sources(numbers))

    def components(self, numbers: Sequence[int], values: Values) -> list[Component]:
        """See Feeder."""
        return values.components(self._source, [0] if self._shared else self._link.sources(numbers))

    def origin(self, number: int) -> tuple[int, int]:
        """Give the one cell that feeds a cell."""
        return self._source, 0 if self._shared else self._link.sources([number])[0]

    def origins(self, number: int) -> list[tuple[int, int]]:
        """See Feeder."""
        return [(self._source, n) for n in self._link.inputs(number).numbers]


class FromElement:
    """The element, at the cell's place along a dynamic axis, of another cell's value."""

    def __init__(self, source: int, link: Link, name: str) -> None:
        self._source = source
        self._link = link
        self._level = link.consumer.names.index(name)

    def _elements(self, numbers: Sequence[int], values: Values) -> list[tuple[bool, Record, Component]]:
        along = places(self._link.consumer, self._level, numbers)
        owners = self._link.sources(numbers)
        return [values.elements(self._source, n)[p] for n, p in zip(owners, along, strict=True)]

    def records(self, numbers: Sequence[int], values: Values) -> list[Record]:
        """See Feeder."""
        return [record for _, record, _ in self._elements(numbers, values)]

    def components(self, numbers: Sequence[int], values: Values) -> list[Component]:
        """See Feeder."""
        return [component for _, _, component in self._elements(numbers, values)]

    def origins(self, number: int) -> list[tuple[int, int]]:
        """See Feeder."""
        return [(self._source, n) for n in self._link.inputs(number).numbers]


class FromGather:
    """The values of many cells of another node, as one list, or as a dict by label."""

    def __init__(self, form: Gathered, link: Link, label: LabelRecord) -> None:
        self._source = form.node.number
        self._link = link
        self._labels = form.labels
        self._missing = form.missing
        self._over = form.over
        self._label = label

    def records(self, numbers: Sequence[int], values: Values) -> list[Record]:
        """See Feeder."""
        return self._joined(numbers, values, self._join_records)

    def components(self, numbers: Sequence[int], values: Values) -> list[Component]:
        """See Feeder."""
        return self._joined(numbers, values, self._join_components)

    def origins(self, number: int) -> list[tuple[int, int]]:
        """See Feeder."""
        return [(self._source, n) for n in self._link.inputs(number).numbers]

    @property
    def tolerant(self) -> bool:
        """Whether failed cells are left out."""
        return self._missing == "drop-failed"

    def count(self, number: int) -> int:
        """Count the cells that are gathered for a cell."""
        return len(self._link.inputs(number).numbers)

    def lacks(self, number: int, lost: Callable[[int, int], bool]) -> bool:
        """Tell whether a cell is handed a gather from which failed cells are left out."""
        if not self.tolerant:
            return False
        return any(lost(self._source, n) for n in self._link.inputs(number).numbers)

    def _joined(
        self, numbers: Sequence[int], values: Values, join: Callable[[Sequence[int], Values], bytes]
    ) -> list[bytes]:
        """Join what feeds each cell, once for all cells that are fed by the same."""
        if not self._link.shared:
            return [join(self._present(numbers[0], values), values)]
        known: dict[int, bytes] = {}
        column: list[bytes] = []
        for m in numbers:
            present = self._present(m, values)
            first = present[0] if present else -1
            if first not in known:
                known[first] = join(present, values)
            column.append(known[first])
        return column

    def _present(self, number: int, values: Values) -> Sequence[int]:
        found = self._link.inputs(number).numbers
        return [n for n in found if values.has(self._source, n)] if self._labels else found

    def _join_records(self, present: Sequence[int], values: Values) -> Record:
        records = values.records(self._source, present)
        if not self._labels:
            return join_list(records)
        return join_dict([(self._label(self._source, self._over, n), r) for n, r in zip(present, records, strict=True)])

    def _join_components(self, present: Sequence[int], values: Values) -> Component:
        components = values.components(self._source, present)
        if not self._labels:
            return combine("gather", components)
        labels = [self._label(self._source, self._over, n) for n in present]
        return combine("gather by label", [part for pair in zip(labels, components, strict=True) for part in pair])


def places(space: Space, level: int, numbers: Sequence[int]) -> list[int]:
    """Give the place of each cell along one span."""
    if space.static:
        stride, length = space.strides[level], space.shape[level]
        if stride == 1 and len(space.spans) == 1:
            return list(numbers)
        return [n // stride % length for n in numbers]
    return [space.coordinates(n)[level] for n in numbers]


class Linking(Protocol):
    """A run, as far as feeders need it."""

    @property
    def label(self) -> LabelRecord:
        """Give the record of a cell's label."""
        ...

    def link(self, producer: int, consumer: Space, over: tuple[str, ...] = ()) -> Link:
        """Give the link from a node's cells to those of a space."""
        ...


def feeder(form: Moving, space: Space, run: Linking) -> Feeder:
    """Give the feeder of a slot that gets its values from other nodes."""
    if isinstance(form, Plain):
        return FromNode(form.node.number, run.link(form.node.number, space))
    if isinstance(form, Gathered):
        return FromGather(form, run.link(form.node.number, space, form.over), run.label)
    assert isinstance(form, Element), f"a slot of kind {type(form).__name__} is fed by its axis"
    source = span_of(form.axis).source
    return FromElement(source, run.link(source, space), form.axis.name)
