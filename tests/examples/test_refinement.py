"""Claims about examples/refinement.py: its bounds hold, close in, and cost nothing twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import refinement

import flowcore as fc

AREA = 1.5065918849


def ran(levels: int, store: Path) -> tuple[tuple[float, float], int, int]:
    """Run it; give the bounds, how many squares were looked at, and how many of them had been before."""
    flow = refinement.mandelbrot(levels)
    run = flow.run(store=store, progress=False, executor="inline")
    read = fc.open_run(run.id, store)
    looked = [read.counts(node.name) for node in read.nodes if node.task == "refinement.look"]
    return run[flow.result], sum(counts.done for counts in looked), sum(counts.hit for counts in looked)


def test_points_that_are_known() -> None:
    """The cardioid and the disc are in the set; what is beyond two is not."""
    points = np.array([0.0, -1.0, 0.25, -2.1, 0.3 + 0.6j, 1.0j, 2.0], dtype=complex)

    assert [True, True, True, False, False, True, False] == refinement.belongs(points, 500).tolist()


def test_squares_that_are_known() -> None:
    """One in the cardioid, one outside, and one that the edge runs through."""
    squares = [(-0.2, -0.1, 0.2), (1.0, 1.0, 0.5), (0.2, -0.1, 0.2)]

    assert ["in", "out", "mixed"] == [refinement.look(square) for square in squares]


def test_bounds_close_in_on_the_area(tmp_path: Path) -> None:
    """Each level lies between those of the one before; none looks again at what was looked at."""
    (two, first, none), (three, second, before), (four, _, both) = (ran(n, tmp_path / "store") for n in (2, 3, 4))

    assert all(low < AREA < high for low, high in (two, three, four))
    assert two[0] <= three[0] < four[0] < AREA < four[1] < three[1] < two[1]
    assert (0, first, first + second) == (none, before, both)
