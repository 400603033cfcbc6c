"""H7, on what cells do to the process that runs them: one small patch a name."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Callable
from typing import Any

from flowcore.run import forked, launcher, perform, pool, proc
from flowcore.run.cell.footprints import Footprints
from flowcore.run.executors import event_loop
from flowcore.run.workers.launching import LauncherProcess
from flowcore.run.workers.worker import Worker

Put = Callable[[Any, str, Any], None]


def lifeline_by_sigio(put: Put) -> None:
    """End orphans by a signal that a cell can ignore (F3)."""

    def arm(lifeline: int) -> bool:
        signal.signal(signal.SIGIO, signal.SIG_DFL)
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
        return True

    put(proc, "arm_lifeline", arm)


def no_adoption(put: Put) -> None:
    """Leave what cells start in sessions of their own to whoever takes it (F3)."""
    put(launcher, "adopt_orphans", lambda: None)


def copies_come_back(put: Put) -> None:
    """Let a process that a cell forked go on as if it were the one that it was forked from (F14)."""
    put(perform, "end_of_copies", lambda *_: None)
    put(event_loop, "end_of_copies", lambda *_: None)


def copies_hear_for_us(put: Put) -> None:
    """Leave a copy the signal handlers that it was forked with (F14)."""
    put(forked, "_OURS", forked.WeakSet())
    put(Worker, "forget", lambda self: self.outbox.cut())


def nothing_put_back(put: Put) -> None:
    """Leave a worker as its cells leave it (F4)."""
    put(Footprints, "undo", lambda _: False)


def mute_workers_live(put: Put) -> None:
    """Do not notice that what was to be sent went nowhere (F4, F35)."""
    put(Worker, "_say", lambda self, message: self._channel.send(message))


class _Whatever:
    """Equal to all there is."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True


def any_edition(put: Put) -> None:
    """Let launchers and workers of any flowcore carry out cells (F32)."""
    put(pool, "IMPORTED", _Whatever())


def passes_over(put: Put) -> None:
    """Pass over what a launcher says and no launcher of ours would (F35)."""
    put(LauncherProcess, "disown", lambda self: None)


def let_signals_through(put: Put) -> None:
    """Start a launcher as any process is started (F13, F35)."""
    put(proc, "hold_back", lambda *_: set())


SABOTEURS: dict[str, Callable[[Put], None]] = {
    patch.__name__: patch
    for patch in (
        lifeline_by_sigio,
        no_adoption,
        copies_come_back,
        copies_hear_for_us,
        nothing_put_back,
        mute_workers_live,
        any_edition,
        passes_over,
        let_signals_through,
    )
}
