"""Claims about store/fs.py: the calls are what they say, and a fake can take their place."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from flowcore.store.fs import CREATE, DISK, READ, Disk, read_all, write_all
from flowcore.testing import FaultyDisk
from flowcore.testing.disks import CALLS


class Hesitant(Disk):
    """Writes and reads seven bytes at a time."""

    def write(self, fd: int, data: object) -> int:
        return super().write(fd, memoryview(data)[:7])  # type: ignore[call-overload]

    def read_into(self, fd: int, buffer: memoryview, offset: int) -> int:
        return super().read_into(fd, buffer[:7], offset)


def test_short_writes_and_reads_are_gone_on_with(tmp_path: Path) -> None:
    """All of the data arrives, whatever a single call does."""
    disk, data = Hesitant(), os.urandom(1000)
    fd = disk.open(f"{tmp_path}/file", CREATE)
    write_all(disk, fd, data)
    found = read_all(disk, fd, 1000)
    disk.close(fd)

    assert data == found


def test_a_file_that_ends_early_is_no_content(tmp_path: Path) -> None:
    """Fewer bytes than asked for are never passed off as all of them."""
    (tmp_path / "file").write_bytes(b"four")
    fd = DISK.open(f"{tmp_path}/file")
    found = read_all(DISK, fd, 5)
    DISK.close(fd)

    assert found is None


@pytest.mark.contract("S6")
@pytest.mark.parametrize("flags", [READ, CREATE])
def test_a_planted_link_is_not_followed(tmp_path: Path, flags: int) -> None:
    """Neither for reading nor for writing."""
    (tmp_path / "elsewhere").write_bytes(b"other")
    (tmp_path / "name").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"links|exists"):
        DISK.open(f"{tmp_path}/name", flags)

    assert b"other" == (tmp_path / "elsewhere").read_bytes()


def test_a_planted_fifo_does_not_block(tmp_path: Path) -> None:
    """Opening it returns at once, and what it is can be seen."""
    os.mkfifo(tmp_path / "name")
    fd = DISK.open(f"{tmp_path}/name")
    kind = DISK.fstat(fd).st_mode
    DISK.close(fd)

    assert stat.S_ISFIFO(kind)


@pytest.mark.contract("F31")
def test_a_map_keeps_its_writes_to_itself(tmp_path: Path) -> None:
    """The file is the same afterwards, and so is another map of it."""
    (tmp_path / "file").write_bytes(bytes(5000))
    fd = DISK.open(f"{tmp_path}/file")
    mine, other = DISK.map(fd, 5000), DISK.map(fd, 5000)
    DISK.close(fd)
    mine[:3] = b"abc"

    assert bytes(5000) == other[:]
    assert bytes(5000) == (tmp_path / "file").read_bytes()


@pytest.mark.contract("S5")
@pytest.mark.parametrize("umask", [0, 0o077, 0o777])
def test_a_directory_is_for_its_user_alone(tmp_path: Path, umask: int) -> None:
    """Whatever the umask."""
    before = os.umask(umask)
    try:
        DISK.mkdir(f"{tmp_path}/made")
    finally:
        os.umask(before)

    assert 0o700 == stat.S_IMODE((tmp_path / "made").stat().st_mode)


def test_reserving_reports_a_full_disk_and_tolerates_old_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """ENOSPC is an error; a filesystem without the call is none."""

    def refuse(code: int) -> None:
        def call(*_: object) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "posix_fallocate", call)

    refuse(errno.EOPNOTSUPP)
    DISK.reserve(0, 10)
    refuse(errno.ENOSPC)
    with pytest.raises(OSError, match="space") as caught:
        DISK.reserve(0, 10)

    assert errno.ENOSPC == caught.value.errno


def test_the_faulty_disk_has_every_call() -> None:
    """A call added to Disk and forgotten there would go round every crash test."""
    not_files = {"token", "boot", "user", "free", "kind", "network", "executable"}
    calls = {name for name, value in vars(Disk).items() if callable(value) and not name.startswith("_")}

    assert calls - not_files == set(CALLS)


def test_the_faulty_disk_fails_where_it_is_told(tmp_path: Path) -> None:
    """Its n-th call, and no other unless it lasts."""
    disk = FaultyDisk(2, error=errno.EIO, only=("mkdir",))
    disk.mkdir(f"{tmp_path}/1")
    with pytest.raises(OSError, match="error"):
        disk.mkdir(f"{tmp_path}/2")
    disk.mkdir(f"{tmp_path}/3")

    assert ["1", "3"] == sorted(os.listdir(tmp_path))


def test_boots_and_tokens() -> None:
    """The boot id is the same for everyone, a token never is."""
    assert DISK.boot() == Disk().boot()
    assert 16 == len(DISK.boot())
    assert 100 == len({DISK.token() for _ in range(100)})
