"""What is left of dead runs' journals, written to one of their own.

Owns the writing of packs. Promises that a pack gets its name whole and on the medium, so
that only then what it was made of may go (contract J9); that a record keeps the run that
made it, and its place among others of its key (J10); and that what it leaves out is only
what it was told to, or the story of runs: axes, hits, failures, beats. Never removes.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from flowcore.store.arrayfile import drop, publish
from flowcore.store.cast import Casts
from flowcore.store.census import Census, Journal
from flowcore.store.frames import pack_header, seal
from flowcore.store.fs import CREATE, Disk, write_all
from flowcore.store.journal import Record, pack, read_frames
from flowcore.store.layout import Layout, sync_directory
from flowcore.store.listing import PACK
from flowcore.store.packs import Packed, contents, origin, origin_of, read_contents
from flowcore.store.records import traces_of
from flowcore.store.times import joined_times
from flowcore.store.trace import Trace, pack_trace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ROWS: Final = 512  # of a frame
_BYTES: Final = 1 << 20  # of values in a frame, beyond which it is closed


def write_pack(
    disk: Disk, layout: Layout, pack_id: str, draft: str, *, census: Census, journals: list[Journal],
    stays: NDArray[np.bool_],
) -> bool:  # fmt: skip
    """Write what stays of some journals to a pack; False if nothing does.

    Parameters
    ----------
    disk, layout : Disk, Layout
        Where.
    pack_id, draft : str
        Of the pack, and the path where it is written.
    census : Census
        That the journals were counted in.
    journals : list of Journal
        Dead runs' journals, and packs.
    stays : ndarray of bool
        Of each row of the census, whether it stays.

    Raises
    ------
    OSError
        If it could not be written; then nothing has changed.
    """
    told: dict[str, Packed] = {}
    for journal in sorted(journals, key=lambda journal: journal.name):
        told |= _told(disk, f"{layout.journals}/{journal.name}", journal.name)
    writer = _Writer(disk, draft)
    try:
        writer.append([contents(dict(sorted(told.items())))])
        for journal in journals:
            for records in _left(disk, layout, journal, stays, writer):
                writer.append(records)
        if census.stats:
            writer.append([["file", [[*times, digest] for times, digest in census.stats.items()]]])
        writer.close()
        publish(disk, draft, layout.pack(pack_id))
        sync_directory(disk, layout.journals)
    finally:
        writer.abandon()
        drop(disk, draft)
    return True


class _Writer:
    """Writes the frames of a journal that nobody reads yet."""

    def __init__(self, disk: Disk, path: str) -> None:
        self._disk = disk
        self._salt = secrets.token_bytes(16)
        self._fd = disk.open(path, CREATE, 0o600)
        self._buffer = bytearray()
        self._end = 0
        self.nodes = 0
        disk.chmod(self._fd, 0o600)
        self._add(pack_header(self._salt, disk.boot()))

    def append(self, records: list[Record]) -> None:
        """Add a frame."""
        self._add(seal(self._salt, self._end, pack(records)))

    def close(self) -> None:
        """Wait until all is on the medium."""
        self._flush()
        self._disk.fsync(self._fd)
        fd, self._fd = self._fd, -1
        self._disk.close(fd)

    def abandon(self) -> None:
        """Let go of the file if it was not closed."""
        if self._fd >= 0:
            self._disk.close(self._fd)

    def _add(self, content: bytes) -> None:
        self._buffer += content
        self._end += len(content)
        if len(self._buffer) >= _BYTES:
            self._flush()

    def _flush(self) -> None:
        write_all(self._disk, self._fd, self._buffer)
        self._buffer = bytearray()


def _told(disk: Disk, path: str, name: str) -> dict[str, Packed]:
    """Give what is known of the runs of a journal as a whole."""
    if name.endswith(PACK):
        return read_contents(path, disk=disk)
    facts: dict[str, object] = {}
    counts: dict[str, object] = {}
    status = ""
    for _, _, records in read_frames(path, disk=disk):
        for record in records:
            match record:
                case ["run", dict(found), *_]:
                    facts = found
                case ["end", str(status), dict(counts), *_]:
                    pass
    return {name.partition(".")[0]: Packed(facts=facts, status=status, counts=counts)}


def _left(
    disk: Disk, layout: Layout, journal: Journal, stays: NDArray[np.bool_], writer: _Writer
) -> Iterator[list[Record]]:
    """Yield the records of the frames that hold what stays of a journal, in its order."""
    row = journal.first
    nodes: dict[int, dict[str, object]] = {}
    numbers: dict[tuple[str, int], int] = {}
    waiting, casts = _Waiting(), Casts()
    for _, _, records in read_frames(f"{layout.journals}/{journal.name}", disk=disk):
        run_id = origin_of(records) or journal.name.partition(".")[0]
        for record in records:
            with suppress(ValueError):
                nodes.update((number, nodes.get(number, {}) | facts) for number, facts in casts.take(record))
        for trace in traces_of(records):
            chosen = [i for i in range(trace.count) if stays[row + i]]
            row += trace.count
            if not chosen:
                continue
            rows = trace.whole().at(chosen)
            found = dict.fromkeys(rows.nodes or [rows.node])
            strange = [node for node in found if (run_id, node) not in numbers]
            if strange:
                yield from waiting.frames()
                for node in strange:
                    numbers[run_id, node] = writer.nodes
                    writer.nodes += 1
                yield [origin(run_id), *(["node", numbers[run_id, node], _facts(nodes, node)] for node in strange)]
            renamed = [numbers[run_id, node] for node in rows.nodes]
            yield from waiting.take(run_id, replace(rows, node=numbers[run_id, rows.node], nodes=renamed))
    yield from waiting.frames()


def _facts(nodes: dict[int, dict[str, object]], node: int) -> dict[str, object]:
    return {name: fact for name, fact in nodes.get(node, {}).items() if name != "axes"}


class _Waiting:
    """Rows alike in form, until there are enough for a frame."""

    def __init__(self) -> None:
        self._run = ""
        self._traces: list[Trace] = []
        self._form: object = None
        self._rows = 0
        self._bytes = 0

    def take(self, run_id: str, rows: Trace) -> Iterator[list[Record]]:
        """Add rows of a trace; yield the frame that became full, or that they do not fit into."""
        node = -1 if rows.nodes else rows.node  # those of several nodes go with others of that kind
        known = bool(rows.peaks), bool(rows.classes), rows.times is not None
        form = (run_id, node, rows.refresh, rows.skips, len(rows.own), known)
        if form != self._form or self._rows >= _ROWS or self._bytes >= _BYTES:
            yield from self.frames()
        self._form, self._run = form, run_id
        self._traces.append(rows)
        self._rows += len(rows.numbers)
        self._bytes += sum(map(len, rows.records))

    def frames(self) -> Iterator[list[Record]]:
        """Yield what waits."""
        if self._traces:
            yield [origin(self._run), pack_trace(joined(self._traces))]
        self._traces, self._rows, self._bytes = [], 0, 0


def joined(traces: list[Trace]) -> Trace:
    """Give traces of one form as one."""
    first = traces[0]
    if len(traces) == 1:
        return first
    return replace(
        first, nodes=[n for t in traces for n in t.nodes], numbers=[n for t in traces for n in t.numbers],
        keys=[k for t in traces for k in t.keys],
        own=[[part for t in traces for part in t.own[i]] for i in range(len(first.own))],
        components=[c for t in traces for c in t.components], records=[r for t in traces for r in t.records],
        seconds=[s for t in traces for s in t.seconds], peaks=[p for t in traces for p in t.peaks],
        classes=[c for t in traces for c in t.classes], times=joined_times([t.times for t in traces]),
    )  # fmt: skip
