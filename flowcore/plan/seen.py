"""What a module or class holds, looked at without asking it.

A name in a record leads to objects of the user's, and asking those (``getattr``, ``vars``,
``isinstance``) runs code: of a metaclass, of a descriptor, of a proxy that stands in for
another object, of a module that loads itself when it is first touched. Owns the other way
to look, through the slots of `type` and `module` alone, so that reading a record runs
nothing (contract S1). Knows nothing of records.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
import types
from collections.abc import Mapping
from typing import Any, Final

_OF_MODULE: Final = vars(types.ModuleType)["__dict__"].__get__
_OF_CLASS: Final = vars(type)["__dict__"].__get__
_MRO: Final = vars(type)["__mro__"].__get__
_ABSENT: Final = object()
_LIBRARYS: Final = (enum.Flag, enum.IntFlag, enum.ReprEnum, enum.Enum, int, object)
_ASKED: Final = ("_missing_", "__setattr__", "__getattribute__", "__getattr__")  # while members are put together


def is_class(thing: object) -> bool:
    """Tell whether this is a class, and not an object that says that it is one."""
    return issubclass(type(thing), type)


def names_in(place: object) -> Mapping[str, object]:
    """Give the names that a module or class itself holds; of anything else, none."""
    if issubclass(type(place), types.ModuleType):
        return _OF_MODULE(place)  # type: ignore[no-any-return]
    return _OF_CLASS(place) if is_class(place) else {}


def held(kind: type, name: str, default: object = None) -> object:
    """Give what a class, or the nearest one above it, holds under a name, as it lies there."""
    for above in _MRO(kind):
        found = _OF_CLASS(above).get(name, _ABSENT)
        if found is not _ABSENT:
            return found
    return default


def dataclass_fields(kind: type) -> tuple[dataclasses.Field[Any], ...] | None:
    """Give the fields of a dataclass; None for any other class."""
    fields = held(kind, "__dataclass_fields__")
    if type(fields) is not dict:
        return None
    return dataclasses.fields(types.SimpleNamespace(__dataclass_fields__=fields))  # type: ignore[arg-type]


def attrs_fields(kind: type) -> tuple[str, ...] | None:
    """Give the names of the fields of a class of attrs; None for any other class."""
    fields: Any = held(kind, "__attrs_attrs__")
    made_of = names_in(sys.modules.get("attr")).get("Attribute")
    if made_of is None or not issubclass(type(fields), tuple):
        return None
    members: list[Any] = list(tuple.__iter__(fields))
    if any(type(one) is not made_of for one in members):
        return None
    names = [one.name for one in members]
    return tuple(names) if all(type(name) is str for name in names) else None


def record_fields(kind: type) -> tuple[str, ...] | None:
    """Give the names of the fields of a dataclass, or of a class of attrs; None for any other class."""
    fields = dataclass_fields(kind)
    return attrs_fields(kind) if fields is None else tuple(field.name for field in fields)


def namedtuple_fields(kind: type) -> tuple[str, ...] | None:
    """Give the fields of a namedtuple; None for any other class."""
    fields: Any = held(kind, "_fields")
    named = issubclass(kind, tuple) and type(fields) is tuple and all(type(field) is str for field in fields)
    return fields if named else None


def is_finalized(kind: type) -> bool:
    """Tell whether instances of a class run code when they go: a copy of one is no value."""
    return held(kind, "__del__") is not None


def assigns(kind: type, name: str) -> bool:
    """Tell whether setting this attribute calls something, as a property does and a slot does not."""
    found = held(kind, name)
    if type(found) is types.MemberDescriptorType:
        return False
    return any(held(type(found), called) is not None for called in ("__set__", "__delete__"))


def members(kind: type) -> Mapping[str, object]:
    """Give the members of an enum by name."""
    found = held(kind, "_member_map_")
    return found if type(found) is dict else {}


def combines(kind: type) -> bool:
    """Tell whether members of a flag are put together by the library alone."""
    if not issubclass(kind, enum.Flag) or held(type(kind), "__call__") is not enum.EnumType.__dict__["__call__"]:
        return False
    if not any(held(kind, "_member_type_") is known for known in (object, int)):
        return False
    own = [above for above in _MRO(kind) if not any(above is known for known in _LIBRARYS)]
    return not any(name in _OF_CLASS(above) for above in own for name in _ASKED)
