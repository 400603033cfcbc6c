"""The work that is timed: importable, so that every peer can send it to its processes by name."""

from __future__ import annotations

import asyncio
import time

import numpy as np
from numpy.typing import NDArray

import flowcore as fc

ARRAY_BYTES = 64 * 2**20
NAP = 0.05  # seconds


def nothing(x: int) -> int:
    """Do nothing."""
    return x


def make(seed: int) -> NDArray[np.float64]:
    """Give an array of 64 MiB."""
    return np.full(ARRAY_BYTES // 8, float(seed))


def look(array: NDArray[np.float64]) -> float:
    """Touch every page of an array."""
    return float(array[:: 4096 // 8].sum())


def burn() -> float:
    """Keep a core busy for `NAP` seconds, whatever else runs on it."""
    total, began = 0.0, time.thread_time()
    while time.thread_time() - began < NAP:
        total += 1.0
    return total


def nap(x: int) -> int:
    """Sleep."""
    time.sleep(NAP)
    return x


async def anap(x: int) -> int:
    """Sleep on the loop."""
    await asyncio.sleep(NAP)
    return x


nothing_cell = fc.compute(nothing)
make_cell = fc.compute(make)
look_cell = fc.compute(look)
nap_cell = fc.io(nap)
anap_cell = fc.io(anap)


@fc.compute
def burn_cell(x: int) -> float:
    """Burn; the argument only tells the cells apart."""
    del x
    return burn()
