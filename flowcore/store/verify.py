"""Whether a store still holds what was put there.

Owns `cache verify`: every kept file against the digest in its name, every journal frame by
frame, the index against the journals, every checkpoint. Promises that what is sound stays
as it is; that what is damaged is put aside in `corrupt/` and named, its sound parts first
moved to where they can be read; and to change nothing where it is told to, or may not.
What a run that may live is writing is never put aside. A damaged file costs the computing
of what it held, and nothing else: whoever needs it finds a miss (contract P2, F22).
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import Final

from blake3 import blake3

from flowcore import clock
from flowcore.dataclass import dataclass
from flowcore.store.arrayfile import CHUNK, Unfit, digest_of_file, read_file, size_of
from flowcore.store.census import Census, Journal, take_census
from flowcore.store.compaction import write_pack
from flowcore.store.directory import Store, new_run_id
from flowcore.store.frames import header_is_damaged
from flowcore.store.fs import Disk
from flowcore.store.indexfile import REFRESH, BadIndex, IndexFile
from flowcore.store.journal import read_frames
from flowcore.store.layout import GC, Layout, make_directory
from flowcore.store.leftovers import WORK_NAME, empty_directory
from flowcore.store.listing import index_numbers
from flowcore.store.living import Living, look_for_living, may_live
from flowcore.store.lock import RunLock
from flowcore.store.manifest import read_manifest
from flowcore.store.records import traces_of
from flowcore.store.saved import KEY
from flowcore.store.series import committed_size, series_file
from flowcore.store.sweep import Sweeper
from flowcore.store.trace import KEY_SIZE, NO_KEY

_STATE: Final = re.compile(r"[0-9]{1,18}\.state")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """Something that is not what it was."""

    kind: str
    name: str
    check: str  # that it failed
    moved: str = ""  # where it lies now


@dataclass(slots=True, kw_only=True)
class Findings:
    """What a look at everything found.

    Attributes
    ----------
    checked : dict
        Kind of file to how many there were.
    bytes : int
        Bytes that were read.
    flaws : list of Flaw
        What is damaged.
    gone : int
        Results whose files are not there any more: they are computed when they are needed.
    """

    checked: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    flaws: list[Flaw] = field(default_factory=list)
    gone: int = 0


def verify(store: Store, *, read_only: bool = False) -> Findings:
    """Look at everything in a store; what is damaged is put aside, unless `read_only`.

    Parameters
    ----------
    store : Store
        Open.
    read_only : bool
        Change nothing. So it is in a store that may only be read, too.
    """
    disk, layout = store.disk, store.layout
    lock = RunLock(layout.gc_lock, disk=disk)
    may_move = not read_only and store.writable and size_of(disk, layout.marker) > 0 and lock.take()
    try:
        if may_move:
            make_directory(disk, layout.workplace(GC))
        inspector = _Inspector(disk, layout, may_move=may_move)
        inspector.files()
        inspector.journals()
        inspector.indexes()
        inspector.checkpoints()
        return inspector.found
    finally:
        if may_move:
            empty_directory(disk, layout.workplace(GC), WORK_NAME)
            lock.release()


class _Inspector:
    """One look, kind by kind."""

    def __init__(self, disk: Disk, layout: Layout, *, may_move: bool) -> None:
        self.found = Findings()
        self._disk = disk
        self._layout = layout
        self._may_move = may_move
        now = disk.stat(layout.workplace(GC)).st_mtime if may_move else clock.wall()
        self._living: Living = look_for_living(disk, layout, now)
        self._census: Census = take_census(disk, layout, self._living.over)
        self.found.gone = int((self._census.keyed() & ~self._census.whole()).sum())

    def files(self) -> None:
        """Read every kept array and file."""
        for name, kept in self._census.files.items():
            path = self._layout.blob(name)
            self._count("arrays and files", kept.size)
            digest = digest_of_file(self._disk, path)
            if digest != name[:32] and size_of(self._disk, path) >= 0:
                check = "its content does not have the digest in its name"
                self._flaw("array or file", path.rpartition("/")[2], check, path, f"{name[:32].hex()}")

    def journals(self) -> None:
        """Count what was read of the journals already; what a dead run's one still holds goes to a pack."""
        for journal in self._census.journals:
            beheaded = journal.strange and header_is_damaged(self._disk, f"{self._layout.journals}/{journal.name}")
            if journal.strange and not beheaded:
                continue
            self._count("journals", journal.size)
            if beheaded:
                self._journal(journal, "its first bytes are not what was written, so that nothing in it can be read")
            elif journal.damage.lost:
                self._journal(journal, f"{journal.damage.lost} bytes hold no record")

    def indexes(self) -> None:
        """Ask of every entry whether the frame that it points to has its key."""
        held = {journal.name: self._keys(journal.name) for journal in self._census.journals}
        for number in index_numbers(self._disk, self._layout):
            path = self._layout.index_file(number)
            self._count("indexes", max(size_of(self._disk, path), 0))
            check = _untrue(self._disk, path, held)
            if check and size_of(self._disk, path) >= 0:
                self._flaw("index", str(number), check, path, f"index-{number}")

    def checkpoints(self) -> None:
        """Read every saved state whose run has ended."""
        sweep = Sweeper(self._disk, only_count=True)
        for name in sweep.names(self._layout.checkpoints, KEY):
            directory = f"{self._layout.checkpoints}/{name}"
            for state in sweep.names(directory, _STATE):
                path = f"{directory}/{state}"
                self._count("checkpoints", max(size_of(self._disk, path), 0))
                check = self._state(path, bytes.fromhex(name), int(state.partition(".")[0]))
                if check and size_of(self._disk, path) >= 0:
                    self._flaw("checkpoint", f"{name[:12]}/{state}", check, path, name)

    # ---- inside ----------------------------------------------------------------------

    def _count(self, kind: str, size: int) -> None:
        self.found.checked[kind] = self.found.checked.get(kind, 0) + 1
        self.found.bytes += size

    def _flaw(self, kind: str, name: str, check: str, path: str, aside: str) -> None:
        """Note something damaged, and put it aside."""
        moved = ""
        if self._may_move:
            moved = f"{self._layout.corrupt}/{aside}.{self._disk.token()}"
            try:
                self._disk.rename(path, moved)
            except OSError:
                moved = ""
        self.found.flaws.append(Flaw(kind=kind, name=name, check=check, moved=moved))

    def _journal(self, journal: Journal, check: str) -> None:
        path = f"{self._layout.journals}/{journal.name}"
        if journal.live or not self._may_move:
            self.found.flaws.append(Flaw(kind="journal", name=journal.name, check=check))
            return
        stays = self._census.keyed()
        if stays[journal.first : journal.end].any():
            draft = f"{self._layout.workplace(GC)}/{self._disk.token()}"
            write_pack(
                self._disk, self._layout, new_run_id(), draft, census=self._census, journals=[journal], stays=stays
            )
        self._flaw("journal", journal.name, check, path, journal.name)

    def _keys(self, name: str) -> dict[int, bytes]:
        """Give the keys in a journal, joined, by the frame."""
        frames = read_frames(f"{self._layout.journals}/{name}", disk=self._disk)
        keys = ((offset, [(t.keys or NO_KEY * t.count) for t in traces_of(records)]) for offset, _, records in frames)
        return {offset: b"".join(joined) for offset, joined in keys if joined}

    def _state(self, path: str, key: bytes, number: int) -> str:
        """Tell what is wrong with a generation; empty: nothing, or its run may still be at it."""
        try:
            content = read_file(self._disk, path, size_of(self._disk, path), mapped=False)
        except (OSError, Unfit) as error:
            return str(error)
        manifest = read_manifest(bytes(content), key, number)
        if manifest is None:
            return "it is not what was written"
        if may_live(self._disk, self._layout, manifest.run, self._living):
            return ""
        directory = path.rpartition("/")[0]
        for digest in manifest.arrays:
            if digest_of_file(self._disk, f"{directory}/{digest.hex()}.npy") != digest:
                return f"array {digest.hex()[:12]} of it is not what it was"
        for name, mark in manifest.series.items():
            if _digest_of_start(self._disk, f"{directory}/{series_file(name)}", committed_size(mark)) != mark.digest:
                return "a series of it is not what it was"
        return ""


