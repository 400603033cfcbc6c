r"""
Interrupt and resume: a state diagram of the Gray-Scott model
=============================================================

Two chemicals react and diffuse. Depending on two rates, they form spots, stripes or nothing. This page simulates a
grid of thirty pairs of rates, **stops in the middle, goes on, and then lengthens every simulation**. No step is
computed twice, except those since a simulation's last save.

The model (Gray and Scott 1984) for the concentrations *u* and *v* is ::

    ∂u/∂t = Du ∇²u - u v² + F (1 - u)
    ∂v/∂t = Dv ∇²v + u v² - (F + k) v

with feed rate *F* and kill rate *k*. Which patterns they give was mapped by Pearson (1993).

The simulation is the task ``simulate`` in ``examples/gray_scott.py``. Its loop is all that makes it resumable: what
must survive is in ``ckpt.state``, and the steps come from ``ckpt.steps``.

.. literalinclude:: ../../examples/gray_scott.py
    :language: python
    :start-at: @fc.compute(extend="steps")
    :end-at: return s.v, ckpt.series("film")
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import flowcore as fc

sys.path.insert(0, str(Path("../../examples").resolve()))  # this script is run in its own folder
from gray_scott import simulate

folder = tempfile.TemporaryDirectory()  # the pages leave nothing behind; without store= it is .flowcore/ where you are
store = Path(folder.name) / "store"

# %%
# One simulation for each pair of rates
# -------------------------------------
# Two ``fc.each`` with different names multiply: 5 feed rates and 6 kill rates make 30 cells.

FEEDS = [0.018, 0.026, 0.034, 0.042, 0.050]
KILLS = [0.049, 0.053, 0.057, 0.061, 0.065, 0.069]


@fc.flow
def diagram(steps: int):
    """Draw the grid; give v at the end, and a film of it."""
    v, film = simulate(fc.each(feed=FEEDS), fc.each(kill=KILLS), size=64, steps=steps)
    return {"v": v, "film": film}


# %%
# Stop in the middle
# ------------------
# ``start`` runs the flow in the background. Here it is cancelled as soon as ten simulations are done; Ctrl-C, a batch
# system's SIGTERM or the end of the walltime do the same. What runs at that moment saves its state at its next step.

first = diagram(steps=2500)
run = first.start(store=store, seed=1, progress=False)
while run.counts("simulate").done < 10 and not run.wait(timeout=0.05):
    pass
run.cancel()
run.wait()
cells = run.to_networkx(cells=True).nodes.values()
states = Counter(cell["state"] for cell in cells if cell["node"] == "simulate")
print(f"the run is {run.status}; of its simulations are {dict(states)}")

# %%
# Go on
# -----
# To resume is to run again. Finished cells are answered from the store, and interrupted ones go on at the step that
# they had saved. After ``kill -9`` it is the same, but for the steps since the last save.

run = first.run(store=store, seed=1, progress=False)
print(run.summary())

# %%
# A little longer
# ---------------
# The task says ``extend="steps"``: more steps only lengthen a simulation. So 4,000 steps go on from the end of the
# 2,500 that are stored, and the film shows that its first part is the old one.

longer = diagram(steps=4000).run(store=store, seed=1, progress=False)
place = {"feed": 0.034, "kill": 0.061}
old, new = run["simulate"][place][1], longer["simulate"][place][1]
same = np.array_equal(old, new[: len(old)])
print(f"{len(old)} frames before, {len(new)} now; the first {len(old)} are equal: {same}")

# %%
# A third run
# -----------
# Nothing has changed, so nothing runs.

again = diagram(steps=4000).run(store=store, seed=1, progress=False)
counts = again.counts("simulate")
print(f"{counts.done} simulations ran, {counts.hit} came from the store")

# %%
# Theory, and the picture
# -----------------------
# Where F ≥ 4 (F + k)², left of the dashed line, a uniform mixture is a steady state as well (Pearson 1993). The
# equations without derivatives give its *v*, and the fields without pattern have come there.

patterns = {label: v for label, (v, film) in longer["simulate"].items()}


def steady(feed: float, kill: float) -> float:
    """Give v of the uniform steady state."""
    return feed / (2 * (feed + kill)) * (1 + np.sqrt(1 - 4 * (feed + kill) ** 2 / feed))


uniform = {label: v.mean() for label, v in patterns.items() if v.std() < 1e-3 and v.mean() > 0.01}
worst = max(abs(v - steady(*label)) for label, v in uniform.items())
print(f"{len(uniform)} fields are uniform; none is farther from the steady state than {worst:.1g}")

# %%
# Each field stands where its rates are.

width, height = 0.0037, 0.0074
figure, ax = plt.subplots(figsize=(8.4, 6.6), layout="constrained")
for (feed, kill), v in patterns.items():
    box = (kill - width / 2, kill + width / 2, feed - height / 2, feed + height / 2)
    shown = ax.imshow(v, extent=box, cmap="inferno", vmin=0.0, vmax=0.4, aspect="auto", interpolation="bilinear")
feeds = np.linspace(0.013, 0.055, 200)
ax.plot(np.sqrt(feeds) / 2 - feeds, feeds, "--", color="deepskyblue", linewidth=2, label=r"$F = 4\,(F + k)^2$")
ax.set(xlim=(0.0465, 0.0715), ylim=(0.0133, 0.0547), xticks=KILLS, yticks=FEEDS)
ax.set_xlabel("kill rate $k$ (per time unit)")
ax.set_ylabel("feed rate $F$ (per time unit)")
ax.set_title("Gray-Scott model after 4,000 steps of 1 time unit, 64 x 64 cells")
ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.09), frameon=False)
_ = figure.colorbar(shown, label="concentration $v$ (dimensionless)", shrink=0.8)

# %%
# Sources
# -------
# * Gray, P., S. K. Scott, "Autocatalytic reactions in the isothermal, continuous stirred tank reactor", *Chemical
#   Engineering Science* 39, 1984.
# * Pearson, J. E., "Complex patterns in a simple system", *Science* 261, 1993.
