"""What the engine keeps of a run while it goes on. Only the engine's thread touches it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import field

from flowcore.collector import at_rest
from flowcore.dataclass import dataclass
from flowcore.errors import FlowcoreError
from flowcore.plan.graph import Graph
from flowcore.plan.order import NO_WAYS, ways
from flowcore.plan.riding import RidingSchedule
from flowcore.run.flight import Flight
from flowcore.run.gate import Gate
from flowcore.run.inbox import Inbox
from flowcore.run.job import Component, Failure, Record
from flowcore.run.outcomes.transit import Transit
from flowcore.run.ready.claims import ClaimSource
from flowcore.run.ready.sourcing import Sourcing
from flowcore.run.ready.userclasses import current_classes
from flowcore.run.ready.values import Values
from flowcore.run.ready.work import Work
from flowcore.run.rehearsals.asked import Asked
from flowcore.run.told.arguments import Told
from flowcore.settings import Settings
from flowcore.store.cache import Cache, Hit, Miss, Trace
from flowcore.store.directory import StoreRun
from flowcore.store.durations import Durations, task_identity
from flowcore.store.neighbours import Neighbours
from flowcore.store.times import Times

_SOME = 8  # cells of those that are gathered; they are mostly of one node
_POINTING = 40  # bytes; no record shorter than this points to an array
Cell = tuple[int, int]  # node, number


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFailure:
    """A cell that failed for good."""

    node: int
    number: int
    attempts: int
    error: FlowcoreError | Failure  # ours, or what user code raised
    seconds: float = 0.0
    arguments: Told = ()  # what it was called with: shapes and digests, no data


@dataclass(slots=True)
class Tries:
    """How often an attempt at a cell has come to nothing, by cause; each has its own budget."""

    raised: int = 0
    crashed: int = 0
    lost: int = 0
    timed_out: int = 0
    lacked: int = 0  # memory

    @property
    def total(self) -> int:
        """All attempts that have ended without a value."""
        return self.raised + self.crashed + self.lost + self.timed_out + self.lacked


@dataclass(slots=True)
class Counts:
    """How many cells of a node have come how far."""

    started: int = 0
    done: int = 0
    hit: int = 0
    failed: int = 0
    skipped: int = 0
    doubled: int = 0  # gave another value than is recorded for their key


@dataclass(slots=True, kw_only=True)
class Growing:
    """A cell whose task returned a flow: what it drew, and waits for (contract K30)."""

    cell: Cell
    work: Work
    key: bytes
    own: list[Component]
    times: Times | None  # of the drawing
    seconds: float  # inside the user's function
    stem: str  # what its nodes are named by, but for the step
    step: int  # the so-manieth of cells that grew, each drawn by the one before
    prefix: str  # stem and step
    group: tuple[str, ...]  # that its nodes are in
    above: Growing | None  # who drew the node of this cell
    below: list[Growing] = field(default_factory=list)  # cells that it drew and that grew as well
    parked: list[bytes] = field(default_factory=list)  # keys that cells which it drew wait for
    first: int  # numbers of its nodes: from here ...
    result: int = -1  # ... up to the one that gives the value
    cached: bool = True  # whether all that is drawn below is kept, as far as that is known
    held: list[Record] = field(default_factory=list)  # of constants, until it is done


@dataclass(slots=True, kw_only=True)
class Books:
    """The tables of a run."""

    graph: Graph
    schedule: RidingSchedule
    values: Values
    cache: Cache
    transit: Transit
    inbox: Inbox
    run_id: str
    sourcing: Sourcing
    durations: Durations
    gate: Gate
    began: float = 0.0  # clock.monotonic: what times in the journal count from
    neighbours: Neighbours | None = None  # other live runs that cells may wait for; None: they may not
    known: Callable[[], str | None] = lambda: None  # gives the file that tells workers of older keys
    refresh: dict[int, frozenset[int] | None] = field(default_factory=dict)  # cells whose older results do not count
    works: dict[int, Work] = field(default_factory=dict)
    attempts: dict[int, Flight] = field(default_factory=dict)  # those that have not ended
    tries: dict[Cell, Tries] = field(default_factory=dict)  # only of cells that came to nothing once
    computing: dict[bytes, Cell] = field(default_factory=dict)  # key -> the cell that is being computed
    awaited: dict[str, int] = field(default_factory=dict)  # other live run -> cells that wait for it
    parked: dict[bytes, list[Cell]] = field(default_factory=dict)  # key -> cells that wait for it
    seconds: dict[int, float] = field(default_factory=dict)  # what a cell of each task took lately
    counts: dict[int, Counts] = field(default_factory=dict)
    condemned: dict[Cell, FlowcoreError] = field(default_factory=dict)  # done cells whose value nobody can unpickle
    failures: list[CellFailure] = field(default_factory=list)
    growths: dict[Cell, Growing] = field(default_factory=dict)  # cells that wait for what they drew
    drawn: dict[int, Growing] = field(default_factory=dict)  # by the number of a node: who drew it
    axes: int = 0  # how many the journal was told of
    skips: dict[Cell, str] = field(default_factory=dict)
    checking: bool = False  # whether results are only compared with what is kept
    vanished: set[int] = field(default_factory=set)  # nodes with cells whose recorded value is gone
    remade: bool = False  # whether a value has vanished, so that what was keyed by it may have to be keyed anew
    delayed: int = 0  # cells that wait for a retry
    fleeting: bool = False  # whether there are nodes whose values live nowhere else
    changed: set[int] = field(default_factory=set)  # nodes whose counts changed since they were last told

    def count(self, node: int) -> Counts:
        """Give the counts of a node, to be added to."""
        counts = self.counts.get(node)
        if counts is None:
            counts = self.counts[node] = Counts()
        self.changed.add(node)
        return counts

    def take_up(self, work: Work) -> None:
        """Note that a node is ready to run."""
        self.works[work.number] = work
        self.fleeting = self.fleeting or work.keys is None

    def started(self, nodes: Sequence[int], cells: int = 1) -> None:
        """Note that a cell of each of these nodes was begun; with -1 `cells`, that it is not on its way any more."""
        counts = self.counts
        for node in nodes:
            known = counts.get(node)
            if known is None:
                known = counts[node] = Counts()
            known.started += cells
        self.changed.update(nodes)

    def done(self, nodes: Sequence[int]) -> None:
        """Note that a cell of each of these nodes has a value."""
        counts = self.counts
        for node in nodes:
            counts[node].done += 1
        self.changed.update(nodes)

    def put(self, node: int, number: int, record: Record, component: bytes, classes: object = ()) -> None:
        """Take up a value, and count what it refers to in the spool."""
        self.transit.refer(record)
        self.values.put(node, number, record, component, classes)  # type: ignore[arg-type]

    def share(self, node: int, number: int, origin: Cell) -> None:
        """Let a cell have the value of another one that is done."""
        self.transit.refer(self.values.record(*origin))
        self.values.share(node, number, origin)

    def lacked(self, cell: Cell, peak: int) -> None:
        """Note that a cell lacked memory: it is to run alone, and others of its task need as much as it had."""
        self.gate.alone.add(cell)
        self.durations.learn(task_identity(self.graph[cell[0]].node), 0, 0.0, [peak])

    def hold(self, records: Iterable[Record]) -> None:
        """Keep what these refer to in the spool until the run ends: every cell of a node may ask for it."""
        for record in records:
            self.transit.refer(record)

    def root(self, cell: Cell) -> Cell:
        """Give the cell of the flow itself in whose place a cell was drawn, however deep; else the cell."""
        growing = self.drawn.get(cell[0])
        while growing is not None:
            cell, growing = growing.cell, growing.above
        return cell

    def unhold(self, records: Iterable[Record]) -> None:
        """No longer keep what these refer to."""
        for record in records:
            self.transit.let_go(record)

    def keep(self, *traces: Trace) -> None:
        """Remember cells that gave a value, or were skipped; whoever drew one that is not kept is not kept either."""
        for node in self.cache.record(*traces):
            self.not_kept(node)

    def not_kept(self, node: int) -> None:
        """Note that a value of a node is not kept: then that of the cell that drew the node must not be either.

        Parts of values are kept by nobody; what counts is whether the whole is.
        """
        if node in self.drawn and self.graph[node].node.kind != "item":
            self.drawn[node].cached = False

    def kept(self, key: bytes) -> bool:
        """Tell whether a record answers a key."""
        return not isinstance(self.cache.judge([key])[0], Miss)

    def settle_states(self, claims: ClaimSource, numbers: Sequence[int], keys: Sequence[bytes]) -> None:
        """Have the saved states of cells that are done removed, once their results are on the medium (C6)."""
        for number, key in zip(numbers, keys, strict=True):
            claimed = claims.taken.get(number, b"")
            if claimed and not claims.stays and (not key or self.kept(key)):
                self.cache.settled(claimed)

    def put_all(
        self, nodes: Sequence[int], numbers: Sequence[int], records: Sequence[Record], components: Sequence[bytes],
        classes: Sequence[Sequence[tuple[str, bytes]]],
    ) -> None:  # fmt: skip
        """Take up the values of cells; `classes` is empty where none met a user class."""
        if classes or any(map(_POINTING.__le__, map(len, records))):
            for i, number in enumerate(numbers):
                self.put(nodes[i], number, records[i], components[i], classes[i] if classes else ())
            return
        self.values.put_plain(nodes, numbers, records, components)

    def put_hits(self, nodes: Sequence[int], numbers: Sequence[int], hits: Sequence[Hit]) -> None:
        """Take up values that the store gave."""
        met = any(hit.classes for hit in hits)
        self.put_all(
            nodes, numbers, [hit.record for hit in hits], [hit.component for hit in hits],
            [current_classes(hit.classes) for hit in hits] if met else (),
        )  # fmt: skip

    def hand_back(self, flight: Flight, attempt: int) -> None:
        """Let a cell begin anew, whose attempt came to nothing.

        A rider waits for its inputs: what was made for it may have been lost together with it.
        """
        node, number = flight.cell(attempt)
        if flight.rides(attempt):
            self.schedule.unride(node, [number])
        else:
            self.schedule.again(node, [number])

    def note(self, node: int, numbers: Sequence[int]) -> None:
        """Write down values that no task made and no key names, for whoever reads the run later."""
        values, unkeyed = self.values, [b""] * len(numbers)
        self.cache.record(Trace(
            node=node, numbers=list(numbers), keys=unkeyed, components=values.components(node, numbers),
            records=values.records(node, numbers), seconds=[0.0] * len(numbers),
        ))  # fmt: skip

    def fresh(self, nodes: Sequence[int], numbers: Sequence[int]) -> list[bool] | None:
        """Tell for each cell whether only what this run has recorded may answer; None: for none of them."""
        if not self.refresh or self.refresh.keys().isdisjoint(nodes):
            return None
        asked = [self.refresh.get(node, frozenset()) for node in nodes]
        return [cells is None or number in cells for cells, number in zip(asked, numbers, strict=True)]

    def open_keys(self, nodes: Sequence[int], numbers: Sequence[int], keys: list[bytes]) -> list[bytes]:
        """Give keys, empty where nothing may answer but what this run makes."""
        fresh = self.fresh(nodes, numbers)
        return [b"" if new else key for new, key in zip(fresh, keys, strict=True)] if fresh else keys

    def release(self) -> None:
        """Let go of values that nobody will use any more and that no store keeps."""
        with at_rest:
            for node, number in self.schedule.released(heeded=bool(self.transit) or self.fleeting):
                lives = node not in self.works or self.works[node].keys is not None  # in the journal and the store
                if self.transit or not lives:
                    self.let_go(node, number, lives=lives)
        self.transit.tend()

    def let_go(self, node: int, number: int, *, lives: bool) -> None:
        """Forget a value, unless it lives elsewhere, so that its reference costs nothing but itself."""
        if not self.values.has(node, number):
            return
        record = self.values.record(node, number)
        if self.transit.let_go(record) or not lives:  # else the reference is all there is here
            self.values.drop(node, number)

    def first(self) -> Callable[[int, int], bool] | None:
        """Give what tells of a node and a cell whether it should go before all others; None: they go by rank."""
        return self._reads_spooled if self.transit.high else None

    def _reads_spooled(self, node: int, number: int) -> bool:
        origins = [origin for feeder in self.works[node].feeders for origin in feeder.origins(number)[:_SOME]]
        return self.transit.among(self.values.record(*origin) for origin in origins if self.values.has(*origin))


def open_books(
    graph: Graph, *, settings: Settings, kept: StoreRun, asked: Asked, began: float, nested: bool, gpus: int
) -> Books:
    """Give the books of a run that begins.

    Parameters
    ----------
    graph : Graph
    settings : Settings
    kept : StoreRun
        The run's part of its store.
    asked : Asked
    began : float
        clock.monotonic of its beginning.
    nested : bool
        Whether it runs inside a cell of another one.
    gpus : int
        Devices that cells may compute on.
    """
    inbox, attempts = Inbox(), dict[int, Flight]()
    gate = Gate(settings=settings, graph=graph, inbox=inbox, durations=kept.durations, gpus=gpus, busy=attempts.__len__)
    nodes = [planned.node for planned in graph.nodes.values()]
    order = ways(graph, kept.durations.of_nodes(nodes)) if len(nodes) > 1 else NO_WAYS
    return Books(
        graph=graph, schedule=RidingSchedule(order), values=Values(), cache=kept.cache, inbox=inbox,
        transit=Transit(kept.spool),
        run_id=kept.id, began=began, attempts=attempts, durations=kept.durations, gate=gate,
        neighbours=None if nested else kept.neighbours,  # so no two runs wait for each other (J8)
        sourcing=Sourcing(kept.sources), checking=asked.checking, known=kept.known,
        refresh={n: None if cells is None else frozenset(cells) for n, cells in asked.refresh.items()},
    )  # fmt: skip
