"""The clean, numpy-warm process that workers are forked from (contract W1).

Exec'ed by the engine on ``from flowcore.run.launcher import main; main(fd)``. It has one
thread whenever it forks, none of the user's descriptors, a session of its own, and has
imported numpy but no module of the user's. It forks on request, reports how each worker
ended, and, when its control socket closes, sees its workers out, removes the spool
directories it was told of, and ends. What cells started in sessions of their own, out of
reach of their worker's group, is adopted when its parent ends, and ends with the launcher.
It decides nothing.

Messages to the launcher, and from it::

    ["fork", token]   with channel, lifeline, slot and log as descriptors
    ["spool", path]   remove this directory when I am gone;  ["kept", path]: do not
    ["ready", pid, edition]
    ["started", token, pid, threads]   with a pidfd where there are any
    ["refused", token, reason]
    ["exited", token, wait status, peak bytes]
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import importlib
import os
import select
import socket
import sys
from typing import NoReturn

from flowcore import clock
from flowcore.run import proc
from flowcore.run.workers.edition import IMPORTED
from flowcore.run.workers.wire import Channel
from flowcore.run.workers.worker import Descriptors, live

_WARM = ("numpy", "numpy.random", "cloudpickle", "blake3", "flowcore.run.workers.workshop")
_CHILD_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_GRACE = 2.0  # seconds the workers have to end by themselves once the engine is gone
_TRIES = 5  # removals of a spool: a run that asks whether it is abandoned makes its lock file anew; and of orphans


class Launcher:
    """The launcher's loop: one control socket, one wake-up for ended children."""

    def __init__(self, control: Channel) -> None:
        self._control = control
        self._children: dict[int, int] = {}  # pid: token
        self._spools: set[str] = set()
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def serve(self) -> None:
        """Answer until the control socket closes, then leave the place clean."""
        proc.wake_on_child(self._wake)
        self._control.send(["ready", proc.pid(), IMPORTED])
        while not self._control.ended and not self._control.fault:
            ready, _, _ = select.select([self._control.fileno(), self._woken], [], [])
            if self._woken in ready:
                self._reap()
            if self._control.fileno() in ready:
                for message in self._control.receive():
                    self._answer(message)
        self._see_out()
        for spool in self._spools:
            remove_spool(spool)

    def _answer(self, message: list[object]) -> None:
        match message:
            case ["fork", int() as token]:
                self._fork(token, self._control.take_fds())
            case ["spool", str() as path]:
                self._spools.add(path)
            case ["kept", str() as path]:
                self._spools.discard(path)

    def _fork(self, token: int, fds: tuple[int, ...]) -> None:
        try:
            channel, lifeline, slot, log = fds
            threads = proc.thread_count()  # before: OpenBLAS ends its own at a fork, and begins them again
            child = proc.fork()
        except (OSError, ValueError) as error:
            self._control.send(["refused", token, str(error) or type(error).__name__])
        else:
            if child == 0:
                self._become_worker(Descriptors(channel=channel, lifeline=lifeline, slot=slot, log=log))
            self._children[child] = token
            self._tell_started(token, child, threads)
        for fd in fds:
            os.close(fd)

    def _tell_started(self, token: int, child: int, threads: int) -> None:
        # We have not reaped the child, so its number is still its own when the pidfd is opened.
        pidfd = proc.open_pidfd(child)
        self._control.send(["started", token, child, threads], fds=() if pidfd is None else (pidfd,))
        if pidfd is not None:
            os.close(pidfd)

    def _become_worker(self, fds: Descriptors) -> NoReturn:
        proc.wake_on_child(-1)
        # Not only our own: descriptors of workers yet to be forked may have arrived already.
        proc.close_all_but(fds.channel, fds.lifeline, fds.slot, fds.log)
        live(fds)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, 4096)
        while (child := proc.dead_child()) is not None:
            # A zombie keeps its number, so the group is still the worker's: children that it
            # left behind end with it.
            proc.kill_group(child)
            status, peak = proc.reap(child)
            token = self._children.pop(child, None)
            if token is not None:
                self._control.send(["exited", token, status, peak])

    def _see_out(self) -> None:
        """Wait for the workers, whose lifelines have closed with our socket; end what hangs on."""
        self._wait()
        for child in self._children:
            proc.kill_group(child)
        self._wait()  # one that still writes would fill a spool while we empty it
        for _ in range(_TRIES):  # what cells started in sessions of their own is ours, and so is what that has started
            orphans = children()
            for orphan in orphans:
                proc.kill_group(orphan)
                proc.reap(orphan)
            if not orphans:
                break

    def _wait(self) -> None:
        due = clock.monotonic() + _GRACE
        while self._children and (left := due - clock.monotonic()) > 0:
            select.select([self._woken], [], [], left)
            self._reap()


def adopt_orphans() -> None:
    """Become the parent of what our descendants leave behind, in whatever session it is; Linux alone has this."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> list[int]:
    """Name the children of this process, which has one thread; none where the kernel does not say."""
    try:
        file = os.open(f"/proc/self/task/{proc.pid()}/children", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        return [int(word) for word in os.read(file, 1 << 20).split()]
    finally:
        os.close(file)


def remove_spool(path: str) -> None:
    """Remove a spool directory and the plain files in it; links and directories stop the removal."""
    for _ in range(_TRIES):
        try:
            _empty(path)
            os.rmdir(path)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                continue
        return


def _empty(path: str) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for name in os.listdir(directory):
            with contextlib.suppress(FileNotFoundError):  # a run that starts now tidies it too
                os.unlink(name, dir_fd=directory)
    finally:
        os.close(directory)


def main(control: int) -> NoReturn:
    """Be the launcher from its exec to its end."""
    proc.ignore_signals(*proc.MEANT_FOR_CELLS)  # before they are let through
    proc.plain_signals()
    adopt_orphans()
    for module in _WARM:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(module)
    gc.freeze()  # what is here now is shared by all workers; do not touch its pages
    Launcher(Channel(socket.socket(fileno=control), blocking=True)).serve()
    proc.leave(0)
