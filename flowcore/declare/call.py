"""One call being drawn: its arguments become forms, and their axes its grid.

Owns: which values are edges, and how the axes of one call meet.
Promises: a reference is found in lists, tuples and dicts at any depth up to
:data:`DEPTH`; where it cannot be an edge (a set, a dataclass, a namedtuple) it is
refused with the path to it, one level deep.
Never: touches what it is handed; a value without references is kept as it is.
"""

from __future__ import annotations

import dataclasses
import typing
from typing import Any, Protocol

from flowcore.declare import fit
from flowcore.declare.axes import Each, Gather, difference
from flowcore.declare.form import Form
from flowcore.declare.node import (
    Along,
    Argument,
    Axis,
    Element,
    Gathered,
    Literal,
    Node,
    Owner,
    Plain,
    Ref,
    Tree,
    node_of,
)
from flowcore.declare.placeholder import Placeholder, about
from flowcore.errors import AxisMismatch, ForeignReference, NoValueYet, WiringMismatch

DEPTH = 256  # containers in one another
SCALARS = frozenset({str, int, float, bool, complex, bytes, type(None)})
_KINDS: dict[type, typing.Literal["list", "tuple", "dict"]] = {list: "list", tuple: "tuple", dict: "dict"}


class Axes(Owner, Protocol):
    """The axes of a drawing, as far as a call needs them."""

    def static_axis(self, name: str, labels: tuple[object, ...]) -> Axis:
        """Give the axis of that name and these labels: always the same object."""
        ...

    def dynamic_axis(self, name: str, node: Node, site: str) -> Axis:
        """Give the axis of that name along the value of a node: always the same object."""
        ...


