"""Arrays that are only handed over: who still refers to them, and how much room they take.

Owns the count of values that refer to each array in the spool; the last one to be let go
of takes the array with it (contract F24). A value that carries its arrays, since there is no
room for them (F19), is let go of likewise: it lies in the engine's memory. Promises that
`high` says when they take so much of the memory for them that cells which let go of some
should begin before cells that add to them: the longest way first, as it is otherwise, would
begin a whole grid before its first consumer. The engine's thread.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flowcore import clock
from flowcore.plan.extension import SPOOLED
from flowcore.plan.records import is_carried, references
from flowcore.run.job import Record
from flowcore.store.spool import Spool

MOMENT: Final = 0.2  # seconds from the putting of an array to the arrival of the result that refers to it, at most
MOST: Final = 64  # arrays that are set aside at once
PART: Final = 4  # of what was free of the memory for arrays when the first came, so much is not high yet: one in ...


class Transit:
    """The arrays in one run's spool.

    Parameters
    ----------
    spool : Spool
        Where they are.

    Attributes
    ----------
    size : int
        Bytes that they take.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._uses: dict[bytes, int] = {}  # values that refer to an array
        self._most = 0  # bytes; known once there is an array
        self._gone: dict[bytes, float] = {}  # arrays set aside, oldest first, and when
        self._carried = 0  # values that lie in the engine's memory, for want of room
        self.size = 0

    def __bool__(self) -> bool:
        return bool(self._uses or self._carried)

    @property
    def high(self) -> bool:
        """Whether cells that let go of arrays should go first."""
        return self.size > self._most

    def refer(self, record: Record) -> None:
        """Note that a value refers to arrays here, or carries its own."""
        self._carried += is_carried(record)
        for digest, size, place in references(record):
            if place != SPOOLED:
                continue
            if not self._most:
                self._most = max(1, (self._spool.free() + size) // PART)
            count = self._uses.get(digest, 0)
            self._uses[digest] = count + 1
            if not count:
                self.size += size
                if self._gone.pop(digest, None) is not None:
                    self._spool.bring_back(digest)

    def let_go(self, record: Record) -> bool:
        """Note that a value does not refer to them any more; tell whether it did, or carried its own."""
        carried = is_carried(record)
        self._carried -= carried
        spooled = [(digest, size) for digest, size, place in references(record) if place == SPOOLED]
        for digest, size in spooled:
            self._uses[digest] -= 1
            if not self._uses[digest]:
                del self._uses[digest]
                self.size -= size
                self._spool.set_aside(digest)
                self._gone[digest] = clock.monotonic()
        return bool(spooled) or carried

    def tend(self) -> None:
        """Remove arrays that were set aside a moment ago: whoever found one there has told of it since."""
        if not self._gone:
            return
        due = clock.monotonic() - MOMENT
        while self._gone:
            digest, since = next(iter(self._gone.items()))
            if since > due and len(self._gone) <= MOST:
                return
            del self._gone[digest]
            self._spool.discard(digest)

    @staticmethod
    def among(records: Iterable[Record]) -> bool:
        """Tell whether one of these refers to an array in a spool."""
        return any(place == SPOOLED for record in records for _, _, place in references(record))
