"""What code reaches, followed from thing to thing.

Owns the walk: globals with their attribute chains, imports inside bodies, classes with
bases and attributes, whole modules (K5-K9). It is breadth first and numbers things as
it meets them; a reference is the number of what it leads to, so cycles end by
themselves and one walk has one outcome, wherever and in whichever order code is
defined. Never recursive over the graph, and never reads source text.
"""

from __future__ import annotations

import builtins
import dataclasses
import enum
import importlib
import importlib.util
import sys
import types
from collections.abc import Iterable
from typing import Any, Final

from blake3 import blake3

from flowcore.plan.bytecode import reads_of
from flowcore.plan.classes import class_name
from flowcore.plan.extension import NoEncoding, pack
from flowcore.plan.functions import bare_function
from flowcore.plan.libraries import origin_of, origin_of_module
from flowcore.plan.pieces import (
    Piece,
    function_piece,
    is_followed,
    library_piece,
    other_piece,
    value_of,
)

_CONTEXT: Final = "flowcore v1 code"
_BLIND: Final = frozenset({"eval", "exec", "compile", "__import__", "getattr", "globals", "locals", "vars"})
_CLASS_MACHINERY: Final = frozenset({
    "__module__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__qualname__", "__firstlineno__",
    "__static_attributes__", "__annotate__", "__annotate_func__", "__annotations_cache__", "__dataclass_fields__",
    "__dataclass_params__", "__abstractmethods__", "_abc_impl", "__parameters__", "__orig_bases__", "__match_args__",
    "__slots__", "__type_params__", "__classdictcell__", "__slotnames__",  # the last: set by the first copy or pickle
})  # fmt: skip


class Walk:
    """One walk from some things on; the pieces are shared by the walks of a run."""

    def __init__(self, pieces: dict[int, tuple[object, Piece]], *, ignore: Iterable[str] = ()) -> None:
        self._pieces = pieces
        self._globals = frozenset(f"global {n.removeprefix('global:')}" for n in ignore if n.startswith("global:"))
        self._defaults = frozenset(f"default {n}" for n in ignore if ":" not in n)
        self._numbers: dict[int, int] = {}
        self._order: list[Piece] = []
        self._waiting: list[object] = []

    def digest(self, roots: Iterable[tuple[str, object]]) -> bytes:
        """Follow all that `roots` lead to, and give the identity of it together."""
        hasher = blake3(derive_key_context=_CONTEXT)
        hasher.update(pack([[name, self._number(thing)] for name, thing in roots]))
        done = 0
        while done < len(self._waiting):
            piece = self._piece(self._waiting[done])
            self._order.append(piece)
            edges = [[name, self._number(thing)] for name, thing in piece.edges if not self._left_out(name, done)]
            values: list[object] = []
            for name, component in piece.values:
                if self._left_out(name, done):
                    continue
                if isinstance(component, NoEncoding):
                    raise NoEncoding(component.path, component.kind, component.hint)
                values.append([name, component])
            hasher.update(pack([piece.form, values, edges]))
            done += 1
        return hasher.digest()

    def parts(self) -> tuple[tuple[str, bytes], ...]:
        """Give what was reached, named for humans, each part with an identity of its own."""
        found: dict[str, bytes] = {}
        for number, piece in enumerate(self._order):
            place = "" if number == 0 else f" of {piece.label}"
            if number == 0:
                _add(found, "body", piece.form)
            elif piece.label:
                _add(found, piece.label, piece.form)
            for name, component in piece.values:
                if isinstance(component, bytes) and not self._left_out(name, number):
                    _add(found, name + ("" if name.startswith("global ") else place), component)
        return tuple(sorted(found.items()))

    def unfollowed(self) -> tuple[str, ...]:
        """Give what could not be followed, and where."""
        found = {
            f"{what} in {piece.label.partition(' ')[2] or 'a wrapper'}" if number else what
            for number, piece in enumerate(self._order)
            for what in piece.unfollowed
        }
        return tuple(sorted(found))

    def _left_out(self, name: str, number: int) -> bool:
        head = name.partition(" -> ")[0]
        return head in self._globals or (number == 0 and head in self._defaults)

    def _number(self, thing: object) -> int:
        thing = bare_function(thing)
        number = self._numbers.get(id(thing))
        if number is None:
            number = self._numbers[id(thing)] = len(self._waiting)
            self._waiting.append(thing)
        return number

    def _piece(self, thing: object) -> Piece:
        known = self._pieces.get(id(thing))
        if known is None:
            known = self._pieces[id(thing)] = (thing, piece_of(thing))  # the thing is held, so its id stays its own
        return known[1]


def _add(found: dict[str, bytes], name: str, data: bytes) -> None:
    digest = data if len(data) <= 33 else blake3(data, derive_key_context=_CONTEXT).digest()
    if name in found and found[name] != digest:  # two of one name: told together
        digest = blake3(found[name] + digest, derive_key_context=_CONTEXT).digest()
    found[name] = digest


def piece_of(thing: Any) -> Piece:
    """Give the piece of anything that is reached."""
    if isinstance(thing, types.FunctionType):
        return function_piece(thing, _read)
    if isinstance(thing, types.ModuleType):
        return _module_piece(thing)
    if isinstance(thing, type):
        return _class_piece(thing)
    if is_followed(thing):
        return other_piece(thing)
    piece = Piece("", pack(["value"]))  # a callable object: known by value, and by its class
    piece.refer("value", thing)
    return piece


def _read(piece: Piece, function: types.FunctionType) -> bool:
    """Note what the code of a function reads from outside; tell whether it reads docstrings."""
    reads = reads_of(function.__code__)
    for chain in reads.names:
        _read_global(piece, function.__globals__, chain)
    for module, level, names in reads.imports:
        _read_import(piece, function.__globals__, module, level, names)
    return reads.doc


