"""Wiring that type checkers accept, with the types they give it. Read by mypy and pyright, never run."""

# ruff: noqa: D103 - what these are for stands in their types

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, assert_type

import numpy as np
from numpy.typing import NDArray

import flowcore as fc

Array = NDArray[np.float64]


class Fit(NamedTuple):
    slope: float
    offset: float


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


@fc.compute
def fitted(x: float, *, weights: Array | None = None) -> Fit:
    return Fit(x, 0.0)


@fc.compute
def lines(text: fc.File) -> int:
    return len(Path(text).read_text())


@fc.io
def written(name: str) -> fc.File:
    return fc.File(name)


@fc.compute(gpus=1, memory="4 GiB", tracks=(half, "model.so"), same=fc.allclose(rtol=1e-12))
def nested(groups: dict[str, list[float]], labels: tuple[str, ...] = ()) -> set[str]:
    return set(labels)


@fc.compute(extend="years")
def grown(
    dem: Array,
    years: int,
    *,
    ckpt: fc.Checkpoint = fc.Checkpoint(every="10s"),
    rng: np.random.Generator = fc.rng(),
) -> Array:
    state = ckpt.state(z=dem, t=0.0)
    for year in ckpt.steps(years):
        assert_type(year, int)
        state.z = state.z + rng.random()
        ckpt.metric(mean=state.z.mean())
        ckpt.append(frame=state.z)
    return ckpt.series("frame")  # type: ignore[no-any-return]


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
    half(fc.each(x=np.linspace(0, 1, 5)))
    half(numbers()[0])
    assert_type(fc.choose(best, half(1.0), half(2.0)), float)
    assert_type(fc.choose(best, half(1.0), "none"), float | str)
    return best


@fc.flow(name="study")
def named(count: int) -> None:
    grown(np.zeros(3), count)
    grown(np.zeros(3), years=count)
    nested({"a": [half(1.0), 2.0]})
    lines(written("a"))
    lines(fc.File("b"))
    fit = fitted(half(1.0), weights=None)
    assert_type(fit, Fit)
    half(fit.slope)
    assert_type(fc.gather(half(fc.each(x=[1.0])), over=["x"]), list[float])
    half(fc.each(x=(float(n) for n in range(3))))


def drawing() -> None:
    assert_type(half(2.0), float)
    size(fetch("a"))
    size(fetch_plainly("a"))
    assert_type(fetch("a"), bytes)
    assert_type(half.options(retries=2)(1.0), float)
    assert_type(half.options(retries=2, gpus=1).options(limit="db:4")(x=1.0), float)
    assert_type(half.declared.retries, int)
    assert_type(half.function, Callable[..., Any])
    flow: fc.Flow = sweep(["a"], [0.1], years=3)
    with fc.Flow("by hand") as drawn:
        assert_type(drawn.add(half, 2.0, name="h", after=[flow["x"], "later"]), float)
        assert_type(drawn.add(len, "text"), int)
        assert_type(drawn.add(half, drawn["h"], kind="compute"), float)
        drawn.result = {"half": half(1.0)}
    assert_type(drawn["h"], fc.Node)
    assert_type(drawn.options(retries=2), fc.Flow)
    function: Callable[[float], float] = half
    function(1.0)
    task: fc.Task[[float], float] = half
    task(1.0)
    assert_type(list(map(half, [1.0])), list[float])


async def running(flow: fc.Flow, node: fc.Node) -> None:
    assert_type(flow.run(), fc.Run)
    run = flow.run(node, "half", workers=4, store=fc.open_store("here"), on_error="continue", seed=7, memory="8 GiB")
    flow.run(given={node: 3.0}, refresh=["half"], executor="inline", progress=False)
    started = flow.start(node)
    assert_type(started.wait(timeout=3.0), bool)
    assert_type(await flow.arun(workers=2), fc.Run)
    assert_type(run.id, str)
    assert_type(run.seconds, float)
    assert_type(run.peek(node, "frame"), Any)
    grid: fc.Grid = run[node]
    assert_type(grid.shape, tuple[int, ...])
    assert_type(grid.axes, tuple[str, ...])
    assert_type(grid.labels, dict[str, list[object]])
    values: dict[object, float] = dict(grid)
    total: float = run["total"]
    assert_type(grid.array(), NDArray[Any])
    assert_type([info.status for info in fc.runs()], list[str])
    assert_type(fc.diff(run, fc.open_run(run.id)).same, bool)
    assert_type(str(flow.plan(workers=8)) + str(flow.why(node, seed=3)), str)
    assert_type(values.get(total), float | None)
    for failure in run.failures:
        assert_type(failure.attempts, int)


class Model:
    @fc.compute
    def score(self, x: float) -> float:
        return x


def codecs(parts: Iterator[int]) -> None:
    fc.register_codec(Fit, name="fit", version="1", to=lambda fit: tuple(fit), back=lambda both: Fit(*both))
