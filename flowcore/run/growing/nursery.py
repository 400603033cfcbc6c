"""A flow that a task has returned, made ready to leave the process that drew it (contract K30).

Runs where cells run. Here, and nowhere on the way, is what the user drew looked at:
functions are packed and identified, arguments encoded, as the engine does for the nodes
of its own flow (`run/ready/work.py`). An array among the arguments that the store has already,
such as the result of an earlier step, is referred to and not written again.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from flowcore.declare import fit
from flowcore.declare.axes import Gather
from flowcore.declare.call import Call
from flowcore.declare.node import (
    Along,
    Argument,
    Axis,
    Element,
    Gathered,
    Literal,
    Node,
    Plain,
    Tree,
    label_of,
    node_of,
)
from flowcore.declare.sapling import Sapling
from flowcore.declare.task import Task
from flowcore.doubts import NotReproducible
from flowcore.errors import FlowcoreError, NotKeyable, NotPicklable
from flowcore.plan.cells import Space
from flowcore.plan.code import class_identity
from flowcore.plan.encode import Encoded, NoEncoding, encode, references
from flowcore.plan.extension import KEPT, array_digest
from flowcore.plan.graph import Planned, lower, sinks
from flowcore.plan.stations import Stations
from flowcore.run.growing.grown import DrawnAxis, DrawnFlow, DrawnNode, DrawnRecipe, Form, Grown
from flowcore.run.job import dumps
from flowcore.run.ready.inputs import Feeder, FromAxis, FromCall
from flowcore.run.ready.preparing import prepare
from flowcore.run.ready.recipe import Recipe
from flowcore.run.ready.work import Work
from flowcore.run.ready.written import Encoder, Packed, Surround
from flowcore.store.codecs import ArrayHome, Codec

RESULT = "(result)"  # name of the hidden node that gives a flow's result


class Nursery:
    """Makes flows ready to leave; remembers tasks that it has looked at.

    May be used by several threads: what is made twice is equal.

    Parameters
    ----------
    codec : Codec
        Of the place that runs cells.
    here : bool
        Whether the engine is in this process, so that functions need not travel to it.
    """

    def __init__(self, codec: Codec, *, here: bool) -> None:
        self._codec = _Referring(codec)
        self._here = here
        self._functions: dict[int, tuple[object, Packed]] = {}
        self._defaults: dict[int, tuple[object, dict[str, object]]] = {}
        self._recipes: dict[tuple[int, str, bytes], list[Recipe]] = {}
        self._packed: dict[int, tuple[Recipe, bytes]] = {}

    def grown(self, flow: Sapling, *, attempt: int, seconds: float, began: float, changed: str) -> Grown:
        """Give what an attempt that returned `flow` posts.

        Raises
        ------
        GraphError
            If the flow is drawn wrongly.
        NotPicklable, NotKeyable
            As for the nodes of any flow.
        """
        nodes = [*flow.nodes]
        nodes.append(_result_node(flow, nodes))
        leaving = _Leaving(nodes, self._surround, self.recipe)
        packed = [leaving.node(node) for node in nodes]
        whole = DrawnFlow(
            name=flow.name, axes=leaving.axes(), recipes=list(leaving.recipes), nodes=packed, doubts=leaving.doubts
        )
        live = tuple(n.task.function if n.task is not None else None for n in nodes) if self._here else ()
        return Grown(attempt=attempt, flow=whole.pack(), seconds=seconds, began=began, changed=changed, live=live)

    def recipe(self, recipe: Recipe) -> bytes:
        """Pack a recipe; once."""
        known = self._packed.get(id(recipe))
        if known is None:
            known = self._packed[id(recipe)] = (recipe, dumps(_recipe(recipe, self._codec).pack()))
        return known[1]

    def _surround(self, spaces: Callable[[int], Space], tell: Callable[[Any, str], None]) -> Surround:
        return Surround(
            codec=self._codec, spaces=spaces, label=_nothing, run_id="", named=_nothing, cell=_nothing,
            leaves_process=lambda runner: not (self._here and runner in ("thread", "async", "inline")),
            tell=tell, packed=self._functions, defaults=self._defaults, recipes=self._recipes,
        )  # fmt: skip


class _Leaving:
    """The nodes of one flow, as they become plain lists."""

    def __init__(
        self, nodes: Sequence[Node],
        surround: Callable[[Callable[[int], Space], Callable[[Any, str], None]], Surround],
        recipe: Callable[[Recipe], bytes],
    ) -> None:  # fmt: skip
        self.doubts: list[Any] = []
        self.recipes: dict[bytes, int] = {}
        self._stations = Stations()
        self._surround = surround(lambda number: self._stations[number].space, self._doubt)
        self._recipe = recipe
        self._axes: dict[Axis, int] = {}
        for node in nodes:
            for axis in node.axes:
                self._axes.setdefault(axis, len(self._axes))

    def axes(self) -> list[Any]:
        """Give the axes of the nodes, packed."""
        return [self._axis(axis).pack() for axis in self._axes]

    def node(self, node: Node) -> list[object]:
        """Pack a node; those that feed it come before."""
        planned = lower(node)
        self._stations.add(node.number, planned.spans, (), priority=0, lane="")
        called = node.kind not in ("choose", "result")
        work = self._prepared(planned) if called else None
        encoder = Encoder(planned, self._surround)
        forms = [[name, self._form(form, None if called else encoder, name)] for name, form in node.arguments.items()]
        return DrawnNode(
            name=node.name, kind=node.kind, group=list(node.group), site=node.site, forms=forms,
            axes=[self._axes[axis] for axis in node.axes], after=[before.number for before in node.after],
            positional=node.positional, task=_named(node.task) if node.task is not None else None,
            recipe=self._place(work.recipe) if work is not None else -1,
            varying=dict(work.varying) if work is not None else {},
            along=[[i, *feed.encoded()] for i, feed in _feeders(work) if isinstance(feed, FromAxis)],
            small=[feed.encoded() for _, feed in _feeders(work) if isinstance(feed, FromCall)],
            classes=list(work.classes if work is not None else encoder.classes),
            met=[] if called else [[name, identity] for name, identity in encoder.classes.items()],
            held=list(work.held if work is not None else encoder.held),
            sketches=dict(work.sketches) if work is not None else {},
            supplied=list(work.supplies) if work is not None else [],
        ).pack()  # fmt: skip

    def _place(self, recipe: Recipe) -> int:
        return self.recipes.setdefault(self._recipe(recipe), len(self.recipes))

    def _prepared(self, planned: Planned) -> Work:
        try:
            return prepare(planned, self._surround)
        except NotPicklable as error:
            error.node, error.at = planned.name, planned.node.site
            raise
        except NoEncoding as refused:
            raise NotPicklable(node=planned.name, path=refused.path, kind=refused.kind, at=planned.node.site) from None

    def _form(self, form: Argument, encoder: Encoder | None, path: str) -> Form:
        """Pack an argument; its constants only where an encoder is given."""
        match form:
            case Literal(value):
                return ["literal", encoder.value(value, path)[0] if encoder is not None else None]
            case Plain(node):
                return ["plain", node.number]
            case Along(axis, values):
                return ["along", self._axes[axis], _are(values, axis.labels)]
            case Element(axis):
                return ["element", self._axes[axis]]
            case Gathered(node, over, labels, missing):
                return ["gathered", node.number, list(over), labels, missing]
            case Tree(kind, items):
                return ["tree", kind, [
                    [encoder.value(key, path)[0] if encoder is not None and kind == "dict" else None,
                     self._form(item, encoder, path)] for key, item in items
                ]]  # fmt: skip

    def _axis(self, axis: Axis) -> DrawnAxis:
        labels = axis.labels
        record = None if labels is None else self._surround.codec.encode(list(labels), keep=False).record
        return DrawnAxis(name=axis.name, labels=record, source=axis.source.number if axis.source is not None else -1)

    def _doubt(self, doubt: NotKeyable | NotReproducible, site: str) -> None:
        facts = {field.name: getattr(doubt, field.name) for field in dataclasses.fields(doubt)}
        self.doubts.append([type(doubt).__name__, facts, site])


class _Referring(Codec):
    """A codec for arguments that names the store's own arrays where they are the same."""

    def __init__(self, codec: Codec) -> None:
        super().__init__(kept=codec.kept, passed=codec.passed, files=codec.files, pickles=codec.pickles)

    def argument(self, value: object, *, name: str) -> Encoded:
        """See Codec."""
        try:
            hashed = encode(value, put=array_digest, place=KEPT, class_identity=class_identity, look=self.files.look)
        except NoEncoding:
            return super().argument(value, name=name)
        named = references(hashed.record)
        if not named or (self.kept is not None and all(p == KEPT and _has(self.kept, d, s) for d, s, p in named)):
            return hashed
        return super().argument(value, name=name)


