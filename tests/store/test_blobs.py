"""Claims about store/blobs.py: exactly the bytes that were put, or ValueGone."""

from __future__ import annotations

import errno
import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from flowcore.errors import DamagedEntry, FlowcoreWarning, StoreUnavailable
from flowcore.plan.encode import ValueGone
from flowcore.store import arrayfile
from flowcore.store.blobs import Blobs
from flowcore.store.directory import Attached, Store, StoreRun
from flowcore.store.fs import DISK, Disk
from flowcore.testing import FaultyDisk
from flowcore.testing.disks import WRITING
from tests.store.children import in_child, in_children
from tests.store.conftest import Begin

HEADER = b"H" * 128
SMALL, LARGE = 3000, (1 << 20) + 5000


def attach(
    run: StoreRun, disk: Disk = DISK, *, durable: bool = False, tell: list[FlowcoreWarning] | None = None
) -> Blobs:
    """Give what a worker has: the same arrays, nothing verified yet."""
    told = [] if tell is None else tell
    part: Attached = Store.attach(
        run.root, run.id, run.spool.path, durable=durable, writable=True, disk=disk, tell=told.append
    )
    part.blobs.verified.close()  # what the engine's process vouches for would hide damage
    return part.blobs


def files(store: Path, part: str = "arrays") -> list[Path]:
    """Give the files under a part of the store."""
    return sorted(path for path in (store / "v1" / part).rglob("*") if not path.is_dir() or path.is_symlink())


def value_of(blobs_: Blobs, digest: bytes, size: int) -> bytes | None:
    """Give the data of an array, or None if it is gone."""
    try:
        buffer, offset = blobs_.map(digest, HEADER, size)
    except ValueGone:
        return None
    return bytes(buffer[offset:])


@pytest.fixture(params=[SMALL, LARGE], ids=["read", "mapped"])
def data(request: pytest.FixtureRequest) -> bytes:
    """Give the data of an array of either kind."""
    return os.urandom(request.param)


@pytest.fixture
def run(begin: Begin) -> StoreRun:
    """Give a run."""
    return begin()


def test_what_is_put_can_be_mapped(run: StoreRun, data: bytes) -> None:
    """In this process and in another."""
    digest = run.blobs.put(HEADER, memoryview(data))

    assert blake3(HEADER + data).digest() == digest
    assert data == value_of(run.blobs, digest, len(data))
    assert data == value_of(attach(run), digest, len(data))


@pytest.mark.contract("F23")
@pytest.mark.parametrize("umask", [0, 0o077])
def test_a_published_file_is_for_reading_only(begin: Begin, store: Path, data: bytes, umask: int) -> None:
    """0400, in directories of 0700, whatever the umask."""
    before = os.umask(umask)
    try:
        run = begin()
        run.blobs.put(HEADER, memoryview(data))
    finally:
        os.umask(before)
    (file,) = files(store)

    assert 0o400 == stat.S_IMODE(file.stat().st_mode)
    assert {0o700} == {stat.S_IMODE(p.stat().st_mode) for p in (store, *store.rglob("*")) if p.is_dir()}


@pytest.mark.contract("F31")
def test_writing_to_a_mapped_array_changes_nobody_elses(run: StoreRun, data: bytes) -> None:
    """Neither the file nor what another consumer has."""
    digest = run.blobs.put(HEADER, memoryview(data))
    mine, offset = run.blobs.map(digest, HEADER, len(data))
    other, _ = run.blobs.map(digest, HEADER, len(data))
    mine[offset : offset + 4] = b"mine"

    assert data == bytes(other[offset:])
    assert data == value_of(attach(run), digest, len(data))


def test_an_equal_array_is_kept_once(run: StoreRun, store: Path, data: bytes) -> None:
    """Its second copy is dropped, and nothing stays in tmp."""
    first = run.blobs.put(HEADER, memoryview(data))
    second = attach(run).put(HEADER, memoryview(data))

    assert first == second
    assert 1 == len(files(store))
    assert [] == files(store, "tmp")


