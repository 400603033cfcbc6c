"""What an adapter does: the same work, in its peer's own words.

An adapter is opened before its first work and closed after its last, so that no work
pays for starting processes. Its clock runs from drawing to values in this process:
peers that need no drawing have none, and both are the user's time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.bench.graphs import Graph
from tests.bench.rounds import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Values, in order, and seconds: of them, `drawn` before anything ran."""

    values: Sequence[Any]
    seconds: float
    drawn: float = 0.0


class Peer:
    """One system; what it is not asked to do, or cannot, it refuses.

    Parameters
    ----------
    workers : int
        Processes, or threads, for compute.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def __enter__(self) -> Self:
        """Start what waits for work."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what was started."""

    def graph(self, graph: Graph) -> Answer:
        """Give the values of the graph's sinks."""
        raise Refused("not among its works")

    def line(self, stages: int, size: int) -> Answer:
        """Make an array of `size` bytes, send it through `stages` - 1 more functions, and look at it at the end."""
        raise Refused("not among its works")

    def mixed(self, naps: int, burns: int) -> Answer:
        """Sleep and compute side by side."""
        raise Refused("not among its works")


def timed(work: Callable[[], Sequence[Any]]) -> Answer:
    """Time a work that has no drawing."""
    began = time.perf_counter()
    values = work()
    return Answer(values=values, seconds=time.perf_counter() - began)


def timed_drawn(draw: Callable[[], Any], run: Callable[[Any], Sequence[Any]]) -> Answer:
    """Time drawing, then running what was drawn."""
    began = time.perf_counter()
    made = draw()
    between = time.perf_counter()
    values = run(made)
    ended = time.perf_counter()
    return Answer(values=values, seconds=ended - began, drawn=between - began)