def _has(home: ArrayHome, digest: bytes, size: int) -> bool:
    has: Callable[[bytes, int], bool] | None = getattr(home, "has", None)
    return has is not None and has(digest, size)


def _result_node(flow: Sapling, nodes: Sequence[Node]) -> Node:
    """Give a node whose one cell has the value of the flow's result, after all that the flow does besides."""
    call = Call(flow.drawing, RESULT, "", None)
    form = call.argument("result", _whole(flow.result))
    result = Node(
        number=len(nodes), name=RESULT, kind="result", task=None, arguments={"result": form}, positional=1, axes=(),
        group=(), site=nodes[-1].site if nodes else "", returns=fit.EMPTY, owner=flow.drawing,
    )  # fmt: skip
    result.after = tuple(node for node in sinks([*nodes, result]) if node is not result)
    return result


def _whole(value: object) -> object:
    """Give a result with grids as the lists of their values, as `fc.gather` collects them."""
    node = node_of(value)
    if node is not None:
        return Gather(node, tuple(axis.name for axis in node.axes), False, "need", "") if node.axes else value
    if type(value) in (list, tuple):
        return type(value)(_whole(part) for part in value)  # type: ignore[attr-defined, call-arg]
    if type(value) is dict:
        return {key: _whole(part) for key, part in value.items()}
    return value


