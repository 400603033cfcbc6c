"""Tasks for flows whose store is in trouble. A module of its own, because workers import it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import flowcore as fc
from tests.faults import inside

CELLS = 6
SIZE = 40_000  # float64: 320 kB


@fc.compute
def field(number: int) -> NDArray[np.float64]:
    """Give an array."""
    inside.executed("field", number)
    return np.full(SIZE, number + 0.5)


@fc.compute
def mean(values: NDArray[np.float64], number: int) -> float:
    """Give a number."""
    inside.executed("mean", number)
    return float(values.mean()) + number


@fc.compute
def total(values: list[float]) -> float:
    """Add up."""
    inside.executed("total")
    return sum(values)


@fc.compute(ignore=("where",))
def vandal(values: list[float], where: str) -> list[float]:
    """Remove what is at a place: whoever reads it next finds nothing."""
    inside.executed("vandal")
    if os.path.isdir(where):
        shutil.rmtree(where)
    return values


@fc.compute
def after(values: NDArray[np.float64], number: int, gate: list[float]) -> float:
    """Read an array after the gate."""
    inside.executed("after", number)
    return float(values.sum()) + number + len(gate)


ANSWER = sum(number + 0.5 + number for number in range(CELLS))
LATER = [(number + 0.5) * SIZE + number + CELLS for number in range(CELLS)]


@fc.flow
def means() -> Any:
    """Draw arrays, a number of each, and their sum."""
    numbers = fc.each(number=list(range(CELLS)))
    return total(fc.gather(mean(field(numbers), numbers)))


@fc.flow
def vandalised(where: Path) -> Any:
    """Draw arrays that are read a second time after something was removed."""
    numbers = fc.each(number=list(range(CELLS)))
    fields = field(numbers)
    gate = vandal(fc.gather(mean(fields, numbers)), str(where))
    return after(fields, numbers, gate)


@fc.compute(runner="inline")
def ramp(number: int) -> NDArray[np.float64]:
    """Give an array that is kept as a file."""
    inside.executed("ramp", number)
    return np.arange(3000.0) + number


@fc.compute(runner="inline")
def top(values: NDArray[np.float64]) -> float:
    """Give a number, which is kept in the journal."""
    inside.executed("top")
    return float(values.max())


@fc.compute(runner="inline")
def added(values: list[float]) -> float:
    """Add up."""
    inside.executed("added")
    return sum(values)


@fc.flow
def few() -> Any:
    """Draw two arrays, a number of each, and the numbers."""
    return added(fc.gather(top(ramp(fc.each(number=[1, 2])))))


FEW = 6001.0
