"""The launcher and a worker as the engine sees them: descriptors, and how each ended.

Both are handles: they hold what the engine needs to talk to a process and to learn of its
end, and decide nothing. `pool.py` moves them; what runs in the processes is in
`launcher.py` and `worker.py`.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
from collections.abc import Iterable
from typing import Protocol

from flowcore import machine
from flowcore.dataclass import dataclass
from flowcore.run import proc
from flowcore.run.cell.slot import Slot, slot_file
from flowcore.run.workers import edition
from flowcore.run.workers.surroundings import import_path
from flowcore.run.workers.wire import Channel, pair

_CODE = """\
import sys
arguments = sys.argv
sys.path[:] = arguments[2:]
from flowcore.run.launcher import main
main(int(arguments[1]))
"""
_PATIENCE = 5.0  # seconds a launcher has to see its workers out


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a worker ended."""

    attempt: int  # what its slot named; 0: nothing
    batch: int  # the last batch it took up; 0: none in this run, -1: it had not entered the run
    cause: str  # "signal 9 (SIGKILL)", "exit code 3", or what we killed it for
    peak: int  # bytes of memory at its highest; 0: not known
    stderr: str  # last lines of its log
    stack: str  # what faulthandler wrote
    step: int = 0  # the last that a loop over steps finished; 0: none
    started: float = 0.0  # clock.monotonic of when the attempt began
    memory: bool = False  # whether it was for want of memory, as far as can be told


class Holder(Protocol):
    """Who uses a pool of workers during a run. Called on the engine's thread."""

    def up(self, worker: WorkerProcess) -> None:
        """A worker is there and takes messages."""
        ...

    def heard(self, worker: WorkerProcess, message: list[object]) -> None:
        """A worker sent this."""
        ...

    def gone(self, worker: WorkerProcess, ending: Ending) -> None:
        """A worker has ended; its last messages were heard."""
        ...

    def refused(self, reason: str, token: int) -> None:
        """A worker that was asked for will not come."""
        ...


class _Kills:
    """How often the kernel had ended a process for want of memory, when this was last looked at."""

    def __init__(self) -> None:
        self._seen = -1

    def look(self) -> None:
        """Look, if nobody has yet."""
        if self._seen < 0:
            self._seen = machine.out_of_memory_kills()

    def more(self) -> bool:
        """Tell whether it has since."""
        before, self._seen = self._seen, machine.out_of_memory_kills()
        return self._seen > before


_kills = _Kills()


def _lacked_memory(peak: int) -> bool:
    """Tell whether a worker that SIGKILL ended, with this peak, lacked memory, as far as can be told."""
    return _kills.more() or peak > machine.memory_limit() // 2


class LauncherProcess:
    """The engine's hold on a launcher.

    Parameters
    ----------
    spools : iterable of str
        Directories that it removes when we are gone. They are in its socket before it
        starts, so there is no moment at which it lives and does not know them.

    Raises
    ------
    OSError
        If the system has no process or descriptor left, or flowcore's files have changed.
    """

    def __init__(self, spools: Iterable[str] = ()) -> None:
        if edition.changed():
            raise OSError(edition.CHANGED)
        ours, theirs = pair()
        self.control = Channel(ours, blocking=False)
        for spool in spools:
            self.control.send(["spool", spool])
        self._complaints = proc.anonymous_file("flowcore-launcher")
        self.ready = False
        self.foreign = False
        try:
            self._process: subprocess.Popen[bytes] = proc.start_interpreter(
                _CODE, [str(theirs.fileno()), *import_path()], passing=[theirs.fileno()], stderr=self._complaints
            )
        except OSError:
            self.control.close()
            os.close(self._complaints)
            raise
        finally:
            theirs.close()

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    def complaint(self) -> str:
        """Give the last lines it wrote to its standard error; if it is of another flowcore, say so."""
        return edition.CHANGED if self.foreign else proc.tail(self._complaints, lines=5)

    def disown(self) -> None:
        """It speaks as no launcher of this flowcore does: nothing that it says counts any more."""
        self.foreign = True
        self.control.fault = self.control.fault or "messages of another flowcore"

    def close(self) -> str:
        """Let it end, wait until it has, and give its last words."""
        self.control.close()
        pidfd = proc.open_pidfd(self.pid)
        if pidfd is not None:
            select.select([pidfd], [], [], _PATIENCE)
            os.close(pidfd)
        try:
            self._process.wait(timeout=_PATIENCE if pidfd is None else 0.0)
        except subprocess.TimeoutExpired:
            proc.kill_group(self.pid)
            self._process.wait()
        words = self.complaint()
        os.close(self._complaints)
        return words

    def forget(self) -> None:
        """Close our descriptors without a word: we are a forked copy, and it is not ours."""
        self.control.close()
        os.close(self._complaints)
        self._process.returncode = 0


