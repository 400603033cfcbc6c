"""What running cells are supplied with, by kind of request (`declare/injected.py`).

Owns the table of suppliers: a new kind is one class here, one column that the engine
gives its jobs (`run/ready/requests.py`), and nothing else. Runs wherever cells run, and makes
things in the cell's own thread or coroutine, just before its function is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Protocol

from flowcore.dataclass import dataclass
from flowcore.declare.checkpoint import CHECKPOINT, Checkpoint
from flowcore.declare.injected import Injected, kind_of
from flowcore.declare.seat import StartOver, Stopped
from flowcore.doubts import Unseeded
from flowcore.plan.entropy import another, spawned
from flowcore.plan.streams import RNG, generator
from flowcore.run.cell.claim import read_claim
from flowcore.run.cell.seat import Around, CellSeat


@dataclass(slots=True, kw_only=True)
class Supplied:
    """What one cell has of its own. Of the thread or coroutine that runs it."""

    node: str  # the cell's, by name
    given: Mapping[str, bytes] = field(default_factory=dict)  # by kind: what the engine gave for it
    made: dict[str, object] = field(default_factory=dict)  # by parameter: what its task was supplied with
    calls: dict[str, int] = field(default_factory=dict)  # by task: how often this cell has called it plainly
    around: Around | None = None  # what a checkpoint needs of the place where the cell runs
    attempt: int = 0
    seat: CellSeat | None = None  # of its checkpoint, if it has one
    limit: tuple[int, int] | None = None  # loop and step behind which no state is taken up

    @property
    def stopped(self) -> bool:
        """Whether a loop of the cell was ended because its run stops: whatever its task gives is no result."""
        return self.seat is not None and self.seat.stopped

    def check(self) -> None:
        """Raise what has ended a loop of the cell, whatever its task has made of that."""
        if self.seat is not None and self.seat.again is not None:
            raise StartOver(self.seat.again) from None
        if self.stopped:
            raise Stopped from None

    def start_over(self) -> None:
        """Make ready for the task to be called anew: nothing is left of the first call but where it may go on from."""
        assert self.seat is not None, "only a loop asks for it"
        self.limit = self.seat.again
        self.close()
        self.made.clear()
        self.calls.clear()

    def close(self) -> None:
        """Let go of what the cell had open."""
        if self.seat is not None:
            self.seat.close()


class Supplier(Protocol):
    """Makes what one kind of request asks for."""

    def supply(self, options: Mapping[str, object], cell: Supplied) -> object:
        """Give what a cell of the task that asks gets."""
        ...

    def inner(self, asked: Injected, task: str, cell: Supplied) -> object:
        """Give what a task called plainly inside a cell gets."""
        ...


class Streams:
    """Random streams."""

    def supply(self, options: Mapping[str, object], cell: Supplied) -> object:
        """Give the cell's stream; a second parameter gets another one."""
        place = options["place"]
        assert isinstance(place, int), "the engine counts a task's streams"
        return generator(another(self._entropy(cell, cell.node), place))

    def inner(self, asked: Injected, task: str, cell: Supplied) -> object:  # noqa: ARG002
        """Give a stream spawned from the cell's, by task and count of calls."""
        call = cell.calls[task] = cell.calls.get(task, 0) + 1
        return generator(spawned(self._entropy(cell, task), task, call))

    @staticmethod
    def _entropy(cell: Supplied, task: str) -> bytes:
        entropy = cell.given.get(RNG, b"")
        if not entropy:
            raise Unseeded(node=cell.node, task=task)
        return entropy


class Seats:
    """Checkpoints."""

    def supply(self, options: Mapping[str, object], cell: Supplied) -> object:
        """Give the cell's checkpoint; what runs where none can be kept has an ordinary loop."""
        claim = read_claim(cell.given[CHECKPOINT], options)
        if cell.around is None:
            return Checkpoint(every=claim.every, mtbf=claim.mtbf)
        cell.seat = CellSeat(
            claim=claim, around=cell.around, attempt=cell.attempt, made=cell.made, calls=cell.calls, limit=cell.limit
        )
        return Checkpoint.of(cell.seat)

    def inner(self, asked: Injected, task: str, cell: Supplied) -> object:  # noqa: ARG002
        """Give a checkpoint without a file: the steps of an inner call are no steps of the cell."""
        return asked.__alone__()


SUPPLIERS: dict[str, Supplier] = {RNG: Streams(), CHECKPOINT: Seats()}


def supply(requests: tuple[tuple[str, str, dict[str, object]], ...], cell: Supplied) -> dict[str, object]:
    """Give what the parameters of the task of a cell ask for."""
    for parameter, kind, options in requests:
        cell.made[parameter] = SUPPLIERS[kind].supply(options, cell)
    return cell.made


def inner(asked: Injected, task: str, cell: Supplied) -> object:
    """Give what the parameter of a task called plainly inside a cell gets."""
    supplier = SUPPLIERS.get(kind_of(asked))
    return asked.__alone__() if supplier is None else supplier.inner(asked, task, cell)
