"""A loop, or a recursion, of cells that return flows; a step kills this process where it is told to."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import flowcore as fc

FOLDER = Path(os.environ["GROWS_FOLDER"])


@fc.compute
def step(number: int) -> int:
    """Leave a line; give one."""
    folder = os.environ["GROWS_FOLDER"]
    with open(f"{folder}/calls", "a") as file:
        file.write(f"{number}\n")
    if os.environ["GROWS_KILL"] == str(number):
        os.kill(int(os.environ["GROWS_MAIN"]), signal.SIGKILL)
        signal.pause()
    return 1


@fc.compute
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@fc.compute
def loop(number: int, done: int, left: int) -> int | fc.Flow:
    """Take a step, and go on with what it gave."""
    if not left:
        return done
    with fc.Flow() as flow:
        flow.result = loop(number + 1, add(done, step(number)), left - 1)
    return flow


@fc.compute
def recursion(number: int, left: int) -> int | fc.Flow:
    """Go down, and take a step on the way back."""
    if not left:
        return 0
    with fc.Flow() as flow:
        deeper = recursion(number + 1, left - 1)
        flow.result = add(deeper, flow.add(step, number, after=[deeper]))
    return flow


if __name__ == "__main__":
    os.environ["GROWS_MAIN"] = str(os.getpid())
    what, depth = sys.argv[1], int(sys.argv[2])
    with fc.Flow() as whole:
        whole.result = loop(0, 0, depth) if what == "loop" else recursion(0, depth)
    run = whole.run(store=FOLDER / "store", workers=1, progress=False)
    sys.stdout.write(f"{run[whole.result]}\n")
