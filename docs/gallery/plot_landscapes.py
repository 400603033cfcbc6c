r"""
Forecast and report: how rivers and uplift shape a terrain
==========================================================

Rivers cut into a mountain range while it rises. Which of them wins depends on how easily the rock is eroded, and on how
fast it is lifted. This page lets the terrain around the Jacksboro fault (Tennessee) evolve for 300,000 years under a
grid of both.

Simulations take long, so one likes to know before: **a plan tells what is there already, what will run, and when it
would be done with how many workers.** It learns that from earlier runs. Afterwards **the critical path and the report
tell where the time went.**

The model, stream-power incision with hillslope diffusion and uplift, is ``examples/landscape.py``. A task is an
importable function like any other, so a study of a few lines can use those of a module:
"""

import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.cbook import get_sample_data
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LightSource, Normalize

import flowcore as fc

sys.path.insert(0, str(Path("../../examples").resolve()))  # this script is run in its own folder
from landscape import YEARS_A_STEP, coarsen, enlarge, evolve, fill, load, measure, outlets, rain_over, rivers, slope

folder = tempfile.TemporaryDirectory()  # the pages leave nothing behind; without store= it is .flowcore/ where you are
store = Path(folder.name) / "store"

TERRAIN = str(get_sample_data("jacksboro_fault_dem.npz", asfileobj=False))
RAIN = [(290.0, 1.24), (420.0, 1.30), (610.0, 1.39), (860.0, 1.48), (1040.0, 1.59)]  # made up: m, and m a year there
STEPS = 800  # of 375 years

# %%
# The study
# ---------


@fc.flow
def study(rates: list[float], uplifts: list[float]):
    """Draw one simulation for each erodibility (1/year) and uplift (mm/year), and its figures."""
    raw, raw_spacing = load.options(cache=True)(fc.File(TERRAIN))  # the content of the file is its identity
    heights, spacing = coarsen(raw, raw_spacing, factor=6)
    base = outlets(heights)
    start = fill(heights, base)
    rain = rain_over(start, RAIN)
    land = evolve(start, base, rain, spacing, fc.each(rate=rates), fc.each(uplift=uplifts), STEPS)
    figures = measure(start, land, slope(land, spacing), fc.each(uplift=uplifts), STEPS)
    return {"land": land, "figures": figures}


first = study(rates=[2e-6, 8e-6], uplifts=[0.0])
run = first.run(store=store, progress=False)
print(run.summary())

# %%
# Before the large run
# --------------------
# Four erodibilities and two uplifts make eight simulations. ``plan`` runs nothing. It finds the two that are there, and
# says how long the others would take, by those two.

flow = study(rates=[1e-6, 2e-6, 4e-6, 8e-6], uplifts=[0.0, 0.3])
plan = flow.plan(store=store, workers=2)
print(plan)

# %%
# Would more workers help?

print(plan.speedup([1, 2, 4, 8]))

# %%
# The large run
# -------------

run = flow.run(store=store, progress=False)
print(run.summary())

# %%
# The critical path is the chain of cells that decided how long the run took.

print(run.critical_path())

# %%
# ``run.report`` writes all this as one page, with a timeline and a picture of the graph: a file to keep with the
# results, that needs nothing but a browser.

report = Path(run.report(Path(folder.name) / "report.html"))
print(f"{report.name}: {report.stat().st_size / 1024:.0f} KiB")

# %%
# Once more
# ---------
# Nothing has changed, so nothing runs.

again = flow.run(store=store, progress=False)
print(f"simulations: {again.counts('evolve').done} ran, {again.counts('evolve').hit} from the store")

# %%
# The landscapes
# --------------
# From left to right rock is eroded more easily; below, it rises by 0.3 mm a year. Heights are in metres, relief is
# shaded, rivers are blue.

base, rain, start = run["outlets"], run["rain_over"], run["fill"]
spacing = run["coarsen"][1]  # metres
lands, zoom = run["evolve"], 6
rates, uplifts = lands.labels["rate"], lands.labels["uplift"]
sun, heights = LightSource(azdeg=315, altdeg=45), Normalize(200, 1000)
size_km = [length * metres / 1000 for length, metres in zip(start.shape, spacing, strict=True)]
figure, axes = plt.subplots(2, 4, figsize=(13, 6.6), layout="constrained", sharex=True, sharey=True)
for (rate, uplift), land in lands.items():
    ax = axes[uplifts.index(uplift), rates.index(rate)]
    fine = enlarge(land, zoom)
    relief = sun.hillshade(fine, vert_exag=3, dx=spacing[1] / zoom, dy=spacing[0] / zoom)
    colours = plt.get_cmap("YlOrBr")(heights(fine))[..., :3] * (0.35 + 0.75 * relief[..., None])
    wet = rivers(land, base, rain, spacing, zoom)[..., None]
    colours = np.clip(colours * (1 - wet) + np.array([0.0, 0.35, 0.70]) * wet, 0, 1)
    ax.imshow(colours, extent=(0, size_km[1], 0, size_km[0]))
    ax.set_title(f"K = {rate:g} / yr, U = {uplift:g} mm / yr", fontsize=10)
for ax in axes[-1]:
    ax.set_xlabel("eastwards (km)")
for ax in axes[:, 0]:
    ax.set_ylabel("northwards (km)")
figure.colorbar(ScalarMappable(heights, "YlOrBr"), ax=axes, label="height (m)", extend="both", shrink=0.8)
_ = figure.suptitle(f"The terrain at the Jacksboro fault after {STEPS * YEARS_A_STEP:,.0f} years")

# %%
# In numbers: what rivers have carried away, on average over the map.

figure, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
for uplift, colour, mark in zip(uplifts, ["#0072b2", "#d55e00"], "os", strict=True):
    eroded = [run["measure"][rate, uplift]["erosion"] for rate in rates]
    ax.plot(rates, eroded, marker=mark, color=colour, label=f"uplift {uplift:g} mm / yr")
ax.set(xscale="log", xlabel="erodibility $K$ (1 / yr, for a metre of rain a year)", ylabel="mean erosion (m)")
ax.set_xticks(rates, [f"{rate:g}" for rate in rates])
ax.minorticks_off()
ax.set_title(f"Eroded in {STEPS * YEARS_A_STEP:,.0f} years")
_ = ax.legend(frameon=False)

# %%
# Sources
# -------
# * The terrain: U.S. Geological Survey; ``jacksboro_fault_dem.npz`` in matplotlib's sample data. The rain is made up.
# * Braun, J., S. D. Willett, "A very efficient O(n), implicit and parallel method to solve the stream power equation
#   governing fluvial incision and landscape evolution", *Geomorphology* 180-181, 2013.
# * Tucker, G. E., G. R. Hancock, "Modelling landscape evolution", *Earth Surface Processes and Landforms* 35, 2010.
# * Barnes, R., C. Lehman, D. Mulla, "Priority-flood: an optimal depression-filling and watershed-labeling algorithm for
#   digital elevation models", *Computers & Geosciences* 62, 2014.