def test_a_small_array_that_is_there_is_not_written_again(begin: Begin) -> None:
    """Hashing tells before anything is opened."""
    disk = FaultyDisk()
    run = begin(disk)
    data = memoryview(os.urandom(SMALL))
    run.blobs.put(HEADER, data)
    disk.log.clear()
    run.blobs.put(HEADER, data)

    assert ["stat"] == disk.log


@pytest.mark.contract("F22")
@pytest.mark.parametrize("place", [0, 60, 127, 128, 1000, -1])
def test_a_flipped_bit_is_found(run: StoreRun, store: Path, data: bytes, place: int) -> None:
    """It is a miss with one warning; the file lies in quarantine, and the next put heals."""
    told: list[FlowcoreWarning] = []
    digest = run.blobs.put(HEADER, memoryview(data))
    (file,) = files(store)
    damage(file, place)
    worker = attach(run, tell=told)

    assert [None, None] == [value_of(worker, digest, len(data)) for _ in range(2)]
    assert [DamagedEntry] == [type(warning) for warning in told]
    assert [] == files(store)
    assert [digest.hex()] == [path.name.split(".")[0] for path in files(store, "corrupt")]
    assert digest == worker.put(HEADER, memoryview(data))
    assert data == value_of(worker, digest, len(data))


@pytest.mark.contract("F18")
def test_a_durable_put_does_not_rely_on_a_damaged_file(run: StoreRun, store: Path, data: bytes) -> None:
    """What a power loss left under the name, in the right size, is put aside before anything is acknowledged."""
    digest = run.blobs.put(HEADER, memoryview(data))
    (file,) = files(store)
    damage(file, 200)
    told: list[FlowcoreWarning] = []
    attach(run, durable=True, tell=told).put(HEADER, memoryview(data))

    assert data == value_of(attach(run), digest, len(data))
    assert [DamagedEntry] == [type(warning) for warning in told]


def damage(file: Path, place: int) -> None:
    """Flip the lowest bit of one byte."""
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.chmod(0o600)
    file.write_bytes(content)


@pytest.mark.contract("F22", "S7")
@pytest.mark.parametrize("cut", [0, 1, 127, 128, 129, -1])
def test_a_truncated_or_longer_file_is_found(run: StoreRun, store: Path, data: bytes, cut: int) -> None:
    """By its size, before any of it is used."""
    digest = run.blobs.put(HEADER, memoryview(data))
    (file,) = files(store)
    content = file.read_bytes()
    file.chmod(0o600)
    file.write_bytes(content[:cut] if cut >= 0 else content + b"x")

    assert None is value_of(attach(run), digest, len(data))
    assert [] == files(store)


@pytest.mark.contract("F22")
def test_swapped_files_are_found(run: StoreRun, store: Path) -> None:
    """Equal size does not help: the name is the digest."""
    one, two = (run.blobs.put(HEADER, memoryview(bytes([i]) * SMALL)) for i in (1, 2))
    first, second = files(store)
    contents = first.read_bytes(), second.read_bytes()
    for file, content in zip((second, first), contents, strict=True):
        file.chmod(0o600)
        file.write_bytes(content)
    worker = attach(run)

    assert [None, None] == [value_of(worker, digest, SMALL) for digest in (one, two)]


def test_a_record_that_lies_does_not_cost_the_array(run: StoreRun, data: bytes) -> None:
    """Another header or size in the record is a miss; the sound file stays."""
    digest = run.blobs.put(HEADER, memoryview(data))
    worker = attach(run)
    for header, size in ((b"h" * 128, len(data)), (HEADER, len(data) - 1), (HEADER + b"x", len(data) - 1)):
        with pytest.raises(ValueGone):
            worker.map(digest, header, size)

    assert data == value_of(worker, digest, len(data))


