"""A flow whose rank ends under it, for `test_engines.py`: four cells, then four of which one dies if it is told to."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from mpi4py.futures import MPIPoolExecutor

import flowcore as fc


@fc.compute(ignore=("dies",))
def square(x: int, dies: bool, before: object) -> int:
    """Count that it was executed; and end the process."""
    with Path(os.environ["COUNTED"]).open("a") as file:
        file.write(f"{x}\n")
    if dies and x == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


if __name__ == "__main__":
    dying = sys.argv[1] == "dies"
    flow = fc.Flow("squares")
    first = flow.add(square, fc.each(x=[0, 1, 2, 3]), dies=False, before=None, name="first")
    second = flow.add(square, fc.each(y=[4, 5, 6, 7]), dies=dying, before=fc.gather(first), name="second")
    with MPIPoolExecutor() as pool:
        run = flow.run(first, second, executor=pool, store="store", workers=2)
        print([*run[first].values(), *run[second].values()])  # noqa: T201 - is compared
