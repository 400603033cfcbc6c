"""Riders in the process that runs them: which of them can be begun, and with what.

Owns what the cells of one message have made so far. Promises that a rider is begun only with
values that were made for it in this very message, and only if no record older than the run
may answer its key; its inputs are decoded from their records, as those of any cell are
(contract K29).
"""

from __future__ import annotations

from functools import lru_cache

from flowcore.plan.files import may_hold_files
from flowcore.plan.keys import cell_key
from flowcore.plan.records import combine
from flowcore.run.columns import Value, plain
from flowcore.run.job import Component, Done, Job, Record, Result
from flowcore.run.rides.riders import Riders
from flowcore.store.known import Known


class Ride:
    """One message with riders, being performed.

    Attributes
    ----------
    turns : list of (Job, int)
        Its cells, by part and number in it, in the order in which they are to be performed.
    left : list of int
        Attempts that were not begun.
    """

    def __init__(self, job: Job) -> None:
        self.left: list[int] = []
        turns = {_riders(part).place(i): (part, i) for part in job.parts for i in range(len(part.attempts))}
        self.turns = [turns[place] for place in range(len(turns))]
        self._made: list[tuple[Record, Component] | None] = [None] * len(turns)

    def board(self, place: int) -> bool:
        """Have a cell's inputs put into their columns; False, and it is left, if it cannot be begun."""
        job, i = self.turns[place]
        riders = _riders(job)
        rider = i - riders.first
        if rider < 0:
            return True
        for slot, makers in enumerate(riders.makers):
            maker = makers[rider] if makers else -1
            if maker >= 0:
                made = self._made[maker]
                if made is None:
                    break
                job.columns[slot][i] = made[0]
        else:
            if not riders.known or not self._may_answer(riders, rider):
                return True
        self.left.append(job.attempts[i])
        return False

    def note(self, place: int, result: Result | Value) -> None:
        """Take up what became of a cell: a value that says all there is to say may be ridden on."""
        if isinstance(result, Value):
            self._made[place] = result.record, result.component
        elif isinstance(result, Done) and plain(result) and result.components[0]:
            record = result.records[0]
            if not may_hold_files(record):  # a file is looked at anew by each cell that gets it
                self._made[place] = record, result.components[0]

    def _may_answer(self, riders: Riders, rider: int) -> bool:
        known = _known(riders.known)
        return known is None or self._key(riders, rider) in known

    def _key(self, riders: Riders, rider: int) -> bytes:
        own = []
        for slots, skeleton in riders.own:
            parts = [self._component(riders, slot, rider) for slot in slots]
            own.append(parts[0] if skeleton is None else combine("tree", [skeleton, *parts]))
        return cell_key(riders.prefixes[rider], own)

    def _component(self, riders: Riders, slot: int, rider: int) -> Component:
        makers = riders.makers[slot]
        made = self._made[makers[rider]] if makers and makers[rider] >= 0 else None
        if made is not None:
            return made[1]
        column = riders.components[slot]
        return column[rider if len(column) > 1 else 0]


def _riders(job: Job) -> Riders:
    assert job.riders is not None, "each part of a message with riders has some, if none at all"
    return job.riders


@lru_cache(maxsize=1)
def _known(path: str) -> Known | None:
    """Give the keys of older runs; None if they cannot be had, and then no cell can be judged here."""
    try:
        return Known(path)
    except OSError:
        return None
