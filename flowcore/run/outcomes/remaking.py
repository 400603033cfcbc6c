"""Who makes a vanished value again (contract F25).

A value may vanish between judging and use: `cache gc` in another process, a tidy user,
a blob that fails its check. The cell that could not read it waits, and the cells found
here are made again; nobody is blamed. What vanishes for the third time under one cell is not
left to the store once more: it goes by the spool.
"""

from __future__ import annotations

from flowcore.plan.extension import KEPT
from flowcore.plan.records import references
from flowcore.plan.states import State
from flowcore.run.books import Books, Cell
from flowcore.run.job import Keep
from flowcore.run.ready.work import Work


def makers_of(digest: bytes, work: Work, number: int, books: Books) -> list[Cell]:
    """Give the cells to make again for a cell that could not read an array, upstream first.

    What else of its inputs is gone by now is made again with it, not found out one attempt
    at a time. A part of a value needs the whole, and what is made again needs those of its inputs
    that have been let go of since.
    """
    waiting = [o for feed in work.feeders for o in feed.origins(number)]
    makers: dict[Cell, None] = {}
    while waiting:
        node, n = waiting.pop()
        maker = books.works.get(node)
        if maker is None or not _gone(books, (node, n), digest):
            continue
        makers[node, n] = None
        if maker.task.mode in ("item", "expand") or maker.lane == "engine":
            waiting.extend(o for feed in maker.feeders for o in feed.origins(n))
    _add_released(makers, books)
    return list(reversed(makers))


def by_spool(makers: list[Cell], books: Books) -> bool:
    """Have values that vanish again and again handed over by the spool, and not kept; tell whether they may be."""
    if any(books.works[node].keep == Keep.REQUIRED for node, _ in makers):
        return False
    books.gate.spooled.update(makers)
    return True


def _add_released(makers: dict[Cell, None], books: Books) -> None:
    waiting = list(makers)
    while waiting:
        node, n = waiting.pop()
        for origin in [o for feed in books.works[node].feeders for o in feed.origins(n)]:
            released = books.schedule.state(*origin) == State.DONE and not books.values.has(*origin)
            if released and origin not in makers and origin[0] in books.works:
                makers[origin] = None
                waiting.append(origin)


def _gone(books: Books, cell: Cell, digest: bytes) -> bool:
    """Tell whether a value refers to the array that is lost, or to another one that is not there any more."""
    values = books.values
    if not values.has(*cell):
        return False
    whole = values.record(*cell)
    records = [whole] if whole else [record for _, record, _ in values.elements(*cell)]
    named = [reference for record in records for reference in references(record)]
    return any(d == digest or (place == KEPT and not books.cache.has(d, size)) for d, size, place in named)
