"""Which arrays this run need not check again.

Owns a set of digests in this process, and a file in the run's spool through which its
processes tell each other: what one worker linked or verified, another one maps without
hashing it a second time (contract B8). The file is a list of 32-byte digests, appended
and never read as anything else; a torn entry equals no digest, so the worst that can
happen to it is a needless check. Never says anything about other runs.
"""

from __future__ import annotations

from typing import Final

from flowcore.store.fs import APPEND, Disk, end_reading

SHARED_FROM: Final = 1 << 18  # bytes; hashing less is cheaper than telling about it
_WIDTH: Final = 32


class Verified:
    """A set of digests, shared by the processes of a run as far as that pays.

    Any thread: a digest that two threads add at once is there twice, which is harmless.

    Parameters
    ----------
    path : str
        The file; empty: known to this process only.
    disk : Disk
        Where it is.
    """

    def __init__(self, path: str, *, disk: Disk) -> None:
        self._disk = disk
        self._path = path
        self._known: set[bytes] = set()
        self._read = 0
        self._fd = -1

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._known

    def knows(self, digest: bytes, size: int) -> bool:
        """Tell whether any process of this run vouches for an array of `size` bytes."""
        if digest in self._known:
            return True
        if size < SHARED_FROM:
            return False
        self._catch_up()
        return digest in self._known

    def add(self, digest: bytes, size: int) -> None:
        """Vouch for an array."""
        if digest in self._known:
            return
        self._known.add(digest)
        if size < SHARED_FROM or not self._opened():
            return
        try:
            self._disk.write(self._fd, digest)
        except OSError:
            self.close()

    def discard(self, digest: bytes) -> None:
        """Vouch no longer: it was found damaged, or is gone."""
        self._known.discard(digest)

    def close(self) -> None:
        """Let go of the file."""
        fd, self._fd, self._path = self._fd, -1, ""
        if fd >= 0:
            end_reading(self._disk, fd)  # a list of what need not be checked again is no loss

    def _opened(self) -> bool:
        if self._fd < 0 and self._path:
            try:
                self._fd = self._disk.open(self._path, APPEND, 0o600)
            except OSError:
                self._path = ""
        return self._fd >= 0

    def _catch_up(self) -> None:
        if not self._opened():
            return
        try:
            while news := self._disk.pread(self._fd, 1 << 16, self._read):
                whole = len(news) - len(news) % _WIDTH
                if not whole:
                    return
                self._known.update(news[i : i + _WIDTH] for i in range(0, whole, _WIDTH))
                self._read += whole
        except OSError:
            self.close()
