"""Claims about docs/reliability.md: its tables say what the markers and the last run say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.house.rooms import plant, read
from tests.house.test_contract import PROVEN
from tests.reliability.page import PAGE, parts, renewed
from tests.reliability.results import RESULTS, Results, read_results
from tests.reliability.rows import ROWS

PATCH = "def slip(put): 'Slip (F1).'\nSABOTEURS: dict = {patch.__name__: patch for patch in (slip,)}"
TESTS = """
@pytest.mark.contract("F1")
def test_one(): ...
@pytest.mark.contract("F1", "F2")
def test_two(): ...
@pytest.mark.contract("H7", "F1")
def test_slip_is_seen(): check("slip")
"""
ROOMS = [plant(PATCH, "tests.faults.saboteurs"), plant(TESTS, "tests.faults.test_x")]
NAMES = ["tests.faults.test_x:test_one", "tests.faults.test_x:test_two", "tests.faults.test_x:test_slip_is_seen"]


def line(row: str, ends: list[dict[str, int]], tmp_path: Path) -> list[str]:
    """Give the cells of a row, after a run in which the tests above ended so."""
    made = parts(ROOMS, Results(tests=dict(zip(NAMES, ends, strict=False))), tmp_path)["faults"]
    found = next(line for line in made.splitlines() if line.startswith(f"| {row} |"))
    return [cell.strip() for cell in found.strip("|").split("|")][2:]


def test_the_page_says_what_the_markers_say() -> None:
    """If this fails: `python -m tests.reliability` makes the tables anew."""
    page = PAGE.read_text(encoding="utf-8")

    assert page == renewed(page, parts(read("tests"), read_results(RESULTS), PAGE.parent))


def test_every_row_has_its_words() -> None:
    """The tables have a line for each fault and intruder of the contract."""
    assert PROVEN == set(ROWS)


@pytest.mark.parametrize(
    ("ends", "result"),
    [
        ([{"passed": 3}, {"passed": 1}, {"passed": 1}], "4 passed, 1 seen red"),
        ([{"passed": 3}, {"failed": 1}, {"failed": 1}], "**1 failed**, 3 passed, **1 failed**"),
        ([{"passed": 3}, {"skipped": 1}], "3 passed, **1 skipped**, **1 not run**"),
        ([], "not run"),
    ],
)
def test_a_result_is_what_was_seen(ends: list[dict[str, int]], result: str, tmp_path: Path) -> None:
    """What failed, was skipped, or has come since is told as that, and never counted as passed."""
    assert ["faults/test_x", "`slip`", result] == line("F1", ends, tmp_path)


def test_a_row_without_tests_or_saboteur(tmp_path: Path) -> None:
    """Is told as that."""
    assert ["-", "-", "**no test**"] == line("F3", [{"passed": 3}], tmp_path)
    assert ["faults/test_x", "-", "1 passed"] == line("F2", [{"passed": 3}, {"passed": 1}], tmp_path)


def test_measured_figures_are_shown(tmp_path: Path) -> None:
    """Single ones, and records by name or in a list; what was not measured is told."""
    records = {"readers": {"npy": {"inputs": 1000000}}, "kinds": [{"kind": "flip", "count": 3}]}
    figures = {"minutes": 10, **records, "n": {"a": 1}}
    (tmp_path / "soak.json").write_text(json.dumps(figures))
    made = parts(ROOMS, Results(), tmp_path)

    assert {"| minutes | 10 |", "| npy | 1,000,000 |", "| flip | 3 |", "| a | 1 |"} <= set(made["soak"].splitlines())
    assert "Not written down yet" in made["fuzz"]


def test_a_page_without_the_place_is_refused() -> None:
    """A part that has nowhere to go, or a place without a part, does not pass in silence."""
    with pytest.raises(AssertionError, match="places"):
        renewed("<!-- made: faults -->\n<!-- end -->", {"faults": "", "soak": ""})
