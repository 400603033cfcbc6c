"""What the marked tests came to when they were last run: docs/reliability.json, written by `make reliability`."""

from __future__ import annotations

import json
import platform
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.house.rooms import ROOT

RESULTS = ROOT / "docs" / "reliability.json"
PASSED = "passed"


@dataclass(slots=True)
class Results:
    """The outcomes of one run, by test.

    Attributes
    ----------
    facts : dict
        When it was, and where.
    tests : dict
        Room and name of a test to the outcomes of its cases, counted: passed, failed, skipped.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    tests: dict[str, dict[str, int]] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write them, a test a line."""
        path.write_text(json.dumps({"facts": self.facts, "tests": self.tests}, indent=1, sort_keys=True) + "\n")


def read_results(path: Path = RESULTS) -> Results:
    """Read what was written; nothing if there is nothing."""
    return Results(**json.loads(path.read_text())) if path.exists() else Results()


class Recorder:
    """A plugin of pytest: notes how each test ended, whichever process ran it."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._ends: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the worst of a case's three parts."""
        if report.outcome != PASSED or report.when == "call":
            known = self._ends.get(report.nodeid, PASSED)
            self._ends[report.nodeid] = report.outcome if known == PASSED else known

    def results(self) -> Results:
        """Give all outcomes, by test."""
        counted: dict[str, Counter[str]] = defaultdict(Counter)
        for node, end in self._ends.items():
            counted[case_of(node)][end] += 1
        facts = {
            "date": datetime.now(UTC).date().isoformat(), "python": platform.python_version(), "numpy": np.__version__,
            "system": platform.system(), "cases": len(self._ends),
            "minutes": round((time.monotonic() - self._began) / 60, 1),
        }  # fmt: skip
        return Results(facts=facts, tests={name: dict(sorted(ends.items())) for name, ends in sorted(counted.items())})


def case_of(node: str) -> str:
    """Give room and name of the test that a case belongs to.

    >>> case_of("tests/run/test_pool.py::TestEnds::test_one[a::b-1]")
    'tests.run.test_pool:test_one'
    """
    file, *_, name = node.partition("[")[0].split("::")
    return f"{file.removesuffix('.py').replace('/', '.')}:{name}"
