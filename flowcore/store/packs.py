"""The form of a pack: what was left of the journals of several dead runs, in one.

Owns the kinds ``["pack", [[run, facts, counts or nil], ...]]``, the first record of a pack, and
``["origin", run]``, the first one of each of its other frames: whose the records after it
are. Nodes are numbered through the whole pack. Otherwise a pack is a journal, and whoever
reads journals reads packs. Only reads; `compaction` writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from flowcore.dataclass import dataclass
from flowcore.store.facts import END, RUN, fitting
from flowcore.store.fs import DISK, Disk
from flowcore.store.journal import Record, read_frames
from flowcore.store.layout import Layout
from flowcore.store.listing import PACK, journal_names

_KIND: Final = "pack"
_ORIGIN: Final = "origin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What a pack still knows of a run as a whole."""

    facts: dict[str, object]  # as the run wrote them when it began
    status: str  # how it ended; empty: without a word
    counts: dict[str, object]


def contents(runs: dict[str, Packed]) -> Record:
    """Give the first record of a pack."""
    return [_KIND, [[run, packed.facts, packed.status, packed.counts] for run, packed in runs.items()]]


def origin(run_id: str) -> Record:
    """Give the first record of a frame."""
    return [_ORIGIN, run_id]


def origin_of(records: list[Record]) -> str | None:
    """Tell whose the records of a frame are; None: of the run that the journal is named after."""
    match records:
        case [["origin", str(run_id), *_], *_]:
            return run_id
    return None


def read_contents(path: str, *, disk: Disk = DISK) -> dict[str, Packed]:
    """Give what a pack knows of each run in it; of one whose first frame is damaged, only whose records it has."""
    found: dict[str, Packed] = {}
    for _, _, records in read_frames(path, disk=disk):
        match records:
            case [["pack", list(runs), *_], *_]:
                return dict(told for told in map(_packed, runs) if told is not None)
        run_id = origin_of(records)
        if run_id is not None:
            found.setdefault(run_id, Packed(facts={}, status="", counts={}))
    return found


def packed_runs(root: str | Path, *, disk: Disk = DISK) -> dict[str, Packed]:
    """Give what the packs of a store know of runs whose journals are gone."""
    layout = Layout(Path(root))
    names = [name for name in journal_names(disk, layout) if name.endswith(PACK)]
    found: dict[str, Packed] = {}
    for name in names:
        found |= read_contents(f"{layout.journals}/{name}", disk=disk)
    return found


def _packed(told: object) -> tuple[str, Packed] | None:
    match told:
        case [str(run_id), dict(facts), str(status), dict(counts), *_]:
            return run_id, Packed(facts=fitting(facts, RUN), status=status, counts=fitting(counts, END))
    return None
