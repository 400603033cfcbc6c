"""What a Schedule remembers: the states of cells, and nodes wired to each other.

A station is a node as the schedule keeps it. Only `plan/schedule.py` changes states and
counts, on the engine's thread.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import field
from enum import IntEnum
from typing import Literal, TypeAlias

from flowcore.dataclass import dataclass
from flowcore.plan.cells import Link, Numbers, Selection, Space, Span

Mode: TypeAlias = Literal["need", "order", "drop", "drop-failed", "branch"]
Rank: TypeAlias = tuple[float, int, int, int]  # all the lower, the sooner; the last is the node


class State(IntEnum):
    """Where a cell stands."""

    UNWANTED = 0
    WAITING = 1
    READY = 2
    PARKED = 3  # an equal cell is being computed
    STARTED = 4
    DONE = 5
    SKIPPED = 6
    FAILED = 7
    INTERRUPTED = 8
    LOST = 9  # was done; its value vanished
    BLOCKED = 10  # something it needs failed


SETTLED = frozenset({State.DONE, State.SKIPPED, State.FAILED, State.BLOCKED})
BROKEN = frozenset({State.FAILED, State.BLOCKED})
LOSSES = SETTLED - {State.DONE}
LET_GO = -1


@dataclass(frozen=True, slots=True)
class Edge:
    """One reason why cells of a node wait for cells of `source`.

    Modes: ``need`` (a skipped or failed source cell takes the consumer with it),
    ``order`` (wait, but a skipped one is fine), ``drop`` (skipped ones are left out),
    ``drop-failed`` (failed ones too), ``branch`` (wanted only if a choice takes `side`).
    """

    source: int
    mode: Mode = "need"
    side: int = 0
    over: tuple[str, ...] = ()  # axes that are gathered, also where the consumer has them too


@dataclass(slots=True, eq=False)
class Wire:
    """An edge between two nodes of one schedule."""

    producer: Station
    consumer: Station
    edge: Edge
    link: Link

    def carries(self, m: int) -> bool:
        """Tell whether consumer cell `m` waits for this wire.

        One that made a choice waits for that branch alone, one that grew for its graph: both
        have used their inputs.
        """
        if m in self.consumer.graphs:
            return False
        side = self.consumer.sides.get(m)
        return side is None if self.edge.mode != "branch" else side == self.edge.side

    def feed(self, m: int, state: int) -> None:
        """Let one settled input of waiting consumer cell `m` count."""
        self.consumer.heed(m, state, self.edge.mode)

    def unsettled(self, m: int) -> int:
        """Count the cells that feed consumer cell `m` and are not settled."""
        return sum(self.producer.states[n] not in SETTLED for n in self.link.inputs(m).numbers)


@dataclass(slots=True, eq=False)
class Station:
    """A node as the schedule keeps it: its cells' states and counts, in columns."""

    number: int
    space: Space
    lane: str
    rank: Rank = (0, 0, 0, 0)
    held: bool = False  # its values are never released
    optional: bool = False  # a branch of a choice, or above one
    whole: bool = False  # every cell is wanted, also those not known yet
    asked: set[tuple[int, int]] = field(default_factory=set)  # rows without a length that are wanted
    states: bytearray = field(default_factory=bytearray)
    pending: list[int] = field(default_factory=list)  # unsettled cells and unknown rows that feed a cell
    uses: list[int] = field(default_factory=list)  # wanted cells that have yet to use a value; LET_GO: reported
    skips: set[int] = field(default_factory=set)  # waiting cells that a skipped input will take along
    broken: set[int] = field(default_factory=set)  # waiting cells that a failed input has broken
    sides: dict[int, int] = field(default_factory=dict)  # choices made
    into: list[Wire] = field(default_factory=list)
    out: list[Wire] = field(default_factory=list)
    grown: list[tuple[Station, int]] = field(default_factory=list)  # cells whose value this node will be
    graphs: dict[int, Station] = field(default_factory=dict)  # the other way round
    ready: deque[Numbers] = field(default_factory=deque)
    n_ready: int = 0
    n_begun: int = 0  # of the first in `ready`, how many are taken
    queued: bool = False  # whether its lane knows of it
    paused: bool = False  # whether its lane passes it over

    def heed(self, m: int, state: int, mode: Mode) -> None:
        """Let one settled input of waiting cell `m` count."""
        self.pending[m] -= 1
        if state in BROKEN and mode != "drop-failed":
            self.broken.add(m)
        elif state == State.SKIPPED and mode in ("need", "branch"):
            self.skips.add(m)

    def unsettled(self, m: int) -> int:
        """Count the cells that feed cell `m` and are not settled."""
        if m in self.graphs:
            return int(self.graphs[m].states[0] not in SETTLED)
        return sum(wire.unsettled(m) for wire in self.into if wire.carries(m))

    def lengthen(self) -> None:
        """Make room for cells that became known."""
        more = [0] * (self.space.count - len(self.states))
        self.states.extend(bytes(len(more)))
        self.pending.extend(more)
        self.uses.extend(more)

    def wake(self, asked: Numbers | None) -> Numbers:
        """Turn sleeping cells to waiting; give them, as a range only if they are all there are."""
        states = self.states
        if asked is None and not any(states):
            states[:] = bytes([State.WAITING]) * len(states)
            return range(len(states))
        fresh = []
        for n in range(len(states)) if asked is None else asked:
            if states[n] == State.LOST:
                self._forget(n)
            elif states[n] != State.UNWANTED:
                continue
            states[n] = State.WAITING
            fresh.append(n)
        return fresh

    def _forget(self, n: int) -> None:
        """Let a cell start over: what it chose, or grew into, belongs to the value that vanished."""
        self.pending[n] = 0
        self.uses[n] = max(0, self.uses[n])
        self.sides.pop(n, None)
        self.graphs.pop(n, None)

    def mark(self, numbers: Numbers, state: State) -> None:
        """Set the state of these cells."""
        states = self.states
        for n in numbers:
            states[n] = state

    def take(self, limit: int) -> list[int]:
        """Take up to `limit` ready cells, first come, first served."""
        taken: list[int] = []
        while self.ready and len(taken) < limit:
            first, last = self.n_begun, self.n_begun + limit - len(taken)
            chunk = self.ready[0]
            taken.extend(chunk[first:last])
            self.n_begun = last
            if last >= len(chunk):
                self.ready.popleft()
                self.n_begun = 0
        self.n_ready -= len(taken)
        return taken

    def let_go(self, numbers: Iterable[int]) -> list[int]:
        """Of these cells, give once those whose value nobody will use."""
        if self.held or not self.out:
            return []
        uses, states = self.uses, self.states
        unused = [n for n in numbers if not uses[n] and states[n] == State.DONE]
        if not unused:
            return []
        open_links = [wire.link for wire in self.out if not wire.consumer.space.complete]
        if open_links:
            unused = [n for n in unused if not any(link.awaits(n) for link in open_links)]
        for n in unused:
            uses[n] = LET_GO
        return list(dict.fromkeys(unused))


