"""What cells print in this process: told by cell, instead of straight to the terminal.

While executors that run cells here are at work, `sys.stdout` and `sys.stderr` are
stand-ins. They ask the context of whoever writes: a cell's text goes to that cell, all
else passes through to the stream behind, as do all other questions (`fileno`, `isatty`,
`encoding`, `buffer`). Handlers of `logging` that hold one of these streams follow it.

Promises that user code may replace or redirect the streams at any time: a stand-in that
is no longer in place when the last executor ends is left where it is, and from then on
only passes through. Not caught, but shown as ever: what is written to `sys.stdout.buffer`,
to descriptor 1 or by C code, to a stream that was taken hold of before the run, and by
threads that a cell starts by itself (`asyncio.to_thread` carries the context along).
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal, TextIO, cast

from flowcore.run.job import Printed
from flowcore.run.perform import current

Stream = Literal["stdout", "stderr"]
_NAMES: tuple[Stream, Stream] = ("stdout", "stderr")
_HELD = 8 * 1024  # characters of an unfinished line that wait for its end

_lock = threading.Lock()
_users = 0
_standing: list[StandIn] = []


class Pages:
    """The text of one cell at a time, line by line. The threads of the cell write."""

    def __init__(self, told: Callable[[Printed], None], *, echo: bool) -> None:
        self._told = told
        self._lock = threading.Lock()
        self._text: list[str] = []
        self._length = 0
        self._stream: Stream = "stdout"
        self._attempt = 0
        self.echo = echo  # nobody shows what is told: it also goes where it would have gone

    def write(self, attempt: int, stream: Stream, text: str) -> None:
        """Take what was written; whole lines are told at once."""
        with self._lock:
            if (attempt, stream) != (self._attempt, self._stream):
                self._flush()
                self._attempt, self._stream = attempt, stream
            self._text.append(text)
            self._length += len(text)
            if "\n" in text or self._length > _HELD:
                self._flush()

    def flush(self) -> None:
        """Tell what waits for the end of its line."""
        if self._text:
            with self._lock:
                self._flush()

    def _flush(self) -> None:
        text, self._text, self._length = "".join(self._text), [], 0
        if text:
            self._told(Printed(attempt=self._attempt, stream=self._stream, text=text))


class StandIn:
    """Stands for a standard stream while cells run in this process."""

    def __init__(self, name: Stream, behind: TextIO) -> None:
        self._name = name
        self._behind = behind

    def write(self, text: str) -> int:
        """Write, to the cell that asks or to the stream behind."""
        context = current.get()
        if context is None or context.pages is None:
            return self._behind.write(text)
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        context.pages.write(context.attempt, self._name, text)
        if context.pages.echo:
            self._behind.write(text)
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        """Write each of `lines`."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Let go of what waits for the end of a line."""
        context = current.get()
        if context is not None and context.pages is not None:
            context.pages.flush()
        self._behind.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._behind, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._behind)


def stand_in() -> None:
    """Put the stand-ins in place, unless they are. Any thread; each call is ended by one of :func:`step_back`."""
    global _users  # noqa: PLW0603 - the streams of a process are global as well
    with _lock:
        _users += 1
        if _users > 1:
            return
        for name in _NAMES:
            behind = getattr(sys, name)
            if behind is None or isinstance(behind, StandIn):
                continue
            standing = StandIn(name, behind)
            setattr(sys, name, standing)
            _standing.append(standing)
            _follow(behind, standing)


def step_back() -> None:
    """Put the streams back when nobody needs the stand-ins any more."""
    global _users  # noqa: PLW0603 - see above
    with _lock:
        _users -= 1
        if _users:
            return
        for standing in _standing:
            if getattr(sys, standing._name) is standing:
                setattr(sys, standing._name, standing._behind)
            _follow(standing, standing._behind)
        _standing.clear()


def _follow(old: object, new: object) -> None:
    """Let the log handlers that write to one stream write to another."""
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.StreamHandler) and handler.stream is old:
                handler.setStream(cast(TextIO, new))