@pytest.mark.contract("F25")
def test_a_removed_array_is_gone_for_newcomers_only(run: StoreRun, store: Path, data: bytes) -> None:
    """Who has it mapped keeps it; the others are told; nobody is warned."""
    told: list[FlowcoreWarning] = []
    worker = attach(run, tell=told)
    digest = worker.put(HEADER, memoryview(data))
    buffer, offset = worker.map(digest, HEADER, len(data))
    files(store)[0].unlink()

    assert data == bytes(buffer[offset:])
    assert None is value_of(worker, digest, len(data))
    assert [] == told


@pytest.mark.contract("F23")
def test_a_reader_keeps_its_map_while_others_remove_and_put(run: StoreRun, store: Path) -> None:
    """The file it has is never shortened or written."""
    data = os.urandom(LARGE)
    digest = run.blobs.put(HEADER, memoryview(data))
    buffer, offset = attach(run).map(digest, HEADER, LARGE)

    def disturb() -> None:
        blobs_ = attach(run)
        for i in range(20):
            file = files(store)[0]
            if i % 2:
                file.unlink()
            else:
                file.rename(store / "v1" / "corrupt" / f"{i}")
            blobs_.put(HEADER, memoryview(data))

    assert 0 == in_child(disturb)
    assert data == bytes(buffer[offset:])


@pytest.mark.contract("F23", "F28")
def test_a_published_file_is_never_replaced_nor_written_again(run: StoreRun, store: Path, data: bytes) -> None:
    """Whoever puts an equal array leaves the file that is there: a reader elsewhere would get ESTALE, or SIGBUS."""
    run.blobs.put(HEADER, memoryview(data))
    (file,) = files(store)
    os.utime(file, ns=(1, 1))
    before = file.stat().st_ino, file.stat().st_mtime_ns
    for durable in (False, True):
        attach(run, durable=durable).put(HEADER, memoryview(data))

    assert before == (file.stat().st_ino, file.stat().st_mtime_ns)


@pytest.mark.contract("F16")
def test_processes_may_put_the_same_arrays_at_once(run: StoreRun, store: Path) -> None:
    """Every one of them gets the same names, and every file is whole."""
    arrays = [bytes([i]) * (SMALL + i) for i in range(40)]
    expected = [blake3(HEADER + array).digest() for array in arrays]

    def put_all() -> None:
        mine = attach(run)
        assert expected == [mine.put(HEADER, memoryview(array)) for array in arrays]

    codes = in_children(put_all, 3)
    reader = attach(run)

    assert [0, 0, 0] == codes
    assert arrays == [value_of(reader, digest, len(array)) for digest, array in zip(expected, arrays, strict=True)]
    assert [] == files(store, "tmp")


@pytest.mark.contract("S5", "S6")
@pytest.mark.parametrize("what", ["link", "dangling link", "fifo", "directory", "other content"])
def test_something_planted_at_a_final_name_is_put_aside(run: StoreRun, store: Path, tmp_path: Path, what: str) -> None:
    """It is never followed or written through, and the array gets its name."""
    data = os.urandom(SMALL)
    digest = blake3(HEADER + data).digest()
    name = Path(run._store.layout.blob(digest))
    name.parent.mkdir(mode=0o700)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"other")
    plant(name, what, elsewhere)
    run.blobs.put(HEADER, memoryview(data))

    assert data == value_of(attach(run), digest, SMALL)
    assert name.is_file()
    assert not name.is_symlink()
    assert b"other" == elsewhere.read_bytes()


def plant(name: Path, what: str, elsewhere: Path) -> None:
    """Put something that is no array at the name of one."""
    if what == "link":
        name.symlink_to(elsewhere)
    elif what == "dangling link":
        name.symlink_to(elsewhere / "nowhere")
    elif what == "fifo":
        os.mkfifo(name)
    elif what == "directory":
        name.mkdir()
    else:
        name.write_bytes(b"short")


