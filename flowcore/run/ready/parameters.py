"""Parameters whose arguments differ from cell to cell: their identities, in columns."""

from __future__ import annotations

from collections.abc import Sequence

from flowcore.dataclass import dataclass
from flowcore.plan.records import combine
from flowcore.run.job import Component
from flowcore.run.ready.inputs import Feeder
from flowcore.run.ready.values import Values


@dataclass(slots=True)
class Own:
    """A parameter that differs from cell to cell: how its component is made."""

    name: str
    slots: list[int]
    skeleton: Component | None  # None: the parameter is one slot and nothing else


def component_columns(
    parameters: Sequence[Own], feeders: Sequence[Feeder], numbers: Sequence[int], values: Values
) -> list[list[Component]]:
    """Give the identities of parameters that differ from cell to cell, a column each."""
    return [
        feeders[own.slots[0]].components(numbers, values) if own.skeleton is None
        else _tree(own.skeleton, [feeders[slot].components(numbers, values) for slot in own.slots], len(numbers))
        for own in parameters
    ]  # fmt: skip


def _tree(skeleton: Component, columns: Sequence[list[Component]], count: int) -> list[Component]:
    if all(len(column) == 1 for column in columns):
        return [combine("tree", [skeleton, *(column[0] for column in columns)])]
    return [
        combine("tree", [skeleton, *(column[0 if len(column) == 1 else i] for column in columns)]) for i in range(count)
    ]