Pull: TypeAlias = tuple[Station, Numbers | None]  # cells to want; None: all of them
Row: TypeAlias = tuple[int, int]  # (level, prefix) in a space
Rows: TypeAlias = tuple[Station, list[Row]]


class Stations:
    """The stations of one schedule, and the spaces that they share."""

    def __init__(self) -> None:
        self._stations: dict[int, Station] = {}
        self._spaces: dict[tuple[Span, ...], Space] = {}
        self._links: dict[tuple[int, int, tuple[str, ...]], Link] = {}  # by the ids of the spaces they link
        self._owners: dict[int, list[Station]] = {}  # of each dynamic space, by its id
        self._growing: dict[int, list[Space]] = {}  # by source: the spaces it gives rows to, fewest spans first

    def __getitem__(self, number: int) -> Station:
        return self._stations[number]

    def add(
        self,
        number: int,
        spans: tuple[Span, ...],
        edges: Iterable[Edge],
        *,
        priority: float,
        lane: str,
        above: Rank = (0, 0, 0, 0),
    ) -> Station:
        """Wire a new station to those that feed it, which must be there already; it lies below `above`."""
        station = Station(number, self.space(spans), lane)
        for edge in dict.fromkeys(edges):
            producer = self._stations[edge.source]
            wire = Wire(producer, station, edge, self._link(producer.space, station.space, edge.over))
            station.into.append(wire)
            producer.out.append(wire)
            if edge.mode == "branch":
                _hold(producer)
        depth = 1 + max((-wire.producer.rank[2] for wire in station.into), default=-above[2])
        station.rank = (-priority, above[1], -depth, number)
        station.lengthen()
        self._stations[number] = station
        if not station.space.static:
            self._owners.setdefault(id(station.space), []).append(station)
        return station

    def space(self, spans: tuple[Span, ...]) -> Space:
        """Give the space of these spans; nodes with equal spans share it."""
        if spans not in self._spaces:
            sources = {s.source: self._stations[s.source].space for s in spans if s.length is None}
            self._spaces[spans] = Space(spans, sources)
            for source in sources:
                insort(self._growing.setdefault(source, []), self._spaces[spans], key=lambda s: len(s.spans))
        return self._spaces[spans]

    def _link(self, producer: Space, consumer: Space, over: tuple[str, ...]) -> Link:
        about = id(producer), id(consumer), over
        if about not in self._links:
            self._links[about] = Link(producer, consumer, over)
        return self._links[about]

    def expand(self, source: int, cell: int, length: int) -> list[Rows]:
        """Let a cell give its axes this many labels; give what was waiting for them, station by station."""
        self._stations[source].space.give(source, cell, length)
        changed = self._rows(source, [cell])  # found before any is opened: what lies below an opened row is new
        for space, span in self._grown_by(source):
            space.expand(span, cell, length)
        return changed

    def forgo(self, source: int, cells: Numbers) -> list[Rows]:
        """Let cells that were settled without a value give no labels; give what was waiting for them."""
        for space, span in self._grown_by(source):
            for cell in cells:
                space.forgo(span, cell)
        return self._rows(source, cells)

    def _grown_by(self, source: int) -> list[tuple[Space, Span]]:
        return [(space, s) for space in self._growing.get(source, ()) for s in space.spans if s.source == source]

    def _rows(self, source: int, cells: Numbers) -> list[Rows]:
        found: list[Rows] = []
        for space in self._growing.get(source, ()):
            spans = [span for span in space.spans if span.source == source]
            rows = [row for span in spans for cell in cells for row in space.waiting_rows(span, cell)]
            if rows:
                found.extend((station, rows) for station in self._owners.get(id(space), ()))
        return found

    def source(self, space: Space, row: tuple[int, int]) -> tuple[Station, int]:
        """Give the cell that must be done for a row to have a length."""
        number, cell = space.source_cell(*row)
        return self._stations[number], cell

    def want(self, station: Station, selection: Selection) -> list[Pull]:
        """Give the cells to want for these cells and rows of a station."""
        return [(station, selection.numbers), *self.ask(station, selection.unknown)]

    def ask(self, station: Station, rows: Iterable[tuple[int, int]]) -> list[Pull]:
        """Want rows without a length; give the cells to want for it.

        These are the sources of the rows, and all that cells of such rows would need: it
        may run in the meantime, and what it uses is not let go of too early.
        """
        pulls: list[Pull] = []
        waiting = [(station, row) for row in rows]
        while waiting:
            station, row = waiting.pop()
            if row in station.asked:
                continue
            station.asked.add(row)
            source, cell = self.source(station.space, row)
            pulls.append((source, (cell,)))
            for wire in station.into:
                if wire.edge.mode != "branch":
                    feeding = wire.link.row_feeding(*row)
                    pulls.append((wire.producer, feeding.numbers))
                    waiting.extend((wire.producer, unknown) for unknown in feeding.unknown)
        return pulls


