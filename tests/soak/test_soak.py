"""The soak in its short form, and what it is worth: broken flowcores do not get through it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.soak import Soak

RUNS = 8
MOST = 120  # runs in which a broken flowcore is seen; it is within a few


@pytest.mark.contract("P1", "P2", "P3", "P5", "P6", "P7", "P8", "P10", "F16")
def test_random_runs_on_one_store_under_kills_damage_and_edits(tmp_path: Path) -> None:
    """Four at once: whatever ends gives what plain calls give, nothing recorded runs again, nothing is left."""
    soak = Soak(tmp_path, seed=8, projects=2, tell=lambda _: None)

    soak.go_on(lambda: soak.score.counts["runs"] < RUNS)

    assert ([], []) == (soak.score.mistakes, soak.score.leftovers)
    assert soak.score.total("kills") > 0
    assert soak.score.counts["ended"] > 0


@pytest.mark.contract("H7", "F1", "P1", "P2", "P6", "P7")
@pytest.mark.parametrize(
    "sabotage",
    [
        "record_at_start",
        pytest.param("skip globals", marks=pytest.mark.slow),
        pytest.param("no_tidying", marks=pytest.mark.slow),
    ],
)
def test_a_soak_sees_a_broken_flowcore(sabotage: str, tmp_path: Path) -> None:
    """Records that come too early, keys without constants, debris that stays."""
    soak = Soak(tmp_path, seed=1, projects=2, sabotage=sabotage, tell=lambda _: None)

    soak.go_on(lambda: not (soak.score.mistakes or soak.score.leftovers) and soak.score.counts["runs"] < MOST)

    assert soak.score.mistakes or soak.score.leftovers
