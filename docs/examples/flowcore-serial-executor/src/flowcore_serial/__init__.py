"""One thread that carries out a run's messages, one after the other: ``flow.run(executor="serial")``."""

import threading
from collections.abc import Sequence

from flowcore.run.executors.far import perform_far
from flowcore.run.executors.ferry import Answer, Astray, Harbour, Load, Traits, Unbegun
from flowcore.run.executors.near import NearExecutor
from flowcore.run.inbox import Inbox
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec


class SerialFerry:
    """The engine: a list of messages that wait, and a thread that takes the first of them."""

    name = "serial"
    traits = Traits(seconds=0.02)  # of work in one message; here a message costs next to nothing
    sunk = ""  # this engine never breaks

    def __init__(self) -> None:
        self._waiting: list[Load] = []
        self._closed = False
        self._news = threading.Condition()  # held to look at, or change, the two above
        self._thread = threading.Thread(target=self._carry, name="flowcore-serial", daemon=True)

    def open(self, harbour: Harbour) -> None:
        """Begin; `harbour` is who gets the answers."""
        self._harbour = harbour
        self._thread.start()

    def width(self) -> int:
        """Tell how many cells can be carried out at once."""
        return 1

    def send(self, loads: Sequence[Load]) -> None:
        """Take messages; must not wait for them to be carried out."""
        with self._news:
            self._waiting += loads
            self._news.notify()

    def recall(self, serials: Sequence[int]) -> None:
        """Give messages back that nobody has begun."""
        with self._news:
            back = [load for load in self._waiting if load.serial in serials]
            self._waiting = [load for load in self._waiting if load not in back]
        for load in back:
            self._harbour.landed(load.serial, Unbegun())

    def close(self) -> None:
        """End the thread; the message that it is at, if any, is in vain."""
        with self._news:
            self._closed = True
            self._news.notify()

    def _carry(self) -> None:
        while (load := self._next()) is not None:
            try:
                answer: Answer = perform_far(load.payload)
            except Exception as error:  # noqa: BLE001 - no fault of a cell's: those are in the answer
                answer = Astray(cause=f"{type(error).__name__}: {error}")
            self._harbour.landed(load.serial, answer)

    def _next(self) -> Load | None:
        with self._news:
            self._news.wait_for(lambda: self._waiting or self._closed)
            return None if self._closed else self._waiting.pop(0)


def serial(*, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> NearExecutor:
    """Make the executor for one run; called when its first cell is ready."""
    return NearExecutor(SerialFerry(), inbox=inbox, surroundings=surroundings)
