"""Cells that leave their worker otherwise than they found it, one way each. A module of its own: workers import it."""

from __future__ import annotations

import gc
import hashlib
import locale
import os
import resource
import signal
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

LONG = 0.02  # seconds
HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD)
LIMITED = (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE)


def _moves() -> None:
    os.chdir("/")


def _rewrites_the_environment() -> None:
    os.environ.clear()
    os.environ["LEFT"] = "behind"


def _masks() -> None:
    os.umask(0o777)


def _ignores_signals() -> None:
    for number in HANDLED:
        signal.signal(number, signal.SIG_IGN)


def _sets_an_alarm() -> None:
    signal.setitimer(signal.ITIMER_REAL, 1000.0)


def _lowers_limits() -> None:
    for kind in LIMITED:
        resource.setrlimit(kind, (512, resource.getrlimit(kind)[1]))


def _is_strict_about_floats() -> None:
    np.seterr(all="raise")


def _stops_the_collector() -> None:
    gc.disable()


def _is_shallow() -> None:
    sys.setrecursionlimit(200)


def _speaks_differently() -> None:
    locale.setlocale(locale.LC_CTYPE, "C")


def _closes_streams() -> None:
    sys.stdout.close()
    sys.stderr.close()


def _swaps_streams() -> None:
    sys.stdout = sys.stderr = None


def _closes_descriptors() -> None:
    os.close(1)
    os.close(2)


WAYS: dict[str, Callable[[], None]] = {
    name.removeprefix("_"): way for name, way in dict(globals()).items() if callable(way) and name.startswith("_") and
    getattr(way, "__module__", "") == __name__
}  # fmt: skip


def facts() -> dict[str, Any]:
    """Give what a cell finds around it, in plain values."""
    mask = os.umask(0o077)
    os.umask(mask)
    files = [os.fstat(descriptor) for descriptor in (1, 2)]
    return {
        "process": os.getpid(),
        "directory": os.getcwd(),
        "environment": hashlib.sha256(repr(sorted(os.environ.items())).encode()).hexdigest(),
        "mask": mask,
        "handlers": [str(getattr(signal.getsignal(number), "__qualname__", int(bool(signal.getsignal(number))))) for
                     number in HANDLED],
        "alarm": signal.getitimer(signal.ITIMER_REAL)[0] > 0.0,
        "limits": [list(resource.getrlimit(kind)) for kind in LIMITED],
        "floats": dict(np.geterr()),
        "collector": gc.isenabled(),
        "depth": sys.getrecursionlimit(),
        "locale": locale.setlocale(locale.LC_ALL),
        "streams": [str(getattr(stream, "closed", None)) for stream in (sys.stdout, sys.stderr)],
        "files": [[file.st_dev, file.st_ino] for file in files],
    }  # fmt: skip


def leaves(way: str) -> dict[str, Any]:
    """Tell what is found here, and leave it otherwise; not a cell that goes in batches with others."""
    found, end = facts(), perf_counter() + LONG
    WAYS[way]()
    while perf_counter() < end:
        pass
    return found


def redirects(path: str) -> int:
    """Point the standard descriptors at a file of one's own with much in it, and leave them there."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    written = os.write(file, bytes(2_000_000))
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    return written


def becomes(user: int, way: str) -> list[int]:
    """Act for another user from now on, for good or not; give whom this process acted for before."""
    found = [*os.getresuid(), *os.getresgid()]
    if way == "for good":
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    elif way:
        os.setegid(user)
        os.seteuid(user)
    return found


def says(number: int, after: int) -> int:
    """Write to descriptor 2, past all streams of Python's."""
    os.write(2, b"from C")
    return number + after
