"""What a run would do, node by node: cached, to be run, not known yet; why, and for how long.

Owns :class:`Plan`. Seconds come from journals: what a cell of the node took when it was
computed last. They are a forecast of everything that may have to run, as if no early
cutoff came; when it would end is found by the schedule itself, under a clock that is
only counted (`plan/forecast.py`). Never runs anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, field

from flowcore.dataclass import dataclass
from flowcore.declare.node import HIDDEN
from flowcore.errors import UnknownNode, nearest, shorten
from flowcore.inspect.causes.reasons import LibraryChanged, PythonChanged, Reason, SchemaChanged
from flowcore.inspect.causes.why import VERDICTS, Explainer, Why
from flowcore.inspect.html import heading, table
from flowcore.inspect.outlooks.loads import Loads
from flowcore.inspect.outlooks.needs import Needs
from flowcore.inspect.outlooks.speedup import WORKERS, Prospect, Speedup
from flowcore.inspect.recordings.past import Past
from flowcore.inspect.times import duration
from flowcore.machine import default_memory
from flowcore.plan.cluster import Cluster
from flowcore.plan.forecast import Wanted
from flowcore.run.rehearsals.asked import Asked
from flowcore.run.rehearsals.rehearsal import Rehearsal
from flowcore.run.rehearsals.verdict import Verdict
from flowcore.settings import Settings

_SAMPLE = 100  # cells of a node whose reasons are looked at one by one
_REASONS = 3  # of a node that are told
_RULES = (SchemaChanged, PythonChanged, LibraryChanged)
_TASKS = ("compute", "io")
_ROWS = 40  # of the table in a notebook
_NOTICED = 1 << 20  # bytes; less is not told
_SHORT = 0.1  # seconds; less is not told apart

Cells = Callable[[str], "list[CellPlan]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPlan:
    """What would become of a cell."""

    cell: str
    verdict: str
    labels: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """What would become of the cells of a node.

    Attributes
    ----------
    node, kind : str
    cells : int or None
        How many there are; None while an axis has no length yet.
    cached, runs, depends, skipped, other : int
        How many the store answers (with a value, or that they were skipped), have to run,
        need something that is not known yet, need something that is skipped, or are none
        of these (given, parts of values, branches not taken).
    reasons : tuple of str
        Why cells run, or what they need, the most frequent first.
    assumes : tuple of str
        Nodes above, or this one, whose cells are taken to give what they gave last time.
    seconds : float or None
        Of all that may have to run, one cell after the other; None where no cell ever ran.
    each : float or None
        Of one cell.
    disk : int
        Bytes of the results that all that may have to run would keep, as large as last time.
    memory : int
        Bytes that one cell needs, as it says or as was measured; 0: not known.
    """

    node: str
    kind: str
    cells: int | None
    cached: int = 0
    runs: int = 0
    depends: int = 0
    skipped: int = 0
    other: int = 0
    reasons: tuple[str, ...] = ()
    assumes: tuple[str, ...] = ()
    seconds: float | None = None
    each: float | None = None
    disk: int = 0
    memory: int = 0

    @property
    def verdict(self) -> str:
        """What becomes of most of it, in a word or two."""
        if self.runs:
            return VERDICTS[Verdict.RUNS]
        if self.depends or self.cells is None:
            return VERDICTS[Verdict.DEPENDS]
        if self.cached or self.skipped:
            return VERDICTS[Verdict.CACHED if self.cached else Verdict.SKIPPED]
        return "nothing to do"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would do, found without running anything.

    Attributes
    ----------
    flow : str
    rows : tuple of NodePlan
        The nodes, in the order of drawing.
    warnings : tuple of str
        What makes much run again at once: another schema, Python or numpy.
    seconds : float
        Of all that may have to run, one cell after the other.
    wall_seconds : float
        With so many `workers`.
    disk : int
        Bytes that the results take which the store does not have yet, as far as their sizes are known.
    memory : int
        Bytes that cells need at once at most, as far as that was measured or declared.
    unknown : tuple of str
        Nodes that have to run, and of which nobody knows for how long: they count for nothing.
    """

    flow: str
    rows: tuple[NodePlan, ...]
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    wall_seconds: float = 0.0
    workers: int = 1
    disk: int = 0
    memory: int = 0
    unknown: tuple[str, ...] = ()
    _prospect: Prospect = field(repr=False, compare=False, default=Prospect((), {}, {}))
    _cells: Cells = field(repr=False, compare=False, default=lambda _: [])

    def cells(self, node: str) -> list[CellPlan]:
        """Give the cells of a node, those along axes without a length left out."""
        return self._cells(node)

    def speedup(self, workers: Sequence[int] = WORKERS, *, cluster: Cluster | None = None) -> Speedup:
        """Forecast the wall time for several numbers of workers.

        Parameters
        ----------
        workers : sequence of int
        cluster : Cluster, optional
            Where they are, if not on this machine: ``fc.Cluster(latency=0.02, bandwidth=5e9)``.

        Returns
        -------
        Speedup
            For each number the seconds, how much faster than one worker that is, and what
            binds: the work, or the longest chain of cells; on a cluster also the driver, or
            the shared filesystem. To print it shows it.

        Raises
        ------
        BadOption
            If a number is less than 1.
        """
        return self._prospect.speedup(self.flow, workers, cluster)

    @property
    def counts(self) -> dict[str, int]:
        """How many cells are cached, run, or depend on what runs."""
        return {name: sum(getattr(row, name) for row in self.rows) for name in ("cached", "runs", "depends")}

    def __str__(self) -> str:
        counts = self.counts
        lines = [*self.warnings]
        lines.append(f"{self.flow}: {_counted(counts['cached'], 'cell')} cached, {counts['runs']} will run, "
                     f"{_dependent(counts['depends'])} on these{self._time}")  # fmt: skip
        lines += [f"  {self._room}"] if self._room else []
        width = max((len(shorten(row.node)) for row in self.rows), default=0)
        for row in self.rows:
            lines.append(f"  {shorten(row.node):<{width}}  {_told(row)}")
            lines += [f"  {'':<{width}}    {line}" for line in _because(row)]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        """Give it as plain data."""
        rows = [asdict(row) | {"verdict": row.verdict} for row in self.rows]
        return {
            "flow": self.flow, "counts": self.counts, "warnings": list(self.warnings), "nodes": rows,
            "seconds": self.seconds, "wall_seconds": self.wall_seconds, "workers": self.workers,
            "disk": self.disk, "memory": self.memory, "unknown": list(self.unknown),
        }  # fmt: skip

    def _repr_html_(self) -> str:
        rows = [[r.node, r.verdict, r.cells if r.cells is not None else "?", r.cached or None, r.runs or None,
                 r.depends or None, duration(r.seconds) if r.seconds else None, "; ".join(_because(r))]
                for r in self.rows[:_ROWS]]  # fmt: skip
        more = f"and {len(self.rows) - _ROWS} more nodes" if len(self.rows) > _ROWS else ""
        headings = ["node", "", ">cells", ">cached", ">will run", ">depend", ">takes", "why"]
        notes = (self._time.removeprefix("; "), self._room, *self.warnings)
        return table(heading(self.flow, "plan", *notes), headings, rows, more=more)

    @property
    def _room(self) -> str:
        told = [f"about {_bytes(self.disk)} of results to keep"] if self.disk >= _NOTICED else []
        told += [f"up to {_bytes(self.memory)} of memory at once"] if self.memory >= _NOTICED else []
        return ", ".join(told)

    @property
    def _time(self) -> str:
        if not self.counts["runs"] + self.counts["depends"] or not self.seconds:
            return ""
        return f"; at most about {_duration(self.wall_seconds)} with {_counted(self.workers, 'worker')}"


