"""What ran when: every attempt of a run that a journal gives times of, in columns.

Owns the reading of times out of ledgers. Promises a row an attempt, in the order of
beginning, and nothing for what did not run: hits, given values, and cells of journals
that tell no times. A million attempts are arrays, never objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Final

from flowcore.dataclass import dataclass
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.store.history import CellSkipped
from flowcore.store.lapse import Lapsed
from flowcore.store.times import Times
from flowcore.store.trace import Trace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENDS: Final = ("done", "skipped", "raised", "died", "timed out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Attempts in columns, by when they began; all times in seconds since the run began.

    Attributes
    ----------
    node, number : ndarray of int64
        The cell.
    begins : ndarray of float64
        Before its first input was fetched.
    fetching, seconds, keeping : ndarray of float64
        How long its inputs, the user's function and keeping its result took.
    worker : ndarray of int64
        The worker process, from 1 on; 0: none of flowcore's.
    how : ndarray of uint8
        How it ended, as a place in `ENDS`.
    """

    node: NDArray[np.int64]
    number: NDArray[np.int64]
    begins: NDArray[np.float64]
    fetching: NDArray[np.float64]
    seconds: NDArray[np.float64]
    keeping: NDArray[np.float64]
    worker: NDArray[np.int64]
    how: NDArray[np.uint8]

    @property
    def ends(self) -> NDArray[np.float64]:
        """When each was over, its result kept."""
        return self.begins + self.fetching + self.seconds + self.keeping

    def __len__(self) -> int:
        return len(self.begins)


@dataclass(slots=True)
class _Columns:
    """The same while it is read."""

    node: list[int] = field(default_factory=list)
    number: list[int] = field(default_factory=list)
    begins: list[float] = field(default_factory=list)
    fetching: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    keeping: list[float] = field(default_factory=list)
    worker: list[int] = field(default_factory=list)
    how: list[int] = field(default_factory=list)

    def add(self, node: int, numbers: Sequence[int], times: Times, seconds: Sequence[float], how: int) -> None:
        count = len(numbers)
        self.node += [node] * count
        self.number += numbers
        self.begins += times.begins
        self.fetching += times.fetching or [0.0] * count
        self.seconds += seconds
        self.keeping += times.keeping or [0.0] * count
        self.worker += times.workers
        self.how += [how] * count


def attempts_of(recorded: Recorded) -> Attempts:
    """Read the attempts of a run, as far as its journal tells."""
    columns = _Columns()
    for node, ledger in recorded.ledgers.items():
        for event in ledger.events:
            if isinstance(event, Trace) and event.times is not None:
                columns.add(node, event.numbers, event.times, event.seconds, 0)
            elif isinstance(event, CellSkipped) and event.times is not None:
                columns.add(node, [event.number], event.times, [event.seconds], 1)
    _add_lapses(columns, recorded.lapses)
    return _in_order(columns)


def _add_lapses(columns: _Columns, lapses: Iterable[Lapsed]) -> None:
    for lapse in lapses:
        times = Times(begins=[lapse.began], fetching=(), keeping=(), workers=[lapse.worker])
        how = ENDS.index(lapse.why) if lapse.why in ENDS else 2
        columns.add(lapse.node, [lapse.number], times, [lapse.seconds], how)


def _in_order(columns: _Columns) -> Attempts:
    import numpy as np

    begins = np.array(columns.begins, np.float64)
    order = np.argsort(begins, kind="stable")
    return Attempts(
        node=np.array(columns.node, np.int64)[order], number=np.array(columns.number, np.int64)[order],
        begins=begins[order], fetching=np.array(columns.fetching, np.float64)[order],
        seconds=np.array(columns.seconds, np.float64)[order], keeping=np.array(columns.keeping, np.float64)[order],
        worker=np.array(columns.worker, np.int64)[order], how=np.array(columns.how, np.uint8)[order],
    )  # fmt: skip
