"""The engine's side of the worker processes: launch, watch, kill, replace.

    engine thread                 launcher (one, outlives runs)         workers
    Pool.hire ── "fork" + descriptors ──> fork ───────────────────────> hello ─┐
    Holder.up <──────────────── private socket, one a worker ──────────────────┘
    Holder.heard <── messages ─────────────────────────────────────────────────
    Holder.gone  <── pidfd readable, then "exited" with the wait status ── death

A Pool knows processes and messages, and nothing of cells: what was lost with a worker is
its Holder's to know. Sockets, pidfds and the launcher's control socket are all watched in
the run's inbox, so a death is seen at once, also of a worker that was started late (F5).
A worker is buried once: after its death all that it had sent is heard first, then its
Holder learns how it ended.

The launcher may die: it is started again, and living workers go on, since their ends show
in their pidfds; only their exit status is then unknown (F35).

A pool outlives its run. :func:`release` keeps it for the next run of this process,
:func:`acquire` hands it out to one run at a time, and a forked copy of this process closes
its copies of all descriptors: one lifeline kept open there would keep a worker alive (F3).
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import weakref

from flowcore import clock
from flowcore.run import proc
from flowcore.run.inbox import Inbox, Timer
from flowcore.run.workers import girth
from flowcore.run.workers.edition import CHANGED, IMPORTED, changed
from flowcore.run.workers.launching import Holder, LauncherProcess, WorkerProcess
from flowcore.run.workers.wire import PROTOCOL

_REPORT_SECONDS = 1.0  # how long a launcher that lives may take to report an exit status


class Pool:
    """Worker processes and their launcher. The engine's thread alone, one run at a time."""

    def __init__(self) -> None:
        self.owner = proc.pid()
        self.workers: list[WorkerProcess] = []
        self._launcher: LauncherProcess | None = None
        self.latest = 0  # token of the last worker that was asked for
        self._spools: set[str] = set()
        self._late: list[Timer] = []
        self._inbox: Inbox | None = None
        self._holder: Holder | None = None
        _POOLS.add(self)

    @property
    def launcher_pid(self) -> int:
        """The launcher's process id; 0: there is none."""
        return self._launcher.pid if self._launcher else 0

    def attach(self, inbox: Inbox, holder: Holder) -> None:
        """Serve this run: watch everything in its inbox, and tell `holder`."""
        self._inbox, self._holder = inbox, holder
        if changed():  # what they import from now on would not be what they have imported
            self._end()
        self._unguard(*(spool for spool in self._spools if not os.path.lexists(spool)))
        if self._launcher is not None:
            inbox.watch(self._launcher.control.fileno(), self._on_control)
        for worker in list(self.workers):
            if worker.pidfd is not None and proc.ended(worker.pidfd):
                self._drop(worker)
            else:
                self._watch(worker)

    def detach(self) -> None:
        """Leave the run: its inbox is not touched again; doomed workers are let go of."""
        for timer in self._late:
            timer.cancel()
        self._late.clear()
        for worker in list(self.workers):
            if worker.doomed or not worker.up or proc.resident(worker.pid) > girth.GROWN:
                worker.kill("not kept for the next run")
                self._drop(worker)
            else:
                self._unwatch(worker)
        if self._launcher is not None and self._inbox is not None:
            self._inbox.unwatch(self._launcher.control.fileno())
        self._inbox = self._holder = None

    def hire(self) -> None:
        """Ask for one more worker; `Holder.up` or `Holder.refused` or `Holder.gone` follows.

        Raises
        ------
        OSError
            If descriptors, processes or memory are short: there is less capacity now.
        """
        launcher = self._launcher or self.launch()
        worker = WorkerProcess(self.latest + 1)
        self.latest += 1
        self.workers.append(worker)
        self._watch(worker)
        launcher.control.send(["fork", worker.token], fds=worker.far)
        self._watch_control()

    def send(self, worker: WorkerProcess, *messages: object) -> None:
        """Send, in one system call; what the socket does not take now goes out when it can."""
        worker.channel.send(*messages)
        if worker.channel.pending:
            self._watch_channel(worker)

    def kill(self, worker: WorkerProcess, why: str) -> None:
        """End a worker and what it started; `Holder.gone` follows, with `why` as the cause."""
        worker.kill(why)

    def guard(self, spool: str) -> None:
        """Have the launcher remove `spool` if we die, until the run itself has removed it.

        Its executors are closed before its spool is swept, and we may die in between: so
        nobody takes this back. The next run here finds that the directory is gone.
        """
        self._spools.add(spool)
        if self._launcher is not None:
            self._launcher.control.send(["spool", spool])
            self._watch_control()

    def close(self) -> None:
        """End all processes and wait for the launcher."""
        if self._holder is not None:
            self.detach()
        self._end()

    def _end(self) -> None:
        for worker in list(self.workers):
            self._drop(worker)
        self._unguard(*self._spools)  # we live, and a run that has not swept its own will do so
        if self._launcher is not None:
            self._launcher.close()
            self._launcher = None

    def forget(self) -> None:
        """Close a forked copy's descriptors; the processes belong to our parent."""
        for worker in self.workers:
            worker.close()
        if self._launcher is not None:
            self._launcher.forget()
        self.workers, self._launcher, self._inbox, self._holder = [], None, None, None

    def launch(self) -> LauncherProcess:
        """Start a launcher; OSError if the system has no process or descriptor left."""
        self._launcher = LauncherProcess(self._spools)
        self._watch_control()
        return self._launcher

    def _unguard(self, *spools: str) -> None:
        self._spools.difference_update(spools)
        if self._launcher is not None:
            for spool in spools:
                self._launcher.control.send(["kept", spool])

    # Watching

    def _watch(self, worker: WorkerProcess) -> None:
        self._watch_channel(worker)
        if worker.pidfd is not None and self._inbox is not None:
            self._inbox.watch(worker.pidfd, lambda: self._on_end(worker))

    def _watch_channel(self, worker: WorkerProcess) -> None:
        if self._inbox is None or worker.gone or worker.channel.ended:
            return
        write = worker.channel.pending
        self._inbox.watch(worker.channel.fileno(), lambda: self._on_channel(worker), write=write)

    def _watch_control(self) -> None:
        if self._inbox is None or self._launcher is None:
            return
        control = self._launcher.control
        self._inbox.watch(control.fileno(), self._on_control, write=control.pending)

    def _unwatch(self, worker: WorkerProcess) -> None:
        if self._inbox is None or worker.gone:
            return
        self._inbox.unwatch(worker.channel.fileno())
        if worker.pidfd is not None:
            self._inbox.unwatch(worker.pidfd)

    def _later(self, seconds: float, worker: WorkerProcess, step: str) -> None:
        if self._inbox is None:
            return
        call = self._bury if step == "bury" else self._end_mute
        self._late = [timer for timer in self._late if timer.call is not None and timer.due > clock.monotonic()]
        self._late.append(self._inbox.at(clock.monotonic() + seconds, lambda: call(worker)))

    # What happens. A callback may come for a worker that an earlier one has just buried.

    def _on_channel(self, worker: WorkerProcess) -> None:
        if worker.gone:
            return
        if worker.channel.pending and worker.channel.flush():
            self._watch_channel(worker)
        for message in worker.channel.receive():
            self._hear(worker, message)
        self._check(worker)

    def _check(self, worker: WorkerProcess) -> None:
        """See whether a worker's channel is good for more."""
        if worker.gone or self._inbox is None:
            return
        if worker.channel.fault:
            self._inbox.unwatch(worker.channel.fileno())
            worker.kill(f"killed: it sent {worker.channel.fault}")
        elif worker.channel.ended:
            self._inbox.unwatch(worker.channel.fileno())
            self._later(_REPORT_SECONDS, worker, "mute")

    def _hear(self, worker: WorkerProcess, message: list[object]) -> None:
        if self._holder is None:
            return
        match message:
            case ["hello", int() as protocol, _, _, _, str() as found] if (protocol, found) == (PROTOCOL, IMPORTED):
                worker.greeted = True
                self._welcome(worker)
            case ["hello", *_]:
                worker.kill(f"killed: {CHANGED}")
            case _:
                self._holder.heard(worker, message)

    def _welcome(self, worker: WorkerProcess) -> None:
        """Put a worker to use once it has greeted us and its launcher has named its process.

        They come by different sockets, in either order; without the second it could not be killed.
        """
        if worker.up or worker.gone or not worker.greeted or not worker.pid or self._holder is None:
            return
        worker.up = True
        self._holder.up(worker)

    def _end_mute(self, worker: WorkerProcess) -> None:
        if not worker.gone:
            worker.kill("killed: it closed its channel")

    def _on_end(self, worker: WorkerProcess) -> None:
        """The process has ended; its status comes from the launcher, if there is one."""
        if worker.gone or self._inbox is None or worker.pidfd is None:
            return
        self._inbox.unwatch(worker.pidfd)
        if worker.status is not None or self._launcher is None:
            self._bury(worker)
        else:
            self._later(_REPORT_SECONDS, worker, "bury")

    def _bury(self, worker: WorkerProcess) -> None:
        if worker not in self.workers:
            return
        self._unwatch(worker)
        self.workers.remove(worker)
        worker.doomed = worker.doomed or (worker.channel.fault and f"killed: it sent {worker.channel.fault}")
        ending = worker.ending()
        messages = worker.channel.drain()
        worker.up = False
        worker.close()
        for message in messages:
            self._hear(worker, message)
        if self._holder is not None:
            self._holder.gone(worker, ending)

    def _drop(self, worker: WorkerProcess) -> None:
        """Let go of a worker that nobody waits for."""
        self._unwatch(worker)
        self.workers.remove(worker)
        worker.close()

    def _on_control(self) -> None:
        launcher = self._launcher
        if launcher is None:
            return
        if launcher.control.pending and launcher.control.flush():
            self._watch_control()
        for message in launcher.control.receive():
            self._told(launcher, message)
        if launcher.control.ended or launcher.control.fault:
            self._bereft(launcher)

    def _told(self, launcher: LauncherProcess, message: list[object]) -> None:
        match message:
            case ["ready", int(), str() as found] if found == IMPORTED:
                launcher.ready = True
            case ["started", int() as token, int() as pid, int()]:
                self._on_started(token, pid, launcher.control.take_fds())
            case ["refused", int() as token, str() as reason]:
                self._refuse(token, reason)
            case ["exited", int() as token, int() as status, int() as peak]:
                worker = self._find(token)
                if worker is not None:
                    worker.status, worker.peak = status, peak
                    self._bury(worker)
            case _:
                launcher.disown()

    def _on_started(self, token: int, pid: int, fds: tuple[int, ...]) -> None:
        worker = self._find(token)
        if worker is None:  # we have dropped it since; its lifeline has told it so
            for descriptor in fds:
                os.close(descriptor)
            return
        worker.started(pid, fds[0] if fds else None)
        self._watch(worker)
        if worker.doomed:
            worker.kill(worker.doomed)
        self._welcome(worker)

    def _refuse(self, token: int, reason: str) -> None:
        worker = self._find(token)
        if worker is None:
            return
        self._drop(worker)
        if self._holder is not None:
            self._holder.refused(f"a worker could not be forked: {reason}", token)

    def _bereft(self, launcher: LauncherProcess) -> None:
        """The launcher has ended. Who was forked goes on; who was only asked for will not come."""
        if self._inbox is not None:
            self._inbox.unwatch(launcher.control.fileno())
        self._launcher = None
        words = launcher.close()
        awaited = [worker for worker in self.workers if not worker.pid]
        for worker in awaited:
            self._drop(worker)
        if self._spools and launcher.ready:
            with contextlib.suppress(OSError):  # without one, the next run sweeps the spools (T2)
                self.launch()
        if self._holder is not None and (awaited or not launcher.ready):
            token = max((worker.token for worker in awaited), default=self.latest)
            self._holder.refused(f"the launcher ended{': ' + words if words else ''}", token)

    def _find(self, token: int) -> WorkerProcess | None:
        return next((worker for worker in self.workers if worker.token == token), None)


