"""What a pilot has of one run: worker processes, and the messages they are at.

Promises that each message it was given is answered in full, goes back whole, or stays with
the pilot's name on it until whoever sent it takes it for lost. An answer that cannot be
written, for want of room, is kept and tried again. Workers are watched as on the driver's
own machine: a cell that kills its process is found out and told, one that overruns its time
is ended. Called on the pilot's one thread.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowcore.dataclass import dataclass
from flowcore.run.executors.far import unpack_far
from flowcore.run.executors.greeting import refused, unfit
from flowcore.run.executors.processes import ProcessExecutor
from flowcore.run.inbox import Inbox
from flowcore.run.job import Died, Failed, Interrupted, Job, Metric, Printed, Result, Warned
from flowcore.run.pilots.box import Box, Ticket
from flowcore.run.pilots.errand import Errand, keys_in
from flowcore.run.pilots.mailbox import Mailbox
from flowcore.run.workers.parcels import attempts_of
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.halt import NAME
from flowcore.store.layout import exists

_TOGETHER = 1.0  # seconds for which results wait for company


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a pilot has for all its runs."""

    box: Box
    pilot: str
    workers: int
    devices: tuple[str, ...]
    inbox: Inbox


class Service:
    """The messages of one run that a pilot has. The pilot's thread."""

    def __init__(self, means: Means, run: str, fields: Sequence[object]) -> None:
        around, versions, _ = fields
        found = Surroundings.unpack(around)  # type: ignore[arg-type]
        self.run = run
        self.errands: dict[Ticket, Errand] = {}
        self.idle_since = 0.0
        self._means = means
        self._spool = found.spool
        self._around = found.settled()
        engine = [str(version) for version in versions]  # type: ignore[attr-defined]
        place = (found.store, run, found.spool)
        self._unfit = unfit(*place, engine, writable=found.writable, disk=means.box.disk)
        self._executor: ProcessExecutor | None = None
        self._owners: dict[int, Errand] = {}  # by open attempt
        self._stopping = False
        self._mailbox = Mailbox(means.inbox)

    @property
    def broken(self) -> str:
        """Why no worker can be had; empty while some can."""
        return self._executor.broken if self._executor is not None else ""

    @property
    def void(self) -> bool:
        """Whether the place is gone where the run's cells hand arrays over: its driver is dead, and was swept after.

        Who has entered before goes on: what is kept does not lie there. Nobody can enter any more.
        """
        return not exists(self._means.box.disk, self._spool)

    def begin(self, ticket: Ticket, fields: Sequence[object], now: float) -> Errand | None:
        """Take a message up; None if it cannot be read, or is here already."""
        payload, keys = fields
        job = unpack_far(payload).job  # type: ignore[arg-type]
        if any(attempt in self._owners for attempt in job.every):
            return None
        errand = Errand(ticket=ticket, job=job, keys=keys_in(keys), taken=now)
        self.errands[ticket] = errand
        self._owners.update(dict.fromkeys(job.every, errand))
        return errand

    def forget(self, ticket: Ticket) -> None:
        """Have nothing to do with a message that was not started."""
        errand = self.errands.pop(ticket, None)
        for attempt in errand.open if errand is not None else ():
            self._owners.pop(attempt, None)

    def start(self, errand: Errand, now: float) -> None:
        """Have workers carry a message out."""
        if self._unfit:
            self._take(_refusals(errand.job, self._unfit), now)
            return
        if self._executor is None:
            means = self._means
            self._executor = ProcessExecutor(
                workers=means.workers, inbox=self._mailbox, surroundings=self._around, devices=means.devices
            )
            if self._stopping:
                self._executor.stop()
        self._executor.start(errand.job)

    def hear(self, now: float) -> bool:
        """Take what workers have said since; tell whether that was anything."""
        results = self._mailbox.drain()
        self._take(results, now)
        return bool(results)

    def _take(self, results: Sequence[Result], now: float) -> None:
        for result in results:
            self._take_one(result, now)

    def _take_one(self, result: Result, now: float) -> None:
        if isinstance(result, Printed | Metric):
            ours = [result.attempt] if result.attempt in self._owners else []
            for attempt in ours:
                errand = self._owners[attempt]
                errand.waiting.append(result)
                errand.since = errand.since or now
            return
        if isinstance(result, Warned):
            for errand in list(self.errands.values())[:1]:
                errand.waiting.append(result)
            return
        ended = attempts_of(result)
        errands = {id(self._owners[a]): self._owners[a] for a in ended if a in self._owners}
        for errand in errands.values():
            errand.hear(result, now)
        for attempt in ended:
            self._owners.pop(attempt, None)

    def flush(self, now: float) -> bool:
        """Answer what is whole, or has waited; tell whether all of it could be written."""
        for errand in list(self.errands.values()):
            if not errand.open or (errand.since and now - errand.since >= _TOGETHER):
                try:
                    self._answer(errand)
                except OSError:
                    return False
        return True

    def _answer(self, errand: Errand) -> None:
        box, pilot = self._means.box, self._means.pilot
        back = not errand.open and errand.untouched and not (self.halted() or (self.void and self._executor is None))
        if back and box.hand_back(errand.ticket, pilot):
            del self.errands[errand.ticket]
            return
        box.answer(errand.ticket, errand.part(pilot))
        errand.answered()
        if not errand.open:
            del self.errands[errand.ticket]
            box.withdraw(errand.ticket, pilot)

    def halted(self) -> bool:
        """Tell whether the run's driver has told all to stop."""
        return exists(self._means.box.disk, f"{self._spool}/{NAME}")

    def look(self) -> None:
        """See whether the run goes on: told to stop, it begins no more cells; over, nobody waits for them."""
        if self._means.box.over(self.run):
            self.drop()
        elif not self._stopping and self.halted():
            self.stop()

    def stop(self) -> None:
        """Begin no further cell, and have those that run save their states and end."""
        self._stopping = True
        if self._executor is not None:
            self._executor.stop()

    def cut(self, now: float, allowed: float | None) -> None:
        """End what runs; `allowed` is how long this pilot might live, in all.

        A cell that had half of that to itself is not going to do better with another pilot: it has died of it.
        """
        self.stop()
        if self._executor is not None:
            self._executor.cancel()
        cause = f"the walltime of its worker, {allowed:g} s, ended before it did" if allowed else ""
        for errand in self.errands.values():
            died = bool(cause) and len(errand.open) == 1 and now - errand.taken >= (allowed or 0.0) / 2
            for attempt in list(errand.open):
                errand.hear(Died(attempt=attempt, cause=cause) if died else Interrupted(attempts=[attempt]), now)
        self._owners.clear()

    def take_back(self, now: float) -> None:
        """Have messages end as not begun whose workers cannot be had."""
        self.close()
        for errand in self.errands.values():
            if errand.open:
                errand.hear(Interrupted(attempts=sorted(errand.open)), now)
        self._owners.clear()

    def drop(self) -> None:
        """Let go of messages that nobody waits for."""
        if self._executor is not None:
            self._executor.cancel()
        for ticket in self.errands:
            self._means.box.withdraw(ticket, self._means.pilot)
        self.errands.clear()
        self._owners.clear()

    def close(self) -> None:
        """Let go of the workers: those that are sound serve the next run."""
        if self._executor is not None:
            self._executor.close()
            self._executor = None


def _refusals(job: Job, why: str) -> list[Result]:
    return [
        Failed(attempt=a, failure=refused(part.name(i), why)) for part in job.parts for i, a in enumerate(part.attempts)
    ]
