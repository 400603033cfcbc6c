"""Which large arrays a worker has made lately: whoever reads one does best beside it. Pure.

Owns a list by bytes, one a worker, learnt from the records of its results. It is a guess
about memory: a worker that has an array in hand may give it to its next cell as it is
(`store/recent.py`), and what it wrote is warm in its processor's cache. So a wrong guess
costs a little time and nothing else. Never decides that a cell waits: it only breaks ties
between workers that are equally free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from flowcore.plan.encode import references
from flowcore.run.job import Record

LARGE: Final = 1 << 20  # bytes from which an array counts
MOST: Final = 1 << 30  # bytes that are remembered of a worker; it holds fewer
_FEW: Final = 64  # records looked at in a message: cells with large arrays do not come by the thousand
_POINTING: Final = 40  # bytes; no shorter record points anywhere


def large(records: Iterable[Record]) -> dict[bytes, int]:
    """Give the large arrays that records point to, with their sizes."""
    found: dict[bytes, int] = {}
    for record in records:
        if len(record) >= _POINTING:
            found.update((digest, size) for digest, size, _ in references(record) if size >= LARGE)
    return found


def inputs_of(columns: Sequence[Sequence[Record]]) -> dict[bytes, int]:
    """Give the large arrays that the first cells of a job read."""
    return large(record for column in columns for record in column[:_FEW])


class Holdings:
    """The large arrays that one worker has made last."""

    __slots__ = ("_sizes", "_total")

    def __init__(self) -> None:
        self._sizes: dict[bytes, int] = {}  # oldest first
        self._total = 0

    def made(self, records: Sequence[Record]) -> None:
        """Take notice of results."""
        for digest, size in large(records[-_FEW:]).items():
            self._total += size - self._sizes.pop(digest, 0)
            self._sizes[digest] = size
        while self._total > MOST:
            self._total -= self._sizes.pop(next(iter(self._sizes)))

    def share(self, inputs: Mapping[bytes, int]) -> int:
        """Give how many bytes of these were made here."""
        return sum(size for digest, size in inputs.items() if digest in self._sizes)
