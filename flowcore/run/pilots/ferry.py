"""The ferry to pilots: messages into the box, answers out of it.

Whoever starts pilots, by hand or through a batch system, this room does not know. It looks
into the box at growing intervals, from a hundredth of a second to one second, since no
network filesystem tells of news. A pilot that has ended is known at once on its own machine,
by its lock, or from whoever knows of its batch job; elsewhere it is given a minute in which
its card does not change. What it had is lost then, and told so.

What killed drivers of the same store have left in the box is looked through when a run
begins: cells of this one that are answered there, or that a living pilot has, are not sent
again (`legacy.py`).

An answer is removed two looks after it was taken in: by then what it says is in the journal.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import field
from typing import Final

from flowcore import clock
from flowcore.dataclass import dataclass
from flowcore.errors import NoWorkers
from flowcore.notices import notice
from flowcore.run.executors.ferry import Astray, Harbour, Load, Traits, Unbegun
from flowcore.run.executors.greeting import here
from flowcore.run.inbox import Inbox, Timer
from flowcore.run.pilots.box import Box, Card, Ticket
from flowcore.run.pilots.errand import ANSWERED, ASTRAY, keys_of, lost
from flowcore.run.pilots.legacy import Legacy
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.lock import RunLock

TRAITS: Final = Traits(seconds=0.5, most=4096, ahead=2, riders=False, survives=True)
# Without riders: their keys are known only to who hears of their makers, so nobody could take over what they gave.
LOST: Final = 60.0  # seconds without a sign of life
_SHORTEST, _LONGEST, _GROWS = 0.01, 1.0, 1.5  # seconds between two looks for answers
_ROLL: Final = 1.0  # seconds between two looks for pilots, and a little more for each
_EACH: Final = 0.02
_NO_CARD: Final = 10.0  # seconds after which a pilot's folder without a card is nobody's
_SEARCH: Final = 5  # looks for pilots between two for messages that are nowhere


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What is known of a pilot."""

    card: Card
    heard: float  # by our clock: when its card last changed
    gone: str = ""  # why it is


@dataclass(slots=True, kw_only=True)
class _Sent:
    """A message on its way."""

    load: Load
    laid: bool = False  # whether it is in the box
    parts: Counter[str] = field(default_factory=Counter)  # heard from each pilot
    last: dict[str, int] = field(default_factory=dict)  # parts that there are from one which has had all of it
    missing: int = 0  # looks in a row at which it was nowhere
    ticket: Ticket = field(default_factory=lambda: Ticket(run="", serial=0))


