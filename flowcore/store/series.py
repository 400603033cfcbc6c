"""A time series that grows on disk beside the state it belongs to.

Owns ``<digest of its name>.series``: frames of one dtype and shape, one behind the
other, and nothing else. How much of it counts is said elsewhere, by the watermark of a
manifest; what lies beyond is written over. Promises that the file is never shortened,
so that whoever has it mapped keeps what is committed (contract F23), that a watermark
is given only for bytes on the medium, and that a full disk costs no frame: those wait
in memory, up to a bound. Never decides what is committed, and never removes a file.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from blake3 import blake3

from flowcore.plan.arrays import KINDS, dtype_from, item_size
from flowcore.plan.extension import BadRecord
from flowcore.store.fs import READ, UPDATE, Disk, end_reading, map_if_possible
from flowcore.store.manifest import SeriesMark

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOGETHER: Final = 1 << 16  # bytes of small frames that are written at once
_WAITING: Final = 1 << 28  # bytes that wait for a full disk
_CHUNK: Final = 1 << 20
_CONTEXT: Final = "flowcore v1 series"


class BadSeries(Exception):  # noqa: N818 - says what the file is
    """A file does not hold what its watermark says."""


def series_file(name: str) -> str:
    """Give the name of a series' file; names of users never become paths (L1)."""
    return blake3(name.encode("utf-8", "surrogatepass"), derive_key_context=_CONTEXT).hexdigest() + ".series"


