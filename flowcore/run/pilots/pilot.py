"""A pilot: takes messages out of a box, has cells carried out, answers.

It is an engine without a schedule: one loop, one inbox, worker processes. It belongs to no
run: it serves whichever has messages in the box, goes on when their driver has been killed,
and ends when there has been nothing to do for a while, when it is told to, or before its
time is up. Then it takes nothing more, has its cells save their states and stop, lays back
what has come to nothing, and goes; a second signal ends it at once.

It takes a message only if it has the cores and devices for it, or for short ones to have the
next at hand. Its card in the box changes every few seconds for as long as it lives. Nobody
has to wait for that on its own machine: there the lock that it holds tells at once.

Signals only count, here; all else is done on the one thread.
"""

from __future__ import annotations

import platform
from contextlib import suppress
from dataclasses import replace

from flowcore import clock
from flowcore.dataclass import dataclass
from flowcore.errors import BoxUnusable
from flowcore.run import proc
from flowcore.run.inbox import Inbox
from flowcore.run.pilots.box import Box, Card, Ticket
from flowcore.run.pilots.errand import lost
from flowcore.run.pilots.service import Means, Service
from flowcore.run.workers.devices import find
from flowcore.store.lock import RunLock

BEAT = 5.0  # seconds between two signs of life
_LOOK = 1.0  # seconds between two looks whether runs stop, or are over
_SHORTEST, _LONGEST = 0.01, 1.0  # seconds between two looks for messages
_GROWS = 1.5
_TO_SAVE = 30.0  # seconds before its end at which a pilot has its cells stop
_SPARED = 0.1  # of a short walltime, for the same
_TO_ANSWER = 2.0  # seconds before its end at which it ends what still runs
_PATIENCE = 20.0  # seconds for cells to end after a signal, if nobody has said when the end is
_UNUSED = 10.0  # seconds after which the workers of a run without messages are let go of


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """For how long, and with how much, a pilot works.

    Attributes
    ----------
    workers : int
        Cells at once.
    idle : float
        Seconds without a message after which it ends.
    walltime : float or None
        Seconds that it has in all.
    label : str
        What whoever started it knows it by.
    """

    workers: int = 1
    idle: float = 300.0
    walltime: float | None = None
    label: str = ""


