"""What a Schedule remembers: the states of cells, and nodes wired to each other.

A station is a node as the schedule keeps it. Only `plan/schedule.py` changes states and
counts, on the engine's thread.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias, TypeVar

from flowcore.dataclass import dataclass
from flowcore.plan.cells import Link, Numbers, Selection, Space, Span
from flowcore.plan.states import BROKEN, DONE, LOST, SETTLED, SKIPPED, UNWANTED, WAITING, State

Mode: TypeAlias = Literal["need", "order", "drop", "drop-failed", "branch"]
Rank: TypeAlias = tuple[float, int, int, int]  # all the lower, the sooner; the last is the node


_WAITING = bytes([WAITING])
_NOBODY: AbstractSet[int] = frozenset()
_NO_ROWS: AbstractSet[tuple[int, int]] = frozenset()
_NO_SIDES: Mapping[int, int] = MappingProxyType({})
_NO_GRAPHS: Mapping[int, Station] = MappingProxyType({})
LET_GO = -1


class Edge(NamedTuple):
    """One reason why cells of a node wait for cells of `source`. A tuple, since there are so many.

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

    def awaits_one(self) -> bool:
        """Let a node's only cell wait for the only one of another; False: they are more, or it is settled."""
        producer, pending, link = self.producer, self.consumer.pending, self.link
        if len(pending) != 1 or not link.same or not link.static or producer.states[0] >= DONE:
            return False
        pending[0] += 1
        producer.uses[0] = max(0, producer.uses[0]) + 1
        return True

    def used(self, numbers: Numbers) -> Numbers:
        """Count the values that these settled consumer cells have used; give those that none is to use any more."""
        uses, link = self.producer.uses, self.link
        if len(uses) == 1 and link.same:
            uses[0] -= 1
            return () if uses[0] else (0,)
        unused = []
        for n in numbers if link.same else link.feeding(numbers):
            uses[n] -= 1
            if not uses[n]:
                unused.append(n)
        return unused

    def unsettled(self, m: int) -> int:
        """Count the cells that feed consumer cell `m` and are not settled."""
        return sum(self.producer.states[n] not in SETTLED for n in self.link.inputs(m).numbers)


