"""What leaves a worker, and when (contract W3).

An outcome leaves when its cell ends. Outcomes of cells known to be short wait for one
another: at most 5 ms or 64 KiB, and never across the start of a cell not known to be
short, since a batch is all short or not and each batch ends with a flush. Several Done
become one, in columns. What a cell prints travels in the same order as its outcome.

A thread sees to the 5 ms: a cell that was expected to be short and is not would
otherwise hold back what is finished, and with it everything that waits for it.

A message is ``["results", spent, cells, [result, ...]]``: `spent` seconds went by in the
worker on the `cells` that end here, with all that surrounds the user's function.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

from flowcore import clock
from flowcore.run.cell.slot import LocalSlot, Slot
from flowcore.run.columns import Value
from flowcore.run.job import Done, Interrupted, Metric, Printed, Result, Warned, pack_result

HOLD_SECONDS = 0.005
HOLD_BYTES = 64 * 1024
PRINT_BYTES = 64 * 1024  # of one cell; the rest is counted, not kept


class Outbox:
    """Collects results and sends them. Any thread of the worker may call."""

    def __init__(self, send: Callable[[object], None], slot: Slot | LocalSlot) -> None:
        self._send = send
        self._slot = slot
        self._lock = threading.RLock()  # a signal handler may print while its own thread is in here
        self._held: list[list[object]] = []
        self._columns: list[Any] | None = None  # the last of them, if plain values are added to it
        self._since = 0.0  # when the oldest of them came
        self._bytes = 0
        self._cells = 0
        self._mark = 0.0  # up to when time is accounted for
        self._short = False
        self._printing = (0, 0)  # an attempt, and the bytes it printed
        self._waiting = threading.Event()
        self._thread: threading.Thread | None = None
        self._cut = False
        self._written = False  # whether anything was written to these
        self.streams: Sequence[io.TextIOBase] = ()  # they may hold text that has not come here yet

    def begin(self, *, short: bool) -> None:
        """A batch begins, of cells that are all expected to be short or not."""
        with self._lock:
            self._short = short
            self._mark = clock.monotonic()

    def report(self, result: Result) -> None:
        """Take the outcome of a cell."""
        self._flush_streams()
        with self._lock:
            self._cells += _ends(result)
            if not (self._short and type(result) is Done):
                self._held.append(pack_result(result))
                self._flush()
                return
            self._bytes += sum(map(len, result.records)) + 16 * len(result.records)
            self._hold(pack_result(result))

    def value(self, value: Value) -> None:
        """Take the plain value of a cell: as `report`, without making a result of it first."""
        self._flush_streams()
        attempt, record, component, seconds, began, fetched, kept = value
        now = began + fetched + seconds + kept
        with self._lock:
            self._cells += 1
            if self._columns is None:
                fresh: list[Any] = pack_result(Done(attempts=[], records=[], components=[], seconds=[]))
                self._columns = fresh
                if not self._held:
                    self._since = now
                    if self._short:
                        self._wake_sender()
                self._held.append(fresh)
            columns = self._columns
            columns[1].append(attempt)
            columns[2].append(record)
            columns[3].append(component)
            columns[4].append(seconds)
            columns[-1] += (began, fetched, kept)
            self._bytes += len(record) + 16
            if not self._short or self._bytes >= HOLD_BYTES or now - self._since >= HOLD_SECONDS:
                self._flush()

    def printed(self, stream: str, text: str) -> None:
        """Take what was printed, by whatever cell the slot names."""
        if self._cut:
            return
        with self._lock:
            text = self._within_limit(text)
            if not text:
                return
            self._bytes += len(text)
            self._hold(pack_result(Printed(attempt=self._slot.attempt, stream=stream, text=text)))  # type: ignore[arg-type]

    def flush(self) -> None:
        """Send all there is."""
        self._flush_streams()
        with self._lock:
            self._flush()

    def wrote(self) -> None:
        """Hear that there may be text in a stream."""
        self._written = True

    def _flush_streams(self) -> None:
        if not self._written:
            return
        self._written = False  # first: what another thread writes meanwhile is told of after this
        for stream in self.streams:
            if not stream.closed:  # as a cell may have
                stream.flush()

    def cut(self) -> None:
        """Send nothing any more: this is a child that a cell forked, and the socket is its parent's."""
        self._lock = threading.RLock()
        self._held, self._columns = [], None
        self._cut = True

    def _hold(self, packed: list[object]) -> None:
        self._columns = None
        now = clock.monotonic()
        if not self._held:
            self._since = now
            self._held.append(_own(packed))
            self._wake_sender()
        elif not _joined(self._held[-1], packed):
            self._held.append(_own(packed))
        if self._bytes >= HOLD_BYTES or now - self._since >= HOLD_SECONDS:
            self._flush()

    def _flush(self) -> None:
        if not self._held or self._cut:
            return
        now = clock.monotonic()
        held, self._held, self._columns = self._held, [], None
        self._bytes = 0
        self._send(["results", now - self._mark, self._cells, held])
        self._mark = now
        self._cells = 0

    def _within_limit(self, text: str) -> str:
        attempt = self._slot.attempt
        before = self._printing[1] if self._printing[0] == attempt else 0
        if before >= PRINT_BYTES:
            return ""
        self._printing = (attempt, before + len(text))
        if before + len(text) <= PRINT_BYTES:
            return text
        return text[: PRINT_BYTES - before] + f"\n[more than {PRINT_BYTES // 1024} KiB printed; the rest is left out]\n"

    def _wake_sender(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._send_late, name="flowcore-outbox", daemon=True)
            self._thread.start()
        self._waiting.set()

    def _send_late(self) -> None:
        """Send what has waited long enough while a cell runs on. The thread's whole life."""
        while self._waiting.wait():
            clock.sleep(HOLD_SECONDS)
            with self._lock:
                if not self._held:
                    self._waiting.clear()
                elif clock.monotonic() - self._since >= HOLD_SECONDS:
                    self._flush()


