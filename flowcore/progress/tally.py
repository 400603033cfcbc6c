"""What a run has come to so far, task by task: counts, rates and a forecast.

Owns: :class:`Tally`, which takes events in, and :class:`Board`, what it says at one
moment; views draw boards and know no events.
Promises: an event costs the same however many nodes there are; nodes of one task (the
calls of a loop) are one row; a rate counts cells that ran, never those from the store,
and a forecast is given only where there is a rate.
Never: reads a clock, draws, writes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from flowcore.dataclass import dataclass
from flowcore.events import Advanced, Cells, CellsParked, Event, NodeDrawn, RunEnded, RunStarted, RunStopping

_SPAN = 10.0  # seconds that a rate looks back at least
_SHARE = 3  # ... and at least this part of the time that the task has been at work
_SAMPLES = 128  # looks back that are kept; beyond that every other one goes
_APART = 0.5  # seconds between two of them
_SOONEST = 1.0  # seconds of work before which nothing can be told

_NONE_PARKED = CellsParked()

_Counted = tuple[int, int, int, int, int]  # running, done, hit, failed, skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One task of a run, at one moment."""

    name: str
    kind: str  # "compute" or "io"
    nodes: int
    cells: int  # as far as they are known
    open: bool  # whether more may come: some node's number of cells is not known yet
    running: int
    done: int  # ran and gave a value
    hit: int  # answered by the store
    failed: int
    skipped: int
    rate: float | None  # cells that end in a second, where it can be told
    left: float | None  # seconds until the last cell that is known of, at that rate

    @property
    def ended(self) -> int:
        """How many cells are behind us, in whatever way."""
        return self.done + self.hit + self.failed + self.skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A run at one moment."""

    run: str
    flow: str
    status: str  # empty while it runs
    stopping: bool  # nothing new begins
    seconds: float
    rows: tuple[Row, ...]  # in the order of drawing
    loops: tuple[Advanced, ...] = ()  # of running cells, by name
    parked: CellsParked = _NONE_PARKED

    def sum(self, count: str) -> int:
        """Add up one count of all rows."""
        return sum(int(getattr(row, count)) for row in self.rows)

    @property
    def open(self) -> bool:
        """Whether cells may come that are not counted yet."""
        return any(row.open for row in self.rows)

    @property
    def left(self) -> float | None:
        """Seconds that the slowest task will take; None if no task can tell, or nothing new begins."""
        if self.stopping:
            return None
        known = [part.left for part in self.rows if part.left is not None]
        known += [loop.seconds_left for loop in self.loops if loop.seconds_left is not None]
        return max(known, default=None) if self.ended < self.cells else None

    @property
    def sure(self) -> bool:
        """Whether every task with cells to come has a forecast."""
        return all(row.left is not None and not row.open for row in self.rows if row.open or row.ended < row.cells)

    @property
    def cells(self) -> int:
        """How many cells there are, as far as that is known."""
        return self.sum("cells")

    @property
    def ended(self) -> int:
        """How many of them are behind us."""
        return self.sum("ended")


class Pace:
    """How fast a count grows, lately.

    Examples
    --------
    >>> pace = Pace(0.0)
    >>> pace.note(4.0, 8)
    >>> pace.rate(4.0, 8)
    2.0
    """

    def __init__(self, began: float) -> None:
        self._began = began
        self._samples: deque[tuple[float, int]] = deque([(began, 0)])

    def note(self, now: float, count: int) -> None:
        """Take a sample, unless the last one is fresh."""
        if now - self._samples[-1][0] < _APART:
            return
        self._samples.append((now, count))
        if len(self._samples) > _SAMPLES:
            self._samples = deque(s for i, s in enumerate(self._samples) if i % 2 == 0)

    def rate(self, now: float, count: int) -> float | None:
        """Give the count a second over the last while, or over all the time if nothing came lately."""
        since = now - max(_SPAN, (now - self._began) / _SHARE)
        then, before = next((s for s in reversed(self._samples) if s[0] <= since), self._samples[0])
        if count == before:
            then, before = self._samples[0]
        if count == before or now - then < _SOONEST:
            return None
        return (count - before) / (now - then)


class _Task:
    """The nodes of one task, added up."""

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind = name, kind
        self.cells: dict[int, int | None] = {}
        self.known = 0
        self.unknown = 0
        self.counted: dict[int, _Counted] = {}
        self.sums = [0, 0, 0, 0, 0]
        self.pace: Pace | None = None

    def draw(self, node: int, cells: int | None) -> None:
        before = self.cells.get(node, 0)
        self.known += (cells or 0) - (before or 0)
        self.unknown += (cells is None) - (before is None)
        self.cells[node] = cells

    def count(self, event: Cells, now: float) -> None:
        counted = (event.started, event.done, event.hit, event.failed, event.skipped)
        before = self.counted.get(event.node, (0, 0, 0, 0, 0))
        self.counted[event.node] = counted
        for place, (new, old) in enumerate(zip(counted, before, strict=True)):
            self.sums[place] += new - old
        if self.pace is None and (event.started or event.done or event.failed):
            self.pace = Pace(now)
        if self.pace is not None:
            self.pace.note(now, self._ran)

    @property
    def _ran(self) -> int:
        _, done, _, failed, _ = self.sums
        return done + failed

    def row(self, name: str, now: float, *, over: bool) -> Row:
        running, done, hit, failed, skipped = self.sums
        rate = self.pace.rate(now, self._ran) if self.pace is not None and not over else None
        to_come = max(0, self.known - done - hit - failed - skipped)
        return Row(
            name=name, kind=self.kind, nodes=len(self.cells), cells=self.known, open=self.unknown > 0,
            running=running, done=done, hit=hit, failed=failed, skipped=skipped,
            rate=rate if to_come or running else None, left=to_come / rate if rate and to_come else None,
        )  # fmt: skip


class Tally:
    """Counts along with the events of one run. One thread at a time."""

    def __init__(self) -> None:
        self._run = self._flow = self._status = ""
        self._began = 0.0
        self._seconds: float | None = None
        self._stopping = False
        self._parked = _NONE_PARKED
        self._tasks: dict[tuple[str, str], _Task] = {}
        self._of: dict[int, _Task] = {}
        self._loops: dict[str, Advanced] = {}  # by cell, the last that was told, in the order of telling

    def take(self, event: Event, now: float) -> None:
        """Take an event in."""
        match event:
            case RunStarted():
                self._run, self._flow, self._began = event.run, event.flow, now
            case NodeDrawn(kind="compute" | "io"):  # parts of values and choices are no work to wait for
                self._draw(event)
            case Cells():
                task = self._of.get(event.node)
                if task is not None:
                    task.count(event, now)
            case Advanced():
                self._loops.pop(event.cell, None)
                if event.steps is None or event.step < event.steps:
                    self._loops[event.cell] = event
            case CellsParked():
                self._parked = event
            case RunStopping():
                self._stopping = True
            case RunEnded():
                self._status, self._seconds = event.status, event.seconds

    def board(self, now: float) -> Board:
        """Tell where the run stands."""
        return Board(
            run=self._run, flow=self._flow, status=self._status, stopping=self._stopping, rows=tuple(self._rows(now)),
            parked=self._parked,
            seconds=self._seconds if self._seconds is not None else now - self._began,
            loops=() if self._status else tuple(sorted(self._running_loops(), key=lambda loop: loop.cell)),
        )  # fmt: skip

    def _running_loops(self) -> Iterable[Advanced]:
        """Give what was told of loops that may still run: of each node's the newest, as many as cells of it run."""
        running = {node: task.counted.get(node, (0,))[0] for node, task in self._of.items()}
        for loop in reversed(self._loops.values()):
            if running.get(loop.node, 0) > 0:
                running[loop.node] -= 1
                yield loop

    def _draw(self, event: NodeDrawn) -> None:
        task = self._of.get(event.node)
        if task is None:
            key = (event.kind, event.task or event.name)
            task = self._tasks.get(key)
            if task is None:
                task = self._tasks[key] = _Task(event.name, event.kind)
            self._of[event.node] = task
        task.draw(event.node, event.cells)

    def _rows(self, now: float) -> Iterable[Row]:
        for (_, name), task in self._tasks.items():
            yield task.row(task.name if len(task.cells) == 1 else name, now, over=self._seconds is not None)