@pytest.mark.contract("S5", "S6")
def test_a_link_in_place_of_a_shard_is_refused(run: StoreRun, store: Path, tmp_path: Path) -> None:
    """Nothing is written where it leads."""
    data = os.urandom(SMALL)
    digest = blake3(HEADER + data).digest()
    shard = Path(run._store.layout.shard(digest))
    (tmp_path / "outside").mkdir()
    shard.symlink_to(tmp_path / "outside")
    with pytest.raises(StoreUnavailable):
        run.blobs.put(HEADER, memoryview(data))

    assert [] == list((tmp_path / "outside").iterdir())


class Predictable(Disk):
    """Names its drafts so that anyone can guess."""

    def token(self) -> str:
        return "0" * 32


@pytest.mark.contract("S6", "F16")
def test_a_planted_draft_is_not_written_through(run: StoreRun, store: Path, tmp_path: Path) -> None:
    """Even with a name that could be guessed: it must be created."""
    (tmp_path / "elsewhere").write_bytes(b"other")
    (store / "v1" / "tmp" / run.id / ("0" * 32)).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailable):
        attach(run, Predictable()).put(HEADER, memoryview(os.urandom(SMALL)))

    assert b"other" == (tmp_path / "elsewhere").read_bytes()


def test_no_links_means_rename(begin: Begin, store: Path, data: bytes) -> None:
    """On a filesystem that refuses links the array is published all the same, once."""
    run = begin(FaultyDisk(1, error=errno.EPERM, lasting=True, only=("link",)))
    digests = [run.blobs.put(HEADER, memoryview(data)), attach(run, run._store.disk).put(HEADER, memoryview(data))]

    assert 1 == len(set(digests))
    assert data == value_of(attach(run), digests[0], len(data))
    assert [] == files(store, "tmp")


@pytest.mark.contract("F28")
@pytest.mark.parametrize(("lasting", "found"), [(False, True), (True, False)])
def test_a_stale_handle_is_opened_once_more(run: StoreRun, data: bytes, lasting: bool, found: bool) -> None:
    """Then it is a miss, and the file is left alone."""
    digest = run.blobs.put(HEADER, memoryview(data))
    worker = attach(run, FaultyDisk(1, error=errno.ESTALE, lasting=lasting, only=("open",)))

    assert found == (value_of(worker, digest, len(data)) is not None)
    assert data == value_of(attach(run), digest, len(data))


@pytest.mark.contract("F28")
def test_a_network_filesystem_is_read_and_not_mapped(run: StoreRun) -> None:
    """Its files can be shortened under a map by another machine."""

    class Network(Disk):
        def network(self, path: object) -> bool:
            return True

    data = os.urandom(LARGE)
    digest = run.blobs.put(HEADER, memoryview(data))

    assert isinstance(attach(run, Network()).map(digest, HEADER, LARGE)[0], bytearray)


@pytest.mark.contract("F28")
def test_a_filesystem_without_maps_is_read(run: StoreRun) -> None:
    """What cannot be mapped is not gone: it would be computed again in every run."""
    data = os.urandom(LARGE)
    digest = run.blobs.put(HEADER, memoryview(data))
    worker = attach(run, FaultyDisk(1, error=errno.ENODEV, lasting=True, only=("map",)))

    assert data == value_of(worker, digest, LARGE)


def puts(run: StoreRun, data: bytes, code: int, n: int, only: tuple[str, ...]) -> Iterator[str]:
    """Put with the n-th writing call failing; yield what came of it."""
    told: list[FlowcoreWarning] = []
    disk = FaultyDisk(n, error=code, only=only)
    worker = attach(run, disk, durable=True, tell=told)
    try:
        worker.put(HEADER, memoryview(data))
    except StoreUnavailable:
        yield "refused"
        assert [StoreUnavailable] == [type(warning) for warning in told]
    else:
        yield "kept"
    if disk.count < n:
        yield "no such call"


