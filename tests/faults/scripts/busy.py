"""A worker that is busy with something that does not end by itself, or idle.

Usage: busy.py WHAT. The worker meets the driver as "busy"; once both are where they
shall be, "busy too" is met, in main if the worker is idle or deaf.
"""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import threading
from pathlib import Path

import flowcore as fc
from tests.faults import inside


@fc.io
def work(what: str) -> str:
    """Be busy."""
    inside.mark("busy")
    if what == "a child":
        with subprocess.Popen(["sleep", "1000"]):
            inside.mark("busy too")
    if what == "nothing that listens":
        signals = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        with subprocess.Popen(["sleep", "1000"]):
            inside.mark("busy too")
            while True:
                pass
    if what == "a daemon":
        with subprocess.Popen(["sh", "-c", "sleep 1000 & sleep 1000"], start_new_session=True):
            inside.mark("busy too")
    if what == "a loop":
        inside.mark("busy too")
        while True:
            pass
    if what == "a call that holds the GIL":
        Path("deaf").touch()
        ctypes.PyDLL(None).pause()
    return what


def main() -> None:
    """Run it."""
    inside.arm()
    what = sys.argv[1]
    flow = fc.Flow("busy")
    flow.add(work, what)
    flow.options(runner="process")
    run = flow.start(workers=1, store="store", progress=False)
    if what == "nothing":
        run.wait()
        inside.mark("busy too")
    if what == "a call that holds the GIL":
        threading.Thread(target=run.wait, daemon=True).start()
        while not Path("deaf").exists():
            continue
        inside.mark("busy too")
    run.wait()


if __name__ == "__main__":
    main()
