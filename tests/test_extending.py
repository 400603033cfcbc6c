"""Claims about docs/examples: each is a distribution that pip installs, and whose own tests pass where it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tests.house.rooms import ROOT
from tests.house.test_plugins import lines_of_code

EXAMPLES = sorted(path.parent for path in ROOT.glob("docs/examples/*/pyproject.toml"))
LINES = 100  # of code of a whole example
PAGES = {
    "flowcore-serial-executor": "executor.md",
    "flowcore-units-codec": "codec.md",
    "flowcore-progress-observer": "observer.md",
}

of_each = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)


def python(*arguments: str | Path, cwd: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with what is installed at `site`, and with this flowcore."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("FLOWCORE_", "PYTEST_"))}
    environ["PYTHONPATH"] = os.pathsep.join(map(str, (site, ROOT)))
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environ, capture_output=True, text=True, timeout=200, check=False
    )


@pytest.fixture
def installed(example: Path, tmp_path: Path) -> Path:
    """Install a copy of an example, without the network, and give the folder where it is."""
    copy, site = tmp_path / example.name, tmp_path / "site"
    shutil.copytree(example, copy, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    pip = ("-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation", "--target", site, copy)
    done = python(*pip, cwd=tmp_path, site=site)
    assert 0 == done.returncode, done.stderr
    return site


@of_each
def test_an_example_is_installed_and_holds_its_own_tests(example: Path, installed: Path, tmp_path: Path) -> None:
    """In a process of its own, by the names that its entry points give it, and from what pip has built."""
    shutil.copytree(example / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    ran = python("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=tmp_path, site=installed)

    assert "2 passed" in ran.stdout.splitlines()[-1], ran.stdout + ran.stderr
    assert [example.name] == [found.metadata["Name"] for found in distributions(path=[str(installed)])]


@of_each
def test_an_example_is_tiny_and_shown(example: Path) -> None:
    """A hundred lines of code, five of README, and a page that shows the files themselves."""
    page = (ROOT / "docs" / "extending" / PAGES[example.name]).read_text()
    shown = [path for path in example.rglob("*.py") if f"literalinclude}} ../{path.relative_to(ROOT / 'docs')}" in page]

    assert sum(lines_of_code(path.read_text()) for path in example.glob("src/**/*.py")) <= LINES
    assert len((example / "README.md").read_text().splitlines()) <= 5
    assert sorted(shown) == sorted(example.rglob("*.py"))
    assert f"literalinclude}} ../examples/{example.name}/pyproject.toml" in page


@of_each
def test_an_example_says_what_it_is(example: Path) -> None:
    """One of the three kinds, and it asks for flowcore alone."""
    project = tomllib.loads((example / "pyproject.toml").read_text())["project"]

    assert {"flowcore.executors", "flowcore.codecs", "flowcore.observers"} > set(project["entry-points"])
    assert ["flowcore>=0.1"] == project["dependencies"]


BROKEN = """
import flowcore_units.codec as codec
from flowcore.testing import check_codec
from flowcore_units import Quantity

{sabotage}
codec.register()
check_codec(Quantity([1.0, 2.0], "m"), Quantity([1.0, 2.0], "km"))
"""


@pytest.mark.parametrize(
    ("sabotage", "said"),
    [
        ("", ""),
        ("codec.apart = lambda it: {'numbers': it.numbers, 'unit': 'm'}", "came back as"),
        ("codec.apart = lambda it: {'numbers': it.numbers, 'unit': it.unit, 'id': object()}", "cannot be kept"),
        ("codec.apart = lambda it: {'numbers': it.numbers, 'unit': it.unit, 'at': id(it)}", "in another way"),
        ("codec.together = lambda parts: parts", "came back as a dict"),
        ("codec.together = lambda it: Quantity(it['numbers'], it['unit']) if it else exit()", "ends the process"),
    ],
    ids=["whole", "forgets", "unkept", "moody", "halfway", "trap"],
)
def test_a_broken_codec_is_found(sabotage: str, said: str, tmp_path: Path) -> None:
    """The check that the page names fails for a codec that was broken on purpose, and says what is wrong."""
    (tmp_path / "broken.py").write_text(BROKEN.format(sabotage=sabotage))
    source = ROOT / "docs" / "examples" / "flowcore-units-codec" / "src"
    checked = python("broken.py", cwd=tmp_path, site=source)

    assert bool(said) is bool(checked.returncode), checked.stderr
    assert said in checked.stderr
    assert not said or "AssertionError" in checked.stderr
