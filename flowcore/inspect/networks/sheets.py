"""The cells of nodes as graphs need them: their ids, their labels, and which cells feed which.

Owns :class:`Sheet`, one a node, and how sheets come from a drawn flow, a run that this
process holds, and a journal. Cells that are not known yet, because they run over a value
that is not there, have no place in a sheet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from math import isfinite
from types import MappingProxyType

from flowcore.dataclass import dataclass
from flowcore.declare.node import HIDDEN, Node, label_told, told_cell
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.plan.cells import Space
from flowcore.plan.graph import Planned, lower
from flowcore.plan.stations import Stations

Labels = tuple[object, ...]
Told = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The cells of a node.

    Attributes
    ----------
    node : int
    name : str
    hidden : bool
        Whether it only spreads out the value of another node, or is what a cell drew.
    axes : tuple of str
    space : Space
    feeds : tuple of (int, tuple of str)
        Each node whose cells it needs, and the axes of it that are gathered.
    along : callable
        Gives the labels of a cell along each axis, and what they are called.
    known : tuple of sequence, or None
        The labels along each axis, where they are the same for all cells.
    taker : tuple of (int, int), or None
        The cell that has the value of what it drew, where this node is that.
    """

    node: int
    name: str
    hidden: bool
    axes: tuple[str, ...]
    space: Space
    feeds: tuple[tuple[int, tuple[str, ...]], ...]
    along: Callable[[int], tuple[Labels, Told]]
    known: tuple[Sequence[tuple[object, str]], ...] | None
    taker: tuple[int, int] | None = None

    def rows(self) -> Iterable[tuple[str, dict[str, object]]]:
        """Give id and labels of each cell, by number; labels are what JSON takes."""
        axes = self.axes
        if self.known is not None:
            plain = [[(_plain(label, told), f"{axis}={told}") for label, told in labels]
                     for axis, labels in zip(axes, self.known, strict=True)]  # fmt: skip
            for place in product(*plain):
                told = ", ".join([text for _, text in place])
                yield f"{self.name}[{told}]" if axes else self.name, dict(zip(axes, [p for p, _ in place], strict=True))
            return
        for number in range(self.space.count):
            labels, called = self.along(number)
            found = {axis: _plain(label, text) for axis, label, text in zip(axes, labels, called, strict=True)}
            yield told_cell(self.name, list(zip(axes, called, strict=True))), found


def drawn_sheets(nodes: Iterable[Node]) -> dict[int, Sheet]:
    """Give the sheets of a flow that has not run: cells along axes of unknown length are missing."""
    stations = Stations()
    planned = [lower(node) for node in nodes]
    for one in planned:
        stations.add(one.number, one.spans, (), priority=0, lane="")
    return planned_sheets(planned, lambda number: stations[number].space, lambda _, __: ())


def planned_sheets(
    planned: Iterable[Planned],
    space: Callable[[int], Space],
    labels: Callable[[int, int], Labels],
    takers: Mapping[int, tuple[int, int] | None] = MappingProxyType({}),
) -> dict[int, Sheet]:
    """Give the sheets of lowered nodes, whose spaces and labels somebody knows."""
    sheets = {}
    for one in planned:
        node = one.node
        known = tuple([(label, label_told(label)) for label in axis.labels or ()] for axis in node.axes)

        def along(number: int, node: int = one.number) -> tuple[Labels, Told]:
            found = labels(node, number)
            return found, tuple(map(label_told, found))

        sheets[one.number] = Sheet(
            node=one.number, name=node.name, hidden=node.kind in HIDDEN, axes=tuple(axis.name for axis in node.axes),
            space=space(one.number), feeds=tuple(dict.fromkeys((edge.source, edge.over) for edge in one.edges)),
            along=along, known=known if all(axis.labels is not None for axis in node.axes) else None,
            taker=takers.get(one.number) if node.kind == "result" else None,
        )  # fmt: skip
    return sheets


def recorded_sheets(recorded: Recorded) -> dict[int, Sheet]:
    """Give the sheets of a run that its journal tells of."""
    sheets = {}
    for number, info in recorded.nodes.items():
        feeds = [(source, info.over.get(source, ())) for _, source in info.sources]
        feeds += [(source, ()) for source in info.after]

        def along(cell: int, node: int = number) -> tuple[Labels, Told]:
            pairs = recorded.labelled(node, cell)
            return tuple(label for label, _ in pairs), tuple(told for _, told in pairs)

        sheets[number] = Sheet(
            node=number, name=info.name, hidden=info.kind in HIDDEN, axes=info.axes, space=recorded.space(number),
            feeds=tuple(dict.fromkeys(feed for feed in feeds if feed[0] in recorded.nodes)), along=along, known=None,
            taker=info.drawn if info.kind == "result" else None,
        )  # fmt: skip
    return sheets


def _plain(label: object, told: str) -> object:
    """Give a label as JSON has it: numbers and text as they are, all else by what it is called."""
    if label is None or isinstance(label, bool | int | str):
        return label if type(label) in (bool, int, str, type(None)) else told
    return label if type(label) is float and isfinite(label) else told
