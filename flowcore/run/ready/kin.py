"""Nodes that are like an earlier one but for short plain constants and the single cells that feed them.

Owns the short way of making such a node ready: nothing of it has to be looked at but those
constants, so it costs their encoding and one digest. Promises the very same node as
`preparing.py` makes; whatever is unusual goes that way.
"""

from __future__ import annotations

from collections.abc import Hashable

from flowcore.dataclass import dataclass
from flowcore.declare.node import Plain
from flowcore.declare.options import TaskOptions
from flowcore.plan.encode import Encoded, encode_plain
from flowcore.plan.graph import Constant, Container, Place, Planned, Shape
from flowcore.run.job import Component
from flowcore.run.ready.inputs import Feeder, FromCall, FromOne
from flowcore.run.ready.recipe import Recipe
from flowcore.run.ready.work import Work

_SHORT = 32  # bytes; a record that tells itself by its identity


@dataclass(frozen=True, slots=True)
class _Known:
    """A recipe, and what its name was made of: no other object may have these addresses meanwhile."""

    recipe: Recipe
    function: object
    options: TaskOptions
    varying: tuple[int, ...]  # places, among the constants, of those that enter the key
    names: tuple[str, ...]  # and their parameters


class Kin:
    """The recipes of nodes that can be made ready the short way. The engine's thread."""

    def __init__(self) -> None:
        self._known: dict[Hashable, _Known] = {}

    def find(self, planned: Planned) -> Work | None:
        """Make a node ready as an earlier one was; None: there is none like it."""
        name, constants = _named(planned)
        known = self._known.get(name) if name is not None else None
        if known is None:
            return None
        recipe, feeders = known.recipe, list[Feeder]()
        for form in planned.slots:
            if type(form) is not Plain or form.node.axes:
                return None
            feeders.append(FromOne(form.node.number))
        feeders.extend(FromCall(encoded.record, encoded.component) for encoded in constants)
        own: dict[str, Component] = {}
        keys = None
        if recipe.keys is not None:
            found = [constants[place].component for place in known.varying]
            keys = recipe.keys.node(found)
            own = dict(zip(known.names, found, strict=True))
        return Work(planned=planned, recipe=recipe, keys=keys, feeders=feeders, varying=own)

    def learn(self, planned: Planned, work: Work) -> None:
        """Take notice of a node that was made ready the long way."""
        recipe = work.recipe
        if not recipe.shared or recipe.draws or work.supplies or work.sketches or work.held or work.classes:
            return
        if recipe.code is not None and recipe.code.draws:
            return
        name, constants = _named(planned)
        if name is None or planned.node.task is None or len(constants) != len(work.feeders) - len(planned.slots):
            return
        written = [n for n, shape in planned.arguments.items() if type(shape) is Constant]
        varying = tuple(place for place, n in enumerate(written) if n in work.varying)
        names = tuple(written[place] for place in varying)
        self._known[name] = _Known(recipe, planned.node.task.function, planned.node.options, varying, names)


def _named(planned: Planned) -> tuple[Hashable, list[Encoded]]:
    """Give what nodes that are alike have in common, and the constants of this one; None if it is unusual."""
    node = planned.node
    if node.task is None or planned.spans:
        return None, []
    shapes: list[Hashable] = []
    constants: list[Encoded] = []
    for name, shape in planned.arguments.items():
        if type(shape) is Constant:
            encoded = encode_plain(shape.value)
            if encoded is None or len(encoded.record) > _SHORT:
                return None, []
            constants.append(encoded)
            shapes.append(name)
        else:
            form = _form(shape)
            if form is None:
                return None, []
            shapes.append((name, form))
    return (id(node.task.function), node.task.name, id(node.options), node.positional, tuple(shapes)), constants


def _form(shape: Shape) -> Hashable:
    """Give the form of an argument that is made of values of other nodes and nothing else; None if it is not."""
    if type(shape) is Place:
        return shape.slot
    if type(shape) is Container and shape.kind != "dict":
        inner = [_form(item) for _, item in shape.items]
        return (shape.kind, *inner) if None not in inner else None
    return None
