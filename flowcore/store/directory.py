"""A store as a whole: opened, and used by one run at a time.

Owns the decision whether a directory is a store that we may read and write, and puts
the parts together for a run. Promises that opening never raises and that a run always
gets something to work with: where nothing can be kept, its values go by the spool
(contract P8, F21, E11). Never removes anything but what `leftovers` says is dead.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from flowcore import clock
from flowcore.dataclass import dataclass
from flowcore.errors import FlowcoreWarning, StoreUnavailable
from flowcore.store.archive import Archive
from flowcore.store.blobs import Blobs
from flowcore.store.cache import Cache
from flowcore.store.checkpoint import Checkpoints
from flowcore.store.durations import Durations
from flowcore.store.files import Files, StatCache
from flowcore.store.fs import DISK, Disk
from flowcore.store.generations import Home
from flowcore.store.indexing import build_index, is_due
from flowcore.store.journal import JournalWriter
from flowcore.store.known import write_known
from flowcore.store.layout import Layout, exists, make_directory, resolve, run_stamp
from flowcore.store.leftovers import WORK_NAME, empty_directory, tidy_spools, tidy_workplaces
from flowcore.store.neighbours import Neighbours
from flowcore.store.output import OutputLog
from flowcore.store.records import Records
from flowcore.store.sources import Sources
from flowcore.store.spool import SHARED_MEMORY, Spool
from flowcore.store.sync import GroupSync
from flowcore.store.trouble import Tell, Trouble, warn
from flowcore.store.verified import Verified


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """What a run, and each of its workers, has of the values in a store and on their way."""

    blobs: Blobs
    spool: Spool
    checkpoints: Checkpoints
    files: Files


class StoreRun:
    """The store as one run uses it, in the engine's process.

    `blobs`, `files`, `spool`, `cache`, `checkpoints`, `output`, `sources` and `durations` are its parts; `writable`
    says whether anything is kept, `trouble` has the reason if not. :meth:`close` is called once, after the last worker
    has ended, and :meth:`release` once nobody will read the run's values any more.
    """

    def __init__(
        self, run_id: str, *, store: Store, values: Attached, cache: Cache, trouble: Trouble, writing: _Writing | None
    ) -> None:
        self.id = run_id
        self.root = store.root
        self.blobs = values.blobs
        self.files = values.files
        self.spool = values.spool
        self.cache = cache
        self.writable = writing is not None
        self.neighbours: Neighbours | None = None  # None: nothing is written here, so nobody is waited for (J7)
        self.output = OutputLog(store.layout, run_id, disk=store.disk, trouble=trouble, writable=self.writable)
        self.sources = Sources(store.layout, run_id, disk=store.disk, writable=self.writable)
        self.durations = Durations(
            store.layout, run_id, disk=store.disk, readable=store.readable, writable=self.writable
        )
        self.closed = False
        self.checkpoints = values.checkpoints
        self._store = store
        self._trouble = trouble
        self._writing = writing
        self._ended = False
        self._foreign = False

    @property
    def trouble(self) -> StoreUnavailable | None:
        """Give the first reason why something was not kept."""
        return self._trouble.first

    def known(self) -> str | None:
        """Give the file that tells workers which keys older runs left; empty if none did, None if it cannot be made."""
        if not self.cache.records.older:
            return ""
        if not self.writable or self._trouble.refusal() is not None:
            return None
        path = f"{self._store.layout.workplace(self.id)}/{self._store.disk.token()}"
        try:
            write_known(path, self.cache.records.index.prefixes(), disk=self._store.disk)
        except OSError:
            return None
        return path

    def end(self, status: str, counts: dict[str, float]) -> None:
        """Write down how the run ended."""
        self._ended = True
        self.cache.end(status, counts)

    def hear(self, warning: FlowcoreWarning) -> None:
        """Tell what another process of the run found out."""
        self._trouble.hear(warning)

    def close(self, status: str) -> None:
        """Sync what was kept, and end the run's history; its values stay readable until :meth:`release`."""
        self.closed = True
        self.output.close()
        if self._writing is not None:
            if not self._ended:
                self.end(status, {})
            self.durations.close()
            self._writing.sync.close()
            self._store.index(self.cache.records, self.id, self._trouble, own=self._writing.journal.end)
            try:
                self._writing.journal.close()
            except OSError as error:  # as NFS tells of writes that it lost
                self._trouble.stop(f"what was written may be lost ({error.strerror or error})")

    def forget(self) -> None:
        """In a forked copy of this process: what is on disk belongs to our parent, who goes on with it."""
        self._foreign = True

    def release(self) -> None:
        """Let go of the values that were handed over and not kept, and leave nothing behind."""
        if self._foreign:
            return
        if not self.closed:
            self.close("stopped")
        if self._writing is not None:
            empty_directory(self._store.disk, self._store.layout.workplace(self.id), WORK_NAME)
            self._writing.journal.release()
        self.blobs.verified.close()
        self.cache.records.close()
        self.spool.sweep()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writing:
    """What only a run that keeps something has."""

    journal: JournalWriter
    sync: GroupSync


