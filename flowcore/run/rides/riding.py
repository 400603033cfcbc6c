"""Who rides: the engine's choice of waiting cells for a message (contract W5b).

When a message is filled, cells may come along that need nothing but what it makes, as
many as fit into it by what cells of their tasks have cost. So a chain takes a message every
20 ms of work, and not one a link, and a stencil one for a whole corner of it, though the
cells at its edge are called in another way. Whoever needs the engine's judgement does not
ride: :func:`stays` says who, and why. Cells of another recipe than the first ones' sit in
wagons, a flight each: what becomes of them is told apart, and their keys are made of what
their own message made.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import Any, Final, TypeAlias, cast

from flowcore.collector import at_rest
from flowcore.plan.riding import Cell
from flowcore.run.books import Books
from flowcore.run.executors.protocol import Carrier, Executor
from flowcore.run.flight import Batch, Flight, Queue
from flowcore.run.job import Component, Job, Keep, Record
from flowcore.run.ready.inputs import FromAxis, FromCall, FromNode, FromOne
from flowcore.run.ready.recipe import Recipe
from flowcore.run.ready.trust import Trust
from flowcore.run.ready.work import Work
from flowcore.run.rides.boarding import Boarding
from flowcore.run.rides.riders import Riders
from flowcore.run.told.chronicle import tell_ready

Fed: TypeAlias = tuple[list[int], list[Record], list[Component]]  # of a cell in each slot: maker, record, identity
_BY_CELL: Final = (FromOne, FromNode)
_ONE: Final = frozenset({FromOne, FromCall, FromNode, FromAxis})  # give the value of one cell, or of none


def stays(work: Work, books: Books, trust: Trust) -> str:
    """Say why the cells of a node do not ride, among others with its recipe; nothing if they may.

    States that are saved, tolerances, tracked files and user classes among the arguments
    make a recipe of its own, with which nobody else travels.
    """
    if not _ONE.issuperset(map(type, work.feeders)):
        return "what they are called with is put together by the engine"
    if work.draws:
        return "their random streams are compared with others'"
    if work.number in books.refresh or work.number in trust:
        return "what counts as their record is the user's choice"
    return ""


def single(work: Work) -> str:
    """Say why cells with the recipe of a node share a message with no others; nothing if they may."""
    if not work.recipe.shared:
        return "something about them is counted or kept node by node"
    if work.supplies:
        return "they are supplied with what depends on their arguments"
    if work.keep == Keep.REQUIRED:
        return "nothing may run that cannot be kept"
    options = work.planned.node.options
    if options.limit is not None:
        return "how many of them begin is counted"
    if options.memory is not None or options.gpus or options.cores > 1 or options.place is not None:
        return "where they may run depends on what there is to be had"
    return ""


class _Coach:
    """The riders of one recipe, and what they are called with."""

    def __init__(self, recipe: Recipe, slots: int) -> None:
        self.recipe = recipe
        self.cells: list[Cell] = []
        self.works: list[Work] = []
        self.places: list[int] = []
        self.fed: list[Fed] = []
        self._none: list[list[Any]] = [[] for _ in range(slots)]

    @property
    def nodes(self) -> list[int]:
        """The node of each cell."""
        return [node for node, _ in self.cells]

    def seat(self, cell: Cell, place: int, work: Work, fed: Fed) -> None:
        """Give a cell a seat, and its turn in the message."""
        self.cells.append(cell)
        self.places.append(place)
        self.works.append(work)
        self.fed.append(fed)

    def columns(self, kind: int) -> list[list[Any]]:
        """Give what the riders are fed in each slot: the makers (0), the records (1) or the identities (2)."""
        return [list(column) for column in zip(*[fed[kind] for fed in self.fed], strict=True)] or self._none

    def riders(self, begun: range, known: str) -> Riders:
        """Say of them what the message does, behind cells of the same recipe at the places in `begun`."""
        keyed, first = self.recipe.keys is not None, len(begun)
        places = [*begun, *self.places]
        return Riders(
            first=first, places=[] if places == list(range(len(places))) else places,
            makers=[makers if max(makers, default=-1) >= 0 else [] for makers in self.columns(0)],
            known=known if keyed else "",
            prefixes=[work.keys.prefix for work in self.works if work.keys is not None],
            own=[(own.slots, own.skeleton) for own in self.recipe.own] if keyed else [], components=self.columns(2),
        )  # fmt: skip


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
        self._asked: Executor | None = None  # the last one, and whether it takes riders
        self._carries = False
        self._found: dict[int, Recipe | None] = {}  # of each node that was asked about; None: its cells do not ride
        self._shares: dict[int, Recipe | None] = {}  # by its task: each recipe met; None: it shares with no other

    def beside(self, queue: Queue, queues: Sequence[Queue], executor: Executor) -> list[tuple[Queue, float]]:
        """Give the queues of whose cells some may come along with those of the first one, and what one weighs in these.

        They are of equal priority: what has a higher one goes before, and not beside.
        """
        if len(queues) < 2 or not self._possible(executor) or not self._mixes(queue, executor):
            return []
        if self._books.transit.high:  # cells go in the order in which they let go of arrays
            return []
        weigher, others = cast(Carrier, executor), [other for other in queues if other is not queue and other.cells]
        whole = weigher.weight(queue.recipe.task)
        return [
            (other, weigher.weight(other.recipe.task) / whole)
            for other in others
            if other.priority == queue.priority and self._mixes(other, executor)
        ]

    def load(self, job: Job, executor: Executor, along: Sequence[Job] = ()) -> Job:
        """Give a job as a message, with others that come along, and with the cells that may ride in it."""
        if not along and not self._possible(executor):
            return job
        jobs = [job, *along]
        weigher = cast(Carrier, executor)
        room = 1.0 - sum(len(one.attempts) * weigher.weight(one.task) for one in jobs)
        if not along and (room <= 0.0 or not self._flight(job).batch.recipe.shared):
            return job
        with at_rest:
            return self._loaded(jobs, weigher, room)

    def _possible(self, executor: Executor) -> bool:
        if self._asked is not executor:
            self._asked, self._carries = executor, isinstance(executor, Carrier)
        books = self._books
        return self._carries and not (books.condemned or books.remade or books.gate.alone)

    def _mixes(self, queue: Queue, executor: Executor) -> bool:
        """Tell whether cells that wait may be in one message with those of another recipe, for all that they know."""
        work = self._books.works[queue.front.nodes[0]]
        return self._may_mix(work) and cast(Carrier, executor).weight(work.task) < 1.0

    def _may_mix(self, work: Work) -> bool:
        if work.recipe.options.timeout is not None or single(work):
            return False
        return self._books.gate.asks_nothing(work)

    def _flight(self, job: Job) -> Flight:
        return self._books.attempts[job.attempts[0]]

    def _loaded(self, jobs: list[Job], executor: Carrier, room: float) -> Job:
        books = self._books
        batches = [self._flight(job).batch for job in jobs]
        cells = [cell for batch in batches for cell in zip(batch.nodes, batch.numbers, strict=True)]
        weight = self._weigher(batches, executor)
        found = books.schedule.followers(cells, room=room, weight=weight, broad=executor.broad(jobs[0].task))
        if self._ready:
            tell_ready(books.cache, self._ready, self._told)
            self._ready.clear()
        places = {cell: place for place, cell in enumerate(cells)}
        coaches = {
            batch.recipe.task.id: _Coach(batch.recipe, len(job.columns))
            for batch, job in zip(batches, jobs, strict=True)
        }
        for cell in found:
            fed = self._fed(cell, places)
            if fed is not None:
                work = books.works[cell[0]]
                coach = coaches.get(work.task.id)
                if coach is None:
                    coach = coaches[work.task.id] = _Coach(work.recipe, len(work.feeders))
                coach.seat(cell, len(places), work, fed)
                places[cell] = len(places)
        if len(places) == len(jobs[0].attempts):
            return jobs[0]
        return self._coupled(jobs, list(coaches.values()))

    def _weigher(self, batches: Sequence[Batch], executor: Carrier) -> Callable[[int], float]:
        """Give what tells of a node what part of a message its cells take, beside these."""
        weights = {batch.recipe.task.id: executor.weight(batch.recipe.task) for batch in batches}
        lane, mixed = batches[0].recipe.lane, self._may_mix(self._books.works[batches[0].nodes[0]])

        def weight(node: int) -> float:
            recipe = self._recipe(node)
            if recipe is None:
                return math.inf
            if recipe.task.id not in weights:
                beside = mixed and recipe.lane == lane and self._may_mix(self._books.works[node])
                weights[recipe.task.id] = executor.weight(recipe.task) if beside else math.inf
            return weights[recipe.task.id]

        return weight

    @cached_property
    def _known(self) -> str | None:
        """The file that tells of older keys; empty: there are none; None: it cannot be had."""
        found: str | None = self._books.known()
        return found

    def _recipe(self, node: int) -> Recipe | None:
        """Give the recipe of a node whose cells may ride; None if they may not."""
        if node in self._found:
            return self._found[node]
        work = self._books.works.get(node) or self._prepared(node, [])
        if work is None or stays(work, self._books, self._trust):
            self._found[node] = None  # one that cannot be made ready will say so when its turn comes
            return None
        task = work.recipe.task.id
        if task not in self._shares:
            keyed_there = work.keys is None or self._known is not None
            self._shares[task] = work.recipe if keyed_there and not single(work) else None
        found = self._found[node] = self._shares[task]
        return found

    def _fed(self, cell: Cell, places: dict[Cell, int]) -> Fed | None:
        """Give maker, record and identity of what a rider gets in each slot; None if something is not to be had."""
        (node, number), values, seated = cell, self._books.values, places.get
        feeders = self._books.works[node].feeders
        makers = [
            seated(feed.cell if type(feed) is FromOne else feed.origin(number), -1)
            if isinstance(feed, _BY_CELL)
            else -1
            for feed in feeders
        ]
        records, components = [b""] * len(makers), [b""] * len(makers)
        for slot, feed in enumerate(feeders):
            if isinstance(feed, FromCall):
                records[slot], components[slot] = feed.record, feed.component
            elif makers[slot] < 0:
                if isinstance(feed, _BY_CELL) and not values.has(*feed.origin(number)):
                    return None  # it was let go of, or its cell could not be seated
                records[slot] = feed.records([number], values)[0]
                components[slot] = feed.components([number], values)[0]
        return makers, records, components

    def _coupled(self, jobs: list[Job], coaches: list[_Coach]) -> Job:
        """Give jobs as one, each with its own riders, and wagons for all others."""
        made: dict[int, Component] = {}
        parts: list[Job] = []
        place = 0
        for job, coach in zip(jobs, coaches, strict=False):
            parts.append(self._extended(job, coach, range(place, place + len(job.attempts)), made))
            place += len(job.attempts)
        wagons = [self._wagon(coach, jobs[0], made) for coach in coaches[len(jobs) :]]
        return replace(parts[0], wagons=[*parts[1:], *wagons])

    def _extended(self, job: Job, coach: _Coach, begun: range, made: dict[int, Component]) -> Job:
        """Give a job with riders of its own recipe, if there are any."""
        flight, first, count = self._flight(job), len(begun), len(coach.cells)
        riders, batch = coach.riders(begun, self._known or ""), flight.batch
        attempts = self._begun(flight, coach, riders, made)
        if not count:
            return replace(job, riders=_told(riders))
        batch.nodes = [*batch.nodes, *coach.nodes]
        batch.numbers = [*batch.numbers, *(number for _, number in coach.cells)]
        batch.keys = [*batch.keys, *([b""] * count)]
        batch.own = [[*(c * first if len(c) == 1 else c), *([b""] * count)] for c in batch.own]
        names = [*(job.names * first if len(job.names) == 1 else job.names), *(w.planned.name for w in coach.works)]
        return replace(
            job, attempts=[*job.attempts, *attempts], numbers=batch.numbers, names=names, riders=_told(riders),
            columns=[_column(*pair, first) for pair in zip(job.columns, coach.columns(1), strict=True)],
        )  # fmt: skip

    def _wagon(self, coach: _Coach, job: Job, made: dict[int, Component]) -> Job:
        """Give riders of another recipe than those of the jobs that they come along with."""
        recipe, count, riders = coach.recipe, len(coach.cells), coach.riders(range(0), self._known or "")
        batch = Batch(
            recipe=recipe, nodes=coach.nodes, numbers=[number for _, number in coach.cells], keys=[b""] * count,
            own=[[b""] * count for _ in riders.own],
        )  # fmt: skip
        flight = Flight(batch=batch, first=0, began=self._flight(job).began)
        self._books.sourcing.tell(recipe)
        return Job(
            task=recipe.task, attempts=self._begun(flight, coach, riders, made), numbers=batch.numbers,
            names=[work.planned.name for work in coach.works], modules=job.modules, riders=_told(riders),
            columns=[_column([], records, 0) for records in coach.columns(1)],
            seconds=self._books.seconds.get(recipe.task.id, 0.0),
        )  # fmt: skip

    def _begun(self, flight: Flight, coach: _Coach, riders: Riders, made: dict[int, Component]) -> list[int]:
        """Take note that riders are on their way; give their attempts."""
        books, attempts = self._books, list(islice(self._ids, len(coach.cells)))
        begins = attempts[0] if attempts else sys.maxsize
        flight.boarding = Boarding(riders, begins, coach.recipe.keys is not None, made)
        if not flight.first:
            flight.first = begins
        books.attempts.update(dict.fromkeys(attempts, flight))
        books.schedule.ride(coach.cells)
        books.gate.join(flight, coach.nodes)
        books.started(coach.nodes)
        return attempts


def _told(riders: Riders) -> Riders:
    """Give what a worker needs to know: nothing of keys, where there are no older ones."""
    return riders if riders.known else replace(riders, prefixes=[], own=[], components=[])


def _column(column: list[Record], more: list[Record], first: int) -> list[Record]:
    """Give a slot's records, of all or a single one that all share."""
    shared = column if first else more[:1]
    if len(shared) == 1 and shared[0] and all(record == shared[0] for record in more):
        return shared
    return [*(column * first if len(column) == 1 else column), *more]