class Station:
    """A node as the schedule keeps it: its cells' states and counts, in columns.

    There is one a node, so what few nodes have is made when it is had.

    Attributes
    ----------
    held : bool
        Its values are never released.
    optional : bool
        A branch of a choice, or above one.
    whole : bool
        Every cell is wanted, also those not known yet.
    asked : set of (int, int)
        Rows without a length that are wanted.
    pending : list of int
        Unsettled cells and unknown rows that feed a cell.
    uses : list of int
        Wanted cells that have yet to use a value; LET_GO: it was reported.
    skips, broken : set of int
        Waiting cells that a skipped input will take along; those that a failed one has broken.
    sides : dict of int to int
        Choices made.
    grown : sequence of (Station, int)
        Cells whose value this node will be.
    graphs : dict of int to Station
        The other way round.
    ready : deque of Numbers, or None
        What may be taken, if ever anything might.
    n_ready, n_begun : int
        How many cells of it may be, and of the first part of it are.
    queued, paused : bool
        Whether its lane knows of it, and whether it passes it over.
    """

    __slots__ = (
        "asked", "broken", "graphs", "grown", "held", "into", "lane", "n_begun", "n_ready", "number", "optional",
        "out", "paused", "pending", "queued", "rank", "ready", "sides", "skips", "space", "states", "uses", "whole",
    )  # fmt: skip

    def __init__(self, number: int, space: Space, lane: str) -> None:
        self.number = number
        self.space = space
        self.lane = lane
        self.rank: Rank = (0, 0, 0, 0)
        self.held = self.optional = self.whole = self.queued = self.paused = False
        self.asked: AbstractSet[tuple[int, int]] = _NO_ROWS
        self.states = bytearray(space.count)
        self.pending = [0] * space.count
        self.uses = [0] * space.count
        self.skips: AbstractSet[int] = _NOBODY
        self.broken: AbstractSet[int] = _NOBODY
        self.sides: Mapping[int, int] = _NO_SIDES
        self.into: list[Wire] = []
        self.out: list[Wire] = []
        self.grown: Sequence[tuple[Station, int]] = ()
        self.graphs: Mapping[int, Station] = _NO_GRAPHS
        self.ready: deque[Numbers] | None = None
        self.n_ready = self.n_begun = 0

    @property
    def sleeping(self) -> bool:
        """Whether there are cells that could be woken."""
        return UNWANTED in self.states or LOST in self.states

    def heed(self, m: int, state: int, mode: Mode) -> None:
        """Let one settled input of waiting cell `m` count."""
        self.pending[m] -= 1
        if state in BROKEN and mode != "drop-failed":
            self.broken = _with(self.broken, m)
        elif state == SKIPPED and mode in ("need", "branch"):
            self.skips = _with(self.skips, m)

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
            states[:] = _WAITING * len(states)
            return range(len(states))
        fresh = []
        for n in range(len(states)) if asked is None else asked:
            if states[n] == LOST:
                self._forget(n)
            elif states[n] != UNWANTED:
                continue
            states[n] = WAITING
            fresh.append(n)
        return fresh

    def _forget(self, n: int) -> None:
        """Let a cell start over: what it chose, or grew into, belongs to the value that vanished."""
        self.pending[n] = 0
        self.uses[n] = max(0, self.uses[n])
        if isinstance(self.sides, dict):
            self.sides.pop(n, None)
        if isinstance(self.graphs, dict):
            self.graphs.pop(n, None)

    def choose(self, n: int, side: int) -> None:
        """Note what a cell chose."""
        self.sides = self.sides if isinstance(self.sides, dict) else {}
        self.sides[n] = side

    def grow(self, n: int, source: Station) -> None:
        """Note that a cell's value will be that of another node, which is held."""
        self.graphs = self.graphs if isinstance(self.graphs, dict) else {}
        self.graphs[n] = source
        source.held = True
        source.grown = [*source.grown, (self, n)]

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
        unused = [n for n in numbers if not uses[n] and states[n] == DONE]
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
        space, links, highest = self.space(spans), self._links, above[2]
        station = Station(number, space, lane)
        for edge in dict.fromkeys(edges):
            source, mode, _, over = edge
            producer = self._stations[source]
            link = links.get((id(producer.space), id(space), over))
            wire = Wire(producer, station, edge, link or self._link(producer.space, space, over))
            station.into.append(wire)
            producer.out.append(wire)
            highest = min(highest, producer.rank[2])
            if mode == "branch":
                _hold(producer)
        station.rank = (-priority, above[1], highest - 1, number)
        self._stations[number] = station
        if not station.space.static:
            self._owners.setdefault(id(station.space), []).append(station)
        return station

    def space(self, spans: tuple[Span, ...]) -> Space:
        """Give the space of these spans; nodes with equal spans share it."""
        found = self._spaces.get(spans)
        if found is None:
            sources = {s.source: self._stations[s.source].space for s in spans if s.length is None}
            found = self._spaces[spans] = Space(spans, sources)
            for source in sources:
                insort(self._growing.setdefault(source, []), found, key=lambda s: len(s.spans))
        return found

    def _link(self, producer: Space, consumer: Space, over: tuple[str, ...]) -> Link:
        found = self._links[id(producer), id(consumer), over] = Link(producer, consumer, over)
        return found

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
            station.asked = _with(station.asked, row)
            source, cell = self.source(station.space, row)
            pulls.append((source, (cell,)))
            for wire in station.into:
                if wire.edge.mode != "branch":
                    feeding = wire.link.row_feeding(*row)
                    pulls.append((wire.producer, feeding.numbers))
                    waiting.extend((wire.producer, unknown) for unknown in feeding.unknown)
        return pulls


T = TypeVar("T")


def _with(some: AbstractSet[T], one: T) -> set[T]:
    """Give a set with one more in it: the same, but for the first."""
    if isinstance(some, set):
        some.add(one)
        return some
    return {one}


def _hold(station: Station) -> None:
    """Keep the values of a branch and all above it: whether they will be used is not known yet."""
    stack = [station]
    while stack:
        above = stack.pop()
        if not above.optional:
            above.optional = above.held = True
            stack.extend(wire.producer for wire in above.into)
