"""Liquid argon atom by atom: does the energy stay? One long simulation for each time step, each resumable.

    python examples/lennard_jones.py                   # 108 atoms, four time steps
    python examples/lennard_jones.py --time 20         # goes on from what there is

The velocity form of the Verlet method keeps the volume of phase space, so the total energy of a closed
system does not drift: it fluctuates, the more the longer the time step, by its square. The table shows both.

Model
-----
Atoms of mass 1 in a periodic box attract and repel each other with the potential 4 (r^-12 - r^-6), cut off at
half the box, at most 2.5, and there shifted together with its force so that both vanish smoothly (reduced units:
for argon a length of 0.34 nm, an energy of 120 K, a time of 2.2 ps). Density 0.8442, temperature about 0.72: near
the triple point, where Verlet simulated it first.

References
----------
L. Verlet, "Computer experiments on classical fluids. I", Physical Review 159, 1967.

W. C. Swope, H. C. Andersen, P. H. Berens, K. R. Wilson, "A computer simulation method for the calculation of
equilibrium constants ...", Journal of Chemical Physics 76, 1982 (the velocity form).

E. Hairer, C. Lubich, G. Wanner, "Geometric numerical integration illustrated by the Stoermer-Verlet method", Acta
Numerica 12, 2003 (energy errors of order dt^2 over times that grow exponentially in 1/dt: no drift).

M. P. Allen, D. J. Tildesley, "Computer simulation of liquids", 2nd edition, Oxford 2017 (root mean square
fluctuations of the energy in proportion to dt^2; shifted-force potential).
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

import flowcore as fc

Array = NDArray[np.float64]

DENSITY = 0.8442
TEMPERATURE = 1.44  # at the start, on the lattice: half of it becomes potential energy


def lattice(cells: int) -> tuple[Array, float]:
    """Give the positions of atoms on a face-centred cubic lattice, four a cell, and the length of the box."""
    box = (4 * cells**3 / DENSITY) ** (1 / 3)
    corners = np.array(np.meshgrid(*[np.arange(cells)] * 3, indexing="ij")).reshape(3, -1).T
    basis = np.array([(0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)])
    return (corners[:, None] + basis).reshape(-1, 3) * (box / cells), box


def forces(x: Array, box: float) -> tuple[Array, float]:
    """Give the force on each atom, and the potential energy of all.

    Parameters
    ----------
    x : ndarray of float64, shape (atoms, 3)
    box : float
        Its length; the nearest image of each atom counts.
    """
    cut = min(2.5, box / 2)
    apart = x[:, None] - x[None, :]
    apart -= box * np.round(apart / box)
    square = np.einsum("ijk,ijk->ij", apart, apart)
    np.fill_diagonal(square, np.inf)
    near = square < cut * cut
    r = np.sqrt(np.where(near, square, 1.0))
    inverse = r**-6
    at_cut = cut**-6
    edge = 24 * (2 * at_cut * at_cut - at_cut) / cut  # force at the cut
    pull = np.where(near, 24 * (2 * inverse * inverse - inverse) / r - edge, 0.0)
    well = 4 * (inverse * inverse - inverse) - 4 * (at_cut * at_cut - at_cut) + edge * (r - cut)
    return np.asarray(np.einsum("ij,ijk->ik", pull / r, apart)), float(np.where(near, well, 0.0).sum() / 2)


@fc.compute(extend="steps")
def simulate(
    dt: float, steps: int, cells: int, *, ckpt: fc.Checkpoint = fc.Checkpoint(), rng: np.random.Generator = fc.rng()
) -> Array:
    """Move the atoms by velocity Verlet; give the total energy an atom after each step, shape (steps,)."""
    start, box = lattice(cells)
    velocity = rng.normal(size=start.shape)
    velocity -= velocity.mean(axis=0)
    velocity *= np.sqrt(TEMPERATURE / (velocity**2).mean())
    s = ckpt.state(x=start, v=velocity, f=forces(start, box)[0])
    for _ in ckpt.steps(steps):
        half = s.v + 0.5 * dt * s.f
        s.x = (s.x + dt * half) % box
        s.f, potential = forces(s.x, box)
        s.v = half + 0.5 * dt * s.f
        kinetic = 0.5 * (s.v**2).sum()
        ckpt.append(energy=(kinetic + potential) / len(start))
        ckpt.metric(energy=(kinetic + potential) / len(start), temperature=(s.v**2).mean())
    series: Array = ckpt.series("energy")
    return series


@fc.compute
def judge(energy: Array, dt: float) -> dict[str, float]:
    """Take the energy apart: its drift over the whole time, and its fluctuation about that.

    The first fifth, in which the lattice melts, is left out.
    """
    settled = energy[len(energy) // 5 :]
    time = dt * np.arange(len(settled))
    trend, offset = np.polyfit(time, settled, 1)
    return {
        "mean": float(settled.mean()),
        "fluctuation": float((settled - trend * time - offset).std()),
        "drift": float(trend * (time[-1] - time[0])),
    }


@fc.compute
def table(figures: dict[float, dict[str, float]]) -> str:
    """Write what became of the energy, a line a time step, with the fluctuation over the square of the time step."""
    lines = ["    dt    energy/atom   fluctuation  over dt^2       drift"]
    for dt, one in figures.items():
        scaled = one["fluctuation"] / dt**2
        lines.append(f"{dt:6.4f}{one['mean']:15.6f}{one['fluctuation']:14.2e}{scaled:11.2f}{one['drift']:12.2e}")
    return "\n".join(lines)


@fc.flow
def argon(dts: list[float], time: float = 8.0, cells: int = 3) -> Any:
    """Draw one simulation for each time step, all of the same length."""
    dt = fc.each(dt=dts)
    energy = simulate(dt, fc.each(dt=[round(time / each) for each in dts]), cells)
    return {"energy": energy, "table": table(fc.gather(judge(energy, dt), labels=True))}


def main() -> None:
    """Run the simulations, and say what became of their energy."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--time", type=float, default=8.0, help="of the simulation, in reduced units")
    parser.add_argument("--cells", type=int, default=3, help="of the lattice each way: 4 cells^3 atoms")
    parser.add_argument("--store", default=".flowcore", help="where results and states are kept")
    chosen = parser.parse_args()
    run = argon([0.002, 0.004, 0.006, 0.008], time=chosen.time, cells=chosen.cells).run(store=chosen.store)
    print(run["table"])


if __name__ == "__main__":
    main()
