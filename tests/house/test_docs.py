"""Claims about the pages that are built from single files: a page that Sphinx would leave out, or not name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
MADE = ("_build/", "auto_gallery/")
DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_begins_with_its_title(page: Path) -> None:
    """Without one no list of pages can link it, and `make docs` fails."""
    assert page.read_text(encoding="utf-8").startswith("# ")


def test_the_index_links_every_page() -> None:
    """What stands beside it, and the index of each folder, is read by somebody."""
    index = DOCS.joinpath("index.md").read_text(encoding="utf-8")
    listed = {line for tree in TOCTREE.findall(index) for line in tree.split()}
    beside = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.glob("*.md")}
    below = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.glob("[!_]*/index.md")}

    assert set() == (beside | below) - listed - {"index"}


@pytest.mark.parametrize("page", [DOCS.parent / "README.md", *PAGES], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """To a file that is there; what is made when the site is built is not looked for."""
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    links = {link.partition("#")[0] for link in LINK.findall(text)} - {""}

    assert [] == [
        link for link in links if not any(part in link for part in MADE) and not (page.parent / link).exists()
    ]
