"""Claims about examples/lennard_jones.py: its mechanics, and that the energy behaves as the literature says."""

from __future__ import annotations

from pathlib import Path

import lennard_jones
import numpy as np
import pytest

from flowcore.testing import check_resume


def test_forces_are_the_slope_of_the_potential() -> None:
    """Central differences of the energy give the force; actions equal reactions."""
    start, box = lennard_jones.lattice(2)
    x = start + 0.1 * np.random.default_rng(3).normal(size=start.shape)
    force, _ = lennard_jones.forces(x, box)
    for atom, axis in ((0, 0), (17, 2), (31, 1)):
        moved = np.zeros_like(x)
        moved[atom, axis] = 1e-5
        up, down = (lennard_jones.forces(x + sign * moved, box)[1] for sign in (1, -1))
        assert force[atom, axis] == pytest.approx((down - up) / 2e-5, rel=1e-5, abs=1e-4)

    np.testing.assert_allclose(0.0, force.sum(axis=0), atol=1e-8)


def test_the_energy_fluctuates_by_the_square_of_the_step_and_does_not_drift(tmp_path: Path) -> None:
    """As Allen and Tildesley, and Hairer, Lubich and Wanner say of the Verlet method."""
    flow = lennard_jones.argon([0.004, 0.008], time=4.0, cells=2)
    run = flow.run(store=tmp_path / "store", progress=False, workers=2)
    short, long = (lennard_jones.judge(run["simulate"][dt], dt) for dt in (0.004, 0.008))

    assert long["fluctuation"] / short["fluctuation"] == pytest.approx(4.0, rel=0.25)
    assert abs(long["drift"]) < 2 * long["fluctuation"] < 5e-3
    assert short["mean"] == pytest.approx(long["mean"], abs=1e-3)


def test_it_can_be_interrupted() -> None:
    """After any step, and nobody can tell."""
    check_resume(lennard_jones.simulate, 0.004, 20, 2, at=(1, 7))
