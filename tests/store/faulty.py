"""A disk that fails, or dies, at its n-th call."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from flowcore.store.fs import Disk

Death = Literal["before", "after", "half"]

WRITING = (
    "write", "pwrite", "reserve", "fsync", "sync_filesystem", "chmod", "link", "rename", "unlink", "mkdir", "rmdir",
)  # fmt: skip
READING = ("close", "pread", "read_into", "map", "stat", "fstat", "listdir", "may_write", "open")
CALLS = WRITING + READING


class FaultyDisk(Disk):
    """The real disk, but for one call or all calls from one on.

    Parameters
    ----------
    at : int
        Which call, counted from 1 among those in `only`; 0: none.
    error : int
        The errno it fails with; for "write" half of the data gets written before.
    dies : {"before", "after", "half"}, optional
        The process kills itself instead: before the call, after it, or with half of a write done.
    lasting : bool
        Every later call fails too.
    only : tuple of str
        The calls that count.
    """

    def __init__(
        self, at: int = 0, *, error: int = 0, dies: Death | None = None, lasting: bool = False,
        only: tuple[str, ...] = CALLS,
    ) -> None:  # fmt: skip
        self.at = at
        self.error = error
        self.dies = dies
        self.lasting = lasting
        self.only = only
        self.count = 0
        self.log: list[str] = []

    def _call(self, name: str, *arguments: Any, **options: Any) -> Any:
        real: Callable[..., Any] = partial_of(super(), name)
        if name not in self.only:
            return real(*arguments, **options)
        self.count += 1
        self.log.append(name)
        due = self.at and (self.count == self.at or (self.lasting and self.count > self.at))
        if not due:
            return real(*arguments, **options)
        return self._fail(name, real, *arguments, **options)

    def _fail(self, name: str, real: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        if name in ("write", "pwrite") and (self.dies == "half" or self.error):
            file, data, *rest = arguments
            real(file, memoryview(data)[: len(data) // 2], *rest)
        if self.dies:
            try:
                if self.dies == "after":
                    real(*arguments, **options)
            finally:
                os.kill(os.getpid(), signal.SIGKILL)
        if name == "close":
            real(*arguments, **options)  # the descriptor is gone whatever close says
        raise OSError(self.error, os.strerror(self.error))


def partial_of(parent: Any, name: str) -> Callable[..., Any]:
    """Give the real call."""
    call: Callable[..., Any] = getattr(parent, name)
    return call


def _counted(name: str) -> Callable[..., Any]:
    def call(self: FaultyDisk, *arguments: Any, **options: Any) -> Any:
        return self._call(name, *arguments, **options)

    return call


for _name in CALLS:
    setattr(FaultyDisk, _name, _counted(_name))


def in_children(act: Callable[[], object], count: int) -> list[int]:
    """Do the same in several children at once; give their exit statuses."""
    pids = [_fork(act) for _ in range(count)]
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def in_child(act: Callable[[], object]) -> int:
    """Do something in a child process; give its exit status, negative for a signal."""
    return in_children(act, 1)[0]


def _fork(act: Callable[[], object]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    return pid


def deaths(act: Callable[[FaultyDisk], object], dies: Death, *, only: tuple[str, ...] = CALLS) -> int:
    """Do something over and over, each time in a child that dies one call later; give how often it died.

    Ends with the first child that lives to the end.
    """
    for n in itertools.count(1):
        status = in_child(partial(act, FaultyDisk(n, dies=dies, only=only)))
        if status == 0:
            break
        assert -signal.SIGKILL == status, f"call {n}"
    return n - 1
