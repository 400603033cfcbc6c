"""Wiring that type checkers must reject: each line marked `wrong:` with mypy's name for the mistake."""

# ruff: noqa: D103 - what these are for stands in their types

from __future__ import annotations

import flowcore as fc


@fc.io
def load(path: str) -> list[float]:
    return []


@fc.io
async def fetch(url: str) -> bytes:
    return b""


@fc.compute
def half(x: float) -> float:
    return x / 2


@fc.compute
def total(xs: list[float]) -> float:
    return 0.0


@fc.flow
def sweep(paths: list[str]) -> None: ...


half(load("a"))  # wrong: arg-type
half("text")  # wrong: arg-type
half(y=1.0)  # wrong: call-arg
half()  # wrong: call-arg
half(1.0, 2.0)  # wrong: call-arg
load(fc.each(path=[1, 2]))  # wrong: arg-type
half(fc.each(x=["a"]))  # wrong: arg-type
total(half(1.0))  # wrong: arg-type
total(fc.gather(load("a")))  # wrong: arg-type
total(fc.gather(half(1.0), labels=True))  # wrong: arg-type
fc.gather(half(1.0), missing="drop")  # wrong: call-overload
half(fetch("a"))  # wrong: arg-type
sweep([1])  # wrong: list-item
fc.compute(retires=3)  # wrong: call-overload
half.options(retires=3)  # wrong: call-arg
fc.Flow().run(wrokers=2)  # wrong: call-arg
fc.Flow().run(on_error="panic")  # wrong: arg-type
