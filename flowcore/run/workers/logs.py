"""How `logging` is set up where a run is started, and the same where its cells are carried out.

A worker never runs the script, so a `logging.basicConfig` in it would be unknown there, and records of
level INFO would vanish. So a run carries along which loggers have a level, and how those with handlers
format what they show. A worker sets the same levels, and gives each such logger one handler, which
writes to the worker's standard error or output: there records are text of their cell, as with a plain
call. Handlers themselves do not travel: they hold files and sockets of the user's process.

Promises that what a process has set up by itself stays, and that the next run finds nothing of this one.
Never touches the process of the user. One thread.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from flowcore.run.job import dumps, loads

_STYLES = {"%": logging.PercentStyle, "{": logging.StrFormatStyle, "$": logging.StringTemplateStyle}
_undo: list[Callable[[], object]] = []


class Shown(logging.Handler):
    """Shows what a logger is given on a standard stream of this process, whichever object that is by then."""

    def __init__(self, logger: logging.Logger, level: int, stream: str) -> None:
        super().__init__(level)
        self.stream_name = stream
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless the logger has got a handler of its own for that: a module brings some along."""
        stream = getattr(sys, self.stream_name, None)
        if stream is None or any(isinstance(other, logging.StreamHandler) for other in self._logger.handlers):
            return
        try:
            stream.write(f"{self.format(record)}\n")
            stream.flush()
        except Exception:  # noqa: BLE001 - as all handlers do: a record is no reason for a cell to fail
            self.handleError(record)

    def format(self, record: logging.LogRecord) -> str:
        """Give the text of a record; plainly, where its format names what a filter has added in the user's process."""
        try:
            return super().format(record)
        except (KeyError, ValueError):
            return logging.Formatter(logging.BASIC_FORMAT).format(record)


def noted() -> bytes:
    """Give how `logging` is set up in this process; empty: as Python has it."""
    loggers = [("", logging.root), *logging.root.manager.loggerDict.items()]
    found = [
        [name, logger.level, logger.propagate, _shown(logger)]
        for name, logger in loggers
        if isinstance(logger, logging.Logger) and _is_set_up(logger)
    ]
    off = int(logging.root.manager.disable)
    return dumps([off, found]) if found or off else b""


def take_on(packed: bytes) -> None:
    """Set `logging` up as in the process where this was noted; what an earlier call has set up is taken back."""
    while _undo:
        _undo.pop()()
    if not packed:
        return
    off, loggers = loads(packed)
    _undo.append(lambda before=logging.root.manager.disable: logging.disable(before))  # type: ignore[misc]
    logging.disable(off)  # type: ignore[arg-type]
    for name, level, propagate, shown in loggers:  # type: ignore[attr-defined]
        logger = logging.getLogger(name or None)
        if not logger.handlers and logger.level == _usual(logger):
            _set_up(logger, level, propagate, shown)


def _is_set_up(logger: logging.Logger) -> bool:
    return logger.level != _usual(logger) or not logger.propagate or _shown(logger) is not None


def _usual(logger: logging.Logger) -> int:
    return logging.WARNING if logger is logging.root else logging.NOTSET


def _shown(logger: logging.Logger) -> list[object] | None:
    """Give level, stream, format, format of dates and style of what a logger shows; None: nothing."""
    handlers = [handler for handler in logger.handlers if not isinstance(handler, logging.NullHandler)]
    if not handlers:
        return None
    handler = next((one for one in handlers if _stream(one)), handlers[0])
    style, text, dates = "%", "%(message)s", None
    if handler.formatter is not None:
        way = handler.formatter._style
        style = next((name for name, kind in _STYLES.items() if type(way) is kind), "%")
        text, dates = way._fmt, handler.formatter.datefmt
    return [min(one.level for one in handlers), _stream(handler) or "stderr", text, dates, style]


def _stream(handler: logging.Handler) -> str:
    """Name the standard stream that a handler writes to; empty: none."""
    if isinstance(handler, Shown):
        return handler.stream_name
    stream = getattr(handler, "stream", None) if isinstance(handler, logging.StreamHandler) else None
    names = ("stderr", "stdout")
    return next((name for name in names if stream in (getattr(sys, name), getattr(sys, f"__{name}__"))), "")


def _set_up(logger: logging.Logger, level: int, propagate: bool, shown: list[object] | None) -> None:
    before = logger.level, logger.propagate
    logger.setLevel(level)
    logger.propagate = propagate
    handler: logging.Handler | None = None
    if shown is not None:
        least, stream, text, dates, style = shown
        handler = Shown(logger, least, stream)  # type: ignore[arg-type]
        handler.setFormatter(logging.Formatter(text, dates, style, validate=False))  # type: ignore[arg-type]
        logger.addHandler(handler)

    def undo() -> None:
        logger.setLevel(before[0])
        logger.propagate = before[1]
        if handler is not None:
            logger.removeHandler(handler)

    _undo.append(undo)
