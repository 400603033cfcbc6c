"""Long cells in each lane: in both processes, on a thread, on the event loop. Usage: idle.py STORE."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import flowcore as fc
from tests.faults import inside

SPAN = 2.0  # seconds; what is used meanwhile is compared with it


@fc.compute
def process() -> None:
    """Do nothing for a while, and meet the driver before and after."""
    inside.mark("begin")
    time.sleep(SPAN)
    inside.mark("end")


@fc.compute
def beside() -> None:
    """Stay until the driver answers: no other worker is starting by then."""
    inside.mark("beside")


@fc.io
def thread() -> None:
    """Stay until the driver answers."""
    inside.mark("thread")


@fc.io
async def coroutine() -> None:
    """Stay until the driver answers."""
    await asyncio.to_thread(inside.mark, "coroutine")


@fc.flow
def waiting() -> list[Any]:
    """Draw one of each."""
    return [process(), beside(), thread(), coroutine()]


if __name__ == "__main__":
    inside.arm()
    waiting().run(store=sys.argv[1], workers=2, progress=False)
