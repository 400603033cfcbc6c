"""Claims about what flowcore depends on: little, from versions on that are tried out (contract S13)."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests import lowest
from tests.house.rooms import ROOT

CORE = {"numpy", "networkx", "msgpack", "filelock", "blake3", "cloudpickle", "rich"}
PROJECT = lowest.project()
NEWER = {"numpy": "2.0.1", "rich": "13.7"}


@pytest.mark.contract("S13")
def test_the_core_is_small_and_each_floor_has_a_reason() -> None:
    """Seven libraries; every other one is an extra. No version is shut out from above."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lines = re.search(r"^dependencies = \[\n(.*?)^\]", text, re.DOTALL | re.MULTILINE)[1].splitlines()  # type: ignore[index]

    assert set(lowest.floors(PROJECT)) == CORE
    assert [] == [line for line in lines if not re.fullmatch(r'\s+"[a-z0-9]+>=[0-9.]+",\s+# .{8,}', line)]


@pytest.mark.contract("S13")
def test_what_is_installed_is_the_floors() -> None:
    """From pyproject.toml, by an interpreter that has nothing but itself, and the tools beside."""
    printed = subprocess.run(
        [sys.executable, "-I", "-S", "tests/lowest.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()

    floors = lowest.here(lowest.floors(PROJECT), sys.version_info[:2])

    assert {f"{name}=={floor}" for name, floor in floors.items()} <= set(printed)
    assert len(CORE) + len(lowest.TOOLS) == len(printed)


@pytest.mark.contract("S13")
def test_other_versions_do_not_pass_for_the_lowest() -> None:
    """A newer one is named; 13.7 and 13.7.0 are one version."""
    assert ["numpy 2.0.1, not 2.0"] == lowest.others({"numpy": "2.0", "rich": "13.7.0"}, NEWER)


@pytest.mark.parametrize(("python", "numpy"), [((3, 12), "2.0"), ((3, 13), "2.1")])
def test_a_later_python_has_a_later_floor(python: tuple[int, int], numpy: str) -> None:
    """The first version with a wheel for it; what needs no wheel of its own keeps its floor."""
    assert {"numpy": numpy, "rich": "13.7"} == lowest.here({"numpy": "2.0", "rich": "13.7"}, python)


@pytest.mark.contract("S13")
@pytest.mark.parametrize("need", ["numpy", "numpy>=2.0,<3", "numpy~=2.0", "numpy>=2.0; python_version > '3'"])
def test_a_dependency_without_a_plain_floor_is_refused(need: str) -> None:
    """Its lowest version would be a guess."""
    with pytest.raises(SystemExit, match="NAME>=VERSION"):
        lowest.floors({"dependencies": [need]})


@pytest.mark.contract("S13")
def test_the_part_is_there() -> None:
    """A room that moved takes its place in the list with it."""
    assert [] == [path for path in lowest.TELLING if not (ROOT / path).is_file()]


def newest(put: Callable[[Any, str, Any], None]) -> None:
    """Install whatever is newest in place of the lowest (S13)."""
    put(lowest, "pinned", lambda name, _: name)


def any_version(put: Callable[[Any, str, Any], None]) -> None:
    """Take every version for the lowest (S13)."""
    put(lowest, "_release", lambda _: [])


@pytest.mark.contract("H7", "S13")
@pytest.mark.parametrize(
    ("patch", "claim"),
    [(newest, lambda: lowest.requirements(PROJECT)), (any_version, test_other_versions_do_not_pass_for_the_lowest)],
)
def test_a_job_with_newer_versions_is_seen(
    patch: Callable[[Any], None], claim: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what is installed nor what is looked at afterwards may be anything but the floors."""
    patch(monkeypatch.setattr)
    with pytest.raises(AssertionError):
        assert "numpy==" in " ".join(claim() or [])