def _read_global(piece: Piece, namespace: dict[str, Any], chain: tuple[str, ...]) -> None:
    name, *attributes = chain
    if name in namespace:
        thing = namespace[name]
    elif hasattr(builtins, name):
        if name in _BLIND:
            piece.unfollowed.append(f"{name}()")
        return  # by its name, which the code holds
    else:
        piece.values.append((f"global {name}", b"unbound"))
        return
    _follow(piece, f"global {name}", thing, attributes)


def _follow(piece: Piece, name: str, thing: Any, attributes: list[str]) -> None:
    """Note a thing, going through the modules of a chain of attributes as far as that is static."""
    while isinstance(thing, types.ModuleType) and attributes and origin_of(vars(thing)).kind == "user":
        attribute = attributes.pop(0)
        inside = vars(thing).get(attribute, sys.modules.get(f"{thing.__name__}.{attribute}"))
        if inside is None and attribute not in vars(thing):
            piece.unfollowed.append(f"{thing.__name__}.{attribute}")
            break
        thing, name = inside, f"{name}.{attribute}"
    if isinstance(thing, types.FunctionType) and attributes and attributes[0] in vars(thing):
        piece.refer(f"{name}.{attributes[0]}", vars(thing)[attributes[0]])
    piece.refer(name, thing)


def _read_import(piece: Piece, namespace: dict[str, Any], module: str, level: int, names: tuple[str, ...]) -> None:
    """Note what an import statement inside a body brings in (K7)."""
    try:
        package = namespace.get("__package__") or ""
        full = importlib.util.resolve_name("." * level + module, package) if level else module
        found = importlib.import_module(full)  # at the same answer whether or not the body has run before
    except ImportError:
        piece.values.append((f"import {module}", b"unbound"))
        return
    for i in range(full.count(".") + 1) if not names else ():  # `import a.b` gives a, and a.b inside it
        part = ".".join(full.split(".")[: i + 1])
        piece.refer(f"import {part}", sys.modules[part])
    for name in names:
        inside = vars(found).get(name)
        if inside is None and origin_of(vars(found)).kind == "user" and name not in vars(found):
            inside = _submodule(f"{full}.{name}")
        if inside is None and name not in vars(found):
            piece.refer(f"import {full}", found)
        else:
            piece.refer(f"import {full}.{name}", inside)


def _submodule(name: str) -> types.ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _module_piece(module: types.ModuleType) -> Piece:
    """Give a module used as a value: of a library by name, of the user as a whole (K7)."""
    origin = origin_of(vars(module))
    if origin.kind != "user":
        return library_piece(origin, module.__name__)
    piece = Piece(f"module {module.__name__}", pack(["module"]))
    for name, thing in sorted(vars(module).items()):
        if not (name.startswith("__") and name.endswith("__")):
            piece.refer(name, thing, needed=False)
    return piece


def _class_piece(kind: type) -> Piece:
    """Give a class: bases, metaclass, and what its body defines, in the order of names."""
    origin = origin_of_module(kind.__module__) if kind.__module__ != "__main__" else None
    if origin is not None and origin.kind != "user":
        return library_piece(origin, f"{kind.__module__}:{kind.__qualname__}")
    piece = Piece(f"class {class_name(kind)}", pack(["class", kind.__name__]))
    piece.edges += [(f"base {i}", base) for i, base in enumerate(kind.__bases__) if base is not object]
    if type(kind) is not type:
        piece.edges.append(("metaclass", type(kind)))
    if dataclasses.is_dataclass(kind) and "__dataclass_fields__" in vars(kind):
        _fields(piece, kind)
    if issubclass(kind, enum.Enum):
        piece.values.append(("members", value_of([[n, m.value] for n, m in kind.__members__.items()])[0]))
    slots = vars(kind).get("__slots__", ())
    piece.refer("slots", [slots] if isinstance(slots, str) else sorted(map(str, slots)))
    for name, thing in sorted(vars(kind).items()):
        if name not in _CLASS_MACHINERY and not _is_made(kind, name, thing):
            dunder = name.startswith("__") and name.endswith("__")
            piece.refer(f"attribute {name}", thing, needed=not dunder)
    return piece


def _fields(piece: Piece, kind: Any) -> None:
    """Note the fields of a dataclass: what its generated methods are made of."""
    for f in dataclasses.fields(kind):
        piece.values.append((f"field {f.name}", pack([f.init, f.repr, f.hash, f.compare, bool(f.kw_only)])))
        for what, thing in (("default", f.default), ("factory", f.default_factory)):
            if thing is not dataclasses.MISSING:
                piece.refer(f"field {f.name} {what}", thing)
    piece.values.append(("dataclass", pack(repr(kind.__dataclass_params__))))


def _is_made(kind: type, name: str, thing: Any) -> bool:
    """Tell whether Python made a class attribute itself, out of what is noted anyhow."""
    if isinstance(thing, (types.MemberDescriptorType, types.GetSetDescriptorType)):
        return True  # slots
    if issubclass(kind, enum.Enum):
        return name in kind.__members__ or (name.startswith("_") and not callable(thing))
    if "_fields" in vars(kind) and issubclass(kind, tuple) and (name == "__new__" or _is_getter(thing)):
        return True
    function = getattr(thing, "__func__", thing)
    code = getattr(getattr(function, "__wrapped__", function), "__code__", None)
    return code is not None and code.co_qualname.startswith(_MADE_BY)


def _is_getter(thing: object) -> bool:
    return type(thing).__name__ == "_tuplegetter"


_MADE_BY: Final = ("__create_fn__.<locals>.", "namedtuple.<locals>.")  # dataclasses, collections.namedtuple
