"""Claims about docs/scaling.md: its tables are those of its figures."""

from __future__ import annotations

import json

from tests.bench.scaling.__main__ import FIGURES, PAGE, renewed
from tests.bench.scaling.table import TABLES


def test_the_tables_of_the_page_are_made_from_its_figures() -> None:
    """Nobody has written into them by hand, and each is there."""
    page = PAGE.read_text()

    assert page == renewed(page, json.loads(FIGURES.read_text()))
    assert [] == [name for name in TABLES if f"<!-- {name} -->" not in page]
