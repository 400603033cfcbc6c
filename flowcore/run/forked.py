"""What a fork of the user's process has of our runs: nothing that it may touch (contract F14, F37).

A copy has every object of the process that it was copied from, and none of its threads.
Without this room it would end runs that it cannot reach, wait for them, and remove values
and locks that its parent uses: when it drops a run, or just ends. Promises that a copy
forgets what is registered here before any other code of it runs, a signal's handler included.
"""

from __future__ import annotations

import os
import threading
from typing import Protocol
from weakref import WeakSet

from flowcore.run import proc


class Forgetful(Protocol):
    """Something that belongs to the process that made it."""

    def forget(self) -> None:
        """From now on this is a copy in another process."""


_OURS: WeakSet[Forgetful] = WeakSet()


def belongs_here(thing: Forgetful) -> None:
    """Have something forgotten in forked copies of this process, as long as it lives."""
    _OURS.add(thing)


class _Held(threading.local):
    """What signals a thread let through before it forked."""

    before: set[int]


_held = _Held()


def _hold() -> None:
    """Have signals wait until a copy has forgotten what we make of them: a `Process.terminate` may come at once."""
    _held.before = proc.hold_back("SIGINT", "SIGTERM", "SIGUSR1")


def _let_through() -> None:
    proc.let_through(_held.before)


def _forget_all() -> None:
    for thing in list(_OURS):
        thing.forget()
    _let_through()


os.register_at_fork(before=_hold, after_in_parent=_let_through, after_in_child=_forget_all)
