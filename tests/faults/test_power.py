"""H3: whatever a power loss leaves, a reader gets the exact value or a miss, and what was acknowledged is there."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowcore.declare.files import File
from flowcore.errors import DamagedEntry
from flowcore.store.checkpoint import Checkpoints
from flowcore.store.directory import Store, StoreRun, open_store
from flowcore.store.fs import Disk
from flowcore.store.gc import collect
from flowcore.store.generations import Home
from flowcore.store.indexing import build_index
from flowcore.store.layout import Layout
from flowcore.store.records import Records
from flowcore.store.trouble import Trouble
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
    for count, (crash, state) in enumerate(states(disk, place, together=together), 1):
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


def states(disk: RecordingDisk, place: Path, *, together: int = 2) -> Iterator[tuple[Crash, Path]]:
    """Yield each state of the files that a power loss may leave, made real."""
    for crash in disk.crashes(together=together):
        state = place / "state"
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir()
        crash.place(state)
        yield crash, state


@pytest.mark.contract("H3", "F18", "F34", "C2", "C4")
def test_a_saved_state_is_there(folder: Path, place: Path) -> None:
    """From the moment that the save returned; until then the one before it is, to the bit, its series with it."""
    run = begin(folder)
    for step in (5, 6):
        operations.save_step(run.checkpoints.at(operations.STATE), step)
    disk = RecordingDisk(folder)
    trouble = Trouble("", disk=disk, tell=lambda _: None)
    home = Home(layout=Layout(folder / "store"), run_id=run.id, disk=disk, trouble=trouble)
    for step in (7, 8):
        operations.save_step(Checkpoints(home).at(operations.STATE), step)
        disk.acknowledge(step)
    finish(run)
    count = 0
    for crash, state in states(disk, place):
        step, same = operations.saved(state, AfterTheLoss())
        known = (6, *crash.acknowledged)[-1]
        count += 1

        assert same, f"step {step} after call {crash.call} ({crash.name})"
        assert step in (known, known + 1), f"after call {crash.call} ({crash.name})"
    assert count > 100


@pytest.mark.contract("H3", "F18", "K22")
def test_a_file_that_was_kept_durably_is_there(folder: Path, place: Path) -> None:
    """From the moment that it was taken; before, whole or not there."""
    (place / "result.dat").write_bytes(DATA)
    run = begin(folder, durable=True)
    disk = RecordingDisk(folder)
    filed = attached(run, disk).files.take(File(place / "result.dat"))
    disk.acknowledge(filed.digest)
    finish(run)
    final = Layout(Path("store")).blob(filed.name)
    there = [(crash.files.get(final), bool(crash.acknowledged)) for crash in disk.crashes()]

    assert {DATA} == {content for content, acknowledged in there if acknowledged}
    assert {DATA, None} == {content for content, _ in there}


@pytest.mark.contract("H3", "F18", "J9")
def test_an_index_is_never_the_only_holder(folder: Path, place: Path) -> None:
    """Whatever is left of one that was written, all records answer, and nothing is said."""
    earlier(folder)
    disk = RecordingDisk(folder)
    run = begin(folder)
    layout = Layout(folder / "store")
    records = Records(layout, disk=disk, tell=lambda _: None)
    records.read_older(than=run.id)
    assert build_index(disk, layout, f"{layout.tmp}/{disk.token()}", records)
    records.close()
    finish(run)
    count = 0
    for crash, state in states(disk, place):
        found, told = operations.read(state, EARLIER, AfterTheLoss())
        count += 1

        assert list(EARLIER) == list(found), f"after call {crash.call} ({crash.name})"
        assert [] == operations.wrong(found, EARLIER)
        assert [] == told
    assert count > 20


@pytest.mark.contract("H3", "F18", "J9", "T4")
def test_packing_journals_loses_no_record(folder: Path, place: Path) -> None:
    """The pack is on the medium before the journals that it replaces lose their names."""
    for values in (EARLIER, LATER):
        run = begin(folder)
        keep(run, values)
        finish(run)
    disk = RecordingDisk(folder)
    collect(open_store(folder / "store", disk=disk), keep_runs=0)
    packed = list((folder / "store" / "v1" / "journals").glob("*.pack"))
    count = 0
    for crash, state in states(disk, place, together=1):
        found, told = operations.read(state, VALUES, AfterTheLoss())
        count += 1

        assert sorted(VALUES) == sorted(found), f"after call {crash.call} ({crash.name}): {sorted(crash.files)}"
        assert [] == operations.wrong(found, VALUES)
        assert {DamagedEntry} >= {type(warning) for warning in told}
    assert 1 == len(packed)
    assert count > 10
