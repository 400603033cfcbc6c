"""Frames of journals read here and there, as questions come.

Owns a few open journals and the bytes last read from each. Promises that a frame that it
gives verified a moment ago; that what it has open it can read on when the journal has lost
its name, since gc unlinks and never shortens (contract F25); and that few descriptors are
held, however many journals there are. Knows nothing of what frames hold.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from flowcore.store.frames import Frame, Header, Window, open_journal
from flowcore.store.fs import Disk, end_reading

_OPEN: Final = 16  # journals
_WINDOW: Final = 1 << 15  # bytes read at once: cells that are asked for together were written together


class Readers:
    """Reads single frames. One thread."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._open: OrderedDict[str, tuple[int, Window]] = OrderedDict()

    def frame(self, path: str, offset: int) -> Frame | None:
        """Give the frame at an offset; None if it does not verify.

        Raises
        ------
        FileNotFoundError
            If the journal is not there, or is none that we know.
        """
        fd, window = self._reader(path)
        try:
            return window.frame(offset, self._disk.fstat(fd).st_size)
        except OSError:
            self._drop(path)
            return None

    def close(self) -> None:
        """Let go of all."""
        while self._open:
            self._drop(next(iter(self._open)))

    def __del__(self) -> None:
        self.close()

    def _reader(self, path: str) -> tuple[int, Window]:
        found = self._open.get(path)
        if found is not None:
            self._open.move_to_end(path)
            return found
        opened: tuple[int, Header] | None = open_journal(self._disk, path)
        if opened is None:
            raise FileNotFoundError(path)
        fd, header = opened
        while len(self._open) >= _OPEN:
            self._drop(next(iter(self._open)))
        found = self._open[path] = fd, Window(self._disk, fd, header, size=_WINDOW)
        return found

    def _drop(self, path: str) -> None:
        fd, _ = self._open.pop(path)
        end_reading(self._disk, fd)
