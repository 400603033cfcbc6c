"""Whether a value annotated so can be passed to a parameter annotated so.

A drawing that is wrong should say so before anything runs, and one that is right must
never be refused. So this answers "cannot fit" only where both sides are plain classes
of families that certainly do not mix, such as text and numbers; all else fits.
Users' own classes, protocols, type variables, ``Any`` and missing annotations fit
everywhere.
"""

from __future__ import annotations

import collections.abc
import types
import typing
from inspect import Parameter
from pathlib import PurePath
from typing import Any

EMPTY = Parameter.empty
_FAMILIES: dict[type, str] = {
    str: "text", bytes: "bytes", bytearray: "bytes", int: "number", float: "number", complex: "number",
    list: "list", tuple: "list", dict: "dict", set: "set", frozenset: "set", types.NoneType: "nothing",
    PurePath: "path",
}  # fmt: skip
_NUMPY = {"ndarray": "array", "number": "number"}
# Pairs that duck typing lets through: np.asarray takes lists and numbers, open() takes text and paths.
_MIX = {
    frozenset(pair)
    for pair in (("number", "array"), ("list", "array"), ("bytes", "array"), ("set", "list"), ("set", "array"),
                 ("text", "path"), ("bytes", "list"))
}  # fmt: skip


# Aliases by the `type` statement; numpy's NDArray is one where Python has them.
_ALIAS: Any = getattr(typing, "TypeAliasType", ())


def fits(given: object, wanted: object) -> bool:
    """Tell whether a value annotated `given` may be passed where `wanted` is annotated."""
    if given is wanted or given is EMPTY or wanted is EMPTY:
        return True
    return any(_may(a, b) for a in _members(given) for b in _members(wanted))


def told(annotation: object) -> str:
    """Give an annotation as a user would write it."""
    if annotation is None or annotation is types.NoneType:
        return "None"
    return annotation.__name__ if type(annotation) is type else str(annotation).replace("typing.", "")


def element(annotation: object) -> object:
    """Give the annotation of an element of a list so annotated, as far as it is known."""
    annotation = _unaliased(annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    is_sequence = origin in (list, set, frozenset, collections.abc.Sequence, collections.abc.Iterable)
    if is_sequence and len(arguments) == 1:
        return arguments[0]
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return arguments[0]
    return EMPTY


def part(annotation: object, key: object) -> object:
    """Give the annotation of the item `key` of a value so annotated, as far as it is known."""
    annotation = _unaliased(annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple and isinstance(key, int) and Ellipsis not in arguments:
        return arguments[key] if -len(arguments) <= key < len(arguments) else EMPTY
    if origin in (dict, collections.abc.Mapping) and len(arguments) == 2:
        return arguments[1]
    if origin is None and isinstance(annotation, type) and issubclass(annotation, tuple) and isinstance(key, int):
        fields = getattr(annotation, "_fields", ())
        name = fields[key] if -len(fields) <= key < len(fields) else ""
        found: object = annotation.__annotations__.get(name, EMPTY)
        return EMPTY if isinstance(found, str) else found
    return element(annotation) if isinstance(key, int) else EMPTY


def gathered(annotation: object, *, labels: bool) -> object:
    """Give the annotation of values so annotated, collected."""
    if labels:
        return dict if annotation is EMPTY else dict[Any, annotation]  # type: ignore[valid-type]
    return list if annotation is EMPTY else list[annotation]  # type: ignore[valid-type]


def without(annotation: object, kind: type) -> object:
    """Give an annotation without those members of a union that are classes of a kind; EMPTY if there is no other."""
    members = typing.get_args(annotation) if typing.get_origin(annotation) in (typing.Union, types.UnionType) else ()
    members = members or (annotation,)
    left = [member for member in members if not (isinstance(member, type) and issubclass(member, kind))]
    if len(left) == len(members):
        return annotation
    return typing.Union[tuple(left)] if left else EMPTY  # noqa: UP007 - of members that are found here


def _members(annotation: object) -> tuple[object, ...]:
    annotation = _unaliased(annotation)
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _members(typing.get_args(annotation)[0])
    if origin is typing.Union or origin is types.UnionType:
        return tuple(member for argument in typing.get_args(annotation) for member in _members(argument))
    if isinstance(annotation, typing.NewType):
        return _members(annotation.__supertype__)
    return (annotation,)


def _unaliased(annotation: object) -> object:
    """Give what an alias stands for, with its parameters filled in."""
    origin = typing.get_origin(annotation)
    if isinstance(annotation, _ALIAS):
        return _unaliased(annotation.__value__)
    if isinstance(origin, _ALIAS):
        return _unaliased(origin.__value__[typing.get_args(annotation)])
    return annotation


def _may(given: object, wanted: object) -> bool:
    one, other = _family(given), _family(wanted)
    if one is None or other is None:
        return True
    if one == other:
        inner = typing.get_args(given), typing.get_args(wanted)
        if one == "list" and len(inner[0]) == len(inner[1]) == 1:
            return fits(inner[0][0], inner[1][0])
        if one == "dict" and len(inner[0]) == len(inner[1]) == 2:
            return fits(inner[0][1], inner[1][1])
        return True
    return frozenset((one, other)) in _MIX


def _family(annotation: object) -> str | None:
    """Give the family of a class, or None for what may be anything."""
    kind = types.NoneType if annotation is None else typing.get_origin(annotation) or annotation
    if not isinstance(kind, type):
        return None
    for ancestor in kind.__mro__:
        if ancestor in _FAMILIES:
            return _FAMILIES[ancestor]
        if ancestor.__module__ == "numpy" and ancestor.__name__ in _NUMPY:
            return _NUMPY[ancestor.__name__]
    return None
