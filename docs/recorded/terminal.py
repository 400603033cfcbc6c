"""A flow for the recorded terminal session: two inputs, a grid, a table. Waits stand for work."""

import sys
import time

import flowcore as fc


@fc.io
def load(name: str) -> list[float]:
    """Give the samples of a station."""
    time.sleep(0.2)
    return [float(ord(letter)) for letter in name]


@fc.compute
def simulate(samples: list[float], rate: float) -> float:
    """Pretend to work."""
    time.sleep(0.35)
    if rate == 0.7:
        print(f"rate {rate}: {len(samples)} samples look odd")
    return sum(samples) * rate


@fc.compute
def table(values: list[float]) -> float:
    """Sum up."""
    return round(sum(values), 3)


@fc.flow
def stations(names: list[str], rates: list[float]) -> float:
    """Simulate each station at each rate."""
    samples = load(fc.each(name=names))
    return table(fc.gather(simulate(samples, fc.each(rate=rates))))


rates = [round(0.1 * i, 1) for i in range(1, 9)]
run = stations(sys.argv[1:] or ["alpine", "coast"], rates).run(workers=2)
print("table:", run["table"])
