"""What a store holds, counted: every record, what it took to make, and the files it names.

Owns the reading of all journals for whoever tidies, verifies or lists a store. Columns, since
there may be millions of records; files by name, with the size and time the disk tells. Promises
to count as *needed* whatever a run that may live has recorded or was answered by (contract T4).
Only reads.
"""

from __future__ import annotations

import re
import stat
from array import array
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING, Final, NamedTuple

from flowcore.dataclass import dataclass
from flowcore.plan.encode import BadRecord, references
from flowcore.store.drawn import NODES, unpack_drawn
from flowcore.store.files import Times, load_stats
from flowcore.store.frames import Damage, open_journal
from flowcore.store.fs import DIRECTORY, Disk
from flowcore.store.journal import Record, read_frames
from flowcore.store.layout import Layout
from flowcore.store.listing import PACK, journal_names
from flowcore.store.packs import origin_of
from flowcore.store.records import traces_of
from flowcore.store.trace import KEY_SIZE, NO_KEY, TraceRows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ARRAY_NAME: Final = re.compile(r"[0-9a-f]{64}\.npy")
FILE_NAME: Final = re.compile(r"[0-9a-f]{64}(\.[A-Za-z0-9]{1,8})?")
SHARD_NAME: Final = re.compile(r"[0-9a-f]{2}")
_KEPT: Final = 0  # the place of an array in the store
_OVERHEAD: Final = KEY_SIZE + 16  # bytes of the journal that a row takes beside its value
KNOWN: Final = frozenset({
    "run", "axes", "node", "nodes", "recipe", "cast", "trace", "skip", "hit", "failed", "skipped", "rows", "left",
    "tried", "beat", "end", "file",
    "accept", "metric", "checkpoint", "same", "double", "pack", "origin",
})  # fmt: skip


class Kept(NamedTuple):
    """A file of `arrays/` or `files/`."""

    size: int
    mtime: float


