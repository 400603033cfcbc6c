"""The only calls to the operating system's files.

Everything in this package takes a :class:`Disk`. The real one adds nothing but flags
that are always right: descriptors are closed on exec, the last component of a path is
never followed if it is a link. A subclass that fails, or dies, at its n-th call is how
crash safety is tested (contract H2, H4), so no room may go round this one.

Only :meth:`Disk.token` and :meth:`Disk.boot` are not about files: they are here because
names of new files and the age of locks depend on them.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from typing_extensions import Buffer

PathLike: TypeAlias = str | Path

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a planted FIFO must not block the open
CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
UPDATE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
LOCK = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs", "pvfs2"})
_NOT_OFFERED = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.ENODEV})

_NO_MAPS = _NOT_OFFERED | {errno.EACCES, errno.EPERM}


class PrivateMap(mmap.mmap):
    """A file in memory whose writes stay there. Only :meth:`Disk.map` makes these, so they are known by their class."""


class Disk:
    """The operating system's files, one small method a call. Any thread."""

    def open(self, path: PathLike, flags: int = READ, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
        """Open a file; `flags` are READ, CREATE, APPEND, UPDATE or DIRECTORY."""
        return os.open(path, flags, mode, dir_fd=dir_fd)

    def close(self, fd: int) -> None:
        """Close a descriptor; an error counts, since NFS reports lost writes here."""
        os.close(fd)

    def write(self, fd: int, data: Buffer) -> int:
        """Write some of `data` where the file stands; give how much."""
        return os.write(fd, data)

    def pwrite(self, fd: int, data: Buffer, offset: int) -> int:
        """Write some of `data` at `offset`; give how much."""
        return os.pwrite(fd, data, offset)

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """Read up to `size` bytes at `offset`."""
        return os.pread(fd, size, offset)

    def read_into(self, fd: int, buffer: memoryview, offset: int) -> int:
        """Read into `buffer` from `offset`; give how much."""
        return os.preadv(fd, [buffer], offset)

    def map(self, fd: int, size: int) -> PrivateMap:
        """Map a file so that writing to the memory never reaches the file."""
        if sys.version_info >= (3, 13):
            return PrivateMap(fd, size, access=mmap.ACCESS_COPY, trackfd=False)
        return PrivateMap(fd, size, access=mmap.ACCESS_COPY)

    def reserve(self, fd: int, size: int) -> None:
        """Claim the room a file needs, so that a full disk is an error and not a signal."""
        try:
            os.posix_fallocate(fd, 0, size)
        except OSError as error:
            if error.errno not in _NOT_OFFERED:
                raise

    def fsync(self, fd: int) -> None:
        """Wait until a file or directory is on the medium."""
        os.fsync(fd)

    def sync_filesystem(self, fd: int) -> None:
        """Wait until all of the filesystem that holds `fd` is on the medium."""
        call = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if call is None:
            os.sync()
        elif call(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    def try_lock(self, fd: int) -> bool:
        """Take the lock of an open file until it is closed; False if another has it."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # the second on some network filesystems
            return False
        return True

    def chmod(self, fd: int, mode: int) -> None:
        """Set the mode of an open file, whatever the umask was."""
        os.fchmod(fd, mode)

    def stat(self, path: PathLike, *, dir_fd: int | None = None) -> os.stat_result:
        """Describe what is at `path`, links not followed."""
        return os.stat(path, dir_fd=dir_fd, follow_symlinks=False)

    def fstat(self, fd: int) -> os.stat_result:
        """Describe an open file."""
        return os.fstat(fd)

    def link(self, source: PathLike, target: PathLike) -> None:
        """Give a file a second name; FileExistsError if that is taken."""
        os.link(source, target, follow_symlinks=False)

    def rename(self, source: PathLike, target: PathLike) -> None:
        """Move a file."""
        os.rename(source, target)

    def unlink(self, path: PathLike, *, dir_fd: int | None = None) -> None:
        """Remove a name."""
        os.unlink(path, dir_fd=dir_fd)

    def mkdir(self, path: PathLike) -> None:
        """Make a directory for this user alone; FileExistsError if the name is taken."""
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)  # a umask may have taken the owner's bits

    def rmdir(self, path: PathLike, *, dir_fd: int | None = None) -> None:
        """Remove an empty directory."""
        os.rmdir(path, dir_fd=dir_fd)

    def listdir(self, path: PathLike | int) -> list[str]:
        """Name what is in a directory, in no order."""
        return os.listdir(path)

    def may_write(self, path: PathLike) -> None:
        """Raise what creating a file in directory `path` would raise for want of permission."""
        if os.access(path, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            return
        code = errno.EROFS if os.statvfs(path).f_flag & os.ST_RDONLY else errno.EACCES
        raise OSError(code, os.strerror(code), str(path))

    def free(self, path: PathLike) -> int:
        """Tell how many bytes this user may still write to the filesystem of `path`."""
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize

    def kind(self, path: PathLike) -> str:
        """Name the filesystem of `path` as the kernel does, ``ext4``; empty where it does not say."""
        device = os.stat(path).st_dev
        place = f"{os.major(device)}:{os.minor(device)}"
        try:
            with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as lines:
                kinds = [line.split(" - ")[1].split()[0] for line in lines if line.split()[2] == place]
        except (OSError, IndexError):
            return ""
        return kinds[-1] if kinds else ""

    def executable(self, path: PathLike) -> bool:
        """Tell whether programs may be started from the filesystem of `path`."""
        return not os.statvfs(path).f_flag & os.ST_NOEXEC

    def network(self, path: PathLike) -> bool:
        """Tell whether `path` is on a network or FUSE filesystem, where a map may fail under its reader."""
        kind = self.kind(path)
        return kind in NETWORK or kind.startswith("fuse")

    def user(self) -> int:
        """Give the id of the user whose rights count."""
        return os.geteuid()

    def token(self) -> str:
        """Give 32 hex digits that nobody can guess."""
        return os.urandom(16).hex()

    def boot(self) -> bytes:
        """Give 16 bytes that change when the machine starts; zeros where it does not say."""
        try:
            with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
                return bytes.fromhex(file.read().strip().replace("-", ""))
        except (OSError, ValueError):
            return bytes(16)


DISK = Disk()
"""The real one."""


def write_all(disk: Disk, fd: int, data: Buffer) -> None:
    """Write all of `data` where the file stands, however short the single writes are."""
    left = memoryview(data).cast("B")
    while left:
        count = disk.write(fd, left)
        if count == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left = left[count:]


def pwrite_all(disk: Disk, fd: int, data: Buffer, offset: int) -> None:
    """Write all of `data` at `offset`, however short the single writes are."""
    left = memoryview(data).cast("B")
    while left:
        count = disk.pwrite(fd, left, offset)
        if count == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left, offset = left[count:], offset + count


def read_all(disk: Disk, fd: int, size: int) -> bytearray | None:
    """Read the first `size` bytes of a file into private memory; None if there are fewer."""
    buffer = bytearray(size)
    view = memoryview(buffer)
    done = 0
    while done < size:
        count = disk.read_into(fd, view[done:], done)
        if count == 0:
            return None
        done += count
    return buffer


def map_if_possible(disk: Disk, fd: int, size: int) -> PrivateMap | None:
    """Map a file; None on a filesystem without maps, where what cannot be mapped can still be read."""
    try:
        return disk.map(fd, size)
    except OSError as error:
        if error.errno not in _NO_MAPS:
            raise
    return None


def end_reading(disk: Disk, fd: int) -> None:
    """Close a file that was only read: an error loses nothing then, and must not cost what was read."""
    try:
        disk.close(fd)
    except OSError:
        return


@contextmanager
def scratch() -> Iterator[str]:
    """Give an empty directory, for this user alone, that is gone afterwards with all that is in it."""
    with tempfile.TemporaryDirectory(prefix="flowcore-scratch-", ignore_cleanup_errors=True) as path:
        yield path
