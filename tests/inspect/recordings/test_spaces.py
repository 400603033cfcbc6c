"""Claims about inspect/recordings/spaces.py: what a journal says of cells costs no more than it is (S7)."""

from __future__ import annotations

import tracemalloc

import pytest

from flowcore.inspect.recordings.spaces import MOST, Spaces
from flowcore.plan.cells import Span

pytestmark = pytest.mark.contract("S7")


def test_rows_are_counted_as_they_come() -> None:
    """A node along the value of another has the cells that it was told of."""
    spaces = Spaces()
    spaces.add(0, ())
    spaces.add(1, (Span("item", None, 0),))
    before = spaces[1].count
    spaces.expand(0, 0, 3)

    assert (0, 3) == (before, spaces[1].count)


def test_cells_cost_nothing_while_they_are_only_told_of() -> None:
    """Sixteen million of them take a few kilobytes."""
    spaces = Spaces()
    tracemalloc.start()
    spaces.add(0, (Span("x", 1 << 12), Span("y", 1 << 12)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert MOST == spaces[0].count
    assert peak < 100_000


@pytest.mark.parametrize(
    "spans",
    [
        (Span("x", MOST + 1),),
        (Span("x", 2), Span("x", 2)),
        (Span("x", None, 7),),
        tuple(Span(str(i), 1) for i in range(65)),
    ],
)
def test_what_no_run_has_is_refused(spans: tuple[Span, ...]) -> None:
    """More cells than there are, an axis twice, a source that is not there, axes without end."""
    with pytest.raises((ValueError, LookupError)):
        Spaces().add(0, spans)


@pytest.mark.parametrize(("cell", "length"), [(0, MOST + 1), (1, 2), (-1, 2), (0, -1)])
def test_rows_that_no_run_has_are_refused(cell: int, length: int) -> None:
    """Of no cell that there is, or longer than all cells together."""
    spaces = Spaces()
    spaces.add(0, ())
    spaces.add(1, (Span("item", None, 0),))
    with pytest.raises(ValueError, match=r"cell|rows"):
        spaces.expand(0, cell, length)
