"""Long loops for tests, imported by workers: each executed step leaves a line, and may end its process."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np

import flowcore as fc

DT = 0.5
SIZE = 3000  # elements of 8 bytes: above what travels in a message


def step_of(log: str, step: int, *, dies: int = -1) -> None:
    """Leave a line; die once, the first time that step `dies` is executed."""
    path = Path(log)
    before = path.read_text().split() if path.exists() else []
    with path.open("a") as file:
        file.write(f"{step}\n")
    if step == dies and str(step) not in before:
        os.kill(os.getpid(), signal.SIGKILL)


def steps_of(log: Path) -> list[int]:
    """Give the steps that were executed, in order."""
    return [int(line) for line in log.read_text().split()] if log.exists() else []


@fc.compute(ignore=("log", "dies", "saves"))
def walk(
    n: int, start: float, log: str, dies: int = -1, saves: tuple[int, ...] = (), *,
    ckpt: fc.Checkpoint = fc.Checkpoint(), rng: np.random.Generator = fc.rng(),
) -> Any:  # fmt: skip
    """Walk at random, with a series and everything else that a state may hold."""
    s = ckpt.state(z=np.full(SIZE, start), t=0.0, terrain=np.arange(2.0 * SIZE), seen=[("start", {"at": 0})])
    for step in ckpt.steps(n):
        step_of(log, step, dies=dies)
        s.z = s.z + DT * rng.normal(size=SIZE)
        s.t += DT
        s.seen.append((f"step {step}", {"at": step}))
        ckpt.append(mean=s.z.mean(), frame=s.z[:50])
        ckpt.metric(mean=s.z.mean())
        if step in saves:
            ckpt.save()
    return s.z, s.t, s.seen, ckpt.series("mean"), ckpt.series("frame"), rng.normal(size=4)


@fc.compute(extend="n", keep=100, ignore=("log",))
def lengthened(n: int, start: int, log: str, *, ckpt: fc.Checkpoint = fc.Checkpoint()) -> Any:
    """Count up, with a series."""
    s = ckpt.state(total=start)
    for step in ckpt.steps(n):
        step_of(log, step)
        s.total += step * step
        ckpt.append(total=s.total)
    return s.total, ckpt.series("total")


@fc.compute(extend="until", ignore=("log",))
def adaptive(until: float, log: str, *, ckpt: fc.Checkpoint = fc.Checkpoint()) -> Any:
    """Take steps of growing length until a time is reached."""
    s = ckpt.state(t=0.0, dt=1.0)
    for step in ckpt.while_(lambda: s.t < until):
        step_of(log, step)
        s.t += s.dt
        s.dt *= 1.25
    return s.t, s.dt


def equal(one: Any, other: Any) -> bool:
    """Tell whether two values are the same to the bit."""
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(equal(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)
