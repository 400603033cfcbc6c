"""One thing that code reaches, by itself: its own form, its values, and what it leads to.

Owns the *piece*: what a function, class, module or library call is without the things
it refers to. `plan/reach.py` walks from piece to piece. Promises that a piece depends
on nothing but the thing: not on where the walk began, and not on what else was met.
"""

from __future__ import annotations

import functools
import operator
import sys
import types
from collections.abc import Callable
from dataclasses import field
from typing import Any, Final

from flowcore.dataclass import dataclass
from flowcore.declare.injected import kind_of
from flowcore.plan.bytecode import code_form
from flowcore.plan.encode import NoEncoding, class_name, identify
from flowcore.plan.extension import LIBRARY, digest_of, kind_name, pack
from flowcore.plan.functions import bare_function
from flowcore.plan.libraries import Origin, origin_of, origin_of_module
from flowcore.plan.streams import RNG


@dataclass(slots=True)
class Piece:
    """One thing reached, and what it refers to."""

    label: str  # for humans: "helper pkg.mod:advance", "library numpy==2.4.6"; empty: not worth telling
    form: bytes  # its own identity, without name, place and references
    values: list[tuple[str, bytes | NoEncoding]] = field(default_factory=list)
    edges: list[tuple[str, object]] = field(default_factory=list)  # how it is referred to, and the thing
    unfollowed: list[str] = field(default_factory=list)
    asks: list[tuple[str, str]] = field(default_factory=list)  # a default that cells are supplied for, and its kind
    draws: list[str] = field(default_factory=list)  # functions that draw from the process's own random stream

    def refer(self, name: str, thing: object, *, needed: bool = True, place: str = "") -> None:
        """Note something this piece refers to, as a value or as a thing of its own.

        What has no encoding is noted as such if it is needed, or if the user's classes made
        it; else as not followed: a library's own affairs.
        `place` goes before its name for humans, and not into identities.
        """
        if is_followed(thing):
            self.edges.append((name, thing))
            return
        try:
            component, met = value_of(thing)
        except NoEncoding as refused:
            if needed or _is_users(refused.kind):
                hint = _hint(name, place, refused.hint)
                self.values.append((name, NoEncoding(f"{place}{name}{refused.path}", refused.kind, hint)))
            else:
                self.unfollowed.append(f"{name}{refused.path} ({refused.kind})")
            return
        self.values.append((name, component))
        self.edges += [(f"{name} -> {i}", inner) for i, inner in enumerate(met)]


def _is_users(kind: str) -> bool:
    """Tell whether a class, by its full name, is the user's: not of a library, nor of Python."""
    module = kind
    while "." in module:
        module = module.rpartition(".")[0]
        if module in sys.modules:
            return module == "__main__" or origin_of_module(module).kind == "user"
    return False


def _hint(name: str, place: str, known: str) -> str:
    """Say what to do about something without encoding that code reads: a global can be left out by its name."""
    head, _, called = name.partition(" ")
    if place:  # of a module that is used as a whole
        left = f"read what is needed of {place.removesuffix('.')} by name, as in {place}{name}"
    elif head in ("global", "import"):
        left = f'leave it out with ignore=("global:{called}",), say cache=False, or pass it as an argument'
    else:
        return known
    return f"{known}, or {left}" if known else left


def value_of(value: object) -> tuple[bytes, list[object]]:
    """Give the identity of a value, and the functions, classes and libraries' values it holds.

    These enter as what they are alone; the walk follows them. They are sorted by that,
    because sets have no order; members that look alike stay in theirs.
    """
    met: list[tuple[bytes, object]] = []

    def function_alone(function: object) -> bytes:
        alone = alone_form(function)
        met.append((alone, function))
        return alone

    def class_met(kind: type) -> bytes:
        classes.append(kind)  # asked in the order of names
        return b""

    classes: list[object] = []
    encoded = identify(value, class_identity=class_met, function_identity=function_alone)
    met.sort(key=operator.itemgetter(0))
    libraries = [name.removeprefix(LIBRARY) for name, _ in encoded.classes if name.startswith(LIBRARY)]
    return encoded.component, [thing for _, thing in met] + classes + [sys.modules[name] for name in libraries]


