"""Files in memory, behind the seam that all of flowcore's file access goes through."""

from __future__ import annotations

import errno
import itertools
import os
import stat
from typing import Final

from flowcore.store.fs import DISK, READ, Disk, PathLike

_FIRST: Final = 1 << 20  # no descriptor of the system is as large


class Shelf(Disk):
    """A disk for readers: what is put on it can be read, and nothing else is there. One thread."""

    def __init__(self, **files: bytes) -> None:
        self.files: dict[str, bytes] = dict(files)
        self.moved: list[str] = []  # names that were renamed or unlinked
        self._open: dict[int, bytes] = {}
        self._numbers = itertools.count(_FIRST)
        self._boot = DISK.boot()

    def open(self, path: PathLike, flags: int = READ, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
        if flags != READ:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        number = next(self._numbers)
        self._open[number] = self._content(path)
        return number

    def close(self, fd: int) -> None:
        del self._open[fd]

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        return self._open[fd][offset : offset + size]

    def read_into(self, fd: int, buffer: memoryview, offset: int) -> int:
        piece = self._open[fd][offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        return len(piece)

    def stat(self, path: PathLike, *, dir_fd: int | None = None) -> os.stat_result:
        return _told(len(self._content(path)))

    def fstat(self, fd: int) -> os.stat_result:
        return _told(len(self._open[fd]))

    def rename(self, source: PathLike, target: PathLike) -> None:
        self.moved.append(str(source))
        self.files[str(target)] = self.files.pop(str(source))

    def unlink(self, path: PathLike, *, dir_fd: int | None = None) -> None:
        self.moved.append(str(path))
        self.files.pop(str(path))

    def listdir(self, path: PathLike | int) -> list[str]:
        below = f"{path}/"
        return [name[len(below) :] for name in self.files if name.startswith(below) and "/" not in name[len(below) :]]

    def boot(self) -> bytes:
        return self._boot

    @property
    def leaked(self) -> int:
        """How many descriptors are open."""
        return len(self._open)

    def _content(self, path: PathLike) -> bytes:
        found = self.files.get(str(path))
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return found


_USER: Final = os.geteuid()


def _told(size: int) -> os.stat_result:
    return os.stat_result((stat.S_IFREG | 0o600, 1, 1, 1, _USER, _USER, size, 0, 0, 0))
