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
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO, cast

from flowcore.run.cell.context import current
from flowcore.run.cell.pages import Stream

_NAMES: tuple[Stream, Stream] = ("stdout", "stderr")

_lock = threading.Lock()
_users = 0
_standing: list[StandIn] = []


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

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of `lines`."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Let go of what waits for the end of a line."""
        context = current.get()
        if context is not None and context.pages is not None:
            context.pages.flush(context.attempt)
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
        _standing.extend(_put())


def stand_for_good() -> None:
    """Put the stand-ins in place where there are none, and leave them: in a process that is no run's. Any thread."""
    if not all(isinstance(getattr(sys, name), StandIn) for name in _NAMES):
        with _lock:
            _put()


def _put() -> list[StandIn]:
    """Put stand-ins in place where there are none, and give these; the lock is held."""
    put = []
    for name in _NAMES:
        behind = getattr(sys, name)
        if behind is not None and not isinstance(behind, StandIn):
            standing = StandIn(name, behind)
            setattr(sys, name, standing)
            put.append(standing)
            _follow(behind, standing)
    return put


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


def behind(name: Stream) -> TextIO:
    """Give a standard stream without the stand-ins. Any thread."""
    stream = getattr(sys, name)
    while isinstance(stream, StandIn):
        stream = stream._behind
    return cast(TextIO, stream)


def slip_behind(name: Stream, make: Callable[[TextIO], TextIO]) -> None:
    """Put another stand-in between a stream and what stands for it now. Any thread."""
    with _lock:
        top = getattr(sys, name)
        if isinstance(top, StandIn):
            top._behind = make(top._behind)
            return
        made = make(top)
        setattr(sys, name, made)
        _follow(top, made)


def slip_out(name: Stream, made: object, behind: TextIO) -> None:
    """Take a stand-in that was slipped behind away again, unless somebody has replaced it. Any thread."""
    with _lock:
        top = getattr(sys, name)
        if isinstance(top, StandIn) and top._behind is made:
            top._behind = behind
        elif top is made:
            setattr(sys, name, behind)
        _follow(made, behind)


def _follow(old: object, new: object) -> None:
    """Let the log handlers that write to one stream write to another."""
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.StreamHandler) and handler.stream is old:
                handler.setStream(cast(TextIO, new))
