"""Arrays by digest: put, map, verify.

Owns `arrays/` and the quarantine. Promises that whoever maps a digest gets exactly the
bytes it stands for, in private memory, or ValueGone (contract P2, B1-B8). A published
file is never written, shortened or replaced; removal is unlink, quarantine is rename, so
that whoever has it mapped keeps it (F23). Never lists a directory, never takes a lock,
and removes nothing that was published.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blake3 import blake3

from flowcore.errors import DamagedEntry
from flowcore.plan.encode import ValueGone
from flowcore.store.arrayfile import (
    Unfit,
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
    from collections.abc import Sequence

HASHED_FIRST = 1 << 20  # bytes below which an array is hashed before it is written, since it may be there


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
        self._shards: set[int] = set()

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
        if refusal := self._trouble.refusal():
            raise refusal
        try:
            return self._keep(pieces, size)
        except OSError as error:
            raise self._trouble.met(error, needed=size) from error

    def has(self, digest: bytes, size: int) -> bool:
        """Tell whether a file of that digest and size is there; its content is not looked at."""
        return size_of(self._disk, self._layout.blob(digest)) == size

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
                self._quarantine(path, digest, unfit.check)
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

    def _keep(self, pieces: Sequence[memoryview], size: int) -> bytes:
        try:
            return self._write(pieces, size)
        except FileNotFoundError:
            # Somebody removed the store, or parts of it, during the run (F38).
            self._layout.sign(self._disk, self._workplace, fresh=self._layout.make(self._disk))
            self._shards.clear()
            return self._write(pieces, size)

    def _write(self, pieces: Sequence[memoryview], size: int) -> bytes:
        draft = f"{self._workplace}/{self._disk.token()}"
        digest = write_draft(self._disk, draft, pieces, durable=self._durable)
        try:
            self._name(draft, digest, size)
        finally:
            drop(self._disk, draft)
        if self._durable:
            sync_directory(self._disk, self._layout.shard(digest))
        return digest

    def _name(self, draft: str, digest: bytes, size: int) -> None:
        final = self._layout.blob(digest)
        self._make_shard(digest)
        if publish(self._disk, draft, final):
            self.verified.add(digest, size)
            return
        if self.has(digest, size):
            # It was there before. It counts as unverified: whoever maps it will check it.
            self._settle(final)
            return
        self._quarantine(final, digest, f"size {size_of(self._disk, final)}, not {size}")
        if publish(self._disk, draft, final):
            self.verified.add(digest, size)

    def _settle(self, path: str) -> None:
        if not self._durable:
            return
        fd = self._disk.open(path, READ)  # another run may have linked it a moment ago, without fsync
        try:
            self._disk.fsync(fd)
        finally:
            self._disk.close(fd)

    def _make_shard(self, digest: bytes) -> None:
        if digest[0] in self._shards:
            return
        make_directory(self._disk, self._layout.shard(digest))
        if self._durable:
            sync_directory(self._disk, self._layout.arrays)
        self._shards.add(digest[0])

    def _quarantine(self, path: str, digest: bytes, check: str) -> None:
        aside = f"{self._layout.corrupt}/{digest.hex()}.{self._disk.token()}"
        try:
            self._disk.rename(path, aside)
        except FileNotFoundError:
            return  # another process was first, and has told of it
        except OSError:
            aside = ""
        self._trouble.tell(DamagedEntry(entry=f"{digest.hex()}.npy", check=check, moved=aside))
