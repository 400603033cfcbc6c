"""Cells on their way: judged and waiting for an executor, or handed to one.

Columns throughout: a batch and a flight hold cells of one recipe, of one node or of
several; a cell is its place in them. Only the engine's thread touches these.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import field

from flowcore.dataclass import dataclass
from flowcore.plan.stations import Rank
from flowcore.run.job import Component, Done
from flowcore.run.ready.recipe import Recipe
from flowcore.run.rides.boarding import Boarding

Stretch = tuple[int, int, int]  # a node, and the first and the end of its cells in a column


@dataclass(slots=True, kw_only=True)
class Batch:
    """Cells of one recipe that have to run, with their keys."""

    recipe: Recipe
    nodes: list[int]  # one a cell, and so are all columns
    numbers: list[int]
    keys: list[bytes]  # empty bytes: not keyed
    own: list[list[Component]]  # a column a parameter; one entry where all share it
    alone: bool = False  # one cell, that is to run beside nobody
    spooled: bool = False  # one cell, whose value is to be handed over and not kept
    _cut: tuple[list[int], list[Stretch]] | None = None  # nodes, and what stands together of them

    @property
    def single(self) -> bool:
        """Whether its cell is to travel by itself."""
        return self.alone or self.spooled

    @property
    def stretches(self) -> list[Stretch]:
        """What stands together of each node; found once for a list of nodes, which may be put in place of another."""
        if self._cut is None or self._cut[0] is not self.nodes:
            self._cut = self.nodes, list(stretches(self.nodes))
        return self._cut[1]

    def split(self, count: int, first: int = 0) -> tuple[Batch, Batch]:
        """Give `count` cells from the `first` on, and the rest."""
        if not first:
            return self._part(0, count), self._part(count, len(self.numbers))
        rest = [*range(first), *range(first + count, len(self.numbers))]
        return self._part(first, first + count), self.at(rest)

    def at(self, places: list[int]) -> Batch:
        """Give the cells at these places."""
        own = [column if len(column) == 1 else [column[i] for i in places] for column in self.own]
        return Batch(
            recipe=self.recipe, nodes=[self.nodes[i] for i in places], numbers=[self.numbers[i] for i in places],
            keys=[self.keys[i] for i in places], own=own,
        )  # fmt: skip

    def _part(self, first: int, last: int) -> Batch:
        whole = len(self.numbers)
        own = [column if len(column) == 1 and whole > 1 else column[first:last] for column in self.own]
        return Batch(
            recipe=self.recipe, nodes=self.nodes[first:last], numbers=self.numbers[first:last],
            keys=self.keys[first:last], own=own,
        )  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Flight:
    """Cells handed to an executor as one job; attempt ids count up from `first`, and those of riders from theirs."""

    batch: Batch
    first: int
    began: float  # clock.monotonic
    boarding: Boarding | None = None  # of its last cells, where they need what earlier ones make

    def rides(self, attempt: int) -> bool:
        """Tell whether an attempt's cell was handed over with what makes its inputs."""
        return self.boarding is not None and attempt >= self.boarding.begins

    def place(self, attempt: int) -> int:
        """Give the place of an attempt's cell."""
        boarding = self.boarding
        if boarding is None or attempt < boarding.begins:
            return attempt - self.first
        return attempt - boarding.begins + boarding.riders.first

    def cells(self, attempts: Sequence[int]) -> list[int]:
        """Give the places of attempts' cells."""
        first, boarding = self.first, self.boarding
        if boarding is None:
            return [attempt - first for attempt in attempts]
        begins, riders = boarding.begins, boarding.riders.first - boarding.begins
        return [attempt - first if attempt < begins else attempt + riders for attempt in attempts]

    def note(self, offsets: Sequence[int], components: Sequence[Component]) -> None:
        """Take up what cells at these places have made for riders."""
        if self.boarding is not None:
            places = self.boarding.riders.places
            self.boarding.made.update(zip([places[i] for i in offsets] if places else offsets, components, strict=True))

    def identify(self, offsets: Sequence[int]) -> None:
        """Give riders at these places their keys; what was made for them is known, whatever flight it was of."""
        boarding = self.boarding
        if boarding is None:
            return
        first, keys, columns = boarding.riders.first, self.batch.keys, self.batch.own
        for place in offsets:
            if place >= first:
                keys[place], own = boarding.identified(place)
                for column, component in zip(columns, own, strict=True):
                    column[place] = component

    def cell(self, attempt: int) -> tuple[int, int]:
        """Give node and number of an attempt's cell."""
        place = self.place(attempt)
        return self.batch.nodes[place], self.batch.numbers[place]

    def key(self, attempt: int) -> bytes:
        """Give the key of an attempt's cell."""
        place = self.place(attempt)
        self.identify([place])
        return self.batch.keys[place]


@dataclass(slots=True)
class Queue:
    """The batches of one recipe that wait for an executor, best rank first."""

    recipe: Recipe
    batches: list[tuple[Rank, int, Batch]] = field(default_factory=list)  # a heap
    cells: int = 0

    @property
    def front(self) -> Batch:
        """The batch that goes next."""
        return self.batches[0][2]

    @property
    def priority(self) -> float:
        """That of the batch that goes next, the least being the highest."""
        return self.batches[0][0][0]


