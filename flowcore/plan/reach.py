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
import inspect
import sys
import types
from collections.abc import Iterable
from typing import Any, Final

from blake3 import blake3

from flowcore.plan.bytecode import Import, reads_of
from flowcore.plan.classes import class_name
from flowcore.plan.extension import NoEncoding, pack
from flowcore.plan.functions import bare_function
from flowcore.plan.globalrandom import global_draw
from flowcore.plan.libraries import file_digest, origin_of, origin_of_module
from flowcore.plan.pieces import (
    Piece,
    function_piece,
    is_followed,
    library_piece,
    other_piece,
    own_name,
)

_CONTEXT: Final = "flowcore v1 code"
_BLIND: Final = frozenset({"eval", "exec", "compile", "__import__", "getattr", "globals", "locals", "vars"})
_CLASS_MACHINERY: Final = frozenset({
    "__module__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__qualname__", "__firstlineno__",
    "__static_attributes__", "__annotate__", "__annotate_func__", "__annotations_cache__", "__dataclass_fields__",
    "__dataclass_params__", "__abstractmethods__", "_abc_impl", "__parameters__", "__orig_bases__", "__slots__",
    "__type_params__", "__classdictcell__", "__slotnames__",  # the last: set by the first copy or pickle
    "__attrs_attrs__", "__attrs_own_setattr__", "__attrs_props__", "__attrs_base_of_slotted__",
})  # fmt: skip
_MODULE_MACHINERY: Final = frozenset({
    "__name__", "__doc__", "__package__", "__loader__", "__spec__", "__file__", "__cached__", "__path__",
    "__builtins__", "__annotations__", "__annotate__", "__conditional_annotations__", "__warningregistry__",
})  # fmt: skip
_SAID: Final = ("__doc__", "__annotations__", "__name__", "__qualname__")  # of functions and classes, no part of them


class Walk:
    """One walk from some things on; the pieces are shared by the walks of a run."""

    def __init__(self, pieces: dict[int, tuple[object, Piece]], *, ignore: Iterable[str] = ()) -> None:
        self._pieces = pieces
        names = [n.removeprefix("global:") for n in ignore if n.startswith("global:")]
        self._globals = frozenset(f"{how} {n}" for n in names for how in ("global", "import"))
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

    def parts(self, *, rooted: bool = True) -> tuple[tuple[str, bytes], ...]:
        """Give what was reached, named for humans, each part with an identity of its own.

        The first thing is "body", unless it is not `rooted`: then it is called as all others are.
        """
        found: dict[str, bytes] = {}
        for number, piece in enumerate(self._order):
            root = rooted and number == 0
            place = f" of {piece.label}" if piece.label and not root else ""
            if root:
                _add(found, "body", piece.form)
            elif piece.label:
                _add(found, piece.label, piece.form)
            for name, component in piece.values:
                if isinstance(component, bytes) and not self._left_out(name, number):
                    _add(found, name + ("" if name.startswith("global ") else place), component)
        return tuple(sorted(found.items()))

    def functions(self) -> tuple[tuple[bytes, types.FunctionType], ...]:
        """Give the functions of the user that were reached, each with the identity that it has as a part."""
        pairs = zip(self._order, self._waiting, strict=True)
        return tuple((_short(piece.form), thing) for piece, thing in pairs
                     if isinstance(thing, types.FunctionType) and piece.label.startswith("helper "))  # fmt: skip

    def unfollowed(self) -> tuple[str, ...]:
        """Give what could not be followed, and where."""
        found = {
            f"{what} in {piece.label.partition(' ')[2] or 'a wrapper'}" if number else what
            for number, piece in enumerate(self._order)
            for what in piece.unfollowed
        }
        return tuple(sorted(found))

    def asks(self) -> frozenset[str]:
        """Give the kinds of what the functions that were reached are supplied with."""
        named = [(name, kind, number) for number, piece in enumerate(self._order) for name, kind in piece.asks]
        return frozenset(kind for name, kind, number in named if not self._left_out(name, number))

    def draws(self) -> tuple[str, ...]:
        """Give the functions that were reached and draw from the process's own random stream."""
        return tuple(sorted({name for piece in self._order for name in piece.draws}))

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


def _short(data: bytes) -> bytes:
    return data if len(data) <= 33 else blake3(data, derive_key_context=_CONTEXT).digest()


def _add(found: dict[str, bytes], name: str, data: bytes) -> None:
    digest = _short(data)
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
    reads, own = reads_of(function.__code__), own_name(function)
    for chain in reads.names:
        if chain == (own,):
            piece.edges.append(("itself", function))  # by no name: that may change
            continue
        _read_global(piece, function.__globals__, chain, doc=reads.doc)
    for use in reads.imports:
        _read_import(piece, function.__globals__, use, doc=reads.doc)
    return reads.doc