def _ends(result: Result) -> int:
    if isinstance(result, Done):
        return len(result.attempts)
    return 0 if isinstance(result, Printed | Interrupted | Warned | Metric) else 1


def _own(packed: list[object]) -> list[object]:
    """Give columns that may be added to: those of a result belong to whoever made it."""
    return [list(column) if isinstance(column, list) else column for column in packed]


def _joined(last: list[object], packed: list[object]) -> bool:
    """Add `packed` to `last` if both are Done of one form, or text of one cell."""
    if last[0] == "done" == packed[0]:
        columns = range(1, len(last))
        for column in columns:
            if bool(last[column]) != bool(packed[column]):
                return False
        for column in columns:
            last[column] += packed[column]  # type: ignore[operator]
        return True
    if last[0] == "printed" and last[:3] == packed[:3]:
        last[3] += packed[3]  # type: ignore[operator]
        return True
    return False


class _Sink(io.RawIOBase):
    """Where a replaced standard stream writes to; its descriptor is the worker's log."""

    def __init__(self, name: str, outbox: Outbox, descriptor: int) -> None:
        self.name = f"<{name}>"
        self._name = name
        self._outbox = outbox
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: bytes) -> int:  # type: ignore[override]
        if self._name == "stderr":  # also to the log: read after a death, when nothing can be sent any more
            with contextlib.suppress(OSError):
                os.write(self._descriptor, data)
        self._outbox.printed(self._name, self._decoder.decode(data))
        return len(data)


class _Text(io.TextIOWrapper):
    """A standard stream that says when it is written to: to ask it after each cell takes half a microsecond."""

    def __init__(self, sink: _Sink, outbox: Outbox) -> None:
        super().__init__(sink, encoding="utf-8", errors="backslashreplace", line_buffering=True)
        self._outbox = outbox

    def write(self, text: str) -> int:
        count = super().write(text)
        self._outbox.wrote()
        return count


def text_stream(name: str, outbox: Outbox, descriptor: int) -> io.TextIOWrapper:
    """Give a text stream, to stand for `sys.stdout` or `sys.stderr`, whose lines become results."""
    return _Text(_Sink(name, outbox, descriptor), outbox)
