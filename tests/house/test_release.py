"""Claims about what is released: one version in all places, and pages that a newcomer reads to their end."""

from __future__ import annotations

import re
import tomllib

from tests.house.rooms import ROOT


def _version(path: str) -> str:
    return str(tomllib.loads(ROOT.joinpath(path).read_text(encoding="utf-8"))["project"]["version"])


def test_all_distributions_have_one_version() -> None:
    """The plugins come with the core; who cites a version names that of pyproject.toml."""
    plugins = {str(path.relative_to(ROOT)) for path in ROOT.glob("plugins/*/pyproject.toml")}
    cited = re.search(r"^version: (\S+)$", ROOT.joinpath("CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)

    assert cited is not None
    assert {_version("pyproject.toml")} == {cited[1], *map(_version, plugins)}


def test_a_plugin_asks_for_this_core() -> None:
    """A plugin of 0.3 does not run on flowcore 0.2: the seam is of the same version."""
    version = _version("pyproject.toml").rpartition(".")[0]
    needs = [
        tomllib.loads(path.read_text(encoding="utf-8"))["project"]["dependencies"]
        for path in ROOT.glob("plugins/*/pyproject.toml")
    ]

    assert [] == [need for need in needs if f"flowcore>={version}" not in need]


def test_the_pages_of_a_newcomer_fit_on_a_screen() -> None:
    """What is longer is not read before the first change."""
    lines = {name: len(ROOT.joinpath(name).read_text().splitlines()) for name in ("SECURITY.md", "CONTRIBUTING.md")}

    assert {} == {name: count for name, count in lines.items() if count > 55}
