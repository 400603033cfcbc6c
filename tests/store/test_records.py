"""Claims about store/records.py and store/indexing.py: what a persisted index spares, and what it never costs."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from flowcore.store import indexing
from flowcore.store.cache import Hit, Trace
from flowcore.store.directory import StoreRun, open_store
from flowcore.store.fs import DISK, Disk, PathLike
from flowcore.store.index import Index
from flowcore.store.indexfile import Covered, IndexFile, Source, write_index
from flowcore.store.indexing import build_index
from flowcore.store.records import Records
from flowcore.store.trace import TraceRows
from tests.store.conftest import Begin
from tests.store.test_cache import key, reasons, trace_of


@pytest.fixture(autouse=True)
def small_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every run write an index."""
    monkeypatch.setattr(indexing, "WORTH", 1)
    monkeypatch.setattr(indexing, "_SHARE", 1 << 40)


def indexes(store: Path) -> list[Path]:
    """Give the persisted indexes, the newest first."""
    return sorted((store / "v1" / "index").glob("[0-9]*"), key=lambda path: -int(path.name))


def ended(begin: Begin, cells: range, *, disk: Disk = DISK) -> StoreRun:
    """Let a run record cells and end."""
    run = begin(disk)
    run.cache.record(trace_of(run, cells))
    run.close("done")
    run.release()
    return run


