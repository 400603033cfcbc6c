"""A call, from the moment it is made to the end of its future.

Owns what is waiting and what is under way: queues by the function called, since calls of one
function take about as long as one another, and may share a message. Promises that the oldest
call goes first whatever it calls. One thread: the office's.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from typing import Any, Final

from flowcore.dataclass import dataclass
from flowcore.run.job import Job, Record, TaskSpec
from flowcore.run.offered.custody import Held

_KINDS: Final = 64  # of functions that are told apart by what they take; all others count as one


class Reply(Future[Any]):
    """The future of a call; in a forked copy of its process it ends at once, since nobody there will end it."""

    def forget(self, error: BaseException) -> None:
        """End in a forked copy, and tell nobody: who was to be told is in the other process."""
        if self._state not in ("CANCELLED_AND_NOTIFIED", "FINISHED"):
            self._condition = threading.Condition()  # another thread may have held the old one at the fork
            vars(self).update(_waiters=[], _done_callbacks=[], _state="PENDING")
            self.set_exception(error)


@dataclass(slots=True, kw_only=True, eq=False)
class Call:
    """A call that was made."""

    reply: Reply
    name: str  # of what is called: calls of the same name are thought to take as long
    function: Record
    arguments: Record
    held: Held  # what it keeps in shared memory
    serial: int = 0


class Queues:
    """The calls of one executor.

    Parameters
    ----------
    depth : int
        How many runs the executor is nested in.
    """

    def __init__(self, *, depth: int) -> None:
        self._depth = depth
        self._kinds: dict[str, TaskSpec] = {}
        self._waiting: dict[int, deque[Call]] = {}
        self._under_way: dict[int, Call] = {}
        self._serials = itertools.count(1)
        self._attempts = itertools.count(1)

    def __bool__(self) -> bool:
        return bool(self._waiting or self._under_way)

    def __iter__(self) -> Iterator[Call]:
        """Give all calls that have not ended."""
        return itertools.chain(self._under_way.values(), *self._waiting.values())

    def add(self, calls: Iterable[Call]) -> None:
        """Take calls, in the order in which they were made."""
        for call in calls:
            call.serial = next(self._serials)
            self._waiting.setdefault(self._kind(call.name).id, deque()).append(call)

    def oldest(self) -> tuple[TaskSpec, int] | None:
        """Give the kind of the call that has waited longest, and how many calls of it there are."""
        if not self._waiting:
            return None
        kind = min(self._waiting, key=lambda id_: self._waiting[id_][0].serial)
        return next(spec for spec in self._kinds.values() if spec.id == kind), len(self._waiting[kind])

    def next(self, spec: TaskSpec, most: int) -> tuple[Job | None, list[Call]]:
        """Take up to so many calls of a kind, and put those that nobody has cancelled into a job; give the others."""
        queue = self._waiting[spec.id]
        begun: list[Call] = []
        cancelled: list[Call] = []
        while queue and len(begun) < most:
            call = queue.popleft()
            (begun if call.reply.set_running_or_notify_cancel() else cancelled).append(call)
        if not queue:
            del self._waiting[spec.id]
        return self._job(spec, begun) if begun else None, cancelled

    def end(self, attempt: int) -> Call | None:
        """Give the call of an attempt that has ended; None if it had before."""
        return self._under_way.pop(attempt, None)

    def drop_waiting(self) -> list[Call]:
        """Give the calls that wait, and forget them."""
        calls = sorted(itertools.chain(*self._waiting.values()), key=lambda call: call.serial)
        self._waiting.clear()
        return calls

    def drop_all(self) -> list[Call]:
        """Give all calls, and forget them."""
        calls = [*self._under_way.values(), *self.drop_waiting()]
        self._under_way.clear()
        return calls

    def _job(self, spec: TaskSpec, calls: list[Call]) -> Job:
        attempts = [next(self._attempts) for _ in calls]
        self._under_way.update(zip(attempts, calls, strict=True))
        first = calls[0].function
        alike = all(call.function is first or call.function == first for call in calls)
        functions = [first] if alike else [call.function for call in calls]
        arguments = [call.arguments for call in calls]
        return Job(task=spec, attempts=attempts, numbers=attempts, columns=[functions, arguments])

    def _kind(self, name: str) -> TaskSpec:
        spec = self._kinds.get(name)
        if spec is None:
            known = name if len(self._kinds) < _KINDS else ""
            spec = self._kinds.get(known)
        if spec is None:
            spec = self._kinds[known] = TaskSpec(id=len(self._kinds) + 1, name=known or "calls", depth=self._depth)
        return spec


def name_of(function: Any) -> str:
    """Give the name of what is called, for messages: ``model.erode``."""
    while isinstance(function, functools.partial):
        function = function.func
    if not hasattr(function, "__qualname__"):
        function = type(function)
    module = getattr(function, "__module__", None)
    return f"{module}.{function.__qualname__}" if module not in (None, "builtins") else str(function.__qualname__)
