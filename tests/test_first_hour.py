"""Claims about docs/first-hour.md: what it shows is what happens."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from tests.house.rooms import ROOT


@pytest.fixture
def first_hour() -> ModuleType:
    """Load the script that runs the page."""
    spec = importlib.util.spec_from_file_location("first_hour", ROOT / "docs" / "first_hour.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_true(first_hour: ModuleType) -> None:
    """Running the page gives the page; `python docs/first_hour.py` writes it anew."""
    page = first_hour.PAGE.read_text()

    assert page == first_hour.regenerated(page)


def test_the_page_shows_what_it_should(first_hour: ModuleType) -> None:
    """The steps came out as their text says: hits, one new cell, early cutoff, a refusal, a failure, the rest."""
    page = first_hour.PAGE.read_text()
    outputs = [block["text"] for block in first_hour.BLOCK.finditer(page) if block["kind"] == "console"]
    counts = [text.split("of study: done")[1].splitlines()[1].strip() for text in outputs if "of study: done" in text]

    assert [
        "5 ran, 0 from the store", "1 ran, 4 from the store", "3 ran, 3 from the store", "5 ran, 1 from the store",
        "3 ran, 3 from the store",
    ] == counts  # fmt: skip
    assert "Did you mean 'width'?" in page
    assert "again, alone: flowcore debug " in page


def test_what_is_not_true_is_found(first_hour: ModuleType) -> None:
    """Other output, and an edit that fits nowhere, are noticed."""
    page = "```python a.py\nprint(3)\n```\n```console\n$ python a.py\n4\n```\n"

    assert page.replace("4", "3") == first_hour.regenerated(page)
    with pytest.raises(ValueError, match="0 places"):
        first_hour.regenerated("```python a.py\nprint(3)\n```\n```diff a.py\n-print(4)\n+print(5)\n```\n")
