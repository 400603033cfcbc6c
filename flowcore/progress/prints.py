r"""What cells print, passed on in whole lines.

Owns: :class:`Joiner`, which makes lines out of pieces, and :class:`Echo`, an observer
that writes them to the standard streams of this process.
Promises: lines of two cells never mix; nothing is lost, the last line without its end
included; on a terminal a line that rewrites itself (``\r``) appears once, as it was last.
Never: changes what goes to a file or a pipe.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Hashable
from typing import TextIO

from flowcore.events import Event, Printed, RunEnded
from flowcore.run.cell.printing import behind

_LONGEST = 8192  # characters of a line that are waited for


class Joiner:
    r"""Makes whole lines out of what is written in pieces, for each writer apart.

    Parameters
    ----------
    rewriting : bool
        Whether a carriage return starts the line over, as on a terminal.

    Examples
    --------
    >>> joiner = Joiner(rewriting=True)
    >>> joiner.take("a", "10 %\r20"), joiner.take("b", "x\ny"), joiner.take("a", " %\n")
    ('', 'x\n', '20 %\n')
    >>> joiner.rest()
    'y'
    """

    def __init__(self, *, rewriting: bool) -> None:
        self._rewriting = rewriting
        self._open: dict[Hashable, str] = {}

    def take(self, writer: Hashable, text: str) -> str:
        """Give the lines that this piece completes."""
        text = self._open.pop(writer, "") + text
        end = text.rfind("\n") + 1
        whole, rest = text[:end], text[end:]
        if self._rewriting and "\r" in text:
            whole = "".join(_last(line) for line in whole.splitlines(keepends=True)) if "\r" in whole else whole
            rest = _last(rest)
        if len(rest) > _LONGEST:
            return whole + rest
        if rest:
            self._open[writer] = rest
        return whole

    def rest(self) -> str:
        """Give what has no end yet, a line each but for the last."""
        rest = "\n".join(self._open.values())
        self._open.clear()
        return rest


class Echo:
    """An observer that passes on what cells print, each to the stream that it was meant for.

    Attributes
    ----------
    counts : bool
        False: it has no use for how far nodes are, and need not be told.
    """

    counts = False

    def __init__(self) -> None:
        self._joiners: dict[str, Joiner] = {}

    def on_event(self, event: Event) -> None:
        """Take note of an event."""
        if isinstance(event, Printed):
            self.printed(event)
        elif isinstance(event, RunEnded):
            self.close()

    def printed(self, event: Printed) -> None:
        """Pass on one piece."""
        joiner = self._joiners.get(event.stream)
        if joiner is None:
            joiner = self._joiners[event.stream] = Joiner(rewriting=_stream(event.stream).isatty())
        _write(event.stream, joiner.take(event.cell, event.text))

    def close(self) -> None:
        """Pass on what has no end."""
        for name, joiner in self._joiners.items():
            rest = joiner.rest()
            _write(name, rest + "\n" if rest and _stream(name).isatty() else rest)


def _stream(name: str) -> TextIO:
    return sys.stdout if name == "stdout" else sys.stderr


def _write(name: str, text: str) -> None:
    if text:
        say(_stream(name), text)


def say(stream: TextIO, text: str) -> None:
    """Write to a stream, past the lock of the interpreter's own standard error where it is that.

    1. Nobody reads standard error, and it is full. 2. Our thread waits in a write, and holds the
    stream's lock. 3. The interpreter ends, flushes the stream, and waits for that lock for
    ever. So such a write goes to the descriptor (contract F36).
    """
    real = behind("stderr")
    if real is not sys.__stderr__ or stream not in (real, sys.stderr) or real.closed or real.isatty():
        stream.write(text)
        stream.flush()
        return
    left = memoryview(text.encode(real.encoding, real.errors or "backslashreplace"))
    while left:
        left = left[os.write(real.fileno(), left) :]


def _last(line: str) -> str:
    """Give a line as it was last, with its end."""
    body = line.rstrip("\r\n")
    return body[body.rfind("\r") + 1 :] + ("\n" if line.endswith("\n") else "")
