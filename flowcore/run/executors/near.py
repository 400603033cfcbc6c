"""The near side of somebody else's engine: cells into messages, answers into results.

Any `ferry.Ferry` becomes an executor by this. It promises that each attempt it was handed
ends in exactly one posted result (contract F40), whatever the engine loses:

- As many messages are on their way as the engine has room for, and some more to bridge
  the way; each holds as much work as suits the engine, by what cells have taken.
- A message that went astray with several cells goes out again cell by cell, so that the
  next loss has a culprit; one suspect alone is posted as Died, and the crash budget decides.
- Cells that come back stopped though the run goes on (whoever had them was told to end)
  go out again; a loop over steps goes on from the state that it saved.
- A sunk ferry takes nothing: what is in flight or comes yet has died for good. It never
  goes on in this process, which may be the wrong place for what a cluster was asked for.

A run that stops leaves a file where far processes look now and then (`far.py`), and calls
back what nobody has begun.

Threads: `landed` and `changed` may be called on any; everything else is the engine's.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence
from functools import partial

from flowcore.plan.extension import BadRecord
from flowcore.plan.records import references
from flowcore.run.executors.far import pack_far, pack_head
from flowcore.run.executors.ferry import Answer, Astray, Ferry, Load, Unbegun
from flowcore.run.inbox import Inbox
from flowcore.run.job import Died, Done, Interrupted, Job, Result, TaskSpec, dumps, loads, unpack_result
from flowcore.run.workers.heard import UNREADABLE, supervised
from flowcore.run.workers.parcels import Pace, Parcel, attempts_of, narrowed, parted, settle
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.fs import DISK, Disk
from flowcore.store.halt import halt

_HANDLES = 3  # of earlier messages that one is told to have its inputs from
_GROUP = 4  # one-cell messages leave by the quarter of what may be on its way, since engines charge by the call
_FRUITLESS = 100
_MOMENT = 1.0  # seconds
_LARGE = 64 * 1024  # bytes; who made smaller inputs does not matter


class NearExecutor:
    """Carries cells out on somebody else's engine.

    Parameters
    ----------
    ferry : Ferry
        What carries messages there. It is closed with this executor.
    inbox : Inbox
        Where results are posted.
    surroundings : Surroundings
        Of the run; of these the far side gets all but environment and directory.
    usual : callable
        Gives the seconds that cells of a task, by its id, took in earlier runs; 0: not known.
    """

    broken = ""

    def __init__(
        self, ferry: Ferry, *, inbox: Inbox, surroundings: Surroundings, disk: Disk = DISK,
        usual: Callable[[int], float] = lambda _: 0.0,
    ) -> None:  # fmt: skip
        self.name = ferry.name
        self._ferry = ferry
        self._inbox = inbox
        self._disk = disk
        self._spool = surroundings.spool
        self._head = pack_head(surroundings.abroad())
        traits = ferry.traits
        self._pace = Pace(usual, message=traits.seconds, most=traits.most)
        self._tasks: dict[int, bytes] = {}  # packed
        self._parcels: dict[int, Parcel] = {}  # messages on their way, by serial
        self._outgoing: list[Load] = []  # of this turn of the engine
        self._makers: dict[bytes, int] = {}  # digest of a large array -> the message that made it
        self._warm: set[int] = set()
        self._serials = itertools.count(1)
        self._fruitless = 0  # messages in a row that came back at once with nothing done
        self._stopping = False
        ferry.open(self)

    # The Executor protocol

    def take_back(self) -> list[Job]:
        """Give nothing: cells of a sunk ferry have died."""
        return []

    def room(self, task: TaskSpec, ready: int) -> int:
        """Tell how many cells of `task` to hand over now, of `ready` that could go; 0: none."""
        if self._stopping or ready <= 0:
            return 0
        if self._ferry.sunk:
            return ready  # to say so
        width, traits = self._ferry.width(), self._ferry.traits
        self._pace.meet(task.id)
        free = width * traits.ahead - len(self._parcels)
        if traits.most > 1:
            return self._pace.cells(task.id, ready, width) if free > 0 else 0
        group = min(width * traits.ahead // _GROUP, width * (traits.ahead - 1))  # nobody idles while others gather
        return min(free, ready) if free >= max(1, group) else 0

    def weight(self, task: TaskSpec) -> float:
        """See Carrier."""
        self._pace.meet(task.id)
        return self._pace.weight(task.id) if self._ferry.traits.riders else 1.0

    def broad(self, task: TaskSpec) -> int:
        """See Carrier."""
        return self._pace.broad(task.id, self._ferry.width())

    def start(self, job: Job) -> None:
        """Take a batch; it leaves with all others of this turn."""
        if self._stopping:
            self._inbox.post([Interrupted(attempts=list(job.every))])
            return
        if self._ferry.sunk:
            self._drown(job.every, self._ferry.sunk)
            return
        job = self._pace.timed(job)
        if not self._outgoing:
            self._inbox.call(self._send)
        single = self._ferry.traits.most > 1 or len(job.attempts) == 1
        for part in [job] if single else [job.part(i, i + 1) for i in range(len(job.attempts))]:
            serial = next(self._serials)
            self._parcels[serial] = Parcel(serial=serial, job=part, short=False)
            self._outgoing.append(self._load(serial, part))

    def stop(self) -> None:
        """Begin no further cell, as far as the engine can still call them back."""
        if self._stopping:
            return
        self._stopping = True
        kept_back = {load.serial for load in self._outgoing}
        self._outgoing.clear()
        self._interrupt(kept_back)
        if self._parcels:
            halt(self._disk, self._spool)
            self._ferry.recall(list(self._parcels))

    def cancel(self) -> None:
        """As `stop`; what runs cannot be ended from here, so it is left behind."""
        self.stop()
        self._interrupt(list(self._parcels))

    def close(self) -> None:
        """Leave what is on its way, and let the ferry go."""
        self.cancel()
        self._ferry.close()

    # What the ferry says (ferry.Harbour)

    def landed(self, serial: int, answer: Answer) -> None:
        """Hear of a message. Any thread."""
        self._inbox.call(partial(self._take, serial, answer))

    def changed(self) -> None:
        """Hear that there is more room, or less, or none any more. Any thread."""
        self._inbox.call(self._look)

    # The engine's thread

    def _load(self, serial: int, job: Job) -> Load:
        tasks = [self._packed(part.task) for part in job.parts]
        seconds = (self._pace.cost(job.task.id) or 0.0) * len(job.attempts)
        return Load(
            serial=serial, payload=pack_far(self._head, tasks, job), job=job, seconds=seconds,
            after=self._origins(job) if self._ferry.traits.places else [],
        )  # fmt: skip

    def _packed(self, task: TaskSpec) -> bytes:
        packed = self._tasks.get(task.id)
        if packed is None:
            packed = self._tasks[task.id] = dumps(task.pack())
        return packed

    def _origins(self, job: Job) -> list[int]:
        """Give the messages that made the largest inputs of a job."""
        held: dict[int, int] = {}
        for column in job.columns:
            for record in column:
                for digest, size, _ in _arrays(record):
                    maker = self._makers.get(digest)
                    if maker is not None:
                        held[maker] = held.get(maker, 0) + size
        return sorted(held, key=lambda serial: -held[serial])[:_HANDLES]

    def _send(self) -> None:
        loads, self._outgoing = self._outgoing, []
        if loads and self._ferry.sunk:
            self._look()
        elif loads:
            self._ferry.send(loads)

    def _look(self) -> None:
        """Have what is on its way end, if nothing will come back any more."""
        if not self._ferry.sunk:
            return
        self._outgoing.clear()
        for serial in list(self._parcels):
            self._drown(sorted(self._parcels.pop(serial).open), self._ferry.sunk)

    def _drown(self, attempts: Sequence[int], cause: str) -> None:
        self._inbox.post([Died(attempt=attempt, cause=cause, final=True) for attempt in attempts])

    def _take(self, serial: int, answer: Answer) -> None:
        parcel = self._parcels.get(serial)
        if parcel is None:
            return  # left behind, or lost and found again
        match answer:
            case Unbegun():
                self._again(parcel, parcel.open)
            case Astray():
                self._lost(parcel, answer)
            case _:
                try:
                    spent, packed = loads(answer)
                    results = [supervised(unpack_result(fields)) for fields in packed]  # type: ignore[attr-defined]
                except UNREADABLE as error:
                    self._lost(parcel, Astray(cause=f"its answer cannot be read ({error})"))
                else:
                    self._take_results(parcel, float(spent), results)  # type: ignore[arg-type]
        if not parcel.open:
            self._parcels.pop(serial, None)

    def _take_results(self, parcel: Parcel, spent: float, results: Sequence[Result]) -> None:
        posts: list[Result] = []
        cells = 0
        begun = spent > _MOMENT or any(attempts_of(one) and not isinstance(one, Interrupted) for one in results)
        self._fruitless = 0 if begun else self._fruitless + 1
        for result in results:
            attempts = attempts_of(result)
            ended = settle([parcel], attempts) if attempts else None
            kept = result if ended is None else narrowed(result, ended)
            if isinstance(kept, Interrupted) and not self._stopping:
                self._again(parcel, kept.attempts)
            elif kept is not None:
                cells += len(attempts)
                posts.append(kept)
        if cells:
            self._pace.hear(parcel.job, posts, spent, cells, self._warm)
        if self._ferry.traits.places:
            self._note_makers(parcel.serial, posts)
        self._inbox.post(posts)

    def _note_makers(self, serial: int, results: Sequence[Result]) -> None:
        for result in results:
            if isinstance(result, Done):
                for record in result.records:
                    self._makers.update((digest, serial) for digest, size, _ in _arrays(record) if size >= _LARGE)

    def _lost(self, parcel: Parcel, astray: Astray) -> None:
        """Send a lost batch again, cell by cell, so that one culprit is found; one suspect alone has died."""
        left = sorted(parcel.open)
        if astray.suspect and len(left) == 1:
            parcel.open.clear()
            self._inbox.post([Died(attempt=left[0], cause=astray.cause)])
        else:
            self._again(parcel, left, singly=astray.suspect)

    def _again(self, parcel: Parcel, attempts: Collection[int], *, singly: bool = False) -> None:
        """Send these cells of a message once more, nobody being to blame; those that rode come back (W6)."""
        attempts = set(attempts)
        parcel.open.difference_update(attempts)
        job, riders = parted(parcel.job, attempts)
        if self._stopping:
            self._inbox.post([Interrupted(attempts=sorted(attempts))])
            return
        if riders:
            self._inbox.post([Interrupted(attempts=riders)])
        if job is not None and self._fruitless > _FRUITLESS:
            self._drown(job.attempts, "workers give cells back, and do not begin them")
        elif job is not None:
            for part in [job.part(i, i + 1) for i in range(len(job.attempts))] if singly else [job]:
                self.start(part)

    def _interrupt(self, serials: Collection[int]) -> None:
        left = [attempt for serial in serials for attempt in sorted(self._parcels.pop(serial).open)]
        if left:
            self._inbox.post([Interrupted(attempts=left)])


def _arrays(record: bytes) -> list[tuple[bytes, int, int]]:
    try:
        return references(record)
    except BadRecord:
        return []
