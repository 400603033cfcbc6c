"""What a fork of the user's process has of our runs: nothing that it may touch (contract F14, F37).

A copy has every object of the process that it was copied from, and none of its threads.
Without this room it would end runs that it cannot reach, wait for them, and remove values
and locks that its parent uses: when it drops a run, or just ends. Promises that a copy
forgets what is registered here before any other code of it runs, a signal's handler included.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Protocol
from weakref import WeakSet

from flowcore.dataclass import dataclass
from flowcore.errors import FlowcoreError
from flowcore.run import proc


class Forgetful(Protocol):
    """Something that belongs to the process that made it."""

    def forget(self) -> None:
        """From now on this is a copy in another process."""


@dataclass(kw_only=True, eq=False)
class RunForked(FlowcoreError, RuntimeError):
    """A forked copy of a process waits for a run of its parent."""

    run: str

    def lines(self) -> Iterator[str]:
        """Yield the sentences of the message, cause first."""
        yield f"The run {self.run} goes on in the process that started it; this one is a forked copy of that."
        yield "Nothing was stopped, and the values that it had before the fork can be read here."
        yield f"Follow it with `fc.open_run({self.run!r})`."


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