def _read_global(piece: Piece, namespace: dict[str, Any], chain: tuple[str, ...], *, doc: bool) -> None:
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
    _follow(piece, f"global {name}", thing, attributes, doc=doc)


def _follow(piece: Piece, name: str, thing: Any, attributes: list[str], *, doc: bool) -> None:
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
    _read_said(piece, name, thing, ["__doc__"] if doc else [])
    _read_said(piece, name, thing, attributes)
    drawn = global_draw(thing, attributes)
    if drawn:
        piece.draws.append(drawn)
        if not isinstance(thing, types.ModuleType):  # bound to a hidden generator, whose state is no identity
            thing = sys.modules[drawn.partition(".")[0].replace("np", "numpy")]
    piece.refer(name, thing)


def _read_said(piece: Piece, name: str, thing: Any, attributes: list[str]) -> None:
    """Note the docstring or annotations that a chain of attributes of a user's function or class reads."""
    for attribute in attributes:
        thing = bare_function(getattr(thing, "__func__", thing))
        if not isinstance(thing, (types.FunctionType, type)):
            return
        name = f"{name}.{attribute}"
        if attribute in _SAID:
            if origin_of_module(thing.__module__).kind == "user":
                piece.refer(name, getattr(thing, attribute, None))
            return
        thing = inspect.getattr_static(thing, attribute, None)


def _read_import(piece: Piece, namespace: dict[str, Any], use: Import, *, doc: bool) -> None:
    """Note what a use of an import inside a body brings in (K7)."""
    package = namespace.get("__package__") or ""
    full = f"{'.' * use.level}{use.module}"
    try:
        full = importlib.util.resolve_name(full, package) if use.level else full
        found = importlib.import_module(full)  # at the same answer whether or not the body has run before
    except ImportError:
        piece.values.append((f"import {full}", b"unbound" + _source_digest(full)))
        return
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a module may raise anything while it is imported
        piece.values.append((f"import {full}", b"unbound" + _source_digest(full)))
        piece.unfollowed.append(f"import {full} ({type(error).__name__})")
        return
    if use.taken is not None:
        _read_taken(piece, full, found, use, doc=doc)
        return
    parts = full.split(".")
    for i in range(len(parts)):  # each may be of a distribution of its own
        inner = sys.modules.get(".".join(parts[: i + 1]))
        if isinstance(inner, types.ModuleType) and origin_of(vars(inner)).kind != "user":
            piece.refer(f"import {'.'.join(parts[: i + 1])}", inner)
    start = parts[0] if use.top else full
    _follow(piece, f"import {start}", sys.modules.get(start, found), list(use.attributes), doc=doc)


def _read_taken(piece: Piece, full: str, found: Any, use: Import, *, doc: bool) -> None:
    """Note what `from ... import name` takes: an attribute, or else a module inside."""
    assert use.taken is not None, "a name is taken"
    inside = getattr(found, "__dict__", {})
    if use.taken in inside:
        _follow(piece, f"import {full}.{use.taken}", inside[use.taken], list(use.attributes), doc=doc)
        return
    try:
        module = importlib.import_module(f"{full}.{use.taken}")
    except (Exception, SystemExit):  # noqa: BLE001 - as above
        piece.unfollowed.append(f"{full}.{use.taken}")
        piece.values.append((f"import {full}.{use.taken}", b"unbound" + _source_digest(f"{full}.{use.taken}")))
        piece.refer(f"import {full}", found)
        return
    _follow(piece, f"import {full}.{use.taken}", module, list(use.attributes), doc=doc)


def _source_digest(name: str) -> bytes:
    """Give the digest of the file of a module that cannot be imported now; empty if there is none."""
    try:
        spec = importlib.util.find_spec(name)
        return file_digest(spec.origin) if spec is not None and spec.origin else b""
    except (Exception, SystemExit):  # noqa: BLE001 - looking for it imports what it lies in
        return b""


def _module_piece(module: types.ModuleType) -> Piece:
    """Give a module used as a value: of a library by name, of the user as a whole (K7)."""
    origin = origin_of(vars(module))
    if origin.kind != "user":
        return library_piece(origin, module.__name__)
    piece = Piece(f"module {module.__name__}", pack(["module"]))
    for name, thing in sorted(vars(module).items()):
        if name not in _MODULE_MACHINERY:
            piece.refer(name, thing, place=f"{module.__name__}.")
    return piece


