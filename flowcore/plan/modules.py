"""What a function reads from modules that other processes load for themselves.

Owns :func:`module_identities`: for each of the user's modules that goes to another
process by name, one digest of what was read from it. Functions, classes and values that
travel by value enter none, since they are the same everywhere; what their modules hold
is not. Promises equal digests in two processes whose modules agree in all that the
function reaches, whatever else the modules hold.
"""

from __future__ import annotations

import sys
import types
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from blake3 import blake3

from flowcore.plan.encode import NoEncoding
from flowcore.plan.extension import pack
from flowcore.plan.functions import bare_function
from flowcore.plan.importing import importable
from flowcore.plan.libraries import origin_of
from flowcore.plan.pieces import Piece
from flowcore.plan.reach import Walk

_CONTEXT = "flowcore v1 modules"
Modules = tuple[tuple[str, bytes], ...]


class ModuleWalk(Walk):
    """A walk that tells, module by module, what it met."""

    def identities(self) -> Modules:
        """Give a digest for each module that was read, in the order of names."""
        owners = self._owners()
        read: dict[str, set[bytes]] = defaultdict(set)
        for number, piece in enumerate(self._order):
            entry = pack([piece.form, sorted(map(list, self._said(number, piece)))]) if owners[number] else b""
            for module in owners[number]:
                read[module].add(entry)
            for name, said in self._said(number, piece):
                source = _source(self._waiting[number], name)
                if source is not None:
                    read[source[0]].add(pack([source[1], said]))
        return tuple((name, _digest(read[name])) for name in sorted(read))

    def _said(self, number: int, piece: Piece) -> Iterator[tuple[str, bytes]]:
        """Give what a piece refers to, by names that do not depend on where the walk began."""
        for name, component in piece.values:
            if isinstance(component, bytes) and not self._left_out(name, number):
                yield name, component
        for name, thing in piece.edges:
            if not self._left_out(name, number):
                bare = bare_function(thing)
                yield name, pack([home(bare) or "", self._order[self._number(bare)].form])

    def _owners(self) -> list[set[str]]:
        """Give the modules that each thing comes from; what has no name of its own comes from what holds it."""
        own = [home(thing) for thing in self._waiting]
        owners = [{name} if name else set[str]() for name in own]
        changed = list(range(len(own)))
        while changed:
            number = changed.pop()
            for name, thing in self._order[number].edges:
                inner = self._number(thing) if not self._left_out(name, number) else number
                source = _source(self._waiting[number], name)
                given = owners[number] | ({source[0]} if source is not None else set())
                if inner != number and not own[inner] and not given <= owners[inner]:
                    owners[inner] |= given
                    changed.append(inner)
        return owners


def module_identities(
    function: Callable[..., object],
    *,
    pieces: dict[int, tuple[object, Piece]],
    ignore: Iterable[str] = (),
    tracks: Iterable[object] = (),
) -> Modules:
    """Give the name of each module of the user that `function` reads, with a digest of what is read.

    Raises
    ------
    NoEncoding
        If a global, default or closure has no canonical encoding.
    """
    walk = ModuleWalk(pieces, ignore=ignore)
    walk.digest([("", bare_function(function)), *(("tracked", thing) for thing in tracks)])
    return walk.identities()


def differing(here: Modules, there: Callable[[], Modules]) -> str:
    """Name the first module of `here` that is another one according to `there`; empty if none is."""
    try:
        found = dict(there())
    except NoEncoding:  # it was encoded where `here` was made
        return here[0][0]
    return next((name for name, digest in here if found.get(name) != digest), "")


def home(thing: Any) -> str:
    """Give the module of the user from which another process would import this very thing; empty if none."""
    if isinstance(thing, types.ModuleType):
        return thing.__name__ if _travels_by_name(thing) else ""
    if not isinstance(thing, types.FunctionType | type):
        return ""
    module = sys.modules.get(thing.__module__ or "")
    if module is None or not _travels_by_name(module):
        return ""
    found: Any = module
    for part in thing.__qualname__.split("."):
        found = getattr(found, part, None)
    return module.__name__ if bare_function(found) is thing else ""


def _travels_by_name(module: types.ModuleType) -> bool:
    name = module.__name__
    if name == "__main__" or sys.modules.get(name) is not module or origin_of(vars(module)).kind != "user":
        return False
    return importable(name)


def _source(thing: object, name: str) -> tuple[str, str] | None:
    """Tell which module a reference goes through, and by which attributes; None if through none."""
    head, _, chain = name.partition(" -> ")[0].partition(" ")
    if head == "import":
        module = chain.rpartition(".")[0]
        found = sys.modules.get(module)
        return (module, name) if found is not None and _travels_by_name(found) else None
    if head != "global" or not isinstance(thing, types.FunctionType):
        return None
    first, _, rest = chain.partition(".")
    through = thing.__globals__.get(first)
    if not rest or not isinstance(through, types.ModuleType) or not _travels_by_name(through):
        return None
    return through.__name__, name.removeprefix(f"global {first}")


def _digest(entries: Iterable[bytes]) -> bytes:
    return blake3(pack(sorted(entries)), derive_key_context=_CONTEXT).digest()
