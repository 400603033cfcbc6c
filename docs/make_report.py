"""Makes the report that docs/report.md shows: a run of a small study, written while the pages are built.

By hand: ``python docs/make_report.py docs/_build/made``.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import flowcore as fc

Field = NDArray[np.float64]


@fc.io(limit=2, retries=2)
def fetch(station: str) -> Field:
    """Fetch the levels of a station; the first answer of one of them is lost."""
    time.sleep(0.05 + 0.01 * len(station))
    if station == "Arles" and not _asked:
        _asked.append(station)
        raise ConnectionResetError("connection reset by peer")
    return np.random.default_rng(len(station)).normal(size=2000).cumsum()


_asked: list[str] = []


@fc.compute
def terrain(size: int) -> Field:
    """Make a terrain of two hills."""
    y, x = np.mgrid[-2 : 2 : size * 1j, -2 : 2 : size * 1j]
    hills: Field = np.exp(-((x - 0.6) ** 2) - y**2) + 0.7 * np.exp(-((x + 1) ** 2) * 2 - (y - 0.5) ** 2)
    return hills


@fc.compute
def diffuse(field: Field, rate: float, steps: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> Field:
    """Let a terrain diffuse; unstable from a rate of 0.25 on."""
    state = ckpt.state(z=field.copy())
    for _ in ckpt.steps(steps):
        z = state.z
        state.z = z + rate * (np.roll(z, 1, 0) + np.roll(z, -1, 0) + np.roll(z, 1, 1) + np.roll(z, -1, 1) - 4 * z)
        ckpt.metric(highest=float(state.z.max()), roughness=float(np.abs(np.diff(state.z)).mean()))
        time.sleep(0.02)
    if not np.isfinite(state.z).all() or state.z.max() > 2:
        raise FloatingPointError(f"unstable at a rate of {rate}: the highest point is at {state.z.max():.3g}")
    print(f"rate {rate}: {state.z.max():.3f}")
    return state.z


@fc.compute
def profile(field: Field, levels: Field) -> Field:
    """Cut a terrain, and lay levels over it."""
    time.sleep(0.03)
    found: Field = field.mean(axis=0) + np.interp(np.arange(field.shape[1]), np.arange(len(levels)), levels) * 1e-3
    return found


@fc.compute
def rank(profiles: list[Field]) -> dict[str, float]:
    """Find the highest of some profiles."""
    return {"highest": float(max(one.max() for one in profiles)), "count": float(len(profiles))}


@fc.flow
def study(rates: list[float]) -> Any:
    """Diffuse a terrain at several rates, and compare it with the levels of stations."""
    field = diffuse(terrain(120), fc.each(rate=rates), 120)
    levels = fetch(fc.each(station=["Arles", "Bonn", "Corfu", "Delft"]))
    return rank(fc.gather(profile(field, levels), over="rate"))


def make(folder: Path) -> Path:
    """Run the study, and write its report into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _asked.clear()
    with tempfile.TemporaryDirectory() as store:
        run = study([0.05, 0.1, 0.15, 0.2, 0.3]).start(store=store, workers=2, on_error="continue", progress=False)
        with suppress(fc.RunFailed):  # one rate is meant to fail
            run.wait()
        return Path(run.report(folder / "study.html"))


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
