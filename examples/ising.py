"""A magnet as it warms up: one file for every engine. Nothing in here says where its cells are computed.

    python examples/ising.py                                             # worker processes of flowcore's own
    FLOWCORE_EXECUTOR=thread python examples/ising.py                    # threads
    FLOWCORE_EXECUTOR=loky:ProcessPoolExecutor python examples/ising.py  # somebody else's processes
    FLOWCORE_EXECUTOR=mpi4py.futures:MPIPoolExecutor mpiexec -n 3 python -m mpi4py.futures examples/ising.py

The results are the same to the bit. A file of measurements is read on the event loop; a lattice is set up, by a task
that fails at its first attempt, as one that needs a licence may; a grid of simulations, which save their states, runs
over temperatures and fields; all of them are gathered into a table.

Model
-----
Spins of a square lattice on a torus, energy -sum s_i s_j - h sum s_i, coupling and Boltzmann constant 1; Metropolis
sweeps over the two colours of the checkerboard, whose sites do not feel one another. Without field an infinite lattice
is magnetic below T = 2 / log(1 + sqrt(2)), by m = (1 - sinh(2 / T)^-4)^(1/8).

References
----------
L. Onsager, "Crystal statistics I: a two-dimensional model with an order-disorder transition", Physical Review 65, 1944
(the transition).

C. N. Yang, "The spontaneous magnetization of a two-dimensional Ising model", Physical Review 85, 1952 (m).

N. Metropolis et al., "Equation of state calculations by fast computing machines", J. Chemical Physics 21, 1953.
"""

from __future__ import annotations

import argparse
import asyncio
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import flowcore as fc

Spins = NDArray[np.int8]
Point = tuple[float, float]  # temperature and field

MEASURED = "1.5 0.98\n2.0 0.91\n2.6 0.08\n"  # temperature, magnetisation; made up, of the right size
CRITICAL = 2.0 / math.log(1.0 + math.sqrt(2.0))


def spontaneous(temperature: float) -> float:
    """Give the magnetisation of an infinite lattice without field (Yang 1952)."""
    return (1.0 - math.sinh(2.0 / temperature) ** -4) ** 0.125 if temperature < CRITICAL else 0.0


def sweep(spins: Spins, temperature: float, field: float, rng: np.random.Generator) -> Spins:
    """Offer every spin a flip, one colour of the checkerboard after the other."""
    colour = np.add.outer(np.arange(len(spins)), np.arange(len(spins))) % 2
    for turn in (0, 1):
        around = sum(np.roll(spins, shift, axis) for shift in (1, -1) for axis in (0, 1))
        cost = 2.0 * spins * (around + field)
        flips = (rng.random(spins.shape) < np.exp(np.minimum(0.0, -cost / temperature))) & (colour == turn)
        spins = np.where(flips, -spins, spins).astype(np.int8)
    return spins


@fc.io
async def measurements(path: str) -> dict[float, float]:
    """Read measured magnetisations by temperature."""
    text = await asyncio.to_thread(Path(path).read_text, encoding="utf-8")
    return {float(t): float(m) for t, m in (line.split() for line in text.splitlines())}


@fc.compute(retries=2, ignore=("seats",))
def lattice(size: int, seats: str) -> Spins:
    """Give a lattice of spins that all point up; there is no free seat for who asks for the first time."""
    try:
        Path(seats, f"seat-{size}").mkdir(parents=True)
    except FileExistsError:
        return np.ones((size, size), dtype=np.int8)
    raise ConnectionError("no seat is free; ask again")


@fc.compute(extend="sweeps")
def simulate(
    start: Spins, temperature: float, field: float, sweeps: int, *,
    ckpt: fc.Checkpoint = fc.Checkpoint(), rng: np.random.Generator = fc.rng(),
) -> tuple[Spins, NDArray[np.float64]]:  # fmt: skip
    """Let the spins flip for so many sweeps; give them as they are then, and the magnetisation after each sweep."""
    s = ckpt.state(spins=start)
    for _ in ckpt.steps(sweeps):
        s.spins = sweep(s.spins, temperature, field, rng)
        ckpt.append(magnetisation=s.spins.mean())
    return s.spins, ckpt.series("magnetisation")


@fc.compute
def settled(series: NDArray[np.float64]) -> dict[str, float]:
    """Give mean and spread of the magnetisation in the second half of a simulation."""
    half = series[len(series) // 2 :]
    return {"mean": float(half.mean()), "spread": float(half.std())}


@fc.compute
def picture(spins: dict[Point, Spins]) -> NDArray[np.int8]:
    """Put all lattices side by side: a row for each field."""
    fields = sorted({field for _, field in spins})
    rows = [[one for (_, field), one in spins.items() if field == this] for this in fields]
    return np.vstack([np.hstack(row) for row in rows])


@fc.compute
def table(figures: dict[Point, dict[str, float]], measured: dict[float, float]) -> str:
    """Write the figures of all simulations beside theory and measurement, as a text table."""
    lines = ["    T     h   magnetisation  spread  infinite  measured"]
    for (temperature, field), one in figures.items():
        theory = f"{spontaneous(temperature):8.4f}" if not field else " " * 8
        found = measured.get(temperature) if not field else None
        lines.append(
            f"{temperature:5.2f} {field:5.2f}{one['mean']:16.4f}{one['spread']:8.4f}  {theory}"
            + (f"{found:10.2f}" if found is not None else "")
        )
    return "\n".join(line.rstrip() for line in lines)


@fc.flow
def warming(
    temperatures: list[float], fields: list[float], size: int = 32, sweeps: int = 200, folder: str = "ising"
) -> Any:
    """Draw one simulation for each pair of temperature and field."""
    spins, series = simulate(
        lattice(size, seats=folder), fc.each(temperature=temperatures), fc.each(field=fields), sweeps
    )
    figures = settled(series)
    return {
        "table": table(fc.gather(figures, labels=True), measurements(str(Path(folder, "measured.txt")))),
        "picture": picture(fc.gather(spins, labels=True)),
    }


def main() -> None:
    """Run the simulations, and say what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--sweeps", type=int, default=200)
    parser.add_argument("--size", type=int, default=32, help="spins each way")
    parser.add_argument("--folder", default="ising", help="where the measurements are")
    chosen = parser.parse_args()
    Path(chosen.folder).mkdir(parents=True, exist_ok=True)
    Path(chosen.folder, "measured.txt").write_text(MEASURED, encoding="utf-8")
    run = warming([1.5, 2.0, 2.6], [0.0, 0.1], chosen.size, chosen.sweeps, chosen.folder).run()
    print(run["table"])
    up = run["picture"] > 0
    print(f"Of {up.size} spins, all lattices together, {up.sum()} point up.")


if __name__ == "__main__":
    main()
