"""Claims about types: right wiring is accepted, wrong wiring is rejected, at exactly its line."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import flowcore as fc

HERE = Path(__file__).parent
ROOT = Path(fc.__file__).parent.parent
PYRIGHT = shutil.which("pyright") or shutil.which("pyright", path=str(Path(sys.executable).parent))
_FOUND = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+)(:\d+)?: error: .*\[(?P<code>[\w-]+)\]$")


def by_mypy(name: str, cache: Path) -> dict[int, str]:
    """Give line to code of all that mypy finds."""
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "setup.cfg"), "--cache-dir", str(cache),
         "--follow-imports", "silent", str(HERE / name)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    lines = (_FOUND.match(line) for line in ran.stdout.splitlines())
    return {int(m["line"]): m["code"] for m in lines if m is not None and m["file"].endswith(name)}


def by_pyright(name: str) -> set[int]:
    """Give the lines of all errors that pyright finds."""
    assert PYRIGHT is not None
    ran = subprocess.run([PYRIGHT, "--outputjson", HERE / name], cwd=ROOT, capture_output=True, text=True, check=False)
    found = json.loads(ran.stdout)["generalDiagnostics"]
    return {one["range"]["start"]["line"] + 1 for one in found if one["severity"] == "error"}


def marked() -> dict[int, str]:
    """Give line to code of what `rejected.py` says is wrong."""
    lines = enumerate((HERE / "rejected.py").read_text().splitlines(), start=1)
    return {number: line.rpartition("# wrong: ")[2] for number, line in lines if "# wrong: " in line}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give mypy one cache for this room."""
    return tmp_path_factory.mktemp("mypy")


def test_mypy_accepts(cache: Path) -> None:
    """Right wiring has the types that its functions say."""
    assert {} == by_mypy("accepted.py", cache)


def test_mypy_knows_what_a_flow_stands_for(cache: Path) -> None:
    """A task that may return a flow gives what the flow gives."""
    assert {} == by_mypy("growing.py", cache)


def test_mypy_rejects(cache: Path) -> None:
    """Each wrong line, and no other."""
    assert marked() == by_mypy("rejected.py", cache)


if PYRIGHT is not None:  # a second opinion, where it is installed: it fetches a runtime of its own

    def test_pyright_accepts() -> None:
        """As mypy."""
        assert set() == by_pyright("accepted.py")

    def test_pyright_rejects() -> None:
        """As mypy, by line: its names for mistakes are others."""
        assert set(marked()) == by_pyright("rejected.py")
