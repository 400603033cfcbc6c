"""Wiring that type checkers accept, with the types they give it. Read by mypy and pyright, never run."""

# ruff: noqa: D103 - what these are for stands in their types

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import flowcore as fc

Array = NDArray[np.float64]


@fc.io
def load(path: str) -> Array:
    return np.zeros(3)


@fc.io(retries=3, backoff="1s", timeout="30s", limit=8)
async def fetch(url: str) -> bytes:
    return b""


@fc.io
async def fetch_plainly(url: str) -> bytes:
    return b""


@fc.compute(cores=2, version="2", cache=False)
def erode(dem: Array, rate: float, years: int = 100) -> tuple[Array, float]:
    return dem, rate


@fc.compute
def rank(lands: list[Array]) -> int:
    return 0


@fc.compute
def by_label(lands: dict[str, Array]) -> int:
    return 0


@fc.compute
def size(content: bytes) -> int:
    return 0


@fc.compute
def numbers() -> list[float]:
    return []


@fc.compute
def half(x: float) -> float:
    return x / 2


@fc.flow
def sweep(paths: list[str], rates: list[float], years: int = 500) -> Any:
    dem = load(fc.each(path=paths))
    assert_type(dem, Array)
    land, age = erode(dem, fc.each(rate=rates), years=years)
    assert_type(land, Array)
    assert_type(age, float)
    best = rank(fc.gather(land, over="rate"))
    assert_type(best, int)
    rank([land, land])
    by_label(fc.gather(land, labels=True, missing="drop"))
    half(fc.each(x=numbers()))
    half(fc.each(x=range(3)))
    half(numbers()[0])
    assert_type(fc.choose(best, half(1.0), half(2.0)), float)
    return best


def test_types() -> None:
    assert_type(half(2.0), float)
    size(fetch("a"))
    size(fetch_plainly("a"))
    assert_type(half.options(retries=2)(1.0), float)
    assert_type(half.declared.retries, int)
    flow: fc.Flow = sweep(["a"], [0.1], years=3)
    with fc.Flow("by hand") as drawn:
        assert_type(drawn.add(half, 2.0, name="h", after=[flow["x"], "later"]), float)
        assert_type(drawn.add(len, "text"), int)
    assert_type(drawn["h"], fc.Node)
    assert_type(drawn.options(retries=2), fc.Flow)
    function: Callable[[float], float] = half
    function(1.0)
