"""Simulations for the tests that kill them: what they come to, told by one digest, and where they are killed."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

import flowcore as fc

SIZE = 2600  # elements of 8 bytes: above what travels in a message
VARIABLE = "FLOWCORE_TEST_KILL"  # "what cell step file": who is killed when that cell is at that step, once
NAP = "FLOWCORE_TEST_NAP"  # seconds that a step takes besides


def at_step(log: str, cell: int, step: int) -> None:
    """Leave a line; kill whom the environment names, if it is time."""
    with Path(log).open("a") as file:
        file.write(f"{cell} {step}\n")
    time.sleep(float(os.environ.get(NAP, "0")))
    wanted = os.environ.get(VARIABLE, "").split()
    if wanted and (int(wanted[1]), int(wanted[2])) == (cell, step) and not Path(wanted[3]).exists():
        Path(wanted[3]).touch()
        main = int(os.environ["FLOWCORE_TEST_MAIN"])
        if wanted[0] == "group":
            os.killpg(main, signal.SIGKILL)
        else:
            os.kill(main if wanted[0] == "main" else os.getpid(), signal.SIGKILL)
        time.sleep(60)  # the lifeline ends this


@fc.compute(ignore=("log", "global:NAP", "global:VARIABLE"))
def wander(
    cell: int, n: int, log: str, *, ckpt: fc.Checkpoint = fc.Checkpoint(), rng: np.random.Generator = fc.rng()
) -> Any:
    """Walk at random, saving every third step."""
    s = ckpt.state(z=np.zeros(SIZE), terrain=np.arange(float(SIZE)), seen=[])
    for step in ckpt.steps(n):
        at_step(log, cell, step)
        s.z = s.z + rng.normal(size=SIZE)
        s.seen.append((step, float(s.z[0])))
        ckpt.append(mean=s.z.mean(), frame=s.z[:40])
        if step % 3 == 2:
            ckpt.save()
    return s.z, s.seen, ckpt.series("mean"), ckpt.series("frame"), rng.normal(size=3)


@fc.flow
def wanders(n: int = 12, cells: int = 4, log: str = "steps.log") -> Any:
    """Several walks."""
    return wander(fc.each(cell=list(range(cells))), n, log)


def digest_of(values: Any) -> str:
    """Give one digest for arrays and numbers, to the bit."""
    hasher = hashlib.sha256()
    for part in values:
        hasher.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return hasher.hexdigest()


def steps_in(log: Path) -> list[tuple[int, int]]:
    """Give cell and step of each line."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [(int(cell), int(step)) for cell, step in (line.split() for line in lines)]