class Backlog:
    """Judged cells that wait for an executor, by lane and recipe, best rank first."""

    def __init__(self) -> None:
        self._queues: dict[str, dict[int, Queue]] = {}
        self._waiting: dict[int, int] = {}  # cells of each node
        self._order = itertools.count()

    def waiting(self, node: int) -> int:
        """Tell how many cells of a node wait."""
        return self._waiting.get(node, 0)

    def add(self, rank: Rank, batch: Batch) -> None:
        """Let a batch wait; `rank` is that of its best node."""
        recipe = batch.recipe
        queues = self._queues.setdefault(recipe.lane, {})
        queue = queues.get(recipe.task.id)
        if queue is None:
            queue = queues[recipe.task.id] = Queue(recipe)
        heapq.heappush(queue.batches, (rank, next(self._order), batch))
        queue.cells += len(batch.numbers)
        for node, first, last in batch.stretches:
            if last - first > 1:
                self._waiting[node] = self._waiting.get(node, 0) + last - first

    def queues(self, lane: str, first: Callable[[int, int], bool] | None = None) -> list[Queue]:
        """Give what waits in a lane, best rank first; before all else that of which `first` tells it, worst first."""
        queues = list(self._queues.get(lane, {}).values())
        if len(queues) < 2:
            return queues
        queues.sort(key=_first_rank)
        if first is None:
            return queues
        ahead, behind = list[Queue](), list[Queue]()
        for queue in queues:
            (ahead if first(queue.front.nodes[0], queue.front.numbers[0]) else behind).append(queue)
        return [*reversed(ahead), *behind]

    def lanes(self) -> list[str]:
        """Give the lanes in which something waits."""
        return [lane for lane, queues in self._queues.items() if queues]

    def take(self, queue: Queue, count: int, *, share: float = 0.0) -> Batch:
        """Take up to `count` cells of a queue: its first ones; of one batch, with `share` 1.0, the last."""
        taken: list[Batch] = []
        while queue.batches and count > 0 and not (taken and (taken[0].single or queue.front.single)):
            rank, order, batch = heapq.heappop(queue.batches)
            if len(batch.numbers) > count:
                batch, rest = batch.split(count, round(share * (len(batch.numbers) - count)))
                heapq.heappush(queue.batches, (rank, order, rest))
            taken.append(batch)
            count -= len(batch.numbers)
            queue.cells -= len(batch.numbers)
        for node, first, last in [stretch for batch in taken for stretch in batch.stretches]:
            if node in self._waiting:
                self._waiting[node] = max(0, self._waiting[node] - (last - first))
        if not queue.batches:
            del self._queues[queue.recipe.lane][queue.recipe.task.id]
        return merged(taken)


def _first_rank(queue: Queue) -> tuple[Rank, int]:
    return queue.batches[0][0], queue.batches[0][1]


def merged(batches: Sequence[Batch]) -> Batch:
    """Give batches of one recipe as one."""
    if len(batches) == 1:
        return batches[0]
    columns = zip(*(batch.own for batch in batches), strict=True)
    sizes = [len(batch.numbers) for batch in batches]
    return Batch(
        recipe=batches[0].recipe, nodes=[n for b in batches for n in b.nodes],
        numbers=[n for b in batches for n in b.numbers], keys=[k for b in batches for k in b.keys],
        own=[chained(parts, sizes) for parts in columns],
    )  # fmt: skip


def chained(parts: Sequence[Sequence[bytes]], sizes: Sequence[int]) -> list[bytes]:
    """Give columns one after the other; one entry that so many share is repeated, unless they all share one.

    Examples
    --------
    >>> chained([[b"a"], [b"b", b"c"]], [2, 2]), chained([[b"a"], [b"a"]], [2, 1])
    ([b'a', b'a', b'b', b'c'], [b'a'])
    """
    first = parts[0][0]
    if all(len(part) == 1 and part[0] == first for part in parts):
        return [first]
    found: list[bytes] = []
    for part, size in zip(parts, sizes, strict=True):
        found.extend(part if len(part) == size else [part[0]] * size)
    return found


def stretches(nodes: Sequence[int]) -> Iterator[Stretch]:
    """Yield what stands together of each node in a column.

    Examples
    --------
    >>> list(stretches([7, 7, 3]))
    [(7, 0, 2), (3, 2, 3)]
    """
    whole = len(nodes)
    if whole and alike(nodes):
        yield nodes[0], 0, whole
        return
    first = 0
    for place in range(1, whole + 1):
        if place == whole or nodes[place] != nodes[first]:
            yield nodes[first], first, place
            first = place


def alike(nodes: Sequence[int]) -> bool:
    """Tell whether a column of nodes, which is not empty, names one only."""
    return nodes[0] == nodes[-1] and nodes.count(nodes[0]) == len(nodes)


def landed(flight: Flight, offsets: list[int]) -> Batch:
    """Give the cells at these places of a flight, in their order."""
    whole = len(offsets) == len(flight.batch.numbers) and offsets == list(range(len(offsets)))
    return flight.batch if whole else flight.batch.at(offsets)


def apart(batch: Batch, places: list[int], nodes: Collection[int]) -> list[tuple[Batch, list[int]]]:
    """Give the cells of some nodes and the others by themselves, with their places; there may be none of one kind."""
    among = [i for i, node in enumerate(batch.nodes) if node in nodes] if nodes else []
    if not among or len(among) == len(places):
        return [(batch, places)]
    others = sorted({*range(len(places))}.difference(among))
    return [(batch.at(rows), [places[i] for i in rows]) for rows in (among, others)]


def kept_under(keys: Sequence[bytes], done: Done, places: Sequence[int]) -> list[bytes]:
    """Give the keys without those of results that are not to be kept, whatever can be kept of them."""
    refused = {attempt for attempt, _, _ in done.refusals}
    return [b"" if done.attempts[i] in refused else key for i, key in zip(places, keys, strict=True)]
