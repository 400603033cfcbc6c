"""Claims about the reliability contract: each of its rows has a test, or a line that says why it has none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pytest

from tests.house.proofs import loose_ends, marked_tests, patches_of, proofs, rows_in
from tests.house.rooms import ROOT, Room, plant, read

OPEN_ROWS = ROOT / "docs" / "reliability.md"
LAST = {
    "P": 12, "N": 8, "F": 40, "H": 7, "L": 3, "B": 9, "J": 10, "C": 7, "W": 10, "T": 4, "K": 33, "KT": 6,
    "S": 13, "E": 13,
}  # fmt: skip
KNOWN = frozenset(f"{kind}{number}" for kind, last in LAST.items() for number in range(1, last + 1)) | {"W5b"}
NEEDED = frozenset(row for row in KNOWN if row[0] in "PFSE" or re.fullmatch(r"K\d+", row))
PROVEN = frozenset(row for row in KNOWN if row[0] in "FS")  # faults and intruders: their tests are tested, too
TESTS = read("tests")
STATES = ("open", "partly", "unproven")
SHORTEST_REASON = 20  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What the page of open rows says of one row."""

    state: str  # "open": no test; "partly": a test that does not hold all of it; "unproven": no saboteur
    reason: str


def marked(rooms: Iterable[Room]) -> dict[str, str]:
    """Give the rows that tests are marked with, each with one place where."""
    found = {}
    for room in rooms:
        found.update(dict.fromkeys(rows_in(room.tree), room.module))
    return found


def lines(page: str, *states: str) -> dict[str, Line]:
    """Read the table of open rows: the lines in the first two states, or in those given."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")
    ]
    wanted = states or ("open", "partly")
    return {line[0]: Line(state=line[1], reason=line[2]) for line in cells if len(line) == 3 and line[1] in wanted}


def missing(tests: Iterable[str], open_rows: Mapping[str, Line], needed: Iterable[str]) -> list[str]:
    """Find rows that have neither a test nor a line."""
    return sorted(set(needed) - set(tests) - set(open_rows))


def stale(tests: Iterable[str], open_rows: Mapping[str, Line]) -> list[str]:
    """Find lines that are not true: open with a test, or partly held without one."""
    tested = set(tests)
    return sorted(row for row, line in open_rows.items() if (line.state == "partly") != (row in tested))


def test_every_row_has_a_test_or_a_reason() -> None:
    """A row of P, F, K, S or E has a marked test, or a line in docs/reliability.md."""
    assert [] == missing(marked(TESTS), lines(OPEN_ROWS.read_text()), NEEDED)


def test_open_rows_are_true() -> None:
    """No row is called open that has a test, and none is called partly held that has none."""
    assert [] == stale(marked(TESTS), lines(OPEN_ROWS.read_text()))


def test_every_number_is_known() -> None:
    """Markers, patches and the page name rows that the contract has."""
    named = {**marked(TESTS), **dict.fromkeys(lines(OPEN_ROWS.read_text(), *STATES), "docs/reliability.md")}
    named.update({row: f"{patch.room}.{patch.name}" for patch in patches_of(TESTS) for row in patch.rows})

    assert {} == {row: place for row, place in named.items() if row not in KNOWN}


def test_open_rows_give_reasons() -> None:
    """A reason is more than a word."""
    page = [(row, line) for state in STATES for row, line in lines(OPEN_ROWS.read_text(), state).items()]

    assert [] == [row for row, line in page if len(line.reason) < SHORTEST_REASON]


def test_every_saboteur_is_named_by_a_test_of_its_rows() -> None:
    """A patch without an H7 test of each row that it breaks proves nothing, nor does an H7 test without a patch."""
    assert [] == list(loose_ends(marked_tests(TESTS), patches_of(TESTS), "FS"))


def test_every_fault_has_a_saboteur_or_a_reason() -> None:
    """Of each F and S row a test was seen red; the rows of which none was are those that the page calls unproven."""
    proven = proofs(marked_tests(TESTS))

    assert sorted(PROVEN - set(proven)) == sorted(lines(OPEN_ROWS.read_text(), "unproven"))


def test_marks_are_found() -> None:
    """Marks on functions, in lists and with several rows are all read."""
    room = plant("@pytest.mark.contract('F1', 'F2')\ndef test_x(): ...\npytestmark = [pytest.mark.contract('K3')]")

    assert {"F1", "F2", "K3"} == set(marked([room]))


@pytest.mark.parametrize(
    ("page", "absent", "untrue"),
    [
        ("| F1 | open | because |", ["F2"], []),
        ("| F1 | open | because |\n| F3 | open | because |", ["F2"], ["F3"]),
        ("| F1 | partly | because |\n| F2 | open | because |", [], ["F1"]),
        ("| F2 | open | because |\n| F3 | partly | because |", ["F1"], []),
    ],
)
def test_gaps_and_stale_lines_are_found(page: str, absent: list[str], untrue: list[str]) -> None:
    """A row without test and line is found, and so is a line that is not true."""
    tests = ["F3"]

    assert absent == missing(tests, lines(page), ["F1", "F2", "F3"])
    assert untrue == stale(tests, lines(page))


PATCHES = """
def slip(put): '''Slip (F1, F2).'''
def trip(put): '''Trip (F3).'''
SABOTEURS: dict = {patch.__name__: patch for patch in (slip, trip)}
"""
HEAD = "from tests.faults import saboteurs\n@pytest.mark.contract('H7', 'F1', 'F2')\n"


def sabotaged(source: str) -> tuple[list[str], dict[str, list[str]]]:
    """Give what does not fit between the patches above and tests of given source, and what is proven."""
    rooms = [plant(PATCHES, "tests.faults.saboteurs"), plant(source, "tests.faults.test_x")]
    tests = marked_tests(rooms)
    return list(loose_ends(tests, patches_of(rooms), "FS")), {row: list(by) for row, by in proofs(tests).items()}


@pytest.mark.parametrize(
    ("source", "proven"),
    [
        ("@pytest.mark.parametrize('name', ['slip', 'other'])\ndef test_x(name): check(name)", {"F1", "F2"}),
        ("def test_x(): check(sabotage='slip')", {"F1", "F2"}),
        ("def test_x(): check(saboteurs.slip)", {"F1", "F2"}),
        ("@pytest.mark.parametrize('name', saboteurs.SABOTEURS)\ndef test_x(name): check(name)", {"F1", "F2"}),
        ("def test_x(): check(trap)\ndef trap(): 'Fall (F1).'", {"F1"}),
        ("def test_x(): check('trip')", set()),
        ("def test_x(): check()", set()),
    ],
)
def test_what_names_a_saboteur(source: str, proven: set[str]) -> None:
    """A string, the patch itself or its whole table; one that breaks other rows proves nothing of these."""
    assert proven == set(sabotaged(HEAD + source)[1])


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def test_x(): check('slip')", "trip says that it breaks F3"),
        ("def test_x(): check()", "test_x is marked H7 and names no saboteur"),
        ("def test_x(): check('trip')", "test_x is marked F1, which no saboteur"),
        ("def test_x(): check('trip')", "slip says that it breaks F2"),
    ],
)
def test_loose_ends_are_found(source: str, said: str) -> None:
    """A patch that no test of its row names, and a test without a patch, are named."""
    assert any(said in line for line in sabotaged(HEAD + source)[0])
