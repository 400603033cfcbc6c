"""Where everything in a store lies, and whether the place can be trusted.

Owns the names: paths are made of hex digests, run ids and random tokens, never of what
a user called something (contract L1, S6). Promises that what it makes is for this user
alone (S5), and that making it twice, or from two processes at once, is harmless. Never
removes anything::

    .flowcore/                       0700, with a .gitignore
      v1/flowcore-store              marker: format number, digest algorithm
      v1/arrays/ab/<digest>.npy      ab = the first two hex digits
      v1/files/ab/<digest><suffix>   results that are files, as they are
      v1/journals/<run>.journal, <run>.lock
      v1/checkpoints/<key>/          <n>.state, <digest>.npy, <digest>.series: where a simulation stands
      v1/code/<digest>               text of functions, only for `why`
      v1/journals/<id>.pack          what was left of older journals
      v1/index/<n>, lock             where the records of keys are; may go at any time
      v1/index/<run>.tasks           what cells of each task took; likewise
      v1/corrupt/                    what failed its check
      v1/logs/<run>/output.log       what its cells printed
      v1/tmp/<run>/                  files being written, and what did not fit the spool
"""

from __future__ import annotations

import errno
import os
import re
import stat
from datetime import UTC, datetime
from pathlib import Path

from flowcore.errors import StoreUnavailable
from flowcore.store.fs import CREATE, DIRECTORY, READ, Disk, end_reading, read_all, write_all

FORMAT = 1
MARKER = b"flowcore store\nformat %d\ndigest blake3-256\n"
RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{16}")
GC = "gc"  # in place of a run's id: whose lock and workplace are those of whoever removes things
_NOT_FOR_DIRECTORIES = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF})  # on FUSE, CIFS
_TRIES = 8
_MARKER_LIMIT = 4096
_OTHERS_WRITE = 0o022
_DIGEST = 32  # bytes
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")
_KEPT_FILE = re.compile(r"([0-9a-f]{64})(\.[A-Za-z0-9]{1,8})?")


