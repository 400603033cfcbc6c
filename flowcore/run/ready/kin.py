"""Nodes that are like an earlier one but for short plain constants and the single cells that feed them.

Owns the short way of making such a node ready: nothing of it has to be looked at but those
constants, so it costs their encoding and one digest. Promises the very same node as
`preparing.py` makes; whatever is unusual goes that way.
"""

from __future__ import annotations

from collections.abc import Hashable

from flowcore.dataclass import dataclass
from flowcore.declare.options import TaskOptions
from flowcore.plan.encode import encode_plain
from flowcore.plan.graph import Constant, Planned
from flowcore.run.ready.inputs import Feeder, FromCall, FromOne
from flowcore.run.ready.recipe import Recipe
from flowcore.run.ready.work import Work

_SHORT = 32  # bytes; a record that tells itself by its identity
_MET = 4096  # constants of a kind that are remembered


@dataclass(frozen=True, slots=True)
class _Known:
    """A recipe, and what its name was made of: no other object may have these addresses meanwhile."""

    recipe: Recipe
    function: object
    options: TaskOptions
    varying: tuple[int, ...]  # places, among the constants, of those that enter the key


class Kin:
    """The recipes of nodes that can be made ready the short way. The engine's thread."""

    def __init__(self) -> None:
        self._known: dict[Hashable, _Known] = {}
        self._feeders: dict[int, Feeder] = {}
        self._met: dict[type, dict[object, FromCall]] = {int: {}, str: {}}  # of other kinds what is equal may differ

    def find(self, planned: Planned) -> Work | None:
        """Make a node ready as an earlier one was; None: there is none like it."""
        name = _named(planned)
        known = self._known.get(name) if name is not None else None
        if known is None:
            return None
        constants = self._constants(planned)
        if constants is None:
            return None
        recipe, feeders = known.recipe, [self._feeder(slot.node.number) for slot in planned.slots]  # type: ignore[union-attr]
        feeders += constants
        keys = None
        if recipe.keys is not None:
            keys = recipe.keys.node([constants[place].component for place in known.varying])
        return Work(planned=planned, recipe=recipe, keys=keys, feeders=feeders)

    def learn(self, planned: Planned, work: Work) -> None:
        """Take notice of a node that was made ready the long way."""
        recipe = work.recipe
        if not recipe.shared or recipe.draws or work.supplies or work.sketches or work.held or work.classes:
            return
        if recipe.code is not None and recipe.code.draws:
            return
        name = _named(planned)
        constants = self._constants(planned) if name is not None else None
        if name is None or constants is None or len(constants) != len(work.feeders) - len(planned.slots):
            return
        written = [n for n, shape in planned.arguments.items() if type(shape) is Constant]
        varying = tuple(place for place, n in enumerate(written) if n in work.varying)
        assert planned.node.task is not None, "others have no name"
        self._known[name] = _Known(recipe, planned.node.task.function, planned.node.options, varying)

    def _constants(self, planned: Planned) -> list[FromCall] | None:
        """Give the constants of a call; None if one of them is not short and plain."""
        found: list[FromCall] = []
        for shape in planned.arguments.values():
            if type(shape) is Constant:
                constant = self._constant(shape.value)
                if constant is None:
                    return None
                found.append(constant)
        return found

    def _constant(self, value: object) -> FromCall | None:
        kind = type(value)
        met = self._met.get(kind)
        if met is None:
            return _encoded(value)
        found = met.get(value)
        if found is None:
            found = _encoded(value)
            if found is not None and len(met) < _MET:
                met[value] = found
        return found

    def _feeder(self, node: int) -> Feeder:
        """Give the feeder from a node of one cell: one for all that it feeds."""
        found = self._feeders.get(node)
        if found is None:
            found = self._feeders[node] = FromOne(node)
        return found


def _encoded(value: object) -> FromCall | None:
    encoded = encode_plain(value)
    if encoded is None or len(encoded.record) > _SHORT:
        return None
    return FromCall(encoded.record, encoded.component)


def _named(planned: Planned) -> Hashable:
    """Give what nodes that are alike have in common but for their constants; None if it is unusual."""
    node = planned.node
    if node.task is None or not planned.call:
        return None
    return id(node.task.function), node.task.name, id(node.options), node.positional, planned.call
