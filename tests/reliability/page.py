"""The tables of docs/reliability.md: from markers, patches, and what was last measured. Writes nothing.

A made part stands between `<!-- made: NAME -->` and `<!-- end -->`; the rest of the page is written by hand.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.house.proofs import Marked, marked_tests, proofs
from tests.house.rooms import ROOT, Room
from tests.reliability.results import PASSED, Results
from tests.reliability.rows import FAULTS, INTRUDERS, ROWS

PAGE = ROOT / "docs" / "reliability.md"
_MADE = re.compile(r"<!-- made: (\w+) -->\n.*?<!-- end -->", re.DOTALL)
_NOT_YET = "*Not written down yet: `make {0}` does.*"


def renewed(page: str, parts: Mapping[str, str]) -> str:
    """Put the made parts into a page; each must have its place there."""
    places = set(_MADE.findall(page))
    assert places == set(parts), f"the page has places for {sorted(places)}, and made are {sorted(parts)}"
    return _MADE.sub(lambda found: f"<!-- made: {found[1]} -->\n\n{parts[found[1]]}\n\n<!-- end -->", page)


def parts(rooms: Sequence[Room], results: Results, measured: Path) -> dict[str, str]:
    """Make all parts: from the tests' rooms, the results of their last run, and the JSON of soak and fuzzing."""
    tests = marked_tests(rooms)
    return {
        "summary": summary(tests, results),
        "faults": table(FAULTS, tests, results),
        "intruders": table(INTRUDERS, tests, results),
        **{name: _measured(measured / f"{name}.json", name) for name in ("soak", "fuzz")},
    }


def table(rows: Mapping[str, str], tests: Sequence[Marked], results: Results) -> str:
    """Give a line a row: what it is, which tests are marked with it, which patches turned them red, what came of it."""
    proven = proofs(tests)
    lines = []
    for row, words in rows.items():
        holding = [test for test in tests if row in test.rows and not test.sabotage]
        patches = ", ".join(f"`{patch}`" for patch in sorted(proven.get(row, ())))
        came = _result(row, tests, results)
        lines.append(f"| {row} | {words} | {_places(holding)} | {patches or '-'} | {came} |")
    return "\n".join(["| row | fault | tests | saboteurs | result |", "|---|---|---|---|---|", *lines])


def summary(tests: Sequence[Marked], results: Results) -> str:
    """Say in a paragraph how many rows have a saboteur, and what the last run of all marked tests came to."""
    proven = proofs(tests)
    patches = {patch for row in ROWS for patch in proven.get(row, ())}
    counts = (
        f"{sum(row in proven for row in ROWS)} of {len(ROWS)} rows have a saboteur; there are {len(patches)} of them."
    )
    if not results.facts:
        return f"{counts} {_NOT_YET.format('reliability')}"
    ends: Counter[str] = Counter()
    for outcome in results.tests.values():
        ends.update(outcome)
    told = ", ".join(f"{count} {end}" for end, count in sorted(ends.items(), key=lambda each: each[0] != PASSED))
    where = "on {date} with Python {python} and numpy {numpy}".format(**results.facts)
    return f"{counts} When the {len(results.tests)} marked tests were last run, {where}, of their cases: {told}."


def _places(tests: Sequence[Marked]) -> str:
    """Name the rooms in which tests stand."""
    return ", ".join(sorted({test.room.removeprefix("tests.").replace(".", "/") for test in tests})) or "-"


def _result(row: str, tests: Sequence[Marked], results: Results) -> str:
    """Say how the cases of a row ended: those that hold it, and those that break it on purpose and must see that."""
    if not results.tests:
        return "not run" if any(row in test.rows for test in tests) else "**no test**"
    told = []
    for sabotage, good in ((False, "{} passed"), (True, "{} seen red")):
        marked = [test for test in tests if row in test.rows and test.sabotage == sabotage]
        ends: Counter[str] = Counter()
        for test in marked:
            ends.update(results.tests.get(f"{test.room}:{test.name}", {"not run": 1}))
        told += [good.format(count) if end == PASSED else f"**{count} {end}**" for end, count in sorted(ends.items())]
    return ", ".join(told) or "**no test**"


def _measured(path: Path, name: str) -> str:
    """Give measured figures as tables: single ones a line each, and records of one kind a table."""
    if not path.exists():
        return _NOT_YET.format(name)
    found: dict[str, Any] = json.loads(path.read_text())
    single = {key: value for key, value in found.items() if not isinstance(value, dict | list)}
    made = [_lines(["", ""], list(single.items()))] if single else []
    for key, value in found.items():
        records = [{key: of, **each} for of, each in value.items()] if _is_table(value) else value
        if isinstance(records, list) and records and isinstance(records[0], dict):
            columns = list(dict.fromkeys(column for each in records for column in each))
            made.append(_lines(columns, [[each.get(column, "") for column in columns] for each in records]))
        elif isinstance(value, dict):
            made.append(_lines([key, ""], list(value.items())))
    return "\n\n".join(made)


def _is_table(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(each, dict) for each in value.values())


def _lines(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    return "\n".join(f"| {' | '.join(_told(cell) for cell in row)} |" for row in [head, ["---"] * len(head), *rows])


def _told(cell: object) -> str:
    if isinstance(cell, int) and not isinstance(cell, bool):
        return f"{cell:,}"
    return ", ".join(map(str, cell)) if isinstance(cell, list) else str(cell)
