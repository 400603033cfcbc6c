"""What cells of each task took in earlier runs: seconds, and memory at its highest.

Owns `v1/index/<run>.tasks`: one frame, as of a journal, with a row a task, written by a run
that has learned something and never again. The newest one that verifies counts: each holds
what the ones before it held. Promises that it costs no result, and that a run which computes
nothing neither reads nor writes it. It may go at any time: what it says decides in which order
cells run and how many at once, never what they give (contract K27).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from flowcore.dataclass import dataclass
from flowcore.declare.node import Node
from flowcore.store.arrayfile import drop, publish
from flowcore.store.frames import pack_header, seal
from flowcore.store.fs import CREATE, Disk, write_all
from flowcore.store.journal import pack, read_frames
from flowcore.store.layout import RUN_ID, Layout, make_directory

TASKS_NAME: Final = re.compile(rf"{RUN_ID.pattern}\.tasks")
_KIND: Final = "tasks"
_MOST: Final = 1000  # tasks that are remembered: those of the newest runs
_KEPT: Final = 2  # files: should the newest be damaged, the one before it knows nearly as much
_LONGEST: Final = 500  # characters of a task's name
_WORTH: Final = 0.2  # of what was known before, by which something must have changed to be written
_MOMENT: Final = 1e-4  # seconds; what takes less is not told apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a cell of a task takes.

    Attributes
    ----------
    cells : int
        How many were measured, lately.
    seconds : float
        Wall time inside the user's function, on the mean.
    peak : int
        Bytes of memory that its process had at its highest; 0: not measured.
    """

    cells: int
    seconds: float
    peak: int = 0

    def over(self, older: Cost | None) -> Cost:
        """Give this together with what was known before, which counts for no more cells than this."""
        if older is None:
            return self
        counted = min(older.cells, self.cells)
        mean = (self.seconds * self.cells + older.seconds * counted) / (self.cells + counted)
        peak = max(self.peak, (older.peak + self.peak) // 2) if self.peak else older.peak
        return Cost(cells=self.cells + counted, seconds=mean, peak=peak)

    def differs(self, older: Cost) -> bool:
        """Tell whether this would be news to who knows `older`."""
        apart = abs(self.seconds - older.seconds) > _WORTH * max(self.seconds, older.seconds, _MOMENT)
        return apart or abs(self.peak - older.peak) > _WORTH * max(self.peak, older.peak)


def task_identity(node: Node) -> str:
    """Name a node's task by its module and its own name; empty if it has none."""
    if node.task is None:
        return ""
    return f"{getattr(node.task.function, '__module__', None)}.{node.task.name}"


class Durations:
    """What is known of tasks, and what one run adds to it. The engine's thread.

    Parameters
    ----------
    layout : Layout
        The store's names.
    run_id : str
        The run's.
    disk : Disk
        Where the store is.
    readable, writable : bool
        What may be done with it.
    """

    def __init__(self, layout: Layout, run_id: str, *, disk: Disk, readable: bool, writable: bool) -> None:
        self._layout = layout
        self._run_id = run_id
        self._disk = disk
        self._writable = writable
        self._known: Mapping[str, Cost] | None = None if readable else {}
        self._sums: dict[str, tuple[int, float, int]] = {}  # cells, seconds, peak

    def of(self, task: str) -> Cost | None:
        """Give what a cell of this task took in earlier runs; None: not known. The first question reads the file."""
        if self._known is None:
            self._known = read_durations(self._disk, self._layout)
        return self._known.get(task)

    def of_nodes(self, nodes: Iterable[Node]) -> dict[int, float]:
        """Give the seconds that a cell of each node took in earlier runs, by its number, where that is known."""
        known: dict[int, Cost | None] = {}
        found: dict[int, float] = {}
        for node in nodes:
            if node.task is None:
                continue
            about = id(node.task.function)
            cost = known[about] if about in known else known.setdefault(about, self.of(task_identity(node)))
            if cost is not None:
                found[node.number] = cost.seconds
        return found

    def seconds(self, task: str) -> float:
        """Give what a cell of this task takes, as far as is known by now; 0: not known."""
        cells, total, _ = self._sums.get(task, (0, 0.0, 0))
        if cells:
            return total / cells
        known = self.of(task)
        return known.seconds if known is not None else 0.0

    def peak(self, task: str) -> int:
        """Give the bytes of memory that a cell of this task had at its highest; 0: not known."""
        known = self.of(task)
        return max(self._sums.get(task, (0, 0.0, 0))[2], known.peak if known is not None else 0)

    def learn(self, task: str, cells: int, seconds: float, peaks: Sequence[int] = ()) -> None:
        """Note that cells of this task took so many seconds together, and what memory each had, where it is known."""
        before = self._sums.get(task, (0, 0.0, 0))
        self._sums[task] = (before[0] + cells, before[1] + seconds, max(before[2], *peaks, 0))

    def close(self) -> None:
        """Write down what is new, if anything is."""
        learned = {
            task: Cost(cells=cells, seconds=seconds / cells, peak=peak).over(self.of(task))
            for task, (cells, seconds, peak) in self._sums.items()
            if cells > 0 and 0 < len(task) <= _LONGEST
        }
        known = self._known or {}
        if not self._writable or all(task in known and not cost.differs(known[task]) for task, cost in learned.items()):
            return
        rest = {task: cost for task, cost in known.items() if task not in learned}
        try:
            self._write(dict(list((learned | rest).items())[:_MOST]))
        except OSError:  # a worse order next time, and no result less
            return

    def _write(self, costs: Mapping[str, Cost]) -> None:
        disk, layout = self._disk, self._layout
        make_directory(disk, layout.index)
        older = [name for name in tasks_names(disk, layout) if name < f"{self._run_id}."]
        draft = f"{layout.workplace(self._run_id)}/{disk.token()}"
        salt = secrets.token_bytes(16)
        rows = [[task, cost.cells, cost.seconds, cost.peak] for task, cost in costs.items()]
        head = pack_header(salt, disk.boot())
        fd = disk.open(draft, CREATE, 0o600)
        try:
            disk.chmod(fd, 0o600)
            write_all(disk, fd, head + seal(salt, len(head), pack([[_KIND, rows]])))
        except OSError:
            drop(disk, draft)
            raise
        finally:
            disk.close(fd)
        publish(disk, draft, layout.tasks_file(self._run_id))
        drop(disk, draft)
        for name in older[_KEPT - 1 :]:
            drop(disk, f"{layout.index}/{name}")


def tasks_names(disk: Disk, layout: Layout) -> list[str]:
    """Name the files of what tasks took, the newest first."""
    try:
        names = disk.listdir(layout.index)
    except OSError:
        return []
    return sorted(filter(TASKS_NAME.fullmatch, names), reverse=True)


def read_durations(disk: Disk, layout: Layout) -> dict[str, Cost]:
    """Give what a store knows of tasks, by `task_identity`; empty if it knows nothing."""
    for name in tasks_names(disk, layout):
        rows = _read(disk, f"{layout.index}/{name}")
        if rows is not None:
            return dict(found for found in map(_cost, rows) if found is not None)
    return {}


def _read(disk: Disk, path: str) -> list[object] | None:
    for _, _, records in read_frames(path, disk=disk):
        match records:
            case [["tasks", list(rows), *_], *_]:
                return rows
    return None


def _cost(row: object) -> tuple[str, Cost] | None:
    match row:
        case [str(task), int(cells), float(seconds), int(peak), *_] if cells > 0 and seconds >= 0 and peak >= 0:
            return task, Cost(cells=cells, seconds=seconds, peak=peak)
    return None
