"""How long to wait between two saves of a simulation.

Owns three numbers and one answer. A save costs time; not having saved costs the steps
since the last save, times how likely it is to be killed. Never looks at a clock.
"""

from __future__ import annotations

import math
from typing import Final

SHARE: Final = 100.0  # a save may cost one part in so many of the time between two


def until_next_save(cost: float, *, every: float, mtbf: float | None = None) -> float:
    """Give the seconds from the end of a save to the beginning of the next.

    Parameters
    ----------
    cost : float
        Seconds that the last save took; 0: there was none.
    every : float
        Seconds between saves that are asked for.
    mtbf : float, optional
        Mean time between failures, in seconds, where it is known. Then the interval is the
        one that loses least time to saves and to lost steps together; without it, saving
        stays below one hundredth of the time.

    Returns
    -------
    float
        Seconds.

    References
    ----------
    J. W. Young, "A first order approximation to the optimum checkpoint interval",
    Communications of the ACM 17(9), 1974. J. T. Daly, "A higher order estimate of the
    optimum checkpoint interval for restart dumps", Future Generation Computer Systems
    22(3), 2006, equation 37.

    Examples
    --------
    >>> until_next_save(0.1, every=30.0), until_next_save(2.0, every=30.0)
    (30.0, 200.0)
    >>> round(until_next_save(60.0, every=30.0, mtbf=86400.0))  # a minute's save, a failure a day
    3180
    """
    if mtbf is None:
        return max(every, SHARE * cost)
    return max(every, daly(cost, mtbf))


def daly(cost: float, mtbf: float) -> float:
    """Give Daly's estimate of the optimum interval between two saves, in seconds."""
    if cost >= 2.0 * mtbf:
        return mtbf
    ratio = cost / (2.0 * mtbf)
    return math.sqrt(2.0 * cost * mtbf) * (1.0 + math.sqrt(ratio) / 3.0 + ratio / 9.0) - cost
