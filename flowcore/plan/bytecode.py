"""The canonical form of running bytecode, and what it reads from outside.

Owns how a code object becomes bytes (K4): instructions, constants with their types,
names, variables, cells, argument counts, flags, exception table and magic number;
nested code likewise. Leaves out what does not change what runs: file name, line
numbers, its own name, docstring, and annotations kept outside the code. Constants go by
value and not by position, so a docstring does not shift them. `co_code` is the form
without specialisation or instrumentation, so warm, traced and covered code is the same.
"""

from __future__ import annotations

import importlib.util
import opcode
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from types import CodeType
from typing import Final

from flowcore.dataclass import dataclass
from flowcore.plan.extension import pack

MAGIC: Final = importlib.util.MAGIC_NUMBER

_EXTENDED: Final = opcode.opmap["EXTENDED_ARG"]
_CACHE: Final = opcode.opmap["CACHE"]
_WITH_CONSTANT: Final = frozenset(opcode.hasconst)
_GLOBAL_LOADS: Final = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
_LOADS: Final = frozenset(opcode.opmap[n] for n in _GLOBAL_LOADS if n in opcode.opmap)
_NAME_STORES: Final = frozenset(opcode.opmap[n] for n in ("STORE_GLOBAL", "STORE_NAME") if n in opcode.opmap)
_LOCAL: Final = {
    operation: touches
    for name, operation in opcode.opmap.items()
    if (touches := re.findall("(LOAD|STORE)_(?:FAST|CLASSDEREF|FROM_DICT_OR_DEREF|DEREF)", name))
}  # what each instruction does to local variables; some do two things at once
_GLOBAL: Final = opcode.opmap["LOAD_GLOBAL"]
_ATTRIBUTE: Final = opcode.opmap["LOAD_ATTR"]
_SUPER: Final = opcode.opmap.get("LOAD_SUPER_ATTR", -1)
_NAMED_OPERATIONS: Final = frozenset(opcode.hasname)
_METHOD: Final = opcode.opmap.get("LOAD_METHOD", -1)
_IMPORT: Final = opcode.opmap["IMPORT_NAME"]
_IMPORT_FROM: Final = opcode.opmap["IMPORT_FROM"]
_SMALL_INT: Final = opcode.opmap.get("LOAD_SMALL_INT", -1)
_ATTRIBUTE_SHIFT: Final = 1 if sys.version_info >= (3, 12) else 0
_CONTEXT_FLAGS: Final = 0x04 | 0x08 | 0x20 | 0x80 | 0x100 | 0x200  # *args, **kwargs, generators and coroutines


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One use of what an import statement in a body binds."""

    module: str
    level: int
    taken: str | None  # the name taken from the module; None: the module itself
    top: bool  # `import a.b` binds a, `import a.b as c` binds a.b
    attributes: tuple[str, ...] = ()  # read at once from what is bound; none: it is used as a whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """What code, with the code nested in it, takes from outside."""

    names: tuple[tuple[str, ...], ...]  # global names with the attributes read from them at once: ("np", "linalg")
    imports: tuple[Import, ...]
    doc: bool  # whether docstrings are read


def instructions(code: CodeType) -> Iterator[tuple[int, int]]:
    """Yield operation and argument of each instruction, without caches."""
    raw = code.co_code
    extended = 0
    for i in range(0, len(raw), 2):
        operation, argument = raw[i], raw[i + 1]
        if operation == _CACHE:
            continue
        if operation == _EXTENDED:
            extended = (extended | argument) << 8
            continue
        yield operation, extended | argument
        extended = 0


def code_form(code: CodeType, constant: Callable[[object], bytes], *, doc: bool = False, own: str = "") -> bytes:
    """Give the canonical form of `code`.

    Parameters
    ----------
    code : code
        Of a function or class body.
    constant : callable
        Gives the identity of a constant that is not code itself.
    doc : bool
        Whether docstrings count, because something reads them.
    own : str
        The global name by which the code reads the function that it is; a function that
        calls itself may be renamed like any other.
    """
    names = _without_own(code, own)
    stream = bytearray()
    constants: list[object] = []
    places: dict[int, int] = {}
    for operation, argument in instructions(code):
        if operation in _WITH_CONSTANT and operation != _SMALL_INT:
            if argument not in places:
                places[argument] = len(places)
                held = code.co_consts[argument]
                nested = isinstance(held, CodeType)
                constants.append(code_form(held, constant, doc=doc, own=own) if nested else constant(held))
            argument = places[argument]
        stream.append(operation)
        stream += argument.to_bytes(4, "little")
    described = code.co_consts[0] if doc and code.co_consts and isinstance(code.co_consts[0], str) else None
    return pack([
        MAGIC, bytes(stream), constants, names, list(code.co_varnames), list(code.co_cellvars),
        list(code.co_freevars), code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount,
        code.co_flags & _CONTEXT_FLAGS, code.co_exceptiontable, described,
    ])  # fmt: skip


def _without_own(code: CodeType, own: str) -> list[object]:
    """Give the names of the code, None for its own where that is read as a global and nothing else."""
    if not own or own not in code.co_names:
        return list(code.co_names)
    place = code.co_names.index(own)
    for operation, argument in instructions(code):
        if operation in _NAMED_OPERATIONS and operation != _GLOBAL and _place_of(operation, argument) == place:
            return list(code.co_names)  # also the name of an attribute, say: then it means something
    return [None if name == own else name for name in code.co_names]


def _place_of(operation: int, argument: int) -> int:
    """Give the place of the name that an instruction takes."""
    if operation == _ATTRIBUTE:
        return argument >> _ATTRIBUTE_SHIFT
    return argument >> 2 if operation == _SUPER else argument


def reads_of(code: CodeType) -> Reads:
    """Give what `code` and the code nested in it read from outside, each once, in order."""
    names: dict[tuple[str, ...], None] = {}
    chains: dict[tuple[str, ...], None] = {}  # of local variables too
    bindings: dict[tuple[str, Import], None] = {}
    doc = False
    waiting = [code]
    while waiting:
        one = waiting.pop()
        doc = doc or "__doc__" in one.co_names
        for local, chain in _chains(one):
            chains[chain] = None
            if not local:
                names[chain] = None
        bindings.update(dict.fromkeys(_bindings(one)))
        waiting += [c for c in one.co_consts if isinstance(c, CodeType)]
    return Reads(names=tuple(names), imports=tuple(_uses(bindings, chains)), doc=doc)


def _chains(code: CodeType) -> Iterator[tuple[bool, tuple[str, ...]]]:
    """Yield the variables that are read, with the attributes read from them at once; whether each is local."""
    chain: tuple[str, ...] = ()
    local = False
    for operation, argument in instructions(code):
        if chain and operation == _ATTRIBUTE:
            chain += (code.co_names[argument >> _ATTRIBUTE_SHIFT],)
            continue
        if chain and operation == _METHOD:
            chain += (code.co_names[argument],)
            continue
        if chain:
            yield local, chain
        chain, local = (), operation not in _LOADS
        if not local:
            chain = (code.co_names[argument >> (operation == _GLOBAL)],)
        for what, variable in _touched(code, operation, argument):
            if what == "LOAD":
                if chain:
                    yield local, chain
                chain = (variable,)
    if chain:
        yield local, chain


def _touched(code: CodeType, operation: int, argument: int) -> Iterator[tuple[str, str]]:
    """Yield what an instruction does to variables: LOAD or STORE, and the variable."""
    if operation in _NAME_STORES:
        yield "STORE", code.co_names[argument]
        return
    touches = _LOCAL.get(operation, ())
    places = (argument,) if len(touches) < 2 else (argument >> 4, argument & 15)
    for what, place in zip(touches, places, strict=False):
        if place < len(code.co_varnames):
            name = code.co_varnames[place]
        else:
            cells = [c for c in code.co_cellvars if c not in code.co_varnames] + list(code.co_freevars)
            name = cells[place - len(code.co_varnames)]
        yield what, name


def _bindings(code: CodeType) -> Iterator[tuple[str, Import]]:
    """Yield what import statements in the body bind; two constants before each are its level and its names."""
    loaded: list[object] = [0, None]
    pending: Import | None = None
    several = False  # `from a import b, c` binds more than once
    taken: str | None = None
    for operation, argument in instructions(code):
        stored = [variable for what, variable in _touched(code, operation, argument) if what == "STORE"]
        if operation == _IMPORT:
            level, names = loaded[-2:]
            several, taken = isinstance(names, tuple), None
            module = code.co_names[argument]
            pending = Import(module=module, level=level if isinstance(level, int) else 0, taken=None, top=False)
        elif operation == _IMPORT_FROM:
            taken = code.co_names[argument]
        elif pending is not None and stored and (taken is not None or not several):
            yield stored[0], replace(pending, taken=taken if several else None, top=taken is None)
            taken, pending = None, pending if several else None
        elif operation == _SMALL_INT:
            loaded.append(argument)
        elif operation in _WITH_CONSTANT:
            loaded.append(code.co_consts[argument])


def _uses(bindings: Iterable[tuple[str, Import]], chains: Iterable[tuple[str, ...]]) -> Iterator[Import]:
    """Yield each use of what is imported; what no code here uses by name counts as a whole."""
    by_variable: dict[str, list[tuple[str, ...]]] = {}
    for variable, *attributes in chains:
        by_variable.setdefault(variable, []).append(tuple(attributes))
    for variable, binding in bindings:
        for attributes_read in by_variable.get(variable, [()]):
            yield replace(binding, attributes=attributes_read)
