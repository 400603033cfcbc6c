"""When a run would end, on how many workers: the schedule of a run, driven by a clock that is only counted.

Owns :func:`forecast`. What may run next is decided by the very schedule that
decides in a run; here each cell "runs" for as long as its *load* says. So a forecast is
as good as what is known of durations, and no rule of scheduling is written down twice.
What starting workers, moving arrays and judging cells costs is not in it.

Many cells of one node are taken in chunks, so that a million cells cost some thousands
of steps; a chunk is less than a hundredth of what a worker gets of the node.
Reads no clock and no disk.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import cached_property, partial
from typing import TypeAlias

from flowcore.dataclass import dataclass
from flowcore.plan.cells import Span
from flowcore.plan.rates import Window
from flowcore.plan.riding import RidingSchedule
from flowcore.plan.stations import Edge

_CHUNKS = 128  # of a node's cells, that a slot gets at least
_THREADS = 64  # cells of a lane of threads at once
_LOOP = 4096  # coroutines at once
_ENOUGH = 1 << 40  # workers: more than there are cells


Wanted: TypeAlias = Mapping[int, Sequence[int] | None]  # nodes, and which of their cells; None: all


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A node as a forecast sees it.

    Attributes
    ----------
    node : int
    task : str
        Nodes of the same task take as long; empty: it is the only one.
    spans, edges, priority
        As in a schedule.
    lane : str
        What carries its cells out: ``process`` (as many at once as there are workers),
        ``thread``, ``async``, ``inline``, or ``free`` for what takes no time.
    seconds : float
        Wall time of one cell.
    own : dict of int to float
        That of cells of which more is known.
    cores : int
        Workers that a cell takes up.
    limit : tuple of (str, int, float), or None
        The name that cells are counted under, how many, and in what period as many may
        begin; 0: so many may run at once.
    settled : frozenset of int, or None
        Cells that are answered at once, and take no time; None: all.
    skipped : frozenset of int
        Those of them that have no value.
    side : int
        The branch that a choice falls on.
    lengths : dict of int to int
        How many labels a cell gives the axes over its value.
    length : int
        That of cells not in `lengths`.
    nbytes, peak : int
        Size of a cell's value; memory that it needs while it runs.
    need : int
        Bytes of the budget of memory that a running cell is counted with.
    kept : bool
        Whether its value is written to the store.
    """

    node: int
    task: str = ""
    spans: tuple[Span, ...] = ()
    edges: tuple[Edge, ...] = ()
    priority: float = 0
    lane: str = "process"
    seconds: float = 0.0
    own: dict[int, float] = field(default_factory=dict)
    cores: int = 1
    limit: tuple[str, int, float] | None = None
    settled: frozenset[int] | None = frozenset()
    skipped: frozenset[int] = frozenset()
    side: int = 0
    lengths: dict[int, int] = field(default_factory=dict)
    length: int = 1
    nbytes: int = 0
    peak: int = 0
    need: int = 0
    kept: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a run would come to.

    Attributes
    ----------
    workers : int
    seconds : float
        Wall time.
    work : float
        Of all cells, one after the other.
    process_work : float
        Of those that workers carry out, each as often as it takes up cores.
    disk : int
        Bytes of results that it adds to the store.
    memory : int
        Bytes at once, at most, that running cells need and that values which are not kept take.
    cells : int
        How many run.
    messages : int
        That they travel in, to workers beyond this machine.
    driver, filesystem : float
        Seconds that the driver works on cells and messages, and a shared filesystem on their arrays.
    """

    workers: int
    seconds: float
    work: float
    process_work: float
    disk: int
    memory: int
    cells: int
    messages: int = 0
    driver: float = 0.0
    filesystem: float = 0.0


def forecast(loads: Sequence[Load], targets: Wanted, *, workers: int, memory: int = 0) -> Forecast:
    """Say when a run would end.

    Parameters
    ----------
    loads : sequence of Load
        Each after those that feed it.
    targets : mapping of int to sequence of int, or None
        Nodes that are wanted, and which cells; None: all.
    workers : int
        Processes, each of one core.
    memory : int
        Bytes that cells may need at once; 0: any number.

    Examples
    --------
    >>> halves = Load(node=0, spans=(Span("x", 4),), seconds=3.0)
    >>> forecast([halves], {0: None}, workers=2).seconds
    6.0
    """
    return Simulation(loads, targets, workers, memory).run()


class Simulation:
    """A run in which time is only counted."""

    def __init__(self, loads: Sequence[Load], targets: Wanted, workers: int, memory: int) -> None:
        self._loads = {load.node: load for load in loads}
        self._schedule = RidingSchedule()
        self._workers = workers
        self._budget = memory
        self._slots = {"process": workers, "thread": _THREADS, "async": _LOOP, "inline": 1, "free": _LOOP}
        self._free = dict(self._slots)
        self._began: dict[float, dict[int, float]] = {}  # by end: node to when its cell began
        self._running: dict[str, int] = {}  # cells under each limit
        self._windows: dict[str, Window] = {}  # of each rate
        self._paused: set[int] = set()  # nodes that wait for a limit, a rate, or memory
        self._taken = 0  # bytes of the budget
        self._ends: list[tuple[float, int, Callable[[], None]]] = []  # time, serial, what happens then
        self._now = self._work = self._process_work = 0.0
        self._serial = self._cells = self._disk = self._memory = self._most = 0
        self._looked: dict[int, int] = {}  # ready cells of each node that are known to take time
        self._choosers = {load.node for load in loads if any(edge.mode == "branch" for edge in load.edges)}
        self._growing = {span.source for load in loads for span in load.spans if span.length is None}
        for load in loads:
            self._schedule.add(load.node, load.spans, load.edges, priority=load.priority, lane=load.lane)
        for node, numbers in targets.items():
            self._schedule.want(node, numbers)

    @cached_property
    def _counts(self) -> dict[int, int]:
        """How many cells of each node were known at the beginning."""
        return {load.node: self._schedule.space(load.spans).count for load in self._loads.values()}

    def run(self) -> Forecast:
        """Let time pass until nothing is left."""
        while True:
            busy = True
            while busy:
                done = [self._fill(lane) for lane in self._schedule.lanes()]
                busy = any(done)
            if not self._ends:
                break
            self._now = self._ends[0][0]
            while self._ends and self._ends[0][0] <= self._now:
                heapq.heappop(self._ends)[2]()
        return Forecast(
            workers=self._workers, seconds=self._now, work=self._work,
            process_work=self._process_work,
            disk=self._disk, memory=self._most, cells=self._cells,
        )  # fmt: skip

    def _at(self, time: float, happens: Callable[[], None]) -> None:
        self._serial += 1
        heapq.heappush(self._ends, (time, self._serial, happens))

    def chain(self, end: float) -> tuple[int, ...]:
        """Go back from the cell that ends then to one that began at once, each time to one that ended in between."""
        chain: list[int] = []
        while end > 0 and end in self._began:
            ended = self._began[end]
            feeding = self._feeding(chain[-1]) if chain else ()
            node = next((one for one in feeding if one in ended), min(ended))
            chain.append(node)
            end = ended[node] if ended[node] < end else 0.0
        return tuple(reversed(chain))

    def _feeding(self, node: int) -> Sequence[int]:
        """Give the nodes that feed a node, the nearest first."""
        found: dict[int, None] = {}
        waiting = [node]
        for one in waiting:  # grows as it is walked
            for edge in self._loads[one].edges:
                if edge.source not in found:
                    found[edge.source] = None
                    waiting.append(edge.source)
        return list(found)

    def _fill(self, lane: str) -> bool:
        """Start cells of a lane, or settle those that take no time; tell whether there was anything to do."""
        found = self._schedule.ready(lane)
        if found is None:
            return False
        node, ready = found
        load = self._loads[node]
        if load.settled is None or lane == "free" or (load.settled and ready != self._looked.get(node)):
            return self._answer(load, ready)
        return self._start(load, ready)

    def _answer(self, load: Load, ready: int) -> bool:
        """Settle the cells of a node that take no time; start the others."""
        numbers = self._schedule.take(load.node, ready)
        at_once = numbers if load.settled is None or load.lane == "free" else [n for n in numbers if n in load.settled]
        rest = [] if at_once is numbers else sorted(set(numbers).difference(at_once))
        if load.skipped:
            gone = [n for n in at_once if n in load.skipped]
            at_once = [n for n in at_once if n not in load.skipped]
            self._schedule.skipped(load.node, gone)
        self._done(load, at_once)
        if rest:
            self._schedule.again(load.node, rest)
            self._looked[load.node] = len(rest)
        return bool(numbers)

    def _start(self, load: Load, ready: int) -> bool:
        slots = self._slots[load.lane]
        each = min(load.cores, slots) if load.lane == "process" else 1
        room = min(ready, self._free[load.lane] // each)
        if not room:
            return False
        room = min(room, self._allowed(load))
        if room <= 0:
            self._paused.add(load.node)
            self._schedule.pause(load.node)
            return True  # another node may go
        chunk = max(1, min(ready // room, self._counts[load.node] // (self._slots[load.lane] * _CHUNKS)))
        chunk = 1 if load.limit is not None and load.limit[2] else chunk
        numbers = self._schedule.take(load.node, room * chunk)
        self._looked[load.node] = ready - len(numbers)
        self._schedule.started(load.node, numbers)
        self._free[load.lane] -= room * each
        self._count(load, room)
        self._hold(room * load.peak)
        took = [load.own.get(n, load.seconds) for n in numbers] if load.own else []
        work = sum(took) if took else len(numbers) * load.seconds
        self._work += work
        self._process_work += work * each if load.lane in ("process", "inline") else 0.0
        self._cells += len(numbers)
        if took and chunk == 1:
            for number, seconds in zip(numbers, took, strict=True):
                self._push(seconds, load, [number], 1)
        else:
            self._push(work / room, load, numbers, room)
        return True

    def _allowed(self, load: Load) -> int:
        """Tell how many cells limits, rates and the budget of memory let begin."""
        most = _LOOP
        if load.need and self._budget:
            fits = (self._budget - self._taken) // load.need
            most = fits if self._taken or load.need <= self._budget else 1  # too large: alone
        if load.limit is None:
            return most
        name, count, period = load.limit
        if not period:
            return min(most, count - self._running.get(name, 0))
        window = self._windows.setdefault(name, Window())
        free = window.room(count, period, now=self._now)
        if free <= 0:
            self._at(window.due(count, period), self._wake)
        return min(most, free)

    def _count(self, load: Load, cells: int) -> None:
        """Cells begin to take of what there is, or cease to."""
        self._taken += cells * load.need
        if load.limit is None:
            return
        name, _, period = load.limit
        if not period:
            self._running[name] = self._running.get(name, 0) + cells
        elif cells > 0:
            self._windows[name].begin(cells, self._now)

    def _push(self, seconds: float, load: Load, numbers: list[int], room: int) -> None:
        end = self._now + seconds
        self._began.setdefault(end, {}).setdefault(load.node, self._now)
        self._at(end, partial(self._end, load, numbers, room))

    def _wake(self) -> None:
        for other in self._paused:
            self._schedule.pause(other, False)
        self._paused.clear()

    def _end(self, load: Load, numbers: list[int], room: int) -> None:
        self._wake()
        each = min(load.cores, self._slots[load.lane]) if load.lane == "process" else 1
        self._free[load.lane] += room * each
        self._count(load, -room)
        self._memory -= room * load.peak
        self._settle(load, numbers)

    def _settle(self, load: Load, numbers: list[int]) -> None:
        """Cells have ended: keep what they gave, and let go of what nobody needs any more."""
        if load.kept:
            self._disk += len(numbers) * load.nbytes
        else:
            self._hold(len(numbers) * load.nbytes)
        self._done(load, numbers)
        for other, number in self._schedule.released():
            loaded = self._loads[other]
            if not loaded.kept and loaded.settled is not None and number not in loaded.settled:
                self._memory -= loaded.nbytes

    def _done(self, load: Load, numbers: list[int]) -> None:
        """Give cells their value, and what follows from it."""
        schedule, node = self._schedule, load.node
        if node in self._choosers:
            undecided = [n for n in numbers if schedule.side(node, n) is None]
            numbers = [n for n in numbers if schedule.side(node, n) is not None]
            for number in undecided:
                schedule.chose(node, number, load.side)
        for number in numbers if node in self._growing else ():
            schedule.expand(node, number, load.lengths.get(number, load.length))
        if numbers:
            schedule.done(node, numbers)

    def _hold(self, nbytes: int) -> None:
        self._memory += nbytes
        self._most = max(self._most, self._memory)


def critical_path(loads: Sequence[Load], targets: Wanted) -> tuple[tuple[int, ...], float]:
    """Give the nodes of the chain of cells that ends last, and when, with as many workers as there are cells.

    Each cell of the chain began when the one before it ended: as that fed it, or gave free
    what both are limited by. No number of workers makes a run shorter.
    """
    simulation = Simulation(loads, targets, _ENOUGH, memory=0)
    seconds = simulation.run().seconds
    return simulation.chain(seconds), seconds