@pytest.mark.contract("F19", "F20", "F21")
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EMFILE])
def test_a_failed_call_leaves_the_array_whole_or_absent(run: StoreRun, store: Path, data: bytes, code: int) -> None:
    """Each writing call in turn: never a partial file, never a draft, one warning with the reason."""
    only = (*WRITING, "open", "close")
    digest = blake3(HEADER + data).digest()
    n, outcome = 0, [""]
    while "no such call" not in outcome:
        n += 1
        outcome = list(puts(run, data, code, n, only))
        there = [file.read_bytes() for file in files(store)]

        assert there in ([], [HEADER + data]), f"call {n}"
        assert "kept" not in outcome or there, f"call {n}"
        for file in (*files(store), *files(store, "tmp")):
            file.unlink()
    assert n > 8
    assert digest == attach(run).put(HEADER, memoryview(data))


@pytest.mark.contract("F19")
def test_a_full_disk_is_told_once_and_tried_again(run: StoreRun, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the bytes needed and free; not before its pause is over; and then it works."""
    now = [1000.0]
    monkeypatch.setattr("flowcore.clock.monotonic", lambda: now[0])
    told: list[FlowcoreWarning] = []
    disk = FaultyDisk(1, error=errno.ENOSPC, only=("write",))
    worker = attach(run, disk, tell=told)
    data = memoryview(os.urandom(SMALL))
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            worker.put(HEADER, data)
    attempts = disk.count
    now[0] += 1.5
    worker.put(HEADER, data)

    assert 1 == attempts
    assert [f"{SMALL + 128} bytes needed"] == [str(w).split(": ")[2].split(",")[0] for w in told]
    assert "free" in str(told[0])
    assert 1 == len(files(store))


@pytest.mark.contract("F20")
def test_a_failed_fsync_is_never_repeated(run: StoreRun, store: Path) -> None:
    """The second one would succeed and prove nothing."""
    disk = FaultyDisk(1, error=errno.EIO, only=("fsync",))
    worker = attach(run, disk, durable=True)
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            worker.put(HEADER, memoryview(os.urandom(SMALL)))

    assert 1 == disk.count
    assert [] == files(store)


@pytest.mark.contract("F18")
def test_a_durable_array_is_synced_before_it_has_its_name(run: StoreRun, data: bytes) -> None:
    """And its directory before it counts as put."""
    disk = FaultyDisk(only=("fsync", "link", "write", "mkdir"))
    attach(run, disk, durable=True).put(HEADER, memoryview(data))
    steps = [call for call, _ in itertools.groupby(disk.log)]

    assert ["write", "fsync", "mkdir", "fsync", "link", "fsync"] == steps  # file; a new shard in arrays/; its name


@pytest.mark.contract("F38")
@pytest.mark.parametrize("part", ["", "v1", "v1/arrays", "v1/tmp"])
def test_a_store_removed_during_the_run_is_made_again(run: StoreRun, store: Path, data: bytes, part: str) -> None:
    """The array that comes next is kept in it."""
    run.blobs.put(HEADER, memoryview(data))
    DISK.rename(store / part, store.parent / "removed")
    digest = run.blobs.put(HEADER, memoryview(data + b"more"))

    assert data + b"more" == value_of(attach(run), digest, len(data) + 4)


# What the tests above must not accept.


def no_check(self: Blobs, buffer: bytearray, digest: bytes, header: bytes) -> None:
    """Trust the name."""


def check_of_the_data_alone(self: Blobs, buffer: bytearray, digest: bytes, header: bytes) -> None:
    """Leave the header out, as a digest of the array's data would."""
    if blake3(header + buffer[len(header) :]).digest() != digest:
        raise arrayfile.Unfit("data")


@pytest.mark.parametrize("sabotage", [no_check, check_of_the_data_alone])
def test_weak_checks_are_caught(run: StoreRun, store: Path, monkeypatch: pytest.MonkeyPatch, sabotage: object) -> None:
    """The saboteurs of F22."""
    monkeypatch.setattr(Blobs, "_check", sabotage)
    with pytest.raises(AssertionError):
        test_a_flipped_bit_is_found(run, store, os.urandom(SMALL), 60)
