"""What the engine knows of the values in a run: references and identities, never arrays.

Columns, one a node, filled as cells are done. Only the engine's thread writes; others
may read cells that they know to be done.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowcore.plan.records import combine
from flowcore.run.job import Component, Record

Classes = Sequence[tuple[str, bytes]]
Elements = list[tuple[bool, Record, Component]]


class _Column:
    """The values of a node's cells; there is one a node, so what few have is made when it is had."""

    __slots__ = ("classes", "components", "elements", "labels", "records")

    def __init__(self) -> None:
        self.records: list[Record | None] = []  # None: no value (yet, or any more)
        self.components: list[Component] = []
        self.classes: dict[int, Classes] | None = None
        self.elements: dict[int, Elements] | None = None
        self.labels: dict[int, list[Record]] | None = None  # of elements that label themselves

    def reach(self, number: int) -> None:
        more = number + 1 - len(self.records)
        if more > 0:
            self.records.extend([None] * more)
            self.components.extend([b""] * more)


class Values:
    """The values of a run's cells, by node and number."""

    def __init__(self) -> None:
        self.class_names: set[str] = set()  # of all user classes met in this run
        self.nameless: set[tuple[int, int]] = set()  # cells whose values have no identity of their own (K3)
        self._columns: dict[int, _Column] = {}

    def reserve(self, node: int, count: int) -> None:
        """Make room for the cells of a node."""
        self._column(node).reach(count - 1)

    def put(self, node: int, number: int, record: Record, component: Component, classes: Classes = ()) -> None:
        """Take up the value of a cell.

        `component` is what consumers are keyed by: the value's own identity, or a
        derived one where it has none (contract K3). User classes met in the value enter
        the consumer's key beside it, never the value's identity (K10).
        """
        column = self._column(node)
        column.reach(number)
        column.records[number] = record
        column.components[number] = component if not classes else _with_classes(component, classes)
        if classes:
            column.classes = column.classes or {}
            column.classes[number] = classes
            self.class_names.update(name for name, _ in classes)

    def share(self, node: int, number: int, origin: tuple[int, int]) -> None:
        """Let a cell have the value of another one, by whatever both are keyed."""
        source, of = self._columns[origin[0]], origin[1]
        column = self._column(node)
        column.reach(number)
        column.records[number] = source.records[of]
        column.components[number] = source.components[of]  # as it is: the classes met have entered it
        if origin in self.nameless:
            self.nameless.add((node, number))
        if source.classes and of in source.classes:
            column.classes = column.classes or {}
            column.classes[number] = source.classes[of]

    def put_plain(
        self, nodes: Sequence[int], numbers: Sequence[int], records: Sequence[Record], components: Sequence[Component]
    ) -> None:
        """Take up values in which no user class was met."""
        last, column = -1, _Column()
        for node, number, record, component in zip(nodes, numbers, records, components, strict=True):
            if node != last:
                last, column = node, self._column(node)
            if number == len(column.records):
                column.records.append(record)
                column.components.append(component)
                continue
            column.reach(number)
            column.records[number] = record
            column.components[number] = component

    def put_elements(self, node: int, number: int, elements: list[tuple[bool, Record, Component]]) -> None:
        """Take up the elements that a dynamic axis runs over."""
        column = self._column(node)
        column.reach(number)
        column.records[number] = b""
        column.elements = column.elements or {}
        column.elements[number] = elements
        if all(itself for itself, _, _ in elements):
            column.labels = column.labels or {}
            column.labels[number] = [record for _, record, _ in elements]

    def has(self, node: int, number: int) -> bool:
        """Tell whether a cell has a value."""
        column = self._columns.get(node)
        return column is not None and number < len(column.records) and column.records[number] is not None

    def record(self, node: int, number: int) -> Record:
        """Give the record of a cell that is done."""
        record = self._columns[node].records[number]
        assert record is not None, "only the values of done cells are asked for"
        return record

    def records(self, node: int, numbers: Sequence[int]) -> list[Record]:
        """Give the records of cells that are done."""
        if not numbers:
            return []  # gathered along an axis of no length: the node may have no column at all
        column = self._columns[node].records
        return [column[n] for n in numbers]  # type: ignore[misc]

    def all_records(self, node: int, numbers: Sequence[int]) -> list[Record] | None:
        """Give the records of cells; None if one of them has no value."""
        column = self._columns.get(node)
        if column is None or max(numbers, default=-1) >= len(column.records):
            return None
        found = [record for number in numbers if (record := column.records[number]) is not None]
        return found if len(found) == len(numbers) else None

    def component(self, node: int, number: int) -> Component:
        """Give what a consumer of a cell is keyed by."""
        return self._columns[node].components[number]

    def components(self, node: int, numbers: Sequence[int]) -> list[Component]:
        """Give what consumers of cells are keyed by."""
        if not numbers:
            return []
        column = self._columns[node].components
        return [column[n] for n in numbers]

    def classes(self, node: int, number: int) -> Classes:
        """Give the user classes met in a value."""
        return (self._columns[node].classes or {}).get(number, ())

    def elements(self, node: int, number: int) -> list[tuple[bool, Record, Component]]:
        """Give the elements a dynamic axis runs over."""
        return (self._columns[node].elements or {})[number]

    def label(self, node: int, number: int, place: int) -> Record | None:
        """Give the record of an element that labels itself, also after its release; None: its place is its label."""
        labels = self.labels(node, number)
        return None if labels is None else labels[place]

    def labels(self, node: int, number: int) -> list[Record] | None:
        """Give the records of elements that label themselves; None if they are called by their places."""
        return (self._columns[node].labels or {}).get(number)

    def drop(self, node: int, number: int) -> Record | None:
        """Forget a value, keeping its identity; give its record."""
        column = self._columns.get(node)
        if column is None or number >= len(column.records):
            return None
        record, column.records[number] = column.records[number], None
        if column.elements:
            column.elements.pop(number, None)
        return record

    def _column(self, node: int) -> _Column:
        column = self._columns.get(node)
        if column is None:
            column = self._columns[node] = _Column()
        return column


def _with_classes(component: Component, classes: Classes) -> Component:
    pairs = [part for name, identity in sorted(classes) for part in (name.encode(), identity)]
    return combine("classes", [component, *pairs])
