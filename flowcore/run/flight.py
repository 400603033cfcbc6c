"""Cells on their way: judged and waiting for an executor, or handed to one.

Columns throughout: a batch and a flight hold cells of one node; a cell is its place in
them. Only the engine's thread touches these.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import field

from flowcore.dataclass import dataclass
from flowcore.run.job import Component, Done
from flowcore.run.work import Work


@dataclass(slots=True, kw_only=True)
class Batch:
    """Cells of one node that have to run, with their keys."""

    work: Work
    numbers: list[int]
    keys: list[bytes]  # empty bytes: not keyed
    own: list[list[Component]]  # a column a parameter; one entry where all share it

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
            work=self.work, numbers=[self.numbers[i] for i in places], keys=[self.keys[i] for i in places], own=own
        )

    def _part(self, first: int, last: int) -> Batch:
        whole = len(self.numbers)
        own = [column if len(column) == 1 and whole > 1 else column[first:last] for column in self.own]
        return Batch(work=self.work, numbers=self.numbers[first:last], keys=self.keys[first:last], own=own)


@dataclass(slots=True, kw_only=True)
class Flight:
    """Cells handed to an executor as one job; attempt ids count up from `first`."""

    batch: Batch
    first: int
    began: float  # clock.monotonic

    def number(self, attempt: int) -> int:
        """Give the cell number of an attempt."""
        return self.batch.numbers[attempt - self.first]

    def key(self, attempt: int) -> bytes:
        """Give the key of an attempt's cell."""
        return self.batch.keys[attempt - self.first]


@dataclass(slots=True)
class Queue:
    """The batches of one node that wait for an executor."""

    batches: deque[Batch] = field(default_factory=deque)
    cells: int = 0


class Backlog:
    """Judged cells that wait for an executor, by lane, best rank first."""

    def __init__(self) -> None:
        self._queues: dict[int, Queue] = {}
        self._lanes: dict[str, list[tuple[tuple[float, int, int], int]]] = {}

    def waiting(self, node: int) -> int:
        """Tell how many cells of a node wait."""
        queue = self._queues.get(node)
        return queue.cells if queue else 0

    def add(self, lane: str, rank: tuple[float, int, int], batch: Batch) -> None:
        """Let a batch wait."""
        node = batch.work.number
        queue = self._queues.get(node)
        if queue is None:
            queue = self._queues[node] = Queue()
            heapq.heappush(self._lanes.setdefault(lane, []), (rank, node))
        queue.batches.append(batch)
        queue.cells += len(batch.numbers)

    def nodes(self, lane: str) -> list[int]:
        """Give the nodes with waiting cells in a lane, best rank first."""
        heap = self._lanes.get(lane, [])
        if len(heap) > 1:
            heap.sort()  # a sorted list is a heap
        return [node for _, node in heap]

    def lanes(self) -> list[str]:
        """Give the lanes in which something waits."""
        return [lane for lane, heap in self._lanes.items() if heap]

    def front(self, node: int) -> Batch:
        """Give the batch of a node that goes next."""
        return self._queues[node].batches[0]

    def take(self, lane: str, node: int, count: int, *, share: float = 0.0) -> Batch:
        """Take up to `count` cells of a node, all from one batch: its first ones, or with `share` 1.0 its last."""
        queue = self._queues[node]
        batch = queue.batches.popleft()
        if len(batch.numbers) > count:
            batch, rest = batch.split(count, round(share * (len(batch.numbers) - count)))
            queue.batches.appendleft(rest)
        queue.cells -= len(batch.numbers)
        if not queue.batches:
            del self._queues[node]
            heap = self._lanes[lane]
            heap[:] = [entry for entry in heap if entry[1] != node]
            heapq.heapify(heap)
        return batch


def kept_under(keys: Sequence[bytes], done: Done, places: Sequence[int]) -> list[bytes]:
    """Give the keys without those of results that are not to be kept, whatever can be kept of them."""
    refused = {attempt for attempt, _, _ in done.refusals}
    return [b"" if done.attempts[i] in refused else key for i, key in zip(places, keys, strict=True)]
