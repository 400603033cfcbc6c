"""Claims about store/spool.py: handed over while the run lives, and nothing afterwards."""

from __future__ import annotations

import errno
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from flowcore.errors import StoreUnavailable
from flowcore.plan.encode import ValueGone
from flowcore.store import spool as spool_room
from flowcore.store.fs import DISK, Disk
from flowcore.store.leftovers import tidy_spools
from flowcore.store.spool import Spool
from flowcore.testing import FaultyDisk
from flowcore.testing.disks import WRITING
from tests.store.children import in_child

HEADER = b"H" * 128
SIZE = 3000


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a directory of the test's own stand for shared memory, and another for temporary files."""
    for name in ("memory", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(spool_room, "SHARED_MEMORY", str(tmp_path / "memory"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    return tmp_path / "memory"


@pytest.fixture
def spool(memory: Path, tmp_path: Path) -> Iterator[Spool]:
    """Give a spool with a fallback."""
    (tmp_path / "fallback").mkdir()
    made = Spool.create(fallback=str(tmp_path / "fallback"), disk=DISK)
    yield made
    made.sweep()


def arrays(directory: str | Path) -> list[str]:
    """Name the arrays in a directory."""
    return sorted(name for name in os.listdir(directory) if name.endswith(".npy"))


@pytest.mark.parametrize("size", [SIZE, 2 << 20])
def test_what_is_put_can_be_mapped_by_another_process(spool: Spool, size: int) -> None:
    """Under its digest, as private memory."""
    data = os.urandom(size)
    digest = spool.put(HEADER, memoryview(data))
    other = Spool.attach(spool.path, fallback=spool.fallback, disk=DISK)
    buffer, offset = other.map(digest, HEADER, size)
    buffer[offset] ^= 1
    again, offset = other.map(digest, HEADER, size)

    assert blake3(HEADER + data).digest() == digest
    assert data == bytes(again[offset:])


def test_a_discarded_array_is_gone(spool: Spool) -> None:
    """For those who come later; who has it keeps it."""
    data = os.urandom(2 << 20)
    digest = spool.put(HEADER, memoryview(data))
    buffer, offset = spool.map(digest, HEADER, len(data))
    spool.set_aside(digest)
    spool.set_aside(digest)

    assert data == bytes(buffer[offset:])
    with pytest.raises(ValueGone):
        spool.map(digest, HEADER, len(data))


@pytest.mark.parametrize(("header", "size"), [(b"h" * 128, SIZE), (HEADER, SIZE - 1)])
def test_another_array_than_recorded_is_gone(spool: Spool, header: bytes, size: int) -> None:
    """Header and size have to agree."""
    digest = spool.put(HEADER, memoryview(bytes(SIZE)))
    with pytest.raises(ValueGone):
        spool.map(digest, header, size)


@pytest.mark.contract("F24")
@pytest.mark.parametrize("call", ["open", "reserve", "write", "close"])
def test_a_full_memory_falls_back_to_the_store(spool: Spool, call: str) -> None:
    """The array is found there, and nothing half-written stays."""
    data = os.urandom(2 << 20)
    disk = FaultyDisk(1, error=errno.ENOSPC, only=(call,))
    digest = Spool(spool.path, fallback=spool.fallback, disk=disk).put(HEADER, memoryview(data))
    buffer, offset = spool.map(digest, HEADER, len(data))

    assert data == bytes(buffer[offset:])
    assert [] == arrays(spool.path)
    assert [f"{digest.hex()}.npy"] == os.listdir(spool.fallback)


@pytest.mark.contract("F24", "F19")
def test_no_room_anywhere_is_an_error_that_says_how_much(spool: Spool) -> None:
    """The value can then go by another way."""
    disk = FaultyDisk(1, error=errno.ENOSPC, lasting=True, only=("write",))
    with pytest.raises(StoreUnavailable, match="3128 bytes needed"):
        Spool(spool.path, fallback=spool.fallback, disk=disk).put(HEADER, memoryview(bytes(SIZE)))

    assert [] == arrays(spool.path) + os.listdir(spool.fallback)


@pytest.mark.contract("F24")
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
def test_a_real_small_memory_falls_back(spool: Spool, tmp_path: Path) -> None:
    """A tmpfs of 1 MiB says so before the first byte, not by a signal."""
    small = tmp_path / "small"
    small.mkdir()
    if os.system(f"mount -t tmpfs -o size=1m none {small} 2>/dev/null"):
        pytest.skip("mounting is not allowed here")
    try:
        (small / "spool").mkdir(mode=0o700)
        tight = Spool(str(small / "spool"), fallback=spool.fallback, disk=DISK)
        one, two = (tight.put(HEADER, memoryview(bytes([i]) * (700 << 10))) for i in (1, 2))
        places = [arrays(small / "spool"), arrays(spool.fallback)]
    finally:
        os.system(f"umount {small}")

    assert [[f"{one.hex()}.npy"], [f"{two.hex()}.npy"]] == places


@pytest.mark.contract("S5")
@pytest.mark.parametrize("umask", [0, 0o077])
def test_the_directory_is_private_and_cannot_be_guessed(memory: Path, umask: int) -> None:
    """0700 whatever the umask, and a new name each time."""
    before = os.umask(umask)
    try:
        made = [Spool.create(fallback="x", disk=DISK) for _ in range(2)]
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(os.stat(each.path).st_mode) for each in made}
    names = {each.path for each in made}
    for each in made:
        each.sweep()

    assert {0o700} == modes
    assert 2 == len(names)
    assert [] == os.listdir(memory)


@pytest.mark.contract("S5")
@pytest.mark.parametrize("what", ["link", "open to others", "foreign"])
def test_a_place_that_is_not_the_engines_is_refused(memory: Path, tmp_path: Path, what: str) -> None:
    """A worker does not use what somebody else put there."""
    place = tmp_path / "place"
    disk = FaultyDisk()
    if what == "link":
        (tmp_path / "target").mkdir(mode=0o700)
        place.symlink_to(tmp_path / "target")
    else:
        place.mkdir(mode=0o700)
    if what == "open to others":
        place.chmod(0o755)
    if what == "foreign":
        disk.user = lambda: 4242  # type: ignore[method-assign]

    with pytest.raises(PermissionError):
        Spool.attach(str(place), fallback="x", disk=disk)


@pytest.mark.contract("F24", "F17")
def test_a_dead_owners_spool_is_removed_and_a_living_ones_is_not(memory: Path) -> None:
    """By the lock: the kernel lets go of it when the owner is killed."""

    def own_and_die() -> None:
        Spool.create(fallback="x", disk=DISK).put(HEADER, memoryview(bytes(SIZE)))
        os.kill(os.getpid(), signal.SIGKILL)

    living = Spool.create(fallback="x", disk=DISK)
    status = in_child(own_and_die)
    before = len(os.listdir(memory))
    tidy_spools(DISK, (str(memory),))
    after = os.listdir(memory)
    living.sweep()

    assert -signal.SIGKILL == status
    assert 2 == before
    assert [os.path.basename(living.path)] == after


@pytest.mark.contract("S12")
def test_tidying_leaves_what_is_not_ours(memory: Path, tmp_path: Path) -> None:
    """Other names, links, and other files in a dead spool."""
    dead = memory / f"flowcore-{'a' * 32}"
    dead.mkdir(mode=0o700)
    (dead / "lock").touch()
    (dead / "precious").write_bytes(b"other")
    (dead / f"{'b' * 64}.npy").touch()
    (memory / "flowcore-notes").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "lock").touch()
    (memory / f"flowcore-{'c' * 32}").symlink_to(tmp_path / "home")
    tidy_spools(DISK, (str(memory),))

    assert ["precious"] == os.listdir(dead)
    assert ["lock"] == os.listdir(tmp_path / "home")
    assert (memory / "flowcore-notes").is_dir()


@pytest.mark.contract("S5")
def test_a_spool_taken_for_a_leftover_is_made_again(memory: Path) -> None:
    """Another run may see it before its lock is taken; the maker then uses another name, for itself alone."""

    class Hasty(FaultyDisk):
        """Every first directory is tidied away before anything is in it."""

        def mkdir(self, path: object) -> None:
            DISK.mkdir(str(path))
            if self.count == 0:
                tidy_spools(DISK, (str(memory),))
            self.count += 1

    made = Spool.create(fallback="x", disk=Hasty())
    left, mode = os.listdir(memory), stat.S_IMODE(os.stat(made.path).st_mode)
    made.sweep()

    assert [os.path.basename(made.path)] == left
    assert 0o700 == mode


@pytest.mark.contract("F24", "F21")
def test_without_a_store_temporary_files_are_the_fallback(memory: Path, tmp_path: Path) -> None:
    """A worker finds the same place, and sweeping empties both."""
    made = Spool.create(fallback="", disk=DISK)
    worker = Spool.attach(made.path, fallback="", disk=FaultyDisk(1, error=errno.ENOSPC, only=("write",)))
    digest = worker.put(HEADER, memoryview(bytes(SIZE)))
    found = made.map(digest, HEADER, SIZE)
    made.sweep()

    assert HEADER + bytes(SIZE) == bytes(found[0])
    assert [] == os.listdir(memory) + os.listdir(tmp_path / "temporary")


@pytest.mark.contract("F24")
def test_without_shared_memory_temporary_files_serve(tmp_path: Path, memory: Path) -> None:
    """As on systems that have no /dev/shm."""
    memory.rmdir()
    made = Spool.create(fallback="", disk=DISK)
    digest = made.put(HEADER, memoryview(bytes(SIZE)))
    found = made.map(digest, HEADER, SIZE)
    parent = Path(made.path).parent
    made.sweep()

    assert tmp_path / "temporary" == parent
    assert HEADER + bytes(SIZE) == bytes(found[0])


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EMFILE])
def test_a_failed_call_leaves_the_array_whole_or_absent(spool: Spool, code: int) -> None:
    """Each writing call in turn."""
    data = os.urandom(SIZE)
    for n in range(1, 12):
        spool_ = Spool(spool.path, fallback="", disk=FaultyDisk(n, error=code, only=(*WRITING, "open", "close")))
        try:
            digest = spool_.put(HEADER, memoryview(data))
        except StoreUnavailable:
            assert [] == arrays(spool.path), f"call {n}"
        else:
            assert HEADER + data == bytes(spool.map(digest, HEADER, SIZE)[0]), f"call {n}"
            spool.set_aside(digest)


@pytest.mark.contract("F24", "P6")
def test_the_lock_of_a_spool_is_removed_last(memory: Path) -> None:
    """Whoever is killed while tidying leaves what the next one still knows for a leftover."""
    dead = memory / f"flowcore-{'a' * 32}"
    dead.mkdir(mode=0o700)
    for name in ("lock", "verified", f"{'b' * 64}.npy", f"{'0' * 64}.npy"):
        (dead / name).touch()
    removed: list[str] = []

    class Spy(Disk):
        def unlink(self, path: str | Path, *, dir_fd: int | None = None) -> None:
            removed.append(str(path))
            super().unlink(path, dir_fd=dir_fd)

    tidy_spools(Spy(), (str(memory),))

    assert "lock" == removed[-1]
    assert 4 == len(removed)
    assert [] == os.listdir(memory)
