"""``flowcore doctor``: tries out what flowcore needs of this machine, and says what to do where it fails.

Owns the order of the checks, how they are printed, and those that start a worker. What a
check came to is one of three grades (`checked`); the exit code is 1 only if one of them
says that runs break, or keep nothing. Leaves nothing behind.
"""

from __future__ import annotations

import importlib
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from flowcore import clock
from flowcore.cli import ground, means
from flowcore.cli.checked import FAIL, NOTE, OK, Check, judged
from flowcore.cli.parser import Parser, add_json, add_store
from flowcore.cli.printing import document, duration, name
from flowcore.decorators import compute
from flowcore.errors import FlowcoreError
from flowcore.flow import Flow
from flowcore.run.workers import blas
from flowcore.settings import Settings
from flowcore.store.fs import DISK
from flowcore.store.layout import exists
from flowcore.store.lock import RunLock

_SLOW = 20.0  # seconds to a first result that want an explanation
_PATIENCE = "5 min"  # for a first result: longer than any environment takes to load
_WORDS = {OK: "ok", NOTE: "note", FAIL: "FAIL"}
_INDENT = 21


def main(arguments: Sequence[str]) -> int:
    """Print all checks; 1 if runs would break, or keep nothing."""
    parser = Parser(
        "doctor", "Try out what flowcore needs of this machine: versions, memory, the store's filesystem, workers.",
        epilog="for example: flowcore doctor --store /scratch/me/.flowcore\n"
        "Exit code 1: with this, runs break or keep nothing. A note is advice, and no more.",
    )  # fmt: skip
    add_store(parser)
    add_json(parser)
    given = parser.read(arguments)
    store = os.path.abspath(str(Settings.of(store=given.store).store))
    checks = []
    for check in examine(store):
        checks.append(check)
        if not given.json:
            _print(check)
    sound = all(check.grade != FAIL for check in checks)
    if given.json:
        print(document({"ok": sound, "checks": [{**asdict(each), "ok": each.grade != FAIL} for each in checks]}))
    return 0 if sound else 1


def _print(check: Check) -> None:
    print(f"{_WORDS[check.grade]:<4}  {check.name:<14} {name(check.found)}", flush=True)
    if check.advice:
        print(f"{'':<{_INDENT}}{name(check.advice)}", flush=True)


def examine(store: str) -> Iterator[Check]:
    """Look at everything, one after the other."""
    yield from means.versions()
    yield from means.means()
    place = _nearest(store)
    yield from ground.store(store, place)
    try:
        directory = tempfile.TemporaryDirectory(dir=place, prefix=".flowcore-doctor-")
    except OSError as error:
        yield Check(
            name="writing", found=f"{place}: {error.strerror}", grade=FAIL,
            advice="Nothing can be kept here. Name a store of your own: --store, or FLOWCORE_STORE.",
        )  # fmt: skip
        directory = tempfile.TemporaryDirectory(prefix="flowcore-doctor-")
    with directory as tried:
        yield from ground.probes(tried)
        yield ground.shared_memory()
        yield from _worker(tried)


def _nearest(path: str) -> str:
    """Give the nearest directory that is there: the store itself is made by its first run."""
    while not exists(DISK, path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return path


@compute(cache=False, timeout=_PATIENCE)
def look_around(lock: str) -> dict[str, Any]:
    """Tell who we are, whether a lock that another process holds is seen, and how wide numerical libraries are."""
    importlib.import_module("numpy")
    return {"process": os.getpid(), "locked": RunLock(lock, disk=DISK).held(), "threads": blas.threads_of_loaded()}


def _worker(directory: str) -> Iterator[Check]:
    """Start one worker, for a cell, and let it have another."""
    lock = RunLock(f"{directory}/held", disk=DISK)
    try:
        locked = lock.take()
    except OSError:
        locked = False  # told already
    try:
        found, first, told = _looked(directory, lock.path)
        _, again, _ = _looked(directory, lock.path)
    except (FlowcoreError, OSError) as error:
        found_ = str(error).splitlines()[0] if str(error) else type(error).__name__
        yield Check(name="worker", found=found_, grade=FAIL, advice="No compute cell can run so.")
        return
    finally:
        lock.release()
    if found["process"] == os.getpid():
        yield Check(
            name="worker", found="none could be started", grade=FAIL,
            advice=told or "Cells run in the process of the run, one at a time.",
        )  # fmt: skip
        return
    yield judged(
        "worker", f"first result after {duration(first)}, the next after {duration(again)}", unless=first > _SLOW,
        grade=NOTE, advice="Python and numpy load slowly here: is the environment on a network disk?",
    )  # fmt: skip
    if locked and not found["locked"]:
        yield Check(
            name="lock", found="is not seen by another process", grade=NOTE,
            advice="Runs cannot see which others live: work may be done twice, leftovers stay until tomorrow.",
        )  # fmt: skip
    yield _threads(found["threads"])


def _looked(directory: str, lock: str) -> tuple[dict[str, Any], float, str]:
    """Run one cell; give what it saw, how long that took, and the first warning."""
    flow = Flow("doctor")
    node = flow.add(look_around, lock)
    began = clock.monotonic()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found: dict[str, Any] = flow.run(workers=1, store=f"{directory}/store", progress=False)[node]
    return found, clock.monotonic() - began, str(told[0].message).splitlines()[0] if told else ""


def _threads(threads: dict[str, int]) -> Check:
    told = ", ".join(f"{library} {_counted(count)}" for library, count in threads.items())
    return judged(
        "BLAS", f"in a worker: {told or 'no library says how many threads it uses'}",
        unless=any(count > 1 for count in threads.values()), grade=NOTE,
        advice="More threads than a cell has cores: workers get in each other's way. Before the run: OMP_NUM_THREADS=1",
    )  # fmt: skip


def _counted(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"