_POOLS: weakref.WeakSet[Pool] = weakref.WeakSet()
_kept: list[Pool] = []
_lock = threading.Lock()


def acquire() -> Pool:
    """Give the pool kept by the last run of this process, or a new one; the caller alone has it."""
    with _lock:
        return _kept.pop() if _kept else Pool()


def release(pool: Pool) -> None:
    """Keep a pool for the next run; a second one ends, and the first sees to its spools."""
    pool.detach()
    with _lock:
        if not _kept and pool.launcher_pid and pool.owner == proc.pid():
            _kept.append(pool)
            return
        for spool in pool._spools if _kept else ():
            _kept[0].guard(spool)
    pool.close()


def shutdown() -> None:
    """End the worker processes kept for the next run, and wait until they have ended.

    Harmless if there are none. Called at the interpreter's exit; a later run starts new ones.
    """
    with _lock:
        pools = _kept[:]
        _kept.clear()
    for pool in pools:
        pool.close()


def _forget_all() -> None:
    """In a forked copy of this process: nothing of this is ours."""
    global _lock  # noqa: PLW0603 - another thread may have held it at the fork
    _lock = threading.Lock()
    _kept.clear()
    for pool in list(_POOLS):
        pool.forget()


atexit.register(shutdown)
os.register_at_fork(after_in_child=_forget_all)
