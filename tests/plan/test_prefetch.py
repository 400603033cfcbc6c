"""Claims about plan/prefetch.py: what is fetched waits in bounded numbers, and nobody waits for nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flowcore.plan.prefetch import UNKNOWN, Prefetch

BOUND, LEAST = 1000, 4


def fetched(prefetch: Prefetch, cells: int, size: int, *, used: bool) -> None:
    """Fetch cells of this size, that somebody could use, or nobody yet."""
    prefetch.fetch("load", cells)
    prefetch.weigh("load", [size] * cells)
    prefetch.fetch("load", -cells)
    if used:
        prefetch.wait(["load"], cells)


@given(st.integers(1, 400), st.lists(st.booleans(), max_size=300))
def test_what_waits_is_bounded(size: int, events: list[bool]) -> None:
    """However slow those who use it are: no more bytes wait than the bound, or so many cells as keep them busy."""
    prefetch, waiting = Prefetch(most=BOUND, least=LEAST), 1
    fetched(prefetch, 1, size, used=True)
    for uses in events:
        if uses and waiting:
            prefetch.wait(["load"], -1)
            waiting -= 1
        elif prefetch.room("load") > 0:
            fetched(prefetch, 1, size, used=True)
            waiting += 1

        assert waiting <= max(LEAST, BOUND // size)


def test_an_unknown_weight_is_found_out_with_few() -> None:
    """Until the first value has come, a handful are fetched; then as many as the bound allows."""
    prefetch = Prefetch(most=BOUND, least=LEAST)
    before = prefetch.room("load")
    prefetch.fetch("load", UNKNOWN)
    full = prefetch.room("load")
    prefetch.weigh("load", [10])
    prefetch.fetch("load", -UNKNOWN)

    assert (UNKNOWN, 0, BOUND // 10) == (before, full, prefetch.room("load"))


def test_what_nobody_can_use_yet_holds_up_nothing() -> None:
    """A gather needs all of it: fetching goes on."""
    prefetch = Prefetch(most=BOUND, least=LEAST)
    for _ in range(100):
        fetched(prefetch, 10, BOUND, used=False)

    assert prefetch.room("load") > 0
