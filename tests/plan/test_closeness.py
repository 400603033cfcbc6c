"""Claims about plan/closeness.py: when two values agree, and how far they are apart."""

from __future__ import annotations

import enum
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.plan import closeness
from flowcore.plan.closeness import deviation

pytestmark = pytest.mark.contract("K25")
Pair = namedtuple("Pair", ["a", "b"])  # noqa: PYI024 - this is the kind that is tested


@dataclass
class State:
    """Numbers, and a name."""

    z: Any
    name: str = "s"


class Colour(enum.Enum):
    """A closed set."""

    RED = 1
    BLUE = 2


def near(value: Any) -> Any:
    """Give the value with every float moved by a millionth."""
    match value:
        case float() | complex():
            return value * (1 + 1e-6)
        case np.ndarray() if value.dtype.kind in "fc":
            return np.asanyarray(value * np.array(1 + 1e-6, value.dtype), value.dtype)
        case list():
            return [near(v) for v in value]
        case dict():
            return {k: near(v) for k, v in value.items()}
        case State():
            return State(near(value.z), value.name)
        case Pair():
            return Pair(near(value.a), near(value.b))
    return value


AGREEING = [
    1.5, 2 + 3j, np.float64(3.25), np.arange(1.0, 9.0).reshape(2, 4), np.asfortranarray(np.ones((3, 2))),
    np.array([1 + 1j, 2 - 1j]), np.array(2.0), [1, 2.5, "text", None], {"x": np.ones(3), "k": b"raw"},
    State(np.linspace(1, 2, 5)), Pair(1.5, [2.5]), (1.5, {"n": 3}), np.array([1.0, np.nan, np.inf, -np.inf]),
    np.arange(1.0, 5.0).astype(np.longdouble), np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False]),
    np.array([(1, 2.5)], dtype=[("i", "i4"), ("x", "f8")]), np.array(["a", "b"]), np.array(["2020-01-01"], "M8[D]"),
    {3}, Colour.RED, np.ones(0), [], True,
]  # fmt: skip


@pytest.mark.parametrize("value", AGREEING, ids=lambda v: type(v).__name__)
def test_values_a_millionth_apart_agree_within_a_hundred_thousandth(value: Any) -> None:
    """Whatever they are made of; and with themselves they agree exactly."""
    assert deviation(value, near(value), rtol=1e-5).close
    exact = deviation(value, value)
    assert (True, 0.0, 0.0) == (exact.close, exact.absolute, exact.relative)


APART = [
    (1.0, 1), (1, 2), (True, 1), (1.0, np.float64(1.0)), ("a", "b"), ([1.0], (1.0,)), ([1.0], [1.0, 1.0]),
    ({"a": 1.0}, {"b": 1.0}), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ({1: 1.0}, {True: 1.0}), (None, 0.0),
    (np.ones(2), np.ones(3)), (np.ones((1, 2)), np.ones(2)), (np.ones(2), np.ones(2, "f4")),
    (np.ones(2), np.ones(2, ">f8")),
    (np.ones(2, int), np.full(2, 2)), (np.array([1.0, np.nan]), np.array([1.0, 2.0])), (1.0, float("inf")),
    (float("inf"), -float("inf")), (State(1.0), State(1.0, "other")), (Pair(1.0, 2.0), (1.0, 2.0)),
    (np.ma.masked_array([1.0, 2.0], [True, False]), np.ma.masked_array([1.0, 2.0], [False, True])),
    (Colour.RED, Colour.BLUE), (np.array(["a"]), np.array(["b"])), (object(), object()), ({1.0}, {1.0000001}),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), APART, ids=range(len(APART)))
def test_what_is_not_a_matter_of_tolerance(old: Any, new: Any) -> None:
    """Kinds, lengths, keys, shapes, dtypes, whole numbers and text have to be equal."""
    found = deviation(old, new, rtol=1e-3, atol=0.5)

    assert not found.close
    assert "" != found.where


def test_the_kept_value_is_the_measure() -> None:
    """A tolerance is relative to it, and both tolerances add up."""
    assert deviation(10.0, 11.0, rtol=0.1).close
    assert not deviation(11.0, 9.8, rtol=0.1).close
    assert deviation(0.0, 1e-9, atol=1e-8).close
    assert not deviation(0.0, 1e-9, rtol=1.0).close


def test_nan_can_be_made_to_differ() -> None:
    """With equal_nan=False it agrees with nothing."""
    assert not deviation(np.array([np.nan]), np.array([np.nan]), equal_nan=False).close
    assert not deviation(float("nan"), float("nan"), equal_nan=False).close


def test_large_arrays_are_looked_at_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deviation in any piece is found, in C and in Fortran order."""
    monkeypatch.setattr(closeness, "_PIECE", 7)
    old = np.arange(1.0, 61.0).reshape(12, 5)
    new = old.copy()
    new[11, 4] += 3.0

    assert 3.0 == deviation(old, new).absolute
    assert 0.05 == deviation(np.asfortranarray(old), np.asfortranarray(new)).relative
    assert 0.05 == deviation(np.asfortranarray(old), new).relative


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8), st.floats(1e-12, 1e-3), st.data())
def test_agrees_with_numpy(numbers: list[float], rtol: float, data: st.DataObject) -> None:
    """`numpy.testing.assert_allclose` and this room say the same."""
    old = np.array(numbers)
    new = old * (1 + data.draw(st.floats(-1e-2, 1e-2)))

    assert bool((np.abs(new - old) <= rtol * np.abs(old)).all()) == deviation(old, new, rtol=rtol).close
    assert float(np.abs(new - old).max()) == deviation(old, new).absolute