def _class_piece(kind: type) -> Piece:
    """Give a class: bases, metaclass, and what its body defines, in the order of names."""
    origin = origin_of_module(kind.__module__) if kind.__module__ != "__main__" else None
    made = kind.__module__ == "types" and getattr(types, kind.__name__, None) is not kind  # by `types.new_class`
    if origin is not None and origin.kind != "user" and not made:
        return library_piece(origin, f"{kind.__module__}:{kind.__qualname__}")
    piece = Piece(f"class {class_name(kind)}", pack(["class", kind.__name__]))
    piece.edges += [(f"base {i}", base) for i, base in enumerate(kind.__bases__) if base is not object]
    if type(kind) is not type:
        piece.edges.append(("metaclass", type(kind)))
    if dataclasses.is_dataclass(kind) and "__dataclass_fields__" in vars(kind):
        _fields(piece, kind)
    if "__attrs_attrs__" in vars(kind):
        _attrs_fields(piece, kind)
    if issubclass(kind, enum.Enum):
        piece.refer("members", [[n, m.value] for n, m in kind.__members__.items()])
    slots = vars(kind).get("__slots__", ())
    ordered = sorted if isinstance(slots, (set, frozenset)) else list
    piece.refer("slots", [slots] if isinstance(slots, str) else ordered(map(str, slots)))
    for name, thing in sorted(vars(kind).items()):
        if name not in _CLASS_MACHINERY and not _is_made(kind, name, thing):
            piece.refer(f"attribute {name}", thing)
    return piece


def _fields(piece: Piece, kind: Any) -> None:
    """Note the fields of a dataclass: what its generated methods are made of."""
    for f in dataclasses.fields(kind):
        piece.values.append((f"field {f.name}", pack([f.init, f.repr, f.hash, f.compare, bool(f.kw_only)])))
        for what, thing in (("default", f.default), ("factory", f.default_factory)):
            if thing is not dataclasses.MISSING:
                piece.refer(f"field {f.name} {what}", thing)
        if f.metadata:
            piece.refer(f"field {f.name} metadata", dict(f.metadata), needed=False)
    piece.values.append(("dataclass", pack(repr(kind.__dataclass_params__))))


def _attrs_fields(piece: Piece, kind: Any) -> None:
    """Note the fields of a class of attrs, and which methods attrs has made of them."""
    made = sorted(name for name, thing in vars(kind).items() if _is_made(kind, name, thing))
    piece.values.append(("attrs", pack(made)))
    piece.edges.append(("attrs", sys.modules["attr"]))
    for f in kind.__attrs_attrs__:
        piece.values.append((f"field {f.name}", pack([bool(f.init), bool(f.kw_only), bool(f.inherited), f.alias])))
        factory = getattr(f.default, "factory", None)
        if factory is not None:
            piece.refer(f"field {f.name} factory", [factory, bool(f.default.takes_self)])
        for name in (
            "default",
            "validator",
            "converter",
            "on_setattr",
            "repr",
            "eq",
            "eq_key",
            "order",
            "order_key",
            "hash",
        ):
            if name != "default" or factory is None:
                piece.refer(f"field {f.name} {name}", getattr(f, name))
        if f.metadata:
            piece.refer(f"field {f.name} metadata", dict(f.metadata), needed=False)


def _is_made(kind: type, name: str, thing: Any) -> bool:
    """Tell whether Python made a class attribute itself, out of what is noted anyhow."""
    if isinstance(thing, (types.MemberDescriptorType, types.GetSetDescriptorType)):
        return True  # slots
    if issubclass(kind, enum.Enum):
        return name in kind.__members__ or (name in _MADE_FOR_ENUMS and not callable(thing))
    if "_fields" in vars(kind) and issubclass(kind, tuple) and (name == "__new__" or _is_getter(thing)):
        return True
    function = getattr(thing, "__func__", thing)
    code = getattr(getattr(function, "__wrapped__", function), "__code__", None)
    if code is not None and "__attrs_attrs__" in vars(kind) and code.co_filename.startswith("<attrs generated"):
        return True
    return code is not None and code.co_qualname.startswith(_MADE_BY)


def _is_getter(thing: object) -> bool:
    return type(thing).__name__ == "_tuplegetter"


_MADE_FOR_ENUMS: Final = frozenset({
    "_member_names_", "_member_map_", "_value2member_map_", "_hashable_values_", "_unhashable_values_",
    "_unhashable_values_map_", "_member_type_", "_use_args_", "_value_repr_", "_flag_mask_", "_all_bits_",
    "_singles_mask_", "_inverted_", "_new_member_", "_sort_order_",
})  # fmt: skip
_OF_ATTRS: Final = "default validator converter on_setattr repr eq eq_key order order_key hash".split()
_MADE_BY: Final = (
    "__create_fn__.<locals>.", "namedtuple.<locals>.", "_ClassBuilder.",  # dataclasses, collections.namedtuple, attrs
)  # fmt: skip
