"""Claims about edits (contract KT3): what changes a meaning runs again, what does not is reused, and `why` tells.

``FLOWCORE_REWRITE=1 pytest tests/plan/test_edits.py`` writes the table in docs/why.md anew.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.plan.edits import HITS, MISSES, ROOT, Edit, carry_out, module_of, write

PAGE = ROOT / "docs" / "why.md"
ROWS = (*MISSES, *HITS)
BEGIN, END = "<!-- made by tests/plan/test_edits.py -->\n", "<!-- end -->\n"
CORES = (
    "ctrace",
    *(("sysmon",) if sys.version_info >= (3, 12) else ()),
    pytest.param("pytrace", marks=pytest.mark.slow),
)

States = tuple[dict[str, Any], dict[str, Any]]


def carried_out(folder: Path, rows: Sequence[Edit], **environ: str) -> States:
    """Run rows as they were, then as they are; give what came of each."""
    write(folder / "before", rows, edited=False)
    write(folder / "after", rows, edited=True)
    before = carry_out(folder / "before", folder / "store", edited=False, **environ)
    return before, carry_out(folder / "after", folder / "store", edited=True, **environ)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder for the whole matrix."""
    return tmp_path_factory.mktemp("edits")


@pytest.fixture(scope="module")
def edited(place: Path) -> States:
    """Run the whole matrix."""
    return carried_out(place, ROWS)


def wrong(states: States, rows: Sequence[Edit] = ROWS) -> dict[str, str]:
    """Give the rows that did not come out as they must, and how."""
    found = {}
    for row in rows:
        was, now = states[0][row.name], states[1][row.name]
        if (was["value"], now["value"]) != (row.was, row.now):
            found[row.name] = f"{was['value']} -> {now['value']}"
        elif now["hit"] == bool(row.cause):
            found[row.name] = "reused" if row.cause else f"ran: {now['causes']}"
        elif row.cause and not any(cause.startswith(said(row)) for cause in now["causes"]):
            found[row.name] = f"why said {now['causes']}"
    return found


def said(row: Edit) -> str:
    """Give what `why` has to say."""
    return row.cause.replace("MODULE", module_of(row))


@pytest.mark.contract("K4", "K5", "K6", "K7", "K8", "K10", "K11", "K19", "K23", "K27", "P10")
def test_edit_matrix(edited: States) -> None:
    """Each edit that changes a meaning gives the right value and its cause; each other one reuses the result."""
    assert {} == wrong(edited)


def test_each_cause_is_the_whole_story(edited: States) -> None:
    """One edit has few reasons: what follows from it does not bury it."""
    told = {row.name: edited[1][row.name]["causes"] for row in MISSES}

    assert {} == {name: causes for name, causes in told.items() if len(causes) > 2}


@pytest.mark.contract("K4")
def test_code_under_a_trace_function_is_the_same(place: Path, edited: States) -> None:
    """A debugger that is on changes no identity."""
    traced = carry_out(place / "before", place / "store", edited=False, FLOWCORE_TEST_TRACE="1")

    assert edited[0].keys() == traced.keys()
    assert [] == [name for name, row in traced.items() if not row["hit"]]


@pytest.mark.contract("K4")
@pytest.mark.parametrize("core", CORES)
def test_code_under_coverage_is_the_same(place: Path, edited: States, core: str) -> None:
    """Measuring coverage, by each of its tracers, changes no identity."""
    under = ("-m", "coverage", "run", f"--data-file={place / core}", "--branch", f"--include={place}/*")
    covered = carry_out(place / "before", place / "store", edited=False, under=under, COVERAGE_CORE=core)

    assert (place / core).exists()
    assert edited[0].keys() == covered.keys()
    assert [] == [name for name, row in covered.items() if not row["hit"]]


SABOTAGED = {
    "source_text": ("second lambda on a line", "comment", "docstring"),
    "skip_helpers": ("helper", "helper in another module"),
    "skip_closures": ("closure",),
    "skip_defaults": ("default", "keyword default"),
    "equal_constants": ("constant of another type",),
    "first_globals_only": ("global of another module's helper",),
}


@pytest.mark.parametrize("sabotage", SABOTAGED)
def test_the_matrix_catches(tmp_path: Path, sabotage: str) -> None:
    """Identity broken on purpose does not pass; the rows that it breaks are told."""
    rows = [row for row in ROWS if row.name in SABOTAGED[sabotage]]
    states = carried_out(tmp_path, rows, FLOWCORE_TEST_SABOTAGE=sabotage)

    assert set(SABOTAGED[sabotage]) == set(wrong(states, rows))


def table(states: States) -> str:
    """Give the matrix as it came out."""
    lines = ["| edit | result | `why` says |", "|---|---|---|"]
    for row in ROWS:
        now = states[1][row.name]
        causes = "; ".join(f"`{cause}`" for cause in now["causes"]) if row.cause else ""
        causes = causes.replace(module_of(row), "sim").replace(module_of(row).replace("_", "-"), "sim")
        causes = re.sub(r"#[0-9a-f]{8}", "#...", causes.replace("|", "\\|"))
        lines.append(f"| {row.name} | {'reused' if now['hit'] else 'made anew'} | {causes} |")
    return "\n".join(lines) + "\n"


def test_the_page_has_the_table(edited: States) -> None:
    """What docs/why.md says of each edit is what comes of it."""
    page = PAGE.read_text()
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    whole = f"{head}{BEGIN}\n{table(edited)}\n{END}{tail}"
    if os.environ.get("FLOWCORE_REWRITE"):
        PAGE.write_text(whole)

    assert whole == page or os.environ.get("FLOWCORE_REWRITE")