def plan_of(rehearsal: Rehearsal, past: Past, *, flow: str, asked: Asked, settings: Settings) -> Plan:
    """Make a table of a rehearsal."""
    runner = settings.executor if isinstance(settings.executor, str) else "process"
    planner = _Planner(rehearsal, past, Loads(rehearsal, past, runner=runner))
    wanted = {node: asked.wants.get(node) for node in rehearsal.graph.targets}
    return planner.plan(flow, settings.workers, wanted, settings.memory or default_memory())


class _Planner:
    """Makes the rows of one plan."""

    def __init__(self, rehearsal: Rehearsal, past: Past, loads: Loads) -> None:
        self._rehearsal = rehearsal
        self._loads = loads
        self._explainer = Explainer(rehearsal, past)
        self._assumes: dict[int, tuple[str, ...]] = {}
        self._needs = Needs(rehearsal)
        self._flow = ""
        self._rules: dict[str, tuple[int, float]] = {}  # what changed of the rules -> cells, seconds

    def plan(self, flow: str, workers: int, wanted: Wanted, memory: int) -> Plan:
        self._flow = flow
        rows = list[NodePlan]()
        for number, planned in self._rehearsal.graph.nodes.items():
            self._inherit(number)
            self._needs.note(number)
            if planned.node.kind not in HIDDEN:
                rows.append(self._row(number))
        warnings = tuple(f"{what}: {_counted(cells, 'cell')} will run again, about {_duration(took)} of work"
                         for what, (cells, took) in self._rules.items())  # fmt: skip
        unknown = tuple(row.node for row in rows if row.each is None and row.runs + row.depends and row.kind in _TASKS)
        names = {number: planned.name for number, planned in self._rehearsal.graph.nodes.items()}
        prospect = Prospect(self._loads.all(), wanted, names, unknown, memory)
        found = prospect.forecast(workers)
        return Plan(
            flow=flow, rows=tuple(rows), warnings=warnings, seconds=sum(row.seconds or 0.0 for row in rows),
            workers=workers, wall_seconds=found.seconds, disk=found.disk, memory=found.memory, unknown=unknown,
            _prospect=prospect, _cells=self._cells,
        )  # fmt: skip

    def _row(self, node: int) -> NodePlan:
        rehearsal = self._rehearsal
        drawn, counts, space = rehearsal.graph[node].node, rehearsal.counts(node), rehearsal.space(node)
        runs = counts.get(Verdict.RUNS, 0) + counts.get(Verdict.REFUSED, 0)
        depends = counts.get(Verdict.DEPENDS, 0) + counts.get(Verdict.EQUAL, 0)
        cached, skipped = counts.get(Verdict.CACHED, 0), counts.get(Verdict.SKIPPED, 0)
        measure = self._loads.measure(node)
        each = measure.seconds if measure is not None else None
        seconds = (runs + counts.get(Verdict.DEPENDS, 0)) * each if each is not None else None
        reasons = tuple(self._reasons(node, runs, each)) if runs else ()
        if skips := list(rehearsal.skips.get(node, {}).values()):
            said = f": {shorten(skips[0])}" if skips[0] and len(set(skips)) == 1 else ""
            reasons = (*reasons, f"{_counted(len(skips), 'cell')} skipped by the task{said}")
        if accepted := len(self._rehearsal.accepted.get(node, ())):
            reasons = (*reasons, f"{_counted(accepted, 'cell')} of older code, under trust=")
        if equal := counts.get(Verdict.EQUAL, 0):
            reasons = (*reasons, f"{_counted(equal, 'cell')} equal to others that run")
        if depends > equal or not space.complete:
            reasons = (*reasons, *self._needs.told(node))
        if depends > equal and not runs:
            reasons = (*reasons, *self._told_of(self._explainer.shared(node), depends, each))
        return NodePlan(
            node=drawn.name, kind=drawn.kind, cells=space.count if space.complete else None, cached=cached, runs=runs,
            depends=depends, skipped=skipped, reasons=reasons,
            other=sum(counts.values()) - cached - runs - depends - skipped,
            assumes=self._assumes[node], seconds=seconds, each=each,
            disk=(runs + counts.get(Verdict.DEPENDS, 0)) * measure.nbytes if measure is not None else 0,
            memory=drawn.options.memory or (measure.peak if measure is not None else 0),
        )  # fmt: skip

    def _inherit(self, node: int) -> None:
        """Note which nodes this one takes to be as they were."""
        rehearsal = self._rehearsal
        above = [name for edge in rehearsal.graph[node].edges for name in self._assumes.get(edge.source, ())]
        own = []
        if rehearsal.assumed.get(node):
            last = next(iter(rehearsal.assumed[node].values()))
            own = [f"{rehearsal.graph[node].name} gives what it gave in run {last.run}"]
        self._assumes[node] = tuple(dict.fromkeys([*own, *above]))

    def _reasons(self, node: int, runs: int, each: float | None) -> Iterator[str]:
        """Tell why cells run: what all share first, else the reasons of some of them, by how many have each."""
        numbers = self._rehearsal.numbers(node, Verdict.RUNS) or self._rehearsal.numbers(node, Verdict.REFUSED)
        shared = self._explainer.shared(node) if "no record" in self._rehearsal.missed.get(node, {}) else []
        if shared:
            yield from self._told_of(shared, runs, each)
            return
        found: dict[str, list[Why]] = {}
        sampled = numbers[:: max(1, len(numbers) // _SAMPLE)]
        for number in sampled:
            why = self._explainer.why(node, number)
            told = str(why.changes[0]) if why.changes else "nothing is known of it"
            found.setdefault(told if len(numbers) == 1 else _kind(why, told), []).append(why)
        for told, alike in sorted(found.items(), key=lambda one: -len(one[1]))[:_REASONS]:
            yield told if len(found) == 1 else f"{told} ({round(len(alike) / len(sampled) * len(numbers))} cells)"

    def _told_of(self, shared: Sequence[Reason], cells: int, each: float | None) -> list[str]:
        """Tell what all cells of a node share; a change of rules is summed up over nodes."""
        for reason in shared:
            if isinstance(reason, _RULES) and not (isinstance(reason, LibraryChanged) and reason.name != "numpy"):
                before, seconds = self._rules.get(str(reason), (0, 0.0))
                self._rules[str(reason)] = before + cells, seconds + cells * (each or 0.0)
        return [str(reason) for reason in shared[:_REASONS]]

    def _cells(self, name: str) -> list[CellPlan]:
        rehearsal = self._rehearsal
        names = {planned.name: number for number, planned in rehearsal.graph.nodes.items()}
        if name not in names:
            raise UnknownNode(name=name, flow=self._flow, near=nearest(name, names))
        node = names[name]
        axes = [axis.name for axis in rehearsal.graph[node].node.axes]
        return [
            CellPlan(
                cell=rehearsal.labels.name(node, n), verdict=VERDICTS[rehearsal.verdict(node, n)],
                labels=dict(zip(axes, rehearsal.labels.of(node, n), strict=True)),
            )
            for n in rehearsal.space(node).select({}).numbers
        ]  # fmt: skip


def _kind(why: Why, told: str) -> str:
    """Give what many cells may have in common: the kind of a change, without what it was."""
    parameter = getattr(why.changes[0], "parameter", "") if why.changes else ""
    return f"the values that {parameter} is given changed" if parameter else told


def _told(row: NodePlan) -> str:
    cells = _counted(row.cells, "cell") if row.cells is not None else "? cells"
    parts = [f"{row.cached} cached"] if row.cached else []
    parts += [f"{row.runs} will run"] if row.runs else []
    parts += [_dependent(row.depends)] if row.depends else []
    parts += [f"{row.skipped} skipped"] if row.skipped and row.skipped < (row.cells or 0) else []
    return f"{cells}: {', '.join(parts) or row.verdict}"


def _bytes(size: int) -> str:
    """Give a size of at least a MiB in its unit."""
    unit = next((unit for unit in (30, 20) if size >> unit), 20)
    return f"{size / (1 << unit):.3g} {'GiB' if unit == 30 else 'MiB'}"


def _because(row: NodePlan) -> list[str]:
    return [*row.reasons, *(f"assuming that {one}" for one in row.assumes)]


def _dependent(number: int) -> str:
    return f"{number} depend{'s' if number == 1 else ''}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _duration(seconds: float) -> str:
    if seconds < _SHORT:
        return f"{_SHORT} s"
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 100 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
