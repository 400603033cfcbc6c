"""Claims about declare/injected.py: which defaults ask to be supplied, and what a plain call gets."""

from __future__ import annotations

import functools
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.declare.injected import requests


def draws(n: int, rng: np.random.Generator = fc.rng()) -> Any:
    """Draw by position or by name."""
    return rng.normal(size=n)


def by_name(n: int, *, rng: np.random.Generator = fc.rng()) -> Any:
    """Draw by name only."""
    return rng.normal(size=n)


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap as decorators do."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


class Drawer:
    """Draws when called, and by a method."""

    def __call__(self, n: int, rng: np.random.Generator = fc.rng()) -> Any:
        return rng.normal(size=n)

    def draw(self, n: int, rng: np.random.Generator = fc.rng()) -> Any:
        """Draw."""
        return rng.normal(size=n)


@pytest.mark.parametrize(
    ("function", "place"),
    [
        (draws, 1),
        (by_name, None),
        (wrapped(draws), 1),
        (functools.partial(draws, 3), 0),
        (functools.partial(draws, n=3), None),
        (functools.partial(lambda n, rng: rng.normal(size=n), rng=fc.rng()), None),
        (Drawer(), 1),
        (Drawer().draw, 1),
    ],
)
def test_requests_are_found(function: Callable[..., Any], place: int | None) -> None:
    """However a function came by its default."""
    (request,) = requests(function)

    assert ("rng", place) == (request.parameter, place)
    assert "fc.rng()" == repr(request.asked)


@pytest.mark.parametrize("function", [len, np.add, print, lambda n=3: n, np.linalg.svd, Drawer])
def test_an_ordinary_function_asks_for_nothing(function: Callable[..., Any]) -> None:
    """And its signature is not read."""
    assert () == requests(function)


def test_a_parameter_by_position_only_is_refused() -> None:
    """Nobody could supply it by its name."""

    def odd(n: int, rng: np.random.Generator = fc.rng(), /) -> Any:
        return rng.normal(size=n)

    with pytest.raises(fc.BadOption, match="given by position only"):
        fc.compute(odd)


@pytest.mark.contract("K21")
def test_a_plain_call_gets_a_fresh_stream() -> None:
    """Outside a run each call draws other numbers, on the bit generator that runs use."""
    task = fc.compute(lambda rng=fc.rng(): rng)

    assert "PCG64DXSM" == type(task().bit_generator).__name__
    assert task().normal() != task().normal()


@pytest.mark.contract("K21")
@pytest.mark.parametrize("pass_it", [lambda t, g: t(3, g), lambda t, g: t(3, rng=g)])
def test_who_passes_a_stream_is_obeyed(pass_it: Callable[[Any, Any], Any]) -> None:
    """By position as well as by name."""
    drawn = pass_it(fc.compute(draws), np.random.default_rng(5))

    assert np.array_equal(np.random.default_rng(5).normal(size=3), drawn)


@pytest.mark.contract("K21")
@pytest.mark.parametrize("passed", [np.random.default_rng(1), 7, None])
def test_a_drawing_takes_no_stream(passed: Any) -> None:
    """Whatever is passed: the error says how to come by another stream."""
    task = fc.compute(draws)

    with fc.Flow() as flow, pytest.raises(fc.WiringMismatch, match=r"fc\.each\(replica=range\(10\)\)"):
        task(3, rng=passed)
    assert () == flow.nodes


def test_a_drawing_leaves_the_parameter_open() -> None:
    """It is no argument of the node."""
    with fc.Flow() as flow:
        fc.compute(draws)(3)

    assert ["n"] == list(flow["draws"].arguments)


def test_a_method_in_a_class_body_is_supplied() -> None:
    """A task that is an attribute of a class gets its instance, and its stream."""

    class Model:
        """Holds a task."""

        @fc.compute
        def draw(self, n: int, rng: np.random.Generator = fc.rng()) -> Any:
            """Draw."""
            return rng.normal(size=n)

    assert (3,) == Model().draw(3).shape


def test_what_is_asked_for_is_no_generator_yet() -> None:
    """In a function that nobody supplies, its use says so, and it travels and prints."""
    asked = pickle.loads(pickle.dumps(fc.rng()))

    assert "fc.rng()" == repr(inspect.signature(draws).parameters["rng"].default) == repr(asked)
    assert not hasattr(asked, "normal")
    with pytest.raises(fc.NoValueYet, match=r"Only a task's own parameter is supplied"):
        draws(3)
