"""The seam to somebody else's engine: messages go over, answers come back.

A *ferry* is all that flowcore has to know of an engine: how many cells it can carry out at
once, how a message is sent, how one is called back. It neither knows cells nor decides
about them: what is in a message, how much, what becomes of one that was lost, is the
business of `executors/near.py`, which makes an Executor of any ferry. The other end is
``perform_far(bytes) -> bytes`` of `executors/far.py`, importable wherever flowcore is.

So a plugin is a ferry, and one function that satisfies `protocol.MakeExecutor`::

    def ours(*, workers, inbox, codec, surroundings):
        return NearExecutor(OurFerry(...), inbox=inbox, surroundings=surroundings)

The engine's own retries and caches are to be off: a message that it carries out a second
time does no harm, but what is lost is flowcore's to decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Protocol, TypeAlias

from flowcore.dataclass import dataclass
from flowcore.run.job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What an engine can do, and what suits it."""

    seconds: float = 0.05  # of work that one message should hold: many times what a message costs there
    most: int = 4096  # cells in one message; 1: batches are off
    ahead: int = 2  # messages on their way for each cell that can be carried out at once
    places: bool = False  # it can bring a message to where others were carried out
    riders: bool = True  # messages may hold cells that need what earlier ones in them make
    survives: bool = False  # what it was sent is carried out, and answered, though its driver is killed


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A message, and what an engine may want to know of it."""

    serial: int
    payload: bytes  # for `perform_far`
    job: Job  # what is in it: `job.task` has cores and gpus, `job.keys` what its cells are kept under
    seconds: float = 0.0  # that its cells are expected to take together; 0: not known
    after: list[int] = field(default_factory=list)  # messages that made its largest inputs, largest first; if it places


@dataclass(frozen=True, slots=True, kw_only=True)
class Astray:
    """What is heard of a message whose carrier was lost: nobody will answer it any more."""

    cause: str  # "worker tcp://… died", "pilot 1234 on node7 has not been heard of for 60 s"
    suspect: bool = True  # whether its cells may have brought that about; False: it goes out again, unblamed


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbegun:
    """What is heard of a message that was called back, and none of it begun."""


Answer: TypeAlias = "bytes | Astray | Unbegun"
"""What is heard of a message: what `perform_far` gave, or why there is nothing."""


class Harbour(Protocol):
    """Who sends messages and waits for answers. Any thread may call."""

    def landed(self, serial: int, answer: Answer) -> None:
        """Hear of a message; harmless if it was answered already. Parts of an answer may come one by one."""
        ...

    def changed(self) -> None:
        """Hear that the ferry has more room, or less, or is sunk."""
        ...


class Ferry(Protocol):
    """Somebody else's engine. All methods are called on the run's own thread, and none of them waits long."""

    name: str
    traits: Traits

    @property
    def sunk(self) -> str:
        """Why no message can be carried any more, ever; empty while some can."""
        ...

    def open(self, harbour: Harbour) -> None:
        """Begin: answers are for `harbour`. Called once, before all else."""
        ...

    def width(self) -> int:
        """Tell how many cells can be carried out at once, as things are now; 0: none yet."""
        ...

    def send(self, loads: Sequence[Load]) -> None:
        """Take messages. Each is answered, some time, or lost and told so."""
        ...

    def recall(self, serials: Sequence[int]) -> None:
        """Call messages back: those that nobody has begun land as Unbegun, the others when they are done."""
        ...

    def close(self) -> None:
        """Let go of what was opened here, and forget what is on its way. Called once."""
        ...
