"""The thread that has calls carried out: hands them to workers, and ends their futures.

Owns the inbox, the queues and the workers of one office. Its end is the end of the office:
when it was told to close and no call is left, when it was told to end at once, or when no
worker can be had. Then the workers are gone, and so are the arrays. Promises that each
future ends (contract P5): with what the call gave or raised, as cancelled, or with an error
that says what became of it.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable
from functools import partial

from flowcore.offering import ExecutorBroken
from flowcore.run.inbox import Inbox
from flowcore.run.job import Died, Done, Failed, Printed, Record, Result
from flowcore.run.offered.calls import Call, Queues
from flowcore.run.offered.custody import Custody
from flowcore.run.offered.hands import Hands
from flowcore.run.offered.raised import killed, raised

Collect = Callable[[], list[Call]]
Ended = Callable[[str], list[Call]]


class Clerk:
    """Serves an office. Its own thread, but for `inbox.call`, which brings `take_in`, `close` and `abandon` to it.

    Parameters
    ----------
    queues : Queues
        What waits and what is under way; its own from now on.
    custody : Custody
    hire : callable
        Gives the workers, which are watched in the inbox.
    collect : callable
        Gives the calls that were made since it was last asked.
    ended : callable
        Told that no more are taken, and why (empty: nothing is wrong); gives the last that were made.
    """

    def __init__(
        self, *, queues: Queues, custody: Custody, hire: Callable[[Inbox], Hands], collect: Collect, ended: Ended
    ) -> None:  # fmt: skip
        self.inbox = Inbox()
        self._queues = queues
        self._custody = custody
        self._hire = hire
        self._collect = collect
        self._ended = ended
        self._closing = False
        self._reason = ""  # why this is to end at once

    def take_in(self) -> None:
        """Take what was made."""
        self._queues.add(self._collect())

    def close(self, *, drop: bool) -> None:
        """End when no call is left; with `drop`, cancel those that nobody has begun."""
        self._closing = True
        self.take_in()
        if drop:
            for call in self._queues.drop_waiting():
                self._custody.let_go(call.held)
                with _shielded:
                    call.reply.cancel()
                    call.reply.set_running_or_notify_cancel()

    def abandon(self, reason: str) -> None:
        """End all calls, and this, now."""
        self._reason = self._reason or reason

    def serve(self) -> None:
        """Be this thread, to its end."""
        hands: Hands | None = None
        try:
            hands = self._hire(self.inbox)
            while not self._reason and (self._queues or not self._closing):
                for result in self.inbox.wait():
                    self._hear(result)
                self._hand_out(hands)
                if hands.broken:
                    self._reason = hands.broken
        except BaseException as error:
            logging.getLogger("flowcore").exception("the thread of an fc.Executor has failed")
            self._reason = f"a fault of flowcore's own ({type(error).__name__}: {error})"
        finally:
            self._finish(hands)

    def _finish(self, hands: Hands | None) -> None:
        left = self._ended(self._reason)
        self._queues.add(left)
        try:
            if hands is not None:
                hands.close()
            self.inbox.close()
        finally:
            error = ExecutorBroken(reason=self._reason)
            for call in self._queues.drop_all():
                self._break(call, error)

    def _break(self, call: Call, error: BaseException) -> None:
        """End a call that nobody will carry out, or that was being carried out."""
        self._custody.let_go(call.held)
        with _shielded:
            if call.reply.running() or call.reply.set_running_or_notify_cancel():
                call.reply.set_exception(error)

    def _hand_out(self, hands: Hands) -> None:
        """Give workers what they have room for, oldest first."""
        while (oldest := self._queues.oldest()) is not None:
            spec, count = oldest
            room = hands.room(spec, count)
            if room <= 0:
                return
            job, cancelled = self._queues.next(spec, room)
            for call in cancelled:
                self._custody.let_go(call.held)
            if job is not None:
                hands.start(job)

    def _hear(self, result: Result) -> None:
        match result:
            case Done():
                for attempt, record in zip(result.attempts, result.records, strict=True):
                    self._answer(attempt, record)
            case Failed():
                self._fail(result.attempt, partial(raised, result.failure))
            case Died():
                self._fail(result.attempt, partial(killed, result))
            case Printed():
                _show(result)
            case _:  # what a run would have use for
                return

    def _answer(self, attempt: int, record: Record) -> None:
        call = self._queues.end(attempt)
        if call is None:
            return
        self._custody.let_go(call.held)
        try:
            value = self._custody.unpack(record)
        except BaseException as error:  # noqa: BLE001 - reading a value may run any code: its call has failed
            with _shielded:
                call.reply.set_exception(error)
            return
        with _shielded:
            call.reply.set_result(value)

    def _fail(self, attempt: int, error: Callable[[str], BaseException]) -> None:
        call = self._queues.end(attempt)
        if call is None:
            return
        self._custody.let_go(call.held)
        with _shielded:
            call.reply.set_exception(error(call.name))


class _Shield:
    """Keeps what callbacks of futures raise from this thread: a future itself sees to what is an Exception."""

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if error is not None:
            logging.getLogger("concurrent.futures").error("a callback of a future would end its thread", exc_info=error)
        return True


_shielded = _Shield()


def _show(printed: Printed) -> None:
    """Write what a call has printed where it would have gone here, if there is such a place."""
    stream = sys.stdout if printed.stream == "stdout" else sys.stderr
    with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, full, or None
        stream.write(printed.text)
        stream.flush()
