"""What a script under test uses to meet its driver: marks, counted events, and a tally of executions.

Owns the script's side of the conversation: one connection a meeting, one line each way.
The process that says a line stops there until the driver answers, so a signal lands at
an event. Keeps no state that a task could reach: the functions here are called by tasks,
and must not change their identity from one run to the next.
"""

from __future__ import annotations

import faulthandler
import functools
import itertools
import json
import os
import signal
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

SOCKET = "FLOWCORE_FAULTS_SOCKET"  # where the driver listens
TOKEN = "FLOWCORE_FAULTS_TOKEN"  # marks all processes of one script
TALLY = "FLOWCORE_FAULTS_TALLY"  # file with a line an execution
DUMPS = "FLOWCORE_FAULTS_DUMPS"  # directory of what faulthandler writes at the deadline
EVENT = "FLOWCORE_FAULTS_EVENT"  # "fs 17": stop there and tell the driver; "fs 0": only count
SABOTAGE = "FLOWCORE_FAULTS_SABOTAGE"  # name of the patch to apply

KINDS = ("fs", "record", "message")
_CALLS = (
    "open", "close", "write", "pwrite", "pread", "read_into", "map", "reserve", "fsync", "sync_filesystem", "chmod",
    "stat", "fstat", "link", "rename", "unlink", "mkdir", "rmdir", "listdir",
)  # fmt: skip


def mark(name: str, **facts: object) -> str:
    """Tell the driver that this process is here, wait for its answer, and give it.

    Without a driver there is nobody to wait for.
    """
    path = os.environ.get(SOCKET)
    if not path:
        return ""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as meeting:
        meeting.connect(path)
        meeting.sendall(json.dumps({"name": name, "pid": os.getpid(), **facts}).encode() + b"\n")
        return meeting.recv(4096).decode()


def executed(name: str, label: object = "") -> None:
    """Add a line to the tally; one write, so that lines of several processes never mix."""
    path = os.environ.get(TALLY)
    if path:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, f"{name} {label}\n".encode())
        os.close(file)


def has_executed(name: str, label: object = "") -> bool:
    """Tell whether the tally has this line."""
    path = Path(os.environ[TALLY])
    return path.exists() and f"{name} {label}" in path.read_text().splitlines()


def arm() -> None:
    """Make ready whatever the driver's environment asks for; the first thing a script does."""
    _dump_on_request()
    if os.environ.get(SABOTAGE):
        from tests.faults.saboteurs import apply

        apply(os.environ[SABOTAGE])
    if os.environ.get(EVENT):
        kind, number = os.environ[EVENT].split()
        count_events(kind, int(number))


def counts() -> dict[str, int]:
    """Give how many events of each kind there were."""
    return dict(_Counted.totals)


def carriers(token: str) -> dict[int, str]:
    """Give the living processes that carry a token, with their command lines."""
    wanted = f"{TOKEN}={token}".encode()
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with suppress(OSError):
            environ = Path("/proc", entry, "environ").read_bytes()
            state = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[0]
            if wanted in environ.split(b"\0") and state not in "ZX":
                found[int(entry)] = Path("/proc", entry, "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def launcher_of(main: int, pids: Iterable[int]) -> int:
    """Give the launcher among processes of one token: the one child of main that leads a session; 0: there is none."""
    for pid in pids:
        with suppress(OSError):
            parent = int(Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[1])
            if parent == main and os.getsid(pid) == pid:
                return pid
    return 0


def count_events(kind: str, number: int, met: Callable[..., object] | None = None) -> None:
    """Count file calls, frames and results in this process; meet the driver before the `number`-th of `kind`.

    Or whoever else is to be `met`.
    """
    from flowcore.run.outcomes.landing import Landing
    from flowcore.store.fs import Disk
    from flowcore.store.journal import JournalWriter

    counted = {"fs": _Counted("fs"), "record": _Counted("record"), "message": _Counted("message")}
    counted[kind].number, counted[kind].met = number, met or mark
    for name in _CALLS:
        _wrap(Disk, name, counted["fs"])
    _wrap(JournalWriter, "append_payload", counted["record"])
    _wrap(Landing, "take", counted["message"])


def tell_ending() -> None:
    """Meet the driver whenever the engine has begun to stop or to cancel."""
    from flowcore.run.engine import Engine

    real = Engine.end

    def end(self: Engine, how: Any) -> None:
        real(self, how)
        mark("ending", how=how)

    Engine.end = end  # type: ignore[method-assign]


class _Counted:
    totals: ClassVar[dict[str, int]] = {}

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.number = 0
        self.met: Callable[..., object] = mark
        self._order = itertools.count(1)
        self.totals[kind] = 0

    def happens(self, what: str) -> None:
        order = next(self._order)
        self.totals[self.kind] = order
        if order == self.number:
            self.met("event", kind=self.kind, what=what, number=order)


def _wrap(owner: type, name: str, counted: _Counted) -> None:
    real: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(real)
    def call(*arguments: Any, **options: Any) -> Any:
        counted.happens(name)
        return real(*arguments, **options)

    setattr(owner, name, call)


def _dump_on_request() -> None:
    directory = os.environ.get(DUMPS)
    if directory and hasattr(signal, "SIGUSR2"):
        file = os.open(Path(directory) / f"{os.getpid()}.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        faulthandler.register(signal.SIGUSR2, file=file, all_threads=True)