class PilotFerry:
    """Carries messages to the pilots of a box.

    Parameters
    ----------
    box : Box
    inbox : Inbox
        Of the run: looks are timed there, and taken on the engine's thread.
    surroundings : Surroundings
    gone : callable
        From a pilot's card to why that pilot has certainly ended; empty if it may live. Asked about once a second.
    lost : float
        Seconds without a sign of life after which a pilot on another machine counts as ended.

    Examples
    --------
    What a plugin makes of it, which starts pilots through a batch system::

        def slurm(*, workers, inbox, codec, surroundings):
            box = Box.open(f"{surroundings.store}/v1/pilots")
            ferry = PilotFerry(box, inbox=inbox, surroundings=surroundings, gone=in_no_queue)
            return NearExecutor(ferry, inbox=inbox, surroundings=surroundings)
    """

    name = "pilots"
    traits = TRAITS
    patience = 10.0  # seconds without any pilot after which the user is told

    def __init__(
        self, box: Box, *, inbox: Inbox, surroundings: Surroundings,
        gone: Callable[[Card], str] = lambda _: "", lost: float = LOST,
    ) -> None:  # fmt: skip
        self.box = box
        self.run = surroundings.run_id
        self._inbox = inbox
        self._surroundings = surroundings
        self._gone = gone
        self._lost = lost
        self._sent: dict[int, _Sent] = {}
        self._pilots: dict[str, _Seen] = {}
        self._told = 0  # width, as it was last told
        self._read: list[set[str]] = [set(), set()]  # answers taken in at this look, and at the one before
        self._torn: dict[str, int] = {}
        self._pause = _SHORTEST
        self._manned = self._rolled = clock.monotonic()  # when there was a pilot last
        self._announced = False
        self._warned = set[int]()  # numbers of GPUs that the user was told of; 0: of no pilot at all
        self._cardless: dict[str, float] = {}  # pilot -> when we first saw it without a card
        self._rolls = 0
        self._timer: Timer | None = None
        self._legacy = Legacy(box, surroundings)
        self.sunk = "" if surroundings.writable else "the store cannot be written, and it is all that workers see"

    # ---- what the near side asks (ferry.Ferry)

    def open(self, harbour: Harbour) -> None:
        """See ferry.Ferry."""
        self._harbour = harbour
        self._roll(clock.monotonic())
        with suppress(OSError):  # a full disk: nothing is tidied, and nothing taken over
            self.box.tidy()
            self._legacy.open(self.living())
        self._lay()
        self._again()

    def width(self) -> int:
        """See ferry.Ferry."""
        return sum(seen.card.workers for seen in self._pilots.values() if not seen.gone and not seen.card.leaving)

    def living(self) -> list[Card]:
        """Give the cards of the pilots that may live."""
        return [seen.card for seen in self._pilots.values() if not seen.gone]

    def waiting(self) -> int:
        """Count the messages that no pilot has taken yet."""
        return sum(ticket.run == self.run for ticket in self.box.jobs())

    def send(self, loads: Sequence[Load]) -> None:
        """See ferry.Ferry."""
        for load in loads:
            if not self._legacy.serves(load, self._harbour):
                gpus = max(part.task.gpus for part in load.job.parts)
                ticket = Ticket(run=self.run, serial=load.serial, gpus=gpus)
                self._sent[load.serial] = _Sent(load=load, ticket=ticket)
        self._lay()
        self._hurry()

    def recall(self, serials: Sequence[int]) -> None:
        """See ferry.Ferry."""
        for serial in serials:
            sent = self._sent.get(serial)
            if sent is not None and (not sent.laid or self.box.withdraw(sent.ticket)):
                del self._sent[serial]
                self._harbour.landed(serial, Unbegun())
        self._legacy.recall(serials, self._harbour)

    def close(self) -> None:
        """See ferry.Ferry."""
        if self._timer is not None:
            self._timer.cancel()
        self._sent.clear()
        self._discard(set().union(*self._read))
        self._legacy.close()
        self.box.forget(self.run)

    # ---- looking

    def _hurry(self) -> None:
        """Look again soon."""
        self._pause = _SHORTEST
        self._again()

    def _again(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._inbox.at(clock.monotonic() + self._pause, self._look)

    def _look(self) -> None:
        now = clock.monotonic()
        self._discard(self._read[1])
        self._read = [set(), self._read[0]]
        heard = self._hear()
        if now - self._rolled >= _ROLL + _EACH * len(self._pilots):
            self._roll(now)
            self._lay()
            self._rolls += 1
            if self._rolls % _SEARCH == 0:
                self._search()
        heard = self._legacy.look(self.living(), self._harbour) or heard
        self._pause = _SHORTEST if heard else min(self._pause * _GROWS, _LONGEST)
        self._again()

    def _lay(self) -> None:
        """Lay messages into the box, after what they have in common; without room there they wait for the next look."""
        if not self._announced:
            try:
                self.box.announce(self.run, [self._surroundings.pack(), here(), clock.wall()])
            except OSError:
                return
            self._announced = True
        for sent in self._sent.values():
            if not sent.laid:
                try:
                    self.box.put(sent.ticket, [sent.load.payload, keys_of(sent.load.job)])
                except OSError:
                    return
                sent.laid = True

    def _hear(self) -> bool:
        """Take in what answers there are; tell whether there were any."""
        known = self._read[1]
        fresh = [name for name in self.box.answers(self.run) if name not in known]
        for name in sorted(fresh):
            self._take(name, self.box.read_answer(self.run, name))
        return bool(fresh)

    def _take(self, name: str, fields: list[object] | None) -> None:
        sent = self._sent.get(int(name.partition(".")[0]))
        if fields is None:  # torn, or not all of it is to be seen yet
            self._torn[name] = self._torn.get(name, 0) + 1
            if self._torn[name] < 3:
                return
            fields = lost("its answer is torn", suspect=False)
        self._read[0].add(name)
        if sent is None:
            return
        match fields:
            case [str(kind), int(last), _, bytes(body), str(pilot)] if kind == ANSWERED:
                self._harbour.landed(sent.load.serial, body)
            case [str(kind), int(last), _, [str(cause), bool(suspect)], str(pilot)] if kind == ASTRAY:
                self._harbour.landed(sent.load.serial, Astray(cause=cause, suspect=suspect))
            case _:
                last, pilot = 1, ""
                self._harbour.landed(sent.load.serial, Astray(cause="its answer cannot be read", suspect=True))
        sent.parts[pilot] += 1
        if last:
            sent.last[pilot] = last
        if sent.last.get(pilot, sys.maxsize) <= sent.parts[pilot]:
            del self._sent[sent.load.serial]

    def _discard(self, names: set[str]) -> None:
        for name in names:
            self.box.discard_answer(self.run, name)

    # ---- pilots

    def _roll(self, now: float) -> None:
        """See which pilots there are, and which are gone."""
        self._rolled = now
        cards = {card.pilot: card for card in self.box.cards()}
        for pilot, card in cards.items():
            seen = self._pilots.get(pilot)
            if seen is None:
                seen = self._pilots[pilot] = _Seen(card=card, heard=now)
            elif seen.card != card:
                seen.card, seen.heard, seen.gone = card, now, ""
            seen.gone = self._ended(seen, now)
        for pilot in [pilot for pilot in self._pilots if pilot not in cards]:
            del self._pilots[pilot]
        for pilot in self._cardless.keys() & cards.keys():
            del self._cardless[pilot]
        self._inter(cards, now)
        lacking = self._lacking() if self.width() else 0
        if self.width() and not lacking:
            self._manned = now
        elif lacking not in self._warned and now - self._manned > self.patience:
            self._warned.add(lacking)
            most = max((card.gpus for card in self.living()), default=0)
            notice(NoWorkers(run=self.run, box=self.box.path, waited=now - self._manned, gpus=lacking, found=most))
        if self.width() != self._told:
            self._told = self.width()
            self._harbour.changed()

    def _lacking(self) -> int:
        """Give the GPUs that a message needs and no pilot has; 0: none does."""
        asked = max((sent.ticket.gpus for sent in self._sent.values()), default=0)
        return asked if asked and all(card.gpus < asked for card in self.living()) else 0

    def _ended(self, seen: _Seen, now: float) -> str:
        """Say why a pilot is gone; empty if it may live."""
        card, boot = seen.card, self.box.disk.boot()
        named = f"worker {card.label or card.process} on {card.host or 'a nameless host'}"
        if card.boot == boot.hex() and any(boot) and RunLock(self.box.lock(card.pilot), disk=self.box.disk).abandoned():
            return f"{named} has ended"
        if now - seen.heard > self._lost:
            return f"{named} has not been heard of for {self._lost:g} s"
        why = self._gone(card)
        return f"{named}: {why}" if why else ""

    def _inter(self, cards: dict[str, Card], now: float) -> None:
        """Take what gone pilots had for lost; and their names out of the box, where nothing is left."""
        for pilot in self.box.holders():
            cause = self._missing(pilot, now) if pilot not in cards else self._pilots[pilot].gone
            if not cause:
                continue
            for ticket in self.box.taken(pilot):
                if ticket.run == self.run and self.box.withdraw(ticket, pilot):
                    self._stray(ticket.serial, cause)
                elif self._legacy.died(ticket.run):
                    self.box.withdraw(ticket, pilot)
            if not self.box.taken(pilot):
                self.box.strike(pilot)
                self._pilots.pop(pilot, None)
                self._cardless.pop(pilot, None)

    def _missing(self, pilot: str, now: float) -> str:
        """Say why a pilot without a card is gone; empty as long as it may be about to lay one down.

        1. A pilot makes its folder. 2. A ferry finds no card, and removes the folder. 3. The pilot has a card, and
        can take nothing. So it is given time, as far as nothing else is known.
        """
        since = self._cardless.setdefault(pilot, now)
        return "its worker has left" if now - since > _NO_CARD else ""

    def _stray(self, serial: int, cause: str, *, suspect: bool = True) -> None:
        """Tell that a message is lost, unless all of its answer lies there already."""
        self._hear()
        if self._sent.pop(serial, None) is not None:
            self._harbour.landed(serial, Astray(cause=cause, suspect=suspect))

    def _search(self) -> None:
        """Find messages that are nowhere: three looks in a row, since they move while we look."""
        if not any(sent.laid for sent in self._sent.values()):
            return
        there = {ticket.serial for ticket in self.box.jobs() if ticket.run == self.run}
        for pilot in self.box.holders():
            there.update(ticket.serial for ticket in self.box.taken(pilot) if ticket.run == self.run)
        for serial, sent in list(self._sent.items()):
            sent.missing = sent.missing + 1 if sent.laid and serial not in there else 0
            if sent.missing >= 3:
                self._stray(serial, "it vanished from the box", suspect=False)
