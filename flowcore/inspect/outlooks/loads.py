"""What the nodes of a rehearsed run weigh: durations, sizes and memory, as older runs tell.

Owns the making of :class:`~flowcore.plan.forecast.Load` from a rehearsal. A cell takes
what cells of its node took when they ran last; where no journal has the node, what its
task took in all runs. Axes without a length are taken to be as long as last time, a
choice that is open to fall on the branch that takes longer. A cell that had the same
labels takes what it took itself. Only reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from itertools import islice

from flowcore.dataclass import dataclass
from flowcore.declare.node import Node
from flowcore.inspect.recordings.ledger import Ledger
from flowcore.inspect.recordings.past import Past
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.plan.forecast import Load
from flowcore.plan.graph import Planned
from flowcore.plan.records import value_bytes
from flowcore.run.rehearsals.rehearsal import Rehearsal
from flowcore.run.rehearsals.verdict import Verdict
from flowcore.store.durations import Cost, read_durations, task_identity
from flowcore.store.trace import Trace

_LOOKED_AT = 20  # older runs, for what a cell takes
_MATCHED = 20_000  # cells of a node that are looked up one by one
_SIZED = 1000  # values of a node whose sizes are read
_AT_ONCE = (Verdict.CACHED, Verdict.GIVEN, Verdict.READ, Verdict.EQUAL, Verdict.REFUSED)
_LANES = ("process", "thread", "async", "inline")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What one cell of a node came to."""

    seconds: float
    nbytes: int = 0
    peak: int = 0
    own: dict[int, float] = field(default_factory=dict)  # seconds of cells that are known by their labels


class Loads:
    """Weighs the nodes of one rehearsal.

    Parameters
    ----------
    rehearsal : Rehearsal
    past : Past
    runner : str
        Where cells go that would go to processes, if elsewhere.
    """

    def __init__(self, rehearsal: Rehearsal, past: Past, *, runner: str = "process") -> None:
        self._rehearsal = rehearsal
        self._past = past
        self._runner = runner if runner in _LANES else "process"
        self._costs: Mapping[str, Cost] | None = None
        self._known: dict[int, Measure | None] = {}

    def measure(self, number: int) -> Measure | None:
        """Give what a cell of a node takes; None if nobody knows."""
        if number not in self._known:
            self._known[number] = self._measured(number)
        return self._known[number]

    def all(self) -> list[Load]:
        """Give the load of each node, in the order of the graph."""
        return [self._load(planned) for planned in self._rehearsal.graph.nodes.values()]

    def _measured(self, number: int) -> Measure | None:
        rehearsal, node = self._rehearsal, self._rehearsal.graph[number].node
        if node.task is None:
            return None
        counts = rehearsal.counts(number)
        cached = counts.get(Verdict.CACHED, 0)
        open_ones = sum(counts.get(v, 0) for v in (Verdict.RUNS, Verdict.DEPENDS, Verdict.EQUAL, Verdict.REFUSED))
        cost = self._cost(node)
        for recorded, there in islice(self._past.nodes(node), _LOOKED_AT) if open_ones or not cached else ():
            ledger = recorded.ledgers[there]
            if ledger.counts.done:
                each, peak = ledger.seconds / ledger.counts.done, cost.peak if cost is not None else 0
                own = self._own(number, recorded, there) if open_ones <= _MATCHED else {}
                return Measure(seconds=each, nbytes=_sized(ledger), peak=peak, own=own)
        if cached and number in rehearsal.seconds:
            return Measure(seconds=rehearsal.seconds[number] / cached)
        return Measure(seconds=cost.seconds, peak=cost.peak) if cost is not None else None

    def _own(self, number: int, recorded: Recorded, there: int) -> dict[int, float]:
        """Give the seconds of cells that an older run had, too."""
        rehearsal, node = self._rehearsal, self._rehearsal.graph[number].node
        own: dict[int, float] = {}
        for n in range(rehearsal.space(number).count if node.axes else 0):
            place = self._past.number(recorded, there, node, rehearsal.labels.of(number, n))
            seconds = recorded.seconds(there, place) if place is not None else 0.0
            if seconds:
                own[n] = seconds
        return own

    def _cost(self, node: Node) -> Cost | None:
        if self._costs is None:
            store = self._rehearsal.store
            self._costs = read_durations(store.disk, store.layout) if store.readable else {}
        return self._costs.get(task_identity(node))

    def _load(self, planned: Planned) -> Load:
        number, node, rehearsal = planned.number, planned.node, self._rehearsal
        measured = self.measure(number) or Measure(seconds=0.0)
        options, space = node.options, rehearsal.space(number)
        settled = frozenset(n for verdict in _AT_ONCE for n in rehearsal.numbers(number, verdict))
        return Load(
            node=number, task=task_identity(node) if node.task is not None else "",
            spans=planned.spans, priority=options.priority, lane=self._lane(node),
            edges=() if Verdict.GIVEN in rehearsal.counts(number) else planned.edges,
            seconds=measured.seconds, own=measured.own, cores=options.cores, limit=_limit(node),
            settled=None if space.complete and len(settled) == space.count else settled,
            skipped=frozenset(rehearsal.skips.get(number, ())), side=self._side(planned),
            lengths=rehearsal.lengths.get(number, {}), length=self._length(node),
            nbytes=measured.nbytes, peak=options.memory or measured.peak,
            need=options.memory or 0, kept=bool(options.cache),
        )  # fmt: skip

    def _lane(self, node: Node) -> str:
        if node.task is None:
            return "free"
        runner = self._runner if node.runner == "process" else node.runner
        return runner if runner in _LANES else "process"

    def _side(self, planned: Planned) -> int:
        """Say on which branch a choice falls."""
        sides = {edge.side: edge.source for edge in planned.edges if edge.mode == "branch"}
        decided = (
            self._rehearsal.schedule.side(planned.number, 0) if self._rehearsal.space(planned.number).count else None
        )
        if decided is not None:
            return decided
        seconds = {
            side: measure.seconds if (measure := self.measure(source)) else 0.0 for side, source in sides.items()
        }
        return max(seconds, key=seconds.__getitem__, default=0)

    def _length(self, node: Node) -> int:
        """Say how many labels a cell of a node gives the axes over its value: as many as last time, on the mean."""
        if node.kind != "expand":
            return 1
        for recorded, there in islice(self._past.nodes(node), _LOOKED_AT):
            lengths = list(recorded.lengths.get(there, {}).values())
            if lengths:
                return max(1, round(sum(lengths) / len(lengths)))
        return 1


def _limit(node: Node) -> tuple[str, int, float] | None:
    limit = node.options.limit
    return (limit.name or task_identity(node), limit.count, limit.period) if limit is not None else None


def _sized(ledger: Ledger) -> int:
    """Give the mean size of the values of a node, as far as they were kept."""
    sizes: list[int] = []
    for event in ledger.events:
        if isinstance(event, Trace) and len(sizes) < _SIZED:
            sizes += [value_bytes(record) for record in event.records[: _SIZED - len(sizes)] if record]
    return sum(sizes) // len(sizes) if sizes else 0
