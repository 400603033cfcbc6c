"""Cells of several nodes put together: keyed, and loaded into a job, in columns.

Owns the joining of what each node gives of its own cells (`work.py`) to columns over all
of them. The nodes have one recipe, so their columns mean the same. The engine's thread.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowcore.plan.encode import find_class
from flowcore.run.flight import Batch, chained
from flowcore.run.job import Record
from flowcore.run.ready.values import Values
from flowcore.run.ready.work import Work

Cells = tuple[Work, slice]  # a node, and where its cells are in the columns of a batch


def keyed(cells: Sequence[tuple[Work, list[int]]], values: Values) -> Batch:
    """Key cells, by node, whose recipe is one."""
    nodes: list[int] = []
    numbers: list[int] = []
    keys: list[bytes] = []
    own = []
    for work, chosen in cells:
        found, parts = work.keyed(chosen, values)
        nodes += [work.number] * len(chosen)
        numbers += chosen
        keys += found
        own.append(parts)
    sizes = [len(chosen) for _, chosen in cells]
    columns = [chained(parts, sizes) for parts in zip(*own, strict=True)] if len(own) > 1 else own[0]
    return Batch(recipe=cells[0][0].recipe, nodes=nodes, numbers=numbers, keys=keys, own=columns)


def unkeyed(work: Work, numbers: list[int]) -> Batch:
    """Give cells of a node that no record answers, and none will be kept of; they may travel with others that have."""
    count, own = len(numbers), [[b""] for _ in work.own]
    return Batch(recipe=work.recipe, nodes=[work.number] * count, numbers=numbers, keys=[b""] * count, own=own)


def columns(cells: Sequence[Cells], batch: Batch, values: Values) -> list[list[Record]]:
    """Give the records in each slot of the cells of a batch, or a single one that all share."""
    if len(cells) == 1:
        return cells[0][0].columns(batch.numbers, values)
    sizes = [at.stop - at.start for _, at in cells]
    parts = [work.columns(batch.numbers[at], values) for work, at in cells]
    return [chained(column, sizes) for column in zip(*parts, strict=True)]


def supplied(cells: Sequence[Cells], batch: Batch, values: Values) -> dict[str, list[bytes]]:
    """Give what the cells of a batch are supplied from, by kind."""
    found: dict[str, list[bytes]] = {}
    for work, at in cells:
        for kind, source in work.supplies.items():
            found.setdefault(kind, []).extend(source.column(batch.numbers[at], batch.keys[at], values))
    return found


def names(cells: Sequence[Cells]) -> list[str]:
    """Give the name of each cell's node, or the one of all."""
    if len(cells) == 1:
        return [cells[0][0].planned.name]
    return [work.planned.name for work, at in cells for _ in range(at.start, at.stop)]


def modules(work: Work, values: Values) -> tuple[str, ...]:
    """Give the modules of user classes that may be met: only those that are imported here."""
    names = values.class_names.union(work.classes)
    kinds = [kind for kind in map(find_class, names) if kind is not None]
    return tuple(sorted({kind.__module__ for kind in kinds} - {"__main__"}))
