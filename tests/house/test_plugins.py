"""Claims about plugins/: each is a distribution of its own, small, whole, and checked as flowcore is."""

from __future__ import annotations

import configparser
import tomllib
from pathlib import Path

import pytest

from tests.house import rules
from tests.house.rooms import ROOT, plant, read

PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
LINES = 350  # of a whole plugin, without its tests

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
    lines = sum(len(path.read_text().splitlines()) for path in plugin.glob("src/**/*.py"))

    assert lines <= LINES


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
