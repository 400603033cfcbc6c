"""A run as its journal tells it, for whoever looks at it later or from elsewhere.

Owns the reading of journals by kind. Promises to yield what is known and to pass over
what is not: kinds of a later version, records of another shape, damage (contract J3,
J4, F26). Runs no code and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

from flowcore import clock
from flowcore.dataclass import dataclass
from flowcore.plan.extension import BadRecord
from flowcore.plan.skipped import reason_of
from flowcore.store.cast import Casts
from flowcore.store.columns import LARGEST, unpack_numbers
from flowcore.store.facts import AXIS, BEAT, END, FAILED, RUN, fitting
from flowcore.store.frames import Damage, last_frame, open_journal
from flowcore.store.fs import DISK, Disk, end_reading
from flowcore.store.journal import Record, read_frames, unpack
from flowcore.store.lapse import Lapsed, lapsed
from flowcore.store.layout import Layout
from flowcore.store.listing import run_ids
from flowcore.store.lock import RunLock
from flowcore.store.times import Times
from flowcore.store.trace import KEY_SIZE, NO_KEY, Trace, TraceRows, by_node, unpack_nodes

QUIET: Final = 60.0  # seconds without growth after which a run that cannot be asked counts as dead


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What the run is, as the engine wrote it."""

    facts: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class AxesFacts:
    """Axes of the run's nodes, which refer to them by their place in all of these."""

    axes: list[dict[str, object]]
    first: int  # place of the first of them


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What a node is, as the engine wrote it."""

    number: int
    facts: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Cells whose values older records gave."""

    node: int
    numbers: list[int]
    keys: list[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """Cells whose results were close to kept ones, and which these took the place of (contract K25)."""

    node: int
    numbers: list[int]
    keys: list[bytes]
    absolute: list[float]  # largest deviations from the kept numbers
    relative: list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubled:
    """Cells that gave another value than is recorded for their key (contract F33)."""

    node: int
    numbers: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFailed:
    """A cell that failed."""

    node: int
    number: int
    facts: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """Under which keys the states of cells are saved."""

    node: int
    numbers: list[int]
    keys: list[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """How far the loop of a cell was, and its live numbers."""

    node: int
    number: int
    step: int
    steps: int  # in all; 0: not known
    numbers: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """The run was alive."""

    facts: dict[str, object]

    @property
    def parked(self) -> dict[str, int]:
        """How many of its cells waited for each other run."""
        told = self.facts.get("parked")
        pairs = told.items() if isinstance(told, dict) else ()
        return {run: cells for run, cells in pairs if isinstance(run, str) and isinstance(cells, int)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the run ended. Missing from one that was killed, or still runs."""

    status: str
    counts: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSkipped:
    """A cell whose task said that it has no result."""

    node: int
    number: int
    reason: str
    key: bytes = b""  # that the skip is kept under; empty: it is not
    seconds: float = 0.0  # inside the user's function
    answered: bool = False  # an older record said so: the task was not called
    times: Times | None = None  # of one cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """How many labels the value of a cell gives the axes that run over it."""

    node: int
    number: int
    length: int
    labels: list[bytes] | None  # records; None: called by their places
    serial: int  # counted over the run; a gap means that an earlier one cannot be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Cells that came to nothing because of something else, told at the end."""

    node: int
    state: str
    numbers: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How many attempts at a cell came to nothing."""

    node: int
    number: int
    attempts: int


Told: TypeAlias = (
    RunFacts
    | AxesFacts
    | NodeFacts
    | Trace
    | Agreed
    | Doubled
    | Answered
    | CellFailed
    | CellSkipped
    | Rows
    | Left
    | Tried
    | Lapsed
    | Claimed
    | Stepped
    | Beat
    | Ended
)


class Follower:
    """Reads a journal that may still grow: each call of :meth:`more` goes on where the last one ended."""

    def __init__(self, path: str, *, disk: Disk = DISK) -> None:
        self.damage = Damage()
        self._path = path
        self._disk = disk
        self._end = 0
        self._casts = Casts()

    def more(self) -> Iterator[Told]:
        """Yield what was written since."""
        for _, end, records in read_frames(self._path, self._end, disk=self._disk, damage=self.damage):
            self._end = end
            yield from _all_told(records, self._casts)


def read_run(path: str | Path, *, disk: Disk = DISK, damage: Damage | None = None) -> Iterator[Told]:
    """Yield what a journal tells, in the order in which it was written.

    Parameters
    ----------
    path : str or Path
        The journal.
    disk : Disk
        Where it is.
    damage : Damage, optional
        Counts what could not be read.
    """
    casts = Casts()
    for _, _, records in read_frames(str(path), disk=disk, damage=damage):
        yield from _all_told(records, casts)


def read_beginning(path: str, *, disk: Disk = DISK) -> RunFacts | None:
    """Give what the first frame says of the run; None if it cannot be read."""
    for _, _, records in read_frames(path, disk=disk):
        return next((told for told in _all_told(records, Casts()) if isinstance(told, RunFacts)), None)
    return None


def read_end(path: str, *, disk: Disk = DISK) -> Ended | None:
    """Give how a run ended, without reading its journal; None if the last frame does not say."""
    opened = open_journal(disk, path)
    if opened is None:
        return None
    fd, header = opened
    try:
        frame = last_frame(disk, fd, header)
    except OSError:
        return None
    finally:
        end_reading(disk, fd)
    records = unpack(frame.payload) if frame is not None else None
    return next((told for told in _all_told(records or [], Casts()) if isinstance(told, Ended)), None)


def lives(root: str | Path, run_id: str, *, disk: Disk = DISK) -> bool:
    """Tell whether a run without an end goes on, as far as can be told from here.

    Its lock says so, where it runs under our boot and the lock can be tried. Elsewhere, and
    in a store that may only be read, its journal must have grown lately: a run that lives
    writes every few seconds.
    """
    layout = Layout(Path(root))
    opened = open_journal(disk, layout.journal(run_id))
    if opened is None:
        return False
    fd, header = opened
    try:
        fresh = clock.wall() - disk.fstat(fd).st_mtime < QUIET
    finally:
        end_reading(disk, fd)
    if header.boot != disk.boot():
        return fresh
    lock = RunLock(layout.lock(run_id), disk=disk)
    return lock.held() or (fresh and not lock.abandoned())


def _all_told(records: Iterable[Record], casts: Casts) -> Iterator[Told]:
    for record in records:
        with suppress(ValueError):
            yield from (told for told in _each_told(record, casts) if _is_somewhere(told))


def _is_somewhere(told: Told) -> bool:
    """Tell whether the node and the cell that something is told of can be ones of a run."""
    return -1 <= getattr(told, "node", 0) < LARGEST and -1 <= getattr(told, "number", 0) < LARGEST


def _each_told(record: Record, casts: Casts) -> Sequence[Told]:
    """Give what a record tells, node by node."""
    match record[0]:
        case "trace":
            return TraceRows(record).parts()
        case "skip":
            return _skips(record)
        case "node" | "nodes" | "recipe" | "cast":
            return [NodeFacts(number=number, facts=facts) for number, facts in casts.take(record)]
        case "hit":
            return _answered(record)
    told = _told(record)
    return [told] if told is not None else []


def _answered(record: Record) -> list[Answered]:
    match record:
        case ["hit", packed, int(count), numbers, bytes(keys), *_]:
            cells, named = unpack_numbers(numbers, count), _keys(keys, count)  # by now `count` is no more than there is
            nodes = unpack_nodes(packed, count)
            return [
                Answered(node=node, numbers=[cells[i] for i in rows], keys=[named[i] for i in rows])
                for node, rows in by_node(nodes).items()
            ]
    return []


def _skips(record: Record) -> list[CellSkipped]:
    """Give the cells of a record of skips, one by one; one whose reason cannot be read has none."""
    trace = TraceRows(record).whole()
    columns = zip(trace.numbers, trace.keys, trace.records, trace.seconds, strict=True)
    times = [None] * len(trace.numbers) if trace.times is None else trace.times.each()
    return [
        CellSkipped(node=trace.node, number=number, reason=_reason(skip), key=key, seconds=seconds, times=when)
        for (number, key, skip, seconds), when in zip(columns, times, strict=True)
    ]


def _reason(skip: bytes) -> str:
    try:
        return reason_of(skip)
    except BadRecord:
        return ""


def run_paths(root: str | Path, *, disk: Disk = DISK) -> dict[str, str]:
    """Give the journal of every run in a store, oldest first."""
    layout = Layout(Path(root))
    return {run_id: layout.journal(run_id) for run_id in run_ids(disk, layout)}


def _told(record: Record) -> Told | None:  # noqa: PLR0911 - one arm a kind
    match record:
        case ["run", dict(facts), *_]:
            return RunFacts(facts=fitting(facts, RUN))
        case ["axes", list(axes), *rest]:
            first = rest[0] if rest else 0
            told = [fitting(axis, AXIS) if isinstance(axis, dict) else {} for axis in axes]
            return AxesFacts(axes=told, first=first if isinstance(first, int) else 0)
        case ["same", int(node), int(count), numbers, bytes(keys), absolute, relative, *_]:
            return Agreed(
                node=node, numbers=unpack_numbers(numbers, count), keys=_keys(keys, count),
                absolute=_floats(absolute, count), relative=_floats(relative, count),
            )  # fmt: skip
        case ["double", int(node), int(count), numbers, *_]:
            return Doubled(node=node, numbers=unpack_numbers(numbers, count))
        case ["failed", int(node), int(number), dict(facts), *_]:
            return CellFailed(node=node, number=number, facts=fitting(facts, FAILED))
        case ["skipped", int(node), int(number), str(reason), bytes(key), *_]:
            return CellSkipped(node=node, number=number, reason=reason, key=key, answered=True)
        case ["skipped", int(node), int(number), str(reason), *_]:
            return CellSkipped(node=node, number=number, reason=reason)
        case ["rows", int(node), int(number), int(length), labels, int(serial), *_]:
            return Rows(node=node, number=number, length=length, labels=_labels(labels, length), serial=serial)
        case ["left", int(node), str(state), int(count), numbers, *_]:
            return Left(node=node, state=state, numbers=unpack_numbers(numbers, count))
        case ["tried", int(node), int(number), int(attempts), *_]:
            return Tried(node=node, number=number, attempts=attempts)
        case ["lapse", *_]:
            return lapsed(record)
        case ["checkpoint", int(node), int(count), numbers, bytes(keys), *_]:
            return Claimed(node=node, numbers=unpack_numbers(numbers, count), keys=_keys(keys, count))
        case ["metric", int(node), int(number), int(step), int(steps), dict(told), *_]:
            numbers = {name: float(n) for name, n in told.items() if type(name) is str and type(n) in (int, float)}
            return Stepped(node=node, number=number, step=step, steps=steps, numbers=numbers)
        case ["beat", dict(facts), *_]:
            return Beat(facts=fitting(facts, BEAT))
        case ["end", str(status), dict(counts), *_]:
            return Ended(status=status, counts=fitting(counts, END))
    return None


def _labels(labels: object, length: int) -> list[bytes] | None:
    if labels is None:
        return None
    if not isinstance(labels, list) or len(labels) != length or not all(isinstance(label, bytes) for label in labels):
        raise ValueError("labels")
    return labels


def _floats(floats: object, count: int) -> list[float]:
    if not isinstance(floats, list) or len(floats) != count or not all(isinstance(x, float) for x in floats):
        raise ValueError("floats")
    return floats


def _keys(joined: bytes, count: int) -> list[bytes]:
    if len(joined) not in (0, KEY_SIZE * count):
        raise ValueError("keys")
    keys = (joined[i * KEY_SIZE : (i + 1) * KEY_SIZE] for i in range(count))
    return [b"" if key == NO_KEY else key for key in keys]
