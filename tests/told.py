"""Flows whose runs are looked at afterwards, or from elsewhere: importable, and a script for a process of their own."""

from __future__ import annotations

import enum
import logging
import os
import sys
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import flowcore as fc


class Colour(enum.Enum):
    """A label that is no plain data."""

    RED = 1
    BLUE = 2


@fc.compute
def field(rate: float) -> NDArray[np.float64]:
    """Give an array that is kept as a file."""
    return np.full(4_000, rate)


@fc.compute
def total(x: NDArray[np.float64]) -> float:
    """Sum up."""
    return float(x.sum())


@fc.compute
def double(x: float) -> float:
    """Double."""
    return 2 * x


@fc.compute
def upto(n: int) -> list[int]:
    """Give a list that an axis may run over."""
    return list(range(n))


@fc.compute
def counted(x: int, path: str) -> int:
    """Give how often this was called: another value each time, against all advice."""
    with open(path, "a", encoding="ascii") as file:
        file.write(".")
    return x + 100 * os.stat(path).st_size


@fc.compute
def picky(x: int) -> int:
    """Fail, skip, or not."""
    if x == 1:
        raise ValueError("one is not to be had")
    if x == 2:
        raise fc.Skip("two is not needed")
    return x


@fc.io
def talk(x: int) -> int:
    """Say something in every way there is."""
    sys.stdout.write(f"out {x}\n")
    sys.stderr.write(f"err {x}\n")
    logging.getLogger("told").warning("logged %d", x)
    warnings.warn(f"warned {x}", stacklevel=1)
    sys.stdout.write("unfinished")
    return x


@fc.io
def hold(x: float) -> float:
    """Tell the outside that this runs, and wait for a word."""
    os.write(1, b"holding\n")
    sys.stdin.readline()
    return x


@fc.flow
def held(rates: list[float]) -> object:
    """Three steps, the last of which waits."""
    return hold(total(field(fc.each(rate=rates))))


if __name__ == "__main__":
    held([0.5]).run(store=Path(sys.argv[1]), executor="thread", progress=False)
