"""What dead runs left behind, and how it is removed.

Owns the judgement that a run is dead, and removal in `tmp/` and of spools. Removes only
what bears our names, inside a directory it has opened, without following links; never
by a prefix alone, never a root, and nothing of a run that may live (contract T1-T3,
S12). What cannot be removed stays: tidying never fails a run.
"""

from __future__ import annotations

import re
import stat
from typing import Final

from flowcore.store.frames import open_journal
from flowcore.store.fs import DIRECTORY, Disk, end_reading
from flowcore.store.layout import GC, RUN_ID, Layout, exists
from flowcore.store.lock import RunLock

DRAFT_NAME: Final = re.compile(r"[0-9a-f]{32}")
WORK_NAME: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}\.npy|verified|stop")
SPOOL_NAME: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}\.npy|lock|verified|stop")
SPOOL_DIRECTORY: Final = re.compile(r"flowcore-[0-9a-f]{32}")
AGE: Final = 24 * 3600.0  # seconds without growth after which a run of another boot is dead


def tidy_workplaces(disk: Disk, layout: Layout, run_id: str) -> None:
    """Remove the parts of `tmp/` whose runs are dead; `run_id` is the run that has just made its own."""
    try:
        now = disk.stat(layout.workplace(run_id)).st_mtime  # by the filesystem's own clock (F27)
        names = disk.listdir(layout.tmp)
    except OSError:
        return
    if GC in names:
        _tidy_after_gc(disk, layout)
    for name in names:
        path = f"{layout.tmp}/{name}"
        if DRAFT_NAME.fullmatch(name) and _older(disk, path, now):
            _unlink(disk, path)
        elif RUN_ID.fullmatch(name) and name != run_id:
            if is_dead(disk, layout, name, now):
                empty_directory(disk, path, WORK_NAME)
            elif not _held(disk, layout, name):
                # Perhaps left before its journal was whole. If it is being made just now, or its
                # run is on another machine, that run makes it again before it writes there.
                _remove_empty(disk, path)


def _tidy_after_gc(disk: Disk, layout: Layout) -> None:
    """Remove what a killed gc left, unless another one is at work."""
    lock = RunLock(layout.gc_lock, disk=disk)
    try:
        taken = lock.take()
    except OSError:
        return
    if taken:
        empty_directory(disk, layout.workplace(GC), WORK_NAME)
        lock.release()


def is_dead(disk: Disk, layout: Layout, run_id: str, now: float) -> bool:
    """Tell whether a run has certainly ended.

    Under our boot its lock says so. Under another boot id it may be a machine that
    shares this directory, whose locks we cannot trust to see: then its journal must not
    have grown for a day. A run without a journal is judged by its directory, with its
    lock free, since there is nothing else.
    """
    opened = open_journal(disk, layout.journal(run_id))
    if opened is None:
        return not _held(disk, layout, run_id) and _older(disk, layout.workplace(run_id), now)
    fd, header = opened
    end_reading(disk, fd)
    if header.boot == disk.boot() and any(header.boot):
        return RunLock(layout.lock(run_id), disk=disk).abandoned()
    return _older(disk, layout.journal(run_id), now)


def _held(disk: Disk, layout: Layout, run_id: str) -> bool:
    lock = RunLock(layout.lock(run_id), disk=disk)
    return exists(disk, lock.path) and not lock.abandoned()


def tidy_spools(disk: Disk, parents: tuple[str, ...]) -> None:
    """Remove this user's spools in `parents` whose owners are dead.

    These directories do not outlive a boot, so a lock that can be taken is proof. One
    without a lock file is removed if it is empty: it was left between its making and
    its locking, or it is being made just now, and then its maker makes another.
    """
    for parent in parents:
        try:
            names = disk.listdir(parent)
        except OSError:
            continue
        for name in filter(SPOOL_DIRECTORY.fullmatch, names):
            _tidy_spool(disk, f"{parent}/{name}")


def _tidy_spool(disk: Disk, path: str) -> None:
    try:
        found = disk.stat(path)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != disk.user():
            return
        if not exists(disk, f"{path}/lock"):
            disk.rmdir(path)
            return
    except OSError:
        return
    if RunLock(f"{path}/lock", disk=disk).abandoned():
        empty_directory(disk, path, SPOOL_NAME)


def empty_directory(disk: Disk, path: str, names: re.Pattern[str]) -> None:
    """Remove the files of these names in a directory, and the directory if nothing else is in it."""
    try:
        fd = disk.open(path, DIRECTORY)
        try:
            # The lock goes last: a spool that has none, and is not empty, may be one that is being made.
            for name in sorted(filter(names.fullmatch, disk.listdir(fd)), key="lock".__eq__):
                _unlink(disk, name, dir_fd=fd)
        finally:
            end_reading(disk, fd)
    except OSError:
        return
    _remove_empty(disk, path)


def _remove_empty(disk: Disk, path: str) -> None:
    try:
        disk.rmdir(path)
    except OSError:
        return


def _unlink(disk: Disk, path: str, *, dir_fd: int | None = None) -> None:
    try:
        disk.unlink(path, dir_fd=dir_fd)
    except OSError:
        return


def _older(disk: Disk, path: str, now: float) -> bool:
    try:
        return now - disk.stat(path).st_mtime > AGE
    except OSError:
        return False
