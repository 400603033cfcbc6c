"""What is left of dead runs' journals, written to one of their own.

Owns the writing of packs. Promises that a pack gets its name whole and on the medium, so
that only then what it was made of may go (contract J9); that a record keeps the run that
made it, and its place among others of its key (J10); and that what it leaves out is only
what it was told to, or the story of runs: axes, hits, failures, beats. Never removes.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from flowcore.store.arrayfile import drop, publish
from flowcore.store.census import Census, Journal
from flowcore.store.frames import pack_header, seal
from flowcore.store.fs import CREATE, Disk, write_all
from flowcore.store.journal import Record, pack, read_frames
from flowcore.store.layout import Layout, sync_directory
from flowcore.store.listing import PACK
from flowcore.store.packs import Packed, contents, origin, origin_of, read_contents
from flowcore.store.records import traces_of
from flowcore.store.trace import Trace, TraceRows, pack_trace

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
    waiting = _Waiting()
    for _, _, records in read_frames(f"{layout.journals}/{journal.name}", disk=disk):
        run_id = origin_of(records) or journal.name.partition(".")[0]
        for record in records:
            match record:
                case ["node", int(number), dict(facts), *_]:
                    nodes[number] = nodes.get(number, {}) | facts
        for trace in traces_of(records):
            place = run_id, trace.node
            chosen = [i for i in range(trace.count) if stays[row + i]]
            row += trace.count
            if not chosen:
                continue
            if place not in numbers:
                yield from waiting.frames()
                numbers[place] = writer.nodes
                writer.nodes += 1
                facts = {name: fact for name, fact in nodes.get(trace.node, {}).items() if name != "axes"}
                yield [origin(run_id), ["node", numbers[place], facts]]
            yield from waiting.take(run_id, numbers[place], trace, chosen)
    yield from waiting.frames()


class _Waiting:
    """Rows of one node, alike in form, until there are enough for a frame."""

    def __init__(self) -> None:
        self._run = ""
        self._traces: list[Trace] = []
        self._form: object = None
        self._rows = 0
        self._bytes = 0

    def take(self, run_id: str, node: int, trace: TraceRows, chosen: list[int]) -> Iterator[list[Record]]:
        """Add rows of a trace; yield the frame that became full, or that they do not fit into."""
        rows = chosen_of(replace(trace.whole(), node=node), chosen)
        form = (run_id, node, rows.refresh, rows.skips, len(rows.own), bool(rows.peaks), bool(rows.classes))
        if form != self._form or self._rows >= _ROWS or self._bytes >= _BYTES:
            yield from self.frames()
        self._form, self._run = form, run_id
        self._traces.append(rows)
        self._rows += len(chosen)
        self._bytes += sum(map(len, rows.records))

    def frames(self) -> Iterator[list[Record]]:
        """Yield what waits."""
        if self._traces:
            yield [origin(self._run), pack_trace(joined(self._traces))]
        self._traces, self._rows, self._bytes = [], 0, 0


def chosen_of(trace: Trace, rows: list[int]) -> Trace:
    """Give some rows of a trace whose columns are whole."""
    if len(rows) == len(trace.numbers):
        return trace
    return replace(
        trace, numbers=[trace.numbers[i] for i in rows], keys=[trace.keys[i] for i in rows],
        own=[[column[i] for i in rows] for column in trace.own], components=[trace.components[i] for i in rows],
        records=[trace.records[i] for i in rows], seconds=[trace.seconds[i] for i in rows],
        peaks=[trace.peaks[i] for i in rows] if trace.peaks else [],
        classes=_rows_of(trace.classes, rows),
    )  # fmt: skip


def joined(traces: list[Trace]) -> Trace:
    """Give traces of one form as one."""
    first = traces[0]
    if len(traces) == 1:
        return first
    return replace(
        first, numbers=[n for t in traces for n in t.numbers], keys=[k for t in traces for k in t.keys],
        own=[[part for t in traces for part in t.own[i]] for i in range(len(first.own))],
        components=[c for t in traces for c in t.components], records=[r for t in traces for r in t.records],
        seconds=[s for t in traces for s in t.seconds], peaks=[p for t in traces for p in t.peaks],
        classes=[c for t in traces for c in t.classes],
    )  # fmt: skip


def _rows_of(column: list[list[tuple[str, bytes]]], rows: list[int]) -> list[list[tuple[str, bytes]]]:
    return [column[i] for i in rows] if column else []
