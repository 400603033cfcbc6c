"""A script that leaves while a run goes on: python leaving.py WAY RUNNER STORE."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time

import flowcore as fc
from tests.faults import inside

WAY, RUNNER, STORE = sys.argv[1:]
inside.arm()


def waits(number: int) -> int:
    """Outlast the deadline."""
    inside.executed("cell", number)
    time.sleep(600.0)  # far behind the deadline: nobody waits for it
    return number


async def waits_on_the_loop(number: int) -> int:
    """As `waits`, on the event loop."""
    inside.executed("cell", number)
    await asyncio.sleep(600.0)
    return number


flow = fc.Flow("leaving")
if RUNNER == "async":
    flow.add(waits_on_the_loop, fc.each(number=range(3)), kind="io", name="cells")
else:
    flow.add(waits, fc.each(number=range(3)), kind="io" if RUNNER == "thread" else "compute", name="cells")
run = flow.start(store=STORE, workers=2, progress=False)
while not os.path.exists(os.environ[inside.TALLY]):
    run.wait(0.01)
if WAY == "drop":
    del run
    gc.collect()
elif WAY == "exit":
    sys.exit(7)
elif WAY == "raise":
    raise ZeroDivisionError("the script's own")
sys.stdout.write("the script ends\n")
