"""Cells for tests, importable on pilots: each leaves a line where it is told, and may wait at a gate there."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

import flowcore as fc

PATIENCE = 120.0  # seconds that a cell waits at a gate before it fails


def note(folder: str, line: str) -> None:
    """Leave a line, whole."""
    with open(Path(folder) / "lines", "ab", buffering=0) as file:
        file.write(f"{line}\n".encode())


def lines(folder: Path) -> list[str]:
    """Give the lines that were left."""
    path = folder / "lines"
    return path.read_text().splitlines() if path.exists() else []


def wait_at(folder: str, gate: str) -> None:
    """Say that one is at a gate, and wait until it is opened."""
    (Path(folder) / f"at-{gate}").touch()
    due = time.monotonic() + PATIENCE
    while not (Path(folder) / f"open-{gate}").exists():
        if time.monotonic() > due:
            raise TimeoutError(f"gate {gate} stays shut")
        time.sleep(0.01)


@fc.compute(ignore=("folder",))
def wave(x: int, folder: str) -> np.ndarray:
    """Give an array that is too big for a message."""
    note(folder, f"wave {x}")
    return np.sin(np.arange(5000.0) * x)


@fc.compute(ignore=("folder",))
def gated(x: int, folder: str) -> int:
    """Wait at a gate, but for 0."""
    note(folder, f"gated {x} by {os.environ.get('SLURM_ARRAY_TASK_ID', 'nobody')}")
    if x:
        wait_at(folder, str(x))
    return x * x


@fc.compute(ignore=("folder",))
def once_stuck(x: int, folder: str) -> int:
    """Wait at a gate, but only the first time."""
    stuck = not (Path(folder) / "at-stuck").exists()
    note(folder, "stuck" if stuck else "free")
    if stuck:
        wait_at(folder, "stuck")
    return x + 1


@fc.compute(gpus=1)
def on_a_gpu(x: int) -> int:
    """Want a device."""
    return x


@fc.compute(ignore=("folder", "gates", "pause"))
def simulate(
    n: int, folder: str, gates: tuple[int, ...] = (), pause: float = 0.0, *,
    ckpt: fc.Checkpoint = fc.Checkpoint(), rng: np.random.Generator = fc.rng(),
) -> np.ndarray:  # fmt: skip
    """Walk at random; wait at a gate in some steps, and for some seconds in each."""
    s = ckpt.state(z=np.zeros(50))
    for step in ckpt.steps(n):
        s.z = s.z + rng.normal(size=50)
        note(folder, f"step {step}")
        time.sleep(pause)
        if step in gates:
            wait_at(folder, str(step))
    return s.z
