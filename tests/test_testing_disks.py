"""Claims about the disks and checks in flowcore.testing: sound ones pass, and each broken one is named."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.store.fs import CREATE, DISK, Disk
from flowcore.testing import FaultyDisk, RecordingDisk, check_codec, check_store
from tests.faults.operations import in_memory


def test_the_disk_conforms() -> None:
    """The real one does, and so does one without links; nothing stays behind."""
    with in_memory() as folder:
        check_store(folder)
        check_store(folder, disk=FaultyDisk(1, error=1, lasting=True, only=("link",)))

        assert [] == os.listdir(folder)


class Replacing(Disk):
    """Gives taken names away."""

    def link(self, source: Any, target: Any) -> None:
        os.replace(source, target)


class Forgetful(Disk):
    """Says that it has written, and has not, now and then."""

    count = 0

    def write(self, fd: int, data: Any) -> int:
        self.count += 1
        return len(data) if self.count % 9 == 0 else super().write(fd, data)


class Shared(Disk):
    """Opens what is there where a new file was asked for."""

    def open(self, path: Any, flags: int = 0, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
        return super().open(path, flags & ~os.O_EXCL, mode, dir_fd=dir_fd)


@pytest.mark.parametrize("broken", [Replacing, Forgetful, Shared])
def test_a_broken_disk_does_not_conform(broken: type[Disk], tmp_path: Path) -> None:
    """Each is found out."""
    with pytest.raises(AssertionError):
        check_store(tmp_path, disk=broken())

    assert [] == os.listdir(tmp_path)


@dataclass
class Mesh:
    """What a codec is registered for."""

    points: Any
    name: str

    __hash__ = None  # type: ignore[assignment]


def same(one: Any, other: Any) -> bool:
    """Compare meshes."""
    return bool(one.name == other.name and (one.points == other.points).all())


class Plain:
    """A type that has no encoding."""


class Lossy(Plain):
    """Its codec forgets the name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lossy) and self.name == other.name

    __hash__ = None  # type: ignore[assignment]


class Moody(Lossy):
    """Its codec never says the same twice."""


class Rooted(Lossy):
    """Its codec holds what cannot leave the process."""


class Trap(Lossy):
    """Its codec ends the process, for what others may have written."""


class Loose(Lossy):
    """Its codec makes something of everything."""


def sprung(parts: Any) -> Trap:
    """Leave, unless it is one of ours."""
    if not isinstance(parts, list) or not parts:
        raise SystemExit(3)
    return Trap(parts[0])


def rooted() -> Any:
    """Give a function that holds a lock."""
    lock = threading.Lock()
    return lambda it: [it.name] if lock else None


fc.register_codec(Rooted, name="tests.rooted", version="1", to=rooted(), back=lambda it: Rooted(it[0]))
fc.register_codec(Trap, name="tests.trap", version="1", to=lambda it: [it.name], back=sprung)
fc.register_codec(
    Loose, name="tests.loose", version="1", to=lambda it: [it.name], back=lambda it: Loose(it[0]) if it else it
)
fc.register_codec(Lossy, name="tests.lossy", version="1", to=lambda _: 1, back=lambda _: Lossy("one"))
fc.register_codec(
    Moody, name="tests.moody", version="1", to=lambda it: [it.name, os.urandom(8)], back=lambda it: Moody(it[0])
)


def test_codecs_conform() -> None:
    """Types that flowcore knows, and dataclasses of arrays, large and small."""
    check_codec(date(2026, 1, 1), date(2026, 1, 2))
    check_codec(*(Mesh(np.arange(n, dtype=float), name) for n in (3, 5000) for name in ("a", "b")), equal=same)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((Plain(),), "cannot be kept"),
        ((Lossy("one"), Lossy("two")), "came back as"),
        ((Moody("one"),), "another way"),
        ((Rooted("one"),), "cannot reach other processes"),
        ((Trap("one"),), "ends the process"),
        ((Loose("one"),), "should refuse it"),
        ((1.0, float("1")), "encoding of another value"),
    ],
)
def test_a_broken_codec_is_named(values: tuple[Any, ...], said: str) -> None:
    """What it does wrong is said, with the value."""
    with pytest.raises(AssertionError, match=said):
        check_codec(*values)


def test_what_was_synced_stays_and_what_was_not_may_not(tmp_path: Path) -> None:
    """File by file, name by name: a name without its directory's fsync may be missing, data without theirs anything."""
    disk = RecordingDisk(tmp_path)
    fd = disk.open(f"{tmp_path}/file", CREATE)
    disk.write(fd, b"12345678")
    before = {crash.files.get("file") for crash in disk.crashes()}
    disk.fsync(fd)
    disk.acknowledge("data")
    directory = disk.open(tmp_path, os.O_RDONLY)
    data = {crash.files.get("file") for crash in disk.crashes() if crash.acknowledged}
    disk.fsync(directory)
    disk.acknowledge("name")
    after = {crash.files.get("file") for crash in disk.crashes() if "name" in crash.acknowledged}
    disk.close(fd)
    disk.close(directory)

    assert {None, b"", b"1234", bytes(8), b"12345678"} < before
    assert {None, b"12345678"} == data
    assert {b"12345678"} == after


def test_two_files_may_be_in_states_of_their_own(tmp_path: Path) -> None:
    """A later file may be whole while an earlier one is not there, and the other way round."""
    disk = RecordingDisk(tmp_path)
    for name in ("one", "two"):
        fd = disk.open(f"{tmp_path}/{name}", CREATE)
        disk.write(fd, b"data")
        disk.close(fd)
    found = {(crash.files.get("one"), crash.files.get("two")) for crash in disk.crashes()}

    assert {(None, b"data"), (b"data", None), (b"", b"data"), (bytes(4), b"da"), (None, None)} <= found


def test_a_sync_after_a_failed_one_proves_nothing(tmp_path: Path) -> None:
    """The pages that it was for stay in doubt; what is written later can be synced."""
    disk = RecordingDisk(tmp_path, disk=FaultyDisk(1, error=5, only=("fsync",)))
    fd = disk.open(f"{tmp_path}/file", CREATE)
    disk.write(fd, b"lost")
    with pytest.raises(OSError, match="error"):
        disk.fsync(fd)
    disk.fsync(fd)
    disk.close(fd)
    *_, last = disk.crashes()
    states = [crash.files.get("file") for crash in disk.crashes() if crash.call == last.call] or [None]

    assert b"lost" == DISK.pread(os.open(tmp_path / "file", os.O_RDONLY), 4, 0)
    assert {b"", b"lost"} & set(states)
