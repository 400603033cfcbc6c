"""The rules of the house, each a function from rooms to findings. Their tables stand in `tables.py`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import networkx as nx

from tests.house.rooms import Function, Import, Room

FORBIDDEN = frozenset({"util", "utils", "helper", "helpers", "common", "manager", "managers", "base", "bases", "misc"})
ROOM_LINES = 400
FUNCTION_LINES = 60  # without its docstring
PARAMETERS = 7  # without self and cls


@dataclass(frozen=True, slots=True, kw_only=True)
class Seam:
    """Calls that one room makes for all others."""

    home: str
    scope: str = "flowcore"  # the package that it holds for
    names: re.Pattern[str]  # of full dotted names
    methods: frozenset[str] = frozenset()  # of any object that is not the seam's own
    own: re.Pattern[str] = re.compile("(?!)")  # objects whose methods are the seam
    allowed: Mapping[str, tuple[str, str]]  # room -> (pattern of names it may use, reason)


def _modules(rooms: Iterable[Room]) -> frozenset[str]:
    return frozenset(room.module for room in rooms)


def _floor(module: str, floors: Sequence[AbstractSet[str]]) -> int | None:
    """Give the floor of the longest listed name that `module` is or lies in."""
    found = [(len(name), i) for i, names in enumerate(floors) for name in names if f"{module}.".startswith(f"{name}.")]
    return max(found)[1] if found else None


def _own(room: Room) -> Iterator[Import]:
    return (one for one in room.imports if one.module.partition(".")[0] in {"flowcore", ""})


def relative_imports(rooms: Iterable[Room]) -> list[str]:
    """Find imports that are not absolute."""
    return [f"{r.module}:{one.line} relative import" for r in rooms for one in r.imports if one.module.startswith(".")]


def upward_imports(
    rooms: Sequence[Room], floors: Sequence[AbstractSet[str]], modules: frozenset[str] | None = None
) -> list[str]:
    """Find imports that go up, and rooms that stand on no floor."""
    modules = modules or _modules(rooms)
    found = []
    for room in rooms:
        here = _floor(room.module, floors)
        if here is None:
            found.append(f"{room.module} stands on no floor")
            continue
        for one in _own(room):
            target = one.target(modules)
            there = _floor(target, floors)
            if there is None or there > here:
                found.append(f"{room.module}:{one.line} imports {target}, which is above it")
    return found


def within(rooms: Iterable[Room], orders: Sequence[Sequence[AbstractSet[str]]], modules: frozenset[str]) -> list[str]:
    """Find imports that go up inside a package whose rooms have an order of their own."""
    found = []
    for room in rooms:
        for order in orders:
            here = _floor(room.module, order)
            for one in _own(room):
                there = _floor(one.target(modules), order)
                if here is not None and there is not None and there > here:
                    found.append(f"{room.module}:{one.line} imports {one.target(modules)}, which is above it")
    return found


def cycles(rooms: Sequence[Room]) -> list[str]:
    """Find rings of imports, those inside functions and under TYPE_CHECKING included."""
    modules = _modules(rooms)
    edges = [(room.module, one.target(modules)) for room in rooms for one in _own(room)]
    graph = nx.DiGraph(edge for edge in edges if edge[1] in modules)
    rings = [ring for ring in nx.strongly_connected_components(graph) if len(ring) > 1]
    loops = [node for node in graph if graph.has_edge(node, node)]
    return [f"cycle: {', '.join(sorted(ring))}" for ring in rings] + [f"cycle: {node}" for node in loops]


def heavy_imports(
    rooms: Iterable[Room], owners: Mapping[str, AbstractSet[str]], eager: Mapping[str, AbstractSet[str]]
) -> list[str]:
    """Find imports of heavy libraries by rooms that do not own them, or at the top where they must wait.

    `owners` says which rooms (or packages) may import a library at all, `eager` which of these may at the top.
    """
    found = []
    for room in rooms:
        for one in room.imports:
            library = one.module.partition(".")[0]
            if library not in owners:
                continue
            if not _listed(room.module, owners[library]):
                found.append(f"{room.module}:{one.line} imports {library}, which it does not own")
            elif not (one.lazy or one.typing or _listed(room.module, eager.get(library, frozenset()))):
                found.append(f"{room.module}:{one.line} imports {library} at the top, where it must wait")
    return found


def lazy_imports(
    rooms: Iterable[Room], may_wait: AbstractSet[str], reasons: Mapping[str, tuple[AbstractSet[str], str]]
) -> list[str]:
    """Find imports inside functions other than those of slow or optional libraries."""
    found = []
    for room in rooms:
        allowed = may_wait | reasons.get(room.module, (frozenset(), ""))[0]
        for one in room.imports:
            names = {one.module, one.module.partition(".")[0], f"{one.module}.{one.name}"}
            if one.lazy and not names & allowed:
                found.append(f"{room.module}:{one.line} imports {one.module} inside a function")
    return found


def _listed(module: str, names: Iterable[str]) -> bool:
    return any(f"{module}.".startswith(f"{name}.") for name in names)


def long_rooms(rooms: Iterable[Room], exceptions: Mapping[str, tuple[int, str]]) -> list[str]:
    """Find rooms that want a new noun."""
    found = []
    for room in rooms:
        lines, limit = len(room.source.splitlines()), exceptions.get(room.module, (ROOM_LINES, ""))[0]
        if lines > limit:
            found.append(f"{room.module} has {lines} lines, over {limit}")
    return found


def _length(function: Function) -> int:
    first = function.body[0]
    docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    spent = (first.end_lineno or 0) - first.lineno + 1 if docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - spent


def long_functions(rooms: Iterable[Room], exceptions: Mapping[str, tuple[int, str]]) -> list[str]:
    """Find functions that do too much at once."""
    found = []
    for room in rooms:
        for name, function in room.functions:
            full = f"{room.module}:{name}"
            if _length(function) > exceptions.get(full, (FUNCTION_LINES, ""))[0]:
                found.append(f"{full} has {_length(function)} lines")
    return found


def wide_functions(rooms: Iterable[Room], exceptions: Mapping[str, tuple[int, str]]) -> list[str]:
    """Find signatures that want a record."""
    found = []
    for room in rooms:
        for name, function in room.functions:
            given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            count = len([one for one in given if one.arg not in {"self", "cls"}])
            full = f"{room.module}:{name}"
            if count > exceptions.get(full, (PARAMETERS, ""))[0]:
                found.append(f"{full} has {count} parameters")
    return found


def bad_names(rooms: Iterable[Room]) -> list[str]:
    """Find rooms and classes whose name says nothing."""
    found = []
    for room in rooms:
        names = [*room.module.split("."), *(one.name for one in room.classes)]
        for name in names:
            words = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)
            if FORBIDDEN & {word.lower() for word in words}:
                found.append(f"{room.module}: {name} says nothing")
    return found


def undescribed(rooms: Iterable[Room]) -> list[str]:
    """Find rooms without a docstring."""
    return [f"{room.module} does not say what it owns" for room in rooms if not ast.get_docstring(room.tree)]


def around_seam(rooms: Iterable[Room], seam: Seam) -> list[str]:
    """Find calls that go round a seam."""
    found = []
    for room in rooms:
        if room.module == seam.home or not _listed(room.module, [seam.scope]):
            continue
        allowed = seam.allowed.get(room.module, ("(?!)", ""))[0]
        for name, line in room.uses:
            owner, _, method = name.rpartition(".")
            foreign = owner and not owner.startswith("flowcore.") and not seam.own.search(owner)
            goes_round = seam.names.fullmatch(name) or (method in seam.methods and foreign)
            if goes_round and not re.fullmatch(allowed, name):
                found.append(f"{room.module}:{line} uses {name}, which is for {seam.home}")
    return found


def unpicklers(rooms: Iterable[Room]) -> list[str]:
    """Find unpicklers that claim to be safe (contract S4)."""
    found = []
    for room in rooms:
        own = [one for one in room.classes if any(ast.unparse(parent).endswith("Unpickler") for parent in one.bases)]
        bad = [one for one in own if not any(_named(part, "persistent_load") for part in one.body) or _restricts(one)]
        found += [f"{room.module}:{one.lineno} {one.name} is an unpickler" for one in bad]
    return found


def _restricts(one: ast.ClassDef) -> bool:
    return any(_named(part, "find_class") for part in ast.walk(one))


def _named(part: ast.AST, name: str) -> bool:
    return isinstance(part, ast.FunctionDef) and part.name == name


def unfinished(rooms: Iterable[Room]) -> list[str]:
    """Find what was left for later."""
    found = []
    for room in rooms:
        found += [f"{room.module}:{line} {text}" for text, line in room.comments if re.search("TODO|FIXME|XXX", text)]
        found += [f"{room.module}:{line} {name}" for name, line in room.uses if name == "NotImplementedError"]
    return found


def excused_tests(rooms: Iterable[Room], allowed: Mapping[str, tuple[str, str]]) -> list[str]:
    """Find tests that may pass by not running."""
    bad = re.compile(r"pytest\.(skip|xfail|importorskip|mark\.(skip|skipif|xfail))|unittest\.skip\w*")
    found = []
    for room in rooms:
        free = allowed.get(room.module, ("(?!)", ""))[0]
        uses = [(name, line) for name, line in room.uses if bad.fullmatch(name) and not re.fullmatch(free, name)]
        found += [f"{room.module}:{line} {name}" for name, line in uses]
    return found
