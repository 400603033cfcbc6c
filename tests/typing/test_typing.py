"""Claims about types: right wiring is accepted, wrong wiring is rejected, at exactly its line, by two checkers.

`accepted.py` and `growing.py` hold what must pass, with the types that a checker must find; `rejected.py` holds what
must not. Each checker is run once for all three.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import flowcore as fc

HERE = Path(__file__).parent
ROOT = Path(fc.__file__).parent.parent
FILES = ("accepted.py", "growing.py", "rejected.py")
FACE = sorted({sys.modules[getattr(fc, name).__module__].__file__ or "" for name in fc.__all__} | {fc.__file__})
_FOUND = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+)(:\d+)?: error: (?P<text>.*) \[(?P<code>[\w-]+)\]$")

Found = dict[str, dict[int, str]]
"""By file and line, what a checker calls the mistake there."""


def checked(*command: str | Path) -> str:
    """Run a checker on the three files; give what it printed."""
    files = [HERE / name for name in FILES]
    ran = subprocess.run(
        [sys.executable, "-m", *command, *files], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def by_mypy(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Give all that mypy finds."""
    cache = tmp_path_factory.mktemp("mypy")
    printed = checked(
        "mypy", "--config-file", ROOT / "setup.cfg", "--cache-dir", cache, "--follow-imports", "silent"
    )  # fmt: skip
    found: Found = {name: {} for name in FILES}
    for match in filter(None, map(_FOUND.match, printed.splitlines())):
        found[Path(match["file"]).name][int(match["line"])] = match["code"]
    return found


@pytest.fixture(scope="module")
def by_pyright() -> Found:
    """Give all that pyright finds, in its own words."""
    found: Found = {name: {} for name in FILES}
    printed = checked("pyright", "--pythonpath", sys.executable, "--outputjson", *FACE)
    for one in json.loads(printed)["generalDiagnostics"]:
        if one["severity"] == "error":
            found.setdefault(Path(one["file"]).name, {})[one["range"]["start"]["line"] + 1] = one["message"]
    return found


def marked() -> dict[int, str]:
    """Give line to code of what `rejected.py` says is wrong."""
    lines = enumerate((HERE / "rejected.py").read_text().splitlines(), start=1)
    return {number: line.rpartition("# wrong: ")[2] for number, line in lines if "# wrong: " in line}


def test_mypy_accepts(by_mypy: Found) -> None:
    """Right wiring has the types that its functions say."""
    assert {} == by_mypy["accepted.py"]


def test_mypy_knows_what_a_flow_stands_for(by_mypy: Found) -> None:
    """A task that may return a flow gives what the flow gives."""
    assert {} == by_mypy["growing.py"]


def test_mypy_rejects(by_mypy: Found) -> None:
    """Each wrong line, and no other."""
    assert marked() == by_mypy["rejected.py"]


def test_pyright_accepts(by_pyright: Found) -> None:
    """As mypy."""
    assert {} == by_pyright["accepted.py"]


def test_pyright_knows_what_a_flow_stands_for(by_pyright: Found) -> None:
    """As mypy: it takes the very class out of a union, and no class above it."""
    assert {} == by_pyright["growing.py"]


def test_pyright_rejects(by_pyright: Found) -> None:
    """As mypy, by line: its names for mistakes are others."""
    assert set(marked()) == set(by_pyright["rejected.py"])


def test_pyright_finds_nothing_in_the_public_face(by_pyright: Found) -> None:
    """Nor in the rooms that public names come from; that mypy does not is the house's rule for all rooms."""
    assert {} == {name: found for name, found in by_pyright.items() if name not in FILES}


def test_each_kind_of_mistake_is_tried() -> None:
    """Forty lines and more: fewer were lost, and not left out."""
    codes = set(marked().values())

    assert {"arg-type", "call-arg", "call-overload", "list-item", "attr-defined"} == codes
    assert len(marked()) >= 40
