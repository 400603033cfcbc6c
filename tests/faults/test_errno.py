"""H4: whatever file call fails, and however, values are right, trouble is told once, and nothing partial is left."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowcore.errors import FlowcoreWarning, StoreUnavailable
from flowcore.store.codecs import Codec
from flowcore.store.directory import open_store
from flowcore.store.fs import DISK, Disk
from flowcore.store.lock import RunLock
from flowcore.testing import FaultyDisk
from tests.faults import driver, inside, operations, works

ERRORS = (
    errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EMFILE, errno.ESTALE, errno.EINTR,
    errno.ENOTSUP, 0,
)  # fmt: skip
MOST = 400  # calls of a run of the small flow, and more


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder where stores come and go, with a tally of what was executed."""
    with operations.in_memory() as folder, operations.at_home(folder):
        monkeypatch.setenv(inside.TALLY, str(folder / "tally"))
        yield folder


def run(store: Path, disk: Disk = DISK, *, tally: Path | None = None) -> tuple[float, list[Warning | str], list[str]]:
    """Run the small flow; give its value, what was told, and what was executed."""
    tally = tally or store.parent / "tally"
    tally.unlink(missing_ok=True)
    flow = works.few()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        done = flow.run(store=open_store(store, disk=disk), executor="inline", progress=False)
        value = done[flow.result]
    executed = tally.read_text().splitlines() if tally.exists() else []
    return value, [warning.message for warning in told], sorted(executed)


def check(home: Path, before: Path | None, disk: FaultyDisk) -> None:
    """Hold a run on a disk that fails, and the next one on a sound disk, to their promises."""
    store = home / "store"
    shutil.rmtree(store, ignore_errors=True)
    if before:
        shutil.copytree(before, store)
    disk.under = str(store)
    value, told, _ = run(store, disk)
    how = f"call {disk.at} ({disk.struck}) fails with {errno.errorcode.get(disk.error, 'a short write')}: {told}"

    partial = operations.unverified(home)
    again, later, executed = run(store)
    third, _, nothing = run(store)

    assert [works.FEW] * 3 == [value, again, third], how
    assert [StoreUnavailable][: len(told)] == [type(warning) for warning in told], how
    assert [] == partial, how
    assert [] == later, how
    assert told or not executed, f"{how}: not kept, and nothing was said"
    assert [] == nothing, how
    assert [] == operations.litter(home), how


class Failing(FaultyDisk):
    """Remembers which call failed first."""

    struck = ""

    def strike(self, name: str, *arguments: object, **options: object) -> object:
        self.struck = self.struck or name
        return super().strike(name, *arguments, **options)  # type: ignore[arg-type]


def inject(home: Path, before: Path | None, *, every: bool) -> int:
    """Let each call fail in turn, in every way or in some; give how many runs that took."""
    count = 0
    for n in range(1, MOST):
        for way, (error, lasting) in enumerate(itertools.product(ERRORS, (False, True))):
            if not every and way != 7 * n % (2 * len(ERRORS)):
                continue
            disk = Failing(n, error=error, lasting=lasting)
            check(home, before, disk)
            count += 1
        if disk.count < n:
            return count
    raise AssertionError("the run makes more and more calls")


