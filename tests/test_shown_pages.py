"""Claims about docs/growing.md, docs/resources.md and docs/executor.md: what they show is what happens."""

from __future__ import annotations

import importlib.util

import pytest

from tests.house.rooms import ROOT


@pytest.mark.parametrize("name", ["growing.md", "resources.md", "executor.md"])
def test_the_page_is_true(name: str) -> None:
    """Running the page gives the page; `python docs/first_hour.py NAME` writes it anew."""
    spec = importlib.util.spec_from_file_location("first_hour", ROOT / "docs" / "first_hour.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs" / name).read_text()

    assert page == module.regenerated(page)
