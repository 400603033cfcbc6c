"""What other live runs of the store are computing (contract J8).

Owns the view of their journals: read once a second at most, from where the last look
ended, and only while a run asks. Promises that a key is named here only while a run that
certainly lives, as far as its lock and our own clock can tell, said of it that it is being
computed, and has recorded no result since. So whoever waits for a key waits for a run that
will be heard of again or forgotten. Where locks do not work, nobody is waited for (J7);
nothing becomes wrong without all this (P3). Never blocks, and never writes.

Who may live is found by one listing: a run's directory in `tmp/` is there from before its
journal until after its end, and those of the dead are removed when the next run begins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from typing import Final

from flowcore import clock
from flowcore.dataclass import dataclass
from flowcore.store.fs import Disk
from flowcore.store.history import QUIET
from flowcore.store.journal import Record
from flowcore.store.layout import RUN_ID, Layout
from flowcore.store.lock import RunLock
from flowcore.store.records import Records, traces_of
from flowcore.store.trace import KEY_SIZE

PAUSE: Final = 1.0  # seconds between two looks
_BACK: Final = 1 << 20  # bytes before what was known of a journal in which its last beat is looked for


@dataclass(slots=True)
class _Neighbour:
    """Another run, as heard of."""

    path: str
    lock: RunLock
    keys: set[bytes] = field(default_factory=set)  # named by its last beat, less those recorded since
    heard: float = 0.0  # by our clock: when a look last found a beat
    over: bool = False
    met: bool = False


class Neighbours:
    """The other live runs, for one run. The engine's thread.

    Parameters
    ----------
    layout : Layout
        Of the store.
    run_id : str
        Ours.
    records : Records
        Told of what others record, so that it answers.
    disk : Disk

    Attributes
    ----------
    claims : dict
        Key to the run that is computing it.
    recorded : bool
        Whether others have recorded anything since we began.
    share : float
        Where we stand among the runs that may live, by id: 0.0 for the first, 1.0 for the last.
    """

    def __init__(self, layout: Layout, run_id: str, *, records: Records, disk: Disk) -> None:
        self.claims: dict[bytes, str] = {}
        self.recorded = False
        self.share = 0.0
        self._layout = layout
        self._taken = bytearray()  # the keys that they recorded, joined
        self._run_id = run_id
        self._records = records
        self._disk = disk
        self._due = clock.monotonic()
        self._known: dict[str, _Neighbour] = {}

    def keys(self) -> list[bytes]:
        """Give the keys that others have recorded since we began."""
        return list(_split(bytes(self._taken)))

    def look(self, *, now: bool = False) -> bool:
        """Read what was written since the last look; False if that was not a second ago, and it need not be `now`."""
        at = clock.monotonic()
        if at < self._due and not now:
            return False
        self._due = at + PAUSE
        there = self._there()
        for run_id in there - self._known.keys():
            self._known[run_id] = _Neighbour(
                self._layout.journal(run_id), RunLock(self._layout.lock(run_id), disk=self._disk)
            )
        for neighbour in self._known.values():
            if not neighbour.over:
                self._read(neighbour, at)
        for run_id in self._known.keys() - there:
            del self._known[run_id]
        self.claims = {
            key: run_id for run_id, other in sorted(self._known.items(), reverse=True) if self._counts(other, at)
            for key in other.keys
        }  # fmt: skip
        others = [run_id for run_id, other in self._known.items() if not other.over]
        self.share = sum(run_id < self._run_id for run_id in others) / len(others) if others else 0.0
        return True

    def _there(self) -> set[str]:
        try:
            names = self._disk.listdir(self._layout.tmp)
        except OSError:
            return set()
        return {name for name in names if name != self._run_id and RUN_ID.fullmatch(name)}

    def _read(self, neighbour: _Neighbour, now: float) -> None:
        for records in self._records.more(neighbour.path, back=0 if neighbour.met else _BACK):
            if not neighbour.met:
                neighbour.met, neighbour.heard = True, now
            self._take(neighbour, records, now)

    def _take(self, neighbour: _Neighbour, records: list[Record], now: float) -> None:
        for record in records:
            match record:
                case ["beat", {"computing": bytes(keys)}, *_]:
                    neighbour.keys, neighbour.heard = set(_split(keys)), now
                case ["beat", *_]:
                    neighbour.keys, neighbour.heard = set(), now
                case ["trace" | "skip", *_]:
                    for trace in traces_of([record]):
                        self.recorded = True
                        self._taken += trace.keys
                        neighbour.keys.difference_update(_split(trace.keys))
                case ["end", *_]:
                    neighbour.keys, neighbour.over = set(), True

    def _counts(self, neighbour: _Neighbour, now: float) -> bool:
        """Tell whether what it said may still be waited for: it beats, and its lock is held."""
        return bool(neighbour.keys) and now - neighbour.heard < QUIET and neighbour.lock.held()


def _split(keys: bytes) -> Iterable[bytes]:
    return (keys[at : at + KEY_SIZE] for at in range(0, len(keys), KEY_SIZE))