class Lanes:
    """For each lane, the stations with ready cells, in the order in which they go."""

    def __init__(self, stations: Stations) -> None:
        self._stations = stations
        self._heaps: dict[str, list[Rank]] = {}

    def __iter__(self) -> Iterator[str]:
        return (lane for lane, heap in self._heaps.items() if heap)

    def put(self, station: Station, numbers: Numbers) -> None:
        """Line cells of a station up."""
        if not numbers:
            return
        station.ready.append(numbers)
        station.n_ready += len(numbers)
        self._queue(station)

    def first(self, lane: str) -> Station | None:
        """Give the station whose cells should go next."""
        heap = self._heaps.get(lane)
        while heap:
            station = self._stations[heap[0][-1]]
            if station.n_ready and not station.paused:
                return station
            heapq.heappop(heap)
            station.queued = False
        return None

    def take(self, lane: str, limit: int) -> list[tuple[int, list[int]]]:
        """Take up to `limit` ready cells, by node, in the order in which nodes go."""
        taken: list[tuple[int, list[int]]] = []
        while limit > 0 and (station := self.first(lane)) is not None:
            numbers = station.take(limit)
            taken.append((station.number, numbers))
            limit -= len(numbers)
        return taken

    def pause(self, station: Station, paused: bool) -> None:
        """Pass a station over, or no longer."""
        station.paused = paused
        if station.n_ready:
            self._queue(station)

    def _queue(self, station: Station) -> None:
        if not station.queued and not station.paused:
            heapq.heappush(self._heaps.setdefault(station.lane, []), station.rank)
            station.queued = True


def _hold(station: Station) -> None:
    """Keep the values of a branch and all above it: whether they will be used is not known yet."""
    stack = [station]
    while stack:
        above = stack.pop()
        if not above.optional:
            above.optional = above.held = True
            stack.extend(wire.producer for wire in above.into)
