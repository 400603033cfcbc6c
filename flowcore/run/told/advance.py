"""How far the loops of running cells are: told to observers, and now and then to the journal.

Owns the rate of steps, and from it when a loop will end. Promises that the journal of a
loop stays small however long it runs: records come further and further apart, so that
there are never more than some hundreds a cell. The engine's thread alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Final, Protocol

from flowcore import clock
from flowcore.dataclass import dataclass
from flowcore.events import Advanced, Event
from flowcore.run.job import Metric
from flowcore.store.cache import Cache

_APART: Final = 1.0  # seconds between two records of a loop, at least
_SHARE: Final = 0.01  # and this part of the time since its first
_WEIGHT: Final = 0.3  # of the newest rate in what is expected


class Progressed(Protocol):
    """Takes how far the loop of a cell is."""

    def __call__(self, node: int, number: int, told: Metric, *, last: bool) -> None:
        """Take it in."""
        ...


@dataclass(slots=True)
class _Loop:
    """What was heard of one cell's loop."""

    step: int
    at: float
    first: float
    written: float
    rate: float = 0.0  # steps a second; 0: not known yet


@dataclass(slots=True, kw_only=True)
class Advances:
    """Takes in what loops tell.

    Parameters
    ----------
    cache : Cache
        Where the journal is.
    name : callable
        Gives a cell's readable id.
    tell : callable
        Given an event for observers.
    """

    cache: Cache
    name: Callable[[int, int], str]
    tell: Callable[[Event], None]
    _loops: dict[tuple[int, int], _Loop] = field(default_factory=dict)

    def take(self, node: int, number: int, told: Metric, *, last: bool = False) -> None:
        """Take in how far a loop is; what may be its last word is written down in any case."""
        now = clock.monotonic()
        loop = self._loops.get((node, number))
        if loop is None or told.step < loop.step:
            loop = self._loops[node, number] = _Loop(told.step, now, now, -_APART)
        elif now > loop.at and told.step > loop.step:
            rate = (told.step - loop.step) / (now - loop.at)
            loop.rate = rate if not loop.rate else loop.rate + _WEIGHT * (rate - loop.rate)
            loop.step, loop.at = told.step, now
        if last or now - loop.written >= max(_APART, _SHARE * (now - loop.first)):
            loop.written = now
            self.cache.metric(node, number, told.step, told.steps, told.numbers)
        left = (told.steps - told.step) / loop.rate if told.steps and loop.rate else None
        self.tell(
            Advanced(
                node=node, cell=self.name(node, number), step=told.step, steps=told.steps or None, seconds_left=left,
                numbers=tuple(told.numbers.items()),
            )
        )  # fmt: skip
