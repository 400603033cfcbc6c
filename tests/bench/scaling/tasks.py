"""The work of these measurements, importable by every engine's workers."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

import flowcore as fc

NAP = 0.02  # seconds
ARRAY = 4 * 2**20  # bytes


def echo(payload: bytes) -> bytes:
    """Give bytes back: what a message costs with nothing in it."""
    return payload


@fc.compute
def nothing(x: int) -> int:
    """Give the number back."""
    return x


@fc.compute
def nap(x: int) -> int:
    """Sleep: no core is needed for it, so a busy machine disturbs it little."""
    time.sleep(NAP)
    return x


@fc.compute
def link(x: int) -> int:
    """Sleep, and give the next number."""
    time.sleep(NAP)
    return x + 1


@fc.compute
def add(xs: list[int]) -> int:
    """Sleep, and add up."""
    time.sleep(NAP)
    return sum(xs)


@fc.compute
def make(x: int) -> NDArray[np.float64]:
    """Give an array."""
    return np.full(ARRAY // 8, float(x))


@fc.compute
def stage(field: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give an array made of another one."""
    time.sleep(NAP)
    return field + 0.5


def fan_out(cells: int) -> fc.Flow:
    """Draw naps that need nothing."""
    with fc.Flow("fan-out") as flow:
        nap(fc.each(x=range(cells)))
    return flow


def chain(cells: int) -> fc.Flow:
    """Draw naps that each need the one before."""
    with fc.Flow("chain") as flow:
        value = link(0)
        for _ in range(cells - 1):
            value = link(value)
    return flow


def tree(leaves: int) -> fc.Flow:
    """Draw naps, added up two by two."""
    with fc.Flow("tree") as flow:
        row = [nap(x) for x in range(leaves)]
        while len(row) > 1:
            row = [add(row[i : i + 2]) for i in range(0, len(row), 2)]
    return flow


def arrays(cells: int) -> fc.Flow:
    """Draw arrays of 4 MiB, and as many made of them."""
    with fc.Flow("arrays") as flow:
        stage(make(fc.each(x=range(cells))))
    return flow


def nothings(cells: int) -> fc.Flow:
    """Draw cells that do nothing."""
    with fc.Flow("nothings") as flow:
        nothing(fc.each(x=range(cells)))
    return flow
