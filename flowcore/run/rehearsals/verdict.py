"""What a rehearsal says of a cell, in one word. Owns the words, and nothing else."""

from __future__ import annotations

from enum import IntEnum


class Verdict(IntEnum):
    """What would become of a cell."""

    UNWANTED = 0  # a branch that no choice has fallen on
    DEPENDS = 1  # something it needs is not known yet
    CACHED = 2  # the store answers: with a value, or that it was skipped
    RUNS = 3  # it has to run
    EQUAL = 4  # it gets the value of an equal cell that has to run
    GIVEN = 5  # the user supplies its value
    READ = 6  # a part of a value, or a choice between values: no task
    REFUSED = 7  # it cannot run: see `troubles`
    SKIPPED = 8  # something it needs is skipped, and so is it
