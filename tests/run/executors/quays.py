"""Small engines of somebody else's, of which a test says what they lose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from flowcore.run.executors.far import perform_far
from flowcore.run.executors.ferry import Answer, Harbour, Load, Traits
from flowcore.run.executors.near import NearExecutor
from flowcore.run.executors.protocol import Executor
from flowcore.run.inbox import Inbox
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec

Fate = Callable[[Load], "Answer | None"]


def kept(load: Load) -> Answer | None:
    """Lose nothing."""
    return None


class Quay:
    """A ferry to threads of this very process.

    Parameters
    ----------
    fate : callable
        Given each message: what is heard of it without its being carried out; None: it is.
    traits : Traits
    width : int
        Cells that it says it can carry out at once.
    """

    name = "quay"

    def __init__(self, fate: Fate = kept, *, traits: Traits | None = None, width: int = 2) -> None:
        self.sunk = ""
        self.traits = traits or Traits()
        self.sent: list[Load] = []
        self.groups: list[int] = []  # messages that were sent in one call
        self.answers: list[bytes] = []
        self.recalled: list[int] = []
        self.harbour: Harbour | None = None
        self.closed = 0
        self.wide = width
        self._fate = fate
        self._threads = ThreadPoolExecutor(2)

    def make(self, *, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> Executor:
        """Make an executor of it; what a plugin would be known by."""
        return NearExecutor(self, inbox=inbox, surroundings=surroundings)

    @property
    def sizes(self) -> list[int]:
        """The cells of each message so far."""
        return [len(load.job.every) for load in self.sent]

    def open(self, harbour: Harbour) -> None:
        """Begin."""
        self.harbour = harbour

    def width(self) -> int:
        """Tell what was said it could carry."""
        return self.wide

    def send(self, loads: Sequence[Load]) -> None:
        """Carry messages out, or lose them."""
        self.groups.append(len(loads))
        for load in loads:
            self.sent.append(load)
            answer = self._fate(load)
            if answer is None:
                self._threads.submit(perform_far, load.payload).add_done_callback(
                    lambda future, serial=load.serial: self.tell(serial, future.result())
                )
            else:
                self.tell(load.serial, answer)

    def tell(self, serial: int, answer: Answer) -> None:
        """Answer a message."""
        assert self.harbour is not None
        self.answers += [answer] if isinstance(answer, bytes) else []
        self.harbour.landed(serial, answer)

    def recall(self, serials: Sequence[int]) -> None:
        """Note who was called back; all of them have been begun."""
        self.recalled += serials

    def close(self) -> None:
        """Count how often that was."""
        self.closed += 1
        self._threads.shutdown(wait=False)


def first(count: int, answer: Answer) -> Fate:
    """Give the fate that the first messages have one answer, and the others are carried out."""
    left = [answer] * count
    return partial(_next, left)


def _next(left: list[Answer], load: Load) -> Answer | None:
    del load
    return left.pop() if left else None
