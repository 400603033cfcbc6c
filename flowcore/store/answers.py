"""What a store says of a key: a value, a skip, or that the cell has to run, and why.

Owns the kinds of answer. A skip is a kind of its own (contract K32): whoever looks for
values does not meet it, and nothing takes it for None.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from flowcore.dataclass import dataclass
from flowcore.plan.encode import BadRecord
from flowcore.plan.skipped import NO_VALUE, reason_of


class Hit(NamedTuple):
    """A record answers for the cell. A tuple, since there is one a cell."""

    record: bytes
    component: bytes
    seconds: float  # that making it took
    classes: list[tuple[str, bytes]]


class Skipped(NamedTuple):
    """A record says that the cell has no result."""

    record: bytes
    reason: str  # what the task said
    seconds: float  # that finding it out took

    @property
    def classes(self) -> list[tuple[str, bytes]]:
        """The user classes met: none."""
        return []

    @property
    def component(self) -> bytes:
        """What stands for the identity of a value that is not there."""
        return NO_VALUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """The cell has to run."""

    reason: str


Answer: TypeAlias = Hit | Skipped | Miss

NO_RECORD: Final = Miss(reason="no record")
VALUE_GONE: Final = Miss(reason="value gone")
TOO_OLD: Final = Miss(reason="too old")
REFRESH: Final = Miss(reason="refresh")
PICKLE: Final = Miss(reason="kept as a pickle, and the store is opened without allow_pickle")


def skipped(record: bytes, seconds: float) -> Skipped | None:
    """Give the answer of a record that tells of a skip; None if it cannot be read."""
    try:
        return Skipped(record, reason_of(record), seconds)
    except BadRecord:
        return None
