"""Riders in the process that runs them: which of them can be begun, and with what.

Owns what the cells of one job have made so far. Promises that a rider is begun only with
values that were made for it in this very job, and only if no record older than the run
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
    """One job with riders, being performed.

    Attributes
    ----------
    left : list of int
        Attempts that were not begun.
    """

    def __init__(self, job: Job, riders: Riders) -> None:
        self.left: list[int] = []
        self._job = job
        self._riders = riders
        self._made: list[tuple[Record, Component] | None] = [None] * len(job.attempts)
        self._slots = [slot for slot, makers in enumerate(riders.makers) if makers]

    def board(self, i: int) -> bool:
        """Have the i-th cell's inputs put into their columns; False, and it is left, if it cannot be begun."""
        riders = self._riders
        rider = i - riders.first
        if rider < 0:
            return True
        for slot in self._slots:
            maker = riders.makers[slot][rider]
            if maker >= 0:
                made = self._made[maker]
                if made is None:
                    break
                self._job.columns[slot][i] = made[0]
        else:
            if not riders.known or not self._may_answer(rider):
                return True
        self.left.append(self._job.attempts[i])
        return False

    def note(self, i: int, result: Result | Value) -> None:
        """Take up what became of the i-th cell: a value that says all there is to say may be ridden on."""
        if isinstance(result, Value):
            self._made[i] = result.record, result.component
        elif isinstance(result, Done) and plain(result) and result.components[0]:
            record = result.records[0]
            if not may_hold_files(record):  # a file is looked at anew by each cell that gets it
                self._made[i] = record, result.components[0]

    def _may_answer(self, rider: int) -> bool:
        known = _known(self._riders.known)
        return known is None or self._key(rider) in known

    def _key(self, rider: int) -> bytes:
        riders = self._riders
        own = []
        for slots, skeleton in riders.own:
            parts = [self._component(slot, rider) for slot in slots]
            own.append(parts[0] if skeleton is None else combine("tree", [skeleton, *parts]))
        return cell_key(riders.prefixes[rider], own)

    def _component(self, slot: int, rider: int) -> Component:
        makers = self._riders.makers[slot]
        made = self._made[makers[rider]] if makers and makers[rider] >= 0 else None
        if made is not None:
            return made[1]
        column = self._riders.components[slot]
        return column[rider if len(column) > 1 else 0]


@lru_cache(maxsize=1)
def _known(path: str) -> Known | None:
    """Give the keys of older runs; None if they cannot be had, and then no cell can be judged here."""
    try:
        return Known(path)
    except OSError:
        return None
