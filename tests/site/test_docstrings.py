"""Claims about docstrings: their examples do what they show, and the reference has an entry for every public name."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

import flowcore as fc
import flowcore.testing
from flowcore.cli import VERBS
from flowcore.declare.options import GivenOptions
from tests.site.pages import DOCS, ROOT

ROOMS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "flowcore").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
ENTRY = re.compile(r"^\.\. auto(?:class|function|exception|data):: (flowcore\.[\w.]+)$", re.MULTILINE)


@pytest.mark.parametrize("room", ROOMS)
def test_examples_run(
    room: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Each in an empty folder, as a script would run it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWCORE_PROGRESS", "no")
    told: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    extra = {"__name__": "__main__", "getfixture": request.getfixturevalue}
    for example in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(room), extraglobs=extra):
        runner.run(example, out=told.append)

    assert "" == "".join(told)


def test_the_reference_has_every_public_name() -> None:
    """Those of flowcore, and of flowcore.testing; each once, and none that is not public."""
    entries = [name for page in (DOCS / "reference").glob("*.md") for name in ENTRY.findall(page.read_text())]
    public = [f"flowcore.{name}" for name in fc.__all__]
    testing = [f"flowcore.testing.{name}" for name in flowcore.testing.__all__]

    assert sorted(public + testing) == sorted(entries)


def test_the_reference_has_every_option() -> None:
    """Of tasks, each in the table."""
    table = (DOCS / "reference" / "tasks.md").read_text()
    listed = {
        name for row in re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }

    assert set(GivenOptions.__annotations__) == listed


def test_the_page_of_the_command_line_has_every_verb() -> None:
    """As it is typed; the page is run like any other."""
    shown = re.findall(r"^\$ flowcore (\w+)", (DOCS / "command_line.md").read_text(), re.MULTILINE)

    assert set() == set(VERBS) - set(shown)
