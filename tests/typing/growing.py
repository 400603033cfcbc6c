"""Tasks that return flows: typed by what their cells give. Read by mypy, never run.

Pyright takes the flow for a part of the type: it leaves out of a union only what is the very same class.
"""

# ruff: noqa: D103 - what these are for stands in their types

from __future__ import annotations

from typing import assert_type

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


@fc.io
async def later(x: float) -> bytes | fc.Flow:
    return b""


@fc.compute
def size(content: bytes) -> int:
    return len(content)


def test_types() -> None:
    assert_type(halved(2.0), float)
    assert_type(maybe(2.0), list[float])
    size(later(2.0))
    half(halved(2.0))
