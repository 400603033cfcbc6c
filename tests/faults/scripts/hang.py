"""Cells that do not end by themselves, under a timeout, before cells that do.

Usage: hang.py WAY STORE. Meets the driver with what failed and what was done; then the
interpreter ends, or hangs.
"""

from __future__ import annotations

import asyncio
import ctypes
import signal
import sys
import threading
from typing import Any

import flowcore as fc
from tests.ahead import Ahead
from tests.faults import inside

CELLS = 4


def deaf_to_signals() -> None:
    """Ignore what can be ignored, for ever."""
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(signum, signal.SIG_IGN)
    while True:
        pass


def holds_the_gil() -> None:
    """Wait in C, so that no Python runs here."""
    ctypes.PyDLL(None).pause()


def waits_for_ever() -> None:
    """Wait for what nobody does."""
    threading.Event().wait()


WAYS = {"loop": deaf_to_signals, "call": holds_the_gil, "thread": waits_for_ever}


def plain(number: int, way: str) -> int:
    """Hang if this is the first one."""
    inside.executed("plain", number)
    if number == 0:
        WAYS[way]()
    return number


async def coroutine(number: int, way: str) -> int:
    """Swallow every cancellation if this is the first one."""
    inside.executed("plain", number)
    while number == 0:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue
    return number


def main() -> None:
    """Run them."""
    inside.arm()
    way, store = sys.argv[1:]
    runner = {"coroutine": "async", "thread": "thread"}.get(way, "process")
    kind: Any = "compute" if runner == "process" else "io"
    function: Any = coroutine if way == "coroutine" else plain
    with fc.Flow("hang") as flow:
        flow.add(function, fc.each(number=list(range(CELLS))), way, kind=kind, name="cell")
    flow.options(timeout=100.0, runner=runner)
    others = 0 if runner == "process" else CELLS - 1  # one worker, or a place for each
    with Ahead() as ahead:
        run = flow.start(store=store, workers=1, on_error="continue", progress=False)
        while not (inside.has_executed("plain", 0) and run.counts("cell").done == others):
            run.wait(0.01)
        ahead.put_forward(100.0, run)
        try:
            run.wait()
        except fc.RunFailed as failed:
            tell(run, failed)


def tell(run: fc.Run, failed: fc.RunFailed) -> None:
    """Meet the driver with what failed and what was done."""
    errors = {failure.cell: type(failure.error).__name__ for failure in failed.failures}
    done = [number for number in range(1, CELLS) if run["cell"][number] == number]
    inside.mark("failed", errors=errors, done=done)


if __name__ == "__main__":
    main()
