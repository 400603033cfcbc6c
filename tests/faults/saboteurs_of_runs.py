"""H7, on execution: workers, pipes, exceptions, signals and threads broken on purpose, one small patch a name."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowcore.errors import NotPicklable
from flowcore.run import proc
from flowcore.run.executors import processes
from flowcore.run.executors.event_loop import EventLoopExecutor
from flowcore.run.executors.processes import ProcessExecutor
from flowcore.run.executors.threads import ThreadExecutor
from flowcore.run.executors.watchdog import Watchdog
from flowcore.run.inbox import Inbox
from flowcore.run.job import Died, Done, Failed
from flowcore.run.outcomes.landing import Landing
from flowcore.run.pool import Pool
from flowcore.run.session import Session
from flowcore.run.told.telling import Teller
from flowcore.run.workers import launching, worker
from flowcore.run.workers.hiring import Hiring
from flowcore.run.workers.launching import Ending, WorkerProcess
from flowcore.run.workers.wire import Channel
from flowcore.store.codecs import Codec

Put = Callable[[Any, str, Any], None]
_NONE = b"\xc0"  # the record of None


def one_queue_for_all(put: Put) -> None:
    """Break what all workers share when one of them dies (F4)."""
    real = ProcessExecutor.gone

    def gone(self: ProcessExecutor, worker: WorkerProcess, ending: Ending) -> None:
        for desk in self._desks.values():
            for parcel in desk.parcels:
                for attempt in sorted(parcel.open):
                    self._inbox.post([Died(attempt=attempt, cause=ending.cause)])
                parcel.open.clear()
        real(self, worker, ending)

    put(ProcessExecutor, "gone", gone)


def wait_set_built_once(put: Put) -> None:
    """Watch only the workers that were there when the run began (F5)."""
    watch, told = Pool._watch, Pool._told
    put(Pool, "_watch", lambda self, worker: watch(self, worker) if worker.token <= len(self.workers) <= 2 else None)
    put(Pool, "_told", lambda self, launcher, message: message[0] == "exited" or told(self, launcher, message))


def zero_means_done(put: Put) -> None:
    """Take exit code 0 for a result (F7)."""
    real = ProcessExecutor._charge

    def charge(self: ProcessExecutor, desk: Any, ending: Ending) -> bool:
        for parcel in desk.parcels:
            if ending.attempt in parcel.open and ending.cause.startswith("exit code 0"):
                parcel.open.discard(ending.attempt)
                done = Done(attempts=[ending.attempt], records=[_NONE], components=[_NONE], seconds=[0.0])
                self._inbox.post([done])
                return True
        return real(self, desk, ending)

    put(ProcessExecutor, "_charge", charge)


def pickled_elsewhere(put: Put) -> None:
    """Let a cell begin whose arguments did not make it, as a pool does that pickles in a thread (F9)."""
    real = Codec.pass_on

    def pass_on(self: Codec, value: object, *, name: str) -> bytes:
        try:
            return real(self, value, name=name)
        except NotPicklable:
            return _NONE

    put(Codec, "pass_on", pass_on)


def blocking_pipe(put: Put) -> None:
    """Have the engine write until all is written (F10)."""
    put(launching, "Channel", lambda end, *, blocking: Channel(end, blocking=True))


def unpickle_in_the_engine(put: Put) -> None:
    """Read an exception where its failure is taken in (F11)."""
    real = Landing._take

    def take(self: Landing, result: Any) -> None:
        if isinstance(result, Failed):
            pickle.loads(result.failure.pickled)
        real(self, result)

    put(Landing, "_take", take)


def only_sigterm(put: Put) -> None:
    """Ask a worker to end, and no more (F12)."""

    def kill_group(process: int, pidfd: int | None = None) -> None:
        del pidfd
        os.kill(process, signal.SIGTERM)

    put(proc, "kill_group", kill_group)


def numpy_without_the_cap(put: Put) -> None:
    """Let importing numpy start threads in the launcher (F14)."""
    put(proc, "CAPS", ())


def import_main(put: Put) -> None:
    """Run the script again in each worker, as multiprocessing does where it does not fork (F15)."""
    real = worker._settle_in

    def settle_in(fds: worker.Descriptors) -> None:
        real(fds)
        launcher = Path("/proc", str(os.getppid()), "stat").read_text()
        line = Path("/proc", launcher.rpartition(")")[2].split()[1], "cmdline").read_bytes().split(b"\0")
        text = Path(line[1].decode()).read_text().partition("way, store")[0]
        exec(compile(text, line[1], "exec"), {})

    put(worker, "_settle_in", settle_in)


def raise_at_a_failed_start(put: Put) -> None:
    """Take a worker that cannot be had for an error (F35)."""

    def failed(self: Hiring, reason: str, token: int | None = None) -> None:
        raise OSError(f"{reason} {token}")

    put(Hiring, "failed", failed)


def direct_calls(put: Put) -> None:
    """Call observers where something happens (F36)."""

    def tell(self: Teller, event: Any) -> None:
        for observer in self._observers:
            observer.on_event(event)

    put(Teller, "tell", tell)


def swallow_in_the_thread(put: Put) -> None:
    """Let the engine's thread end as threads do (F37)."""

    def run(self: Session) -> None:
        try:
            self.engine.run()
        except ZeroDivisionError:
            return

    put(Session, "_run", run)


def a_turn_is_a_step(put: Put) -> None:
    """Call a loop blocked whose turns are many (F39)."""
    put(Watchdog, "_turn", lambda _: None)


def busy_waiting(put: Put) -> None:
    """Have the engine look again and again whether something has happened (P5)."""
    put(Inbox, "_patience", lambda self, timeout: 0.001)


def no_attempt_check(put: Put) -> None:
    """Take whatever is said about an attempt (F40)."""
    put(processes, "settle", lambda parcels, attempts: [parcel.open.clear() for parcel in parcels] and None)
    put(ThreadExecutor, "_claim", lambda self, attempt: True)
    put(EventLoopExecutor, "_claim", lambda self, attempt: True)


def no_table_of_attempts(put: Put) -> None:
    """Land whatever is said about an attempt, as often as it is said (F40)."""
    real = Landing._take

    def take(self: Landing, result: Any) -> None:
        before = dict(self.books.attempts)
        real(self, result)
        self.books.attempts.update(before)
        real(self, result)

    put(Landing, "_take", take)


SABOTEURS: dict[str, Callable[[Put], None]] = {
    patch.__name__: patch
    for patch in (
        one_queue_for_all,
        wait_set_built_once,
        zero_means_done,
        pickled_elsewhere,
        blocking_pipe,
        unpickle_in_the_engine,
        only_sigterm,
        numpy_without_the_cap,
        import_main,
        raise_at_a_failed_start,
        direct_calls,
        swallow_in_the_thread,
        a_turn_is_a_step,
        busy_waiting,
        no_attempt_check,
        no_table_of_attempts,
    )
}
