"""What happens to a run from within: a signal before its n-th event, a disk that is full for a while, a saboteur.

Armed before flowcore does anything. What is meant for workers is put into the launcher,
which they are forked from; one of them alone is struck, whoever unlinks the order first.
"""

from __future__ import annotations

import errno
import functools
import itertools
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from flowcore.run.workers import launching
from flowcore.run.workers.wire import Channel
from flowcore.store.fs import Disk
from tests.faults import inside
from tests.soak.plan import Plan, Strike, Victim

ORDER = "FLOWCORE_SOAK_ORDER"  # "17 9 path": the n-th file call or message of a worker, the signal, the order
FULL = "FLOWCORE_SOAK_FULL"  # "20 5 store": calls that write there, from the 20th on, and for how many
_WRITING = ("write", "pwrite", "reserve", "mkdir", "link")
_CALLS = (*_WRITING, "open", "close", "pread", "read_into", "map", "fsync", "stat", "fstat", "unlink", "rename")


def arm(plan: Plan, path: Path) -> None:
    """Make ready whatever the plan, which is kept at `path`, has for this process and its workers."""
    if plan.sabotage:
        _sabotage(plan.sabotage)
    if plan.full[0]:
        os.environ[FULL] = f"{plan.full[0]} {plan.full[1]} {plan.store}"
        fill()
    for strike in plan.strikes:
        kind, number = strike.event
        if kind == "worker":
            order = path.with_suffix(".order")
            order.touch()
            os.environ[ORDER] = f"{number} {strike.signum} {order}"
        elif kind != "seconds":
            inside.count_events(kind, number, functools.partial(_met, strike, path.with_suffix(".struck")))
    if os.environ.get(ORDER) or os.environ.get(FULL):
        line = f"from {__name__} import arm_launcher\narm_launcher()\nfrom flowcore.run.launcher"
        launching._CODE = launching._CODE.replace("from flowcore.run.launcher", line)  # type: ignore[misc]


def arm_launcher() -> None:
    """Put into the launcher what is meant for workers."""
    if os.environ.get(FULL):
        fill()
    if os.environ.get(ORDER):
        number, signum, order = os.environ[ORDER].split(" ", 2)
        struck = functools.partial(_struck, os.getpid(), int(number), int(signum), order)
        _count(((Disk, _CALLS), (Channel, ("send", "wait"))), struck)


def fill() -> None:
    """Have the store's disk full for a while."""
    first, calls, store = os.environ[FULL].split(" ", 2)
    due = range(int(first), int(first) + int(calls))
    order = itertools.count(1)
    for name in _WRITING:
        real = getattr(Disk, name)

        def call(disk: Disk, place: Any, *arguments: Any, _real: Callable[..., Any] = real, **options: Any) -> Any:
            path = os.readlink(f"/proc/self/fd/{place}") if isinstance(place, int) else str(place)
            if path.startswith(store) and next(order) in due:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return _real(disk, place, *arguments, **options)

        setattr(Disk, name, call)


def hit(victim: Victim, signum: int, main: int, token: str) -> int:
    """Send a signal to one of the processes of a run, or to all; give how many there were to get it."""
    pids = sorted(inside.carriers(token))
    launcher = inside.launcher_of(main, pids)
    workers = [pid for pid in pids if pid not in (main, launcher)]
    chosen = {"main": [main], "launcher": [launcher], "worker": workers[-1:], "all": [*workers, launcher, main]}[victim]
    sent = 0
    for pid in filter(None, chosen):
        with suppress(ProcessLookupError):
            os.kill(pid, signum)
            sent += 1
    return sent


def _met(strike: Strike, said: Path, _: str, **__: object) -> None:
    """Strike, and say so before: who is struck by itself does not come back."""
    said.touch()
    hit(strike.victim, strike.signum, os.getpid(), os.environ[inside.TOKEN])


def _struck(launcher: int, number: int, signum: int, order: str, count: int) -> None:
    """Strike this worker, if it is the first to come so far."""
    if count >= number and os.getpid() != launcher:
        try:
            os.unlink(order)
        except OSError:
            return
        os.kill(os.getpid(), signum)


def _count(kinds: Sequence[tuple[type, tuple[str, ...]]], each: Callable[[int], None]) -> None:
    """Call `each` with the number of every call of these methods, before it is made."""
    order = itertools.count(1)
    for owner, name in [(owner, name) for owner, names in kinds for name in names]:
        real = getattr(owner, name)

        def call(*arguments: Any, _real: Callable[..., Any] = real, **options: Any) -> Any:
            each(next(order))
            return _real(*arguments, **options)

        setattr(owner, name, call)


def _sabotage(name: str) -> None:
    from tests.faults import saboteurs
    from tests.model import saboteurs as of_the_model

    if name in saboteurs.SABOTEURS:
        saboteurs.apply(name)
    else:
        of_the_model.SABOTEURS[name].patch(setattr)


SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
