"""Where a run's files lie: the store's filesystem and shared memory, tried out call by call.

Owns the checks of `flowcore doctor` that write. Everything is tried in a directory that
whoever calls has made and removes, with the calls that a run makes. Promises to judge by
what a run does without the call: links, locks and maps are missed, and not needed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from typing import Final

from flowcore import clock
from flowcore.cli.checked import FAIL, NOTE, Check, Grade, judged
from flowcore.machine import container
from flowcore.store.directory import open_store
from flowcore.store.fs import CREATE, DISK, READ, Disk, write_all
from flowcore.store.layout import exists, sync_directory
from flowcore.store.lock import RunLock
from flowcore.store.spool import SHARED_MEMORY

ROOMY: Final = 256 * 2**20  # bytes of shared memory that a run can do something with
FULL: Final = 256 * 2**20  # bytes below which a store is about to be full
SKEW: Final = 60.0  # seconds that the clock of a filesystem may differ from ours before somebody wonders
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
_LAYERED = frozenset({"overlay", "aufs"})
_WRITES = 5  # of a file, to see its times
_SECOND = 1_000_000_000  # nanoseconds
_PAGE = 4096  # bytes


def store(path: str, place: str, *, disk: Disk = DISK) -> Iterator[Check]:
    """Look at a store, or where it will be; `place` is the nearest directory that is there."""
    opened = open_store(path, disk=disk)
    if opened.trouble is not None:
        yield Check(name="store", found=f"{path}: {opened.trouble.reason}", grade=FAIL, advice=opened.trouble.remedy)
    kind, free = disk.kind(place) or "unknown", disk.free(place)
    advice = _of_filesystem(disk, kind, place, free)
    found = f"{place}: {kind}, {free / 2**30:.1f} GiB free"
    yield judged("filesystem", found, unless=bool(advice), grade=NOTE, advice=advice)


def _of_filesystem(disk: Disk, kind: str, place: str, free: int) -> str:
    if free < FULL:
        return "Once it is full, results are no longer kept. flowcore cache gc makes room."
    if disk.network(place):
        return "Over a network arrays are read instead of mapped, and locks may not reach other hosts."
    if kind in _IN_MEMORY:
        return "It is in memory: gone when the machine starts anew, and taken from what cells may have."
    if kind in _LAYERED and container():
        return "What is kept in a container's own files goes with it. Mount a volume, and name it: --store"
    return ""


def probes(directory: str, *, disk: Disk = DISK) -> Iterator[Check]:
    """Try the calls of a run in an empty directory."""
    for what, (how, grade, advice) in _PROBES.items():
        try:
            found, sound = "works", how(disk, directory)
        except OSError as error:
            found, sound = error.strerror or type(error).__name__, False
        yield judged(what, found if sound or found != "works" else "does not do what it says",
                     unless=not sound, grade=grade, advice=advice)  # fmt: skip
    yield _times(disk, directory)


def shared_memory(*, disk: Disk = DISK) -> Check:
    """Look at the place where arrays are handed over, and use it."""
    advice = "Results on their way to other cells go by disk instead, which takes longer."
    try:
        free, kind = disk.free(SHARED_MEMORY), disk.kind(SHARED_MEMORY) or "unknown"
        programs = "" if disk.executable(SHARED_MEMORY) else ", noexec (runs nothing from there)"
        with tempfile.TemporaryDirectory(dir=SHARED_MEMORY, prefix="flowcore-doctor-") as directory:
            works = _maps(disk, directory) and _reserves(disk, directory)
    except OSError as error:
        found = f"{SHARED_MEMORY}: {error.strerror or type(error).__name__}"
        return Check(name="shared memory", found=found, grade=NOTE, advice=advice)
    found = f"{free / 2**30:.2f} GiB free, {kind}{programs}"
    if not works:
        return Check(name="shared memory", found=f"{found}: cannot be mapped", grade=NOTE, advice=advice)
    advice = (
        f"{advice} {'docker run --shm-size=1g' if container() else 'mount -o remount,size=1g /dev/shm'} makes room."
    )
    return judged("shared memory", found, unless=free < ROOMY, grade=NOTE, advice=advice)


# ---- inside ----------------------------------------------------------------------


def _file(disk: Disk, path: str, content: bytes = b"flowcore") -> str:
    fd = disk.open(path, CREATE)
    try:
        write_all(disk, fd, content)
    finally:
        disk.close(fd)
    return path


def _renames(disk: Disk, directory: str) -> bool:
    disk.rename(_file(disk, f"{directory}/drafted"), f"{directory}/named")
    return exists(disk, f"{directory}/named") and not exists(disk, f"{directory}/drafted")


def _links(disk: Disk, directory: str) -> bool:
    source = _file(disk, f"{directory}/linked")
    disk.link(source, f"{directory}/second")
    try:
        disk.link(source, f"{directory}/second")
    except FileExistsError:
        return True
    return False


def _locks(disk: Disk, directory: str) -> bool:
    """One at a time, and the next as soon as the first has let go."""
    first, second = (RunLock(f"{directory}/lock", disk=disk) for _ in range(2))
    try:
        alone = first.take() and not second.take()
        first.release()
        return alone and second.take()
    finally:
        first.release()
        second.release()


def _maps(disk: Disk, directory: str) -> bool:
    """What is written to the memory stays there."""
    fd = disk.open(_file(disk, f"{directory}/mapped", bytes(_PAGE)), READ)
    try:
        with disk.map(fd, _PAGE) as memory:
            memory[0:1] = b"F"
            return bytes(memory[:2]) == b"F\0" and disk.pread(fd, 2, 0) == bytes(2)
    finally:
        disk.close(fd)


def _reserves(disk: Disk, directory: str) -> bool:
    """A full disk is known before the first byte is written."""
    fd = disk.open(f"{directory}/reserved", CREATE)
    try:
        disk.reserve(fd, _PAGE)
        return True
    finally:
        disk.close(fd)


def _syncs(disk: Disk, directory: str) -> bool:
    fd = disk.open(_file(disk, f"{directory}/synced"), READ)
    try:
        disk.fsync(fd)
    finally:
        disk.close(fd)
    sync_directory(disk, directory)
    return True


def _times(disk: Disk, directory: str) -> Check:
    """See how fine the times of files are, and how far they are from our clock."""
    seen = []
    fd = disk.open(f"{directory}/timed", CREATE)
    try:
        for _ in range(_WRITES):
            write_all(disk, fd, b"flowcore")
            seen.append(disk.fstat(fd).st_mtime_ns)
        ahead = seen[-1] / 1e9 - clock.wall()
    finally:
        disk.close(fd)
    steps = "finer than a second" if any(time % _SECOND for time in seen) else "in whole seconds"
    return judged(
        "file times", f"{steps}, {abs(ahead):.1f} s from this clock", unless=abs(ahead) > SKEW, grade=NOTE,
        advice="The machine that keeps the files has another time: set both by NTP, so that ages are told right.",
    )  # fmt: skip


_PROBES: dict[str, tuple[Callable[[Disk, str], bool], Grade, str]] = {
    "rename": (_renames, FAIL, "Results cannot be published in one step. Put the store on another filesystem: --store"),
    "link": (_links, NOTE, "Results are published by renaming instead, and two runs may write the same one twice."),
    "lock": (_locks, NOTE, "Runs cannot see which others live: work may be done twice, leftovers stay until tomorrow."),
    "mmap": (_maps, NOTE, "Arrays are read instead of mapped, which takes memory in each worker."),
    "reserve": (_reserves, FAIL, "Room for a file cannot be claimed, so that nothing can be kept: --store"),
    "fsync": (_syncs, FAIL, "What was written cannot be made safe, and a run stops keeping results: --store"),
}
