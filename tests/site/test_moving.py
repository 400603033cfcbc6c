"""Claims about docs/moving: each page does the same job twice, and its two results are compared byte by byte.

That the pages are true, and so that the files are equal, is held by test_pages.py, which runs them.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.site.blocks import Block, blocks
from tests.site.pages import DOCS
from tests.site.session import commands

PAGES = sorted(set((DOCS / "moving").glob("*.md")) - {DOCS / "moving" / "index.md"})
SAME_LETTERS = [path for path in PAGES if path.stem != "snakemake"]  # whose steps are programs there and functions here


def _named(page: Path) -> dict[str, Block]:
    return {block.name: block for block in blocks(page.read_text()) if block.use == "file"}


def _functions(source: str) -> dict[str, str]:
    """Give the functions of a program by name, without what is above them."""
    found = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    for node in found.values():
        node.decorator_list = []
    return {name: ast.unparse(node) for name, node in found.items()}


def test_each_peer_has_a_page() -> None:
    """The four that people come from most."""
    assert ["dask-delayed", "joblib", "pipefunc", "snakemake"] == [path.stem for path in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_results_are_compared_byte_by_byte(page: Path) -> None:
    """Each of two programs writes a file, the other does not, and after both have run `cmp` finds them equal."""
    typed = [block for block in blocks(page.read_text()) if block.use == "typed"]
    lines = [line for block in typed for line in commands(block)]
    compared = next(line for line in lines if line.startswith("cmp "))
    _, theirs, ours, *then = compared.split()
    before = " ".join(lines[: lines.index(compared)])
    programs = {name: block.text for name, block in _named(page).items() if name in before}
    writers = [[name for name, text in programs.items() if f'"{result}"' in text] for result in (theirs, ours)]

    assert ["&&", "echo", "equal"] == then
    assert "equal\n" in next(block.text for block in typed if compared in commands(block))
    assert [1, 1] == [len(names) for names in writers]
    assert writers[0] != writers[1]


@pytest.mark.parametrize("page", SAME_LETTERS, ids=lambda page: page.stem)
def test_functions_are_the_same_to_the_letter(page: Path) -> None:
    """What a user keeps is kept: between the two programs no function differs but in its decorators."""
    (theirs, ours) = (block.text for name, block in _named(page).items() if name.startswith("with_"))
    there, here = _functions(theirs), _functions(ours)

    assert there
    assert there == {name: text for name, text in here.items() if name in there}
