"""Claims about plugins/: each is a distribution of its own, small, whole, and checked as flowcore is."""

from __future__ import annotations

import ast
import configparser
import tomllib
from pathlib import Path

import pytest

from tests.house import rules
from tests.house.rooms import ROOT, plant, read

PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
LINES = 350  # of code of a whole plugin: without its tests, docstrings, comments and blank lines

of_each = pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)


@of_each
def test_a_plugin_is_whole(plugin: Path) -> None:
    """It says what it is, it has tests, and it is known by a name once it is installed."""
    project = tomllib.loads((plugin / "pyproject.toml").read_text())["project"]

    assert plugin.name == project["name"]
    assert (plugin / "README.md").read_text().startswith("# ")
    assert list(plugin.glob("tests/test_*.py"))
    assert project["entry-points"]["flowcore.executors"]


@of_each
def test_a_plugin_is_small(plugin: Path) -> None:
    """What takes more than 350 lines is flowcore's own to do."""
    assert sum(lines_of_code(path.read_text()) for path in plugin.glob("src/**/*.py")) <= LINES


def lines_of_code(source: str) -> int:
    """Count the lines that say anything to Python: neither docstrings nor comments, and no blank ones."""
    tree = ast.parse(source)
    texts = [
        node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    told = {line for text in texts for line in range(text.lineno, (text.end_lineno or 0) + 1)}
    lines = enumerate(source.splitlines(), start=1)
    return sum(number not in told and bool(line.strip()) and not line.strip().startswith("#") for number, line in lines)


def test_lines_of_code_are_counted() -> None:
    """A docstring of any length, a comment and a blank line are free; everything else counts."""
    assert 3 == lines_of_code('"""Says\nmuch."""\n\nimport os\n# why\ndef f():\n    """Does."""\n    return os\n')


@of_each
def test_a_plugin_is_checked(plugin: Path) -> None:
    """Mypy and pytest are told of it."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    source = f"plugins/{plugin.name}/src"

    assert source in settings["mypy"]["files"].replace(",", " ").split()
    assert source in settings["mypy"]["mypy_path"].split(":")
    assert source in settings["tool:pytest"]["pythonpath"].split()


def test_plugins_keep_the_rules_of_the_house() -> None:
    """Small functions with few parameters, telling names, no relative import, nothing left for later."""
    rooms = [room for room in read("plugins") if not room.module.startswith("plugins")]
    checks = (rules.long_rooms, rules.long_functions, rules.wide_functions)

    assert [] == [line for check in checks for line in check(rooms, {})]
    assert [] == rules.bad_names(rooms) + rules.undescribed(rooms) + rules.relative_imports(rooms)
    assert [] == rules.unfinished(rooms) + private_names(rooms)


def private_names(rooms: list[rules.Room]) -> list[str]:
    """Find what is taken from flowcore that flowcore does not offer."""
    return [
        f"{room.module}:{one.line} {one.name}"
        for room in rooms for one in room.imports
        if one.module.partition(".")[0] == "flowcore" and f".{one.module}.{one.name}".count("._")
    ]  # fmt: skip


def test_private_names_are_found() -> None:
    """A plugin that reaches into a room is found."""
    assert private_names([plant("from flowcore.run.engine import _turn", "flowcore_x")])
    assert private_names([plant("import flowcore._x", "flowcore_x")])
