"""Making room in a store: what nobody has use for goes, then what is cheapest to compute again.

Owns `cache gc` and `cache clear`. Promises never to remove what a run that may live has
recorded, was answered by, or has published (contract T4), nor a checkpoint whose result is
not recorded (C6); to remove only what is flowcore's (T3, S12); and an order in which a kill
at any point costs room and nothing else: the survivors of journals are on the medium under
a name before those go, records go before the files they name. A mistake costs time, never
truth: whoever uses a record looks whether its files are there (F25). Never waits for a
lock: a second gc leaves at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field
from typing import TYPE_CHECKING, Final

from flowcore.dataclass import dataclass
from flowcore.errors import StoreUnavailable
from flowcore.store.census import Census, Journal, take_census
from flowcore.store.compaction import write_pack
from flowcore.store.directory import Store, new_run_id
from flowcore.store.durations import TASKS_NAME
from flowcore.store.eviction import Holdings, give_up
from flowcore.store.indexing import build_index, is_due
from flowcore.store.layout import GC, RUN_ID, exists, make_directory
from flowcore.store.leftovers import WORK_NAME, empty_directory, tidy_workplaces
from flowcore.store.listing import JOURNAL, PACK
from flowcore.store.living import Living, look_for_living
from flowcore.store.lock import RunLock
from flowcore.store.records import Records
from flowcore.store.saved import finished_checkpoints, remove_checkpoints
from flowcore.store.sweep import Removed, Sweeper
from flowcore.store.usage import total_size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KEPT_RUNS: Final = 100  # newest runs whose journals stay as they are, so that every cell of them can be looked at
MANY_PACKS: Final = 8
_OUTPUT: Final = re.compile(r"output\.log")
_CORRUPT: Final = re.compile(r"[0-9a-f]{64}(\.npy)?\.[0-9a-f]{32}|[-0-9A-Za-z]{1,64}(\.journal|\.pack)?\.[0-9a-f]{32}")
_SOURCE: Final = re.compile(r"[0-9a-f]{64}")
_INDEX: Final = re.compile(r"[0-9]{1,15}")
_DISPOSABLE: Final = re.compile(rf"{_INDEX.pattern}|{TASKS_NAME.pattern}")


@dataclass(slots=True, kw_only=True)
class Collected:
    """What was removed, or would be.

    Attributes
    ----------
    removed : dict
        Kind of file to how many there were and their bytes.
    results : int
        Results given up to make room, or removed by `clear`.
    seconds : float
        What computing those took.
    packed : int
        Journals whose results were moved to one.
    written : int
        Bytes that they take there.
    left : int
        Bytes of all that is there now.
    living : int
        Runs that may go on: what they need stays.
    """

    removed: dict[str, Removed] = field(default_factory=dict)
    results: int = 0
    seconds: float = 0.0
    packed: int = 0
    written: int = 0
    left: int = 0
    living: int = 0

    def add(self, kind: str, removed: Removed) -> None:
        """Count what was removed of a kind."""
        if removed.files:
            self.removed.setdefault(kind, Removed()).add(removed)

    @property
    def bytes(self) -> int:
        """Bytes that were gained."""
        return sum(removed.bytes for removed in self.removed.values()) - self.written


class Busy(Exception):  # noqa: N818 - says what is the case
    """Another process is making room in this store."""


def collect(
    store: Store, *, to: int | None = None, keep_runs: int = KEPT_RUNS, checkpoints: bool = False, dry: bool = False
) -> Collected:
    """Remove what nobody has use for, and results until the rest fits.

    Parameters
    ----------
    store : Store
        Open.
    to : int, optional
        Bytes that may stay; without it no result is given up.
    keep_runs : int
        How many of the newest runs that ended keep their journals whole.
    checkpoints : bool
        Remove the checkpoints of unfinished cells as well, unless their run may live.
    dry : bool
        Remove nothing, only tell.

    Raises
    ------
    StoreUnavailable
        If the store may not be written.
    Busy
        If another process is at it.
    """
    with _at_work(store, dry=dry) as work:
        work.tidy()
        work.choose(_nothing, keep_runs=keep_runs)
        work.remove_checkpoints(everything=checkpoints)
        if to is not None and work.size() > to:
            work.choose(lambda census: work.given_up(census, work.size() - to), keep_runs=keep_runs)
        return work.done()


def clear(store: Store, *, task: str | None = None, dry: bool = False) -> Collected:
    """Remove the results of a task, or all that dead runs have left.

    Raises
    ------
    StoreUnavailable
        If the store may not be written.
    Busy
        If another process is at it.
    """
    with _at_work(store, dry=dry) as work:
        work.tidy()
        if task is None:
            work.choose(lambda census: ~census.needed(), keep_runs=0, everything=True)
            work.remove_checkpoints(everything=True)
            work.remove_disposable()
        else:
            work.choose(lambda census: _of_task(census, task), keep_runs=KEPT_RUNS, everything=True)
        return work.done()


def _nothing(census: Census) -> NDArray[np.bool_]:
    import numpy as np

    return np.zeros(len(census), np.bool_)


def _of_task(census: Census, task: str) -> NDArray[np.bool_]:
    import numpy as np

    wanted = [i for i, name in enumerate(census.tasks) if task in (name, name.rpartition(".")[2])]
    return np.isin(np.frombuffer(census.task, np.int32), wanted) & ~census.needed()


@contextmanager
def _at_work(store: Store, *, dry: bool) -> Iterator[_Work]:
    """Take the lock of whoever removes, and have a place to write in."""
    if store.trouble is not None or not exists(store.disk, store.layout.marker):
        reason = "there is no store here"
        raise store.trouble or StoreUnavailable(store=str(store.root), reason=reason, did="Nothing was removed.")
    layout, disk = store.layout, store.disk
    lock = RunLock(layout.gc_lock, disk=disk)
    if not lock.take():
        raise Busy
    try:
        make_directory(disk, layout.workplace(GC))
        yield _Work(store, dry=dry)
    finally:
        empty_directory(disk, layout.workplace(GC), WORK_NAME)
        lock.release()


class _Work:
    """One collection, step by step."""

    def __init__(self, store: Store, *, dry: bool) -> None:
        self._store = store
        self._disk = store.disk
        self._layout = store.layout
        self._dry = dry
        self._now = store.disk.stat(store.layout.workplace(GC)).st_mtime
        self._sweep = Sweeper(store.disk, only_count=dry)
        self._living: Living = look_for_living(store.disk, store.layout, self._now)
        self._census = take_census(store.disk, store.layout, self._living.over)
        self._packed: set[str] = set()
        self.found = Collected(living=len(self._living.runs))

    def tidy(self) -> None:
        """Remove what dead runs left in tmp/, what was put aside, and logs of runs that are gone."""
        if not self._dry:
            tidy_workplaces(self._disk, self._layout, GC)
        self.found.add("damaged files put aside", self._sweep.matching(self._layout.corrupt, _CORRUPT))
        self._remove_logs()

    def size(self) -> int:
        """Give the bytes of what is left."""
        return total_size(self._disk, self._layout) - (self.found.bytes if self._dry else 0)

    def given_up(self, census: Census, wanted: int) -> NDArray[np.bool_]:
        """Choose results that take so many bytes."""
        return give_up(self._holdings(census), wanted)

    def choose(
        self, chosen_of: Callable[[Census], NDArray[np.bool_]], *, keep_runs: int, everything: bool = False
    ) -> None:
        """Give up results, compact journals, and remove the files that no record names any more."""
        if not self._dry:
            self._census = take_census(self._disk, self._layout, self._living.over)
        census = self._census
        chosen, needed = chosen_of(census), census.needed()
        dead = [j for j in census.journals if j.name.endswith(JOURNAL) and not j.live and not j.strange]
        packs = [j for j in census.journals if j.name.endswith(PACK) and not j.strange]
        old = dead[: max(len(dead) - keep_runs, 0)]
        stays = census.keyed() & ~chosen
        if everything:  # what is chosen must not answer any more, so no journal keeps it
            old = [j for j in dead if j in old or chosen[j.first : j.end].any()]
        else:
            stays &= census.answering() | needed
        moved = [j for j in packs if len(packs) > MANY_PACKS or _worth(stays[j.first : j.end], chosen[j.first : j.end])]
        self._compact([*old, *moved], stays)
        kept = ~chosen
        for journal in (*old, *moved):
            kept[journal.first : journal.end] = stays[journal.first : journal.end]
        gone = chosen & census.whole() & census.keyed()
        self.found.results += int(gone.sum())
        self.found.seconds += float(gone @ census.seconds_spent())
        self._remove_files(kept | needed)

    def remove_checkpoints(self, *, everything: bool) -> None:
        """Remove the checkpoints whose results are recorded; all of dead runs if asked (C6)."""
        answering = self._census.answering()
        keys = {bytes(self._census.keys[32 * row : 32 * row + 32]) for row in answering.nonzero()[0].tolist()}
        done = finished_checkpoints(self._disk, self._layout, keys, living=self._living, everything=everything)
        self.found.add("checkpoints", remove_checkpoints(self._sweep, self._layout, done))

    def remove_disposable(self) -> None:
        """Remove what serves only results: indexes, and texts of code."""
        self.found.add("indexes", self._sweep.matching(self._layout.index, _DISPOSABLE))
        if not self._living.runs:
            self.found.add("texts of code", self._sweep.matching(self._layout.code, _SOURCE))

    def done(self) -> Collected:
        """Write an index of what is left if there was one, and tell."""
        if "journals" in self.found.removed:
            self._index()
        self.found.left = self.size()
        return self.found

    # ---- inside ----------------------------------------------------------------------

    def _holdings(self, census: Census) -> Holdings:
        import numpy as np

        needed, sizes = census.needed(), census.sizes_kept()
        young = {name for name, kept in census.files.items() if kept.mtime >= self._living.since}
        for name, row in zip(census.named, census.naming, strict=True):
            needed[row] |= name in young and bool(self._living.runs)
        for journal in census.journals:
            if journal.name.endswith(JOURNAL) and journal.name not in self._packed:
                sizes[journal.first : journal.end] = 0  # the journals of the newest runs stay as they are
        seconds = np.where(census.answering(), census.seconds_spent(), np.float32(0))
        return Holdings(
            seconds=seconds, sizes=sizes, needed=needed | ~census.keyed(), named=census.named, naming=census.naming,
            files={name: kept.size for name, kept in census.files.items()},
        )  # fmt: skip

    def _compact(self, journals: list[Journal], stays: NDArray[np.bool_]) -> None:
        if not journals:
            return
        sizes = self._census.sizes_kept()
        fresh = {j.name for j in journals if j.name.endswith(JOURNAL)} - self._packed
        self._packed |= fresh
        self.found.packed += len(fresh)
        written = sum(int(sizes[j.first : j.end] @ stays[j.first : j.end]) for j in journals)
        self.found.written = written if self._dry else self.found.written + written
        if not self._dry and any(stays[j.first : j.end].any() for j in journals):
            pack_id = new_run_id()
            write_pack(
                self._disk, self._layout, pack_id, self._draft(), census=self._census, journals=journals, stays=stays
            )
        names = [j.name for j in journals]
        self.found.add("journals", self._sweep.remove(self._layout.journals, names))
        gone = sorted(name.removesuffix(JOURNAL) for name in names if name.endswith(JOURNAL))
        self._sweep.remove(self._layout.journals, [f"{run}.lock" for run in gone])
        for run in gone:
            self._remove_log(run)

    def _remove_files(self, kept: NDArray[np.bool_]) -> None:
        """Remove kept files that no record names, and that no run that lives has published."""
        census = self._census
        wanted = {name for name, row in zip(census.named, census.naming, strict=True) if kept[row]}
        spare = self._living.since if self._living.runs else self._now
        orphans: dict[str, list[str]] = {}
        for name, file in census.files.items():
            if name not in wanted and file.mtime <= spare:
                directory, _, base = self._layout.blob(name).rpartition("/")
                orphans.setdefault(directory, []).append(base)
        for directory, names in orphans.items():
            kind = "arrays" if directory.startswith(f"{self._layout.arrays}/") else "files"
            self.found.add(kind, self._sweep.remove(directory, names))

    def _remove_logs(self) -> None:
        there = {j.name.removesuffix(JOURNAL) for j in self._census.journals} | self._living.runs
        for run in self._sweep.names(self._layout.logs, RUN_ID):
            if run not in there:
                self._remove_log(run)

    def _remove_log(self, run: str) -> None:
        directory = self._layout.log_directory(run)
        self.found.add("logs", self._sweep.matching(directory, _OUTPUT))
        self._sweep.drop_empty(directory)

    def _index(self) -> None:
        """Let an index of the journals that are there take the place of those of journals that are gone."""
        old = self._sweep.names(self._layout.index, _INDEX)
        if not self._dry:
            records = Records(self._layout, disk=self._disk, tell=lambda _: None, mapped=self._store.mapped)
            records.read_older(than="")
            if len(records.index) and (old or is_due(records)):
                build_index(self._disk, self._layout, self._draft(), records)
            records.close()
        self.found.add("indexes", self._sweep.remove(self._layout.index, old))

    def _draft(self) -> str:
        return f"{self._layout.workplace(GC)}/{self._disk.token()}"


def _worth(stays: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> bool:
    """Tell whether a pack should be written anew: results of it are given up, or much of it answers no more."""
    rows = len(stays)
    return bool(chosen.any()) or int(stays.sum()) < rows - rows // 4
