"""H7, on values and what they are known by: sharing, keys, files and sizes broken on purpose, one patch a name."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from flowcore.errors import StoreUnavailable
from flowcore.plan import graph
from flowcore.run import launcher
from flowcore.run.outcomes import landing
from flowcore.run.workers.workshop import StoreWorkshop
from flowcore.store import arrayfile, files, spool
from flowcore.store.cache import Cache
from flowcore.store.checkpoint import Checkpoints
from flowcore.store.codecs import Codec
from flowcore.store.files import Files
from flowcore.store.fs import Disk, PrivateMap
from flowcore.store.generations import Generations
from flowcore.store.index import Entry, Index
from flowcore.store.trace import Trace

Put = Callable[[Any, str, Any], None]


def no_room_claimed(put: Put) -> None:
    """Write into shared memory without asking for room first (F24)."""

    class Trusting:
        """A disk that is never asked for room."""

        def __init__(self, disk: Disk) -> None:
            self._disk = disk

        def __getattr__(self, name: str) -> Any:
            return getattr(self._disk, name)

        def reserve(self, fd: int, size: int) -> None:
            """Believe that there is some."""

    def write(disk: Any, path: str, pieces: Sequence[memoryview], *, durable: bool) -> bytes:
        return arrayfile.write_draft(Trusting(disk), path, pieces, durable=durable)  # type: ignore[arg-type]

    put(spool, "write_draft", write)


def kept_for_ever(put: Put) -> None:
    """Leave a value to the store however often it was lost there (F25)."""
    put(landing, "by_spool", lambda *_: True)


def only_by_file(put: Put) -> None:
    """Have no message carry what no file has room for (F19)."""

    def carried(self: Codec, value: object, full: StoreUnavailable) -> None:
        del self, value
        raise full

    put(Codec, "_carried", carried)


def no_sweep(put: Put) -> None:
    """Leave the spool of an engine that is gone (F24)."""
    put(launcher, "remove_spool", lambda path: None)


def size_and_mtime(put: Put) -> None:
    """Know a file by its size and the time that anybody may set (F27)."""
    put(files, "_times", lambda found: (found.st_dev, 0, found.st_size, found.st_mtime_ns, 0))


def any_age_tells(put: Put) -> None:
    """Believe the times of a file that was written a moment ago (F27)."""
    put(Files, "_settled", lambda *_: True)


def a_call_a_cell(put: Put) -> None:
    """Look for a file of each cell that is recorded (F29)."""
    real = Cache.record

    def record(self: Cache, *traces: Trace) -> set[int]:
        for trace in traces:
            for _ in trace.numbers:
                self._blobs.has(bytes(32), 1)
        return real(self, *traces)

    put(Cache, "record", record)


def one_recursive_walk(put: Put) -> None:
    """Go up a graph by calling oneself (F30)."""
    real = graph._Lowered.sinks

    def sinks(self: Any, nodes: Sequence[Any]) -> Any:
        def walk(node: Any) -> None:
            for feeder in graph.feeders(self.nodes[node.number]):
                walk(feeder)

        found = real(self, nodes)
        for node in found:
            walk(node)
        return found

    put(graph._Lowered, "sinks", sinks)


def one_object_for_two(put: Put) -> None:
    """Decode a value once for all its consumers (F31)."""
    real = Codec.decode
    known: dict[bytes, object] = {}

    def decode(self: Codec, record: bytes) -> object:
        if record not in known:
            known[record] = real(self, record)
        return known[record]

    put(Codec, "decode", decode)


def writing_reaches_the_file(put: Put) -> None:
    """Map files as mode r+ does (F31)."""

    def shared(self: Disk, fd: int, size: int) -> PrivateMap:
        del self
        again = os.open(f"/proc/self/fd/{fd}", os.O_RDWR)
        try:
            return PrivateMap(again, size, access=mmap.ACCESS_WRITE)
        finally:
            os.close(again)

    put(Disk, "map", shared)


def any_code_will_do(put: Put) -> None:
    """Run a task with whatever code a worker finds (F32)."""
    put(StoreWorkshop, "differing", lambda self, task: "")


def inputs_stay_as_they_are(put: Put) -> None:
    """Do not look at a file again after a cell had it (F32)."""
    put(Files, "changed", lambda self, seen: False)


def last_wins(put: Put) -> None:
    """Let the last record of a key answer (F33)."""
    real = Index.entries

    def entries(self: Index, key: bytes) -> Iterator[Entry]:
        return iter(list(real(self, key))[::-1])

    put(Index, "entries", entries)
    put(Index, "find", lambda self, keys: [next(self.entries(key), None) if key else None for key in keys])


def states_by_cell(put: Put) -> None:
    """Keep the states of a cell where those of any code are kept (F34)."""
    put(Checkpoints, "at", lambda self, key: Generations(self.home, key[:0].ljust(32, b"\0")))


SABOTEURS: dict[str, Callable[[Put], None]] = {
    patch.__name__: patch
    for patch in (
        no_room_claimed,
        kept_for_ever,
        only_by_file,
        no_sweep,
        size_and_mtime,
        any_age_tells,
        a_call_a_cell,
        one_recursive_walk,
        one_object_for_two,
        writing_reaches_the_file,
        any_code_will_do,
        inputs_stay_as_they_are,
        last_wins,
        states_by_cell,
    )
}
