"""Cells that leave the backlog for a message: those that may still begin.

Owns the last look at cells that have waited: whoever found that its inputs cannot be read,
what other runs have recorded by now, and inputs that were made again since. The engine's
thread.
"""

from __future__ import annotations

from flowcore.run.books import Books
from flowcore.run.flight import Backlog, Batch, Queue
from flowcore.run.outcomes.blame import fed
from flowcore.run.outcomes.equals import release_parked
from flowcore.run.outcomes.parking import Parking
from flowcore.run.ready.loading import keyed

AHEAD = 1024  # judged cells of a node that may wait for an executor


class Taking:
    """Takes cells out of the backlog."""

    def __init__(self, books: Books, backlog: Backlog, parking: Parking) -> None:
        self._books = books
        self._backlog = backlog
        self._parking = parking

    def take(self, queue: Queue, count: int, share: float) -> Batch | None:
        """Take up to `count` cells of a queue, see `Backlog.take`; give those that may begin, None if none may."""
        books = self._books
        taken = self._backlog.take(queue, count, share=share)
        books.gate.wait(taken.nodes, -1)
        for node, _, _ in taken.stretches:
            if self._backlog.waiting(node) < AHEAD // 2:
                books.schedule.pause(node, False)
        batch = fed(taken, books)
        batch = self._parking.sift(batch) if batch is not None else None
        return None if batch is not None and books.remade and self._outdated(batch) else batch

    def _outdated(self, batch: Batch) -> bool:
        """Tell whether inputs were made again and differ since these cells were keyed; then they are keyed anew."""
        books, recipe = self._books, batch.recipe
        cells = [(books.works[node], batch.numbers[first:last]) for node, first, last in batch.stretches]
        if recipe.keys is None or not all(batch.keys) or keyed(cells, books.values).keys == batch.keys:
            return False
        for key in batch.keys:
            release_parked(books, key)
        for work, numbers in cells:
            books.schedule.again(work.number, numbers)
        return True
