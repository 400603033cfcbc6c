"""``flowcore doctor``: tries out what flowcore needs of this machine, and says what to do where it fails."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

from flowcore import clock
from flowcore.cli.conduct import version
from flowcore.cli.parser import Parser, add_json, add_store
from flowcore.cli.printing import document, duration, name
from flowcore.dataclass import dataclass
from flowcore.declare.task import compute
from flowcore.errors import FlowcoreError
from flowcore.flow import Flow
from flowcore.run.workers import blas
from flowcore.settings import Settings
from flowcore.store.fs import CREATE, DISK, READ, write_all
from flowcore.store.layout import exists
from flowcore.store.lock import RunLock

_SHARED_MEMORY = "/dev/shm"  # where the spool is
_ROOMY = 256 * 2**20  # bytes of shared memory that a run can do something with
_SLOW = 20.0  # seconds to a first result that want an explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What one look at the machine found."""

    name: str
    ok: bool
    found: str
    advice: str = ""  # what to do, or what to know


def main(arguments: Sequence[str]) -> int:
    """Print all checks; 1 if one of them failed."""
    parser = Parser(
        "doctor", "Try out what flowcore needs of this machine: versions, the store's filesystem, workers.",
        epilog="for example: flowcore doctor --store /scratch/me/.flowcore",
    )  # fmt: skip
    add_store(parser)
    add_json(parser)
    given = parser.read(arguments)
    store = Settings.of(store=given.store).store
    checks = list(examine(os.path.abspath(str(store))))
    if given.json:
        print(document({"ok": all(check.ok for check in checks), "checks": [asdict(check) for check in checks]}))
    else:
        for check in checks:
            print(f"{'ok  ' if check.ok else 'FAIL'}  {check.name:<14} {name(check.found)}")
            if check.advice:
                print(f"{'':<21}{name(check.advice)}")
    return 0 if all(check.ok for check in checks) else 1


def examine(store: str) -> Iterator[Check]:
    """Look at everything, one after the other."""
    yield Check(name="python", ok=sys.version_info >= (3, 11), found=f"{sys.version.split()[0]}, {sys.executable}")
    yield _library("numpy", 2)
    yield Check(name="flowcore", ok=True, found=version())
    place = _nearest(store)
    yield _filesystem(store, place)
    try:
        directory = tempfile.TemporaryDirectory(dir=place, prefix=".flowcore-doctor-")
    except OSError as error:
        yield Check(
            name="writing", ok=False, found=f"{place}: {error.strerror}",
            advice="Nothing can be kept here. Name a store of your own: --store, or FLOWCORE_STORE.",
        )  # fmt: skip
        directory = tempfile.TemporaryDirectory(prefix="flowcore-doctor-")
    with directory as probed:
        yield from (_probe(what, how, probed) for what, how in _PROBES.items())
        yield _shared_memory()
        yield from _worker(os.path.join(probed, "store"))


@compute(cache=False)
def threads_in_a_worker() -> dict[str, int]:
    """Load numpy, and tell how many threads its libraries would use."""
    importlib.import_module("numpy")
    return blas.threads_of_loaded()


def _library(library: str, least: int) -> Check:
    try:
        found = importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return Check(name=library, ok=False, found="not installed", advice=f"pip install {library}")
    new = int(found.partition(".")[0]) >= least
    return Check(name=library, ok=new, found=found, advice="" if new else f"flowcore needs {library} {least}.0.")


def _nearest(path: str) -> str:
    """Give the nearest directory that is there: the store itself is made by its first run."""
    while not exists(DISK, path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return path


def _filesystem(store: str, place: str) -> Check:
    kind, free = DISK.kind(place) or "unknown", DISK.free(place)
    advice = ""
    if DISK.network(place):
        advice = "Over a network arrays are read instead of mapped. A local disk is faster."
    return Check(name="store", ok=True, found=f"{store}: {kind}, {free / 2**30:.1f} GiB free", advice=advice)


def _shared_memory() -> Check:
    try:
        free = DISK.free(_SHARED_MEMORY)
    except OSError:
        free = 0
    advice = f"Results that are not kept go by disk once {_SHARED_MEMORY} is full. In a container: --shm-size=1g."
    ok = free >= _ROOMY
    return Check(name="shared memory", ok=ok, found=f"{free / 2**30:.2f} GiB free", advice="" if ok else advice)


def _file(path: str, content: bytes = b"flowcore") -> str:
    fd = DISK.open(path, CREATE)
    try:
        write_all(DISK, fd, content)
    finally:
        DISK.close(fd)
    return path


def _renames(directory: str) -> bool:
    DISK.rename(_file(f"{directory}/drafted"), f"{directory}/named")
    return exists(DISK, f"{directory}/named") and not exists(DISK, f"{directory}/drafted")


def _links(directory: str) -> bool:
    source = _file(f"{directory}/linked")
    DISK.link(source, f"{directory}/second")
    try:
        DISK.link(source, f"{directory}/second")
    except FileExistsError:
        return True
    return False


def _locks(directory: str) -> bool:
    first, second = (RunLock(f"{directory}/lock", disk=DISK) for _ in range(2))
    try:
        return first.take() and not second.take()
    finally:
        first.release()
        second.release()


def _maps(directory: str) -> bool:
    fd = DISK.open(_file(f"{directory}/mapped"), READ)
    try:
        with DISK.map(fd, 8) as memory:
            memory[0:1] = b"F"
            return bytes(memory[:8]) == b"Flowcore" and DISK.pread(fd, 8, 0) == b"flowcore"
    finally:
        DISK.close(fd)


_PROBES: dict[str, Callable[[str], bool]] = {"rename": _renames, "link": _links, "lock": _locks, "mmap": _maps}
_WITHOUT = {
    "rename": "Results cannot be published in one step. Put the store on another filesystem.",
    "link": "Results are published by renaming instead; two runs may then write the same one twice.",
    "lock": "A dead run cannot be told from a living one, so what it left is not tidied away.",
    "mmap": "Arrays are read instead of mapped, which takes memory in each worker.",
}


def _probe(what: str, how: Callable[[str], bool], directory: str) -> Check:
    try:
        ok = how(directory)
        found = "works" if ok else "does not do what it says"
    except OSError as error:
        ok, found = False, error.strerror or type(error).__name__
    return Check(name=what, ok=ok, found=found, advice="" if ok else _WITHOUT[what])


def _worker(store: str) -> Iterator[Check]:
    """Start one worker, for one cell."""
    flow = Flow("doctor")
    node = flow.add(threads_in_a_worker)
    began = clock.monotonic()
    try:
        run = flow.run(workers=1, store=store, progress=False)
        threads: dict[str, int] = run[node]
    except (FlowcoreError, OSError) as error:
        yield Check(name="worker", ok=False, found=str(error).splitlines()[0], advice="No compute cell can run so.")
        return
    took = clock.monotonic() - began
    slow = "Python and numpy load slowly here: is the environment on a network disk?" if took > _SLOW else ""
    yield Check(name="worker", ok=True, found=f"first result after {duration(took)}", advice=slow)
    told = ", ".join(f"{library} {count}" for library, count in threads.items())
    wide = any(count > 1 for count in threads.values())
    yield Check(
        name="BLAS threads", ok=not wide, found=f"in a worker: {told or 'no library says'}",
        advice="More threads than a cell has cores: workers will get in each other's way." if wide else "",
    )  # fmt: skip
