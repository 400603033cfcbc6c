"""Cells that fork, and whose copies come out of the task as well, wherever cells run.

Usage: forks.py RUNNER... Meets the driver before the first fork, and with how the copies
ended, by runner. One line in the tally says that main came to its end, once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from typing import Any

import flowcore as fc
from tests.faults import inside

WAYS = ("returns", "raises", "exits", "is terminated")


def forks(way: str) -> int:
    """Fork, wait for the copy, and give its exit status."""
    inside.mark("forking")
    if way == "is terminated":
        child = multiprocessing.get_context("fork").Process(target=signal.pause)
        child.start()
        child.terminate()
        child.join()
        return child.exitcode or 0
    pid = os.fork()
    if pid == 0:
        if way == "raises":
            raise ValueError("in a copy")
        if way == "exits":
            sys.exit(7)
        return -1
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


async def forks_on_the_loop(way: str) -> int:
    """As `forks`."""
    return forks(way)


def main() -> None:
    """Run them."""
    inside.arm()
    ends = {}
    for runner in sys.argv[1:]:
        flow = fc.Flow("forks")
        function: Any = forks_on_the_loop if runner == "async" else forks
        # One by one: while a thread forks, filelock refuses every other thread's fork.
        flow.add(fc.io(limit=1)(function), fc.each(way=list(WAYS)), name="cell")
        flow.options(runner=runner)
        ends[runner] = dict(flow.run(store="store", workers=2, progress=False)["cell"])
    inside.executed("main")
    inside.mark("result", ends=ends)


if __name__ == "__main__":
    main()
