"""Contenders take turns, so that a busy minute is everybody's.

Owns: who is timed when. Promises: every contender is called as often as the others, one
round after the other, until it refuses or fails; what it says then is kept in place of
a figure, and the others go on. Never: judges.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


class Refused(Exception):
    """A contender cannot do this work; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """What one contender came to: a figure a round, or why there is none."""

    figures: list[float] = field(default_factory=list)
    refusal: str = ""

    @property
    def best(self) -> float:
        """The least figure."""
        return min(self.figures)

    @property
    def spread(self) -> float:
        """The largest figure over the least: how noisy this was."""
        return max(self.figures) / self.best if self.best > 0 else 1.0


def alternate(contenders: Mapping[str, Callable[[], float]], *, times: int) -> dict[str, Samples]:
    """Call every contender `times` times, in turn; each call gives its own figure."""
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    refusals: dict[str, str] = {}
    for _ in range(times):
        for name, contender in contenders.items():
            if name in refusals:
                continue
            try:
                figures[name].append(contender())
            except Refused as refused:
                refusals[name] = str(refused)
            except Exception as error:  # noqa: BLE001 - a peer that breaks is a result, and the table is always printed
                refusals[name] = f"{type(error).__name__}: {error}".splitlines()[0][:120]
    return {
        name: Samples(refusal=refusals[name]) if name in refusals else Samples(figures=figures[name])
        for name in contenders
    }


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