def _untrue(disk: Disk, path: str, held: dict[str, dict[int, bytes]]) -> str:
    """Tell what is wrong with an index; empty: nothing. What it says of journals that are gone does not matter."""
    try:
        file = IndexFile(path, disk=disk)
        names = [file.journals[source.journal].name for source in file.sources]
        for block in file.blocks():
            columns = (block.sources & (REFRESH - 1)).tolist(), block.offsets.tolist(), block.rows.tolist()
            for key, number, offset, row in zip(block.keys, *columns, strict=True):
                keys = held.get(names[number])
                at = row * KEY_SIZE
                if keys is not None and keys.get(offset, b"")[at : at + KEY_SIZE] != key.tobytes():
                    return "it says of a key that its record is where it is not"
    except (BadIndex, OSError, IndexError) as error:
        return f"it does not verify ({error})"
    return ""


def _digest_of_start(disk: Disk, path: str, size: int) -> bytes | None:
    """Give the BLAKE3-256 of the first bytes of a file; None if it cannot be read so far."""
    hasher, done = blake3(), 0
    try:
        fd = disk.open(path)
        try:
            while done < size and (chunk := disk.pread(fd, min(size - done, CHUNK), done)):
                hasher.update(chunk)
                done += len(chunk)
        finally:
            disk.close(fd)
    except OSError:
        return None
    return hasher.digest() if done == size else None
