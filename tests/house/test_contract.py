"""Claims about the reliability contract: each of its rows has a test, or a line that says why it has none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pytest

from tests.house.rooms import ROOT, Room, plant, read

OPEN_ROWS = ROOT / "docs" / "open_rows.md"
LAST = {
    "P": 12, "N": 8, "F": 40, "H": 7, "L": 3, "B": 9, "J": 10, "C": 7, "W": 10, "T": 4, "K": 33, "KT": 6,
    "S": 13, "E": 13,
}  # fmt: skip
KNOWN = frozenset(f"{kind}{number}" for kind, last in LAST.items() for number in range(1, last + 1)) | {"W5b"}
NEEDED = frozenset(row for row in KNOWN if row[0] in "PFSE" or re.fullmatch(r"K\d+", row))
SHORTEST_REASON = 20  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What the page of open rows says of one row."""

    state: str  # "open": no test; "partly": a test that does not hold all of it
    reason: str


def marked(rooms: Iterable[Room]) -> dict[str, str]:
    """Give the rows that tests are marked with, each with one place where."""
    found = {}
    for room in rooms:
        for node in ast.walk(room.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.contract"):
                for row in node.args:
                    found[ast.literal_eval(row)] = f"{room.module}:{node.lineno}"
    return found


def lines(page: str) -> dict[str, Line]:
    """Read the table of open rows."""
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")
    ]
    return {row: Line(state=state, reason=reason) for row, state, reason in cells if state in {"open", "partly"}}


def missing(tests: Iterable[str], open_rows: Mapping[str, Line], needed: Iterable[str]) -> list[str]:
    """Find rows that have neither a test nor a line."""
    return sorted(set(needed) - set(tests) - set(open_rows))


def stale(tests: Iterable[str], open_rows: Mapping[str, Line]) -> list[str]:
    """Find lines that are not true: open with a test, or partly held without one."""
    tested = set(tests)
    return sorted(row for row, line in open_rows.items() if (line.state == "partly") != (row in tested))


def test_every_row_has_a_test_or_a_reason() -> None:
    """A row of P, F, K, S or E has a marked test, or a line in docs/open_rows.md."""
    assert [] == missing(marked(read("tests")), lines(OPEN_ROWS.read_text()), NEEDED)


def test_open_rows_are_true() -> None:
    """No row is called open that has a test, and none is called partly held that has none."""
    assert [] == stale(marked(read("tests")), lines(OPEN_ROWS.read_text()))


def test_every_number_is_known() -> None:
    """Markers and the page name rows that the contract has."""
    named = {**marked(read("tests")), **dict.fromkeys(lines(OPEN_ROWS.read_text()), "docs/open_rows.md")}

    assert {} == {row: place for row, place in named.items() if row not in KNOWN}


def test_open_rows_give_reasons() -> None:
    """A reason is more than a word."""
    page = lines(OPEN_ROWS.read_text())

    assert [] == [row for row, line in page.items() if len(line.reason) < SHORTEST_REASON]


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
