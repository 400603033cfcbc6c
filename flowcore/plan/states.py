"""Where a cell stands, as the schedule (`plan/schedule.py`) tells it."""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """Where a cell stands."""

    UNWANTED = 0
    WAITING = 1
    READY = 2
    PARKED = 3  # an equal cell is being computed
    STARTED = 4
    DONE = 5
    SKIPPED = 6
    FAILED = 7
    INTERRUPTED = 8
    LOST = 9  # was done; its value vanished
    BLOCKED = 10  # something it needs failed


# As names of their own, for the schedule: to look a member up in its class takes longer than what is done with it.
UNWANTED, WAITING, READY, PARKED, STARTED, DONE, SKIPPED, FAILED, INTERRUPTED, LOST, BLOCKED = State

SETTLED = frozenset({DONE, SKIPPED, FAILED, BLOCKED})
BROKEN = frozenset({FAILED, BLOCKED})
LOSSES = SETTLED - {DONE}
