"""Nodes, the forms their arguments take, and the references that stand for their values.

A node is written once, by the drawing that owns it; only its `after` and `options` are
completed later, by the same drawing. An argument is one of six forms; what the forms
mean for cells is computed by `plan/`, from axes alone.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Any, Protocol, TypeAlias, cast

from flowcore.dataclass import dataclass
from flowcore.declare.files import File
from flowcore.declare.options import TaskOptions
from flowcore.declare.placeholder import Placeholder, no_value
from flowcore.declare.task import Task, runner_of
from flowcore.declare.unpack import unpacked, wrong_count
from flowcore.errors import shorten

_NO_OPTIONS = TaskOptions(cache=False)  # of nodes that call no task

NodeKind: TypeAlias = typing.Literal["compute", "io", "item", "expand", "choose", "result"]
HIDDEN = frozenset({"expand", "result"})  # kinds of nodes that nobody has drawn by name


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """A named dimension of a grid; in one flow, equal axes are one object.

    Attributes
    ----------
    name : str
        What the axis is called; axes meet by name.
    labels : tuple or None
        One a place along the axis; None if known only in the run.
    source : Node or None
        The node, of kind ``"expand"``, whose value's elements the axis runs over.
    """

    name: str
    labels: tuple[object, ...] | None
    source: Node | None = None

    def __repr__(self) -> str:
        length = "known in the run" if self.labels is None else str(len(self.labels))
        return f"<axis {self.name!r}: {length}>"


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as written, without references in it."""

    value: object


@dataclass(frozen=True, slots=True)
class Plain:
    """The value of a node, cell by cell along the axes it shares with the consumer."""

    node: Node


@dataclass(frozen=True, slots=True)
class Along:
    """One value a place along a static axis."""

    axis: Axis
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Element:
    """The element at a place along a dynamic axis."""

    axis: Axis


@dataclass(frozen=True, slots=True)
class Gathered:
    """The values of a node along some of its axes, collected into one list or dict."""

    node: Node
    over: tuple[str, ...]  # in the order of the node's axes
    labels: bool = False
    missing: typing.Literal["need", "drop", "drop-failed"] = "need"


@dataclass(frozen=True, slots=True)
class Tree:
    """A container as written, with references somewhere in it."""

    kind: typing.Literal["list", "tuple", "dict"]
    items: tuple[tuple[object, Argument], ...]  # the key is None but in a dict


Argument: TypeAlias = Literal | Plain | Along | Element | Gathered | Tree


class Owner(Protocol):
    """The drawing a node belongs to, as far as its references need to know it."""

    name: str

    def item(self, node: Node, key: object) -> Ref:
        """Give the reference of a part of a node's value."""
        ...


@dataclass(slots=True, eq=False, kw_only=True)
class Node:
    """One use of a task in a flow, with its arguments.

    Attributes
    ----------
    number : int
        Its place among the flow's nodes, in order of drawing.
    name : str
        Unique in the flow.
    kind : {"compute", "io", "item", "expand", "choose", "result"}
        ``item`` is a part of another node's value, ``choose`` one of two branches;
        ``expand`` is the hidden source of a dynamic axis, ``result`` what a flow gives
        that a task has returned.
    task : Task or None
        What its cells call; None for the last four kinds.
    options : TaskOptions
        As they hold for this node, the flow's defaults included.
    arguments : dict of str to argument
        In the order of the call.
    positional : int
        How many of the arguments, from the first, were given by position.
    axes : tuple of Axis
        The grid's dimensions; empty for a node of one cell.
    after : tuple of Node
        What must be done before, without giving a value.
    group : tuple of str
        The flows it was drawn in, inside this one, outermost first.
    site : str
        ``file:line`` of the call.
    key : object
        What an item node takes out of its source.
    returns : object
        The annotation of one cell's value, or ``inspect.Parameter.empty``.
    owner : Owner
        The drawing it belongs to.
    """

    number: int
    name: str
    kind: NodeKind
    task: Task[..., Any] | None
    options: TaskOptions = _NO_OPTIONS
    arguments: dict[str, Argument]
    positional: int
    axes: tuple[Axis, ...]
    after: tuple[Node, ...] = ()
    group: tuple[str, ...]
    site: str
    key: object = None
    returns: object
    owner: Owner

    @property
    def runner(self) -> str:
        """What carries out its cells: ``process``, ``thread``, ``async``, ``inline`` or a plugin's name."""
        return runner_of(self.options, is_async=self.task.is_async) if self.task is not None else "inline"

    def sources(self) -> Iterator[tuple[str, Node]]:
        """Yield (parameter, node) of each edge that ends here, in order; not those of `after`."""
        for parameter, argument in self.arguments.items():
            if type(argument) is Literal:
                continue  # most are, and have no leaves to look at
            if type(argument) is Plain:
                yield parameter, argument.node
                continue
            for leaf in leaves(argument):
                if type(leaf) is Plain or isinstance(leaf, Gathered):
                    yield parameter, leaf.node
                elif isinstance(leaf, Element) and leaf.axis.source is not None:
                    yield parameter, leaf.axis.source

    def __repr__(self) -> str:
        axes = f" ({', '.join(axis.name for axis in self.axes)})" if self.axes else ""
        return f"<{self.kind} node {self.name!r}{axes}>"


