"""Claims about store/facts.py: facts of another type than they are written with are left out."""

from __future__ import annotations

import pytest

from flowcore.store.facts import AXIS, FAILED, NODE, RUN, fitting

pytestmark = pytest.mark.contract("J3", "S7")


def test_what_is_not_known_passes() -> None:
    """A later version may tell more; a name that is no text is none."""
    assert {"mood": [1], "name": "erode"} == fitting({"mood": [1], "name": "erode", 5: 6}, NODE)


@pytest.mark.parametrize(
    ("kinds", "name", "sound", "other"),
    [
        (RUN, "workers", 4, True),
        (RUN, "began", 5.5, "5.5"),
        (NODE, "from", [["z", 0]], [["z"]]),
        (NODE, "axes", [0, 1], [0, -1]),
        (NODE, "limit", ["api", 2, 0], ["api", 2]),
        (NODE, "common", {"code": b"c"}, {"code": "c"}),
        (AXIS, "labels", ["a", 1.5], [["a"]]),
        (AXIS, "source", None, "x"),
        (FAILED, "causes", [["E", "no", ""]], ["E"]),
    ],
)
def test_each_fact_has_its_type(kinds: dict[str, object], name: str, sound: object, other: object) -> None:
    """As it is written, or not at all."""
    assert ({name: sound}, {}) == (fitting({name: sound}, kinds), fitting({name: other}, kinds))  # type: ignore[arg-type]
