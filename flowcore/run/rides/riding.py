"""Who rides: the engine's choice of waiting cells for a message (contract W5b).

When a message is filled, cells may come along that need nothing but what it makes, as
many as fit into it by what cells of their task have cost. So a chain takes a message every
20 ms of work, and not one a link. Whoever needs the engine's judgement does not ride:
:func:`stays` says who, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property

from flowcore.collector import at_rest
from flowcore.plan.riding import Cell
from flowcore.run.books import Books
from flowcore.run.executors.protocol import Carrier, Executor
from flowcore.run.flight import Flight
from flowcore.run.job import Component, Job, Keep, Record
from flowcore.run.ready.inputs import FromAxis, FromCall, FromNode, FromOne
from flowcore.run.ready.recipe import Recipe
from flowcore.run.ready.trust import Trust
from flowcore.run.ready.work import Work
from flowcore.run.rides.boarding import Boarding
from flowcore.run.rides.riders import Riders
from flowcore.run.told.chronicle import tell_ready


def stays(work: Work, books: Books, trust: Trust) -> str:
    """Say why the cells of a node do not ride; nothing if they may.

    States that are saved, tolerances, tracked files and user classes among the arguments
    make a recipe of its own, with which nobody else travels.
    """
    if not work.recipe.shared:
        return "something about them is counted or kept node by node"
    if not all(isinstance(feed, FromOne | FromCall | FromNode | FromAxis) for feed in work.feeders):
        return "what they are called with is put together by the engine"
    if work.supplies:
        return "they are supplied with what depends on their arguments"
    if work.draws:
        return "their random streams are compared with others'"
    if work.keep == Keep.REQUIRED:
        return "nothing may run that cannot be kept"
    if work.number in books.refresh or work.number in trust:
        return "what counts as their record is the user's choice"
    options = work.planned.node.options
    if options.limit is not None:
        return "how many of them begin is counted"
    if options.memory is not None or options.gpus or options.cores > 1 or options.place is not None:
        return "where they may run depends on what there is to be had"
    return ""


class _Seats:
    """The cells of one message, and of its riders what they are called with."""

    def __init__(self, job: Job, cells: list[Cell], slots: int) -> None:
        self.places = {cell: place for place, cell in enumerate(cells)}
        self.cells: list[Cell] = []
        self.works: list[Work] = []
        self.makers: list[list[int]] = [[] for _ in range(slots)]
        self.records: list[list[Record]] = [[] for _ in range(slots)]
        self.components: list[list[Component]] = [[] for _ in range(slots)]

    def seat(self, cell: Cell, work: Work, fed: list[tuple[int, Record, Component]]) -> None:
        """Give a cell the next place."""
        self.places[cell] = len(self.places)
        self.cells.append(cell)
        self.works.append(work)
        for slot, (maker, record, component) in enumerate(fed):
            self.makers[slot].append(maker)
            self.records[slot].append(record)
            self.components[slot].append(component)


class Riding:
    """Fills messages. The engine's thread."""

    def __init__(
        self, books: Books, trust: Trust, *, ids: Iterator[int], prepared: Callable[[int, list[int]], Work | None],
        ready: list[Work], told: set[int],
    ) -> None:  # fmt: skip
        self._books = books
        self._trust = trust
        self._ids = ids
        self._prepared = prepared
        self._ready = ready
        self._told = told
        self._found: dict[int, Recipe | None] = {}  # of each node that was asked about; None: its cells do not ride

    def load(self, job: Job, executor: Executor) -> Job:
        """Give a job with the cells that may ride in it."""
        books = self._books
        if not isinstance(executor, Carrier) or books.condemned or books.remade or books.gate.alone:
            return job
        spare = executor.spare(job.task, len(job.attempts))
        flight = books.attempts[job.attempts[0]]
        recipe = flight.batch.recipe
        if spare <= 0 or not recipe.shared or (recipe.keys is not None and self._known is None):
            return job
        with at_rest:
            return self._loaded(job, flight, recipe, spare)

    def _loaded(self, job: Job, flight: Flight, recipe: Recipe, spare: int) -> Job:
        books = self._books
        cells = list(zip(flight.batch.nodes, flight.batch.numbers, strict=True))
        found = books.schedule.followers(cells, limit=spare, may=lambda node: self._may(node, recipe))
        if self._ready:
            tell_ready(books.cache, self._ready, self._told)
            self._ready.clear()
        seats = _Seats(job, cells, len(job.columns))
        for cell in found:
            fed = self._fed(cell, seats)
            if fed is not None:
                seats.seat(cell, books.works[cell[0]], fed)
        return self._seated(job, seats, recipe) if seats.cells else job

    @cached_property
    def _known(self) -> str | None:
        """The file that tells of older keys; empty: there are none; None: it cannot be had."""
        found: str | None = self._books.known()
        return found

    def _may(self, node: int, recipe: Recipe) -> bool:
        if node not in self._found:
            work = self._books.works.get(node) or self._prepared(node, [])
            if work is None:  # it cannot be made ready, and will say so when its turn comes
                return False
            self._found[node] = work.recipe if not stays(work, self._books, self._trust) else None
        return self._found[node] is recipe

    def _fed(self, cell: Cell, seats: _Seats) -> list[tuple[int, Record, Component]] | None:
        """Give maker, record and identity of what a rider gets in each slot; None if something is not to be had."""
        (node, number), values = cell, self._books.values
        found: list[tuple[int, Record, Component]] = []
        for feed in self._books.works[node].feeders:
            if isinstance(feed, FromOne | FromNode):
                source = feed.origin(number)
                maker = seats.places.get(source)
                if maker is not None:
                    found.append((maker, b"", b""))
                    continue
                if not values.has(*source):  # it was let go of, or its cell could not be seated
                    return None
            found.append((-1, feed.records([number], values)[0], feed.components([number], values)[0]))
        return found

    def _seated(self, job: Job, seats: _Seats, recipe: Recipe) -> Job:
        books, first = self._books, len(job.attempts)
        flight = books.attempts[job.attempts[0]]
        batch, numbers = flight.batch, [number for _, number in seats.cells]
        attempts = [next(self._ids) for _ in numbers]
        columns = [self._column(*pair, first) for pair in zip(job.columns, seats.records, strict=True)]
        keyed = recipe.keys is not None
        riders = Riders(
            first=first, makers=[makers if max(makers) >= 0 else [] for makers in seats.makers],
            known=self._known or "" if keyed else "",
            prefixes=[work.keys.prefix for work in seats.works if work.keys is not None],
            own=[(own.slots, own.skeleton) for own in recipe.own] if keyed else [], components=seats.components,
        )  # fmt: skip
        flight.boarding = Boarding(riders, keyed)
        batch.nodes = [*batch.nodes, *(node for node, _ in seats.cells)]
        batch.numbers = [*batch.numbers, *numbers]
        batch.keys = [*batch.keys, *(b"" for _ in numbers)]
        batch.own = [[*(c * first if len(c) == 1 else c), *(b"" for _ in numbers)] for c in batch.own]
        books.attempts.update(dict.fromkeys(attempts, flight))
        books.schedule.ride(seats.cells)
        books.gate.join(flight, [node for node, _ in seats.cells])
        for node, _ in seats.cells:
            books.count(node).started += 1
        names = [*(job.names * first if len(job.names) == 1 else job.names), *(w.planned.name for w in seats.works)]
        return replace(
            job, attempts=[*job.attempts, *attempts], numbers=batch.numbers, names=names, columns=columns,
            riders=riders if riders.known else replace(riders, prefixes=[], own=[], components=[]),
        )  # fmt: skip

    @staticmethod
    def _column(column: list[Record], more: list[Record], first: int) -> list[Record]:
        """Give a slot's records, of all or a single one that all share."""
        if len(column) == 1 and column[0] and all(record == column[0] for record in more):
            return column
        return [*(column * first if len(column) == 1 else column), *more]
