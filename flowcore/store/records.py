"""All journals of a store, read through one index.

Owns the index, the numbering of journals, and a small memory of decoded frames. Promises
that an entry gives what its frame says now, checked, or nothing. Only reads (contract
J4, J5). Whether the values behind a record are still there is for `cache` to ask.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flowcore.errors import DamagedEntry
from flowcore.store.files import Times, load_stats
from flowcore.store.frames import HEADER_SIZE, Damage, Header, open_journal, read_frame, scan
from flowcore.store.fs import Disk
from flowcore.store.index import Index
from flowcore.store.journal import Record, unpack
from flowcore.store.layout import RUN_ID, Layout
from flowcore.store.trace import TraceRows
from flowcore.store.trouble import Tell

_REMEMBERED: Final = 1 << 26  # bytes of frames kept decoded


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """The traces of one frame."""

    traces: tuple[TraceRows, ...]
    size: int

    def cell(self, row: int) -> tuple[TraceRows, int] | None:
        """Give the trace that holds a row of the frame, and the row's place in it."""
        for trace in self.traces:
            if 0 <= row < trace.count:
                return trace, row
            row -= trace.count
        return None


class Records:
    """Keyed records of all runs that a run may be answered from. The engine's thread."""

    def __init__(self, layout: Layout, *, disk: Disk, tell: Tell) -> None:
        self.index = Index()
        self.files: dict[Times, bytes] = {}  # what a stat says of a file's content
        self._disk = disk
        self._layout = layout
        self._tell = tell
        self._paths: list[str] = []
        self._numbers: dict[str, int] = {}
        self._ends: dict[str, int] = {}  # how far each journal was read
        self._frames: OrderedDict[tuple[int, int], Decoded] = OrderedDict()
        self._held = 0

    def read_older(self, *, than: str, last: str = "") -> None:
        """Take in every journal but that of run `than`, by run id; one warning for all damage in them.

        With `last`, no journal of a run that began after that one is.
        """
        damaged: list[str] = []
        lost = 0
        for run_id in run_ids(self._disk, self._layout):
            if run_id == than or (last and run_id > last):
                continue
            damage = self._read(self._layout.journal(run_id))
            if damage.lost:
                damaged.append(f"{run_id}.journal")
                lost += damage.lost
        self.index.settle()
        if damaged:
            more = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
            self._tell(DamagedEntry(entry=damaged[0] + more, check=f"{lost} bytes hold no record that verifies"))

    def run_id(self, journal: int) -> str:
        """Give the run that wrote a journal; run ids sort by their start."""
        return self._paths[journal].rpartition("/")[2].removesuffix(".journal")

    def number(self, path: str) -> int:
        """Give a journal its number."""
        number = self._numbers.setdefault(path, len(self._paths))
        if number == len(self._paths):
            self._paths.append(path)
        return number

    def more(self, path: str, *, back: int = 0) -> Iterator[list[Record]]:
        """Yield the records of the frames written to a journal since it was last read; what has a key answers now.

        With `back`, also those of frames that begin up to so many bytes before. What others
        make under `refresh=` while we run comes last here: our own cells have used what was first.
        """
        opened = open_journal(self._disk, path)
        if opened is None:
            return
        fd, header = opened
        known = self._ends.get(path, HEADER_SIZE)
        try:
            for frame in scan(self._disk, fd, header, damage=Damage(), offset=max(HEADER_SIZE, known - back)):
                records = unpack(frame.payload) or []
                if frame.offset >= known:
                    self._ends[path] = frame.end
                    self._add(self.number(path), frame.offset, records)
                yield records
        except OSError:
            return  # the next look goes on from there
        finally:
            self._disk.close(fd)

    def _add(self, journal: int, offset: int, records: list[Record]) -> None:
        row = 0
        for trace in traces_of(records):
            if trace.keys:
                self.index.add(journal, offset, [trace.key(i) for i in range(trace.count)], first_row=row)
            row += trace.count

    def frame(self, journal: int, offset: int) -> Decoded | None:
        """Give the traces of a frame; None if it is not there any more, or does not verify."""
        name = (journal, offset)
        decoded = self._frames.get(name)
        if decoded is not None:
            self._frames.move_to_end(name)
            return decoded
        decoded = self._decode(self._paths[journal], offset)
        if decoded is None:
            return None
        self._frames[name] = decoded
        self._held += decoded.size
        while self._held > _REMEMBERED and len(self._frames) > 1:
            self._held -= self._frames.popitem(last=False)[1].size
        return decoded

    def _read(self, path: str) -> Damage:
        damage = Damage()
        opened = open_journal(self._disk, path)
        if opened is None:
            return damage
        fd, header = opened
        number = self.number(path)
        try:
            self._index_frames(fd, header, number, damage)
        except OSError:
            return damage  # what could be read is in the index
        finally:
            self._disk.close(fd)
        return damage

    def _index_frames(self, fd: int, header: Header, number: int, damage: Damage) -> None:
        for frame in scan(self._disk, fd, header, damage=damage):
            records = unpack(frame.payload)
            if records is None:
                damage.add(frame.offset, frame.end)
                continue
            for record in records:
                if record[0] == "file":
                    load_stats(self.files, record)
            row = 0
            for trace in traces_of(records):
                self.index.load(number, frame.offset, trace.keys, first_row=row, refresh=trace.refresh)
                row += trace.count
            self._ends[self._paths[number]] = frame.end

    def _decode(self, path: str, offset: int) -> Decoded | None:
        opened = open_journal(self._disk, path)
        if opened is None:
            return None
        fd, header = opened
        try:
            frame = read_frame(self._disk, fd, header, offset)
        except OSError:
            return None
        finally:
            self._disk.close(fd)
        records = unpack(frame.payload) if frame is not None else None
        if frame is None or records is None:
            return None
        return Decoded(traces=tuple(traces_of(records)), size=len(frame.payload))


def run_ids(disk: Disk, layout: Layout) -> list[str]:
    """Name the runs that have a journal, oldest first."""
    try:
        names = disk.listdir(layout.journals)
    except OSError:
        return []
    stems = (name.removesuffix(".journal") for name in names if name.endswith(".journal"))
    return sorted(stem for stem in stems if RUN_ID.fullmatch(stem))


def traces_of(records: list[Record]) -> Iterator[TraceRows]:
    """Yield the traces among records; one of another shape is passed over like an unknown kind."""
    for record in records:
        if record[0] != "trace":
            continue
        try:
            trace = TraceRows(record)
        except ValueError:
            continue
        yield trace
