"""What cells of a run print, kept beside its journal.

Owns one file a run, `v1/logs/<run>/output.log`, in the form of a journal: a header, then
frames that prove where they belong, each a list of ``["out", node, number, stream,
text]``. Promises at most 64 KiB a cell, whatever its attempts print; that a torn end
costs only what is behind it; and that trouble with the disk costs the file and never a
run: what is printed from then on is held in memory, for as long as the run is.

The file is made when the first cell prints, so a silent run leaves none.
"""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from flowcore.store.frames import pack_header, seal
from flowcore.store.fs import CREATE, DISK, Disk, write_all
from flowcore.store.journal import pack, read_frames
from flowcore.store.layout import Layout, make_directory
from flowcore.store.trouble import Trouble

CELL_LIMIT: Final = 64 * 1024  # bytes of one cell; what it prints beyond is left out, and that is said
_FLUSH_FROM: Final = 64 * 1024  # bytes that are written at once
_IN_MEMORY: Final = 8 << 20  # bytes held where there is no file
_LEFT_OUT: Final = f"\n[more than {CELL_LIMIT // 1024} KiB printed; the rest is left out]\n"


class Line(NamedTuple):
    """A piece of what one cell wrote."""

    node: int
    number: int
    stream: str
    text: str


class OutputLog:
    """Keeps what cells print. The engine's thread writes; any thread may read.

    Parameters
    ----------
    layout : Layout
        The store's names.
    run_id : str
        Whose output it is.
    disk : Disk
        Where it is.
    trouble : Trouble
        Told of a failed write, asked before each.
    writable : bool
        Whether there is a store to write to.
    """

    def __init__(self, layout: Layout, run_id: str, *, disk: Disk, trouble: Trouble, writable: bool) -> None:
        self.path = layout.output(run_id)
        self._layout = layout
        self._run_id = run_id
        self._disk = disk
        self._trouble = trouble
        self._filing = writable
        self._fd = -1
        self._salt = b""
        self._end = 0
        self._used: dict[tuple[int, int], int] = {}  # bytes of each cell that printed
        self._waiting: list[Line] = []
        self._size = 0
        self._memory: deque[Line] = deque()
        self._held = 0
        self._lock = threading.Lock()  # a reader must find a line in one place: waiting, in memory or on disk

    def write(self, node: int, number: int, stream: str, text: str) -> bool:
        """Take what a cell wrote; tell whether it is the first that waits to be flushed."""
        text, size = self._within_limit((node, number), text)
        if not text:
            return False
        with self._lock:
            first = not self._waiting
            self._waiting.append(Line(node, number, stream, text))
            self._size += size
        if self._size >= _FLUSH_FROM:
            self.flush()
            return False
        return first

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            waiting, self._waiting, self._size = self._waiting, [], 0
            if waiting and not self._filed(waiting):
                self._remember(waiting)

    def read(self, node: int, number: int | None = None) -> list[Line]:
        """Give what the cells of a node, or one of them, wrote so far, in order."""
        with self._lock:
            lines = [*(read_output(self.path, disk=self._disk) if self._end else ()), *self._memory, *self._waiting]
        return [line for line in lines if line.node == node and number in (None, line.number)]

    def close(self) -> None:
        """Write what waits, and let go of the file; what is there can still be read."""
        self.flush()
        self._let_go()

    def _filed(self, lines: list[Line]) -> bool:
        if not self._filing or self._trouble.refusal() is not None:
            return False
        try:
            if self._fd < 0:
                self._open()
            frame = seal(self._salt, self._end, pack([["out", *line] for line in lines]))
            write_all(self._disk, self._fd, frame)
        except OSError as error:
            self._trouble.met(error)
            self._filing = False
            self._let_go()
            return False
        self._end += len(frame)
        return True

    def _open(self) -> None:
        make_directory(self._disk, self._layout.logs)
        make_directory(self._disk, self._layout.log_directory(self._run_id))
        self._salt = secrets.token_bytes(16)
        header = pack_header(self._salt, self._disk.boot())
        self._fd = self._disk.open(self.path, CREATE, 0o600)
        self._disk.chmod(self._fd, 0o600)
        write_all(self._disk, self._fd, header)
        self._end = len(header)

    def _remember(self, lines: list[Line]) -> None:
        self._memory.extend(lines)
        self._held += sum(len(line.text) for line in lines)
        while self._held > _IN_MEMORY:
            self._held -= len(self._memory.popleft().text)

    def _let_go(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            try:
                self._disk.close(fd)
            except OSError as error:
                self._trouble.met(error)

    def _within_limit(self, cell: tuple[int, int], text: str) -> tuple[str, int]:
        """Give the text as far as the cell may still print, and its size."""
        data = text.encode("utf-8", "surrogatepass")
        before = self._used.get(cell, 0)
        if before > CELL_LIMIT or not data:
            return "", 0
        self._used[cell] = before + len(data)
        if before + len(data) <= CELL_LIMIT:
            return text, len(data)
        kept = data[: CELL_LIMIT - before].decode("utf-8", "ignore") + _LEFT_OUT
        return kept, CELL_LIMIT - before + len(_LEFT_OUT)


def read_output(path: str, *, disk: Disk = DISK) -> Iterator[Line]:
    """Yield what the cells of a run wrote, in order; nothing where there is no such file."""
    for _, _, records in read_frames(path, disk=disk):
        for record in records:
            match record:
                case ["out", int(node), int(number), str(stream), str(text), *_]:
                    yield Line(node, number, stream, text)