class WorkerProcess:
    """The engine's hold on one worker, from the request for it to its end.

    Attributes
    ----------
    token : int
        Its number in the pool, never used again.
    pid : int
        0 until the launcher has forked it.
    greeted : bool
        It has said hello.
    up : bool
        It has said hello, and its process is known.
    runs : int
        Runs it has served, the present one included.
    tasks : set of int
        Tasks it was sent in this run.
    doomed : str
        Why we ended it; empty while we have not.
    devices, shown : tuple of str
        Devices that its process was given for good, and those it was told of in this run.
    gone : bool
        It has ended and its descriptors are closed.
    """

    def __init__(self, token: int) -> None:
        self.token = token
        self.pid = 0
        self.pidfd: int | None = None
        self.greeted = False
        self.up = False
        self.runs = 0
        self.tasks: set[int] = set()
        self.doomed = ""
        self.gone = False
        self.devices: tuple[str, ...] = ()  # that it was given; its process may hold on to them
        self.shown: tuple[str, ...] = ()  # the devices that it was told of in this run
        _kills.look()
        self.status: int | None = None
        self.peak = 0
        self.far: tuple[int, ...] = ()  # its own descriptors, ours until it has them
        with contextlib.ExitStack() as undo:
            ours, theirs = pair()
            undo.callback(ours.close)
            undo.callback(theirs.close)
            slot = slot_file()
            undo.callback(os.close, slot)
            self._log = proc.log_file()
            undo.callback(os.close, self._log)
            watched, self._lifeline = os.pipe2(os.O_CLOEXEC)
            undo.callback(os.close, watched)
            undo.callback(os.close, self._lifeline)
            log = os.dup(self._log)
            undo.callback(os.close, log)
            self.slot = Slot(slot)
            self.slot.batch = -1
            undo.pop_all()
        self.channel = Channel(ours, blocking=False)
        self.far = (theirs.detach(), watched, slot, log)

    def __repr__(self) -> str:
        return f"<worker {self.token}, pid {self.pid}{', ' + self.doomed if self.doomed else ''}>"

    @property
    def fit(self) -> bool:
        """Whether cells may be sent to it."""
        return self.up and not self.doomed and not self.gone

    def started(self, pid: int, pidfd: int | None) -> None:
        """It has been forked, and has its own descriptors."""
        self.pid, self.pidfd = pid, pidfd
        self._close_far()

    def ending(self) -> Ending:
        """Say how it ended; before :meth:`close`."""
        memory = not self.doomed and proc.was_killed(self.status) and _lacked_memory(self.peak)
        return Ending(
            attempt=self.slot.attempt,
            batch=self.slot.batch, cause=self.doomed or proc.describe(self.status, memory=memory), peak=self.peak,
            stderr=proc.tail(self._log), stack=self.slot.text, step=self.slot.step, memory=memory,
            started=self.slot.started,
        )  # fmt: skip

    def kill(self, why: str) -> None:
        """End it and what it started, now."""
        self.doomed = self.doomed or why
        if self.pid:
            proc.kill_group(self.pid, self.pidfd)

    def close(self) -> None:
        """Close all descriptors. A worker that still lives ends by its lifeline."""
        if self.gone:
            return
        self.gone = True
        self._close_far()
        self.channel.close()
        self.slot.close()
        os.close(self._lifeline)
        os.close(self._log)
        if self.pidfd is not None:
            os.close(self.pidfd)

    def _close_far(self) -> None:
        for descriptor in self.far:
            os.close(descriptor)
        self.far = ()
