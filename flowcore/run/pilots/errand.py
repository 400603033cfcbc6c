"""One message that a pilot has: what of it is still open, and what is to be answered.

Pure: no disk, no clock. Promises that each attempt is answered once, that what is answered
carries the keys of its cells, so that a later run can use it although nobody who knows the
message is left, and that a message of which nothing has come to anything can go back whole.
"""

from __future__ import annotations

from dataclasses import field

from flowcore.dataclass import dataclass
from flowcore.run.executors.far import pack_answer
from flowcore.run.job import Interrupted, Job, Result
from flowcore.run.pilots.box import Ticket
from flowcore.run.workers.parcels import attempts_of, narrowed, seconds_of

ANSWERED = "answered"
ASTRAY = "astray"


@dataclass(slots=True, kw_only=True)
class Errand:
    """A message with a pilot.

    Attributes
    ----------
    open : set of int
        Attempts that have not ended.
    waiting : list of Result
        What is to be answered yet.
    since : float
        clock.monotonic of when the oldest of these came; 0.0: there are none.
    parts : int
        Answers that were given.
    begun : bool
        Whether an attempt has come to more than being stopped.
    """

    ticket: Ticket
    job: Job
    keys: dict[int, bytes]
    taken: float
    open: set[int] = field(default_factory=set)
    waiting: list[Result] = field(default_factory=list)
    since: float = 0.0
    parts: int = 0
    begun: bool = False

    def __post_init__(self) -> None:
        self.open = set(self.job.every)

    @property
    def cores(self) -> int:
        """The cores that its cells take."""
        return self.job.task.cores

    @property
    def short(self) -> bool:
        """Whether it is known to be over within a moment, so that another may wait behind it."""
        return all(0.0 < part.seconds * len(part.attempts) <= 2.0 for part in self.job.parts)

    @property
    def untouched(self) -> bool:
        """Whether it may go back whole: nothing of it has come to anything."""
        return not self.begun

    def hear(self, result: Result, now: float) -> None:
        """Take what became of attempts, as far as they are this message's and open."""
        ended = attempts_of(result)
        ours = [attempt for attempt in ended if attempt in self.open]
        kept = result if len(ours) == len(ended) else narrowed(result, ours)
        if kept is None:
            return
        self.begun = self.begun or not isinstance(kept, Interrupted)
        self.open.difference_update(ours)
        self.waiting.append(kept)
        self.since = self.since or now

    def part(self, pilot: str) -> list[object]:
        """Give what is to be answered now; parts of one pilot are counted, since several may have had the message."""
        body = pack_answer(seconds_of(self.waiting), self.waiting)
        last = 0 if self.open else self.parts + 1
        keys = [[a, self.keys[a]] for result in self.waiting for a in attempts_of(result) if self.keys.get(a)]
        return [ANSWERED, last, keys, body, pilot]

    def answered(self) -> None:
        """Have that part behind it."""
        self.parts += 1
        self.waiting.clear()
        self.since = 0.0


def keys_of(job: Job) -> list[list[object]]:
    """Give the attempts of a message whose cells are kept under keys, and these."""
    parts = [part for part in job.parts if part.task.keep and not part.canon]
    return [[a, key] for part in parts for a, key in zip(part.attempts, part.keys, strict=False) if key]


def lost(cause: str, *, suspect: bool) -> list[object]:
    """Give the answer to a message that nobody carries out any more."""
    return [ASTRAY, 1, [], [cause, suspect], ""]


def keys_in(fields: object) -> dict[int, bytes]:
    """Read attempts and keys as messages and answers tell them; what else there is is left out."""
    found: dict[int, bytes] = {}
    for pair in fields if isinstance(fields, list) else ():
        match pair:
            case [int(attempt), bytes(key)]:
                found[attempt] = key
    return found
