"""Claims about all pages: what they show is what happens, and no block is left out.

`python -m tests.site PAGE` writes what the blocks of a page come to into it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.site.blocks import blocks
from tests.site.made import shown
from tests.site.pages import ROOT, faults, pages, played, sessions, strays

PAGES = pages()
SESSIONS = sessions(PAGES)


def _runs(session: list[Path]) -> bool:
    return any(block.use in {"piece", "typed"} for path in session for block in blocks(path.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_block_is_left_out(page: Path) -> None:
    """Each block of code is run, or says why it is not; see tests/site/blocks.py."""
    assert [] == strays(page.read_text())


@pytest.mark.parametrize("session", [*filter(_runs, SESSIONS)], ids=lambda session: str(session[0].relative_to(ROOT)))
def test_a_page_is_true(session: list[Path], tmp_path: Path) -> None:
    """What its blocks print stands below them, and the pictures that it shows are those that it draws."""
    folder = tmp_path / "you"
    came = played(session, folder)

    assert [] == [f"{path.name}: {fault}" for path in session for fault in faults(path.read_text(), came[path])]
    assert [] == [name for path in session for name in shown(path) if not (folder / name).is_file()]


def test_each_page_is_in_one_session() -> None:
    """None is forgotten because it goes on from a page that is not there."""
    assert sorted(PAGES) == sorted(path for session in SESSIONS for path in session)