class Pilot:
    """A pilot on a box; :meth:`serve` is its life.

    Parameters
    ----------
    box : Box
    terms : Terms
    """

    def __init__(self, box: Box, terms: Terms) -> None:
        self.name = box.disk.token()
        self.ended = ""  # why it has
        self.broken = ""  # why no worker can be had
        self._box = box
        self._terms = terms
        self._inbox = Inbox()
        devices = find()
        self._means = Means(
            box=box, pilot=self.name, workers=terms.workers, devices=devices, inbox=self._inbox
        )  # fmt: skip
        self._card = Card(
            pilot=self.name, host=platform.node(), boot=box.disk.boot().hex(), process=proc.pid(),
            workers=terms.workers, gpus=len(devices), began=clock.wall(), label=terms.label,
        )  # fmt: skip
        self._lock = RunLock(box.lock(self.name), disk=box.disk)
        self._services: dict[str, Service] = {}
        self._signals = 0
        self._began = clock.monotonic()
        self._busy = self._began  # when there was last anything to do
        self._pause = _SHORTEST
        self._beaten = self._looked = -BEAT
        self._leaving = 0.0  # when it began to leave
        self._full = False  # whether answers wait for room
        self._declined: dict[Ticket, int] = {}  # what did not fit, and how many cores were free then

    def signal(self) -> None:
        """Leave; from the second call on at once. Any thread, and signal handlers."""
        self._signals += 1
        self._inbox.wake()

    def serve(self) -> str:
        """Work until it is over; give why it ended.

        Raises
        ------
        BoxUnusable
            If not even the card can be laid into the box.
        """
        try:
            self._beat(clock.monotonic())
            self._lock.claim()
        except OSError as error:
            raise BoxUnusable(box=self._box.path, reason=f"a worker cannot write there: {error.strerror}") from error
        try:
            while not self._over(clock.monotonic()):
                self._turn()
        finally:
            self._go()
        return self.ended

    # ---- the loop

    def _turn(self) -> None:
        now = clock.monotonic()
        self._beat(now)
        if not self._leaving and not self._full and self._take(now):
            self._pause = _SHORTEST
        self._inbox.wait(self._pause)
        now = clock.monotonic()
        heard = [service.hear(now) for service in self._services.values()]
        self._pause = _SHORTEST if any(heard) else min(self._pause * _GROWS, _LONGEST)
        self._mind_workers(now)
        flushed = [service.flush(now) for service in self._services.values()]
        self._full = not all(flushed)
        if self._errands:
            self._busy = now
        self._release_unused(now)

    @property
    def _errands(self) -> int:
        return sum(len(service.errands) for service in self._services.values())

    def _beat(self, now: float) -> None:
        """Show that we live, and look how the runs are that we serve."""
        if now - self._looked >= _LOOK:
            self._looked = now
            for service in self._services.values():
                service.look()
        if now - self._beaten < BEAT:
            return
        self._beaten = now
        self._card = replace(self._card, beat=self._card.beat + 1, leaving=bool(self._leaving))
        try:
            self._box.show(self._card)
        except OSError:
            if self._card.beat == 1:
                raise
            return  # a full disk: the lock still tells that we live, and the next beat may find room

    def _mind_workers(self, now: float) -> None:
        """Leave, if no worker can be had: others may fare better with the messages."""
        for service in self._services.values():
            broken = service.broken
            if not broken:
                continue
            service.take_back(now)
            if not service.void:
                self.broken = broken
                self.ended = f"no worker can be started: {broken}"
                self._leave(now)

    def _release_unused(self, now: float) -> None:
        for run, service in list(self._services.items()):
            if service.errands:
                service.idle_since = 0.0
            elif not service.idle_since:
                service.idle_since = now
            elif now - service.idle_since > _UNUSED or self._box.over(run):
                del self._services[run]
                service.close()

    # ---- taking

    def _take(self, now: float) -> bool:
        """Take messages as long as there is room; tell whether there was one."""
        found = False
        tickets = self._box.jobs() if self._room() else []
        for ticket in tickets:
            if not self._room():
                break
            free = self._free()
            if ticket.gpus > self._gpus_free() or self._declined.get(ticket, -1) >= free:
                continue
            if self._box.take(ticket, self.name):
                found = self._took(ticket, now) or found
        return found

    def _took(self, ticket: Ticket, now: float) -> bool:
        """Begin a message that we have, if it fits; else it goes back."""
        service = self._service(ticket.run)
        if service is None:
            self._box.withdraw(ticket, self.name)
            return False
        if not service.errands and service.void:
            self._refuse(ticket, "what its run handed over is gone")
            return False
        fields = self._box.job(ticket, self.name)
        free, spare = self._free(), self._spare()
        try:
            errand = service.begin(ticket, fields, now) if fields is not None else None
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            errand = fields = None
            del error
        if fields is None:
            self._refuse(ticket, "its message cannot be read")
            return False
        fits = errand is not None and (min(errand.cores, self._terms.workers) <= free or (spare and errand.short))
        if errand is None or not fits:
            service.forget(ticket)
            self._declined[ticket] = free
            self._box.hand_back(ticket, self.name)
            return False
        self._declined.pop(ticket, None)
        service.start(errand, now)
        return True

    def _refuse(self, ticket: Ticket, why: str) -> None:
        """Say of a message that nobody will carry it out."""
        with suppress(OSError):  # without room for that: it is nowhere, and whoever sent it finds so
            self._box.answer(ticket, lost(why, suspect=True))
        self._box.withdraw(ticket, self.name)

    def _service(self, run: str) -> Service | None:
        """Give what we have of a run; None if it is over."""
        service = self._services.get(run)
        if service is None:
            fields = self._box.run(run)
            if fields is None:
                return None
            self._declined.clear()
            service = self._services[run] = Service(self._means, run, fields)
        return service

    def _all(self) -> list[tuple[Service, Ticket]]:
        return [(service, ticket) for service in self._services.values() for ticket in service.errands]

    def _free(self) -> int:
        """Count the cores that no message has."""
        most = self._terms.workers
        return most - sum(min(service.errands[ticket].cores, most) for service, ticket in self._all())

    def _room(self) -> bool:
        return self._free() > 0 or self._spare()

    def _gpus_free(self) -> int:
        return self._card.gpus - sum(ticket.gpus for _, ticket in self._all())

    def _spare(self) -> bool:
        """Tell whether one message more may wait here: all that we have are over within a moment."""
        has = self._all()
        return len(has) <= self._terms.workers and all(service.errands[ticket].short for service, ticket in has)

    # ---- the end

    def _over(self, now: float) -> bool:
        """Tell whether the loop ends, and begin to leave when it is time."""
        if self._signals and not self._leaving:
            self._leave(now)
        walltime = self._terms.walltime
        if walltime is not None and now - self._began >= walltime - min(_TO_SAVE, walltime * _SPARED):
            self.ended = self.ended or "its walltime is nearly over"
            self._leave(now)
        if not self._leaving:
            if now - self._busy < self._terms.idle or self._errands:
                return False
            self.ended = "there was nothing to do"
            return True
        self.ended = self.ended or "it was told to"
        if not self._errands:
            return True
        return self._signals > 1 or now >= self._last()

    def _last(self) -> float:
        """Give when what still runs is ended."""
        walltime = self._terms.walltime
        if walltime is None:
            return self._leaving + _PATIENCE
        return self._began + walltime - min(_TO_ANSWER, walltime * _SPARED / 5)

    def _leave(self, now: float) -> None:
        """Take nothing more, and have what runs stop."""
        if self._leaving:
            return
        self._leaving = now
        self._beaten = -BEAT
        for service in self._services.values():
            service.stop()

    def _go(self) -> None:
        """End what runs, answer or lay back what we have, and take our name out of the box."""
        now = clock.monotonic()
        whole = True
        for service in self._services.values():
            service.hear(now)
            service.cut(now, self._terms.walltime if self._leaving and now >= self._last() else None)
            whole = service.flush(now) and whole
            service.close()
        if whole:
            self._box.strike(self.name)  # else what we could not answer is under our name: it is taken for lost
        self._lock.release()
        self._inbox.close()
