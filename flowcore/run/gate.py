"""Whether waiting cells may begin now: by what they need, by limits and rates, and by who lags behind.

Owns what cells in flight take, as `plan/admission.py`, `plan/rates.py` and `plan/prefetch.py`
count it. Promises that what is taken is given back when the last attempt of a flight has
ended, that what waits is told once by a warning, and that a rate wakes the engine when the
next cell may begin, by a timer and without looking on. A task that asks for nothing costs
nothing here. The engine's thread alone.

In a worker process a message of cells is one seat, since they run one after the other; in
this process each cell is. What a task needs of memory is declared, or learned from what
its cells had at their highest, unless that is little against a worker's share. Cores of
worker processes are counted by their executor, which knows who is busy; on threads, what
computes takes them of `workers`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import field, replace

from flowcore import clock
from flowcore.dataclass import dataclass
from flowcore.declare.node import Node
from flowcore.declare.options import Limit
from flowcore.errors import FlowcoreWarning
from flowcore.machine import default_memory
from flowcore.notices import notice
from flowcore.plan.admission import NOTHING, Admission, Need
from flowcore.plan.graph import Graph, Planned
from flowcore.plan.prefetch import Prefetch
from flowcore.plan.rates import Window
from flowcore.plan.records import references
from flowcore.run.elsewhere import carried_elsewhere
from flowcore.run.flight import Batch, Flight
from flowcore.run.inbox import Inbox, Timer
from flowcore.run.job import Record
from flowcore.run.ready.work import Work
from flowcore.run.workers.devices import check_devices
from flowcore.settings import Settings
from flowcore.store.durations import Durations, task_identity

HERE = frozenset({"thread", "async", "inline", "engine"})  # lanes whose cells run in this process
_LITTLE = 8  # a learned peak of less than this part of a worker's share is not counted
_PREFETCHED = 8  # the part of all memory that fetched values may take while they wait
_MEBIBYTE = 1 << 20


@dataclass(slots=True)
class _Seat:
    """What a flight has taken."""

    need: Need
    alone: bool
    each: bool  # whether every cell has a seat of its own
    open: int  # attempts that have not ended


@dataclass(slots=True)
class _Ask:
    """What a task asks for, found once."""

    limit: Limit | None
    limited: Hashable  # what its cells are counted under
    declared: int  # bytes of memory
    identity: str
    need: Need  # without memory
    each: bool
    far: bool  # what this machine has does not bound them
    plain: bool = True  # asks for nothing but memory that may be learned


@dataclass(slots=True, kw_only=True)
class Gate:
    """What waiting cells ask before they begin.

    Parameters
    ----------
    settings : Settings
    graph : Graph
    inbox : Inbox
        Where timers are set.
    durations : Durations
        What is known of tasks.
    gpus : int
        Devices there are.
    busy : callable
        How many attempts are in flight.
    """

    settings: Settings
    graph: Graph
    inbox: Inbox
    durations: Durations
    gpus: int
    busy: Callable[[], int]
    alone: set[tuple[int, int]] = field(default_factory=set)  # cells that are to run beside nobody: node, number
    spooled: set[tuple[int, int]] = field(default_factory=set)  # whose values are lost too often to be kept
    _asks: dict[int, _Ask] = field(default_factory=dict)  # by task
    _seats: dict[int, _Seat] = field(default_factory=dict)  # by a flight's first attempt
    _running: dict[Hashable, int] = field(default_factory=dict)  # cells under each limit
    _windows: dict[Hashable, Window] = field(default_factory=dict)  # and under each rate
    _timers: dict[Hashable, Timer] = field(default_factory=dict)
    _warned: set[str] = field(default_factory=set)
    _memory: int = 0
    _admission: Admission = field(default_factory=lambda: Admission(NOTHING))
    _prefetch: Prefetch | None = None  # None: nobody fetches for others
    _fetching: dict[int, str] = field(default_factory=dict)  # node -> what its values are counted under
    _uses: dict[int, tuple[str, ...]] = field(default_factory=dict)  # node -> what it uses of these

    def __post_init__(self) -> None:
        workers = self.settings.workers
        self._memory = self.settings.memory or default_memory()
        self._admission = Admission(Need(cores=workers, memory=self._memory, gpus=self.gpus))
        fetched = {n: task_identity(planned.node) for n, planned in self.graph.nodes.items() if _is_fetched(planned)}
        for number, planned in self.graph.nodes.items() if fetched else ():
            used = {edge.source for edge in planned.edges} & fetched.keys()
            if used:
                self._uses[number] = tuple({fetched[source] for source in used})
                self._fetching.update({source: fetched[source] for source in used})
        if self._uses:
            self._prefetch = Prefetch(most=self._memory // _PREFETCHED, least=2 * workers + 2)

    def check_devices(self, node: Node) -> None:
        """Refuse a node that asks for more devices than there are; BadOption."""
        check_devices(node, self.gpus, self.settings.executor)

    # ---- asking ----------------------------------------------------------------------

    def room(self, work: Work, front: Batch, most: int) -> int:
        """Tell how many waiting cells may begin now, of `most` that could be handed over.

        They are of one recipe; `work` is that of the first of them, and `front` the batch that it is in.
        """
        ask, alone = self.meet(work), front.alone
        if self._prefetch is not None and work.number in self._fetching:
            most = min(most, self._prefetch.room(self._fetching[work.number]))
        known = not ask.far and self.durations.peak(ask.identity)
        if ask.plain and not alone and not self._admission.shut and not known:
            return most
        free = self._unlimited(ask, most)
        if free <= 0:
            self._admission.withdraw(work.task.id)
            return 0
        need = self._need(ask)
        refusal = self._admission.ask(work.task.id, need, alone=alone, busy=self.busy() > 0)
        if refusal:
            self._warn(work, need, refusal)
            return 0
        if alone or not need.within(self._admission.capacity):
            self._warn(work, need, "")
            return 1
        if need == NOTHING or work.lane == "process":
            return free
        return min(free, self._admission.room(need) if ask.each else 1)  # others may run a message's cells at once

    def _unlimited(self, ask: _Ask, most: int) -> int:
        """Tell how many cells limits and rates let begin."""
        limit = ask.limit
        if limit is not None and limit.period:
            now = clock.monotonic()
            window = self._windows.setdefault(ask.limited, Window())
            free = window.room(limit.count, limit.period, now=now)
            if free <= 0 and ask.limited not in self._timers:
                due = window.due(limit.count, limit.period)
                self._timers[ask.limited] = self.inbox.at(due, lambda: self._ring(ask.limited))
            most = min(most, free)
        elif limit is not None:
            most = min(most, limit.count - self._running.get(ask.limited, 0))
        return most

    def _ring(self, limited: Hashable) -> None:
        """Let the engine look again; the wake-up is all that is needed."""
        self._timers.pop(limited, None)

    def _need(self, ask: _Ask) -> Need:
        memory = ask.declared
        if not memory and not ask.each and not ask.far:
            learned = self.durations.peak(ask.identity)
            memory = learned if learned * self.settings.workers * _LITTLE > self._memory else 0
        return Need(cores=ask.need.cores, memory=memory, gpus=ask.need.gpus) if memory else ask.need

    def usual(self, task: int) -> float:
        """Give the seconds that cells of a task took, by the id that executors know it by; 0: not known."""
        ask = self._asks.get(task)
        return self.durations.seconds(ask.identity) if ask is not None else 0.0

    def meet(self, work: Work) -> _Ask:
        """Find out, once, what a task asks for."""
        ask = self._asks.get(work.task.id)
        if ask is not None:
            return ask
        node, options = work.planned.node, work.planned.node.options
        each = work.lane in HERE
        computes = node.kind == "compute" or options.cores > 1
        counted = options.cores if work.lane == "thread" and computes else 0
        limit = options.limit
        far = carried_elsewhere(self.settings.executor, node.runner)
        ask = _Ask(
            limit=limit, limited=_limited(work, limit), far=far, each=each, identity=task_identity(node),
            declared=0 if far else options.memory or 0, need=NOTHING if far else Need(cores=counted, gpus=options.gpus),
        )  # fmt: skip
        ask.plain = limit is None and not ask.declared and ask.need == NOTHING
        self._asks[work.task.id] = ask
        if options.cores > self.settings.workers and not far and "cores" not in self._warned:
            self._warned.add("cores")
            notice(FlowcoreWarning(
                f"{node.name} asks for {options.cores} cores, and there are {self.settings.workers} workers: "
                "its cells run alone"
            ))  # fmt: skip
        return ask

    def _warn(self, work: Work, need: Need, refusal: str) -> None:
        """Say once what waits, and for what."""
        told = refusal if refusal in ("memory", "gpus") else "alone" if not refusal else ""
        if not told or told in self._warned:
            return
        self._warned.add(told)
        name, taken, whole = work.planned.name, self._admission.taken, self._admission.capacity
        where = "declared" if work.planned.node.options.memory else "learned"
        needed = f"a cell takes {_size(need.memory)} ({where})"
        match told:
            case "memory":
                text = f"{name} waits for memory: {needed}; {_size(taken.memory)} of {_size(whole.memory)} are taken"
            case "gpus":
                text = f"{name} waits for devices: a cell takes {need.gpus}; {taken.gpus} of {whole.gpus} are taken"
            case _:
                if need.memory <= whole.memory:
                    return
                text = f"{name} runs alone, and may be killed: {needed}, and there are {_size(whole.memory)} in all"
        notice(FlowcoreWarning(text))

    def asks_nothing(self, work: Work) -> bool:
        """Tell whether cells of a task may begin whenever somebody has time for them."""
        ask = self.meet(work)
        return ask.plain and self._need(ask) == NOTHING

    def parted(self, batch: Batch) -> Iterator[Batch]:
        """Yield a batch with each cell on its own that is to run alone, or whose value is not to be kept."""
        if not (self.alone or self.spooled):
            yield batch
            return
        cells = zip(batch.nodes, batch.numbers, strict=True)
        single = {i: cell for i, cell in enumerate(cells) if cell in self.alone or cell in self.spooled}
        for i, cell in single.items():
            yield replace(batch.at([i]), alone=cell in self.alone, spooled=cell in self.spooled)
        rest = [i for i in range(len(batch.numbers)) if i not in single]
        if rest:
            yield batch.at(rest)

    # ---- taking ----------------------------------------------------------------------

    def enter(self, flight: Flight) -> None:
        """Cells begin."""
        task, alone, cells = flight.batch.recipe.task.id, flight.batch.alone, len(flight.batch.numbers)
        ask = self._asks[task]
        self._count_fetched(flight.batch.nodes, 1)
        need = NOTHING if ask.plain and not self.durations.peak(ask.identity) else self._need(ask)
        limit = ask.limit
        if limit is not None and limit.period:
            self._windows[ask.limited].begin(cells, clock.monotonic())
        elif limit is not None:
            self._running[ask.limited] = self._running.get(ask.limited, 0) + cells
        if need == NOTHING and not alone:
            return
        for _ in range(cells if ask.each else 1):
            self._admission.admit(task, need, alone=alone)
        self._seats[flight.first] = _Seat(need, alone, ask.each, cells)

    def join(self, flight: Flight, nodes: Sequence[int]) -> None:
        """Cells of these nodes come along in a flight to a worker process, where they need no seat of their own."""
        self._count_fetched(nodes, 1)
        seat = self._seats.get(flight.first)
        if seat is not None:
            seat.open += len(nodes)

    def leave(self, flight: Flight, nodes: Sequence[int]) -> None:
        """Attempts of a flight have ended, at cells of these nodes."""
        ask, cells = self._asks[flight.batch.recipe.task.id], len(nodes)
        if ask.limit is not None and not ask.limit.period:
            self._running[ask.limited] -= cells
        self._count_fetched(nodes, -1)
        seat = self._seats.get(flight.first)
        if seat is None:
            return
        seat.open -= cells
        if not seat.open:
            del self._seats[flight.first]
        for _ in range(cells if seat.each else not seat.open):
            self._admission.leave(seat.need, alone=seat.alone)

    # ---- fetching --------------------------------------------------------------------

    def wait(self, nodes: Sequence[int], sign: int = 1) -> None:
        """Cells of these nodes could begin, as far as their inputs go; with `sign` -1: they do, or cannot after all."""
        for node in nodes if self._prefetch is not None else ():
            if self._prefetch is not None and node in self._uses:
                self._prefetch.wait(self._uses[node], sign)

    def weigh(self, nodes: Sequence[int], records: Sequence[Record]) -> None:
        """Values of these nodes have arrived."""
        if self._prefetch is None:
            return
        for node, record in zip(nodes, records, strict=True):
            if node in self._fetching:
                size = len(record) + sum(size for _, size, _ in references(record))
                self._prefetch.weigh(self._fetching[node], [size])

    def _count_fetched(self, nodes: Sequence[int], sign: int) -> None:
        if self._prefetch is None:
            return
        self.wait(nodes, sign)
        for node in nodes:
            if node in self._fetching:
                self._prefetch.fetch(self._fetching[node], sign)


def _limited(work: Work, limit: Limit | None) -> Hashable:
    """Give what cells are counted under: the name that the limit is shared by, else the task's function."""
    if limit is None or limit.name:
        return limit and limit.name
    return id(work.planned.node.task.function) if work.planned.node.task is not None else work.task.id


def _is_fetched(planned: Planned) -> bool:
    """Tell whether the values of a node lie in memory until they are used."""
    return planned.node.kind == "io" and planned.node.options.cache is False


def _size(amount: int) -> str:
    return f"{amount / _MEBIBYTE:.0f} MiB" if amount < 1024 * _MEBIBYTE else f"{amount / 1024 / _MEBIBYTE:.3g} GiB"