class Counting(Disk):
    """Counts what is read of journals."""

    def __init__(self) -> None:
        self.read = 0
        self.opened: list[str] = []
        self._journals: set[int] = set()

    def open(self, path: PathLike, flags: int = os.O_RDONLY, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
        """Open a file."""
        fd = super().open(path, flags, mode, dir_fd=dir_fd)
        self._journals.discard(fd)
        if str(path).endswith(".journal"):
            self.opened.append(str(path))
            self._journals.add(fd)
        return fd

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """Read."""
        data = super().pread(fd, size, offset)
        self.read += len(data) if fd in self._journals else 0
        return data


@pytest.mark.contract("J9", "F29")
def test_what_an_index_covers_is_not_read(begin: Begin) -> None:
    """Opening a store looks at the sizes of its journals; a question reads the frames that answer it."""
    ended(begin, range(2_000))
    disk = Counting()
    run = begin(disk)
    journals = [path for path in disk.opened if run.id not in path]
    before = disk.read

    assert [] == journals
    assert ["hit"] * 10 == reasons(run, range(500, 510))
    assert 0 < disk.read - before


@pytest.mark.contract("J9")
def test_what_came_after_the_index_is_found_too(begin: Begin) -> None:
    """Of a run that still lives, and goes on to write into a journal that the index covers in part."""
    living = begin()
    living.cache.record(trace_of(living, range(10)))
    ended(begin, range(10, 20))
    living.cache.record(trace_of(living, range(20, 30)))

    assert ["hit"] * 30 == reasons(begin(), range(30))


def damaged(path: Path) -> Iterator[None]:
    """Damage a file in many ways, one after the other."""
    content = path.read_bytes()
    chosen = random.Random(3).sample(range(len(content)), 12)
    for at in (0, 8, 20, *chosen, len(content) - 1):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :])
        yield
    for size in (0, 1, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        yield
    for other in (b"", b"\0" * len(content), b"foreign" * 100, content + b"more"):
        path.write_bytes(other)
        yield


@pytest.mark.contract("J9", "F22", "P1")
def test_a_damaged_index_costs_time_and_no_hit(begin: Begin, store: Path) -> None:
    """A flipped bit, a cut, a foreign file: every cell is answered as before, since the journals are read."""
    run = ended(begin, range(50))
    expected = run.cache.judge([key(i) for i in range(60)])
    path = indexes(store)[0]
    found = []
    for _ in damaged(path):
        reader = open_store(store).archive(before="9")
        found.append(reader.cache.judge([key(i) for i in range(60)]))

    assert [expected] * len(found) == found


@pytest.mark.contract("J9")
def test_a_damaged_index_is_written_anew(begin: Begin, store: Path) -> None:
    """By the next run that reads so much."""
    ended(begin, range(50))
    indexes(store)[0].write_bytes(b"foreign")
    ended(begin, range(50, 60))

    assert 60 == IndexFile(str(indexes(store)[0]), disk=DISK).count


def lied_to(begin: Begin, store: Path) -> int:
    """Give how many of 50 cells hit through an index, whole in itself, that has the place of each for another one."""
    run = ended(begin, range(50))
    true = IndexFile(str(indexes(store)[0]), disk=DISK)
    lying = Index()
    for i, name in enumerate(range(50)):
        offset = int(next(true.blocks()).offsets[0])
        lying.load(0, offset, key(name), first_row=49 - i)
    fd = DISK.open(store / "v1" / "index" / "9", os.O_CREAT | os.O_RDWR)
    sources = [Source(journal=0, run_id=run.id)]
    covered = [Covered(name=f"{run.id}.journal", end=true.journals[0].end, lost=0)]
    write_index(DISK, fd, lying.batches([0]), journals=covered, sources=sources, files={})
    DISK.close(fd)
    return sum(isinstance(answer, Hit) for answer in begin().cache.judge([key(i) for i in range(50)]))


@pytest.mark.contract("J9", "P1")
def test_a_lying_index_gives_no_wrong_hit(begin: Begin, store: Path) -> None:
    """A record answers only for the key that it has itself."""
    assert 0 == lied_to(begin, store)


def believe_the_index(put: Callable[..., None]) -> None:
    """Take the record that an index points to, whatever its key (J9, P1)."""
    put(TraceRows, "record", lambda self, row, _: self.value(row))


@pytest.mark.contract("H7", "J9", "P1")
def test_without_the_key_check_it_would(begin: Begin, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of the test above: what the index says is believed."""
    believe_the_index(monkeypatch.setattr)

    assert 50 == lied_to(begin, store)


@pytest.mark.contract("J9", "F25")
def test_a_removed_journal_is_a_miss(begin: Begin, store: Path) -> None:
    """Before a run begins and while it goes on; and another record of the same key answers."""
    first = ended(begin, range(10))
    ended(begin, range(5))
    early = begin()
    (store / "v1" / "journals" / f"{first.id}.journal").unlink()

    assert ["hit"] * 5 + ["no record"] * 5 == reasons(begin(), range(10))
    assert ["hit"] * 5 + ["value gone"] * 5 == reasons(early, range(10))


@pytest.mark.contract("J9")
def test_whoever_cannot_write_an_index_reads_the_journals(begin: Begin, store: Path) -> None:
    """And so does a run that finds another one at it."""
    ended(begin, range(10))
    run = begin()
    for path in indexes(store):
        path.unlink()
    records = Records(open_store(store).layout, disk=DISK, tell=lambda _: None)
    records.read_older(than="")
    lock = indexing.RunLock(str(store / "v1" / "index" / "lock"), disk=DISK)
    assert lock.take()
    built = build_index(DISK, open_store(store).layout, str(store / "v1" / "tmp" / run.id / ("0" * 32)), records)
    lock.release()

    assert not built
    assert [] == indexes(store)
    assert ["hit"] * 10 == reasons(run, range(10))


@pytest.mark.contract("J9")
def test_two_indexes_are_kept(begin: Begin, store: Path) -> None:
    """The newest, and the one before it for the case that the newest is damaged."""
    for i in range(4):
        ended(begin, range(10 * i, 10 * i + 10))
    indexes(store)[0].write_bytes(b"")

    assert ["4", "3"] == [path.name for path in indexes(store)]
    assert ["hit"] * 40 == reasons(begin(), range(40))


@pytest.mark.contract("J10")
def test_refreshed_and_first_records_answer_through_an_index(begin: Begin) -> None:
    """As they do without one."""
    for refresh, value in ((False, 1), (False, 2), (True, 3), (False, 4)):
        run = begin()
        trace = trace_of(run, range(3), lambda i, value=value: float(i + value))  # type: ignore[misc]
        run.cache.record(Trace(**{name: getattr(trace, name) for name in trace.__slots__} | {"refresh": refresh}))
        run.close("done")
        run.release()
    run = begin()
    answers = run.cache.judge([key(i) for i in range(3)])
    expected = trace_of(run, range(3), lambda i: float(i + 3)).records

    assert expected == [answer.record for answer in answers if isinstance(answer, Hit)]


@pytest.mark.contract("F29", "J9")
@pytest.mark.parametrize("cells", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_a_large_store_is_opened_and_judged_in_place(begin: Begin, store: Path, cells: int) -> None:
    """Its next user reads no journal to open it, and to judge 512 cells no more than the frames that hold them."""
    run = begin()
    joined = np.random.default_rng(1).bytes(32 * cells)
    for start in range(0, cells, 500):
        keys = [joined[32 * i : 32 * i + 32] for i in range(start, start + 500)]
        run.cache.record(Trace(
            node=1, numbers=list(range(start, start + 500)), keys=keys, components=[b"\0\x07"] * 500,
            records=[b"\x07"] * 500, seconds=[1.0] * 500,
        ))  # fmt: skip
    run.close("done")
    run.release()
    disk = Counting()
    reader = begin(disk)
    opened = [path for path in disk.opened if reader.id not in path]
    asked = [joined[32 * i : 32 * i + 32] for i in range(1000, 1512)]
    answers = reader.cache.judge([*asked, b"n" * 32])

    assert [] == opened
    assert [True] * 512 + [False] == [isinstance(answer, Hit) for answer in answers]
    assert disk.read < 10 * 17_000 + 2 * 32_768
    assert cells == len(reader.cache.records.index)
