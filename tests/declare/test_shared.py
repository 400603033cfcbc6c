"""Claims about states whose parts are one: refused where a state begins, and told where it is saved."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import flowcore as fc
from flowcore.declare.shared import shared

LAND = np.arange(12.0).reshape(3, 4)
ROW = [1.0, 2.0]


@pytest.mark.parametrize(
    ("state", "names"),
    [
        ({"a": LAND, "b": LAND}, ("a", "b")),
        ({"a": LAND, "b": LAND[0]}, ("a", "b")),
        ({"a": LAND, "b": LAND.T[::-1]}, ("a", "b")),
        ({"a": ROW, "b": {"last": ROW}}, ("a", "b['last']")),
        ({"a": [ROW, ROW]}, ("a[0]", "a[1]")),
        ({"a": (LAND[1:], LAND[:2])}, ("a[0]", "a[1]")),
    ],
)
@pytest.mark.contract("E13")
def test_parts_that_are_one_are_found(state: dict[str, object], names: tuple[str, str]) -> None:
    """One object under two names, and arrays that overlap."""
    assert names == shared(state)


@pytest.mark.parametrize(
    "state",
    [
        {"a": LAND, "b": LAND.copy()},
        {"a": LAND[:, ::2], "b": LAND[:, 1::2]},
        {"a": LAND[:1], "b": LAND[1:]},
        {"a": np.empty(0), "b": np.empty(0)},
        {"a": 1.0, "b": 1.0, "c": "text", "d": "text", "e": (), "f": ()},
        {"a": [1.0], "b": [1.0]},
    ],
)
def test_parts_that_are_two_are_let_through(state: dict[str, object]) -> None:
    """Equal values, halves of one array, and what cannot be changed in place."""
    assert shared(state) is None


@pytest.mark.contract("E13")
def test_a_state_does_not_begin_with_one_array_twice(tmp_path: Path) -> None:
    """It fails before its first step, also where it is called plainly."""

    @fc.compute(runner="inline")
    def evolved(land: np.ndarray, *, ckpt: fc.Checkpoint = fc.Checkpoint()) -> float:
        s = ckpt.state(now=land, first=land)
        for _ in ckpt.steps(3):
            s.now += s.first
        return float(s.now.sum())

    with fc.Flow("twice") as flow:
        flow.result = evolved(LAND)
    with pytest.raises(fc.RunFailed, match="now and first in the state share memory"):
        flow.run(store=tmp_path / "store", progress=False)
    with pytest.raises(fc.SharedState):
        evolved(LAND.copy())


@pytest.mark.contract("E13")
def test_a_state_that_comes_to_share_is_told_once(tmp_path: Path) -> None:
    """The simulation goes on; one warning names both parts."""

    @fc.compute(runner="inline")
    def evolved(*, ckpt: fc.Checkpoint = fc.Checkpoint()) -> float:
        s = ckpt.state(now=np.ones(3), best=np.zeros(3))
        for _ in ckpt.steps(4):
            s.best = s.now
            ckpt.save()
            s.now = s.now + 1
            s.best = s.now
        return float(s.best.sum())

    with fc.Flow("best") as flow:
        flow.result = evolved()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        run = flow.run(store=tmp_path / "store", progress=False)

    assert 15.0 == run[flow.result]
    assert [("now", "best")] == [w.message.names for w in told if isinstance(w.message, fc.SharedState)]


@pytest.mark.contract("K24")
def test_only_one_loop_is_lengthened(tmp_path: Path) -> None:
    """A second loop in a task with `extend` is refused: the first one would keep its old length."""

    @fc.compute(extend="n", runner="inline")
    def twofold(n: int, *, ckpt: fc.Checkpoint = fc.Checkpoint()) -> int:
        s = ckpt.state(a=0)
        for _ in ckpt.steps(n):
            s.a += 1
        for _ in ckpt.steps(n):
            s.a = s.a * 2 + 1
        return int(s.a)

    with fc.Flow("two loops") as flow:
        flow.result = twofold(5)
    for _ in range(2):
        with pytest.raises(fc.RunFailed, match="a second loop over the checkpoint"):
            flow.run(store=tmp_path / "store", progress=False)

    assert 191 == twofold(5)