class Layout:
    """The names of one store. Holds no descriptor and remembers nothing of the disk."""

    __slots__ = (
        "arrays", "checkpoints", "code", "corrupt", "files", "index", "journals", "logs", "marker", "root", "tmp",
        "v1",
    )  # fmt: skip

    def __init__(self, root: Path) -> None:
        self.root = root
        self.v1 = f"{root}/v{FORMAT}"
        self.marker = f"{self.v1}/flowcore-store"
        self.arrays = f"{self.v1}/arrays"
        self.files = f"{self.v1}/files"
        self.journals = f"{self.v1}/journals"
        self.checkpoints = f"{self.v1}/checkpoints"
        self.code = f"{self.v1}/code"
        self.index = f"{self.v1}/index"
        self.corrupt = f"{self.v1}/corrupt"
        self.logs = f"{self.v1}/logs"
        self.tmp = f"{self.v1}/tmp"

    def blob(self, name: bytes) -> str:
        """Name the file of an array, by its digest, or of a kept file, by digest and suffix (``b"."`` for none).

        These are the names that :func:`flowcore.plan.records.references` gives.
        """
        if len(name) == _DIGEST:
            digest = name.hex()
            return f"{self.arrays}/{digest[:2]}/{digest}.npy"
        digest, suffix = name[:_DIGEST].hex(), name[_DIGEST:].decode("ascii")
        return f"{self.files}/{digest[:2]}/{digest}{suffix if suffix != '.' else ''}"

    def shard(self, name: bytes) -> str:
        """Name the directory that file is in."""
        return f"{self.arrays if len(name) == _DIGEST else self.files}/{name[:1].hex()}"

    def name_of(self, path: str) -> bytes | None:
        """Give the name of a kept file from its path; None if the path is not that of one."""
        folder, _, file = path.rpartition("/")
        found = _KEPT_FILE.fullmatch(file)
        if found is None or folder != f"{self.files}/{file[:2]}":
            return None
        return bytes.fromhex(found[1]) + (found[2] or ".").encode()

    def checkpoint(self, key: bytes) -> str:
        """Name the directory of a cell's saved states."""
        return f"{self.checkpoints}/{key.hex()}"

    def source(self, digest: bytes) -> str:
        """Name the file of a function's text."""
        return f"{self.code}/{digest.hex()}"

    def journal(self, run_id: str) -> str:
        """Name a run's journal."""
        return f"{self.journals}/{run_id}.journal"

    def lock(self, run_id: str) -> str:
        """Name the file whose lock says that a run lives."""
        return f"{self.journals}/{run_id}.lock"

    def pack(self, pack_id: str) -> str:
        """Name a journal that holds what was left of older ones."""
        return f"{self.journals}/{pack_id}.pack"

    def index_file(self, number: int) -> str:
        """Name a persisted index."""
        return f"{self.index}/{number}"

    def tasks_file(self, run_id: str) -> str:
        """Name what a run has learned of tasks."""
        return f"{self.index}/{run_id}.tasks"

    @property
    def gc_lock(self) -> str:
        """Name the file whose lock has whoever removes results."""
        return self.lock(GC)

    @property
    def index_lock(self) -> str:
        """Name the file whose lock has whoever writes an index."""
        return f"{self.index}/lock"

    def log_directory(self, run_id: str) -> str:
        """Name the directory of what a run's cells print."""
        return f"{self.logs}/{run_id}"

    def output(self, run_id: str) -> str:
        """Name the file that holds it."""
        return f"{self.logs}/{run_id}/output.log"

    def workplace(self, run_id: str) -> str:
        """Name the directory where a run's files are written before they get their names."""
        return f"{self.tmp}/{run_id}"

    def make(self, disk: Disk) -> bool:
        """Make the directories that are missing, and tell whether the root was one of them.

        OSError if that cannot be done, StoreUnavailable if it must not.
        """
        try:
            disk.mkdir(self.root)
            fresh = True
        except FileExistsError:
            fresh = False
        except FileNotFoundError:
            make_parents(disk, self.root)
            fresh = True
        for path in (self.v1, self.tmp, self.arrays, self.files, self.journals, self.corrupt):
            make_directory(disk, path)
        self.check(disk)
        return fresh

    def sign(self, disk: Disk, workplace: str, *, fresh: bool) -> None:
        """Say what this is, in files of fixed content.

        They are written in a run's `workplace`: what a kill leaves there has an owner,
        and goes with the owner's other leftovers (T1, T2).
        """
        make_directory(disk, workplace)
        if fresh:
            self._place(disk, f"{self.root}/.gitignore", b"*\n", workplace)
        # A marker that a power loss left empty would be one of another format, and the store be lost with it.
        self._place(disk, self.marker, MARKER % FORMAT, workplace, durable=True)

    def sync(self, disk: Disk) -> None:
        """Wait until the names of the store's directories are on the medium."""
        beside = os.path.realpath(self.root.parent)  # the user's own, and often reached by a link
        for path in (beside, str(self.root), self.v1, self.arrays, self.files, self.journals):
            sync_directory(disk, path)

    def check(self, disk: Disk) -> None:
        """Raise StoreUnavailable where another user could have had a hand in what is there (S5)."""
        inner = (self.arrays, self.files, self.checkpoints, self.journals, self.index, self.code)
        for path in (str(self.root), self.v1, *inner, self.logs, self.corrupt, self.tmp):
            self._check_directory(disk, path)
        self._check_format(disk)

    def _check_directory(self, disk: Disk, path: str) -> None:
        try:
            found = disk.stat(path)
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(found.st_mode):
            raise self._refused(f"{path} is not a directory", "Move it away, or name another store.")
        if found.st_uid not in (disk.user(), 0):
            reason = f"{path} belongs to user {found.st_uid}, and this is user {disk.user()}"
            raise self._refused(reason, "Name a store of your own.")
        if found.st_mode & _OTHERS_WRITE:
            reason = f"others may write to {path} (mode {stat.S_IMODE(found.st_mode):04o})"
            raise self._refused(reason, f"If what it holds is yours: chmod go-w {path}")

    def _check_format(self, disk: Disk) -> None:
        try:
            fd = disk.open(self.marker, READ)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise self._no_marker() from None
            raise
        try:
            if not stat.S_ISREG(disk.fstat(fd).st_mode):
                raise self._no_marker()
            content = bytes(read_all(disk, fd, min(disk.fstat(fd).st_size, _MARKER_LIMIT)) or b"")
        finally:
            end_reading(disk, fd)
        if content != MARKER % FORMAT:
            found = content.split(b"\n")[1:2] or [b"nothing"]
            said = found[0][:40].decode("ascii", "replace")
            reason = f"its marker says {said!r}, and this flowcore knows format {FORMAT}"
            raise self._refused(reason, "Use the flowcore that wrote it, or name another store.")

    def _no_marker(self) -> StoreUnavailable:
        """Refuse a store whose format nobody can tell, since something else stands in place of its marker."""
        return self._refused(f"{self.marker} is not a file", "Look who put it there, or name another store.")

    def _refused(self, reason: str, remedy: str) -> StoreUnavailable:
        return StoreUnavailable(
            store=str(self.root), reason=reason, did="It is neither read nor written; the run goes on.", remedy=remedy
        )

    def _place(self, disk: Disk, path: str, content: bytes, workplace: str, *, durable: bool = False) -> None:
        """Make a small file in one step, unless it is there."""
        if exists(disk, path):
            return
        draft = f"{workplace}/{disk.token()}"
        fd = disk.open(draft, CREATE, 0o600)
        try:
            disk.chmod(fd, 0o600)
            write_all(disk, fd, content)
            if durable:
                disk.fsync(fd)
        finally:
            disk.close(fd)
        try:
            disk.link(draft, path)
        except FileExistsError:
            pass  # another run was first, with the same content
        except OSError:
            disk.rename(draft, path)  # a filesystem without links
            return
        disk.unlink(draft)


