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
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Final

from flowcore.plan.extension import pack

MAGIC: Final = importlib.util.MAGIC_NUMBER

_EXTENDED: Final = opcode.opmap["EXTENDED_ARG"]
_CACHE: Final = opcode.opmap["CACHE"]
_WITH_CONSTANT: Final = frozenset(opcode.hasconst)
_LOADS: Final = frozenset(opcode.opmap[n] for n in ("LOAD_GLOBAL", "LOAD_NAME") if n in opcode.opmap)
_GLOBAL: Final = opcode.opmap["LOAD_GLOBAL"]
_ATTRIBUTE: Final = opcode.opmap["LOAD_ATTR"]
_METHOD: Final = opcode.opmap.get("LOAD_METHOD", -1)
_IMPORT: Final = opcode.opmap["IMPORT_NAME"]
_SMALL_INT: Final = opcode.opmap.get("LOAD_SMALL_INT", -1)
_ATTRIBUTE_SHIFT: Final = 1 if sys.version_info >= (3, 12) else 0
_CONTEXT_FLAGS: Final = 0x04 | 0x08 | 0x20 | 0x80 | 0x100 | 0x200  # *args, **kwargs, generators and coroutines


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """What code, with the code nested in it, takes from outside."""

    names: tuple[tuple[str, ...], ...]  # global names with the attributes read from them at once: ("np", "linalg")
    imports: tuple[tuple[str, int, tuple[str, ...]], ...]  # module, level, names taken from it
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


def code_form(code: CodeType, constant: Callable[[object], bytes], *, doc: bool = False) -> bytes:
    """Give the canonical form of `code`.

    Parameters
    ----------
    code : code
        Of a function or class body.
    constant : callable
        Gives the identity of a constant that is not code itself.
    doc : bool
        Whether docstrings count, because something reads them.
    """
    stream = bytearray()
    constants: list[object] = []
    places: dict[int, int] = {}
    for operation, argument in instructions(code):
        if operation in _WITH_CONSTANT and operation != _SMALL_INT:
            if argument not in places:
                places[argument] = len(places)
                held = code.co_consts[argument]
                nested = isinstance(held, CodeType)
                constants.append(code_form(held, constant, doc=doc) if nested else constant(held))
            argument = places[argument]
        stream.append(operation)
        stream += argument.to_bytes(4, "little")
    described = code.co_consts[0] if doc and code.co_consts and isinstance(code.co_consts[0], str) else None
    return pack([
        MAGIC, bytes(stream), constants, list(code.co_names), list(code.co_varnames), list(code.co_cellvars),
        list(code.co_freevars), code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount,
        code.co_flags & _CONTEXT_FLAGS, code.co_exceptiontable, described,
    ])  # fmt: skip


def reads_of(code: CodeType) -> Reads:
    """Give what `code` and the code nested in it read from outside, each once, in order."""
    names: dict[tuple[str, ...], None] = {}
    imports: dict[tuple[str, int, tuple[str, ...]], None] = {}
    doc = False
    waiting = [code]
    while waiting:
        one = waiting.pop()
        doc = doc or "__doc__" in one.co_names
        names.update(dict.fromkeys(_chains(one)))
        imports.update(dict.fromkeys(_imports(one)))
        waiting += [c for c in one.co_consts if isinstance(c, CodeType)]
    return Reads(names=tuple(names), imports=tuple(imports), doc=doc)


def _chains(code: CodeType) -> Iterator[tuple[str, ...]]:
    chain: tuple[str, ...] = ()
    for operation, argument in instructions(code):
        if chain and operation == _ATTRIBUTE:
            chain += (code.co_names[argument >> _ATTRIBUTE_SHIFT],)
            continue
        if chain and operation == _METHOD:
            chain += (code.co_names[argument],)
            continue
        if chain:
            yield chain
        chain = (code.co_names[argument >> (operation == _GLOBAL)],) if operation in _LOADS else ()
    if chain:
        yield chain


def _imports(code: CodeType) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Yield what import statements in the body name; two constants before each are its level and its names."""
    loaded: list[object] = [0, None]
    for operation, argument in instructions(code):
        if operation == _IMPORT:
            level, names = loaded[-2:]
            taken = names if isinstance(names, tuple) else ()
            yield code.co_names[argument], level if isinstance(level, int) else 0, taken
        elif operation == _SMALL_INT:
            loaded.append(argument)
        elif operation in _WITH_CONSTANT:
            loaded.append(code.co_consts[argument])
