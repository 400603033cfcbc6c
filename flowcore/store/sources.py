"""The text of code that results were kept under: only so that `why` can show what was edited.

Owns `v1/code/`: a file a function, named by the digest that the function has among the
parts of a fingerprint. It is written once, by the first run that keeps something made
by it, and never read to identify anything. Promises that it costs no result: a text
that cannot be written is left out, and a diff is then not shown. Never removes anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flowcore.store.arrayfile import drop
from flowcore.store.fs import CREATE, DISK, READ, Disk, end_reading, read_all, write_all
from flowcore.store.layout import Layout, make_directory

_LONGEST: Final = 1 << 18  # bytes of one function


class Sources:
    """The texts of one store, as one run adds to them. The engine's thread.

    Parameters
    ----------
    layout : Layout
        The store's names.
    run_id : str
        Whose part of `tmp/` drafts are made in.
    disk : Disk
        Where it is.
    writable : bool
        Whether there is a store to write to.
    """

    def __init__(self, layout: Layout, run_id: str, *, disk: Disk, writable: bool) -> None:
        self._layout = layout
        self._workplace = layout.workplace(run_id)
        self._disk = disk
        self._writable = writable
        self._known: set[str] | None = None

    def missing(self, digests: Iterable[bytes]) -> set[bytes]:
        """Give those whose text is not there yet; none where nothing can be written."""
        if not self._writable:
            return set()
        if self._known is None:
            try:
                self._known = set(self._disk.listdir(self._layout.code))
            except OSError:
                self._known = set()
        known = self._known
        return {digest for digest in digests if digest.hex() not in known}

    def put(self, digest: bytes, text: str) -> None:
        """Keep a text; after a first failure none is."""
        data = text.encode("utf-8", "surrogatepass")
        if not self._writable or len(data) > _LONGEST:
            return
        try:
            self._put(digest, data)
        except OSError:
            self._writable = False  # a diff less, and no result

    def _put(self, digest: bytes, data: bytes) -> None:
        disk = self._disk
        make_directory(disk, self._layout.code)
        draft = f"{self._workplace}/{disk.token()}"
        fd = disk.open(draft, CREATE, 0o600)
        try:
            disk.chmod(fd, 0o600)
            write_all(disk, fd, data)
        except OSError:
            drop(disk, draft)
            raise
        finally:
            disk.close(fd)
        try:
            disk.link(draft, self._layout.source(digest))
        except FileExistsError:
            pass  # another run was first
        except OSError:
            disk.rename(draft, self._layout.source(digest))  # a filesystem without links
            return
        disk.unlink(draft)


def read_source(layout: Layout, digest: bytes, *, disk: Disk = DISK) -> str:
    """Give the text of a function by its digest; empty if there is none."""
    try:
        fd = disk.open(layout.source(digest), READ)
    except OSError:
        return ""
    try:
        data = read_all(disk, fd, min(disk.fstat(fd).st_size, _LONGEST))
    except OSError:
        return ""
    finally:
        end_reading(disk, fd)
    return bytes(data or b"").decode("utf-8", "replace")
