"""What cells change about their worker's process, put back before the next ones run.

A cell may go to another directory, set variables, turn numpy's warnings into errors, lower
a limit, close `sys.stdout` or point descriptor 2 at a file of its own. The next cell in
this process belongs to somebody else, perhaps: it must find the place as the first one
did, or its value depends on who ran before it, and its failure is not its own (P4, P7).

The state is noted when a run is entered, and after each piece of user code that is loaded:
what a module does when it is imported is meant for all cells. It is compared after each
cell, which takes 25 us (signals 8, descriptors 5, limits 4), half a percent of the shortest cell
that pays for it; or, where cells are known to be over in less than 5 ms, after
each batch of them and after each that fails: that one is handed out again, since it may
have failed for what a cell before it had left. What is not here (a patched module, say) is
left as it is.

Where nobody calls :meth:`Footprints.begin`, as in the user's own process, nothing is put back.
"""

from __future__ import annotations

import _locale
import faulthandler
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from flowcore.run import proc

_ENVIRON = os.environ
_LIMITS = (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_AS, resource.RLIMIT_CPU)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD)
_LOG_LIMIT = 1 << 20  # bytes of a worker's log

_Mark: TypeAlias = tuple[Callable[[], Any], Callable[[Any], object]]  # reads, and puts back


class Footprints:
    """The state of a process. One thread: in a worker that which performs cells."""

    def __init__(self) -> None:
        self._marks: list[_Mark] = []
        self._before: list[Any] = []
        self._log = -1, (0, 0)  # its descriptor, and which file it is

    def begin(self, log: int, crashes: int, streams: Callable[[], None]) -> None:
        """Have things put back here from now on.

        Parameters
        ----------
        log, crashes : int
            Descriptors of the worker's log, and of what faulthandler writes to.
        streams : callable
            Makes the standard streams anew.
        """
        own = _identity(log)
        self._log = log, own
        self._marks = [
            (_directory, proc.change_directory),
            (_variables, _set_variables),
            (_umask, _set_umask),
            (_users, _set_users),
            (_limits, _set_limits),
            (_signals, _set_signals),
            (lambda: _point_at(own, 1, 2), lambda _: _point_again(log, own, 1, 2)),
            (_streams, lambda _: streams()),
            (faulthandler.is_enabled, lambda _: faulthandler.enable(crashes)),
            (gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
            (sys.getrecursionlimit, sys.setrecursionlimit),
            (lambda: _locale.setlocale(_locale.LC_ALL), lambda name: _locale.setlocale(_locale.LC_ALL, name)),
            (_float_errors, _set_float_errors),
        ]
        self.note()

    def trim_log(self) -> None:
        """Keep what C code writes to the standard descriptors from filling the disk; never a file of a cell's."""
        log, own = self._log
        if _identity(log) == own and os.fstat(log).st_size > _LOG_LIMIT:
            os.ftruncate(log, 0)

    def note(self) -> None:
        """Take the state as it is now for the one that is put back."""
        self._before = [read() for read, _ in self._marks]

    def undo(self) -> bool:
        """Put back what has changed; tell whether anything had. OSError or ValueError if it cannot be put back."""
        found = False
        for i, (read, put) in enumerate(self._marks):
            if read() != self._before[i]:
                put(self._before[i])
                self._before[i] = read()  # a directory may be gone for good, and a stream is a new one
                found = True
        return found


def _streams() -> tuple[object, ...]:
    return tuple((id(stream), getattr(stream, "closed", True)) for stream in (sys.stdout, sys.stderr))


def _float_errors() -> dict[str, str] | None:
    numpy = sys.modules.get("numpy")
    return numpy.geterr() if numpy is not None else None


def _set_float_errors(ways: dict[str, str] | None) -> None:
    numpy = sys.modules.get("numpy")
    if numpy is not None and ways is not None:
        numpy.seterr(**ways)


def _identity(file: int) -> tuple[int, int]:
    """Tell an open file from all others on this machine; zeros if there is none."""
    try:
        found = os.fstat(file)
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def _point_at(file: tuple[int, int], *descriptors: int) -> bool:
    """Tell whether all descriptors are of the file with this identity."""
    return all(_identity(descriptor) == file for descriptor in descriptors)


def _point_again(source: int, file: tuple[int, int], *descriptors: int) -> None:
    """Point descriptors at a file again: as `source` does, or else the first of them that still does."""
    for still in (source, *descriptors):
        if _identity(still) == file:
            for descriptor in descriptors:
                if _identity(descriptor) != file:
                    os.dup2(still, descriptor, inheritable=True)
            return


def _directory() -> str:
    """Give the working directory; empty if it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def _variables() -> dict[bytes, bytes]:
    """Give the environment of this process, undecoded: that takes a microsecond."""
    return dict(_ENVIRON._data)  # type: ignore[attr-defined]


def _set_variables(wanted: Mapping[bytes, bytes]) -> None:
    """Make the environment equal to what :func:`_variables` gave."""
    os.environ = _ENVIRON  # noqa: B003 - a cell may have put a dict in its place
    proc.set_environ({os.fsdecode(name): os.fsdecode(value) for name, value in wanted.items()})


def _umask() -> int:
    """Give the mode bits that new files lack."""
    found = os.umask(0o077)
    os.umask(found)
    return found


def _set_umask(mask: int) -> None:
    """Set the mode bits that new files lack."""
    os.umask(mask)


def _users() -> tuple[tuple[int, ...], ...]:
    """Give the users and groups that this process acts for."""
    return (os.getresuid(), os.getresgid()) if hasattr(os, "getresuid") else ((os.geteuid(),), (os.getegid(),))


def _set_users(wanted: tuple[tuple[int, ...], ...]) -> None:
    """Act for them again; OSError where a cell has given that up for good."""
    if len(wanted[0]) == 1:
        os.seteuid(*wanted[0])
        os.setegid(*wanted[1])
        return
    os.setresuid(*wanted[0])
    os.setresgid(*wanted[1])


def _limits() -> list[tuple[int, int]]:
    """Give the limits under which files can be opened and written, memory be had, and time be used."""
    return [resource.getrlimit(kind) for kind in _LIMITS]


def _set_limits(wanted: Sequence[tuple[int, int]]) -> None:
    """Set them; ValueError or OSError if one was lowered for good."""
    for kind, limit in zip(_LIMITS, wanted, strict=True):
        if resource.getrlimit(kind) != limit:
            resource.setrlimit(kind, limit)


def _signals() -> tuple[list[Any], bool]:
    """Give what is done about the signals that matter here, and whether an alarm is set."""
    return [signal.getsignal(kind) for kind in _SIGNALS], any(signal.getitimer(signal.ITIMER_REAL))


def _set_signals(wanted: tuple[list[Any], bool]) -> None:
    """Put back what :func:`_signals` gave; an alarm that was set since is called off."""
    handlers, alarm = wanted
    if not alarm:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
    for kind, handler in zip(_SIGNALS, handlers, strict=True):
        if handler is not None and signal.getsignal(kind) != handler:
            signal.signal(kind, handler)


footprints = Footprints()
"""Those of this process."""
