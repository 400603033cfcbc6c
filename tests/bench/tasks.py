"""The work that is timed: importable, so that every peer can send it to its processes by name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import flowcore as fc
from tests.bench.plain import nothing

ARRAY_BYTES = 64 * 2**20
NAP = 0.05  # seconds
_PRIME = 2**61 - 1


def kernel(iterations: int) -> float:
    """Compute, in proportion to `iterations`."""
    x = 0.5
    for _ in range(iterations):
        x = 3.6 * x * (1.0 - x)
    return x


def point(step: int, column: int, iterations: int, inputs: Sequence[int]) -> int:
    """Compute one cell of a graph: a number that tells who it is and what it read, in which order."""
    kernel(iterations)
    value = step * 1_000_003 + column
    for x in inputs:
        value = (value * 31 + x) % _PRIME
    return value


def make(seed: int, size: int = ARRAY_BYTES) -> NDArray[np.float64]:
    """Give an array of `size` bytes."""
    return np.full(size // 8, float(seed))


def stage(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give an array as large, made from the whole of this one."""
    return array + 1.0


def look(array: NDArray[np.float64]) -> float:
    """Touch every page of an array."""
    return float(array[:: 4096 // 8].sum())


def burn(x: int) -> int:
    """Keep a core busy for `NAP` seconds, whatever else runs on it."""
    began = time.thread_time()
    while time.thread_time() - began < NAP:
        pass
    return x


def nap(x: int) -> int:
    """Sleep."""
    time.sleep(NAP)
    return x


async def anap(x: int) -> int:
    """Sleep on the loop."""
    await asyncio.sleep(NAP)
    return x


nothing_cell = fc.compute(nothing)
point_cell = fc.compute(point)
make_cell = fc.compute(make)
stage_cell = fc.compute(stage)
look_cell = fc.compute(look)
burn_cell = fc.compute(burn)
nap_cell = fc.io(nap)
anap_cell = fc.io(anap)