class Series:
    """One series, open to grow. One thread.

    Parameters
    ----------
    path : str
        Its file; made with the first frames.
    descr : str
        dtype of a frame, as in a npy header.
    shape : tuple of int
        Of a frame.
    disk : Disk
    mark : SeriesMark, optional
        What of the file counts; what is behind it is written over.
    make : callable
        Makes its directory anew, where that is gone.

    Raises
    ------
    BadSeries
        If the file does not hold what `mark` says.
    """

    def __init__(
        self, path: str, *, descr: str, shape: tuple[int, ...], disk: Disk, mark: SeriesMark | None = None,
        make: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.descr = descr
        self.shape = shape
        self.count = 0  # frames, those that wait included
        self._path = path
        self._disk = disk
        self._make = make
        self._frame = _frame_size(descr, shape)
        self._fd = -1
        self._hasher = blake3()
        self._hashed = 0  # bytes
        self._end = 0  # bytes in the file
        self._waiting: deque[bytes | memoryview] = deque()
        self._held = 0  # bytes that wait
        if mark is not None and mark.count:
            self._take_up(mark)

    def add(self, frame: bytes) -> None:
        """Add the bytes of a frame of the right dtype and shape; they wait for company."""
        self.count += 1
        self._waiting.append(frame)
        self._held += len(frame)
        if self._held >= TOGETHER:
            self.flush(patient=True)

    def append(self, frame: NDArray[Any]) -> None:
        """Add a frame of the right dtype and shape; OSError if the disk takes nothing, and memory no more."""
        data = memoryview(frame.reshape(-1).view("u1").data) if frame.nbytes else memoryview(b"")
        if self._frame < TOGETHER or self._waiting:
            self.add(bytes(data))
            return
        self.count += 1
        self._waiting.append(data)
        self._held += len(data)
        self.flush(patient=True)
        if self._waiting:  # the disk is full: the caller may write into its array again
            self._waiting[-1] = bytes(self._waiting[-1])

    def flush(self, *, patient: bool = False) -> None:
        """Write what waits; where a `patient` caller can wait for room on a full disk, so do the frames."""
        if len(self._waiting) > 1:  # one write for all that is small
            together = b"".join(self._waiting)
            self._waiting.clear()
            self._waiting.append(together)
        try:
            while self._waiting:
                self._write(self._waiting[0])
                self._held -= len(self._waiting.popleft())
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            if not (patient and full and self._held <= _WAITING):
                raise

    def commit(self) -> SeriesMark:
        """Have all frames on the medium, and give the watermark that says so."""
        self.flush()
        if self._fd >= 0:
            self._disk.fsync(self._fd)
            self._hash(self._end)
        return SeriesMark(descr=self.descr, shape=self.shape, count=self.count, digest=self._hasher.digest())

    def read(self, *, mapped: bool) -> NDArray[Any]:
        """Give all frames so far, mapped where that is possible."""
        self.flush()
        return _frames(self._disk, self._fd, self.descr, self.shape, self.count, mapped=mapped)

    def close(self) -> None:
        """Let go of the file."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._disk.close(fd)

    def _take_up(self, mark: SeriesMark) -> None:
        self._open()
        size = mark.count * self._frame
        try:
            if self._disk.fstat(self._fd).st_size < size:
                raise BadSeries(f"it ends before its watermark of {size} bytes")
            self._hash(size)
            if self._hasher.digest() != mark.digest:
                raise BadSeries("its content does not have the digest of its watermark")
        except BaseException:
            self.close()
            raise
        self.count, self._end = mark.count, size

    def _open(self) -> None:
        if self._fd < 0:
            try:
                self._fd = self._disk.open(self._path, UPDATE, 0o600)
            except FileNotFoundError:  # somebody removed the store before the first frame was written (F38)
                self._make()
                self._fd = self._disk.open(self._path, UPDATE, 0o600)
            self._disk.chmod(self._fd, 0o600)

    def _write(self, data: bytes | memoryview) -> None:
        self._open()
        done, size = 0, len(data)
        view = memoryview(data)
        while done < size:  # begun anew after a failure: the end moves with a whole frame only
            count = self._disk.pwrite(self._fd, view[done:], self._end + done)
            if count == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._path)
            done += count
        self._end += size

    def _hash(self, end: int) -> None:
        """Hash the file from where the last watermark ended; from the cache, and not while frames are added."""
        while self._hashed < end:
            chunk = self._disk.pread(self._fd, min(_CHUNK, end - self._hashed), self._hashed)
            if not chunk:
                raise BadSeries("it ends before its watermark")
            self._hasher.update(chunk)
            self._hashed += len(chunk)


def frame_of(value: object) -> NDArray[Any]:
    """Give a value as one frame; TypeError if it is no number, text or array of such."""
    import numpy as np

    frame = np.asarray(value)
    if frame.dtype.kind not in KINDS or frame.dtype.names is not None:
        raise TypeError(f"a frame of dtype {frame.dtype}: a series holds numbers, text, or arrays of them")
    return frame if frame.flags.c_contiguous else np.ascontiguousarray(frame).reshape(frame.shape)


def read_committed(disk: Disk, path: str, mark: SeriesMark, *, mapped: bool) -> NDArray[Any]:
    """Give what is committed of a series that another process may be writing.

    Raises
    ------
    BadSeries
        If the file is shorter than its watermark.
    OSError
        If it cannot be read.
    """
    fd = disk.open(path, READ)
    try:
        if disk.fstat(fd).st_size < committed_size(mark):
            raise BadSeries("it ends before its watermark")
        return _frames(disk, fd, mark.descr, mark.shape, mark.count, mapped=mapped)
    finally:
        end_reading(disk, fd)


def committed_size(mark: SeriesMark) -> int:
    """Give the bytes of a series that count."""
    return mark.count * _frame_size(mark.descr, mark.shape)


def _frame_size(descr: str, shape: tuple[int, ...]) -> int:
    size = item_size(descr)
    for length in shape:
        size *= length
    return size


def _frames(
    disk: Disk, fd: int, descr: str, shape: tuple[int, ...], count: int, *, mapped: bool
) -> np.ndarray[Any, Any]:
    import numpy as np

    try:
        dtype = dtype_from(descr)
    except BadRecord as refusal:
        raise BadSeries(str(refusal)) from None
    if dtype.kind not in KINDS:
        raise BadSeries("not a dtype of a series")
    size = count * _frame_size(descr, shape)
    if not size:
        return np.ndarray((count, *shape), dtype=dtype)  # numpy.zeros makes texts of no length one character long
    if mapped and (memory := map_if_possible(disk, fd, size)) is not None:
        return np.frombuffer(memory, dtype=dtype).reshape(count, *shape)
    buffer = bytearray(size)
    view, done = memoryview(buffer), 0
    while done < size:
        got = disk.read_into(fd, view[done:], done)
        if not got:
            raise BadSeries("it ends before its watermark")
        done += got
    return np.frombuffer(buffer, dtype=dtype).reshape(count, *shape)
