r"""What may run next: a state machine that knows no process, no clock and no disk.

A cell is (node, number). Its states::

    UNWANTED -> WAITING -> READY -> STARTED -> DONE | SKIPPED | FAILED | INTERRUPTED
                   |         ^ \-> PARKED -/             (an equal cell is being computed)
                   |         \----- STARTED | PARKED     (lost, or to be tried again)
                   \-> SKIPPED | BLOCKED                 (because of what it needs)
    DONE -> LOST -> WAITING ...                           (its value vanished; wanted again)

Policy
------
* Nothing runs that nobody wants. :meth:`Schedule.want` pulls: it wakes a cell and all
  that feeds it. A row whose length is not known yet pulls what its cells would need. A
  branch of a choice is not wanted until the choice falls on it.
* A cell is decided when all cells that feed it are settled: if one was skipped, it is
  SKIPPED, else READY. If one failed, or is itself blocked, it is BLOCKED at once. So
  where everything ends does not depend on the order of events.
* Each lane (an executor) has its own queue of nodes with ready cells. A higher priority
  goes first; then the longest way (`order.py`); then what lies deeper, so that what was
  begun is finished and memory is let go of; then what was drawn first.
* A value that nobody will ask for any more is reported once by :meth:`Schedule.released`.

Linear in cells and edges; nothing recurses. Only the engine's thread may touch a Schedule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flowcore.plan.cells import Numbers, Selection, Space, Span
from flowcore.plan.lanes import Lanes
from flowcore.plan.order import NO_WAYS
from flowcore.plan.states import DONE, LOSSES, READY, SETTLED, WAITING, State
from flowcore.plan.stations import Edge, Pull, Rank, Row, Rows, Station, Stations, Wire

Closing = tuple[Station, Numbers, State]
Stack = list[Closing] | None  # None: see to the consequences at once


class Schedule:
    """Decides which cells are ready; is told what became of them.

    Examples
    --------
    >>> schedule = Schedule()
    >>> schedule.add(0, ())
    >>> schedule.add(1, (Span("rate", 3),), [Edge(0)])
    >>> schedule.want(1)
    >>> schedule.ready()
    (0, 1)
    >>> schedule.started(0, schedule.take(0, 10))
    >>> schedule.done(0, [0])
    >>> schedule.ready()
    (1, 3)
    """

    def __init__(self, ways: Mapping[int, int] = NO_WAYS) -> None:
        self._ways = ways  # node -> its place among nodes of equal priority, the highest first
        self._stations = Stations()
        self._lanes = Lanes(self._stations)
        self._open = 0  # cells ready, taken, parked or started
        self._unused: list[tuple[Station, Numbers]] = []  # values that some use of, or hope for a use, has ended

    def add(
        self,
        number: int,
        spans: tuple[Span, ...],
        edges: Iterable[Edge] = (),
        *,
        priority: float = 0,
        held: bool = False,
        lane: str = "",
        below: int = -1,
    ) -> None:
        """Take up a node; what feeds it must be there already. Also in mid-run: then it lies deeper than `below`."""
        above = self._stations[below].rank if below >= 0 else (0, -self._ways.get(number, 0), 0, 0)
        station = self._stations.add(number, spans, edges, priority=priority, lane=lane, above=above)
        station.held = station.held or held

    def space(self, spans: tuple[Span, ...]) -> Space:
        """Give the space of these spans; nodes with equal spans share it."""
        return self._stations.space(spans)

    # ---- questions -------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether no cell is ready, parked or started, so that nothing more will happen."""
        return self._open == 0

    def ready(self, lane: str = "") -> tuple[int, int] | None:
        """Give the node of this lane whose cells should go next, and how many of them are ready."""
        station = self._lanes.first(lane)
        return None if station is None else (station.number, station.n_ready)

    def lanes(self) -> list[str]:
        """Give the lanes that may have ready cells."""
        return list(self._lanes)

    def state(self, node: int, number: int) -> State:
        """Tell where a cell stands."""
        return State(self._stations[node].states[number])

    def states(self, node: int) -> bytes:
        """Give the state of each known cell of a node."""
        return bytes(self._stations[node].states)

    def side(self, node: int, number: int) -> int | None:
        """Tell which branch a choice fell on, or None while it is open."""
        return self._stations[node].sides.get(number)

    def released(self, *, heeded: bool = True) -> list[tuple[int, int]]:
        """Give, once, the (node, number) of done cells whose value nobody will use any more; nothing if not heeded."""
        unused, self._unused = self._unused if heeded else [], []
        return [(station.number, n) for station, numbers in unused for n in station.let_go(numbers)]

    # ---- pulling ---------------------------------------------------------------------

    def want(self, node: int, numbers: Numbers | None = None) -> None:
        """Pull these cells (all, also those not known yet, if None) and all that feeds them."""
        self._pull([(self._stations[node], numbers)])

    def _pull(self, stack: list[Pull]) -> None:
        while stack:
            station, asked = stack.pop()
            if asked is None and not station.whole:
                station.whole = True
                if not station.space.static:
                    stack += self._stations.ask(station, station.space.select({}).unknown)
            fresh = station.wake(asked) if station.sleeping else ()
            if not fresh:
                continue
            for wire in station.into:
                if wire.edge.mode != "branch":
                    self._await(wire, fresh, stack)
            if not station.into or 0 in station.pending or station.broken:
                self._decide(station, fresh)

    def _await(self, wire: Wire, fresh: Numbers, stack: list[Pull]) -> None:
        """Count what these cells wait for along a wire; add the cells to want for it."""
        producer, consumer, link = wire.producer, wire.consumer, wire.link
        if wire.awaits_one():
            if not producer.whole or producer.sleeping:
                stack.append((producer, None if isinstance(fresh, range) else fresh))
            return
        if link.static and isinstance(fresh, range) and max(producer.states, default=0) < DONE:
            fan_in, fan_out = (1, 1) if link.same else (link.fan_in, link.fan_out)  # a whole one, and nothing settled
            for m in fresh:
                consumer.pending[m] += fan_in
            for n in range(len(producer.uses)):
                producer.uses[n] += fan_out
            if not producer.whole or producer.sleeping:
                stack.append((producer, None))
            return
        wanted: dict[int, None] = {}
        for m in fresh:
            selection = link.inputs(m)
            stack += self._count(wire, m, selection)
            wanted.update(dict.fromkeys(selection.numbers))
        stack.append((producer, list(wanted)))

    def _count(self, wire: Wire, m: int, selection: Selection) -> list[Pull]:
        """Let consumer cell `m` wait for a selection of producer cells; give what unknown rows ask for."""
        producer, consumer = wire.producer, wire.consumer
        consumer.pending[m] += len(selection.numbers) + len(selection.unknown)
        for n in selection.numbers:
            producer.uses[n] = max(0, producer.uses[n]) + 1
            if producer.states[n] in SETTLED:
                wire.feed(m, producer.states[n])
        for row in selection.unknown:
            source, cell = self._stations.source(producer.space, row)
            if source.states[cell] in LOSSES:
                wire.feed(m, source.states[cell])
        return self._stations.ask(producer, selection.unknown)

    def rank(self, node: int) -> Rank:
        """Give the rank of a node in its lane; the least goes first."""
        return self._stations[node].rank

    def pause(self, node: int, paused: bool = True) -> None:
        """Pass over the ready cells of a node, or no longer."""
        self._lanes.pause(self._stations[node], paused)

    # ---- taking ----------------------------------------------------------------------

    def take(self, node: int, limit: int) -> list[int]:
        """Take up to `limit` ready cells of a node, to be started, parked or settled by the caller."""
        return self._stations[node].take(limit)

    def take_first(self, lane: str, limit: int) -> list[tuple[int, list[int]]]:
        """As `take`, of whatever nodes of a lane go next; by node."""
        return self._lanes.take(lane, limit)

    def started(self, node: int, numbers: Numbers) -> None:
        """These cells, taken before, are now being computed."""
        self._stations[node].mark(numbers, State.STARTED)

    def parked(self, node: int, numbers: Numbers) -> None:
        """These cells, taken before, wait for an equal cell that is being computed."""
        self._stations[node].mark(numbers, State.PARKED)

    def again(self, node: int, numbers: Numbers) -> None:
        """These cells, taken, parked or started before, are ready once more."""
        station = self._stations[node]
        station.mark(numbers, READY)
        self._lanes.put(station, numbers)

    # ---- settling --------------------------------------------------------------------

    def done(self, node: int, numbers: Numbers) -> None:
        """These cells have a value."""
        self._close(node, numbers, DONE)

    def skipped(self, node: int, numbers: Numbers) -> None:
        """These cells have no result, and that is no failure."""
        self._close(node, numbers, State.SKIPPED)

    def failed(self, node: int, numbers: Numbers) -> None:
        """These cells have failed for good."""
        self._close(node, numbers, State.FAILED)

    def blocked(self, node: int, numbers: Numbers) -> None:
        """These cells, taken or started, cannot run after all: an input of theirs has failed since."""
        self._close(node, numbers, State.BLOCKED)

    def interrupted(self, node: int, numbers: Numbers) -> None:
        """These cells, taken, parked or started before, were stopped; nothing follows from it."""
        self._stations[node].mark(numbers, State.INTERRUPTED)
        self._open -= len(numbers)

    def lost(self, node: int, numbers: Numbers, by: tuple[int, int] | None = None) -> None:
        """The values of these done cells vanished; make them again, and let cell `by`, taken or started, wait."""
        station = self._stations[node]
        gone = [n for n in numbers if station.states[n] == DONE]
        station.mark(gone, State.LOST)
        for wire in station.out:  # those who had counted it as settled wait for it once more
            for m in wire.link.fed(gone):
                if wire.consumer.states[m] == WAITING and wire.carries(m):
                    wire.consumer.pending[m] += 1
        if by is not None:
            consumer = self._stations[by[0]]
            consumer.mark([by[1]], WAITING)
            self._open -= 1
            consumer.pending[by[1]] = consumer.unsettled(by[1])
            self._decide(consumer, [by[1]])
        self._pull([(station, gone)])

    def chose(self, node: int, number: int, side: int) -> None:
        """A choice, taken before, fell on a branch: it waits for that one now."""
        chooser = self._stations[node]
        chooser.mark([number], WAITING)
        chooser.choose(number, side)
        self._open -= 1
        pulls: list[Pull] = []
        for wire in chooser.into:
            if wire.edge.mode == "branch" and wire.edge.side == side:
                self._await(wire, [number], pulls)
        self._decide(chooser, [number])
        self._pull(pulls)

    def grow(self, node: int, number: int, result: int) -> None:
        """A started cell turned out to be a graph: its value will be that of the one cell of `result`."""
        grower, source = self._stations[node], self._stations[result]
        grower.mark([number], WAITING)
        grower.pending[number] = 1
        grower.grow(number, source)
        self._open -= 1
        if source.states[0] in SETTLED:
            self._tell_grown(source, [(grower, number)])
        self._pull([(source, None)])

    def expand(self, node: int, number: int, length: int) -> None:
        """A cell of `node` gives its dynamic axes this many labels; tell this before it is done."""
        changed = self._stations.expand(node, number, length)
        for station, _ in changed:
            station.lengthen()
        waiting: list[tuple[Wire, Row, int]] = []  # all found before anything is woken:
        pulls: list[Pull] = []  # what wakes now counts the new rows by itself
        for wire, row in [(wire, row) for station, rows in changed for wire in station.out for row in rows]:
            cells, unknown = wire.link.row_consumers(*row)
            waiting.extend((wire, row, m) for m in cells if wire.consumer.states[m] == WAITING and wire.carries(m))
            for other in unknown:
                if other in wire.consumer.asked and wire.edge.mode != "branch":
                    pulls.extend(self._stations.want(wire.producer, wire.link.row_feeding(*other, row)))
        for station, rows in changed:
            for row in rows if station.whole else ():
                pulls.extend(self._stations.want(station, station.space.select({}, *row)))
        for wire, row, m in waiting:
            selection = wire.link.row_inputs(*row, m)
            wire.consumer.pending[m] -= 1
            pulls.extend(self._count(wire, m, selection))
            pulls.append((wire.producer, selection.numbers))
        for wire, _, m in waiting:
            self._decide(wire.consumer, [m])
        self._pull(pulls)
        self._release_above(changed)

    def _close(self, node: int, numbers: Numbers, state: State) -> None:
        self._open -= len(numbers)
        self._settle([(self._stations[node], numbers, state)])

    def _settle(self, stack: list[Closing]) -> None:
        """Settle cells, and everything that follows from it."""
        while stack:
            station, numbers, state = stack.pop()
            station.mark(numbers, state)
            for wire in station.out:
                if WAITING in wire.consumer.states:  # else all ride with what they need, or have ended
                    self._tell(wire, wire.link.fed(numbers), state, stack)
            if station.grown:
                self._tell_grown(station, station.grown, stack)
            if state != DONE:
                self._tell_rows(station, numbers, state, stack)
            self._release(station, numbers)

    def _tell(self, wire: Wire, fed: Numbers, state: State, stack: list[Closing]) -> None:
        """Let waiting consumer cells count an input as settled."""
        consumer = wire.consumer
        states, pending, touched = consumer.states, consumer.pending, []
        plain = state == DONE and wire.edge.mode != "branch" and not consumer.graphs and not consumer.sides
        for m in fed:
            if states[m] != WAITING or not (plain or wire.carries(m)):
                continue
            if plain:
                pending[m] -= 1
            else:
                wire.feed(m, state)
            if not pending[m] or (not plain and m in consumer.broken):
                touched.append(m)
        if touched:
            self._decide(consumer, touched, stack)

    def _tell_rows(self, station: Station, numbers: Numbers, state: State, stack: list[Closing]) -> None:
        """Tell those who wait for rows that a source, settled without a value, will never give."""
        changed = self._stations.forgo(station.number, numbers)
        for owner, rows in changed:
            for wire in owner.out:
                for row in rows:
                    self._tell(wire, wire.link.row_consumers(*row).numbers, state, stack)
        self._release_above(changed)

    def _tell_grown(self, station: Station, growers: Sequence[tuple[Station, int]], stack: Stack = None) -> None:
        """Let those that grew into this node count it as settled."""
        for grower, number in growers:
            if grower.states[number] == WAITING and grower.graphs.get(number) is station:
                grower.heed(number, station.states[0], "need")
                self._decide(grower, [number], stack)

    def _decide(self, station: Station, numbers: Numbers, stack: Stack = None) -> None:
        """Turn waiting cells with nothing pending to ready, or to what their inputs make of them."""
        if station.into or not isinstance(numbers, range):
            pending, states = station.pending, station.states
            gone, each = station.broken, numbers if isinstance(numbers, range) else dict.fromkeys(numbers)
            due = [n for n in each if (not pending[n] or n in gone) and states[n] == WAITING]
            broken = [n for n in due if n in gone] if gone else []
            settled = [n for n in due if n not in gone] if gone else due
            skipped = [n for n in settled if n in station.skips] if station.skips else []
            numbers = [n for n in settled if n not in station.skips] if skipped else settled
            self._drop(station, broken, skipped, stack)
        station.mark(numbers, READY)
        self._open += len(numbers)
        self._lanes.put(station, numbers)

    def _drop(self, station: Station, broken: Numbers, skipped: Numbers, stack: Stack) -> None:
        """Block and skip waiting cells."""
        closing = [(station, cells, s) for cells, s in ((broken, State.BLOCKED), (skipped, State.SKIPPED)) if cells]
        for _, cells, state in closing:
            station.mark(cells, state)
        if stack is None:
            self._settle(closing)
        else:
            stack.extend(closing)

    # ---- releasing -------------------------------------------------------------------

    def _release(self, station: Station, numbers: Numbers) -> None:
        """Count the values that these settled cells used; note those that may have no use any more.

        Whether that is so is seen when it is asked for: by then all that an event wakes is awake.
        """
        for wire in station.into:
            if not wire.producer.held and (unused := wire.used(numbers)):
                self._unused.append((wire.producer, unused))
        if station.out and not station.held:
            self._unused.append((station, numbers))

    def _release_above(self, changed: Sequence[Rows]) -> None:
        """Note values that may have been kept only in case these rows of their consumers would use them."""
        for station, rows in changed:
            for producer, link in [(wire.producer, wire.link) for wire in station.into]:
                if station.space.complete:
                    self._unused.append((producer, range(len(producer.states))))
                else:
                    self._unused.extend((producer, link.row_feeding(*row).numbers) for row in rows)
