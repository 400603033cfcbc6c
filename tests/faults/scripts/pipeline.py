"""Load, two stages of large arrays over a grid, a small number a cell, their total.

Usage: pipeline.py STORE. At the end it meets the driver with a digest of every value.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

import flowcore as fc
from tests.faults import inside

CELLS = 12
SIZE = 150_000  # float64: 1.2 MB
EXECUTIONS = 1 + 3 * CELLS + 1


@fc.io(cache=True)
def load() -> NDArray[np.float64]:
    """Give heights."""
    inside.executed("load")
    return np.linspace(0.0, 1.0, SIZE)


@fc.compute
def bend(heights: NDArray[np.float64], power: int) -> NDArray[np.float64]:
    """Give a large array."""
    inside.executed("bend", power)
    return heights ** (1.0 + power)


@fc.compute
def shift(heights: NDArray[np.float64], power: int) -> NDArray[np.float64]:
    """Give another."""
    inside.executed("shift", power)
    return heights + power * heights[::-1]


@fc.compute
def measure(heights: NDArray[np.float64], power: int) -> float:
    """Give a number."""
    inside.executed("measure", power)
    return float(np.sqrt(heights).sum()) + power


@fc.compute
def total(values: list[float]) -> float:
    """Add up."""
    inside.executed("total")
    return sum(values)


@fc.flow
def pipeline() -> Any:
    """Draw them."""
    powers = fc.each(power=list(range(CELLS)))
    shifted = shift(bend(load(), powers), powers)
    return shifted, total(fc.gather(measure(shifted, powers)))


def main() -> None:
    """Run it, and tell what came out."""
    inside.arm()
    flow = pipeline()
    run = flow.run(store=sys.argv[1], workers=2, progress=False)
    grid, whole = run[flow.result]
    digests = [blake3(grid[power].tobytes()).hexdigest() for power in range(CELLS)]
    inside.mark("result", values=[*digests, whole.hex()], counts=inside.counts())


if __name__ == "__main__":
    main()