class Store:
    """A directory that holds results, journals and checkpoints. See :func:`open_store`.

    Attributes
    ----------
    root : Path
        Where it is.
    trouble : StoreUnavailable or None
        Why it cannot be used, or only be read.
    readable, writable : bool
        What may be done with it.
    """

    def __init__(self, root: Path, *, durable: bool, allow_pickle: bool, disk: Disk) -> None:
        self.root = root
        self.durable = durable
        self.allow_pickle = allow_pickle
        self.disk = disk
        self.layout = Layout(root)
        self.trouble: StoreUnavailable | None = None
        self.readable = True
        self.writable = True
        self._look()

    @property
    def mapped(self) -> bool:
        """Whether files may be mapped: not on a network filesystem."""
        return not _remote(self.disk, str(self.root))

    def begin(self, run_id: str | None = None, *, away: bool = False, tell: Tell = warn) -> StoreRun:
        """Make ready for one run, and remove what dead ones left.

        Parameters
        ----------
        run_id : str, optional
            As :func:`new_run_id` gives.
        away : bool
            Whether cells run where of this machine no more is to be seen than the store.
        tell : callable
            Given each warning; issues it the ordinary way unless said otherwise.

        Returns
        -------
        StoreRun
            Always; without a store that can be written it keeps nothing.

        Raises
        ------
        OSError
            If not even a temporary directory can be written.
        """
        run_id = run_id or new_run_id()
        trouble = Trouble(str(self.root), disk=self.disk, tell=tell)
        if self.trouble is not None:
            trouble.note(self.trouble)
        writing = self._write(run_id, trouble)
        records = self._all_records(tell)
        if self.readable:
            records.read_older(than=run_id)
            if writing is not None:
                self.index(records, run_id, trouble)
        tidy_spools(self.disk, (SHARED_MEMORY, tempfile.gettempdir()))
        workplace = self.layout.workplace(run_id) if writing else ""
        if away and workplace:
            spool = Spool.beside(workplace, disk=self.disk)
        else:
            spool = Spool.create(fallback=workplace, disk=self.disk)
        blobs = self._blobs(run_id, spool, trouble)
        known = StatCache(records.files)
        cache = Cache(
            records, blobs, journal=writing.journal if writing else None, sync=writing.sync if writing else None,
            trouble=trouble, durable=self.durable, files=known,
        )  # fmt: skip
        home = Home(layout=self.layout, run_id=run_id, disk=self.disk, trouble=trouble, mapped=self.mapped)
        files = Files(blobs, disk=self.disk, known=known)
        cache.pickles = self.allow_pickle
        values = Attached(blobs=blobs, spool=spool, files=files, checkpoints=Checkpoints(home))
        run = StoreRun(run_id, store=self, values=values, cache=cache, trouble=trouble, writing=writing)
        if writing is not None:
            run.neighbours = Neighbours(self.layout, run_id, records=records, disk=self.disk)
        return run

    def archive(self, *, before: str, tell: Tell = warn) -> Archive:
        """Give what a reader of run `before` has: values by key from older runs, and the kept arrays."""
        trouble = Trouble(str(self.root), disk=self.disk, tell=tell)
        records = self._all_records(tell)
        records.read_older(than=before, last=before)
        blobs = Blobs(
            self.layout, before, disk=self.disk, trouble=trouble, verified=Verified("", disk=self.disk),
            mapped=self.mapped,
        )  # fmt: skip
        cache = Cache(records, blobs, journal=None, sync=None, trouble=trouble)
        cache.pickles = self.allow_pickle
        home = Home(layout=self.layout, run_id=before, disk=self.disk, trouble=trouble, mapped=self.mapped)
        return Archive(blobs=blobs, cache=cache, checkpoints=Checkpoints(home))

    def index(self, records: Records, run_id: str, trouble: Trouble, *, own: int = 0) -> None:
        """Spare later runs the reading of what this one has read and written (`own` bytes), if that is much."""
        if not is_due(records, own=own) or trouble.refusal() is not None:
            return
        draft = f"{self.layout.workplace(run_id)}/{self.disk.token()}"
        written = (f"{run_id}.journal", own) if own else None
        build_index(self.disk, self.layout, draft, records, own=written)

    @classmethod
    def attach(
        cls, root: str | Path, run_id: str, spool: str, *, durable: bool, writable: bool,
        disk: Disk = DISK, tell: Tell = warn,
    ) -> Attached:  # fmt: skip
        """Give a worker its part of a run's store.

        Parameters
        ----------
        root : str or Path
            `StoreRun.root`.
        run_id : str
            `StoreRun.id`.
        spool : str
            `StoreRun.spool.path`.
        durable : bool
            `Store.durable`.
        writable : bool
            `StoreRun.writable`.

        Raises
        ------
        OSError
            If the spool is not what the engine made.
        """
        layout = Layout(Path(root))
        trouble = Trouble(str(root), disk=disk, tell=tell)
        if not writable:
            trouble.tolerate("the engine found that it cannot be written")
        place = Spool.attach(spool, fallback=layout.workplace(run_id) if writable else "", disk=disk)
        blobs = Blobs(
            layout, run_id, disk=disk, trouble=trouble, verified=Verified(spool and f"{spool}/verified", disk=disk),
            durable=durable, mapped=not _remote(disk, str(root)),
        )  # fmt: skip
        home = Home(layout=layout, run_id=run_id, disk=disk, trouble=trouble, mapped=not _remote(disk, str(root)))
        files = Files(blobs, disk=disk)
        return Attached(blobs=blobs, spool=place, files=files, checkpoints=Checkpoints(home))

    def _all_records(self, tell: Tell) -> Records:
        return Records(self.layout, disk=self.disk, tell=tell, mapped=self.mapped)

    def _blobs(self, run_id: str, spool: Spool, trouble: Trouble) -> Blobs:
        return Blobs(
            self.layout, run_id, disk=self.disk, trouble=trouble,
            verified=Verified(spool.path and f"{spool.path}/verified", disk=self.disk),
            durable=self.durable, mapped=self.mapped,
        )  # fmt: skip

    def _look(self) -> None:
        """Find out what may be done, without making anything."""
        try:
            self.layout.check(self.disk)
            self.disk.may_write(_nearest(self.disk, self.root))
        except StoreUnavailable as refusal:
            self.trouble, self.readable, self.writable = refusal, False, False
        except OSError as error:
            self._only_read(error)

    def _only_read(self, error: OSError) -> None:
        reason = f"it is read-only ({os.strerror(error.errno or errno.EACCES)})"
        did = "What it holds is used; nothing new is kept."
        self.trouble, self.writable = StoreUnavailable(store=str(self.root), reason=reason, did=did), False

    def _write(self, run_id: str, trouble: Trouble) -> _Writing | None:
        if not self.writable:
            return None
        try:
            fresh = self.layout.make(self.disk)
            journal = self._journal(run_id, fresh=fresh)
        except OSError as error:
            trouble.stop(trouble.met(error).reason)
            return None
        tidy_workplaces(self.disk, self.layout, run_id)
        states = Checkpoints(Home(layout=self.layout, run_id=run_id, disk=self.disk, trouble=trouble))
        sync = GroupSync(journal, self.layout, disk=self.disk, trouble=trouble, settle=states.remove)
        sync.start()
        return _Writing(journal=journal, sync=sync)

    def _journal(self, run_id: str, *, fresh: bool) -> JournalWriter:
        workplace = self.layout.workplace(run_id)
        make_directory(self.disk, workplace)
        try:
            journal = JournalWriter(self.layout.journal(run_id), self.layout.lock(run_id), run_id, self.disk)
        except OSError:
            empty_directory(self.disk, workplace, WORK_NAME)
            raise
        try:
            self.layout.sign(self.disk, workplace, fresh=fresh)
        except OSError:
            empty_directory(self.disk, workplace, WORK_NAME)
            journal.release()
            raise
        return journal


