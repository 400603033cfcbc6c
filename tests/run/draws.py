"""Tasks that draw random numbers, for whatever process imports them."""

from __future__ import annotations

import importlib
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import normal
from numpy.typing import NDArray

import flowcore as fc

Array = NDArray[np.float64]


@fc.compute
def sample(n: int, replica: int = 0, *, rng: np.random.Generator = fc.rng()) -> Array:
    """Give n normal numbers."""
    return rng.normal(size=n) + 0 * replica


@fc.compute(cache=False)
def unkept(n: int, rng: np.random.Generator = fc.rng()) -> Array:
    """As `sample`, not kept."""
    return rng.normal(size=n)


@fc.io
async def awaited(n: int, rng: np.random.Generator = fc.rng()) -> Array:
    """As `sample`, on the event loop."""
    return rng.normal(size=n)


@fc.compute
def two(n: int, a: np.random.Generator = fc.rng(), b: np.random.Generator = fc.rng()) -> tuple[Array, Array]:
    """Draw from two streams."""
    return a.normal(size=n), b.normal(size=n)


@fc.compute
def outer(n: int) -> list[Array]:
    """Call a task that draws, twice."""
    return [sample(n), sample(n)]


@fc.compute(cache=False)
def outer_unkept(n: int) -> list[Array]:
    """As `outer`, not kept."""
    return [sample(n), sample(n)]


@fc.compute
def hidden(n: int) -> Array:
    """Call a task that draws by a name that nobody can follow."""
    drawing: Any = getattr(importlib.import_module("tests.run.draws"), "sam" + "ple")
    found: Array = drawing(n)
    return found


@fc.compute
def tail(values: Any, n: int, rng: np.random.Generator = fc.rng()) -> Array:
    """Draw below something that has no digest."""
    return rng.normal(size=n) + 0 * len(values)


@fc.compute
def unkeepable(n: int) -> Any:
    """Give something that has no encoding."""
    return Opaque(n)


class Opaque:
    """Has a length and no encoding."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n


@dataclass
class Sampler:
    """Has a method that draws."""

    scale: float

    def draw(self, n: int, rng: np.random.Generator = fc.rng()) -> Array:
        """Give n normal numbers of this scale."""
        return rng.normal(scale=self.scale, size=n)


def plain(scale: float, n: int, rng: np.random.Generator = fc.rng()) -> Array:
    """A function that is no task yet."""
    return rng.normal(scale=scale, size=n)


def plainly(n: int, rng: np.random.Generator = fc.rng()) -> Array:
    """Another one."""
    return rng.normal(size=n)


@fc.compute
def of_numpy(n: int) -> float:
    """Draw from numpy's global stream."""
    return float(np.random.uniform() * n)  # noqa: NPY002 - that is the point


@fc.compute
def of_python(n: int) -> float:
    """Draw from Python's global stream."""
    return random.gauss(0.0, n)


@fc.compute
def imported(n: int) -> float:
    """Draw from numpy's global stream by a name of its own."""
    return float(normal(scale=n))  # noqa: NPY002 - that is the point


@fc.compute
def own_generators(n: int) -> float:
    """Draw from generators made here: no other cell has them."""
    return float(np.random.default_rng(n).normal()) + random.Random(n).random()
