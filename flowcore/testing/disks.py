"""A disk that fails at its n-th call: for claims about what trouble with files may cost.

Owns the counting of calls at the one seam that all of flowcore's file access goes
through. Promises that every other call is the real one, and that descriptors never
leak: a `close` that fails has closed. Never decides what a failure should lead to.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

from flowcore.store.fs import DISK, Disk

WRITING: Final = (
    "write", "pwrite", "reserve", "fsync", "sync_filesystem", "chmod", "link", "rename", "unlink", "mkdir", "rmdir",
)  # fmt: skip
READING: Final = (
    "close", "pread", "read_into", "map", "stat", "fstat", "listdir", "may_write", "open", "try_lock",
)  # fmt: skip
CALLS: Final = WRITING + READING
_WRITES: Final = ("write", "pwrite")


class FaultyDisk(Disk):
    """The real disk, but for one call, or for all calls from one on.

    Parameters
    ----------
    at : int
        Which call, counted from 1 among those that count; 0: none.
    error : int
        The errno it fails with; a failing write has written half of its data before.
        0: a write is short and says so, any other call is as ever.
    lasting : bool
        Every later call fails too.
    only : tuple of str
        The calls that count, such as `WRITING`.
    under : str
        Only calls about files in this directory count; empty: all do.
    disk : Disk
        What carries out the calls that do not fail.

    Attributes
    ----------
    count : int
        How many calls counted so far.
    log : list of str
        Their names.

    Examples
    --------
    A full disk in the middle of a run costs a warning, and no value:

    >>> import errno, tempfile, warnings
    >>> import flowcore as fc
    >>> @fc.compute(runner="inline")
    ... def double(x):
    ...     return 2 * x
    >>> with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as told:
    ...     disk = FaultyDisk(1, error=errno.ENOSPC, lasting=True, only=WRITING, under=folder)
    ...     with fc.Flow("full") as flow:
    ...         flow.result = double(21)
    ...     flow.run(store=fc.open_store(f"{folder}/store", disk=disk), progress=False)[flow.result]
    42
    >>> [type(warning.message).__name__ for warning in told]
    ['StoreUnavailable']
    """

    def __init__(
        self, at: int = 0, *, error: int = 0, lasting: bool = False, only: tuple[str, ...] = CALLS, under: str = "",
        disk: Disk = DISK,
    ) -> None:  # fmt: skip
        self.at = at
        self.error = error
        self.lasting = lasting
        self.only = only
        self.under = str(under)
        self.count = 0
        self.failed = 0
        self.log: list[str] = []
        self._disk = disk
        self._places: dict[int, str] = {}

    def strike(self, name: str, real: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Carry out the call that fails; a subclass may do something worse."""
        if name in _WRITES:
            file, data, *rest = arguments
            written = real(file, memoryview(data).cast("B")[: len(memoryview(data).cast("B")) // 2], *rest)
            if not self.error:
                return written
        elif not self.error:
            return real(*arguments, **options)
        if name == "close":
            real(*arguments, **options)  # the descriptor is gone whatever close says
        raise OSError(self.error, os.strerror(self.error))

    def _call(self, name: str, *arguments: Any, **options: Any) -> Any:
        real: Callable[..., Any] = getattr(self._disk, name)
        if name not in self.only or not self._place(*arguments, **options).startswith(self.under):
            return self._note(name, real(*arguments, **options), *arguments, **options)
        self.count += 1
        self.log.append(name)
        due = self.at and (self.count == self.at or (self.lasting and self.count > self.at))
        if not due:
            return self._note(name, real(*arguments, **options), *arguments, **options)
        self.failed += 1
        return self._note(name, self.strike(name, real, *arguments, **options), *arguments, **options)

    def _place(self, first: object, *_: object, dir_fd: int | None = None, **__: object) -> str:
        if not self.under:
            return ""
        if isinstance(first, int):
            return self._places.get(first, "")
        return str(first) if dir_fd is None else f"{self._places.get(dir_fd, '')}/{first}"

    def _note(self, name: str, answer: Any, *arguments: Any, **options: Any) -> Any:
        if name == "open" and self.under:
            self._places[answer] = self._place(*arguments[:1], dir_fd=options.get("dir_fd"))
        return answer


def _counted(name: str) -> Callable[..., Any]:
    def call(self: FaultyDisk, *arguments: Any, **options: Any) -> Any:
        return self._call(name, *arguments, **options)

    return call


for _name in CALLS:
    setattr(FaultyDisk, _name, _counted(_name))
