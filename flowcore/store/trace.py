"""The record of cells that gave a value, or that their task skipped, in columns.

Owns the form of `trace` and `skip` records, which differ in their name only: whoever does
not know of skips passes them over, and takes none for a value. Promises that what is read back equals what was
packed, seconds to seven digits, and that a record of another shape is refused whole.
Does no input or output.

The second field of a record is the node of its cells; where they are of several nodes it
is a column of numbers, and readers from before there were any pass the record over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from typing import Final

from flowcore.dataclass import dataclass
from flowcore.store.columns import (
    Packed,
    cell_of,
    check_bytes,
    pack_bytes,
    pack_floats,
    pack_numbers,
    pack_sizes,
    unpack_floats,
    unpack_numbers,
    unpack_sizes,
)
from flowcore.store.times import Times, pack_times, unpack_times

KEY_SIZE: Final = 32
NO_KEY: Final = bytes(KEY_SIZE)
TRACE: Final = "trace"
SKIP: Final = "skip"
_FIELDS: Final = 12
_AS_RECORD: Final = 0  # in place of the column of components: each is a zero byte and the record


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Cells that gave a value, or were all skipped, in columns of equal length."""

    node: int  # of all of them, or of the first
    nodes: list[int] = field(default_factory=list)  # a cell's, where they are of several; empty: of one
    numbers: list[int]
    keys: list[bytes]  # 32 bytes; empty: not keyed, so it never answers
    own: list[list[bytes]] = field(default_factory=list)  # a column a component; one of length 1 is shared by all
    components: list[bytes]
    records: list[bytes]  # empty: not kept
    seconds: list[float]  # wall time inside the user's function
    peaks: list[int] = field(default_factory=list)  # bytes; empty where not measured
    classes: list[list[tuple[str, bytes]]] = field(default_factory=list)  # user classes met: name, code identity
    refresh: bool = False  # made under `refresh=`: comes before older records of its keys
    skips: bool = False  # no values: the records are those of skips, see plan/skipped.py
    times: Times | None = None  # when they ran, and on which worker; None: not known

    def each_node(self) -> list[int]:
        """Give the node of each cell."""
        return self.nodes or [self.node] * len(self.numbers)

    def unkeyed(self) -> set[int]:
        """Give the nodes of cells without a key."""
        if all(self.keys):
            return set()
        return {node for node, key in zip(self.each_node(), self.keys, strict=True) if not key}

    def at(self, rows: Sequence[int]) -> Trace:
        """Give some cells of a trace whose columns are whole; of the node of the first one."""
        if len(rows) == len(self.numbers):
            return self
        nodes = [self.nodes[i] for i in rows] if self.nodes else []
        return Trace(
            node=nodes[0] if nodes else self.node, nodes=nodes, numbers=[self.numbers[i] for i in rows],
            keys=[self.keys[i] for i in rows], own=[[column[i] for i in rows] for column in self.own],
            components=[self.components[i] for i in rows], records=[self.records[i] for i in rows],
            seconds=[self.seconds[i] for i in rows], peaks=[self.peaks[i] for i in rows] if self.peaks else [],
            classes=[self.classes[i] for i in rows] if self.classes else [], refresh=self.refresh, skips=self.skips,
            times=self.times.at(rows) if self.times is not None else None,
        )  # fmt: skip


def pack_trace(trace: Trace) -> list[object]:
    """Give a trace as a record for the journal."""
    count = len(trace.numbers)
    keys = b"".join([key or NO_KEY for key in trace.keys]) if any(trace.keys) else b""
    return [
        SKIP if trace.skips else TRACE, pack_nodes(trace.nodes or [trace.node]), count, pack_numbers(trace.numbers),
        keys,
        [pack_bytes(column, count) for column in trace.own],
        _pack_components(trace.components, trace.records, count), pack_bytes(trace.records, count),
        pack_floats(trace.seconds), pack_sizes(trace.peaks), _pack_classes(trace.classes), trace.refresh,
        pack_times(trace.times),
    ]  # fmt: skip


def pack_nodes(nodes: Sequence[int]) -> Packed:
    """Give the field that tells the nodes of cells: the one of all, or a column."""
    one = nodes[0] == nodes[-1] and nodes.count(nodes[0]) == len(nodes)
    return nodes[0] if one else pack_numbers(nodes)


def unpack_nodes(packed: Packed, count: int) -> list[int]:
    """Give the node of each cell; ValueError if that is not what is packed."""
    return [packed] * count if type(packed) is int else unpack_numbers(packed, count)


def by_node(nodes: Sequence[int]) -> dict[int, list[int]]:
    """Give the rows of each node, in the order in which nodes come.

    Examples
    --------
    >>> by_node([7, 3, 7])
    {7: [0, 2], 3: [1]}
    """
    rows: dict[int, list[int]] = {}
    for row, node in enumerate(nodes):
        rows.setdefault(node, []).append(row)
    return rows