def _empty(kind: type) -> bytes:  # noqa: ARG001
    return b""


def alone_form(thing: Any) -> bytes:
    """Give what a function or class is without anything it refers to."""
    if kind_name(type(thing)) in _BY_NAME and not is_sealed(thing):
        raise NoEncoding("", kind_name(type(thing)), "no library has it by this name: call the function it is made of")
    if isinstance(thing, types.FunctionType):
        return digest_of(code_form(thing.__code__, constant_identity))
    name = f"{getattr(thing, '__module__', '')}:{getattr(thing, '__qualname__', kind_name(type(thing)))}"
    return digest_of(name.encode("utf-8", "surrogatepass"))


def constant_identity(value: object) -> bytes:
    """Give the identity of a constant in code: tagged by type, sets in an order of their own."""
    return identify(value, class_identity=_empty, function_identity=_no_function).component


def _no_function(function: object) -> bytes:
    raise NoEncoding("", kind_name(type(function)))


_NAMED: Final = (
    types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType, types.MethodWrapperType,
    types.ClassMethodDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType,
)  # fmt: skip
_WRAPPERS: Final = (staticmethod, classmethod, property, functools.cached_property, functools.partial,
                    functools.partialmethod, functools.singledispatchmethod)  # fmt: skip
_GETTERS: Final = (operator.itemgetter, operator.attrgetter, operator.methodcaller)
_INERT: Final = frozenset({
    "_thread.lock", "_thread.RLock", "object", "__future__._Feature",
    "threading.Condition", "threading.Event", "threading.Semaphore", "threading.BoundedSemaphore", "threading.Barrier",
    "logging.Logger", "logging.RootLogger", "logging.LoggerAdapter", "typing.TypeVar", "typing.ParamSpec",
    "typing.TypeVarTuple", "typing.NewType", "typing.TypeAliasType", "_abc._abc_data", "warnings.catch_warnings",
    "dataclasses._MISSING_TYPE", "dataclasses._HAS_DEFAULT_FACTORY_CLASS", "dataclasses._KW_ONLY_TYPE",
})  # fmt: skip
_FOLLOWED: Final = (
    types.FunctionType, types.MethodType, types.ModuleType, type, *_NAMED, *_WRAPPERS, *_GETTERS,
)  # fmt: skip
_BY_NAME: Final = ("numpy.ufunc", "numpy._ArrayFunctionDispatcher")
_HOLD_UFUNCS: Final = ("numpy", "scipy.special", "numpy.strings")
_VECTORIZE: Final = "numpy.vectorize"
_WRITTEN: Final = (
    "types.GenericAlias",
    "types.UnionType",
    "collections.abc._CallableGenericAlias",
)  # of what annotations are made


def is_inert(thing: object) -> bool:
    """Tell whether a thing cannot change a result: locks, loggers, marks, and what annotations are made of."""
    return any(kind_name(kind) in _INERT for kind in type(thing).__mro__[:-1]) or type(thing) is object


def is_followed(thing: object) -> bool:
    """Tell whether a thing is followed (or named), rather than taken as a value."""
    if isinstance(thing, _FOLLOWED):
        return True
    name = kind_name(type(thing))
    if name == _VECTORIZE or name.startswith("flowcore.declare.task.Task") or _is_written(thing):
        return True
    return is_inert(thing) or "__wrapped__" in getattr(thing, "__dict__", ()) or is_sealed(thing)


def _is_written(thing: object) -> bool:
    """Tell whether a thing is what annotations are made of: `list[int]`, `int | None`, `Annotated[float, ...]`."""
    name = kind_name(type(thing))
    return name.startswith("typing._") or name in _WRITTEN


