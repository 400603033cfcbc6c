"""The removal of files from a store.

Owns every way in which `gc` and `clear` remove something. Promises the rules of contract
T3: inside a directory that was opened and is one of ours, by the whole name, no link
followed, never a directory that holds anything else and never the root (S12). A file that
somebody has mapped stays readable for him. What cannot be removed stays, uncounted.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable

from flowcore.dataclass import dataclass
from flowcore.store.fs import DIRECTORY, Disk


@dataclass(slots=True)
class Removed:
    """How much was removed, or would be."""

    files: int = 0
    bytes: int = 0

    def add(self, other: Removed) -> None:
        """Count these too."""
        self.files += other.files
        self.bytes += other.bytes


class Sweeper:
    """Removes files, or only counts what it would remove.

    Parameters
    ----------
    disk : Disk
        Where.
    only_count : bool
        Remove nothing.
    """

    def __init__(self, disk: Disk, *, only_count: bool = False) -> None:
        self._disk = disk
        self.only_count = only_count
        self._counted: set[tuple[int, str]] = set()  # what would be gone, so that it counts once

    def remove(self, directory: str, names: Iterable[str]) -> Removed:
        """Remove files of these names in a directory."""
        removed = Removed()
        fd = self._opened(directory)
        if fd < 0:
            return removed
        try:
            for name in names:
                self._remove(fd, name, removed)
        finally:
            self._disk.close(fd)
        return removed

    def matching(
        self, directory: str, pattern: re.Pattern[str], *, may: Callable[[os.stat_result], bool] = lambda _: True
    ) -> Removed:
        """Remove the files in a directory whose whole name matches, if they may go."""
        removed = Removed()
        fd = self._opened(directory)
        if fd < 0:
            return removed
        try:
            for name in filter(pattern.fullmatch, sorted(self._disk.listdir(fd))):
                self._remove(fd, name, removed, may)
        except OSError:
            return removed
        finally:
            self._disk.close(fd)
        return removed

    def below(self, parent: str, child: re.Pattern[str], pattern: re.Pattern[str]) -> Removed:
        """Remove the matching files in all matching directories of another one, and those that are empty then."""
        removed = Removed()
        for name in self.names(parent, child):
            removed.add(self.matching(f"{parent}/{name}", pattern))
            self.drop_empty(f"{parent}/{name}")
        return removed

    def names(self, directory: str, pattern: re.Pattern[str]) -> list[str]:
        """List what matches in a directory."""
        fd = self._opened(directory)
        if fd < 0:
            return []
        try:
            return sorted(filter(pattern.fullmatch, self._disk.listdir(fd)))
        except OSError:
            return []
        finally:
            self._disk.close(fd)

    def drop_empty(self, directory: str) -> None:
        """Remove a directory if it is empty."""
        if self.only_count:
            return
        try:
            self._disk.rmdir(directory)
        except OSError:
            return

    def _opened(self, directory: str) -> int:
        try:
            fd = self._disk.open(directory, DIRECTORY)
        except OSError:
            return -1
        if self._disk.fstat(fd).st_uid == self._disk.user():
            return fd
        self._disk.close(fd)
        return -1

    def _remove(
        self, fd: int, name: str, removed: Removed, may: Callable[[os.stat_result], bool] = lambda _: True
    ) -> None:
        try:
            found = self._disk.stat(name, dir_fd=fd)
            if not stat.S_ISREG(found.st_mode) or not may(found):
                return
            if self.only_count:
                if (found.st_ino, name) in self._counted:
                    return
                self._counted.add((found.st_ino, name))
            else:
                self._disk.unlink(name, dir_fd=fd)
        except OSError:
            return
        removed.files += 1
        removed.bytes += found.st_size
