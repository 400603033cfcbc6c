"""What a power loss may leave: every legal state of the disk after each call, from a record of the calls.

Owns the record, which goes by calls and not by time. What a filesystem promises stands in
`medium`: here any two files are in a state of their own, while all others are as new, or
as old, as they can be. For small files: all that was written is held in memory.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from flowcore.dataclass import dataclass
from flowcore.store.fs import CREATE, DISK, READ, Disk, PathLike, read_all, write_all
from flowcore.testing.medium import Directory, Model, Step, carry_out, states

if TYPE_CHECKING:
    from typing_extensions import Buffer


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """The disk as a power loss left it.

    Attributes
    ----------
    call : int
        How many calls had returned.
    name : str
        The last of them.
    acknowledged : tuple
        What :meth:`RecordingDisk.acknowledge` was told by then.
    files : mapping of str to bytes or None
        Content by path, relative to the recorded folder; None is a directory.
    """

    call: int
    name: str
    acknowledged: tuple[object, ...]
    files: Mapping[str, bytes | None]

    def place(self, folder: PathLike, *, disk: Disk = DISK) -> None:
        """Make the state real in an empty folder, for a fresh reader."""
        for path in sorted(self.files):
            content = self.files[path]
            if content is None:
                disk.mkdir(f"{folder}/{path}")
                continue
            fd = disk.open(f"{folder}/{path}", CREATE, 0o600)
            try:
                write_all(disk, fd, content)
            finally:
                disk.close(fd)


class RecordingDisk(Disk):
    r"""A disk that remembers what was done to the files in one folder.

    Parameters
    ----------
    folder : str or Path
        What is in it now counts as being on the medium.
    disk : Disk
        What carries the calls out, such as a :class:`FaultyDisk`.

    Examples
    --------
    A file that gets its name before it is synced may be found empty under that name:

    >>> import tempfile
    >>> from flowcore.store.fs import CREATE
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     disk = RecordingDisk(folder)
    ...     file = disk.open(f"{folder}/draft", CREATE)
    ...     disk.write(file, b"data")
    ...     disk.close(file)
    ...     disk.rename(f"{folder}/draft", f"{folder}/final")
    4
    >>> sorted({crash.files.get("final", b"nothing") for crash in disk.crashes()})[:3]
    [b'', b'\x00\x00\x00\x00', b'da']
    """

    def __init__(self, folder: PathLike, *, disk: Disk = DISK) -> None:
        self._folder = str(folder)
        self._disk = disk
        self._lock = threading.Lock()
        self._steps: list[Step] = []
        self._start: list[Step] = []
        self._model = Model()
        self._fds: dict[int, int] = {}
        self._at: dict[int, int | None] = {}  # where each descriptor stands; None: at the end
        self._remember("")

    def acknowledge(self, what: object) -> None:
        """Note that somebody was told, just now, that this is durable."""
        with self._lock:
            self._steps.append(("acknowledge", (what,)))

    def crashes(self, *, together: int = 2) -> Iterator[Crash]:
        """Yield every state that a power loss may leave, after each call; none of them twice in a row of calls.

        Parameters
        ----------
        together : int
            How many places at once are older than the rest, or newer.
        """
        model = Model()
        for step in self._start:
            carry_out(model, step)
        seen: set[frozenset[tuple[str, bytes | None]]] = set()
        acknowledged: tuple[object, ...] = ()
        for call, (name, facts) in enumerate((("nothing", ()), *self._steps)):
            if name == "acknowledge":
                acknowledged += facts
                seen.clear()
            else:
                carry_out(model, (name, facts))
            for files in states(model, together):
                state = frozenset(files.items())
                if state not in seen:
                    seen.add(state)
                    yield Crash(call=call, name=name, acknowledged=acknowledged, files=files)

    def open(self, path: PathLike, flags: int = READ, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
        """Open a file, and know it by its descriptor."""
        with self._lock:
            fd = self._disk.open(path, flags, mode, dir_fd=dir_fd)
            found = self._find(path, dir_fd)
            self._fds.pop(fd, None)
            if found is not None:
                parent, name = found
                if flags & os.O_CREAT and self._model.directory(parent).newest(name) is None:
                    self._do("create", parent, name)
                node = self._node(parent, name)
                if node is not None:
                    self._fds[fd], self._at[fd] = node, None if flags & os.O_APPEND else 0
        return fd

    def write(self, fd: int, data: Buffer) -> int:
        """Write where the file stands, and remember what arrived."""
        return self._put(fd, self._disk.write(fd, data), data, None)

    def pwrite(self, fd: int, data: Buffer, offset: int) -> int:
        """Write at an offset, and remember what arrived."""
        return self._put(fd, self._disk.pwrite(fd, data, offset), data, offset)

    def reserve(self, fd: int, size: int) -> None:
        """Claim room: until it is written it is zeros."""
        self._disk.reserve(fd, size)
        with self._lock:
            if fd in self._fds:
                length = len(self._model.file(self._fds[fd]).contents()[-1])
                if size > length:
                    self._do("write", self._fds[fd], length, bytes(size - length))

    def fsync(self, fd: int) -> None:
        """Wait for the medium; what it fails for is lost."""
        with self._lock:
            try:
                self._disk.fsync(fd)
            except OSError:
                if fd in self._fds:
                    self._do("fail", self._fds[fd])
                raise
            if fd in self._fds:
                self._do("settle", self._fds[fd])

    def sync_filesystem(self, fd: int) -> None:
        """Wait for all of it."""
        with self._lock:
            self._disk.sync_filesystem(fd)
            self._do("settle all")

    def link(self, source: PathLike, target: PathLike) -> None:
        """Give a second name."""
        with self._lock:
            self._disk.link(source, target)
            self._rename(source, target)

    def rename(self, source: PathLike, target: PathLike) -> None:
        """Move a file."""
        with self._lock:
            self._disk.rename(source, target)
            self._rename(source, target)
            self._name(source, None, None)

    def unlink(self, path: PathLike, *, dir_fd: int | None = None) -> None:
        """Remove a name."""
        with self._lock:
            self._disk.unlink(path, dir_fd=dir_fd)
            self._name(path, dir_fd, None)

    def mkdir(self, path: PathLike) -> None:
        """Make a directory."""
        with self._lock:
            self._disk.mkdir(path)
            found = self._find(path, None)
            if found is not None:
                self._do("mkdir", *found)

    def rmdir(self, path: PathLike, *, dir_fd: int | None = None) -> None:
        """Remove a directory."""
        with self._lock:
            self._disk.rmdir(path, dir_fd=dir_fd)
            self._name(path, dir_fd, None)

    def _do(self, name: str, *facts: object) -> None:
        self._steps.append((name, facts))
        carry_out(self._model, (name, facts))

    def _put(self, fd: int, count: int, data: Buffer, offset: int | None) -> int:
        with self._lock:
            if fd in self._fds:
                flat = bytes(memoryview(data).cast("B")[:count])
                at = self._at[fd] if offset is None else offset
                at = len(self._model.file(self._fds[fd]).contents()[-1]) if at is None else at
                self._do("write", self._fds[fd], at, flat)
                if offset is None and self._at[fd] is not None:
                    self._at[fd] = at + count
        return count

    def _rename(self, source: PathLike, target: PathLike) -> None:
        node = None if (found := self._find(source, None)) is None else self._node(*found)
        if node is not None:
            self._name(target, None, node)

    def _name(self, path: PathLike, dir_fd: int | None, node: int | None) -> None:
        found = self._find(path, dir_fd)
        if found is not None and self._node(*found) != node:
            self._do("name", *found, node)

    def _node(self, parent: int, name: str) -> int | None:
        return self._model.directory(parent).newest(name) if name else parent

    def _find(self, path: PathLike, dir_fd: int | None) -> tuple[int, str] | None:
        """Give directory and name of a path; None if it is not in the folder."""
        if dir_fd is not None:
            return None if dir_fd not in self._fds else (self._fds[dir_fd], str(path))
        if str(path) == self._folder:
            return 0, ""
        if not str(path).startswith(f"{self._folder}/"):
            return None
        *above, name = str(path)[len(self._folder) + 1 :].split("/")
        number = 0
        for part in above:
            child = self._model.directory(number).newest(part)
            if child is None or not isinstance(self._model.nodes[child], Directory):
                return None
            number = child
        return number, name

    def _remember(self, above: str) -> None:
        """Take in what is there already."""
        for name in sorted(self._disk.listdir(f"{self._folder}/{above}")):
            path = f"{self._folder}/{above}{name}"
            found = self._find(path, None)
            assert found is not None
            if self._disk.stat(path).st_mode & 0o170000 == 0o040000:
                self._do("mkdir", *found)
                self._remember(f"{above}{name}/")
            else:
                fd = self._disk.open(path)
                try:
                    content = bytes(read_all(self._disk, fd, self._disk.fstat(fd).st_size) or b"")
                finally:
                    self._disk.close(fd)
                self._do("create", *found)
                self._do("write", self._node(*found), 0, content)
        if not above:
            self._do("settle all")
            self._start, self._steps = self._steps, []