def _written_piece(thing: Any) -> Piece:
    """Give the piece of an alias of types: of `Box[int]` the class Box, for calling one calls the other."""
    parts = [*getattr(thing, "__args__", ()), *getattr(thing, "__metadata__", ())]
    if not parts:
        return Piece("", pack(["written", repr(thing)]))
    piece = Piece("", pack(["written", kind_name(type(thing)), str(getattr(thing, "_name", ""))]))
    for place, part in enumerate([getattr(thing, "__origin__", None), *parts]):
        if kind_name(type(part)) == "typing.ForwardRef":
            piece.values.append((f"type {place}", pack(repr(part))))
        else:
            piece.refer(f"type {place}", part, needed=False)
    return piece


def is_sealed(thing: Any) -> bool:
    """Tell whether a thing is a callable of a library that is known by name: a ufunc or a dispatcher of numpy.

    The name alone does not make it one: ufuncs are made of users' functions too.
    """
    kind = kind_name(type(thing))
    if kind == "numpy.ufunc":
        return _ufunc_home(thing) != ""
    return kind in _BY_NAME and origin_of_module(getattr(thing, "__module__", None)).kind != "user"


def _ufunc_home(ufunc: Any) -> str:
    """Give the module of a library that has this very ufunc; empty if none has."""
    for module in _HOLD_UFUNCS:
        if getattr(sys.modules.get(module), ufunc.__name__, None) is ufunc:
            return module
    return ""


def _label(origin: Origin) -> str:
    """Give the name of a distribution for humans."""
    if origin.kind in ("stdlib", "own"):
        return ""
    return f"library {origin.name}=={origin.version}" if origin.kind == "library" else "extension module"


def named_piece(thing: Any) -> Piece:
    """Give the piece of something known by library and name."""
    module = getattr(thing, "__module__", None)
    bound = getattr(thing, "__self__", None)
    owner = getattr(thing, "__objclass__", None)
    if module is None and isinstance(bound, types.ModuleType):
        module = bound.__name__
    if module is None and owner is not None:
        module = owner.__module__
    if kind_name(type(thing)) == "numpy.ufunc":
        module = _ufunc_home(thing)
    name = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", kind_name(type(thing)))
    piece = library_piece(origin_of_module(module), f"{module}:{name}")
    if isinstance(thing, (types.BuiltinFunctionType, types.MethodWrapperType)) and bound is not None:
        if isinstance(bound, type):
            piece.edges.append(("bound self", bound))
        elif not isinstance(bound, types.ModuleType):
            piece.refer("bound self", bound)
    return piece


def library_piece(origin: Origin, name: str) -> Piece:
    """Give the piece of a module or object of a library: distribution, version, name."""
    version = "" if origin.kind in ("stdlib", "own") else origin.version
    return Piece(_label(origin), pack(["library", origin.kind, origin.name, version, name]))


def function_piece(function: types.FunctionType, read: Callable[[Piece, types.FunctionType], bool]) -> Piece:
    """Give the piece of a Python function; `read` notes what its code reads, and tells if docstrings matter."""
    origin = origin_of(function.__globals__)
    if origin.kind != "user":
        module = function.__globals__.get("__name__")
        piece = library_piece(origin, f"{module}:{function.__qualname__}")
        _closure(piece, function, needed=False)
        if "<locals>" in function.__qualname__ or function.__closure__:  # made there, but perhaps of the user's parts
            piece.form += alone_form(function)
        return piece
    piece = Piece(f"helper {class_name(function)}", b"")
    doc = read(piece, function)
    form = code_form(function.__code__, constant_identity, doc=doc, own=own_name(function))
    piece.form = pack(["function", form])
    if doc:
        piece.refer("docstring", function.__doc__)
    _defaults(piece, function)
    _closure(piece, function, needed=True)
    for name, held in sorted(vars(function).items()):
        if not name.startswith("__"):  # whoever is handed the function may read it
            piece.refer(f"attribute {name}", held, needed=False)
    return piece


def own_name(function: types.FunctionType) -> str:
    """Give the global name by which a function reads itself; empty if its name leads elsewhere."""
    name = function.__name__
    return name if bare_function(function.__globals__.get(name)) is function else ""


def _defaults(piece: Piece, function: types.FunctionType) -> None:
    defaults = function.__defaults__ or ()
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    for name, default in zip(names[len(names) - len(defaults) :], defaults, strict=True):
        _default(piece, name, default, function.__name__)
    for name, default in sorted((function.__kwdefaults__ or {}).items()):
        _default(piece, name, default, function.__name__)


