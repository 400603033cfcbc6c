"""What the tests' markers say: which rows of the contract a test holds, and which saboteurs prove it.

A *patch* is a function in a room called `saboteurs...`, or a function or class beside the test that uses it, whose
docstring ends with the rows that it breaks: `(F2, F19).`. A test that is marked "H7" *names* a patch if the patch's
name stands in it, as a string (in its parametrization, say) or as itself; `rooms.SABOTEURS` names all of a room.
So a name stands once, where it is used, and there is no list of them to keep.

A row is *proven* by a patch that breaks it and that is named by an H7 test of that row.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.house.rooms import Function, Room

_ROWS = re.compile(r"\(((?:[A-Z]+\d+b?)(?:, [A-Z]+\d+b?)*)\)\.?$")
_TABLE = "SABOTEURS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A way in which flowcore is broken on purpose."""

    room: str
    name: str
    rows: tuple[str, ...]  # that its docstring says it breaks
    claim: str  # the first line of its docstring, without the rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A test that is marked with rows of the contract."""

    room: str
    name: str
    line: int
    rows: tuple[str, ...]
    patches: tuple[Patch, ...]  # that it names, if it is one of H7

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.room}:{self.line}"

    @property
    def sabotage(self) -> bool:
        """Whether it is a test of the tests."""
        return "H7" in self.rows


def rows_in(node: ast.AST) -> list[str]:
    """Give the rows of all contract marks below a node of the tree."""
    calls = (each for each in ast.walk(node) if isinstance(each, ast.Call))
    return [
        ast.literal_eval(row) for call in calls if ast.unparse(call.func).endswith("mark.contract") for row in call.args
    ]


def patches_of(rooms: Iterable[Room]) -> list[Patch]:
    """Give all patches: those in the tables of saboteurs, and those beside their tests."""
    return [patch for room in rooms for patch in _patches_in(room)]


def marked_tests(rooms: Sequence[Room]) -> list[Marked]:
    """Give all tests that are marked with a row, with the patches that they name."""
    patches: dict[str, list[Patch]] = defaultdict(list)
    for patch in patches_of(rooms):
        patches[patch.room].append(patch)
    tables = [patch for room, found in patches.items() if _is_table(room) for patch in found]
    return [
        test
        for room in rooms
        for test in _tests_in(room, patches, {patch.name: patch for patch in [*tables, *patches[room.module]]})
    ]


def proofs(tests: Iterable[Marked]) -> dict[str, dict[str, list[Marked]]]:
    """Give row -> name of a patch that breaks it -> the H7 tests of that row that name it."""
    found: dict[str, dict[str, list[Marked]]] = defaultdict(lambda: defaultdict(list))
    for test in tests:
        for patch in test.patches:
            for row in {*patch.rows} & {*test.rows}:
                found[row][patch.name].append(test)
    return found


def loose_ends(tests: Sequence[Marked], patches: Iterable[Patch], kinds: str) -> Iterator[str]:
    """Say what does not fit: tests without patches, patches without tests, and rows of some kinds that no patch has."""
    proven: Mapping[str, Mapping[str, list[Marked]]] = proofs(tests)
    for test in tests:
        if test.sabotage and not test.patches:
            yield f"{test.place} {test.name} is marked H7 and names no saboteur"
        broken = {row for patch in test.patches for row in patch.rows}
        for row in test.rows:
            if test.sabotage and row[0] in kinds and row[1:].isdecimal() and row not in broken:
                yield f"{test.place} {test.name} is marked {row}, which no saboteur that it names says it breaks"
    for patch in patches:
        if not patch.rows and patch.claim:
            yield f"{patch.room}.{patch.name} does not say at its docstring's end which rows it breaks"
        for row in patch.rows:
            if patch.name not in proven.get(row, {}):
                yield f"{patch.room}.{patch.name} says that it breaks {row}: no H7 test that is marked {row} names it"


# ---- inside ----------------------------------------------------------------------


def _is_table(room: str) -> bool:
    return room.rpartition(".")[2].startswith("saboteurs")


def _patches_in(room: Room) -> Iterator[Patch]:
    table = _table_of(room) if _is_table(room.module) else None
    defined = {node.name: node for node in room.tree.body if isinstance(node, Function | ast.ClassDef)}
    for name in defined if table is None else table:
        text = ast.get_docstring(defined[name]) or "" if name in defined else ""
        first = text.split("\n\n")[0].replace("\n", " ").strip()
        rows = _ROWS.search(first)
        if table is not None or (rows and not name.startswith("test_")):
            yield Patch(
                room=room.module, name=name, rows=tuple(rows[1].split(", ")) if rows else (),
                claim=first[: rows.start()].rstrip() if rows else first.rstrip("."),
            )  # fmt: skip


def _table_of(room: Room) -> list[str]:
    """Give the names in a room's table: keys of a dict, or functions that a comprehension goes through."""
    for node in room.tree.body:
        target = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(target, ast.Name) and target.id == _TABLE and isinstance(node, ast.AnnAssign) and node.value:
            keys = [key for each in ast.walk(node.value) if isinstance(each, ast.Dict) for key in each.keys]
            listed = [name for each in ast.walk(node.value) if isinstance(each, ast.Tuple) for name in each.elts]
            named = [ast.literal_eval(key) for key in keys if isinstance(key, ast.Constant)]
            return named or [name.id for name in listed if isinstance(name, ast.Name)]
    return []


def _tests_in(room: Room, by_room: Mapping[str, Sequence[Patch]], known: Mapping[str, Patch]) -> Iterator[Marked]:
    everywhere = [row for node in room.tree.body if isinstance(node, ast.Assign) for row in rows_in(node)]
    rooms = {one.name or one.module: f"{one.module}.{one.name}" for one in room.imports}
    for node in room.tree.body:
        if not isinstance(node, Function) or not node.name.startswith("test_"):
            continue
        rows = tuple(dict.fromkeys([*(row for mark in node.decorator_list for row in rows_in(mark)), *everywhere]))
        if rows:
            patches = tuple(_named(node, rooms, by_room, known)) if "H7" in rows else ()
            yield Marked(room=room.module, name=node.name, line=node.lineno, rows=rows, patches=patches)


def _named(
    test: Function, rooms: Mapping[str, str], by_room: Mapping[str, Sequence[Patch]], known: Mapping[str, Patch]
) -> list[Patch]:
    """Give the patches whose names stand in a test."""
    found = {}
    for node in ast.walk(test):
        dotted = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name) else ""
        if dotted.rpartition(".")[2] == _TABLE:
            table = rooms.get(dotted.rpartition(".")[0] or _TABLE, "").removesuffix(f".{_TABLE}")
            found.update({patch.name: patch for patch in by_room.get(table, ())})
        name = node.value if isinstance(node, ast.Constant) else dotted.rpartition(".")[2]
        if isinstance(name, str) and name in known:
            found[name] = known[name]
    return list(found.values())
