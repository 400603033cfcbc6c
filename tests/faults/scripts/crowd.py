"""Many small arrays that other runs make at the same time. Usage: crowd.py STORE LOCKS.

Meets the driver at its beginning and with its result. With LOCKS ``none`` every lock call fails.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys

import numpy as np
from numpy.typing import NDArray

import flowcore as fc
from tests.faults import inside

CELLS = 200
SIZE = 2_100  # float64: above what lives in a record


@fc.compute
def field(number: int) -> NDArray[np.float64]:
    """Give an array."""
    inside.executed("field", number)
    return np.sin(np.arange(SIZE) + number)


@fc.compute
def mean(values: NDArray[np.float64], number: int) -> float:
    """Give a number."""
    inside.executed("mean", number)
    return float(values.mean()) + number


def meant() -> list[float]:
    """Give the values as they are without flowcore."""
    return [float(np.sin(np.arange(SIZE) + number).mean()) + number for number in range(CELLS)]


def drawn() -> tuple[fc.Flow, object]:
    """Draw the cells."""
    flow = fc.Flow("crowd")
    numbers = fc.each(number=list(range(CELLS)))
    return flow, flow.add(mean, flow.add(field, numbers), numbers)


def refuse(*_: object) -> None:
    """Stand in for a lock call of a filesystem without locks."""
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


def main() -> None:
    """Run it."""
    if sys.argv[2] == "none":
        fcntl.flock = refuse
    inside.mark("ready")
    inside.arm()
    flow, means = drawn()
    run = flow.run(store=sys.argv[1], progress=False, executor="inline")
    inside.mark("result", values=list(run[means].values()))


if __name__ == "__main__":
    main()
