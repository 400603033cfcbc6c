"""What becomes of cells whose task said that they have no result (contract K32).

Owns the way of a skip into the run's tables and into the store's memory. Promises that a
skip is kept under its cell's key like a value is, before what needs the cell is told, and
that it stands in for no value: no consumer has it among its inputs. The engine's thread.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowcore.plan.skipped import NO_VALUE, skip_record
from flowcore.run.books import Books, Cell
from flowcore.run.flight import Batch, Flight
from flowcore.run.job import Skipped
from flowcore.run.outcomes.doubles import Doubles
from flowcore.run.outcomes.whenabouts import times_of_one
from flowcore.store.answers import Answer
from flowcore.store.answers import Skipped as Known
from flowcore.store.trace import Trace


def land_skip(books: Books, doubles: Doubles, flight: Flight, result: Skipped, key: bytes) -> None:
    """Keep a skip under `key`, none if that is empty, and settle its cell."""
    (node, number), place, own = flight.cell(result.attempt), flight.place(result.attempt), flight.batch.own
    work = books.works[node]
    if key and doubles.expected(node):
        doubles.landed(work, [number], [key], [NO_VALUE])
    books.keep(Trace(
        node=node, numbers=[number], keys=[key], own=[c if len(c) == 1 else [c[place]] for c in own],
        components=[NO_VALUE], records=[skip_record(result.reason)], seconds=[result.seconds],
        refresh=node in books.refresh, skips=True, times=times_of_one(result, flight, books.began),
    ))  # fmt: skip
    _settle(books, (node, number), result.reason)
    if work.claims is not None:
        books.settle_states(work.claims, [number], [flight.key(result.attempt)])


def answer_skips(books: Books, batch: Batch, answers: Sequence[Answer]) -> None:
    """Settle those of these cells of which a record says that they were skipped."""
    for node, number, key, answer in zip(batch.nodes, batch.numbers, batch.keys, answers, strict=True):
        if isinstance(answer, Known):
            books.cache.skipped(node, number, answer.reason, key)
            _settle(books, (node, number), answer.reason)


def _settle(books: Books, cell: Cell, reason: str) -> None:
    node, number = cell
    books.skips[cell] = reason
    books.values.drop(node, number)  # of an earlier time, if this cell was made again
    books.count(node).skipped += 1
    books.schedule.skipped(node, [number])