class TraceRows:
    """A trace record as read, whose cells are taken out one by one.

    Raises
    ------
    ValueError
        If the record does not have the shape of a trace.
    """

    __slots__ = ("_classes", "_components", "_nodes", "_numbers", "_own", "_peaks", "_records", "_times", "count",
                 "keys", "refresh", "seconds", "skips")  # fmt: skip

    def __init__(self, record: Sequence[object]) -> None:
        if len(record) < _FIELDS or type(record[2]) is not int:
            raise ValueError("trace")
        self.count = record[2]
        self._nodes: int | list[int] = record[1] if type(record[1]) is int else unpack_numbers(record[1], self.count)
        self._numbers, keys, own = record[3], record[4], record[5]
        if not isinstance(keys, bytes) or len(keys) not in (0, KEY_SIZE * self.count) or not isinstance(own, list):
            raise ValueError("keys")
        self.keys = keys
        self._own = [check_bytes(column, self.count) for column in own]
        self._components = record[6] if record[6] == _AS_RECORD else check_bytes(record[6], self.count)
        self._records = check_bytes(record[7], self.count)
        self.seconds = unpack_floats(record[8], self.count)
        self._peaks = record[9]
        self._classes = _check_classes(record[10], self.count)
        self.refresh = record[11] is True
        self.skips = record[0] == SKIP
        self._times = record[12] if len(record) > _FIELDS else None  # journals of before do not tell

    def key(self, row: int) -> bytes:
        """Give a cell's key; empty if it has none."""
        key = self.keys[row * KEY_SIZE : row * KEY_SIZE + KEY_SIZE]
        return b"" if key == NO_KEY else key

    def own(self, row: int) -> list[bytes]:
        """Give a cell's own components."""
        return [cell_of(column, row) for column in self._own]

    @property
    def nodes(self) -> list[int]:
        """The node of each cell."""
        return self._nodes if isinstance(self._nodes, list) else [self._nodes] * self.count

    def node(self, row: int) -> int:
        """Give a cell's node."""
        return self._nodes[row] if isinstance(self._nodes, list) else self._nodes

    def number(self, row: int) -> int:
        """Give a cell's number."""
        return unpack_numbers(self._numbers, self.count)[row]

    def record(self, row: int, key: bytes) -> bytes:
        """Give the storage form of a cell's value; empty if it was not kept, or has another key."""
        if self.keys[row * KEY_SIZE : row * KEY_SIZE + KEY_SIZE] != key:
            return b""
        return cell_of(self._records, row)

    def value(self, row: int) -> bytes:
        """Give the storage form of a cell's value, whatever its key."""
        return cell_of(self._records, row)

    def component(self, row: int, record: bytes) -> bytes:
        """Give the identity of a cell's value, whose record is given."""
        return b"\0" + record if self._components == _AS_RECORD else cell_of(self._components, row)

    def classes(self, row: int) -> list[tuple[str, bytes]]:
        """Give the user classes met in the value."""
        if not self._classes:
            return []
        return list(self._classes[row] if len(self._classes) > 1 else self._classes[0])

    def parts(self) -> list[Trace]:
        """Give all cells, those of each node by themselves."""
        whole = self.whole()
        if not whole.nodes:
            return [whole]
        apart = [(node, whole.at(rows)) for node, rows in by_node(whole.nodes).items()]
        return [replace(part, node=node, nodes=[]) for node, part in apart]

    def whole(self) -> Trace:
        """Give all cells."""
        rows = range(self.count)
        records = [cell_of(self._records, i) for i in rows]
        return Trace(
            node=self.node(0) if self.count else 0, nodes=self._nodes if isinstance(self._nodes, list) else [],
            numbers=unpack_numbers(self._numbers, self.count), keys=[self.key(i) for i in rows],
            own=[[cell_of(column, i) for i in rows] for column in self._own],
            components=[self.component(i, records[i]) for i in rows], records=records,
            seconds=list(self.seconds), peaks=unpack_sizes(self._peaks, self.count),
            classes=[self.classes(i) for i in rows] if self._classes else [], refresh=self.refresh,
            skips=self.skips, times=unpack_times(self._times, self.count),
        )  # fmt: skip


def _pack_components(components: Sequence[bytes], records: Sequence[bytes], count: int) -> Packed:
    # The component of a small value is a zero byte and its record: then it need not be kept twice.
    if components and components[0] == b"\0" + records[0] and components == [b"\0" + record for record in records]:
        return _AS_RECORD
    return pack_bytes(components, count)


def _pack_classes(classes: Sequence[list[tuple[str, bytes]]]) -> list[list[tuple[str, bytes]]]:
    if not any(classes):
        return []
    return [classes[0]] if all(each == classes[0] for each in classes) else list(classes)


def _check_classes(packed: object, count: int) -> list[list[tuple[str, bytes]]]:
    if not isinstance(packed, list) or len(packed) not in (0, 1, count):
        raise ValueError("classes")
    if not all(isinstance(cell, list) for cell in packed):
        raise ValueError("classes")
    return [[_class(met) for met in cell] for cell in packed]


def _class(met: object) -> tuple[str, bytes]:
    match met:
        case [str(name), bytes(identity)]:
            return name, identity
    raise ValueError("class")
