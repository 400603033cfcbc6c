"""What a long simulation pays for its checkpoints: ``python -m tests.bench.simulation [FOLDER]``.

Prints the best and the median of several rounds against their budgets (issue 6). The folder
should be on the disk that is meant: a save ends on the medium.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from flowcore.declare.alone import Alone
from flowcore.declare.checkpoint import Checkpoint
from flowcore.plan.interval import until_next_save
from flowcore.run.cell.collected import Collected
from flowcore.run.cell.slot import Slot, slot_file
from flowcore.store.directory import StoreRun, open_store
from flowcore.store.manifest import Manifest

STEPS = 300_000
STATE = 1 << 25  # elements of 8 bytes: 256 MiB
FRAME = 1 << 17  # 1 MiB
FRAMES = 64
ROUNDS = 5


def timed(act: Callable[[], object]) -> float:
    """Give the seconds that something takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def exhausted(steps: Iterable[int]) -> None:
    """Take every step."""
    for _ in steps:
        pass


def step() -> float:
    """Give the seconds of a step above `range`, in a worker whose slot is told of it."""

    class Seated(Alone):
        pass

    seat = Seated()
    seat.pulse = Slot(slot_file())
    return (timed(lambda: exhausted(Checkpoint.of(seat).steps(STEPS))) - timed(lambda: exhausted(range(STEPS)))) / STEPS


def save(run: StoreRun, state: np.ndarray[tuple[int], np.dtype[np.float64]], at: int) -> float:
    """Give the seconds of a save of a state that has changed."""
    cell = run.checkpoints.at(b"k" * 32)
    state += 1.0
    return timed(lambda: cell.save(Manifest(loop=0, step=at, records=cell.encode({"z": state}))))


def resume(store: Path, state: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Give the seconds in which a fresh reader has the state, every byte verified."""
    run = open_store(store).begin()
    cell, found = run.checkpoints.at(b"k" * 32), []
    seconds = timed(lambda: found.append(cell.values(*next(cell.found()))))
    assert found[0] is not None
    assert np.array_equal(found[0]["z"], state)
    run.release()
    return seconds


def append(run: StoreRun, folder: Path, at: int) -> tuple[float, float]:
    """Give the seconds a frame of a series, and of plain write() to a file beside it."""
    frame = np.random.default_rng(0).normal(size=FRAME)
    series = Collected()
    series.home = run.checkpoints.at(bytes([at]) * 32)
    series.append("frame", frame)
    mine = timed(lambda: [series.append("frame", frame) for _ in range(FRAMES)])
    assert (FRAMES + 1, FRAME) == series.read("frame", mapped=True).shape
    series.close()
    run.checkpoints.remove(bytes([at]) * 32)
    with (folder / "plain").open("wb", buffering=0) as file:
        file.write(frame)
        plain = timed(lambda: [file.write(frame) for _ in range(FRAMES)])
    (folder / "plain").unlink()
    return mine / FRAMES, plain / FRAMES


def told(what: str, values: list[float], unit: str, budget: str) -> str:
    """Give a line of the table."""
    return f"{what:42} {min(values):9.3g} {statistics.median(values):9.3g} {unit:4} {budget}"


def main(parent: str) -> None:
    """Measure everything, and print it."""
    with tempfile.TemporaryDirectory(dir=parent) as place:
        folder = Path(place)
        run = open_store(folder / "store").begin()
        state = np.random.default_rng(0).normal(size=STATE)
        steps = [step() * 1e6 for _ in range(ROUNDS)]
        saves = [save(run, state, at) for at in range(ROUNDS)]
        overhead = [100 * cost / (cost + until_next_save(cost, every=30.0)) for cost in saves]
        resumed = [resume(folder / "store", state) for _ in range(ROUNDS)]
        frames = [append(run, folder, at) for at in range(ROUNDS)]
        run.release()
    lines = [
        f"{'':42} {'best':>9} {'median':>9}",
        told("a step above range", steps, "us", "< 1"),
        told("a save of 256 MiB", saves, "s", ""),
        told("saving, of the time at the default interval", overhead, "%", "< 1"),
        told("resuming from 256 MiB", resumed, "s", "< 1"),
        told("appending 1 MiB, of write()", [mine / plain for mine, plain in frames], "", "<= 1.3"),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.getcwd())
