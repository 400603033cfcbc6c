"""What killed drivers left in the box, as far as it is of use to a run.

Owns the judgement what may be used: a value kept under the key of the cell at hand, answered to
another run of the same store, whose arrays are there. That a key says all that a value depends
on holds between runs as it does in the journal, so whose message it was does not matter.
Failures, and what was passed on in the other run's own spool, are not used. Only of runs that
are certainly dead is anything waited for, or removed.

A message of which some cells are known is answered at once for those that a pilot has
finished; those that one is at are waited for; all others come back and go out anew. What is
never asked for goes a day after its run began, and answers that were used go when what they
say is in the journal of the run that used it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Final

from flowcore.dataclass import dataclass
from flowcore.plan.extension import BadRecord
from flowcore.plan.records import references
from flowcore.run.executors.far import pack_answer
from flowcore.run.executors.ferry import Harbour, Load, Unbegun
from flowcore.run.job import Done, Interrupted, Result, Skipped, loads, unpack_result
from flowcore.run.pilots.box import Box, Card, Ticket
from flowcore.run.pilots.errand import ANSWERED, keys_in, keys_of
from flowcore.run.workers.heard import UNREADABLE, supervised
from flowcore.run.workers.parcels import attempts_of, narrowed
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.blobs import Blobs
from flowcore.store.fs import Disk
from flowcore.store.layout import Layout, exists
from flowcore.store.leftovers import is_dead

AGE: Final = 24 * 3600.0  # seconds after which what a dead run left is removed
_LOOKS: Final = 3
_BUSY: Final = 2.0  # seconds: the answer that sends cells back is not one of a worker that begins nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class _Coming:
    """A cell that a pilot has for a dead run."""

    ticket: Ticket
    pilot: str  # empty: nobody has taken it


@dataclass(slots=True, kw_only=True)
class _Held:
    """A message of this run that waits for answers to a dead one's."""

    serial: int
    cells: dict[bytes, int] = field(default_factory=dict)  # key -> attempt here
    missing: int = 0  # looks in a row at which one of them was nowhere: messages move while we look


