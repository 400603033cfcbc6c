"""Claims about the pages that are built from single files: a page that Sphinx would leave out, or not name."""

from __future__ import annotations

from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.glob("*.md")) + sorted(DOCS.glob("changes/*.md")) + sorted(DOCS.glob("decisions/*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_begins_with_its_title(page: Path) -> None:
    """Without one no list of pages can link it, and `make docs` fails."""
    assert page.read_text(encoding="utf-8").startswith("# ")


def test_the_index_links_every_page() -> None:
    """What stands beside it is read by somebody."""
    listed = DOCS.joinpath("index.md").read_text(encoding="utf-8").rpartition("```{toctree}")[2].split()

    assert [] == [page.stem for page in DOCS.glob("*.md") if page.stem != "index" and page.stem not in listed]