def _default(piece: Piece, name: str, default: object, function: str) -> None:
    """Note a default; one that asks to be supplied by its kind alone, and a stream's by who asks for it (K21)."""
    kind = kind_of(default)
    if not kind:
        piece.refer(f"default {name}", default)
        return
    piece.asks.append((f"default {name}", kind))
    piece.values.append((f"default {name}", digest_of(pack(["asks", kind, function if kind == RNG else ""]))))


def _closure(piece: Piece, function: types.FunctionType, *, needed: bool) -> None:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            held = cell.cell_contents
        except ValueError:  # not filled yet
            piece.values.append((f"closure {name}", b"empty"))
            continue
        piece.refer(f"closure {name}", held, needed=needed)
    wrapped = getattr(function, "__wrapped__", None)
    if callable(wrapped):
        piece.refer("wrapped", wrapped)


def wrapper_piece(thing: Any) -> Piece:
    """Give the piece of what wraps functions: partial, bound method, property, and `__wrapped__` at large."""
    origin = origin_of_module(type(thing).__module__)
    piece = library_piece(origin, "" if origin.kind == "user" else kind_name(type(thing)))
    if isinstance(thing, (functools.partial, functools.partialmethod)):
        piece.refer("partial function", thing.func)
        piece.refer("partial args", thing.args)
        keywords = sorted(thing.keywords.items())
        piece.refer("partial keywords", {name: value for name, value in keywords if not kind_of(value)})
        for name, value in keywords:
            if kind_of(value):
                _default(piece, name, value, getattr(thing.func, "__name__", ""))
    elif isinstance(thing, property):
        for name, accessor in (("get", thing.fget), ("set", thing.fset), ("delete", thing.fdel)):
            if accessor is not None:
                piece.refer(name, accessor)
    elif isinstance(thing, types.MethodType):
        piece.refer("bound function", thing.__func__)
        piece.refer("bound self", thing.__self__)
    elif kind_name(type(thing)) == _VECTORIZE:
        for name in ("pyfunc", "otypes", "excluded", "signature"):
            piece.refer(f"vectorize {name}", getattr(thing, name, None))
    elif isinstance(thing, functools.singledispatchmethod):
        piece.refer("dispatcher", thing.dispatcher)
    elif isinstance(thing, _GETTERS):
        piece.refer("arguments", thing.__reduce__()[1])
    elif origin.kind != "user":
        names = [n for n in ("__wrapped__", "__func__", "func") if callable(getattr(thing, n, None))]
        for name in names[:1]:
            piece.refer(name, getattr(thing, name))
    if origin.kind == "user":  # a class derived from one of these included: its methods do run
        _instance(piece, thing)
    return piece


def _instance(piece: Piece, thing: Any, *, needed: bool = True) -> None:
    """Note an instance of a user's class, such as a decorator: its class, what it wraps, and what it holds."""
    piece.edges.append(("class", type(thing)))
    held = dict(getattr(thing, "__dict__", {}))
    slots = [vars(kind).get("__slots__", ()) for kind in type(thing).__mro__]
    for name in (name for names in slots for name in ([names] if isinstance(names, str) else names)):
        if hasattr(thing, name) and name not in ("__dict__", "__weakref__"):
            held[name] = getattr(thing, name)
    for name, value in sorted(held.items()):
        if name not in functools.WRAPPER_ASSIGNMENTS:
            piece.refer(f"attribute {name}", value, needed=needed)


def other_piece(thing: Any) -> Piece:
    """Give the piece of what is followed and is no function, class or module."""
    if is_inert(thing):
        piece = Piece("", pack(["inert"]))
        if kind_name(type(thing)) not in _INERT:  # of a class derived from an inert one: its methods do run
            _instance(piece, thing, needed=False)
        return piece
    if _is_written(thing):
        return _written_piece(thing)
    if isinstance(thing, _NAMED) or is_sealed(thing):
        return named_piece(thing)
    return wrapper_piece(thing)
