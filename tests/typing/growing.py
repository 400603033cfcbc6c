"""Tasks that return flows: typed by what their cells give. Read by mypy and pyright, never run."""

# ruff: noqa: D103 - what these are for stands in their types

from __future__ import annotations

from typing import Any, assert_type

import flowcore as fc


@fc.compute
def halved(x: float) -> float | fc.Flow:
    with fc.Flow() as flow:
        flow.result = half(x)
    return flow


@fc.compute
def half(x: float) -> float:
    return x / 2


@fc.compute(cores=2)
def maybe(x: float) -> list[float] | fc.Flow:
    return [x]


@fc.compute
def perhaps(x: float) -> float | fc.Flow | None:
    return None


@fc.io
async def later(x: float) -> bytes | fc.Flow:
    return b""


@fc.io(retries=1)
async def later_again(x: float) -> bytes | fc.Flow:
    return b""


@fc.io
def always(x: float) -> fc.Flow:
    return fc.Flow()


@fc.compute(version="2")
def always_again(x: float) -> fc.Flow:
    return fc.Flow()


@fc.io
async def always_later(x: float) -> fc.Flow:
    return fc.Flow()


@fc.compute
def size(content: bytes) -> int:
    return len(content)


def drawing() -> None:
    assert_type(halved(2.0), float)
    assert_type(maybe(2.0), list[float])
    assert_type(perhaps(2.0), float | None)
    assert_type(later(2.0), bytes)
    assert_type(later_again(2.0), bytes)
    size(later(2.0))
    half(halved(2.0))


def drawing_alone() -> None:
    assert_type(always(2.0), Any)
    assert_type(always_again(2.0), Any)
    assert_type(always_later(2.0), Any)
    half(always(2.0))
