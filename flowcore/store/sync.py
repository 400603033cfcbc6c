"""Group durability: what was kept reaches the medium about once a second.

Owns a daemon thread and the list of what is new. Large arrays are not waited for: they
go to the medium while the next ones are made, so that a run does not end with seconds
of writing. Promises the order that makes a record worth reading after a power loss:
files, then their directories, then the journal (contract B9, F18). After a failed sync
nothing is synced again and nothing is kept any more (F20). Never writes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

from flowcore.store.fs import READ, Disk
from flowcore.store.journal import JournalWriter
from flowcore.store.layout import Layout, sync_directory
from flowcore.store.trouble import Trouble

EVERY: Final = 1.0  # seconds
SOON: Final = 32 << 20  # bytes of new arrays that are synced at once
_FEW: Final = 64  # files above which one call for the whole filesystem is cheaper


class GroupSync:
    """Makes the work of one run durable, a group at a time.

    :meth:`fresh` belongs to the engine's thread; :meth:`sync` may be called from any, and
    returns when all that was noted before is durable, whoever made it so; the thread is
    there between :meth:`start` and :meth:`close`.
    """

    def __init__(
        self, journal: JournalWriter, layout: Layout, *, disk: Disk, trouble: Trouble,
        settle: Callable[[bytes], None] | None = None,
    ) -> None:  # fmt: skip
        self._settle = settle  # removes the saved states under a key
        self._after: list[bytes] = []
        self._journal = journal
        self._layout = layout
        self._disk = disk
        self._trouble = trouble
        self._fresh: set[bytes] = set()
        self._waiting = 0  # bytes of these
        self._dirty = False
        self._named = False  # the directories themselves are on the medium
        self._lock = threading.Lock()  # of what is noted
        self._syncing = threading.Lock()
        self._ending = False
        self._due = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to sync once in a while."""
        self._thread = threading.Thread(target=self._serve, name="flowcore sync", daemon=True)
        self._thread.start()

    def fresh(self, sizes: Mapping[bytes, int]) -> None:
        """Note that the journal has grown, and that it names these arrays, of so many bytes, for the first time."""
        with self._lock:
            self._fresh.update(sizes)
            self._waiting += sum(sizes.values())
            self._dirty = True
            if self._waiting >= SOON:
                self._due.set()

    def then(self, key: bytes) -> None:
        """Have the saved states under a key removed once what was noted so far is durable (contract C6)."""
        with self._lock:
            self._after.append(key)

    def sync(self) -> None:
        """Make all that was noted durable; a failure ends keeping."""
        with self._syncing:
            self._sync()

    def _sync(self) -> None:
        with self._lock:
            digests, self._fresh, self._waiting = self._fresh, set(), 0
            dirty, self._dirty = self._dirty, False
            after, self._after = self._after, []
        if dirty and not self._trouble.stopped:
            self._sync_noted(digests)
        if self._settle is not None and not self._trouble.stopped:
            for key in after:
                self._settle(key)

    def _sync_noted(self, digests: set[bytes]) -> None:
        try:
            self._sync_arrays(digests)
            self._journal.sync()
        except FileNotFoundError:
            self._trouble.stop("it was removed during the run")  # F38
        except OSError as error:
            self._trouble.stop(f"what was written may be lost ({error.strerror or error})")

    def close(self) -> None:
        """End the thread and sync what is left."""
        self._ending = True
        self._due.set()
        if self._thread is not None:
            self._thread.join()
        self.sync()

    def _serve(self) -> None:
        while True:
            self._due.wait(EVERY)
            self._due.clear()
            if self._ending:  # read behind that: an end that came in between was cleared with the rest
                return
            self.sync()

    def _sync_arrays(self, digests: set[bytes]) -> None:
        if len(digests) > _FEW:
            self._disk.sync_filesystem(self._journal.fileno())
            return
        if not self._named:
            self._layout.sync(self._disk)
            self._named = True
        for digest in digests:
            self._sync_file(self._layout.blob(digest))
        shards = {self._layout.shard(digest) for digest in digests}
        for directory in sorted(shards | {shard.rpartition("/")[0] for shard in shards}, reverse=True):
            sync_directory(self._disk, directory)

    def _sync_file(self, path: str) -> None:
        try:
            fd = self._disk.open(path, READ)
        except FileNotFoundError:
            return  # removed since; whoever wants it will find out
        try:
            self._disk.fsync(fd)
        finally:
            self._disk.close(fd)
