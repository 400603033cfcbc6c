"""Where calls are taken in, carried out and answered: the inside of `fc.Executor`.

    any thread               the clerk's thread                      workers
    call, take ──> incoming ──> Queues ── room, start ──> Hands ──> call ─┐
    result <── future <── unpack <── inbox <───────────── outcomes ───────┘

Arguments are packed by who makes the call, so they are what they were at that moment, and
what cannot travel is found out there; the clerk's thread unpacks results. An office knows
nothing of the `fc.Executor` it works for, so that dropping that one closes it. Promises that
after its end there are no workers, no thread and no arrays of it.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from functools import partial
from types import BuiltinFunctionType, FunctionType
from typing import Any, Final, TypeAlias

from flowcore.dataclass import dataclass
from flowcore.errors import NotPicklable
from flowcore.offering import ExecutorBroken
from flowcore.run import proc
from flowcore.run.forked import belongs_here
from flowcore.run.inbox import Inbox
from flowcore.run.job import Record
from flowcore.run.offered.calls import Call, Queues, Reply, name_of
from flowcore.run.offered.clerk import Clerk
from flowcore.run.offered.custody import Custody, Held, goes_by_path
from flowcore.run.offered.hands import Hands
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.passing import make_spool
from flowcore.store.spool import Spool

_KNOWN: Final = 64  # functions that are packed once

Arguments: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Callee:
    """A function, packed to be called once or often."""

    name: str
    record: Record
    held: Held  # let go of when nobody will call it any more


class Office:
    """Takes calls for one executor. Any thread.

    Parameters
    ----------
    workers : int
        Calls that are carried out at once.
    depth : int
        How many runs the executor is nested in.
    """

    def __init__(self, *, workers: int, depth: int) -> None:
        self._workers = workers
        self._lock = threading.RLock()  # a finalizer may close us in the midst of it
        self._owner = proc.pid()
        self._incoming: list[Call] = []
        self._queues = Queues(depth=depth)
        self._spool: Spool | None = None
        self._custody: Custody | None = None
        self._opening: Record = b""
        self._known: dict[Any, Callee] = {}  # functions that go by their path
        self._clerk: Clerk | None = None
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._closing = False
        self._broken = ""  # why nothing more is carried out
        belongs_here(self)

    def open_with(self, initializer: Any, arguments: Arguments) -> None:
        """Have each worker call this before all else; raises as `call` does."""
        try:
            self._opening, _ = self._place().pack((initializer, arguments), name="initializer")
        except NotPicklable as trouble:
            trouble.node = "The initializer"
            raise

    def callee(self, function: Any) -> Callee:
        """Pack what is to be called; raises as `call` does."""
        plain = type(function) in (FunctionType, BuiltinFunctionType)
        known = self._known.get(function) if plain else None
        if known is not None and _at_home(function):
            return known
        name = name_of(function)
        try:
            record, held = self._place().pack_function(function)
        except NotPicklable as trouble:
            trouble.node = name
            raise
        callee = Callee(name=name, record=record, held=held)
        if plain and _at_home(function) and goes_by_path(record):
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[function] = callee
        return callee

    def call(self, callee: Callee, positional: Arguments, keywords: dict[str, Any]) -> Call:
        """Prepare a call.

        Raises
        ------
        NotPicklable, StoreUnavailable
            If its arguments cannot reach another process.
        RuntimeError
            As :meth:`take` does.
        """
        place = self._custody or self._place()
        try:
            arguments, own = place.pack((positional, keywords), name="arguments")
        except NotPicklable as trouble:
            trouble.node = f"A call of {callee.name}"
            raise
        held = own + place.hold(callee.held) if callee.held else own
        return Call(reply=Reply(), name=callee.name, function=callee.record, arguments=arguments, held=held)

    def take(self, call: Call) -> None:
        """Have a call carried out.

        Raises
        ------
        RuntimeError
            If the office is closed; `ExecutorBroken` if nothing is carried out any more.
        """
        try:
            with self._lock:
                self.check()
                clerk = self._clerk or self._open()
                if (
                    not self._incoming
                ):  # told first, and it waits for our lock: a Ctrl-C in between leaves nothing untold
                    clerk.inbox.call(clerk.take_in)
                self._incoming.append(call)
        except BaseException:
            self.let_go(call.held)
            raise

    def check(self) -> None:
        """Raise what `take` would."""
        if self._broken:
            raise ExecutorBroken(reason=self._broken)
        if self._closing:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def let_go(self, held: Held) -> None:
        """Let go of arrays."""
        custody = self._custody
        if held and custody is not None:
            custody.let_go(held)

    def close(self, *, drop: bool = False) -> None:
        """Take no more calls; those there are are carried out, with `drop` only as far as they were begun."""
        with self._lock:
            self._closing = True
            clerk = self._clerk
            if clerk is None:
                self._sweep()
        if clerk is not None and not self._ended.is_set():
            clerk.inbox.call(partial(clerk.close, drop=drop))

    def abandon(self, reason: str) -> None:
        """End the workers and all calls, now."""
        with self._lock:
            self._broken = self._broken or reason
        self.close()
        clerk = self._clerk
        if clerk is not None:
            clerk.inbox.call(partial(clerk.abandon, reason))

    def wait(self) -> None:
        """Wait until all is over; at once on the clerk's own thread, in a callback: that would be for ever."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            self._ended.wait()
            thread.join()

    def forget(self) -> None:
        """In a forked copy of this process: the workers are our parent's, and so are the calls."""
        self._lock = threading.RLock()
        self._broken = f"it belongs to process {self._owner}, and this is a forked copy of that."
        self._closing = True
        self._clerk = self._thread = self._custody = self._spool = None
        error = ExecutorBroken(reason=self._broken)
        for call in (*self._incoming, *self._queues):
            call.reply.forget(error)

    def _place(self) -> Custody:
        with self._lock:
            self.check()
            if self._custody is None:
                self._spool = make_spool()
                self._custody = Custody(self._spool)
            return self._custody

    def _open(self) -> Clerk:
        assert self._custody is not None, "a call was packed before"
        clerk = Clerk(
            queues=self._queues, custody=self._custody, hire=self._hire, collect=self._collect, ended=self._last
        )  # fmt: skip
        thread = threading.Thread(target=self._serve, args=(clerk,), name="flowcore-executor", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has none left, or the interpreter is at its end
            clerk.inbox.close()
            raise
        self._clerk, self._thread = clerk, thread
        return clerk

    def _hire(self, inbox: Inbox) -> Hands:
        assert self._spool is not None, "it is there as long as the clerk is"
        around = Surroundings.of_this_process(run_id="calls", store="", spool=self._spool.path)
        return Hands(workers=self._workers, inbox=inbox, surroundings=replace(around, opening=self._opening))

    def _collect(self) -> list[Call]:
        with self._lock:
            calls, self._incoming = self._incoming, []
            return calls

    def _last(self, reason: str) -> list[Call]:
        with self._lock:
            self._closing = True
            self._broken = self._broken or reason
            return self._collect()

    def _serve(self, clerk: Clerk) -> None:
        try:
            clerk.serve()
        finally:
            self._sweep()
            self._ended.set()

    def _sweep(self) -> None:
        spool, self._spool = self._spool, None
        if spool is not None:
            spool.sweep()


def _at_home(function: Any) -> bool:
    """Tell whether a function is what its module has under its name: packed once, it is packed for good."""
    module = sys.modules.get(function.__module__ or "")
    return module is not None and module.__dict__.get(function.__qualname__) is function
