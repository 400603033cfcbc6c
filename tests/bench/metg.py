"""METG: the smallest task that a system runs with a given efficiency, as Task Bench defines it.

Owns: the search. Promises: the granularity at which efficiency crosses the wanted one,
interpolated between two measurements; pure but for what it is given to measure with.

Efficiency is the time that the kernels alone take on all workers, over the time that
the run took. Granularity is the time that a run took, over its cells, times workers: so
at 50 % it is twice the kernel, and an overhead of h us a cell on each worker gives 2 h.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One run: seconds of its kernel, and of a task as it was run."""

    kernel: float
    granularity: float

    @property
    def efficiency(self) -> float:
        """The share of the workers' time that the kernels had."""
        return self.kernel / self.granularity


class NotReached(Exception):
    """No kernel that was tried is long enough."""


def metg(measure: Callable[[int], Point], *, efficiency: float = 0.5, first: int = 100, most: int = 10**7) -> float:
    """Find the smallest granularity, in seconds, that has `efficiency`.

    Parameters
    ----------
    measure : callable
        Runs tasks whose kernel has so many iterations.
    efficiency : float
        What is wanted, between 0 and 1.
    first, most : int
        Iterations to begin with, and not to go beyond; they are doubled in between.

    Raises
    ------
    NotReached
        If `most` iterations are not enough.

    Examples
    --------
    >>> round(metg(lambda n: Point(kernel=n * 1e-8, granularity=n * 1e-8 + 40e-6)) * 1e6)
    80
    """
    below, above = None, None  # the last point that is not efficient enough, and the first of those after it
    iterations, reached = first, 0.0
    while iterations <= most:
        here = measure(iterations)
        reached = here.efficiency
        if reached < efficiency:
            below, above = here, None
        elif above is None:
            above = here
        else:  # two in a row: one alone may be a busy moment of whoever measured the kernel
            return above.granularity if below is None else _between(below, above, efficiency)
        iterations *= 2
    raise NotReached(f"efficiency {reached:.0%} with {iterations // 2} iterations")


def _between(low: Point, high: Point, efficiency: float) -> float:
    """Interpolate: of granularity = kernel + overhead, the overhead changes little between two measurements."""
    share = (efficiency - low.efficiency) / (high.efficiency - low.efficiency)
    overhead = math.exp(
        (1 - share) * math.log(max(low.granularity - low.kernel, 1e-9))
        + share * math.log(max(high.granularity - high.kernel, 1e-9))
    )
    return overhead / (1 - efficiency)
