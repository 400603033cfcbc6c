"""Wiring that type checkers must reject: each line marked `wrong:` with mypy's name for the mistake."""

# ruff: noqa: D103 - what these are for stands in their types

from __future__ import annotations

from typing import NamedTuple

import numpy as np

import flowcore as fc


class Fit(NamedTuple):
    slope: float
    name: str


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


@fc.compute
def fitted(x: float, *, weight: float = 1.0) -> Fit:
    return Fit(x, "")


@fc.compute
def lines(text: fc.File) -> int:
    return 0


@fc.compute
def grown(years: int, ckpt: fc.Checkpoint = fc.Checkpoint(), rng: np.random.Generator = fc.rng()) -> float:
    return 0.0


@fc.compute
def halved(x: float) -> float | fc.Flow:
    return x


@fc.flow
def sweep(paths: list[str]) -> None: ...


half(load("a"))  # wrong: arg-type
half("text")  # wrong: arg-type
half(y=1.0)  # wrong: call-arg
half()  # wrong: call-arg
half(1.0, 2.0)  # wrong: call-arg
half(1.0, gpus=1)  # wrong: call-arg
half(x=load("a"))  # wrong: arg-type
load(fc.each(path=[1, 2]))  # wrong: arg-type
half(fc.each(x=["a"]))  # wrong: arg-type
half(fc.each(x=load))  # wrong: arg-type
half(fc.each([1.0]))  # wrong: call-arg
total(half(1.0))  # wrong: arg-type
total(fc.gather(load("a")))  # wrong: arg-type
total(fc.gather(half(1.0), labels=True))  # wrong: arg-type
half(fc.gather(half(1.0)))  # wrong: arg-type
fc.gather(half(1.0), missing="drop")  # wrong: call-overload
fc.gather(half(1.0), over=1)  # wrong: call-overload
half(fetch("a"))  # wrong: arg-type
half(fitted(1.0).name)  # wrong: arg-type
fitted(1.0, 2.0)  # wrong: call-arg
fitted(1.0, weight="heavy")  # wrong: arg-type
load(halved(1.0))  # wrong: arg-type
half(fc.choose(1, half(1.0), load("a")))  # wrong: arg-type
lines("a.txt")  # wrong: arg-type
load(fc.File("a.txt"))  # wrong: arg-type
grown(years="all")  # wrong: arg-type
grown(3, rng=7)  # wrong: arg-type
sweep([1])  # wrong: list-item
sweep()  # wrong: call-arg
sweep(["a"], rates=[1.0])  # wrong: call-arg
fc.compute(retires=3)  # wrong: call-overload
fc.compute(gpus="two")  # wrong: call-overload
fc.io(place="elsewhere")  # wrong: call-overload
half.options(retires=3)  # wrong: call-arg
half.options(retries="three")  # wrong: arg-type
half.mean()  # wrong: attr-defined
fc.Flow().add(half, kind="job")  # wrong: arg-type
load(fc.Flow().add(half, 2.0))  # wrong: arg-type
fc.Flow().options(retires=3)  # wrong: call-arg
fc.Flow().run(wrokers=2)  # wrong: call-arg
fc.Flow().run(on_error="panic")  # wrong: arg-type
fc.Flow().start(workers="many")  # wrong: arg-type
fc.Flow().plan(seeed=3)  # wrong: call-arg
fc.Flow().accept("half")  # wrong: call-arg
fc.Settings(wrokers=2)  # wrong: call-arg
