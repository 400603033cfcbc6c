"""Arrays by digest, and files by digest and suffix: put, map, verify.

Owns `arrays/`, `files/` and the quarantine. Promises that whoever maps a digest gets exactly the
bytes it stands for, in private memory, or ValueGone (contract P2, B1-B8). A published
file is never written, shortened or replaced; removal is unlink, quarantine is rename, so
that whoever has it mapped keeps it (F23). Never lists a directory, never takes a lock,
and removes nothing that was published.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from blake3 import blake3

from flowcore.errors import DamagedEntry
from flowcore.plan.encode import ValueGone
from flowcore.store.arrayfile import (
    Unfit,
    check_file,
    digest_of,
    digest_of_file,
    drop,
    pieces_of,
    publish,
    read_file,
    size_of,
    write_draft,
)
from flowcore.store.fs import READ, Disk
from flowcore.store.layout import Layout, make_directory, sync_directory
from flowcore.store.trouble import Trouble
from flowcore.store.verified import Verified

if TYPE_CHECKING:
    import mmap

Draw: TypeAlias = Callable[[str, bool], tuple[bytes, int]]
"""Writes a new file at a path, durably or not; gives the name that it is kept under, and its size."""

_DIGEST: Final = 32  # bytes; the name of a file that is no array is longer
HASHED_FIRST: Final = 1 << 20  # bytes below which an array is hashed before it is written, since it may be there


class Blobs:
    """The kept arrays of one store, as one process of one run sees them.

    Any thread may put and map. `verified` holds the digests that this run linked or
    checked; they are not hashed again.

    Parameters
    ----------
    layout : Layout
        The store's names.
    run_id : str
        Whose part of `tmp/` is written in.
    trouble : Trouble
        Told of failed writes, asked before each; its `tell` is given the warnings.
    verified : Verified
        What need not be checked.
    durable : bool
        Wait until an array is on the medium before it counts as put.
    mapped : bool
        False on a network filesystem, where the memory of a map may fail under its reader.
    """

    place = 0

    def __init__(
        self, layout: Layout, run_id: str, *, disk: Disk, trouble: Trouble, verified: Verified,
        durable: bool = False, mapped: bool = True,
    ) -> None:  # fmt: skip
        self.verified = verified
        self._layout = layout
        self._workplace = layout.workplace(run_id)
        self._disk = disk
        self._trouble = trouble
        self._durable = durable
        self._mapped = mapped
        self._shards: set[str] = set()  # directories that are there

    def put(self, header: bytes, data: memoryview) -> bytes:
        """Keep an array, and give its digest.

        Raises
        ------
        StoreUnavailable
            If it cannot be kept; nothing half-written is left.
        """
        pieces = pieces_of(header, data)
        size = len(pieces[0]) + len(pieces[1])
        if size < HASHED_FIRST:
            digest = digest_of(pieces)
            if digest in self.verified and self.has(digest, size):
                return digest
        return self.keep(
            lambda draft, durable: (write_draft(self._disk, draft, pieces, durable=durable), size), needed=size
        )[0]

    def keep(self, draw: Draw, *, needed: int) -> tuple[bytes, int]:
        """Keep what `draw` writes to a path of its own; give the name that it gave, and the size.

        Raises
        ------
        StoreUnavailable
            If it cannot be kept; nothing half-written is left.
        """
        if refusal := self._trouble.refusal():
            raise refusal
        try:
            return self._keep(draw)
        except OSError as error:
            raise self._trouble.met(error, needed=needed) from error

    def has(self, name: bytes, size: int) -> bool:
        """Tell whether a file of that name and size is there; its content is not looked at."""
        return size_of(self._disk, self._layout.blob(name)) == size

    def path(self, name: bytes) -> str:
        """Give where a kept file lies, if it is there."""
        return self._layout.blob(name)

    def name_of(self, path: str) -> bytes | None:
        """Give the name of a kept file from its path; None if the path is not that of one."""
        return self._layout.name_of(path)

    def locate(self, name: bytes, size: int) -> str:
        """Give the path of a kept file that has been verified in this run (B7).

        Raises
        ------
        ValueGone
            If it is not there, or was not what its name says; then it lies in `corrupt/`.
        """
        path = self._layout.blob(name)
        vouched = _vouched(name)
        try:
            check_file(self._disk, path, size)
            if not self.verified.knows(vouched, size):
                if digest_of_file(self._disk, path) != name[:32]:
                    raise Unfit("its content does not have the digest in its name")
                self.verified.add(vouched, size)
        except Unfit as unfit:
            self.verified.discard(vouched)
            if digest_of_file(self._disk, path) != name[:32]:
                self._quarantine(path, unfit.check)
            raise ValueGone(name) from None
        except OSError:
            self.verified.discard(vouched)
            raise ValueGone(name) from None
        return path

    def doubt(self, name: bytes) -> None:
        """Have a kept file checked again before it is used again: it was written to."""
        self.verified.discard(_vouched(name))

    def map(self, digest: bytes, header: bytes, nbytes: int) -> tuple[bytearray | mmap.mmap, int]:
        """Give the whole file as private, writable memory, and where the data start.

        Raises
        ------
        ValueGone
            If it is not there, or was not what its name says; then it lies in `corrupt/`.
        """
        size = len(header) + nbytes
        path = self._layout.blob(digest)
        try:
            buffer = read_file(self._disk, path, size, mapped=self._mapped)
            self._check(buffer, digest, header)
        except Unfit as unfit:
            self.verified.discard(digest)
            # A record that lies about a sound array must not cost the array.
            if digest_of_file(self._disk, path) != digest:
                self._quarantine(path, unfit.check)
            raise ValueGone(digest) from None
        except OSError:
            self.verified.discard(digest)
            raise ValueGone(digest) from None
        return buffer, len(header)

    def _check(self, buffer: bytearray | mmap.mmap, digest: bytes, header: bytes) -> None:
        if not self.verified.knows(digest, len(buffer)):
            if blake3(buffer).digest() != digest:
                raise Unfit("its content does not have the digest in its name")
            self.verified.add(digest, len(buffer))
        if buffer[: len(header)] != header:
            raise Unfit("its header is not the one recorded")

    def _keep(self, draw: Draw) -> tuple[bytes, int]:
        try:
            return self._write(draw)
        except FileNotFoundError:
            # Somebody removed the store, or parts of it, during the run (F38).
            self._layout.sign(self._disk, self._workplace, fresh=self._layout.make(self._disk))
            self._shards.clear()
            return self._write(draw)

    def _write(self, draw: Draw) -> tuple[bytes, int]:
        draft = f"{self._workplace}/{self._disk.token()}"
        name, size = draw(draft, self._durable)
        try:
            self._name(draft, name, size)
        finally:
            drop(self._disk, draft)
        if self._durable:
            sync_directory(self._disk, self._layout.shard(name))
        return name, size

    def _name(self, draft: str, name: bytes, size: int) -> None:
        final = self._layout.blob(name)
        self._make_shard(name)
        if publish(self._disk, draft, final):
            self.verified.add(_vouched(name), size)
            return
        if not self.has(name, size):
            check = f"size {size_of(self._disk, final)}, not {size}"
        elif self._durable and digest_of_file(self._disk, final) != name[:32]:
            check = "its content does not have the digest in its name"
        else:
            # It was there before. It counts as unverified: whoever maps it will check it. Only a durable store
            # looks at once, since what it acknowledges may not be what a power loss left under that name.
            self._settle(final)
            return
        self._quarantine(final, check)
        if publish(self._disk, draft, final):
            self.verified.add(_vouched(name), size)

    def _settle(self, path: str) -> None:
        if not self._durable:
            return
        fd = self._disk.open(path, READ)  # another run may have linked it a moment ago, without fsync
        try:
            self._disk.fsync(fd)
        finally:
            self._disk.close(fd)

    def _make_shard(self, name: bytes) -> None:
        shard = self._layout.shard(name)
        if shard in self._shards:
            return
        make_directory(self._disk, shard)
        if self._durable:
            sync_directory(self._disk, shard.rpartition("/")[0])
        self._shards.add(shard)

    def _quarantine(self, path: str, check: str) -> None:
        entry = path.rpartition("/")[2]
        aside = f"{self._layout.corrupt}/{entry.partition('.')[0]}.{self._disk.token()}"
        try:
            self._disk.rename(path, aside)
        except FileNotFoundError:
            return  # another process was first, and has told of it
        except OSError:
            aside = ""
        self._trouble.tell(DamagedEntry(entry=entry, check=check, moved=aside))


def _vouched(name: bytes) -> bytes:
    """Give what stands for a name among the verified: an array and a file of one content are two files."""
    return name if len(name) == _DIGEST else blake3(name).digest()