@pytest.mark.contract("H4", "F19", "F20", "F21", "F28", "P2", "P8")
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("every", [False, pytest.param(True, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_any_call_of_a_run_may_fail(every: bool, warm: bool, home: Path) -> None:
    """Each call under the store in turn, once or from then on, with each errno, or writes short.

    The values are right; what is not kept is told, once; nothing partial has a final name;
    the next run is right, complete and silent; and nothing is left in `tmp/`.
    """
    before = None
    if warm:
        run(home / "store")
        before = Path(shutil.move(home / "store", home / "before"))

    assert 100 < inject(home, before, every=every)


def keep(folder: Path, disk: Disk, *, durable: bool = False) -> tuple[list[FlowcoreWarning], bool]:
    """Keep two arrays and a number one by one; give what was told, and whether any array got its name."""
    told: list[FlowcoreWarning] = []
    run_ = operations.begin(folder, disk, durable=durable, told=told)
    operations.keep(run_, operations.LATER)
    operations.finish(run_)
    return told, any(path.suffix == ".npy" for path in (folder / "store").glob("v1/arrays/*/*"))


@pytest.mark.contract("H4", "F20")
@pytest.mark.parametrize("n", range(1, 10))
def test_a_failed_fsync_is_the_end_of_keeping(n: int, home: Path) -> None:
    """It would succeed if it were tried again: it is not, nothing is written after it, no record rests on it."""
    operations.finish(operations.begin(home))
    disk = Late(n, home / "store")
    told, _ = keep(home, disk, durable=True)
    found, _ = operations.read(home, operations.LATER)

    assert [StoreUnavailable] == [type(warning) for warning in told]
    assert "may be lost" in str(told[0]) or "Input/output error" in str(told[0])
    assert [] == disk.late
    assert len(found) < len(operations.LATER)
    assert [] == operations.wrong(found, operations.LATER)


class Late(FaultyDisk):
    """Knows what is written, named or synced in the store after the call that failed."""

    def __init__(self, n: int, store: Path) -> None:
        super().__init__(n, error=errno.EIO, only=("fsync",), under=str(store))
        self.late: list[str] = []

    def _call(self, name: str, *arguments: Any, **options: Any) -> Any:
        making = name in ("write", "pwrite", "link", "rename", "fsync", "sync_filesystem")
        if self.failed and making and self._place(*arguments, **options).startswith(self.under):
            self.late.append(name)
        return super()._call(name, *arguments, **options)


@pytest.mark.contract("H4", "F19")
def test_a_disk_that_is_full_from_some_call_on_leaves_no_new_name(home: Path) -> None:
    """Wherever in the putting of an array it fills up; the warning has the bytes needed and free."""
    operations.finish(operations.begin(home))
    for n in range(1, 40):
        disk = FaultyDisk(n, error=errno.ENOSPC, lasting=True, only=("write", "reserve"), under=str(home / "store"))
        told, named = keep(home, disk)
        if not disk.failed:
            break

        assert "bytes needed" in str(told[0])
        assert "free" in str(told[0])
        assert named == (n > 3)
        assert [] == operations.unverified(home)
        shutil.rmtree(home / "store" / "v1" / "arrays")
    assert n > 4


@pytest.mark.contract("F21", "F23")
def test_reading_makes_and_touches_nothing(home: Path) -> None:
    """No lock, no file, no changed time: a reader needs no right to write."""
    run_ = operations.begin(home)
    operations.keep(run_, operations.LATER)
    operations.finish(run_)
    before = stats(home / "store")
    found, _ = operations.read(home, operations.LATER)

    assert list(operations.LATER) == list(found)
    assert before == stats(home / "store")


def stats(folder: Path) -> dict[str, tuple[int, ...]]:
    """Give what would tell that a file was made, written or touched."""
    found = {str(path): path.stat() for path in [folder, *folder.rglob("*")]}
    return {path: (it.st_ino, it.st_size, it.st_mtime_ns, it.st_ctime_ns) for path, it in found.items()}


@pytest.mark.contract("H4", "F28")
@pytest.mark.parametrize("call", ["open", "read_into", "pread", "listdir", "stat", "fstat"])
@pytest.mark.parametrize("lasting", [False, True])
def test_a_stale_handle_is_a_miss_at_most(call: str, lasting: bool, home: Path) -> None:
    """On opening, reading and listing: exact values or none, and what is sound is not set aside."""
    found = {}
    run_ = operations.begin(home)
    operations.keep(run_, operations.LATER)
    operations.finish(run_)
    for n in range(1, 60):
        disk = FaultyDisk(n, error=errno.ESTALE, lasting=lasting, only=(call,), under=str(home / "store" / "v1"))
        found, told = operations.read(home, operations.LATER, disk)

        assert [] == operations.wrong(found, operations.LATER)
        assert [] == [warning for warning in told if not isinstance(warning, StoreUnavailable)]
        assert [] == os.listdir(home / "store" / "v1" / "corrupt")
        if not disk.failed:
            break
    assert list(operations.LATER) == list(found)


@pytest.mark.contract("H4", "F28")
@pytest.mark.parametrize("error", [errno.ENOTSUP, errno.EPERM])
def test_without_links_runs_keep_all_the_same(error: int, home: Path) -> None:
    """On a filesystem that refuses every link: kept, silent, and answered from."""
    told, named = keep(home, FaultyDisk(1, error=error, lasting=True, only=("link",), under=str(home / "store")))
    found, later = operations.read(home, operations.LATER)

    assert ([], [], True) == (told, later, named)
    assert list(operations.LATER) == list(found)
    assert [] == operations.litter(home)


@pytest.mark.contract("H4", "F28")
@pytest.mark.parametrize("durable", [False, True])
def test_directories_that_cannot_be_synced_are_no_trouble(durable: bool, home: Path) -> None:
    """On a filesystem that knows fsync for files alone: kept, silent, and answered from."""

    class FilesAlone(Disk):
        def fsync(self, fd: int) -> None:
            if stat.S_ISDIR(self.fstat(fd).st_mode):
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            super().fsync(fd)

    told: list[FlowcoreWarning] = []
    run_ = operations.begin(home, FilesAlone(), durable=durable, told=told)
    operations.keep(run_, operations.LATER)
    operations.finish(run_)
    found, later = operations.read(home, operations.LATER)

    assert ([], []) == (told, later)
    assert list(operations.LATER) == list(found)


@pytest.mark.contract("H4", "F28", "P3")
def test_locks_that_lie_cost_no_value(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flock that always succeeds, as on some NFS: two runs that tidy each other away are both right."""
    monkeypatch.setattr(RunLock, "take", lambda _: True)
    monkeypatch.setattr(RunLock, "abandoned", lambda _: True)
    one = operations.begin(home)
    operations.keep(one, operations.EARLIER)
    two = operations.begin(home)
    operations.keep(two, operations.LATER)
    operations.keep(one, operations.LATER)
    operations.finish(one)
    operations.finish(two)
    found, told = operations.read(home, {**operations.EARLIER, **operations.LATER})

    assert sorted({**operations.EARLIER, **operations.LATER}) == sorted(found)
    assert [] == told
    assert [] == operations.wrong(found, {**operations.EARLIER, **operations.LATER})


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Give a filesystem of 1 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    if os.geteuid() or os.system(f"mount -t tmpfs -o size=1m none {place} 2>/dev/null"):
        pytest.skip("mounting is not allowed here")
    yield place
    os.system(f"umount {place}")


@pytest.mark.contract("H4", "F19")
def test_a_disk_of_one_mebibyte(small: Path, home: Path) -> None:
    """What fits is kept, what does not is passed on; right values, one warning, nothing half-written."""
    told: list[FlowcoreWarning] = []
    wide = {bytes([number]) * 32: np.arange(90_000.0) + number for number in (1, 2, 3)}
    run_ = operations.begin(small, told=told)
    codec = Codec(kept=run_.blobs, passed=run_.spool)
    values = [codec.decode(codec.encode(value, keep=True).record) for value in wide.values()]
    operations.keep(run_, wide)
    operations.finish(run_)
    found, later = operations.read(small, wide)

    assert all(operations.equal(one, other) for one, other in zip(values, wide.values(), strict=True))
    assert [StoreUnavailable] == [type(warning) for warning in told]
    assert "720128 bytes needed" in str(told[0])
    assert [] == operations.wrong(found, wide)
    assert [] == later
    assert [] == operations.unverified(small)
    assert [] == operations.litter(small)


@pytest.mark.contract("H4", "F21")
def test_a_read_only_mount(small: Path, home: Path) -> None:
    """All of a warm run is hits, with one warning, and a run of something new is right."""
    store = small / "store"
    run(store)
    before = sorted(str(path) for path in small.rglob("*"))
    os.system(f"mount -o remount,ro {small}")
    value, told, executed = run(store, tally=home / "tally")
    after = sorted(str(path) for path in small.rglob("*"))

    assert works.FEW == value
    assert [] == executed
    assert [StoreUnavailable] == [type(warning) for warning in told]
    assert "read-only" in str(told[0])
    assert before == after


@pytest.mark.contract("F19", "F21", "P8")
def test_a_flow_on_a_full_and_then_on_a_read_only_mount(small: Path) -> None:
    """Three arrays of six fit, made one by one; nothing half-written stays; what is there answers. One warning each."""
    answers, warned = [], []
    for remount in ("rw", "ro"):
        os.system(f"mount -o remount,{remount} {small}")
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            flow = works.means()
            answers.append(flow.run(store=small / "store", workers=1, executor="thread", progress=False)[flow.result])
        warned.append([type(warning.message).__name__ for warning in told])
    kept = list((small / "store" / "v1" / "arrays").rglob("*.npy"))

    assert [works.ANSWER] * 2 == answers
    assert [["StoreUnavailable"]] * 2 == warned
    assert (3, [], []) == (len(kept), driver.leftovers(small / "store"), driver.unverified(small / "store"))
