r"""
Error bars that shrink: the threshold of site percolation
=========================================================

Sites of a square lattice are open with probability *p*. Above a threshold an open path leads from the top to the bottom
of a large lattice; below it none does. There is no formula for the threshold; its best numerical value is 0.59274605079
(Jacobsen 2015). This page estimates it with error bars, from lattices of four sizes.

Random numbers come from ``fc.rng()``. They depend on the seed of the run, the task and the arguments of the cell, and
on nothing else. So **the result is the same to the bit with one worker or two, and more samples can be added later**:
those that are there stay as they are, and are not drawn again.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage

import flowcore as fc

KNOWN = 0.59274605079
SIZES = [16, 32, 64, 128]  # sites along a side

folder = tempfile.TemporaryDirectory()  # the pages leave nothing behind; without store= it is .flowcore/ where you are
store = Path(folder.name) / "store"

# %%
# One sample
# ----------
# Every site gets a random number, and is open where that is less than *p*. While *p* grows, sites open one
# after the other (Newman and Ziff 2000); the first *p* with an open path is found by bisection. It is kept for
# every sample, so that spanning probabilities of all *p* can be read from the same numbers later.


def spans(is_open: np.ndarray) -> bool:
    """Tell whether an open path leads from the first to the last row."""
    clusters, _ = ndimage.label(is_open)
    return bool(np.intersect1d(clusters[0][clusters[0] > 0], clusters[-1]).size)


def threshold(heights: np.ndarray) -> float:
    """Give the least p for which the sites with a number of at most p span."""
    levels = np.sort(heights, axis=None)
    low, high = 0, len(levels) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if spans(heights <= levels[middle]) else (middle + 1, high)
    return float(levels[low])


# %%
# A batch of samples
# ------------------
# ``batch`` is not used in the function. It is an argument so that each batch is a cell of its own, with a random stream
# of its own.


@fc.compute
def sample(size: int, batch: int, lattices: int = 50, *, rng: np.random.Generator = fc.rng()) -> np.ndarray:
    """Give the thresholds of some random lattices."""
    return np.array([threshold(rng.random((size, size))) for _ in range(lattices)])


@fc.compute
def median(batches: list[np.ndarray]) -> tuple[float, float]:
    """Give the median threshold and its standard error, by the spread of the batches."""
    values = np.array([np.median(thresholds) for thresholds in batches])
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


@fc.flow
def study(batches: int):
    """Draw batches for each size; gather them over the batches only."""
    thresholds = sample(fc.each(size=SIZES), fc.each(batch=range(batches)))
    return median(fc.gather(thresholds, over="batch"))


run = study(batches=8).run(store=store, seed=2024, progress=False)
print(run.summary())
for size, (middle, error) in zip(SIZES, run["median"].values(), strict=True):
    print(f"{size:4d} x {size:<4d} {middle:.4f} +- {error:.4f}")

# %%
# One worker or two
# -----------------
# A run in another store, with another number of workers, gives the same bits.

alone = study(batches=8).run(store=Path(folder.name) / "alone", seed=2024, workers=1, progress=False)
pairs = zip(run["sample"].values(), alone["sample"].values(), strict=True)
same = all(np.array_equal(one, other) for one, other in pairs)
print("equal to the bit:", same)

# %%
# More samples
# ------------
# Three times as many batches: the first eight of each size come from the store.

run = study(batches=24).run(store=store, seed=2024, progress=False)
print(run.summary())

# %%
# The error bars are shorter by about the square root of three.

medians = {size: run["median"][{"size": size}] for size in SIZES}
for size, (middle, error) in medians.items():
    print(f"{size:4d} x {size:<4d} {middle:.4f} +- {error:.4f}")

# %%
# The infinite lattice
# --------------------
# A square lattice spans with probability 1/2 at the threshold of the infinite lattice (Cardy 1992), so the median
# tends to it; the difference shrinks like the side to the power of -7/4 (Ziff 1992). A straight line through the four
# medians, weighted by their errors, gives the threshold of the infinite lattice.

middles, errors = np.array(list(medians.values())).T
inverse = np.array(SIZES, dtype=float) ** -1.75
slope_and_threshold, covariance = np.polyfit(inverse, middles, 1, w=1 / errors, cov="unscaled")
estimate, error = float(slope_and_threshold[1]), float(np.sqrt(covariance[1, 1]))
print(f"p_c = {estimate:.5f} +- {error:.5f}; known: {KNOWN:.5f}, {abs(estimate - KNOWN) / error:.1f} errors away")

# %%
# Left, the part of the lattices that span: curves of all sizes meet at the threshold. The shaded bands are one
# standard error wide to each side. Right, the medians with their error bars, and the line through them.

colours = plt.get_cmap("viridis")(np.linspace(0.05, 0.85, len(SIZES)))
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
p = np.linspace(0.50, 0.68, 181)
for colour, size in zip(colours, SIZES, strict=True):
    thresholds = np.concatenate(list(run["sample"][{"size": size}].values()))
    part = (thresholds[:, None] <= p).mean(axis=0)
    spread = np.sqrt(part * (1 - part) / len(thresholds))
    left.plot(p, part, color=colour, label=f"L = {size}")
    left.fill_between(p, part - spread, part + spread, color=colour, alpha=0.3, linewidth=0)
    right.errorbar(size**-1.75, *medians[size], fmt="o", color=colour, capsize=4)
left.plot(KNOWN, 0.5, "+", color="black", markersize=16, label="$p_c$ (Jacobsen), 1/2 (Cardy)")
left.set(xlabel="probability $p$ that a site is open", ylabel="part of the lattices that span", xlim=(p[0], p[-1]))
left.legend(frameon=False)
along = np.linspace(0.0, inverse[0] * 1.08, 2)
right.plot(along, np.polyval(slope_and_threshold, along), color="grey", label="weighted least squares")
right.errorbar(0.0, estimate, error, fmt="s", color="black", capsize=4, label=f"estimate: {estimate:.4f} ± {error:.4f}")
right.axhline(KNOWN, color="crimson", linestyle="--", label=f"known: {KNOWN:.5f}")
right.set(xlabel="$L^{-7/4}$ (L: sites along a side)", ylabel="median threshold")
right.legend(frameon=False)
_ = figure.suptitle(f"Site percolation on the square lattice, {len(thresholds):,} lattices of each size")

# %%
# Sources
# -------
# * Cardy, J. L., "Critical percolation in finite geometries", *Journal of Physics A* 25, 1992.
# * Ziff, R. M., "Spanning probability in 2D percolation", *Physical Review Letters* 69, 1992.
# * Newman, M. E. J., R. M. Ziff, "Efficient Monte Carlo algorithm and high-precision results for percolation",
#   *Physical Review Letters* 85, 2000.
# * Jacobsen, J. L., "Critical points of Potts and O(N) models from eigenvalue identities in periodic Temperley-Lieb
#   algebras", *Journal of Physics A* 48, 2015 (the known value).
# * Clusters are labelled by ``scipy.ndimage.label``.
