"""Nodes of a run, made of a flow that one of its cells has returned (contract K30).

The engine's side of `run/growing/grown.py`: what `run/growing/nursery.py` took apart becomes nodes and
works like those of the run's own flow, with numbers and names of this run. Nothing of
whoever drew is called, imported or unpickled here: functions stay names or closed bytes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from flowcore.declare import fit
from flowcore.declare.checkpoint import CHECKPOINT
from flowcore.declare.far import DrawnBy, FarTask
from flowcore.declare.node import Along, Argument, Axis, Element, Gathered, Literal, Node, NodeKind, Plain, Tree
from flowcore.declare.options import TaskOptions
from flowcore.plan.code import Fingerprint
from flowcore.plan.encode import BadRecord, decode
from flowcore.plan.graph import Planned, Ready, ordered
from flowcore.plan.keys import SharedKeys
from flowcore.plan.streams import RNG
from flowcore.plan.tracking import watch
from flowcore.run.books import Growing
from flowcore.run.growing.grown import DrawnAxis, DrawnFlow, DrawnNode, DrawnRecipe, Form
from flowcore.run.job import Keep, TaskSpec, loads
from flowcore.run.ready.claims import claim_source
from flowcore.run.ready.inputs import Feeder, FromAxis, FromCall, feeder
from flowcore.run.ready.parameters import Own
from flowcore.run.ready.preparing import new_task
from flowcore.run.ready.recipe import Recipe
from flowcore.run.ready.requests import Source, stream_source
from flowcore.run.ready.userclasses import current_classes
from flowcore.run.ready.work import Work
from flowcore.run.ready.written import Surround

_PLAIN = TaskOptions(cache=False)  # of nodes that call no task


class Planting:
    """Flows that cells of one run have returned, as they become nodes. The engine's thread.

    Parameters
    ----------
    surround : Surround
        The run's.
    """

    def __init__(self, surround: Surround) -> None:
        self._surround = surround
        self._recipes: dict[bytes, Recipe] = {}

    def nodes(self, flow: DrawnFlow, drawn: Sequence[DrawnNode], growing: Growing) -> list[Planned]:
        """Give the nodes of a flow, `drawn`, as nodes of the run.

        Raises
        ------
        BadRecord, ValueError, LookupError, TypeError
            If it is no flow that `Nursery` has packed.
        """
        axes = [DrawnAxis.unpack(packed) for packed in flow.axes]
        first, prefix, group = growing.first, growing.prefix, growing.group
        owner = DrawnBy(prefix, growing.work.planned.node)
        made: list[Node] = []
        known: list[Axis | None] = [None] * len(axes)
        for number, one in enumerate(drawn):
            for place in one.axes:
                if known[place] is None:
                    known[place] = self._axis(axes[place], made)
            along = tuple(cast(Axis, known[place]) for place in one.axes)
            recipe = self.recipe(flow.recipes[one.recipe]) if one.recipe >= 0 else None
            options = recipe.options if recipe is not None else _PLAIN
            made.append(Node(
                number=first + number, name=f"{prefix}/{one.name}", kind=cast(NodeKind, one.kind),
                task=_far(one.task, options), options=options, positional=one.positional, axes=along,
                arguments={name: _argument(form, made, known) for name, form in one.forms},
                after=(), group=(*group, *one.group), site=one.site, returns=fit.EMPTY, owner=owner,
            ))  # fmt: skip
        for node, one in zip(made, drawn, strict=True):
            node.after = tuple(made[before] for before in one.after)
        return ordered(made)

    def work(self, flow: DrawnFlow, one: DrawnNode, planned: Planned, live: Callable[..., object] | None) -> Work:
        """Give a node made ready; what feeds it, and it itself, is part of the run's schedule."""
        if one.recipe < 0:
            task = TaskSpec(id=new_task(), name=planned.name)
            recipe = Recipe(owner=None, options=_PLAIN, shared=False, lane="engine", task=task, keep=Keep.PASS_ON)
        else:
            recipe = self.recipe(flow.recipes[one.recipe])
            if live is not None and not self._surround.leaves_process(recipe.lane):
                recipe = replace(recipe, shared=False, task=replace(recipe.task, id=new_task(), live=live))
        feeders = self._feeders(one, planned)
        keys = None
        if recipe.keys is not None:
            varying = {f"argument {name}": component for name, component in one.varying.items()}
            keys = recipe.keys.node([varying[name] for name in recipe.keys.varying])
        return Work(
            planned=planned, recipe=recipe, keys=keys, feeders=feeders, classes=tuple(one.classes),
            met=tuple(current_classes([(name, identity) for name, identity in one.met])),
            supplies=self._supplies(one, planned, recipe, feeders), sketches=one.sketches, held=tuple(one.held),
            told=one.varying,
        )  # fmt: skip

    def recipe(self, packed: bytes) -> Recipe:
        """Give a recipe; the same for the same bytes."""
        known = self._recipes.get(packed)
        if known is None:
            known = self._recipes[packed] = self._unpacked(DrawnRecipe.unpack(loads(packed)))
        return known

    def _unpacked(self, drawn: DrawnRecipe) -> Recipe:
        run, task = self._surround, TaskSpec.unpack(drawn.task)
        options = decode(drawn.options, fetch=run.codec.fetch)
        if not isinstance(options, TaskOptions):
            raise BadRecord("not the options of a task")
        common = drawn.common
        if common is not None and "seed" in common:  # who drew does not know it
            common = common | {"seed": str(run.seed).encode()}
        told = {"resume": run.resume}
        injected = tuple((p, kind, o | told if kind == CHECKPOINT else o) for p, kind, o in task.injected)
        code = Fingerprint(digest=common["code"], unfollowed=tuple(drawn.unfollowed)) if common is not None else None
        return Recipe(
            owner=None, options=options, shared=drawn.shared, keep=Keep(drawn.keep), code=code, common=drawn.claimed,
            lane="thread" if task.mode in ("item", "expand") else run.lane(drawn.runner),
            task=replace(task, id=new_task(), depth=run.depth, injected=injected), constants=drawn.constants,
            keys=SharedKeys(common=common, varying=drawn.varying, own=[name for name, _, _ in drawn.own])
            if common is not None else None,
            own=[Own(name, slots, skeleton) for name, slots, skeleton in drawn.own], draws=drawn.draws,
            watch=watch(drawn.tracked, drawn.known) if drawn.tracked else None,
        )  # fmt: skip

    def _axis(self, axis: DrawnAxis, made: Sequence[Node]) -> Axis:
        if axis.labels is None:
            return Axis(axis.name, None, made[axis.source])
        return Axis(axis.name, tuple(cast("list[object]", decode(axis.labels, fetch=self._surround.codec.fetch))))

    def _feeders(self, one: DrawnNode, planned: Planned) -> list[Feeder]:
        along = {slot: list(zip(records, components, strict=True)) for slot, records, components in one.along}
        space = self._surround.spaces(planned.number)
        found: list[Feeder] = [
            FromAxis(space, form.axis.name, along[slot]) if isinstance(form, Along)
            else feeder(form, space, self._surround) for slot, form in enumerate(planned.slots)
        ]  # fmt: skip
        return [*found, *itertools.starmap(FromCall, one.small)]

    def _supplies(
        self, one: DrawnNode, planned: Planned, recipe: Recipe, feeders: Sequence[Feeder]
    ) -> dict[str, Source]:
        supplies: dict[str, Source] = {}
        if RNG in one.supplied:
            supplies[RNG] = stream_source(planned, recipe, self._surround, one.varying, feeders)
        if CHECKPOINT in one.supplied:
            own = {f"argument {name}": component for name, component in one.varying.items()}
            supplies[CHECKPOINT] = claim_source(
                planned, recipe.common | own if recipe.common is not None else None, recipe.own, feeders,
                keyed=recipe.keys is not None, name=self._surround.cell,
            )  # fmt: skip
        return supplies


def _far(task: Sequence[Any] | None, options: TaskOptions) -> FarTask | None:
    if task is None:
        return None
    module, qualname, name, is_async = task
    return FarTask(module=module, qualname=qualname, name=name, declared=options, is_async=is_async)


def _argument(form: Form, nodes: Sequence[Node], axes: Sequence[Axis | None]) -> Argument:
    match form:
        case ["literal", record]:
            return Literal(None if record is None else Ready(record))
        case ["plain", number]:
            return Plain(nodes[number])
        case ["along", place, labelled]:
            axis = cast(Axis, axes[place])
            return Along(axis, axis.labels if labelled and axis.labels else (None,) * len(axis.labels or ()))
        case ["element", place]:
            return Element(cast(Axis, axes[place]))
        case ["gathered", number, over, labels, missing]:
            return Gathered(nodes[number], tuple(over), labels, missing)
        case ["tree", kind, items]:
            return Tree(kind, tuple(
                (None if key is None else Ready(key), _argument(item, nodes, axes)) for key, item in items
            ))  # fmt: skip
    raise ValueError(f"not an argument: {str(form)[:80]}")
