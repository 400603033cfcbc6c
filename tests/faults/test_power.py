"""H3: whatever a power loss leaves, a reader gets the exact value or a miss, and what was acknowledged is there."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowcore.errors import DamagedEntry
from flowcore.store.directory import Store, StoreRun
from flowcore.store.fs import Disk
from flowcore.store.layout import Layout
from flowcore.testing import FaultyDisk, RecordingDisk
from flowcore.testing.power import Crash
from tests.faults import operations
from tests.faults.operations import EARLIER, HEADER, LATER, at_home, begin, finish, keep

VALUES = {**EARLIER, **LATER}
DATA = bytes(range(256)) * 12


class AfterTheLoss(Disk):
    """The machine has been started again: no lock of before means anything."""

    def boot(self) -> bytes:
        return b"after power loss"


@pytest.fixture
def place() -> Iterator[Path]:
    """Give a folder for the states, with what stands for shared memory beside them."""
    with operations.in_memory() as folder, at_home(folder):
        yield folder


@pytest.fixture
def folder(place: Path) -> Path:
    """Give a folder whose store is recorded."""
    (place / "recorded").mkdir()
    return place / "recorded"


def earlier(folder: Path) -> None:
    """Keep some entries that are on the medium."""
    run = begin(folder)
    keep(run, EARLIER)
    finish(run)


def keep_durably(run: StoreRun, disk: RecordingDisk) -> None:
    """Keep values one by one; each that is accepted is acknowledged."""
    for key, value in LATER.items():
        keep(run, {key: value})
        if run.trouble is None:
            disk.acknowledge(key)
    finish(run)


def durable(folder: Path, disk: RecordingDisk) -> None:
    """A run on a durable store."""
    keep_durably(begin(folder, disk, durable=True), disk)


def plain(folder: Path, disk: RecordingDisk) -> None:
    """A run that syncs about once a second, and at its end."""
    run = begin(folder, disk)
    keep(run, LATER)
    finish(run)
    for key in LATER:
        disk.acknowledge(key)


def check_states(disk: RecordingDisk, place: Path, *, together: int = 2, every: int = 60) -> int:
    """Open each state that a power loss may leave; in some of them another run goes on."""
    count = 0
    for count, crash in enumerate(disk.crashes(together=together), 1):
        state = place / "state"
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir()
        crash.place(state)
        check_state(crash, state, goes_on=count % every == 0)
    return count


def check_state(crash: Crash, state: Path, *, goes_on: bool) -> None:
    """Exact values or misses, nothing that was acknowledged is lost, and a run can go on from there."""
    where = f"after call {crash.call} ({crash.name}): {sorted(crash.files)}"
    found, told = operations.read(state, VALUES, AfterTheLoss())

    assert [] == operations.wrong(found, VALUES), where
    assert [] == [key for key in crash.acknowledged if isinstance(key, bytes) and key not in found], where
    assert {DamagedEntry} >= {type(warning) for warning in told}, where
    if not goes_on:
        return
    run = begin(state, AfterTheLoss(), durable=True)
    keep(run, LATER)
    finish(run)
    after, _ = operations.read(state, LATER, AfterTheLoss())

    assert list(LATER) == list(after), where
    assert [] == operations.wrong(after, LATER), where


@pytest.mark.contract("H3", "F18", "P2")
@pytest.mark.parametrize(
    ("act", "together"), [(durable, 2), (plain, 1), pytest.param(plain, 2, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("before", [None, earlier], ids=["first run", "later run"])
def test_a_run_that_loses_power(
    together: int,
    act: Callable[[Path, RecordingDisk], None],
    before: Callable[[Path], None] | None,
    folder: Path,
    place: Path,
) -> None:
    """In a new store and in one that has entries, durable or not."""
    if before:
        before(folder)
    disk = RecordingDisk(folder)
    act(folder, disk)

    assert 100 < check_states(disk, place, together=together)


def attached(run: StoreRun, disk: Disk) -> Store:
    """Give a worker's part of a durable store."""
    worker = Store.attach(run.root, run.id, run.spool.path, durable=True, writable=True, disk=disk, tell=lambda _: None)
    worker.blobs.verified.close()
    return worker


@pytest.mark.contract("H3", "F18", "P2")
@pytest.mark.parametrize("size", [3000, (1 << 20) + 500], ids=["small", "claimed"])
def test_an_array_that_was_put_durably_is_there(size: int, folder: Path, place: Path) -> None:
    """From the moment that the put returned, in any two states of two files; before, whole or not there."""
    run = begin(folder, durable=True)
    disk = RecordingDisk(folder)
    data = (DATA * (size // len(DATA) + 1))[:size]
    digest = attached(run, disk).blobs.put(HEADER, memoryview(data))
    disk.acknowledge(digest)
    finish(run)
    final = Layout(Path("store")).blob(digest)
    there = [(crash.files.get(final), digest in crash.acknowledged) for crash in disk.crashes()]

    assert {HEADER + data} == {content for content, acknowledged in there if acknowledged}
    assert {HEADER + data, None} == {content for content, _ in there}
    assert len(there) >= 20


@pytest.mark.contract("H3", "F20")
@pytest.mark.parametrize("n", range(1, 12))
def test_an_fsync_that_failed_is_believed(n: int, folder: Path, place: Path) -> None:
    """The pages it was for are lost, though a second one would succeed: nothing relies on them."""
    earlier(folder)
    disk = RecordingDisk(folder, disk=FaultyDisk(n, error=errno.EIO, only=("fsync",)))
    run = begin(folder, disk, durable=True)
    keep_durably(run, disk)

    assert run.trouble is not None
    assert 30 < check_states(disk, place, together=1)


@pytest.mark.contract("H3", "F18")
def test_more_files_than_are_synced_one_by_one(folder: Path, place: Path) -> None:
    """The group that is one call for the whole filesystem is on the medium after it."""
    disk = RecordingDisk(folder)
    run = begin(folder, disk)
    many = {bytes([number]) * 32: operations.EARLIER[b"a" * 32] + number for number in range(1, 67)}
    keep(run, many)
    finish(run)
    for key in many:
        disk.acknowledge(key)
    *_, last = disk.crashes(together=0)
    (place / "state").mkdir()
    last.place(place / "state")
    found, _ = operations.read(place / "state", many, AfterTheLoss())

    assert sorted(many) == sorted(found)
    assert [] == operations.wrong(found, many)
