"""Tasks that pilots carry out for tests: each execution leaves a line, and may wait for a sign."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import flowcore as fc

DEADLINE = 60.0  # seconds; only turns a hang into a failure
SIZE = 3000  # elements of 8 bytes: above what travels in a message


def until_there(path: Path) -> None:
    """Wait for a sign."""
    due = time.monotonic() + DEADLINE
    while not path.exists() and time.monotonic() < due:
        time.sleep(0.005)


def executed(folder: Path) -> list[int]:
    """Give the cells that were begun, in order."""
    path = folder / "begun"
    return [int(line.split()[0]) for line in path.read_text().splitlines()] if path.exists() else []


def processes(folder: Path) -> list[int]:
    """Give the processes that they were begun in."""
    path = folder / "begun"
    return [int(line.split()[1]) for line in path.read_text().splitlines()] if path.exists() else []


def begin(folder: str, cell: int) -> None:
    """Leave a line, in one write."""
    with Path(folder, "begun").open("a") as file:
        file.write(f"{cell} {os.getpid()}\n")


@fc.compute(ignore=("folder",))
def square(x: int, folder: str) -> Any:
    """Give an array."""
    begin(folder, x)
    return np.full(SIZE, float(x * x))


@fc.compute(ignore=("folder",))
def gated(x: int, folder: str) -> Any:
    """Give an array, once there is a sign for this cell or for all."""
    begin(folder, x)
    due = time.monotonic() + DEADLINE
    while not (Path(folder, f"go {x}").exists() or Path(folder, "go").exists()) and time.monotonic() < due:
        time.sleep(0.005)
    return np.full(SIZE, float(x * x))


@fc.compute(ignore=("folder",))
def fatal(x: int, folder: str) -> int:
    """End its process, if it is cell 3."""
    begin(folder, x)
    if x == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return x * x


@fc.compute(ignore=("folder",))
def march(n: int, folder: str, *, ckpt: fc.Checkpoint = fc.Checkpoint(), rng: np.random.Generator = fc.rng()) -> Any:
    """Walk at random; after step 5 it waits for a sign."""
    s = ckpt.state(z=np.zeros(SIZE))
    for step in ckpt.steps(n):
        begin(folder, step)
        s.z = s.z + rng.normal(size=SIZE)
        ckpt.append(mean=s.z.mean())
        if step == 5:
            until_there(Path(folder, "go"))
    return s.z, ckpt.series("mean")


@fc.compute(ignore=("folder", "nap"))
def stroll(
    n: int, folder: str, nap: float, *, ckpt: fc.Checkpoint = fc.Checkpoint(), rng: np.random.Generator = fc.rng()
) -> Any:
    """Walk at random, slowly."""
    s = ckpt.state(z=np.zeros(SIZE))
    for step in ckpt.steps(n):
        begin(folder, step)
        s.z = s.z + rng.normal(size=SIZE)
        ckpt.metric(mean=s.z.mean())
        time.sleep(nap)
    return s.z


@fc.compute
def total(parts: Any) -> float:
    """Sum up arrays."""
    return float(sum(part.sum() for part in parts))


def summed(task: Any, cells: int, folder: Path) -> fc.Flow:
    """Draw a grid of a task, and its sum."""
    with fc.Flow("summed") as flow:
        flow.result = total(fc.gather(task(fc.each(x=range(cells)), str(folder))))
    return flow


def drive(store: str, folder: str, cells: str) -> None:
    """Be a driver: run the gated cells, and print what they come to."""
    flow = summed(gated, int(cells), Path(folder))
    sys.stdout.write(f"{flow.run(store=store, executor='pilots', progress=False)[flow.result]}\n")


if __name__ == "__main__":
    from tests.run.pilots import works  # tasks go by the name of this module, not of __main__

    works.drive(*sys.argv[1:])
