"""Claims about clocks that jump: they decide nothing (contract F27)."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore import clock

DAY = 86_400.0


def size(file: fc.File) -> int:
    """Tell how long a file is."""
    return os.path.getsize(file)


def counted(ckpt: fc.Checkpoint = fc.Checkpoint()) -> int:
    """Count up, saving at every step."""
    s = ckpt.state(n=0)
    for step in ckpt.steps(4):
        s.n += step
        ckpt.save()
    return s.n


def drawn(path: Path) -> fc.Flow:
    """Draw what reads a file, simulates, and waits for the wall clock to be set."""
    flow = fc.Flow("clock")
    flow.options(runner="thread")
    sizes = flow.add(fc.compute(size), fc.File(path), name="size")
    flow.add(fc.compute(counted), name="counted", after=[sizes])
    return flow


@pytest.mark.contract("F27", "P1")
@pytest.mark.parametrize("jump", [-DAY, DAY, -60 * 365 * DAY], ids=["back", "forth", "before 1970"])
def test_a_wall_clock_that_jumps_in_mid_run_decides_nothing(
    jump: float, tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set while cells run: values are right, durations are not negative, and the next run finds all of it again."""
    path, wall, readings = tmp_path / "data", clock.wall, [0]
    path.write_text("hello")

    def jumping() -> float:
        readings[0] += 1
        return wall() + (jump if readings[0] > 3 else 0.0)

    monkeypatch.setattr(clock, "wall", jumping)
    runs = [run_of(drawn(path), store)]
    path.write_text("hallo, hello")
    runs += [run_of(drawn(path), store) for _ in range(2)]

    assert readings[0] > 3
    assert [(5, 6), (12, 6), (12, 6)] == [(run["size"], run["counted"]) for run in runs]
    assert [(0, 0), (0, 1), (1, 1)] == [(run.counts("size").hit, run.counts("counted").hit) for run in runs]
    assert all(run.seconds >= 0.0 and run.summary() for run in runs)


def run_of(flow: fc.Flow, store: Path) -> Any:
    """Run on threads, with every warning an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return flow.run(*flow.nodes, store=store, workers=1, progress=False)
