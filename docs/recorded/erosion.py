"""What docs/record_simulation.py records: three long simulations."""

import sys
import time

import numpy as np

import flowcore as fc


def advance(z: np.ndarray, rate: float) -> np.ndarray:
    """Let a step pass; it takes a little while, as a real one would."""
    time.sleep(0.004)
    return z - rate * (z - np.roll(z, 1))


# fmt: off
@fc.compute(extend="years")
def erode(dem: np.ndarray, rate: float, years: int, *,
          ckpt: fc.Checkpoint = fc.Checkpoint(every="1s"), rng: np.random.Generator = fc.rng()) -> np.ndarray:
    """Erode a land, year by year."""
    s = ckpt.state(z=dem.copy(), t=0.0)          # what was saved, if this cell was interrupted
    for _ in ckpt.steps(years):                  # goes on at the saved step
        s.z = advance(s.z, rate) + rng.normal(scale=1e-3, size=s.z.shape)
        s.t += 1.0
        ckpt.append(mean=s.z.mean())             # a series on disk
        ckpt.metric(mean=s.z.mean())             # a live number
    return s.z
# fmt: on


@fc.flow
def lands(years: int = 1000):
    """Three lands."""
    return erode(np.linspace(0.0, 900.0, 40_000).reshape(200, 200), fc.each(rate=[0.1, 0.2, 0.3]), years)


if __name__ == "__main__":
    lands(*map(int, sys.argv[1:])).run(workers=3, progress=True)
