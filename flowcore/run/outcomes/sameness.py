"""Results that are close enough to what is kept, and so are it (``same=``, contract K25).

Owns which kept value a rerun is compared with: the *canonical* value of its cell, which
is what the newest record for that cell names whose value is still there. A cell is
known across runs by its node and labels. A record of a result that was close names the
canonical value, not its own; so nothing is ever compared with a value that itself was
only close, and small deviations do not add up.

The comparing itself is done where the result is (`run/perform.py`): arrays do not pass
through the engine. The engine's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TypeAlias

from flowcore.run.books import Books, Cell
from flowcore.run.job import Done, Record
from flowcore.run.ready.userclasses import current_classes
from flowcore.run.ready.work import Work
from flowcore.store.cache import Hit

Earlier: TypeAlias = Callable[[int, int], Iterable[bytes]]
"""From a node and a cell to the keys that the cell had in older runs, newest first."""

_LOOKED_AT = 32  # keys of one cell


class Sameness:
    """The canonical values of cells in flight."""

    def __init__(self, books: Books, earlier: Earlier) -> None:
        self._books = books
        self._earlier = earlier
        self._canon: dict[Cell, Hit] = {}

    def column(self, work: Work, numbers: Sequence[int]) -> list[Record]:
        """Give what the results of these cells are compared with; empty bytes where there is nothing."""
        books, node = self._books, work.number
        if work.task.same is None or work.keys is None:
            return []
        fresh = books.fresh([node] * len(numbers), numbers) or [False] * len(numbers)
        for number, anew in zip(numbers, fresh, strict=True):
            hit = None if anew else self._find(node, number)
            if hit is not None:
                self._canon[node, number] = hit
        found = [self._canon.get((node, number)) for number in numbers]
        return [hit.record if hit is not None else b"" for hit in found] if any(found) else []

    def settle(
        self, work: Work, numbers: Sequence[int], keys: Sequence[bytes], done: Done, places: Sequence[int]
    ) -> None:
        """Put canonical values in place of results that were close; write the deviations down."""
        node, agreed = work.number, {attempt: (far, relative) for attempt, far, relative in done.same}
        told: list[tuple[int, bytes, float, float]] = []
        for number, key, i in zip(numbers, keys, places, strict=True):
            hit = self._canon.pop((node, number), None)
            deviation = agreed.get(done.attempts[i])
            if hit is None or deviation is None:
                continue
            done.records[i], done.components[i] = hit.record, hit.component
            if hit.classes:
                done.classes.extend([] for _ in range(len(done.attempts) - len(done.classes)))
                done.classes[i] = current_classes(hit.classes)
            told.append((number, key, *deviation))
        if told:
            cells, named, absolute, relative = zip(*told, strict=True)
            self._books.cache.agreed(node, cells, named, absolute, relative)

    def _find(self, node: int, number: int) -> Hit | None:
        for key in islice(self._earlier(node, number), _LOOKED_AT):
            answer = self._books.cache.judge([key])[0]
            if isinstance(answer, Hit):
                return answer
        return None
