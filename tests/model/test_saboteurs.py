"""H7 for the model: under each patch it is red, and by what it should be."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.drawings import Step
from tests.model.edits import FAMILIES
from tests.model.saboteurs import SABOTEURS
from tests.model.test_model import check, counter, pytestmark
from tests.programs import programs

__all__ = ["counter", "pytestmark"]
MOST = 150  # examples; each patch is seen much earlier


@pytest.mark.contract("H7", "H6")
@pytest.mark.parametrize("name", SABOTEURS)
def test_broken_identity_is_seen(name: str, counter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A patch that spoils keys, what answers them, or what cells give, does not pass for flowcore."""
    saboteur = SABOTEURS[name]
    families = (saboteur.family,) if saboteur.family else () if "write" in saboteur.edits else FAMILIES

    @given(steps=programs(most=5), data=st.data())
    @settings(max_examples=MOST, phases=[Phase.generate], report_multiple_bugs=False)
    def claim(steps: list[Step], data: st.DataObject) -> None:
        check(
            counter, steps, data, edits=saboteur.edits, actions=saboteur.actions, families=families,
            most_files=saboteur.files,
        )  # fmt: skip

    saboteur.patch(monkeypatch.setattr)
    with pytest.raises(AssertionError, match=saboteur.seen_by):
        claim()
