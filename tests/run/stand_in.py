"""A workshop without a store, and cells that behave badly, for the tests of the pool.

Values are plain msgpack; a task's function is ("path", module, name), its arguments are
its columns. Imported in the workers.
"""

from __future__ import annotations

import ctypes
import faulthandler
import importlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import msgpack

from flowcore import clock
from flowcore.plan.extension import ARRAY
from flowcore.run.cell.failure import describe
from flowcore.run.cell.slot import Slot
from flowcore.run.columns import Value
from flowcore.run.job import Done, Failed, Interrupted, Job, Result, TaskSpec
from flowcore.run.workers.surroundings import Surroundings

CODE = b"code of this process"
runs = 0  # workshops opened in this process


class StandIn:
    """Performs cells one by one, as `flowcore.run.perform` does, on values in messages."""

    def __init__(self, surroundings: Surroundings, slot: Slot) -> None:
        self.slot = slot

    def perform(self, job: Job, report: Callable[[Result], None], tell: Callable[[Value], None]) -> None:  # noqa: ARG002
        """Run the cells of `job`."""
        slot = self.slot
        function = load(job.task)
        columns = [c * len(job.attempts) if len(c) == 1 else c for c in job.columns]
        unpack, pack = msgpack.unpackb, msgpack.packb
        for i, attempt in enumerate(job.attempts):
            if slot.stopping:
                report(Interrupted(attempts=job.attempts[i:]))
                return
            slot.begin(attempt)
            started = time.perf_counter()
            try:
                record = pack(function(*[unpack(column[i]) for column in columns]))
            except BaseException as error:  # noqa: BLE001
                report(Failed(attempt=attempt, failure=describe(error)))
            else:
                seconds = time.perf_counter() - started
                report(Done(attempts=[attempt], records=[record], components=[b"\0"], seconds=[seconds]))
            slot.clear()

    def code(self, task: TaskSpec) -> bytes:
        """Give what CODE is in this process."""
        return CODE

    def close(self) -> None:
        """Hold nothing."""


def open_workshop(surroundings: Surroundings, slot: Slot) -> StandIn:
    """Open the stand-in."""
    global runs  # noqa: PLW0603
    runs += 1
    return StandIn(surroundings, slot)


class ForkedBefore(StandIn):
    """Has other code in a worker that served an earlier run."""

    def code(self, task: TaskSpec) -> bytes:
        """Give code by whether this process has been in a run before."""
        return b"older" if runs > 1 else CODE


def open_forked_before(surroundings: Surroundings, slot: Slot) -> StandIn:
    """Open a stand-in whose code is old in a process that has had a workshop before."""
    global runs  # noqa: PLW0603
    runs += 1
    return ForkedBefore(surroundings, slot)


def refuse_workshop(surroundings: Surroundings, slot: Slot) -> StandIn:
    """Fail to open."""
    raise RuntimeError("no tools")


def die_in_workshop(surroundings: Surroundings, slot: Slot) -> StandIn:
    """End the process while no cell is on."""
    os._exit(7)


class EndsUnnamed(StandIn):
    """Dies on its first batch with an empty slot."""

    def perform(self, job: Job, report: Callable[[Result], None], tell: Callable[[Value], None]) -> None:  # noqa: ARG002
        """End the process between cells."""
        self.slot.clear()
        os._exit(9)


def open_ends_unnamed(surroundings: Surroundings, slot: Slot) -> EndsUnnamed:
    """Open it."""
    return EndsUnnamed(surroundings, slot)


class TellsItsEnd(StandIn):
    """Writes into the file that TOLD names when it is closed."""

    def close(self) -> None:
        """Tell."""
        with open(os.environ["TOLD"], "w") as told:
            told.write(str(os.getpid()))


def open_tells_its_end(surroundings: Surroundings, slot: Slot) -> TellsItsEnd:
    """Open it."""
    return TellsItsEnd(surroundings, slot)


def load(task: TaskSpec) -> Callable[..., object]:
    """Import the task's function."""
    _, module, name = task.function
    function: Callable[..., object] = getattr(importlib.import_module(str(module)), str(name))
    return function


def nothing() -> None:
    """Give nothing."""


def opens(count: int) -> int:
    """Have so many files open at once; give how many there were."""
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(count)]
    for file in files:
        os.close(file)
    return len(files)


def double(x: int) -> int:
    """Give 2 x."""
    return 2 * x


def same(data: bytes) -> bytes:
    """Give `data` back."""
    return data


def size(data: bytes) -> int:
    """Give the length of `data`."""
    return len(data)


def blow_up(n: int) -> bytes:
    """Give `n` bytes."""
    return bytes(n)


def raise_it(name: str) -> None:
    """Raise a builtin exception by name."""
    raise getattr(__import__("builtins"), name)("on purpose")


def pid(*_: object) -> int:
    """Give the worker's process id."""
    return os.getpid()


