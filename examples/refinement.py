"""How large is the Mandelbrot set? Squares are cut into quarters where its edge runs through, and nowhere else.

    python examples/refinement.py                  # six levels of quarters
    python examples/refinement.py --levels 7       # one more: what was looked at is not looked at again

Which squares there will be is known only while the program runs: a task looks at a square and returns a flow that
looks at its quarters. Each is a cell like any other: run in parallel, kept, and there after `kill -9`.

Method
------
The set and what is outside of it are connected. So a square whose border lies in the set lies in the set, and one
whose border lies outside, outside (Mariani and Silver). The first are a lower bound of the area, all that are not
outside an upper one. A border is looked at in 64 points a side and 500 iterations, which makes the bounds estimates.

References
----------
A. Douady, J. H. Hubbard, "Iteration des polynomes quadratiques complexes", Comptes Rendus 294, 1982 (it is connected).

R. P. Munafo, "Mariani-Silver algorithm", Mu-Ency, the encyclopedia of the Mandelbrot set.

T. Foerstemann, "Numerical estimation of the area of the Mandelbrot set", 2012 (1.5065918849, by counting pixels).
"""

from __future__ import annotations

import argparse

import numpy as np

import flowcore as fc

Square = tuple[float, float, float]  # real and imaginary part of the lower left corner, and the side
Area = tuple[float, float]  # lower and upper bound

WHOLE: Square = (-2.0, -1.5, 3.0)
POINTS = 64  # a side of a square
ITERATIONS = 500


@fc.compute
def look(square: Square, points: int = POINTS, iterations: int = ITERATIONS) -> str:
    """Tell whether the border of a square is ``in`` the set, ``out`` of it, or ``mixed``."""
    x, y, side = square
    along = np.linspace(0.0, side, points)
    edges = [x + along + 1j * y, x + along + 1j * (y + side), x + 1j * (y + along), x + side + 1j * (y + along)]
    inside = belongs(np.concatenate(edges), iterations)
    return "in" if inside.all() else "mixed" if inside.any() else "out"


def belongs(c: np.ndarray, iterations: int) -> np.ndarray:
    """Tell which points stay near for so many iterations of z² + c."""
    z = np.zeros_like(c)
    near = np.ones(c.shape, dtype=bool)
    for _ in range(iterations):
        z[near] = z[near] ** 2 + c[near]
        near[near] = np.abs(z[near]) <= 2.0
    return near


@fc.compute
def refine(square: Square, seen: str, levels: int) -> Area | fc.Flow:
    """Give the area of the set in a square: by looking at its quarters, if that is needed and wanted."""
    side = square[2]
    if seen != "mixed" or not levels:
        return (side**2 if seen == "in" else 0.0, side**2 if seen != "out" else 0.0)
    with fc.Flow("quarters") as flow:
        flow.result = total([refine(quarter, look(quarter), levels - 1) for quarter in quarters(square)])
    return flow


def quarters(square: Square) -> list[Square]:
    """Cut a square."""
    x, y, side = square
    half = side / 2
    return [(x, y, half), (x + half, y, half), (x, y + half, half), (x + half, y + half, half)]


@fc.compute
def total(areas: list[Area]) -> Area:
    """Add up."""
    return (sum(low for low, _ in areas), sum(high for _, high in areas))


@fc.flow
def mandelbrot(levels: int = 6) -> Area:
    """Draw the first square; it draws the others."""
    return refine(WHOLE, "mixed", levels)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--levels", type=int, default=6, help="how often squares are cut at most")
    chosen = parser.parse_args()
    flow = mandelbrot(chosen.levels)
    run = flow.run()
    low, high = run[flow.result]
    print(f"The area is between {low:.4f} and {high:.4f}; their mean is {(low + high) / 2:.4f} (known: 1.5066).")


if __name__ == "__main__":
    main()