class Legacy:
    """The left behind of dead runs, for one run. The engine's thread."""

    def __init__(self, box: Box, surroundings: Surroundings) -> None:
        self._box = box
        self._run = surroundings.run_id
        self._layout = Layout(Path(surroundings.store))
        self._useful = surroundings.writable
        self._others: list[str] = []  # runs of the store: what was answered to them is as good as recorded
        self._dead: set[str] = set()  # those of them that certainly are
        self._seen: set[tuple[str, str]] = set()  # answers that were read
        self._made: dict[bytes, tuple[str, str, Result]] = {}  # key -> run, answer, and what it says
        self._coming: dict[bytes, _Coming] = {}
        self._held: dict[int, _Held] = {}
        self._used: list[set[tuple[str, str]]] = [set(), set(), set()]

    def open(self, living: Collection[Card]) -> None:
        """Look through what there is, and remove what is too old."""
        if not self._useful:
            return
        now = self._box.now()
        for run in self._box.runs():
            if run == self._run or not exists(self._box.disk, self._layout.journal(run)):
                continue
            dead = is_dead(self._box.disk, self._layout, run, now)
            if dead and self._box.age(f"runs/{run}.run", now) > AGE:
                self._box.forget(run)
                continue
            self._others.append(run)
            if dead:
                self._dead.add(run)
        self._expect(living)
        self._hear()

    def serves(self, load: Load, harbour: Harbour) -> bool:
        """Answer a message from what there is, or have it wait for what is coming; False: it is to be sent."""
        if not (self._made or self._coming):
            return False
        keys = {key: attempt for attempt, key in keys_in(keys_of(load.job)).items()}
        made = {key: attempt for key, attempt in keys.items() if key in self._made}
        held = {key: attempt for key, attempt in keys.items() if key in self._coming and key not in made}
        if not made and not held:
            return False
        results = [self._translated(key, attempt) for key, attempt in made.items()]
        rest = set(load.job.every).difference(made.values(), held.values())
        self._answer(load.serial, results, sorted(rest), harbour)
        if held:
            self._held[load.serial] = _Held(serial=load.serial, cells=held)
        return True

    def look(self, living: Collection[Card], harbour: Harbour) -> bool:
        """Hear what has come since, and let go of what will not come; tell whether there was anything."""
        self._discard(self._used[2])
        self._used = [set(), *self._used[:2]]
        if not self._held:
            return False
        self._coming.clear()
        self._expect(living)
        heard = self._hear()  # in this order: a message is answered before it vanishes
        for serial, held in list(self._held.items()):
            made = {key: attempt for key, attempt in held.cells.items() if key in self._made}
            lost = {key: a for key, a in held.cells.items() if key not in made and key not in self._coming}
            held.missing = held.missing + 1 if lost else 0
            lost = lost if held.missing >= _LOOKS else {}
            if made or lost:
                self._answer(serial, [self._translated(*cell) for cell in made.items()], sorted(lost.values()), harbour)
            for key in (*made, *lost):
                del held.cells[key]
            if not held.cells:
                del self._held[serial]
        return heard

    def recall(self, serials: Sequence[int], harbour: Harbour) -> None:
        """Have messages that wait come back: the pilots go on for whoever asks next."""
        for serial in serials:
            if self._held.pop(serial, None) is not None:
                harbour.landed(serial, Unbegun())

    def died(self, run: str) -> bool:
        """Tell whether a run is certainly dead, as far as this has been looked at."""
        return run in self._dead

    def close(self) -> None:
        """Remove the answers that were used."""
        self._discard(set().union(*self._used))

    def _answer(self, serial: int, results: list[Result], rest: list[int], harbour: Harbour) -> None:
        back = [Interrupted(attempts=rest)] if rest else []
        if results or back:
            harbour.landed(serial, pack_answer(_BUSY, [*results, *back]))

    def _translated(self, key: bytes, attempt: int) -> Result:
        run, name, result = self._made.pop(key)
        self._used[0].add((run, name))
        if isinstance(result, Done):
            return replace(result, attempts=[attempt], times=[])
        assert isinstance(result, Skipped), "nothing else is used"
        return replace(result, attempt=attempt, began=0.0)

    def _discard(self, used: set[tuple[str, str]]) -> None:
        """Remove answers of which nothing more is to be used."""
        left = {(run, name) for run, name, _ in self._made.values()}
        for run, name in used - left:
            if run in self._dead:
                self._box.discard_answer(run, name)

    def _expect(self, living: Collection[Card]) -> None:
        """See what pilots have, or may take, of dead runs."""
        places = [("", self._box.jobs()), *((card.pilot, self._box.taken(card.pilot)) for card in living)]
        for pilot, tickets in places:
            for ticket in tickets:
                if ticket.run in self._dead and (fields := self._box.job(ticket, pilot)) is not None:
                    keys = keys_in(fields[1]) if len(fields) > 1 else {}
                    coming = _Coming(ticket=ticket, pilot=pilot)
                    self._coming.update((key, coming) for key in keys.values() if key not in self._made)

    def _hear(self) -> bool:
        """Read answers to dead runs that were not read yet."""
        heard = False
        for run in self._others:
            for name in self._box.answers(run):
                if (run, name) not in self._seen:
                    self._seen.add((run, name))
                    heard = self._read(run, name) or heard
        return heard

    def _read(self, run: str, name: str) -> bool:
        match self._box.read_answer(run, name):
            case [str(kind), int(), list(keys), bytes(body), str()] if kind == ANSWERED:
                pass
            case _:
                return False
        try:
            _, packed = loads(body)
            results = [supervised(unpack_result(fields)) for fields in packed]  # type: ignore[attr-defined]
        except UNREADABLE:
            return False
        told = keys_in(keys)
        for result in results:
            for attempt in attempts_of(result):
                key, one = told.get(attempt, b""), narrowed(result, [attempt])
                if key and one is not None and self._usable(one):
                    self._made[key] = run, name, one
        return True

    def _usable(self, result: Result) -> bool:
        if isinstance(result, Skipped):
            return True
        if not isinstance(result, Done) or result.refusals or result.same or any(result.elements):
            return False
        return all(map(self._there, result.records))

    def _there(self, record: bytes) -> bool:
        """Tell whether a record can be read without the spool of the run that made it."""
        try:
            named = references(record)
        except BadRecord:
            return False
        return all(place == Blobs.place and self._size(name) == size for name, size, place in named)

    def _size(self, name: bytes) -> int:
        disk: Disk = self._box.disk
        try:
            return disk.stat(self._layout.blob(name)).st_size
        except OSError:
            return -1