@dataclass(slots=True, kw_only=True)
class Journal:
    """A journal, as far as it could be read."""

    name: str
    size: int
    live: bool
    first: int = 0  # its rows are those from here ...
    end: int = 0  # ... to here
    damage: Damage = field(default_factory=Damage)
    strange: bool = False  # of a later version, or with kinds of records that we do not know
    runs: set[str] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class Census:
    """All records of a store in columns, and its kept files."""

    journals: list[Journal] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    files: dict[bytes, Kept] = field(default_factory=dict)  # by name, as in records
    stats: dict[Times, bytes] = field(default_factory=dict)
    keys: bytearray = field(default_factory=bytearray)
    task: array[int] = field(default_factory=lambda: array("i"))  # its place among tasks; -1: not known
    run: array[int] = field(default_factory=lambda: array("i"))  # its place among runs
    seconds: array[float] = field(default_factory=lambda: array("f"))
    sizes: array[int] = field(default_factory=lambda: array("q"))  # bytes in the journal
    ranks: array[int] = field(default_factory=lambda: array("q"))  # of several rows with one key the lowest answers
    named: list[bytes] = field(default_factory=list)  # a file that a row names ...
    naming: array[int] = field(default_factory=lambda: array("q"))  # ... and the row
    answered: set[bytes] = field(default_factory=set)  # keys that answered for cells of live runs

    def __len__(self) -> int:
        return len(self.sizes)

    def seconds_spent(self) -> NDArray[np.float32]:
        """Give what computing each row took."""
        import numpy as np

        return np.array(self.seconds, np.float32)

    def sizes_kept(self) -> NDArray[np.int64]:
        """Give the bytes of the journal that each row takes."""
        import numpy as np

        return np.array(self.sizes, np.int64)

    def keyed(self) -> NDArray[np.bool_]:
        """Tell of each row whether it may answer."""
        import numpy as np

        keys: NDArray[np.uint64] = np.frombuffer(bytes(self.keys), np.uint64).reshape(-1, KEY_SIZE // 8)
        return np.asarray(keys.any(axis=1), np.bool_)

    def whole(self) -> NDArray[np.bool_]:
        """Tell of each row whether all files that it names are there."""
        import numpy as np

        whole = np.ones(len(self), np.bool_)
        whole[[row for name, row in zip(self.named, self.naming, strict=True) if name not in self.files]] = False
        return whole

    def needed(self) -> NDArray[np.bool_]:
        """Tell of each row whether a run that may live has recorded it, or was answered by it."""
        import numpy as np

        needed = np.zeros(len(self), np.bool_)
        for journal in self.journals:
            if journal.live:
                needed[journal.first : journal.end] = True
        if self.answered:
            keys = (bytes(self.keys[at : at + KEY_SIZE]) for at in range(0, len(self.keys), KEY_SIZE))
            needed[[row for row, key in enumerate(keys) if key in self.answered]] = True
        return needed

    def answering(self) -> NDArray[np.bool_]:
        """Tell of each row whether it is the one that answers for its key (contract J10)."""
        import numpy as np

        rows = np.flatnonzero(self.keyed() & self.whole())
        ranked = rows[np.argsort(np.frombuffer(self.ranks, np.int64)[rows], kind="stable")]
        _, first = np.unique(np.frombuffer(bytes(self.keys), f"V{KEY_SIZE}")[ranked], return_index=True)
        answering = np.zeros(len(self), np.bool_)
        answering[ranked[first]] = True
        return answering


def take_census(disk: Disk, layout: Layout, over: set[str]) -> Census:
    """Read all journals and list all kept files; `over` are the runs that certainly do not go on.

    A journal that came since that was found out is a live run's.
    """
    census = Census()
    census.files = dict(kept_files(disk, layout))
    names = journal_names(disk, layout)
    origins: dict[str, int] = {}  # runs in the order of their ids are only known once all are read
    counts: list[tuple[int, int]] = []
    for name in names:
        _read(census, disk, layout, name, over, origins, counts)
    _rank(census, origins, counts)
    return census


def kept_files(disk: Disk, layout: Layout) -> Iterator[tuple[bytes, Kept]]:
    """Yield the kept arrays and files by the names that records give them; what is not ours is passed over."""
    for root, names in ((layout.arrays, ARRAY_NAME), (layout.files, FILE_NAME)):
        for shard in filter(SHARD_NAME.fullmatch, _listed(disk, root)):
            path = f"{root}/{shard}"
            for name in filter(names.fullmatch, _listed(disk, path)):
                found = _regular(disk, f"{path}/{name}")
                if name.startswith(shard) and found is not None:
                    yield name_in_records(name, array=root == layout.arrays), found


def name_in_records(name: str, *, array: bool) -> bytes:
    """Give how records name a kept file."""
    digest, suffix = bytes.fromhex(name[:64]), name[64:]
    return digest if array else digest + (suffix or ".").encode()


def _listed(disk: Disk, path: str) -> list[str]:
    """List a directory that is one, and no link to one."""
    try:
        fd = disk.open(path, DIRECTORY)
    except OSError:
        return []
    try:
        return sorted(disk.listdir(fd))
    except OSError:
        return []
    finally:
        disk.close(fd)


def _regular(disk: Disk, path: str) -> Kept | None:
    try:
        found = disk.stat(path)
    except OSError:
        return None
    return Kept(found.st_size, found.st_mtime) if stat.S_ISREG(found.st_mode) else None


def _read(
    census: Census, disk: Disk, layout: Layout, name: str, over: set[str], origins: dict[str, int],
    counts: list[tuple[int, int]],
) -> None:  # fmt: skip
    path = f"{layout.journals}/{name}"
    found = _regular(disk, path)
    if found is None:
        return
    stem = name.partition(".")[0]
    journal = Journal(name=name, size=found.size, live=not name.endswith(PACK) and stem not in over, first=len(census))
    opened = open_journal(disk, path)
    journal.strange = opened is None
    if opened is not None:
        disk.close(opened[0])
    tasks: dict[int, int] = {}
    for offset, _, records in read_frames(path, disk=disk, damage=journal.damage):
        origin = origin_of(records) or stem
        journal.runs.add(origin)
        counts.append((origins.setdefault(origin, len(origins)), 0))
        _learn(census, journal, tasks, records)
        before = len(census)
        for trace in traces_of(records):
            _count(census, trace, tasks, offset)
        counts[-1] = (counts[-1][0], len(census) - before)
    journal.end = len(census)
    census.journals.append(journal)


def _learn(census: Census, journal: Journal, tasks: dict[int, int], records: list[Record]) -> None:
    """Take what records say besides traces."""
    for record in records:
        match record:
            case ["node", int(number), dict(facts), *_]:
                _belongs(census, tasks, number, facts)
            case [kind, *_] if kind == NODES:
                with suppress(ValueError):
                    for number, facts in unpack_drawn(record):
                        _belongs(census, tasks, number, facts)
            case ["hit", _, int(), _, bytes(keys), *_] if journal.live:
                census.answered.update(keys[i : i + KEY_SIZE] for i in range(0, len(keys), KEY_SIZE))
            case ["skipped", int(), int(), _, bytes(key), *_] if journal.live:
                census.answered.add(key)
            case ["file", *_]:
                load_stats(census.stats, record)
            case [str(kind), *_] if kind not in KNOWN:
                journal.strange = True


def _belongs(census: Census, tasks: dict[int, int], number: int, facts: dict[str, object]) -> None:
    """Note what task a node calls."""
    task = facts.get("task")
    if isinstance(task, str):
        if task not in census.tasks:
            census.tasks.append(task)
        tasks[number] = census.tasks.index(task)


def _count(census: Census, trace: TraceRows, tasks: dict[int, int], offset: int) -> None:
    first, count = len(census), trace.count
    keys = trace.keys or NO_KEY * count
    census.keys += keys
    census.task.extend([tasks.get(node, -1) for node in trace.nodes])
    census.seconds.extend(trace.seconds)
    rank = -offset if trace.refresh else offset
    census.ranks.extend([rank] * count)
    for row in range(count):
        record = trace.record(row, keys[row * KEY_SIZE : row * KEY_SIZE + KEY_SIZE]) if trace.keys else trace.value(row)
        census.sizes.append(len(record) + _OVERHEAD)
        for name in named(record):
            census.named.append(name)
            census.naming.append(first + row)


def named(record: bytes) -> list[bytes]:
    """Give the names of the kept files that a record needs."""
    try:
        return [name for name, _, place in references(record) if place == _KEPT]
    except (BadRecord, ValueError):
        return []


def _rank(census: Census, origins: dict[str, int], counts: list[tuple[int, int]]) -> None:
    """Turn offsets into ranks over all runs: the earlier run first, and what was made under refresh= before all."""
    import numpy as np

    stand = np.empty(len(origins), np.int64)
    for place, name in enumerate(sorted(origins)):
        stand[origins[name]] = place
    numbers, lengths = np.array(counts, np.int64).reshape(-1, 2).T
    census.runs = list(origins)
    census.run = array("i", np.repeat(numbers, lengths).astype(np.int32).tobytes())
    run = np.repeat(stand[numbers], lengths) if counts else np.empty(0, np.int64)
    offsets = np.frombuffer(census.ranks, np.int64)
    ranks = np.where(offsets < 0, -1, 1) * (run * (1 << 40) + np.abs(offsets))
    census.ranks = array("q", ranks.astype(np.int64).tobytes())
