"""Whether a cell has to run, and what to remember of those that did.

Owns the run's part in the store's memory: the records that may answer, and the journal
of this run. `judge` tells, `record` remembers; the reason for a miss is a value (style
4). Promises that no answer rests on a record that did not verify or on an array that is
not there (contract P1, P2, J10), and that trouble with the disk costs one warning and
never a result (P8). Never decodes a value, and never decides what is computed next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from flowcore import clock
from flowcore.errors import StoreUnavailable
from flowcore.plan.encode import BadRecord, references
from flowcore.plan.extension import KEPT
from flowcore.plan.pickled import is_pickled, is_sealed
from flowcore.store.answers import NO_RECORD, PICKLE, REFRESH, TOO_OLD, VALUE_GONE, Answer, Hit, Miss, Skipped, skipped
from flowcore.store.cast import RECIPE, pack_cast
from flowcore.store.columns import pack_numbers
from flowcore.store.drawn import Drawn
from flowcore.store.files import StatCache
from flowcore.store.index import Entry
from flowcore.store.journal import JournalWriter, Record, pack
from flowcore.store.keeping import kept
from flowcore.store.layout import run_stamp
from flowcore.store.records import Decoded, Records
from flowcore.store.sync import GroupSync
from flowcore.store.trace import NO_KEY, Trace, pack_nodes, pack_trace
from flowcore.store.trouble import Trouble

__all__ = [
    "NO_RECORD", "PICKLE", "REFRESH", "TOO_OLD", "VALUE_GONE", "Answer", "Cache", "Hit", "Miss", "Skipped", "Trace",
]  # fmt: skip

_WAITING_LIMIT: Final = 1 << 26  # bytes of records held in memory while the disk is full
_BUFFERED: Final = 256  # small records that wait for a trace, or for this many


class Has(Protocol):
    """What the cache asks of the kept arrays."""

    def has(self, name: bytes, size: int) -> bool:
        """Tell whether an array of that digest and size is there."""
        ...


class Cache:
    """What a run knows of earlier cells, and writes down of its own. The engine's thread.

    Parameters
    ----------
    records : Records
        Everything older than the run; empty where the store cannot be read.
    blobs : Has
        The kept arrays.
    journal : JournalWriter or None
        Where this run writes; None: it keeps nothing.
    sync : GroupSync or None
        Told of what is new; there is one with every journal.
    trouble : Trouble
        Told of failed writes, asked before each.
    durable : bool
        Sync within :meth:`record`, so that what it accepted is on the medium when it returns.
    files : StatCache or None
        What files were found to hold, to be written down.

    Attributes
    ----------
    pickles : bool
        Whether values that are kept as pickles answer (contract S2).
    """

    def __init__(
        self, records: Records, blobs: Has, *, journal: JournalWriter | None, sync: GroupSync | None,
        trouble: Trouble, durable: bool = False, files: StatCache | None = None,
    ) -> None:  # fmt: skip
        self.records = records
        self._blobs = blobs
        self._journal = journal
        self._number = records.number(journal.path.rpartition("/")[2], journal.run_id) if journal is not None else -1
        self._sync = sync
        self._trouble = trouble
        self._durable = durable
        self._files = files
        self.pickles = False
        self._small: list[Record] = []
        self._waiting: list[tuple[bytes, Sequence[Trace]]] = []  # frames that a full disk did not take yet
        self._waiting_size = 0
        self._rows = 0
        self._opening: Callable[[], None] | None = None

    def refusal(self) -> StoreUnavailable | None:
        """Give the reason not to keep anything just now, or None."""
        return self._trouble.refusal()

    def judge(
        self, keys: Sequence[bytes], *, younger_than: float | None = None, fresh: Sequence[bool] | None = None
    ) -> list[Answer]:
        """Tell for each key whether a record answers; an empty key never does.

        With `younger_than`, only records of runs that began within so many seconds do; where
        `fresh` says so, only those of this very run (contract K26).
        """
        since = "" if younger_than is None else run_stamp(clock.wall() - younger_than)
        answers: list[Answer] = [NO_RECORD] * len(keys)
        found = [(entry, place) for place, entry in enumerate(self.records.index.find(keys)) if entry is not None]
        found.sort()  # so that each frame is read once, however the keys are ordered
        frame: Decoded | None = None
        at = (-1, -1)
        for (journal, offset, row), place in found:
            if at != (journal, offset):
                at = (journal, offset)
                frame = self.records.frame(journal, offset)
            key = keys[place]
            if fresh is not None and fresh[place]:
                answers[place] = self._fresh(key)
                continue
            young = not since or self.records.run_id(journal) >= since
            found_here = self._answer(frame, row, key) if young else None
            answers[place] = found_here or self._other(Entry(journal, offset, row), key, since)
        return answers

    def own(self, key: bytes) -> list[bytes] | None:
        """Give the components that went into a key besides those its node's cells share; None without a record."""
        for entry in self.records.index.entries(key):
            frame = self.records.frame(entry.journal, entry.offset)
            cell = frame.cell(entry.row) if frame is not None else None
            if cell is not None and cell[0].key(cell[1]) == key:
                return cell[0].own(cell[1])
        return None

    def run_of(self, key: bytes) -> str:
        """Give the run whose record answers a key; empty if none does."""
        for entry in self.records.index.entries(key):
            if self._answer(self.records.frame(entry.journal, entry.offset), entry.row, key):
                return self.records.run_id(entry.journal)
        return ""

    def has(self, digest: bytes, size: int) -> bool:
        """Tell whether a kept array is there, by its size alone."""
        return self._blobs.has(digest, size)

    def record(self, *traces: Trace) -> set[int]:
        """Remember cells that gave a value, or one trace of skips: one frame, one write; give nodes with one not kept.

        A value that lives in the spool, or has no canonical encoding, is not kept and
        its key does not answer; the cell stays in the run's history.
        """
        found = [kept(trace) for trace in traces if trace.numbers]
        if self._journal is None or not found:
            return {node for trace in traces for node in trace.each_node()}
        traces = tuple(trace for trace, _ in found)
        self._small.extend(map(pack_trace, traces))
        self._write(traces)
        if self._sync is not None:
            self._sync.fresh({digest: size for _, sizes in found for digest, size in sizes.items()})
            if self._durable:
                self._sync.sync()
        return {node for trace in traces for node in trace.unkeyed()}

    def settled(self, key: bytes) -> None:
        """Have the saved states of a cell removed, once all that was recorded so far is on the medium."""
        if self._sync is not None:
            self._sync.then(key)

    def checkpoints(self, node: int, numbers: Sequence[int], keys: Sequence[bytes]) -> None:
        """Write down under which keys the states of cells are saved, for whoever looks at them while they run."""
        self._note(["checkpoint", node, len(numbers), pack_numbers(numbers), b"".join(keys)])
        self.flush()

    def metric(self, node: int, number: int, step: int, steps: int, numbers: Mapping[str, float]) -> None:
        """Write down how far the loop of a cell is, and its live numbers."""
        self._note(["metric", node, number, step, steps, dict(numbers)])
        self.flush()

    def run(self, facts: Mapping[str, object], opening: Callable[[], None] | None = None) -> None:
        """Write down what the run is: its flow, options, versions. `opening` tells what comes before all else."""
        self._note(["run", dict(facts)])
        self.flush()
        self._opening = opening if self._journal is not None else None

    def open(self) -> None:
        """Have told what comes before all else, unless it is told: when there is time, or something to be written."""
        if self._opening is not None:
            (opening, self._opening), (later, self._small) = (self._opening, None), (self._small, [])
            opening()
            self._small += later

    def axes(self, axes: Sequence[Mapping[str, object]], first: int = 0) -> None:
        """Write down the axes that nodes refer to by their place; apart from the run, since labels may be many."""
        self._note(["axes", [dict(axis) for axis in axes], first])

    def node(self, number: int, facts: Mapping[str, object]) -> None:
        """Write down what a node is, before its first cell."""
        self._note(["node", number, facts])

    def drawn(self, nodes: Drawn) -> None:
        """Write down what nodes are, before the first cell of any."""
        self._note(nodes.pack())

    def recipe(self, number: int, facts: Mapping[str, object]) -> None:
        """Write down what nodes have in common once they are made ready, before the first of them."""
        self._note([RECIPE, number, dict(facts)])

    def cast(
        self, recipe: int, numbers: Sequence[int], names: Sequence[str], columns: Sequence[Sequence[bytes]]
    ) -> None:
        """Write down nodes with a recipe, and the identities of what is each one's own, a column a name."""
        self._note(pack_cast(recipe, numbers, names, columns))

    def hits(self, nodes: Sequence[int], numbers: Sequence[int], keys: Sequence[bytes]) -> None:
        """Write down cells that were answered, so that a warm run can be looked at later."""
        joined = b"".join([key or NO_KEY for key in keys])
        self._note(["hit", pack_nodes(nodes), len(numbers), pack_numbers(numbers), joined])

    def agreed(
        self, node: int, numbers: Sequence[int], keys: Sequence[bytes], absolute: Sequence[float],
        relative: Sequence[float],
    ) -> None:  # fmt: skip
        """Write down cells whose results were close to kept ones, which their keys now name (K25), and how close."""
        packed = pack_numbers(numbers)
        self._note(["same", node, len(numbers), packed, b"".join(keys), list(absolute), list(relative)])

    def accepted(self, node: int, numbers: Sequence[int], keys: Sequence[bytes]) -> None:
        """Write down cells, by the keys of their code, whose answer older code gave; as hits they have its keys."""
        self._note(["accept", node, len(numbers), pack_numbers(numbers), b"".join(keys)])

    def overruled(
        self, node: int, numbers: Sequence[int], keys: Sequence[bytes], old: Sequence[bytes], reason: str
    ) -> None:
        """Write down cells whose new keys the user lets older records answer, and those records' keys (K26)."""
        self._note(["accept", node, len(numbers), pack_numbers(numbers), b"".join(keys), b"".join(old), reason])

    def failed(self, node: int, number: int, facts: Mapping[str, object]) -> None:
        """Write down a failure, for reports; it never answers a key."""
        self._note(["failed", node, number, dict(facts)])

    def lapsed(self, node: int, number: int, when: tuple[float, float], worker: int, why: str) -> None:
        """Write down an attempt without a value: `when` it began, in seconds of the run, and how long it took."""
        self._note(["lapse", node, number, *when, worker, why])

    def skipped(self, node: int, number: int, reason: str, key: bytes) -> None:
        """Write down that a cell has no result, as an older record of its key says."""
        self._note(["skipped", node, number, reason, key])

    def rows(self, node: int, number: int, length: int, labels: Sequence[bytes] | None) -> None:
        """Write down how many labels a cell gives the axes that run over its value, in the order of learning.

        Cells along such axes are numbered in that order; the serial number tells a reader
        whether one is missing.
        """
        self._note(["rows", node, number, length, None if labels is None else list(labels), self._rows])
        self._rows += 1

    def left(self, node: int, state: str, numbers: Sequence[int]) -> None:
        """Write down, at the end, cells that came to nothing because of something else."""
        self._note(["left", node, state, len(numbers), pack_numbers(numbers)])

    def tried(self, node: int, number: int, attempts: int) -> None:
        """Write down, at the end, how many attempts at a cell came to nothing."""
        self._note(["tried", node, number, attempts])

    def beat(self, facts: Mapping[str, object]) -> None:
        """Write down that the run lives, and what it is at; a live journal grows (T2)."""
        self._note(["beat", dict(facts)])
        self.flush()

    def end(self, status: str, counts: Mapping[str, float]) -> None:
        """Write down how the run ended."""
        self._note(["end", status, dict(counts)])
        self.flush()

    def flush(self) -> None:
        """Write what waits for company."""
        if self._journal is not None and self._files is not None and (fresh := self._files.drain()):
            self._small.append(["file", fresh])
        if self._journal is not None and (self._small or self._waiting):
            self._write(())
            if self._sync is not None:
                self._sync.fresh({})

    def doubled(self, node: int, numbers: Sequence[int]) -> None:
        """Write down cells that gave another value than is recorded for their key (F33)."""
        self._note(["double", node, len(numbers), pack_numbers(numbers)])

    def otherwise(self, keys: Sequence[bytes], components: Sequence[bytes]) -> list[int]:
        """Give the places of keys whose first record has another value than this one."""
        places = [place for place, key in enumerate(keys) if key and components[place]]
        found = self.records.index.find([keys[place] for place in places])
        recorded = [(place, self._component(entry, keys[place])) for place, entry in zip(places, found, strict=True)]
        return [place for place, component in recorded if component not in (b"", components[place])]

    def contested(self, keys: Sequence[bytes]) -> list[tuple[int, int]]:
        """Give node and number of the cells of this run whose key others have recorded with another value."""
        found: list[tuple[int, int]] = []
        for key in keys:
            entries = list(self.records.index.entries(key)) if key != NO_KEY else []
            own = next((entry for entry in entries if entry.journal == self._number), None)
            if own is None or len(entries) == 1:
                continue
            ours = self._component(own, key)
            theirs = {self._component(entry, key) for entry in entries if entry.journal != self._number} - {b""}
            cell = self.records.frame(own.journal, own.offset)
            at = cell.cell(own.row) if cell is not None else None
            if ours and theirs - {ours} and at is not None:
                found.append((at[0].node(at[1]), at[0].number(at[1])))
        return found

    def _component(self, entry: Entry | None, key: bytes) -> bytes:
        """Give the identity of a recorded value; empty if there is no record, or it cannot be read any more."""
        frame = self.records.frame(entry.journal, entry.offset) if entry is not None else None
        cell = frame.cell(entry.row) if frame is not None and entry is not None else None
        record = cell[0].record(cell[1], key) if cell is not None else b""
        return cell[0].component(cell[1], record) if cell is not None and record else b""

    def _note(self, record: Record) -> None:
        if self._journal is None:
            return
        self._small.append(record)
        if len(self._small) >= _BUFFERED:
            self.flush()

    def _fresh(self, key: bytes) -> Answer:
        """Ask only what this run has recorded."""
        for entry in self.records.index.entries(key):
            own = entry.journal == self._number
            if own and (hit := self._answer(self.records.frame(entry.journal, entry.offset), entry.row, key)):
                return hit
        return REFRESH

    def _other(self, first: Entry, key: bytes, since: str) -> Answer:
        """Ask the later records of a key whose first one cannot be used (J10)."""
        young = [e for e in self.records.index.entries(key) if not since or self.records.run_id(e.journal) >= since]
        for entry in young:
            if entry != first and (hit := self._answer(self.records.frame(entry[0], entry[1]), entry.row, key)):
                return hit
        if not self.pickles and any(self._pickled(entry, key) for entry in young):
            return PICKLE
        return VALUE_GONE if young else TOO_OLD

    def _pickled(self, entry: Entry, key: bytes) -> bool:
        frame = self.records.frame(entry.journal, entry.offset)
        cell = frame.cell(entry.row) if frame is not None else None
        return cell is not None and is_pickled(cell[0].record(cell[1], key))

    def _answer(self, frame: Decoded | None, row: int, key: bytes) -> Hit | Skipped | None:
        if frame is None or (cell := frame.cell(row)) is None:
            return None
        trace, row = cell
        record = trace.record(row, key)
        if trace.skips:
            return skipped(record, trace.seconds[row])
        if not record or not self._holds(record):
            return None
        if is_pickled(record) and not (self.pickles and is_sealed(record, key)):
            return None
        return Hit(record, trace.component(row, record), trace.seconds[row], trace.classes(row))

    def _holds(self, record: bytes) -> bool:
        try:
            named = references(record)
        except (BadRecord, ValueError):
            return False
        if not named:
            return True
        return all(place == KEPT and self._blobs.has(digest, size) for digest, size, place in named)

    def _write(self, traces: Sequence[Trace]) -> None:
        self.open()
        if self._small:
            payload = pack(self._small)
            self._small = []
            self._waiting.append((payload, traces))
            self._waiting_size += len(payload)
        if self._trouble.refusal() is None:
            self._drain()
        if self._trouble.stopped or self._waiting_size > _WAITING_LIMIT:
            self._waiting.clear()
            self._waiting_size = 0

    def _drain(self) -> None:
        assert self._journal is not None
        while self._waiting:
            payload, traces = self._waiting[0]
            try:
                offset = self._journal.append_payload(payload)
            except OSError as error:
                self._trouble.met(error, needed=self._waiting_size)
                return
            self._waiting.pop(0)
            self._waiting_size -= len(payload)
            row = 0
            for trace in traces:
                self.records.index.add(self._number, offset, trace.keys, first_row=row, refresh=trace.refresh)
                row += len(trace.numbers)