def _are(values: Sequence[object], labels: Sequence[object] | None) -> bool:
    """Tell whether values along an axis are its labels; arrays, which say no truth of their equality, never are."""
    return all(label_of(value) is not None for value in values) and values == labels


def _named(task: Task[..., Any]) -> list[object]:
    function: Any = task.function
    qualname = getattr(function, "__qualname__", type(function).__name__)
    return [str(getattr(function, "__module__", "")), str(qualname), task.name, task.is_async]


def _feeders(work: Work | None) -> list[tuple[int, Feeder]]:
    return list(enumerate(work.feeders)) if work is not None else []


def _recipe(recipe: Recipe, codec: Codec) -> DrawnRecipe:
    """Take out of a recipe what can be known of it in this process alone."""
    keys, options = recipe.keys, recipe.options
    tracked = [str(one) for one in options.tracks if isinstance(one, str | pathlib.PurePath)]
    return DrawnRecipe(
        task=recipe.task.pack(), options=codec.encode(dataclasses.replace(options, tracks=()), keep=False).record,
        runner=recipe.lane, shared=recipe.shared, keep=int(recipe.keep),
        own=[[own.name, own.slots, own.skeleton] for own in recipe.own], constants=dict(recipe.constants),
        claimed=recipe.common, common=keys.common if keys is not None else None,
        varying=list(keys.varying) if keys is not None else [], draws=recipe.draws,
        unfollowed=list(recipe.code.unfollowed) if recipe.code is not None else [],
        tracked=tracked, known=[name for name, _ in recipe.code.parts] if tracked and recipe.code is not None else [],
    )  # fmt: skip


def _nothing(*_: object) -> Any:
    """Stand for what only a run knows; nothing that is looked at here asks for it."""
    raise FlowcoreError("asked of a flow that is not part of a run")