class Call:
    """The arguments of one call, as they are read one after another."""

    __slots__ = ("_domain", "_form", "_from", "_node", "_owner", "_site", "_zipped")

    def __init__(self, owner: Axes, node: str, site: str, form: Form | None) -> None:
        self._owner = owner
        self._node = node  # what the call is called in messages
        self._site = site
        self._form = form
        self._domain: dict[str, Axis] = {}
        self._from: dict[str, str] = {}  # axis to the parameter that brought it
        self._zipped: dict[str, Axis] = {}

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes of the arguments read so far, in order of appearance."""
        return tuple(self._domain.values())

    def argument(self, parameter: str, value: object) -> Argument:
        """Read one argument of the call."""
        form = self._read(value, parameter, 0)
        if self._form is not None and type(form) is not Literal and type(form) is not Tree:
            self._check(parameter, form)
        return form

    def _read(self, value: object, path: str, depth: int) -> Argument:
        if type(value) in SCALARS:
            return Literal(value)
        if type(value) in _KINDS:
            return self._container(value, path, depth)
        if type(value) is Ref or isinstance(value, Placeholder | Node):
            return self._edge(value, path)
        self._look_inside(value, path)
        return Literal(value)

    def _edge(self, value: Placeholder | Node, path: str) -> Argument:
        if type(value) is Ref:
            return self._plain(value._node, path)
        if isinstance(value, Each):
            return self._each(value, path)
        if isinstance(value, Gather):
            self._own(value.node)
            self._meet(tuple(axis for axis in value.node.axes if axis.name not in value.over), path)
            return Gathered(value.node, value.over, value.labels, value.missing)
        node = node_of(value)
        assert node is not None
        return self._plain(node, path)

    def _plain(self, node: Node, path: str) -> Plain:
        self._own(node)
        if node.axes:
            self._meet(node.axes, path)
        return Plain(node)

    def _own(self, node: Node) -> None:
        if node.owner is not self._owner:
            raise ForeignReference(node=node.name, flow=node.owner.name, at=self._site)

    def _each(self, mark: Each, path: str) -> Argument:
        if mark.node is not None:
            self._own(mark.node)
            axis = self._owner.dynamic_axis(mark.axis, mark.node, self._site)
            assert axis.source is not None
            self._meet((*axis.source.axes, axis), path)
            return Element(axis)
        first = self._zipped.get(mark.axis)
        if first is None:
            axis = self._zipped[mark.axis] = self._owner.static_axis(mark.axis, mark.labels)
            self._meet((axis,), path)
            return Along(axis, mark.values)
        assert first.labels is not None
        if len(first.labels) != len(mark.values):
            self._mismatch(mark.axis, path, f"length {len(mark.values)}", f"length {len(first.labels)}")
        return Along(first, mark.values)

    def _meet(self, axes: tuple[Axis, ...], path: str) -> None:
        for axis in axes:
            there = self._domain.setdefault(axis.name, axis)
            if there is axis:
                self._from.setdefault(axis.name, path)
            else:
                self._mismatch(axis.name, path, *difference(axis, there))

    def _mismatch(self, axis: str, path: str, found: str, expected: str) -> None:
        raise AxisMismatch(
            node=self._node, axis=axis, found=f"{found} in {path}", expected=f"{expected}, as in {self._from[axis]}",
            at=self._site,
        )  # fmt: skip

    def _container(self, value: Any, path: str, depth: int) -> Argument:
        is_dict = type(value) is dict
        parts = value.values() if is_dict else value
        # The common big container is plain data: two passes in C, and no object an element.
        if is_dict and not SCALARS.issuperset(map(type, value)):
            self._check_keys(value, path)
        if SCALARS.issuperset(set(map(type, parts))):
            return Literal(value)
        if depth == DEPTH:
            self._refuse_depth(path)
        if not is_dict and all(type(element) is Ref and not element._node.axes for element in value):
            return Tree(_KINDS[type(value)], tuple([(None, self._plain(element._node, path)) for element in value]))
        pairs = value.items() if is_dict else enumerate(value)
        items: list[tuple[object, Argument]] = []
        edges = False
        for key, element in pairs:
            form = self._read(element, f"{path}[{key!r}]" if type(key) in SCALARS else f"{path}[...]", depth + 1)
            edges = edges or type(form) is not Literal
            items.append((key if is_dict else None, form))
        return Tree(_KINDS[type(value)], tuple(items)) if edges else Literal(value)

    def _check_keys(self, value: dict[object, object], path: str) -> None:
        for key in value:
            if isinstance(key, Placeholder | Node):
                raise self._hidden(key, f"a key of {path}")

    def _refuse_depth(self, path: str) -> None:
        raise WiringMismatch(
            node=self._node, parameter=path.split("[", 1)[0], found="deeper ones",
            expected=f"containers up to {DEPTH} deep", at=self._site, remedy="Pass data that is less nested.",
        )  # fmt: skip

    def _look_inside(self, value: object, path: str) -> None:
        """Refuse a reference one level inside an object that cannot carry edges."""
        fields: tuple[str, ...] = getattr(value, "_fields", ()) if isinstance(value, tuple) else ()
        if fields:
            inside = [(f"{path}.{name}", getattr(value, name)) for name in fields]
        elif isinstance(value, set | frozenset | list | tuple):
            inside = [(f"{path}[...]", element) for element in value]
        elif isinstance(value, dict):
            inside = [(f"{path}[{key!r}]", element) for key, element in value.items()]
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [f.name for f in dataclasses.fields(value)]
            inside = [(f"{path}.{name}", getattr(value, name, None)) for name in names]
        else:
            return
        for where, element in inside:
            if isinstance(element, Placeholder | Node):
                raise self._hidden(element, where)

    def _hidden(self, found: Placeholder | Node, where: str) -> NoValueYet:
        name, drawn = about(found) if isinstance(found, Placeholder) else (found.name, found.site)
        return NoValueYet(
            node=name, expression=f"{where} of {self._node}()", at=self._site, drawn=drawn,
            remedy="References may be in lists, tuples and dicts; make a task that builds this object of them.",
        )  # fmt: skip

    def _check(self, parameter: str, form: Argument) -> None:
        """Refuse what is annotated to give something the parameter certainly cannot take (contract E4)."""
        assert self._form is not None
        wanted = self._form.annotation(parameter)
        if wanted is fit.EMPTY:
            return
        match form:
            case Plain(node):
                given = node.returns
            case Gathered(node, labels=labels):
                given = fit.gathered(node.returns, labels=labels)
            case Element(Axis(source=Node(returns=given) as node)):
                pass
            case _:
                return
        if not fit.fits(given, wanted):
            raise WiringMismatch(
                node=self._node, parameter=parameter, found=f"{fit.told(given)} by {node.name}",
                expected=fit.told(wanted), at=self._site, drawn=node.site, defined=self._form.defined,
            )  # fmt: skip
