r"""
Plan and why: which result depends on how a picture is segmented?
=================================================================

How many cell nuclei does a picture show, and how many of them lie in glands? To count them, a picture has to be
smoothed by some amount and cut at some level, and both are choices. This page makes **all reasonable choices, and
looks at what depends on them**. Then it changes one line of the method and asks flowcore **what will run, and why**,
before anything does.

The picture is a section of human colon, part of scikit-image: nuclei are stained blue with haematoxylin, and the
protein FHL2, which marks the glands, brown with DAB. A stack of two images, one for each stain, is computed from the
colours (Ruifrok and Johnston 2001).
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage
from skimage import color, data, feature, filters, measure, morphology, segmentation

import flowcore as fc

SIGMAS = [1.0, 1.5, 2.0, 2.5, 3.0]  # pixels
LEVELS = [0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4]  # of Otsu's threshold

folder = tempfile.TemporaryDirectory()  # the pages leave nothing behind; without store= it is .flowcore/ where you are
store = Path(folder.name) / "store"

# %%
# The steps
# ---------
# A nucleus is a region around a peak of the stain; touching ones are told apart by a watershed. ``peaks`` is an
# ordinary function, which a task calls.


def peaks(blue: np.ndarray) -> np.ndarray:
    """Find the pixels with more stain than all around them; shape (nuclei, 2)."""
    return feature.peak_local_max(blue, min_distance=4, exclude_border=False)


@fc.io
def load() -> np.ndarray:
    """Read the picture."""
    return data.immunohistochemistry()


@fc.compute
def unmix(picture: np.ndarray) -> np.ndarray:
    """Give how much there is of each stain: haematoxylin and DAB; shape (2, rows, columns)."""
    stains = color.rgb2hed(picture)
    return np.stack([stains[..., 0], stains[..., 2]])


@fc.compute
def glands(stack: np.ndarray) -> np.ndarray:
    """Tell where there is much DAB, seen from afar."""
    brown = ndimage.gaussian_filter(np.minimum(stack[1], np.percentile(stack[1], 99.5)), 8.0)
    return brown > filters.threshold_otsu(brown)


@fc.compute
def smooth(stack: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth the haematoxylin."""
    return ndimage.gaussian_filter(stack[0], sigma)


@fc.compute
def segment(blue: np.ndarray, level: float) -> np.ndarray:
    """Give each nucleus a number; 0 is none."""
    stained = morphology.opening(blue > level * filters.threshold_otsu(blue), morphology.disk(2))
    places = np.array([place for place in peaks(blue) if stained[tuple(place)]])
    seeds = np.zeros(stained.shape, dtype=int)
    seeds[tuple(places.T)] = np.arange(1, len(places) + 1)
    return segmentation.watershed(-blue, seeds, mask=stained)


@fc.compute
def count(nuclei: np.ndarray, inside: np.ndarray) -> tuple[int, float]:
    """Give the number of nuclei, and the part of them whose centre is in a gland."""
    centres = np.array([one.centroid for one in measure.regionprops(nuclei)]).round().astype(int)
    return len(centres), float(inside[tuple(centres.T)].mean())


@fc.flow
def study():
    """Draw the sweep: 5 amounts of smoothing, 8 levels for each."""
    stack = unmix(load())
    nuclei = segment(smooth(stack, fc.each(sigma=SIGMAS)), fc.each(level=LEVELS))
    inside = glands(stack)
    numbers, parts = count(nuclei, inside)
    return {"nuclei": nuclei, "inside": inside, "numbers": numbers, "parts": parts}


flow = study()
flow

# %%
# First run
# ---------

run = flow.run(store=store, progress=False)
print(run.summary())

# %%
# One line of the method changes
# ------------------------------
# Should two peaks be at least 6 pixels apart, instead of 4? In a notebook one would edit the function and run its cell
# again; so does this page.

old_numbers = run[flow.result["numbers"]].array()


def peaks(blue: np.ndarray) -> np.ndarray:
    """Find the pixels with more stain than all around them; shape (nuclei, 2)."""
    return feature.peak_local_max(blue, min_distance=6, exclude_border=False)


# %%
# What would a run do now? ``plan`` tells, and runs nothing.

flow = study()
print(flow.plan(store=store))

# %%
# And why? ``why`` finds the line, though it is not in the task but in a function that it calls.

why = flow.why("segment[sigma=2.0, level=1.0]", store=store)
print(why)

# %%
# The second run does what was told. Reading, unmixing, smoothing and the glands are answered from the store.

run = flow.run(store=store, progress=False)
print(run.summary())

# %%
# What depends on the choices
# ---------------------------

numbers, parts = (run[flow.result[name]].array() for name in ("numbers", "parts"))
print(f"peaks 4 pixels apart: {old_numbers.min()} to {old_numbers.max()} nuclei")
print(f"peaks 6 pixels apart: {numbers.min()} to {numbers.max()} nuclei")
print(f"of these in glands: {parts.min():.0%} to {parts.max():.0%}")

# %%
# The number of nuclei is mostly a consequence of the choices. The part of them that lies in glands hardly depends on
# them: a figure that can be reported.

chosen = {"sigma": 2.0, "level": 1.0}
nuclei, inside = run["segment"][chosen], run["glands"]
figure, axes = plt.subplots(1, 3, figsize=(14, 4.9), layout="constrained", width_ratios=[1.1, 1, 1])
axes[0].imshow(data.immunohistochemistry())
for where, colour, name in [(inside, "gold", "centre in a gland"), (~inside, "cyan", "elsewhere")]:
    for one in measure.regionprops(nuclei):
        row, column = (round(place) for place in one.centroid)
        if where[row, column]:
            edge = measure.find_contours(np.pad(one.image, 1).astype(float), 0.5)[0] + one.bbox[:2] - 1
            axes[0].plot(edge[:, 1], edge[:, 0], color=colour, linewidth=0.9)
    axes[0].plot([], [], color=colour, label=name)
axes[0].set(title=f"{nuclei.max()} nuclei: smoothing {chosen['sigma']}, level {chosen['level']}")
axes[0].set(xlabel="x (pixels)", ylabel="y (pixels)")
axes[0].legend(loc="lower left")
panels = [(numbers, numbers.max(), "{:.0f}", "number of nuclei"), (parts, 1.0, "{:.0%}", "part of them in glands")]
for ax, (values, top, words, title) in zip(axes[1:], panels, strict=True):
    shown = ax.imshow(values, cmap="viridis", origin="lower", vmin=0, vmax=top, aspect="auto")
    ax.set(title=title, xlabel="level (of Otsu's threshold)", ylabel="smoothing (pixels)")
    ax.set_xticks(range(len(LEVELS)), LEVELS)
    ax.set_yticks(range(len(SIGMAS)), SIGMAS)
    for (row, column), value in np.ndenumerate(values):
        shade = "white" if value < 0.6 * top else "black"
        ax.text(column, row, words.format(value), ha="center", va="center", fontsize=8, color=shade)
    figure.colorbar(shown, ax=ax)

# %%
# Sources
# -------
# * The picture: Center for Microscopy and Molecular Imaging (CMMI); ``skimage.data.immunohistochemistry``.
# * Ruifrok, A. C., D. A. Johnston, "Quantification of histochemical staining by color deconvolution", *Analytical and
#   Quantitative Cytology and Histology* 23, 2001.
# * Otsu, N., "A threshold selection method from gray-level histograms", *IEEE Transactions on Systems, Man, and
#   Cybernetics* 9, 1979.
# * van der Walt, S., et al., "scikit-image: image processing in Python", *PeerJ* 2, 2014.
