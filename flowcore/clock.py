"""The one place where flowcore reads a clock.

Durations and deadlines use :func:`monotonic`; :func:`wall` is for people (when did
this run start) and never decides anything: correctness must survive a clock that
jumps a day back (contract F27).
"""

from __future__ import annotations

import time
from collections.abc import Callable

monotonic: Callable[[], float] = time.monotonic
"""Give seconds since an arbitrary instant, never running backwards. Read several times a cell: no call of ours."""


def wall() -> float:
    """Give seconds since 1970 as the machine believes them."""
    return time.time()


def sleep(seconds: float) -> None:
    """Wait. Only for executors that have nothing to select on."""
    time.sleep(seconds)
