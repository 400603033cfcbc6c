"""Claims about docs/inspecting.md: what it shows is made by the code beside it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
SHOWN = re.compile(r"_build/pictures/([\w.]+)")


def test_the_page_shows_what_its_code_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each picture and table that it names, and each that is made; with failures and forecasts in them."""
    monkeypatch.syspath_prepend(str(DOCS))
    import inspecting

    monkeypatch.setitem(sys.modules, "inspecting", inspecting)
    inspecting.make(tmp_path)
    made = {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()}

    assert set(SHOWN.findall(DOCS.joinpath("inspecting.md").read_text())) == set(made)
    assert "failed" in made["run.svg"]
    assert "50 nodes" in made["ensemble.svg"]
    assert "at most about" in made["plan.txt"]
    assert "critical path: " in made["speedup.txt"]