def facts() -> dict[str, object]:
    """Give what a worker finds around it."""
    numpy = sys.modules["numpy"]
    return {
        "pid": os.getpid(), "group": os.getpgrp(), "session": os.getsid(0), "cwd": os.getcwd(),
        "variable": os.environ.get("FLOWCORE_TEST"), "omp": os.environ.get("OMP_NUM_THREADS"),
        "interrupt": signal.getsignal(signal.SIGINT) == signal.SIG_IGN, "random": float(numpy.random.random()),
        "fds": sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in _open_fds()),
        "main": getattr(sys.modules["__main__"], "__file__", ""),
    }  # fmt: skip


def _open_fds() -> list[int]:
    fds = [int(name) for name in os.listdir("/proc/self/fd")]
    return [fd for fd in fds if os.path.exists(f"/proc/self/fd/{fd}") or os.path.islink(f"/proc/self/fd/{fd}")]


def die(how: str) -> int:
    """End this process in the way named; "no": do not."""
    match how:
        case "SIGKILL":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit 0":
            os._exit(0)
        case "exit 3":
            os._exit(3)
        case "segfault":
            ctypes.string_at(0)
        case "abort":
            os.write(2, b"about to abort\n")
            os.abort()
        case "stack":
            faulthandler._stack_overflow()  # type: ignore[attr-defined]
        case "closes":
            os.closerange(0, 4096)
        case "garbage":
            _write_to_channel(b"x" * 64)
            signal.pause()
        case "wrong message":
            _write_to_channel(framed(["what is this?"]))
            signal.pause()
    return os.getpid()


def framed(message: object) -> bytes:
    """Give a message as it is on the wire."""
    body: bytes = msgpack.packb(message)
    return ((0xF10C << 48) | len(body)).to_bytes(8, "little") + body


def _write_to_channel(data: bytes) -> None:
    sockets = [fd for fd in _open_fds() if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")]
    os.write(min(sockets), data)


def loop_for_ever(ready: str) -> None:
    """Ignore SIGTERM, say so by a file, and loop."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    touch(ready)
    while True:
        pass


def hold_the_gil(ready: str) -> None:
    """Say so by a file, and sleep in C without letting the GIL go."""
    touch(ready)
    ctypes.PyDLL(None).sleep(1000)


def with_child(ready: str) -> None:
    """Start a child process, say its id by a file, and wait for it."""
    child = subprocess.Popen(["sleep", "1000"])
    touch(ready, str(child.pid))
    child.wait()


def leave_child_behind() -> int:
    """Start a child process in this group, and give its id."""
    return subprocess.Popen(["sleep", "1000"]).pid


def wait_for(path: str, ready: str) -> int:
    """Say by a file that it runs, and wait until the other file is there: a fifo that is opened."""
    touch(ready)
    with open(path, "rb") as file:
        file.read()
    return os.getpid()


def wait_or_not(path: str, ready: str) -> int:
    """Wait as `wait_for` does if there is something to wait for."""
    return wait_for(path, ready) if path else 0


def take(seconds: float, path: str, ready: str) -> None:
    """Put this process's clock forward, as if that were what the cell takes, and wait until the other file is there."""
    now = clock.monotonic
    clock.monotonic = lambda: now() + seconds
    wait_for(path, ready)


def terminate_self(now: bool) -> int:
    """Have this worker signalled in mid-cell."""
    if now:
        os.kill(os.getpid(), signal.SIGTERM)
    return os.getpid()


def touch(path: str, text: str = "") -> None:
    """Make a file appear at once with its text."""
    with open(path + ".tmp", "w") as file:
        file.write(f"{os.getpid()} {text}")
    os.rename(path + ".tmp", path)


def say(text: str, times: int) -> None:
    """Print."""
    for _ in range(times):
        print(text)  # noqa: T201 - what this cell is for
    print(text, file=sys.stderr)  # noqa: T201


HOARD: list[bytearray] = []


def open_few(files: int) -> int:
    """Open a file; then have this process open so many at most, if that is not 0."""
    with open("/dev/null", "rb") as file:
        number = file.fileno()
    if files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return number


def hoard(n: int) -> int:
    """Hold on to `n` bytes more, as a library that leaks does; give the process."""
    HOARD.append(bytearray(b"x") * n)
    return os.getpid()


def make_array(size: int) -> msgpack.ExtType:
    """Give a reference to an array of `size` bytes, whose digest begins with the number of this process."""
    digest = os.getpid().to_bytes(4, "little") + os.urandom(28)
    return msgpack.ExtType(ARRAY, msgpack.packb([digest, 0, size, "|u1", False, [size - 128]]))


def read_by(array: msgpack.ExtType) -> int:
    """Give the number of this process."""
    return os.getpid()


def read_both(one: msgpack.ExtType, other: msgpack.ExtType) -> int:
    """Give the number of this process."""
    return os.getpid()
