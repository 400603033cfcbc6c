"""What the engine gives cells that are supplied with something, by kind of request.

Owns the columns of a job that suppliers work from (`run/cell/supply.py`): for random streams
the entropy of each cell. Promises that it depends on run seed, task name and arguments
alone; an argument that has no identity counts as the cell that made it, by name and
labels, which are the same in another run (contract K21).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from flowcore.declare.injected import is_asked_for, kind_of
from flowcore.declare.task import Task
from flowcore.plan.code import Fingerprint
from flowcore.plan.entropy import NodeEntropy
from flowcore.plan.graph import Graph, Planned
from flowcore.plan.records import combine, component_of_form
from flowcore.plan.streams import RNG
from flowcore.run.job import Component, Record
from flowcore.run.ready.inputs import Feeder, LabelRecord
from flowcore.run.ready.parameters import component_columns
from flowcore.run.ready.recipe import Recipe
from flowcore.run.ready.values import Values

Columns = Callable[[Sequence[int], Values], list[list[Component]]]
"""From cells to the identities of their own arguments, a column a parameter."""


class Source(Protocol):
    """Gives one kind's column of a job."""

    def column(self, numbers: Sequence[int], keys: Sequence[bytes], values: Values) -> list[bytes]:
        """Give the bytes for each of these cells, whose keys are given (empty: not keyed)."""
        ...


def asked(task: Task[..., object]) -> tuple[tuple[str, str, dict[str, object]], ...]:
    """Give what the cells of a task are supplied with, in the form that crosses borders."""
    found: list[tuple[str, str, dict[str, object]]] = []
    for request in task.injected:
        kind = kind_of(request.asked)
        place = sum(1 for _, other, _ in found if other == kind)
        found.append((request.parameter, kind, {**request.asked.__options__(), "place": place}))
    return tuple(found)


class Seeded(Protocol):
    """A run, as far as its streams depend on it."""

    @property
    def seed(self) -> int:
        """What the user gave."""
        ...

    @property
    def named(self) -> Callable[[int, int], Component]:
        """Give the identity of a cell, by its node's name and its labels."""
        ...


class StreamSource:
    """The entropy of a node's cells.

    Parameters
    ----------
    entropy : NodeEntropy
    columns : callable
        Gives the identities of what differs from cell to cell.
    named : callable
        Gives the identity of a cell, by name and labels.
    """

    def __init__(self, entropy: NodeEntropy, columns: Columns, named: Callable[[int, int], Component]) -> None:
        self._entropy = entropy
        self._columns = columns
        self._named = named

    def column(self, numbers: Sequence[int], keys: Sequence[bytes], values: Values) -> list[bytes]:  # noqa: ARG002
        """See Source."""
        seen = _Named(values, self._named) if values.nameless else values
        return self._entropy.of(self._columns(numbers, seen), len(numbers))


class _Named(Values):
    """The values of a run, with a cell's name in place of an identity that a value does not have."""

    def __init__(self, values: Values, named: Callable[[int, int], Component]) -> None:
        super().__init__()
        self._of = values
        self._named = named

    def components(self, node: int, numbers: Sequence[int]) -> list[Component]:
        found, nameless = self._of.components(node, numbers), self._of.nameless
        return [self._named(node, n) if (node, n) in nameless else c for n, c in zip(numbers, found, strict=True)]

    def elements(self, node: int, number: int) -> list[tuple[bool, Record, Component]]:
        elements = self._of.elements(node, number)
        if (node, number) not in self._of.nameless:
            return elements
        whole = self._named(node, number)
        return [(own, r, combine("element", [whole, str(i).encode()])) for i, (own, r, _) in enumerate(elements)]

    def has(self, node: int, number: int) -> bool:
        return self._of.has(node, number)


def cell_namer(graph: Graph, label: LabelRecord) -> Callable[[int, int], Component]:
    """Give what makes the identity of a cell from its node's name and its labels."""

    def named(node: int, number: int) -> Component:
        drawn = graph[node].node
        over = tuple(axis.name for axis in drawn.axes)
        labels = component_of_form(label(node, over, number)) if over else b"whole"
        return combine("cell", [component_of_form(drawn.name.encode("utf-8", "surrogatepass")), labels])

    return named


def stream_sources(
    planned: Planned, recipe: Recipe, seeded: Seeded, varying: Mapping[str, Component], feeders: Sequence[Feeder]
) -> dict[str, Source]:
    """Give what the streams of a node's cells come from; nothing where their code asks for none.

    Code that was not looked at, since its results are not kept, may call a task that asks.
    """
    if planned.node.task is None or not (recipe.draws or (recipe.code is None and is_asked_for(RNG))):
        return {}
    return {RNG: stream_source(planned, recipe, seeded, varying, feeders)}


def stream_source(
    planned: Planned, recipe: Recipe, seeded: Seeded, varying: Mapping[str, Component], feeders: Sequence[Feeder]
) -> StreamSource:
    """Give what the streams of a node's cells come from."""
    task, left_out = planned.node.task, planned.node.options.extend
    assert task is not None, "only tasks draw"
    counted = [parameter for parameter in recipe.own if parameter.name != left_out]
    entropy = NodeEntropy(
        seed=seeded.seed, task=task.name, own=[parameter.name for parameter in counted],
        constants={name: c for name, c in {**recipe.constants, **varying}.items() if name != left_out},
    )  # fmt: skip
    return StreamSource(entropy, partial(component_columns, counted, feeders), seeded.named)


def draws(planned: Planned, code: Fingerprint | None) -> bool:
    """Tell whether the cells of a node are known to have random streams."""
    task = planned.node.task
    own = task is not None and any(kind_of(request.asked) == RNG for request in task.injected)
    return own or (code is not None and RNG in code.asks)
