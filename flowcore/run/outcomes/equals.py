"""Cells equal to one that was computed: they have its value, or go on by themselves.

Owns what becomes of cells that were parked behind another one of this run once that has
ended; `parking.py` parks them. The engine's thread.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowcore.run.books import Books, Cell
from flowcore.run.job import Keep
from flowcore.store.cache import Answer, Miss


def settle_parked(books: Books, key: bytes, leader: Cell) -> None:
    """Cells equal to one that is done have its value; one that must be kept has it only if it was."""
    if not key or books.computing.pop(key, None) is None:
        return
    parked: dict[int, list[int]] = {}
    kept = books.kept(key)
    for node, number in books.parked.pop(key, ()):
        if not kept and books.works[node].keep == Keep.REQUIRED:
            books.schedule.again(node, [number])
            continue
        books.share(node, number, leader)
        parked.setdefault(node, []).append(number)
        if not kept:
            books.not_kept(node)
    for node, numbers in parked.items():
        books.count(node).hit += len(numbers)
        books.cache.hits([node] * len(numbers), numbers, [key] * len(numbers))
        books.schedule.done(node, numbers)


def release_parked(books: Books, key: bytes) -> None:
    """Cells equal to one that gave no value go on by themselves: to its skip if that is kept."""
    if not key or books.computing.pop(key, None) is None:
        return
    for node, number in books.parked.pop(key, ()):
        books.schedule.again(node, [number])


def release_answered(books: Books, keys: Sequence[bytes], answers: Sequence[Answer]) -> None:
    """Cells parked behind one that the store has answered go on: to that answer.

    1. A cell is computed here, and equal ones park behind it. 2. Another run records its key.
    3. Our attempt dies, and the cell is handed back and judged anew. 4. It is a hit now, and
    will never land; so without this nobody would think of those behind it again.
    """
    for key, answer in zip(keys, answers, strict=True):
        if not isinstance(answer, Miss):
            release_parked(books, key)
