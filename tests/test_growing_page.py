"""Claims about docs/growing.md: what it shows is what happens."""

from __future__ import annotations

import importlib.util

from tests.house.rooms import ROOT


def test_the_page_is_true() -> None:
    """Running the page gives the page; `python docs/first_hour.py growing.md` writes it anew."""
    spec = importlib.util.spec_from_file_location("first_hour", ROOT / "docs" / "first_hour.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs" / "growing.md").read_text()

    assert page == module.regenerated(page)