def leaves(argument: Argument) -> Iterator[Argument]:
    """Yield the forms that are no trees, in order, however deep."""
    waiting = [argument]
    while waiting:
        form = waiting.pop()
        if isinstance(form, Tree):
            waiting += [item for _, item in reversed(form.items)]
        else:
            yield form


class Ref(Placeholder):
    """Stands for the value of a node while its flow is drawn.

    It may be passed to tasks, put into lists, tuples and dicts, iterated by
    ``fc.each`` and collected by ``fc.gather``; ``ref[0]`` and ``ref["key"]`` are
    references to a part, and ``a, b = ref`` works where the task's return annotation
    is a tuple of fixed length. Every other use raises
    :class:`~flowcore.errors.NoValueYet`.
    """

    __slots__ = ("_node",)
    _node: Node

    def __init__(self, node: Node) -> None:
        object.__setattr__(self, "_node", node)

    def __about__(self) -> tuple[str, str]:
        return self._node.name, self._node.site

    def __getitem__(self, key: object) -> Ref:
        if not item_key(key):
            raise no_value(self, f"{{}}[a {type(key).__name__}]")
        return self._node.owner.item(self._node, key)

    def __iter__(self) -> Iterator[Ref]:
        count = fixed_length(self._node.returns)
        if count is None:
            remedy = "Annotate the task's return as tuple[X, Y] to unpack it, or iterate in the flow with fc.each(...)."
            raise no_value(self, "for _ in {}", remedy=remedy)
        wanted = unpacked()
        if wanted is not None and wanted != count:
            raise wrong_count(self._node.name, drawn=self._node.site, found=count, wanted=wanted)
        return iter([self[place] for place in range(count)])

    def __repr__(self) -> str:
        return f"<reference to {self._node!r}, no value yet>"

    def __dir__(self) -> list[str]:
        return []


def node_of(value: object) -> Node | None:
    """Give the node of a reference, a node itself, and None for anything else."""
    if isinstance(value, Ref):
        return value._node
    return value if isinstance(value, Node) else None


def item_key(key: object) -> bool:
    """Tell whether `key` may name a part of a value: a scalar, or a tuple of them."""
    if isinstance(key, tuple):
        return all(item_key(part) for part in key)
    return key is None or label_of(key) is not None


def fixed_length(annotation: object) -> int | None:
    """Give n for ``tuple[A, ...n]``, and None for all that has no fixed length."""
    if getattr(annotation, "__origin__", None) is not tuple:
        fields = getattr(annotation, "_fields", None)  # a namedtuple
        is_record = isinstance(annotation, type) and issubclass(annotation, tuple)
        return len(fields) if is_record and isinstance(fields, tuple) else None
    arguments = cast("tuple[object, ...]", annotation.__args__)  # type: ignore[attr-defined]
    return None if Ellipsis in arguments else len(arguments)


_LABELS = (
    str, bool, int, float, complex, bytes, PurePath, Enum, datetime, date, time, timedelta,
)  # fmt: skip
_MORE_LABELS = {("decimal", "Decimal"), ("fractions", "Fraction"), ("uuid", "UUID")}


def label_of(value: object) -> object | None:
    """Give what `value` is called along an axis, or None if it is called by its position.

    Scalars, text, paths and enum members label themselves; a file is called by its path; numpy's scalars are called
    by the Python number that they are.
    """
    kind = type(value)
    if kind in (str, int, float, bool):
        return value
    if kind.__module__ == "numpy" and getattr(value, "shape", None) == () and hasattr(value, "item"):
        if hasattr(value, "__setitem__"):
            return None  # an array without dimensions, or a structured scalar
        item: Callable[[], object] = getattr(value, "item")  # noqa: B009 - numpy may not be loaded here
        return value if kind.__name__ in ("datetime64", "timedelta64") else item()
    if kind is File:
        return str(value)
    if isinstance(value, _LABELS) or (kind.__module__, kind.__name__) in _MORE_LABELS:
        return value
    return None


def cell_id(node: Node, labels: Sequence[object] | Mapping[str, object]) -> str:
    """Give the readable name of a cell: the node's, and its label along each axis.

    Parameters
    ----------
    node : Node
    labels : sequence or mapping
        One a axis, in the node's order, or by the axis's name.
    """
    if not node.axes:
        return node.name
    if isinstance(labels, Mapping):
        labels = [labels[axis.name] for axis in node.axes]
    return told_cell(node.name, [(axis.name, label_told(label)) for axis, label in zip(node.axes, labels, strict=True)])


def told_cell(name: str, labels: Sequence[tuple[str, str]]) -> str:
    """Give a cell's readable name from axis names and what the labels along them are called."""
    return f"{name}[{', '.join(f'{axis}={label}' for axis, label in labels)}]" if labels else name


def fragments(axis: Axis) -> dict[str, int]:
    """Give how each label along an axis is told in a cell's id -> its place."""
    return {f"{axis.name}={label_told(label)}": place for place, label in enumerate(axis.labels or ())}


def label_told(label: object) -> str:
    """Give a label as a message tells it: short, on one line."""
    if isinstance(label, PurePath):
        return shorten(repr(str(label)))
    if isinstance(label, Enum):
        return f"{type(label).__name__}.{label.name}"
    if isinstance(label, str | bool | int | float | complex | bytes | None):
        return shorten(repr(label))
    return shorten(str(label))