def suffix_of(path: str) -> str:
    """Give the suffix under which a file is kept: that of its name, if it is short and plain (S6)."""
    suffix = os.path.splitext(path)[1]
    return suffix if _SUFFIX.fullmatch(suffix) else ""


def exists(disk: Disk, path: str) -> bool:
    """Tell whether anything, a link to nowhere included, has this name."""
    try:
        disk.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def make_directory(disk: Disk, path: str) -> None:
    """Make a directory for this user alone, unless there is one."""
    for attempt in range(_TRIES):
        try:
            disk.mkdir(path)
        except FileExistsError:
            if not stat.S_ISDIR(disk.stat(path).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path) from None
        except FileNotFoundError:
            # 1. We make it. 2. A run that begins just now takes it, empty as it is, for what a dead one left, and
            # removes it. 3. We set its mode, and it is gone. So we make it again.
            if attempt == _TRIES - 1 or not exists(disk, os.path.dirname(path)):
                raise
            continue
        return


def make_parents(disk: Disk, path: Path) -> None:
    """Make a directory and those above it."""
    missing = [path]
    while not exists(disk, str(missing[-1].parent)):
        missing.append(missing[-1].parent)
    for each in reversed(missing):
        make_directory(disk, str(each))


def sync_directory(disk: Disk, path: str) -> None:
    """Wait until the names in a directory are on the medium, where its filesystem lets one ask for that."""
    fd = disk.open(path, DIRECTORY)
    try:
        disk.fsync(fd)
    except OSError as error:  # nothing has failed to be written: the call is not there for directories
        if error.errno not in _NOT_FOR_DIRECTORIES:
            raise
    finally:
        disk.close(fd)


def resolve(disk: Disk, path: str | Path) -> Path:
    """Give the directory a store's path means.

    A link is followed if this user or root made it (a store on a scratch disk is often
    reached by one); a link that somebody else planted is not.
    """
    absolute = Path(os.path.abspath(path))
    try:
        found = disk.stat(absolute)
    except OSError:
        return absolute
    if stat.S_ISLNK(found.st_mode) and found.st_uid in (disk.user(), 0):
        return Path(os.path.realpath(absolute))
    return absolute


def run_stamp(wall: float) -> str:
    """Give how the id of a run begins that starts at `wall` (seconds since 1970)."""
    return f"{datetime.fromtimestamp(int(wall), UTC):%Y%m%dT%H%M%S}-{int(wall % 1 * 1e6):05x}"


def run_began(run_id: str) -> float:
    """Give when a run began, as its id says (seconds since 1970)."""
    return datetime.strptime(run_id[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp()