def open_store(
    path: str | Path = ".flowcore", *, durable: bool = False, allow_pickle: bool = False, disk: Disk = DISK
) -> Store:
    """Open a store; it is made when the first run begins.

    Parameters
    ----------
    path : str or Path
        The directory.
    durable : bool
        Every kept result survives a power loss from the moment its cell is done; costs
        a wait for the medium a group of cells.
    allow_pickle : bool
        Read, and keep, values that only pickle can represent. Reading a pickle runs code
        that stands in it: opting in means trusting whoever can, or ever could, write to the
        store. A store opened without it never looks into a pickle, whoever put it there:
        the cell is computed again.
    disk : Disk
        The operating system's files, or a fake.

    Returns
    -------
    Store
        Always; its `trouble` says why it cannot be used.
    """
    return Store(resolve(disk, path), durable=durable, allow_pickle=allow_pickle, disk=disk)


def new_run_id() -> str:
    """Give a name for a run that sorts by its start, as far as clocks agree.

    Nothing depends on that order being true: it only has to be the same for everyone.
    """
    now = clock.wall()
    return f"{run_stamp(now)}{os.urandom(6).hex()[:11]}"


def _nearest(disk: Disk, path: Path) -> Path:
    while not exists(disk, str(path)) and path.parent != path:
        path = path.parent
    return path


def _remote(disk: Disk, path: str) -> bool:
    try:
        return disk.network(path)
    except OSError:
        return False
