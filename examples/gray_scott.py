"""Two chemicals react and diffuse: a sweep over the Gray-Scott model, each simulation long, each resumable.

    python examples/gray_scott.py                  # six simulations of 3,000 steps, and a picture
    python examples/gray_scott.py --steps 6000     # goes on from the 3,000

Kill it at any moment and start it again: every simulation goes on where its state was last saved.

Model
-----
u' = Du laplacian(u) - u v^2 + F (1 - u),   v' = Dv laplacian(v) + u v^2 - (F + k) v   on a torus of unit
cells, by explicit Euler steps of length 1. The concentrations begin at u = 1, v = 0, but for squares of
u = 1/2, v = 1/4, all perturbed by 1 % of noise.

References
----------
P. Gray, S. K. Scott, "Autocatalytic reactions in the isothermal, continuous stirred tank reactor: oscillations
and instabilities in the system A + 2B -> 3B; B -> C", Chemical Engineering Science 39, 1984.

J. E. Pearson, "Complex patterns in a simple system", Science 261, 1993 (Du = 2 Dv, and which F and k give what).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import flowcore as fc

Array = NDArray[np.float64]
Pair = tuple[float, float]  # feed and kill rate

DIFFUSION = (0.16, 0.08)  # of u and v, in cells^2 a step
STEPS_A_FRAME = 250


def laplacian(field: Array) -> Array:
    """Give the five-point Laplacian on a torus."""
    return np.asarray(
        np.roll(field, 1, 0) + np.roll(field, -1, 0) + np.roll(field, 1, 1) + np.roll(field, -1, 1) - 4 * field
    )


def react(u: Array, v: Array, feed: float, kill: float) -> tuple[Array, Array]:
    """Take one step."""
    reaction = u * v * v
    return (
        u + DIFFUSION[0] * laplacian(u) - reaction + feed * (1 - u),
        v + DIFFUSION[1] * laplacian(v) + reaction - (feed + kill) * v,
    )


def seeded(size: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Give the concentrations at the start: squares of another mixture in a uniform one, and a little noise."""
    u, v = np.ones((size, size)), np.zeros((size, size))
    side = max(2, size // 12)
    for row, column in rng.integers(0, size - side, (5, 2)):
        u[row : row + side, column : column + side] = 0.5
        v[row : row + side, column : column + side] = 0.25
    noise = 1 + 0.01 * rng.normal(size=(2, size, size))
    return u * noise[0], v * noise[1]


@fc.compute(extend="steps")
def simulate(
    feed: float, kill: float, size: int, steps: int, *,
    ckpt: fc.Checkpoint = fc.Checkpoint(), rng: np.random.Generator = fc.rng(),
) -> tuple[Array, NDArray[np.float32]]:  # fmt: skip
    """Let the chemicals react for so many steps; give v at the end, and as it was now and then.

    Returns
    -------
    v : ndarray of float64, shape (size, size)
    film : ndarray of float32, shape (frames, size, size)
        v after every `STEPS_A_FRAME` steps, mapped from the disk.
    """
    u, v = seeded(size, rng)
    s = ckpt.state(u=u, v=v)
    ckpt.append(film=s.v.astype(np.float32))
    for step in ckpt.steps(steps):
        s.u, s.v = react(s.u, s.v, feed, kill)
        if step % STEPS_A_FRAME == STEPS_A_FRAME - 1:
            ckpt.append(film=s.v.astype(np.float32))
        ckpt.metric(v=s.v.mean())
    return s.v, ckpt.series("film")


@fc.compute
def measure(v: Array) -> dict[str, float]:
    """Sum up a pattern: how much of v there is, and how unevenly it is spread."""
    return {"mean": float(v.mean()), "contrast": float(v.std())}


@fc.compute
def table(figures: dict[Pair, dict[str, float]]) -> str:
    """Write the figures of all patterns as a text table."""
    lines = ["  feed    kill    mean of v  contrast"]
    lines += [f"{f:6.3f}{k:8.3f}{one['mean']:13.4f}{one['contrast']:10.4f}" for (f, k), one in figures.items()]
    return "\n".join(lines)


@fc.io
def sheet(patterns: dict[Pair, Array], path: str) -> str:
    """Write one PNG with all patterns side by side, and give its path."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only the main process draws

    feeds, kills = (sorted({pair[place] for pair in patterns}) for place in (0, 1))
    figure = Figure(figsize=(2.4 * len(kills), 2.6 * len(feeds)), layout="constrained")
    axes = figure.subplots(len(feeds), len(kills), squeeze=False)
    for (feed, kill), pattern in patterns.items():
        ax = axes[feeds.index(feed)][kills.index(kill)]
        ax.imshow(pattern, cmap="magma", vmin=0.0, vmax=0.4)
        ax.set_title(f"F = {feed:g}, k = {kill:g}", fontsize=9)
        ax.set_axis_off()
    figure.savefig(path, dpi=100)
    return str(Path(path).resolve())


@fc.flow
def sweep(
    feeds: list[float], kills: list[float], size: int = 96, steps: int = 3000, out: str = "gray-scott.png"
) -> Any:
    """Draw one simulation for each pair of rates."""
    v, film = simulate(fc.each(feed=feeds), fc.each(kill=kills), size, steps)
    return {
        "film": film,
        "table": table(fc.gather(measure(v), labels=True)),
        "sheet": sheet(fc.gather(v, labels=True), out),
    }


def main() -> None:
    """Run the sweep, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--size", type=int, default=96, help="cells each way")
    parser.add_argument("--store", default=".flowcore", help="where results and states are kept")
    parser.add_argument("--out", default="gray-scott.png", help="the picture")
    chosen = parser.parse_args()
    flow = sweep([0.030, 0.037], [0.060, 0.063, 0.070], size=chosen.size, steps=chosen.steps, out=chosen.out)
    run = flow.run(store=chosen.store)
    print(run["table"])
    print(f"All of them side by side: {run['sheet']}")


if __name__ == "__main__":
    main()
