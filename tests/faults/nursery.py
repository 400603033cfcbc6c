"""H2, the crash enumerator: a warm parent whose children die, one file call later each time.

    python -m tests.faults.nursery FOLDER WAYS SABOTEUR OPERATION...

WAYS is "all", or "distinct": dying before a call leaves what dying after the one before it
left, and a call that only reads changes nothing, so some deaths tell as much as all do.
Prints, as JSON, how often a child died in each operation and what was found wrong
afterwards. A program of its own, because it forks: it has one thread whenever it does,
which a test process cannot promise.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from flowcore.store.fs import DISK, READ
from flowcore.testing import FaultyDisk
from flowcore.testing.disks import CALLS, WRITING
from tests.faults import operations
from tests.faults.operations import EARLIER, LATER, Operation

WAYS: Final = {
    "all": {"before": CALLS, "after": CALLS, "half": ("write", "pwrite")},
    "distinct": {"after": (*WRITING, "open"), "half": ("write", "pwrite")},
}
MOST: Final = 1000  # calls; an operation that never ends is a failure of its own


class Deadly(FaultyDisk):
    """The process kills itself before, after, or half-way through its n-th call."""

    def __init__(self, at: int, way: str, only: tuple[str, ...]) -> None:
        super().__init__(at, error=1, only=only)
        self.way = way

    def open(self, path: str | Path, flags: int = READ, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
        """Open a file; one that is only read counts only where all calls do."""
        if self.only != CALLS and not flags & os.O_CREAT:
            return DISK.open(path, flags, mode, dir_fd=dir_fd)
        opened: int = self._call("open", path, flags, mode, dir_fd=dir_fd)
        return opened

    def strike(self, name: str, real: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Die."""
        try:
            if self.way == "after":
                real(*arguments, **options)
            if self.way == "half":
                file, data, *rest = arguments
                flat = memoryview(data).cast("B")
                real(file, flat[: len(flat) // 2], *rest)
        finally:
            os.kill(os.getpid(), signal.SIGKILL)


def status_of(act: Callable[[], object]) -> int:
    """Do something in a child; give its exit status, negative for a signal."""
    assert 1 == threading.active_count(), "a fork needs a process with one thread"
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            act()
            code = 0
        except BaseException:  # noqa: BLE001 - whatever it is, it is told and ends here
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def enumerate_crashes(operation: Operation, folder: Path, ways: str) -> tuple[int, list[str]]:
    """Let children die at every call, in every way; give how many died, and what was wrong."""
    before, work = folder / "before", folder / "work"
    before.mkdir()
    with operations.at_home(before):
        operation.prepare(before)
    again(before, work)
    with operations.at_home(work):
        expected = operation.act(work, DISK)
    died, found = 0, []
    for way, only in WAYS[ways].items():
        for n in itertools.count(1):
            again(before, work)
            with operations.at_home(work):
                status = status_of(partial(operation.act, work, Deadly(n, way, only)))
                wrong = wrong_after(operation, work, expected)
            died += status != 0
            found += [f"{way} call {n}: {each}" for each in wrong]
            if status not in (0, -signal.SIGKILL) or n > MOST:
                found.append(f"{way} call {n}: exit status {status}")
            if status != -signal.SIGKILL or n > MOST:
                break
    return died, found


def again(before: Path, work: Path) -> None:
    """Put a folder back to what it was before."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(before, work)


def wrong_after(operation: Operation, work: Path, expected: object) -> list[str]:
    """Name what should not be so after the death, and after the next run."""
    wrong = [] if operation.debris else [f"{name} is not what its name says" for name in operations.unverified(work)]
    wrong += _readable(operation, work) + operation.whole(work)
    again = operation.act(work, DISK)
    if again != expected:
        wrong.append(f"done again it gives {again}, not {expected}")
    wrong += _readable(operation, work)
    if operation.bare:
        operations.finish(operations.begin(work))
    wrong += [f"{name} is left" for name in operations.litter(work)]
    wrong += [f"{name} is not what its name says" for name in operations.unverified(work)]
    return wrong


def _readable(operation: Operation, work: Path) -> list[str]:
    values = {**EARLIER, **LATER}
    found, told = operations.read(work, values)
    wrong = [f"{key!r} has another value" for key in operations.wrong(found, values)]
    if operation.earlier:
        wrong += [f"{key!r} is lost" for key in EARLIER if key not in found]
        wrong += [f"a reader is told: {warning}" for warning in told]
    return wrong


def main(folder: str, ways: str, saboteur: str, *names: str) -> None:
    """Enumerate the deaths in some operations."""
    if saboteur:
        from tests.faults.saboteurs import SABOTEURS

        SABOTEURS[saboteur](setattr)
    answers = {}
    for number, name in enumerate(names):
        home = Path(folder, str(number))
        home.mkdir()
        died, wrong = enumerate_crashes(operations.OPERATIONS[name], home, ways)
        answers[name] = {"died": died, "wrong": wrong}
        shutil.rmtree(home)
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
