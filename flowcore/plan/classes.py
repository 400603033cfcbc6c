"""Values of user classes: dataclasses and classes of attrs, namedtuples, enums, and kinds with a registered codec.

Owns the names of classes in records and how a name is found again. A class is looked up
among modules already imported and the classes registered here; it is never imported,
nor asked, and an instance is filled without calling anything of it (S1): so a class whose
instances call something when a field is set, or when they go, has no encoding. A name that
is not found gives a :class:`PlainRecord`. The code of a class never enters the digest of its values;
callers are told which classes were met (K10).
"""

from __future__ import annotations

import enum
import functools
import os
import sys
import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from flowcore.dataclass import dataclass
from flowcore.plan import seen
from flowcore.plan.extension import (
    DATACLASS,
    ENUM,
    NAMEDTUPLE,
    REGISTERED,
    BadRecord,
    NoEncoding,
    extension,
    kind_name,
)

if TYPE_CHECKING:
    from flowcore.plan.reading import Reading
    from flowcore.plan.writing import Writer, Writing

_HEAP_TYPE: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement
_registered: dict[str, type] = {}
_names: dict[type, str] = {}
_stem: list[str] = []


@dataclass(frozen=True, slots=True)
class PlainRecord:
    """What comes back for a value whose class is not known here.

    Examples
    --------
    >>> PlainRecord("dataclass", "model:Config", (("rate", 0.1),)).fields
    (('rate', 0.1),)
    """

    kind: str  # "dataclass", "namedtuple" or "enum"
    name: str  # "module:Qualname"
    fields: tuple[tuple[str, object], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueCodec:
    """How values of a kind that flowcore does not know are taken apart and put together."""

    kind: type
    name: str
    version: str
    to: Callable[[Any], object]
    back: Callable[[Any], Any]


codecs_by_kind: dict[type, ValueCodec] = {}
codecs_by_name: dict[str, ValueCodec] = {}
shipped_codecs: dict[str, tuple[str, Callable[[list[Any]], object]]] = {}  # name -> version, reader


def main_stem() -> str:
    """Give the name that stands for ``__main__``: the stem of its file (K14)."""
    if _stem:
        return _stem[0]
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.splitext(os.path.basename(path))[0] if path else "__main__"


def set_main_stem(stem: str) -> None:
    """Say what ``__main__`` is called, in a process whose own ``__main__`` is another one."""
    _stem[:] = [stem]


def register_classes(classes: Mapping[str, type]) -> None:
    """Make classes known by name, as ``{"script:Config": Config}``: a worker gets those of ``__main__`` so."""
    _registered.update(classes)
    _names.update({kind: name for name, kind in classes.items()})


def class_name(kind: type | types.FunctionType) -> str:
    """Give the name of a class (or function) in records and messages: module and qualified name."""
    known = _names.get(kind) if isinstance(kind, type) else None
    if known is not None:
        return known
    module = main_stem() if kind.__module__ == "__main__" else kind.__module__
    return f"{module}:{kind.__qualname__}"


def find_class(name: str) -> type | None:
    """Find a class by name among what is registered or already imported; never imports."""
    known = _registered.get(name)
    if known is not None:
        return known
    module, _, qualname = name.partition(":")
    places = ["__main__", module] if module == main_stem() else [module]
    for place in places:
        found: Any = sys.modules.get(place)
        for part in qualname.split("."):
            found = seen.names_in(found).get(part)
        if seen.is_class(found) and (is_record_class(found) or any(found is kind for kind in codecs_by_kind)):
            return found  # type: ignore[no-any-return]
    return None


def is_record_class(kind: type) -> bool:
    """Tell whether `kind` is a dataclass, namedtuple or enum: all that a record may name."""
    return issubclass(kind, enum.Enum) or _is_namedtuple(kind) or seen.record_fields(kind) is not None


def _is_namedtuple(kind: type) -> bool:
    return seen.namedtuple_fields(kind) is not None


def writer(kind: type) -> Writer | None:
    """Find the writer of a registered kind, enum, namedtuple or dataclass."""
    codec = codecs_by_kind.get(kind)
    if codec is not None:
        return functools.partial(_write_registered, codec)
    if kind is PlainRecord:
        return _write_plain_record
    if issubclass(kind, enum.Enum):
        return _write_enum
    if _is_namedtuple(kind) and _only_builtin(kind) == {tuple, object}:
        return _write_namedtuple
    if seen.record_fields(kind) is not None and not issubclass(kind, type) and _only_builtin(kind) == {object}:
        return functools.partial(_write_dataclass, _Layout.of(kind))
    return None


def _only_builtin(kind: type) -> set[type]:
    """Give the classes above `kind` that no class statement made: they may hold state of their own."""
    return {k for k in kind.__mro__ if not k.__flags__ & _HEAP_TYPE}


def _met(kind: type, writing: Writing) -> str:
    """Note a user class, and make sure that its name leads back to it."""
    name = class_name(kind)
    found = find_class(name)
    if found is not kind:
        why = "its name leads to another class" if found else "it cannot be found by its name"
        raise NoEncoding("", kind_name(kind), f"{why}: define the class once, at the top level of a module")
    writing.classes[name] = kind
    return name


def _write_fields(kind: type, items: list[tuple[str, object]], writing: Writing) -> list[object]:
    parts: list[object] = [_met(kind, writing)]
    writing.enter()
    name = ""
    try:
        for name, item in items:
            parts += (name, writing.write(item))
    except NoEncoding as error:
        error.path = f".{name}{error.path}"
        raise
    writing.depth -= 1
    return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Where instances of a dataclass keep what they hold."""

    fields: tuple[str, ...]
    other_slots: tuple[str, ...]  # not fields
    forgettable: frozenset[str]  # cached properties: computed again
    assigned: tuple[str, ...]  # fields behind a property or the like: filling them would run it

    @classmethod
    def of(cls, kind: type) -> _Layout:
        fields = seen.record_fields(kind) or ()
        slots: list[str] = []
        forgettable = set()
        for above in kind.__mro__:
            declared = above.__dict__.get("__slots__", ())
            slots += (declared,) if isinstance(declared, str) else declared
            forgettable |= {n for n, v in above.__dict__.items() if isinstance(v, functools.cached_property)}
        other = tuple(s for s in slots if s not in fields and s not in ("__dict__", "__weakref__"))
        assigned = tuple(name for name in fields if seen.assigns(kind, name))
        return cls(fields=fields, other_slots=other, forgettable=frozenset(forgettable), assigned=assigned)


def _refuse_finalized(kind: type) -> None:
    if seen.is_finalized(kind):
        raise NoEncoding("", kind_name(kind), "it has a __del__, which each copy would run: register a codec")


def _write_dataclass(layout: _Layout, value: Any, writing: Writing) -> object:
    _refuse_finalized(type(value))
    for name in layout.assigned:
        raise NoEncoding(f".{name}", "field that is set by code", "register a codec for the class")
    held = getattr(value, "__dict__", {})
    extra = [n for n in held if n not in layout.fields and n not in layout.forgettable]
    extra += [s for s in layout.other_slots if hasattr(value, s)]
    if extra:
        raise NoEncoding(f".{extra[0]}", "attribute that is no field", "declare it as a field of the dataclass")
    missing = object()
    items = [(name, getattr(value, name, missing)) for name in layout.fields]
    for name, item in items:
        if item is missing:
            raise NoEncoding(f".{name}", "field without a value", "give it one, if only None")
    return extension(DATACLASS, _write_fields(type(value), items, writing))


def _write_namedtuple(value: Any, writing: Writing) -> object:
    kind = type(value)
    if getattr(value, "__dict__", None) or len(value) != len(kind._fields):
        raise NoEncoding("", kind_name(kind), "it holds more than its fields")
    _refuse_finalized(kind)
    items = list(zip(kind._fields, tuple.__iter__(value), strict=True))
    return extension(NAMEDTUPLE, _write_fields(kind, items, writing))


def _write_enum(value: enum.Enum, writing: Writing) -> object:
    name = _met(type(value), writing)
    if type(value).__members__.get(value.name) is value:
        return extension(ENUM, [name, value.name, None])
    if not seen.combines(type(value)):
        raise NoEncoding("", kind_name(type(value)), "its own code puts members together: register a codec")
    return extension(ENUM, [name, None, writing.write(value.value)])  # members of a Flag together


def _write_registered(codec: ValueCodec, value: object, writing: Writing) -> object:
    writing.classes[class_name(codec.kind)] = codec.kind
    writing.enter()
    parts = writing.write(codec.to(value))
    writing.depth -= 1
    return extension(REGISTERED, [codec.name, codec.version, parts])


def _write_plain_record(value: PlainRecord, writing: Writing) -> object:
    code = {"dataclass": DATACLASS, "namedtuple": NAMEDTUPLE, "enum": ENUM}[value.kind]
    if code == ENUM:
        fields = dict(value.fields)
        return extension(ENUM, [value.name, writing.write(fields.get("name")), writing.write(fields.get("value"))])
    return extension(code, [value.name, *(p for n, v in value.fields for p in (n, writing.write(v)))])


def _read_fields(parts: list[object]) -> tuple[str, tuple[tuple[str, object], ...]]:
    if len(parts) % 2 != 1 or not all(type(p) is str for p in (parts[0], *parts[1::2])):
        raise BadRecord("not the fields of a class")
    return str(parts[0]), tuple(zip(map(str, parts[1::2]), parts[2::2], strict=True))


def _read_dataclass(parts: list[object], reading: Reading) -> object:
    name, items = _read_fields(parts)
    kind = reading.find_class(name)
    fields = seen.record_fields(kind) if kind is not None else None
    if kind is None or fields is None or fields != tuple(n for n, _ in items):
        return PlainRecord("dataclass", name, items)
    if seen.is_finalized(kind) or any(seen.assigns(kind, field) for field in fields):
        return PlainRecord("dataclass", name, items)
    value: object = object.__new__(kind)
    for field, item in items:
        object.__setattr__(value, field, item)
    return value


def _read_namedtuple(parts: list[object], reading: Reading) -> object:
    name, items = _read_fields(parts)
    kind = reading.find_class(name)
    fields = seen.namedtuple_fields(kind) if kind is not None else None
    if kind is None or fields != tuple(n for n, _ in items) or seen.is_finalized(kind):
        return PlainRecord("namedtuple", name, items)
    return tuple.__new__(kind, [item for _, item in items])


def _read_enum(parts: list[object], reading: Reading) -> object:
    if len(parts) != 3 or type(parts[0]) is not str:
        raise BadRecord("not an enum member")
    name, member, number = str(parts[0]), parts[1], parts[2]
    kind = reading.find_class(name)
    unknown = PlainRecord("enum", name, (("name", member), ("value", number)))
    if kind is None or not issubclass(kind, enum.Enum):
        return unknown
    if member is not None:
        return seen.members(kind).get(member, unknown) if type(member) is str else unknown
    return kind(number) if type(number) is int and seen.combines(kind) else unknown


def _read_registered(parts: list[object], reading: Reading) -> object:
    if len(parts) != 3 or type(parts[0]) is not str or type(parts[1]) is not str:
        raise BadRecord("not a registered value")
    name, version, inner = parts[0], parts[1], parts[2]
    shipped = shipped_codecs.get(name)
    if shipped is not None:
        return _read_shipped(name, version, inner, *shipped)
    codec = codecs_by_name.get(name)
    if codec is None or codec.version != version:
        raise BadRecord(f"no codec {name[:80]!r} of version {version[:80]!r} is registered")
    return reading.foreign(codec.back, inner)


def _read_shipped(name: str, found: str, parts: object, version: str, read: Callable[[list[Any]], object]) -> object:
    if found != version or type(parts) is not list:
        raise BadRecord(f"not a {name} of version {version}")
    try:
        return read(parts)
    except ImportError as error:
        raise BadRecord(f"a {name} needs a library that is not there: {error}") from error
    except (ArithmeticError, AssertionError, RuntimeError, BufferError, OSError) as error:
        raise BadRecord(f"not a {name}: {error}") from error


READERS = {
    DATACLASS: _read_dataclass,
    NAMEDTUPLE: _read_namedtuple,
    ENUM: _read_enum,
    REGISTERED: _read_registered,
}
