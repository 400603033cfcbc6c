"""Arrays that this process wrote last and has to itself: handed on as they are, not read back.

A task that writes into the array it was given, and returns it, gives back a private copy
of a file: memory laid out as the file of the result will be, header and all. Once that
file is written, the memory holds its very bytes. Where nobody else can reach it any more,
the next reader of the digest may have it in place of a map of the file, and cannot tell
the two apart: the same code makes the array over the same bytes, in memory of the same
kind, with the same alignment (contract K29). It saves the map, and the copy of each page
that the reader writes into.

Owns a few such buffers, by bytes. Promises that a buffer is handed out once, and only if
it is held by nothing else: not by the task, a view of it, or another value. Never looks
at an array that a task made in memory of its own: its class, flags and alignment are
others than a reader gets, and sums may follow them. One thread, between two cells.
"""

from __future__ import annotations

import sys
import weakref
from typing import Final

from flowcore.store.fs import PrivateMap

MOST: Final = 256 << 20  # bytes that are held; more than that, and the oldest are let go of


class Recent:
    """A few arrays that were written last.

    Parameters
    ----------
    most : int
        Bytes that may be held.

    Attributes
    ----------
    size : int
        Bytes that are held.
    taken : int
        How often an array was handed on.
    """

    __slots__ = ("_held", "_most", "_noted", "size", "taken")

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._noted: dict[bytes, list[PrivateMap]] = {}  # written in the cell that runs; each alone in its list
        self._held: dict[bytes, list[PrivateMap]] = {}
        self.size = 0
        self.taken = 0

    def note(self, digest: bytes, header: bytes, data: memoryview) -> None:
        """Take notice of an array that was just written, if its memory is a file's, and the file would be the same."""
        buffer = _whole(header, data)
        if buffer is not None and len(buffer) <= self._most:
            self._noted[digest] = [buffer]

    def drop(self) -> None:
        """Forget what the running cell has written: code of others may have had it since."""
        self._noted.clear()

    def settle(self) -> None:
        """Keep, of what a cell has written, what nobody can reach now that it has ended."""
        if not self._noted:
            return
        noted, self._noted = self._noted, {}
        while noted:
            digest, box = noted.popitem()
            if _alone(box) and digest not in self._held:
                self._held[digest] = box
                self.size += len(box[0])
        for digest in list(self._held):
            if self.size <= self._most:
                return
            self.size -= len(self._held.pop(digest)[0])

    def take(self, digest: bytes, header: bytes, nbytes: int) -> PrivateMap | None:
        """Give what is the file of this digest, header and length, in memory that is the caller's alone; or None."""
        box = self._held.pop(digest, None)
        if box is None:
            return None
        self.size -= len(box[0])
        if not _alone(box) or len(box[0]) != len(header) + nbytes or box[0][: len(header)] != header:
            return None
        self.taken += 1
        return box.pop()

    def clear(self) -> None:
        """Let go of everything."""
        self._noted.clear()
        self._held.clear()
        self.size = 0


def _whole(header: bytes, data: memoryview) -> PrivateMap | None:
    """Give the map that `data` lies in, if header and data are all of it, in their places."""
    owner: object = data.obj
    while type(owner).__module__ == "numpy":  # views of views
        owner = getattr(owner, "base", None)
    if not isinstance(owner, PrivateMap) or len(owner) != len(header) + len(data) or owner[: len(header)] != header:
        return None
    return owner if _address(data) == _address(owner) + len(header) else None


def _address(buffer: memoryview | PrivateMap) -> int:
    import numpy as np

    return int(np.frombuffer(buffer, np.uint8).ctypes.data)


def _alone(box: list[PrivateMap]) -> bool:
    """Tell whether the only one who can reach what is in a box is who has the box."""
    return _references(box) == _OWN and weakref.getweakrefcount(box[0]) == 0


def _references(box: list[PrivateMap]) -> int:
    return sys.getrefcount(box[0])


_OWN: Final = _references([PrivateMap(-1, 1)])  # as this Python counts them
