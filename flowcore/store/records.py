"""All journals of a store, read through one index.

Owns the index, the numbering of journals, and a small memory of decoded frames. Promises
that an entry gives what its frame says now, checked, or nothing; that what a persisted
index covers is not read again; and that records which another process moves to a journal
of its own meanwhile are found there (contract J4, J5, J9). Only reads. Whether the values
behind a record are still there is for `cache` to ask.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from flowcore.dataclass import dataclass
from flowcore.errors import DamagedEntry
from flowcore.store.arrayfile import size_of
from flowcore.store.files import Times, load_stats
from flowcore.store.frames import HEADER_SIZE, Damage, Frame, open_journal, scan
from flowcore.store.fs import Disk, end_reading
from flowcore.store.index import Index
from flowcore.store.indexfile import Covered, IndexFile, Source
from flowcore.store.journal import Record, unpack
from flowcore.store.layout import Layout, exists
from flowcore.store.listing import JOURNAL, PACK, journal_names, newest_index
from flowcore.store.packs import origin_of, read_contents
from flowcore.store.reader import Readers
from flowcore.store.trace import SKIP, TRACE, TraceRows
from flowcore.store.trouble import Tell

_REMEMBERED: Final = 1 << 27  # bytes of frames kept decoded
_OBJECTS: Final = 1500  # bytes that the objects of a decoded trace take, whatever it holds
_LISTINGS: Final = 5  # times that the journals are listed anew because one of them was moved meanwhile


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


@dataclass(slots=True, kw_only=True)
class Read:
    """How much of a journal has been taken in."""

    name: str
    runs: tuple[str, ...]  # whose records it holds
    start: int = HEADER_SIZE  # a persisted index covers what is before
    end: int = HEADER_SIZE  # of the last frame
    lost: int = 0  # bytes before the end that hold nothing that verifies


class Records:
    """Keyed records of all runs that a run may be answered from. The engine's thread.

    Parameters
    ----------
    layout : Layout
        The store's names.
    disk : Disk
        Where it is.
    tell : callable
        Given the one warning about damage.
    mapped : bool
        False on a network filesystem, where the memory of a map may fail under its reader.
    """

    def __init__(self, layout: Layout, *, disk: Disk, tell: Tell, mapped: bool = True) -> None:
        self.index = Index(self._read_covered)
        self.journals: dict[str, Read] = {}  # by file name
        self.places: list[tuple[str, str]] = []  # of each number: file name, run
        self.files: dict[Times, bytes] = {}  # what a stat says of a file's content
        self.older = 0  # entries of what is older than the run
        self._disk = disk
        self._layout = layout
        self._tell = tell
        self._mapped = mapped
        self._numbers: dict[tuple[str, str], int] = {}
        self._wanted = ("", "")  # the run that is left out; the last one that is not
        self._damage: dict[str, int] = {}
        self._late: dict[str, int] = {}  # numbers of what was read while we run, by file name
        self._ends: dict[str, int] = {}  # how far that was read
        self._moved: set[str] = set()  # journals that were gone when a frame of them was asked for
        self._readers = Readers(disk)
        self._frames: OrderedDict[tuple[int, int], Decoded] = OrderedDict()
        self._held = 0

    def read_older(self, *, than: str, last: str = "") -> None:
        """Take in every journal but that of run `than`, by run id; one warning for all damage in them.

        With `last`, no record of a run that began after that one is.
        """
        self._wanted = than, last
        file = newest_index(self._disk, self._layout, mapped=self._mapped)
        for _ in range(_LISTINGS):  # again if one was moved to a journal that was not there when we listed them
            if self._take_in(journal_names(self._disk, self._layout), file):
                break
            file = None
        self.index.settle()
        self.older = len(self.index)
        if self._damage:
            first, *more = sorted(self._damage)
            told = first + (f" and {len(more)} more" if more else "")
            self._tell(
                DamagedEntry(entry=told, check=f"{sum(self._damage.values())} bytes hold no record that verifies")
            )

    def run_id(self, number: int) -> str:
        """Give the run that made the records of a journal; run ids sort by their start."""
        return self.places[number][1]

    def number(self, name: str, run_id: str) -> int:
        """Give a run's records in a journal their number."""
        self._numbers[name, run_id] = len(self.places)
        self.places.append((name, run_id))
        return len(self.places) - 1

    def more(self, path: str, *, back: int = 0) -> Iterator[list[Record]]:
        """Yield the records of the frames written to a journal since it was last read; what has a key answers now.

        With `back`, also those of frames that begin up to so many bytes before. What others
        make while we run comes last here, however made: our own cells have used what was first.
        """
        name = path.rpartition("/")[2]
        read = self.journals.get(name)
        known = self._ends.get(name, read.end if read is not None else HEADER_SIZE)
        for frame in self._frames_of(name, max(HEADER_SIZE, known - back), Damage()):
            records = unpack(frame.payload) or []
            if frame.offset >= known:
                self._ends[name] = frame.end
                self._add(name, frame.offset, records)
            yield records

    def order(self) -> list[int]:
        """Give for each number where it stands by run id; -1: what others made while we run, which is not all."""
        late = set(self._late.values())
        stand = {place: i for i, place in enumerate(sorted(set(self.places), key=lambda place: place[::-1]))}
        return [-1 if number in late else stand[place] for number, place in enumerate(self.places)]

    def _add(self, name: str, offset: int, records: list[Record]) -> None:
        row = 0
        for trace in traces_of(records):
            if trace.keys:
                if name not in self._late:
                    self._late[name] = len(self.places)
                    self.places.append((name, name.removesuffix(JOURNAL)))
                self.index.add(self._late[name], offset, [trace.key(i) for i in range(trace.count)], first_row=row)
            row += trace.count

    def frame(self, number: int, offset: int) -> Decoded | None:
        """Give the traces of a frame; None if it is not there any more, or does not verify."""
        place = (number, offset)
        decoded = self._frames.get(place)
        if decoded is not None:
            self._frames.move_to_end(place)
            return decoded
        decoded = self._decode(self.places[number][0], offset)
        if decoded is None:
            return None
        self._frames[place] = decoded
        self._held += decoded.size
        while self._held > _REMEMBERED and len(self._frames) > 1:
            self._held -= self._frames.popitem(last=False)[1].size
        return decoded

    def close(self) -> None:
        """Let go of open journals."""
        self._readers.close()

    def _take_in(self, names: list[str], file: IndexFile | None) -> bool:
        """Number these journals, and read what the index does not cover; False if one was gone."""
        covered = _covered(file)
        fresh = [self._start(name, covered) for name in names if name not in self.journals and self._counts(name)]
        found = [read for read in fresh if read is not None]
        for run, name in sorted((run, read.name) for read in found for run in read.runs):
            self.number(name, run)
        self.journals |= {read.name: read for read in found}
        if file is not None:
            self.files |= file.files
            self.index.rest_on(file, [self._number_of(file, source) for source in file.sources])
        for read in found:
            self._read(read)
        return len(found) == len(fresh)

    def _counts(self, name: str) -> bool:
        than, last = self._wanted
        run = name.removesuffix(JOURNAL)
        return not name.endswith(JOURNAL) or (run != than and not (last and run > last))

    def _start(self, name: str, covered: dict[str, tuple[Covered, tuple[str, ...]]]) -> Read | None:
        """Tell where the reading of a journal begins; None if it is gone."""
        size = size_of(self._disk, f"{self._layout.journals}/{name}")
        if size < 0:
            return None
        known, runs = covered.get(name, (None, ()))
        if known is not None and HEADER_SIZE <= known.end <= size:
            if known.lost:
                self._damage[name] = known.lost
            return Read(name=name, runs=runs, start=known.end, end=known.end, lost=known.lost)
        if name.endswith(PACK):
            packed = read_contents(f"{self._layout.journals}/{name}", disk=self._disk)
            last = self._wanted[1]
            return Read(name=name, runs=tuple(run for run in packed if not last or run <= last))
        return Read(name=name, runs=(name.removesuffix(JOURNAL),))

    def _number_of(self, file: IndexFile, source: Source) -> int:
        """Give the number of a source of the index; -1 if its journal is gone, or another, or does not count."""
        if not 0 <= source.journal < len(file.journals):
            return -1
        name = file.journals[source.journal].name
        read, last = self.journals.get(name), self._wanted[1]
        if read is None or read.start == HEADER_SIZE or (last and source.run_id > last):
            return -1
        return self._numbers.get((name, source.run_id), -1)

    def _read(self, read: Read) -> None:
        """Take in the frames of a journal from where its reading ended."""
        if size_of(self._disk, f"{self._layout.journals}/{read.name}") <= read.end:
            return
        damage, before = Damage(), read.lost
        for frame in self._frames_of(read.name, read.end, damage):
            if not self._index_frame(frame, read):
                damage.add(frame.offset, frame.end)
            read.end, read.lost = frame.end, before + damage.lost
        if damage.lost:
            self._damage[read.name] = before + damage.lost

    def _read_covered(self) -> None:
        """Take in what an index covered that turned out to be damaged."""
        for read in self.journals.values():
            until, read.start = read.start, HEADER_SIZE
            if until > HEADER_SIZE:
                for frame in self._frames_of(read.name, HEADER_SIZE, Damage()):
                    if frame.offset >= until:
                        break
                    self._index_frame(frame, read)

    def _frames_of(self, name: str, start: int, damage: Damage) -> Iterator[Frame]:
        opened = open_journal(self._disk, f"{self._layout.journals}/{name}")
        if opened is None:
            return
        fd, header = opened
        try:
            yield from scan(self._disk, fd, header, damage=damage, offset=start)
        except OSError:
            return  # what could be read is in the index
        finally:
            end_reading(self._disk, fd)

    def _index_frame(self, frame: Frame, read: Read) -> bool:
        records = unpack(frame.payload)
        if records is None:
            return False
        for record in records:
            if record[0] == "file":
                load_stats(self.files, record)
        number, row = self._numbers.get((read.name, origin_of(records) or read.name.removesuffix(JOURNAL))), 0
        if number is None:
            return True
        for trace in traces_of(records):
            self.index.load(number, frame.offset, trace.keys, first_row=row, refresh=trace.refresh)
            row += trace.count
        return True

    def _decode(self, name: str, offset: int) -> Decoded | None:
        try:
            frame = self._readers.frame(f"{self._layout.journals}/{name}", offset)
        except FileNotFoundError:
            self._look_for(name)
            return None
        records = unpack(frame.payload) if frame is not None else None
        if frame is None or records is None:
            return None
        traces = tuple(traces_of(records))
        return Decoded(traces=traces, size=len(frame.payload) + _OBJECTS * (len(traces) + 1))

    def _look_for(self, name: str) -> None:
        """Take in the packs that came since: what the journal held may be in one of them (J9)."""
        try:
            if name in self._moved or exists(self._disk, f"{self._layout.journals}/{name}"):
                return
        except OSError:
            return  # trouble with the disk says nothing of where the records went
        self._moved.add(name)
        packs = [name for name in journal_names(self._disk, self._layout) if name.endswith(PACK)]
        self._take_in(packs, None)
        self.index.settle()


def _covered(file: IndexFile | None) -> dict[str, tuple[Covered, tuple[str, ...]]]:
    """Give what an index covers, and the runs whose records it has, by the name of the journal."""
    if file is None:
        return {}
    runs: dict[int, list[str]] = {}
    for source in file.sources:
        runs.setdefault(source.journal, []).append(source.run_id)
    return {journal.name: (journal, tuple(runs.get(i, ()))) for i, journal in enumerate(file.journals)}


def traces_of(records: list[Record]) -> Iterator[TraceRows]:
    """Yield the traces among records, then those of skips; one of another shape is passed over like an unknown kind.

    Rows are counted in this order: so those of values are where a reader counts them that knows no skips.
    """
    kinds = {record[0] for record in records}
    for record in (record for kind in (TRACE, SKIP) if kind in kinds for record in records if record[0] == kind):
        try:
            trace = TraceRows(record)
        except ValueError:
            continue
        yield trace
