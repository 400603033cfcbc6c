"""Inputs made of inputs, one after the other, and what came of them.

Owns the loop. An input is kept, to make others of, if it reached a line that none before it
had, or ended as none had ended. Promises that the same seed gives the same inputs as long as
flowcore is the same, that a campaign which was cut short goes on where it was, and that an
input which is a mistake is written down before anything else happens.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from tests.fuzz.guards import Growth, begin, weigh
from tests.fuzz.lines import Lines
from tests.fuzz.reader import Mistake, Reader, TooMuch, signature

_TRACED: Final = 200  # where watching is dear, one input in so many is watched
_MOST: Final = 2000  # inputs that are kept
_RECENT: Final = 40  # every other input is made of one of the last so many


@dataclass(slots=True, kw_only=True)
class Figures:
    """What came of a reader's inputs so far."""

    inputs: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    lines: int = 0
    slowest: float = 0.0  # seconds of processor time
    largest: int = 0  # bytes allocated, of those inputs that were weighed
    weighed: int = 0
    mistakes: dict[str, int] = field(default_factory=dict)  # by signature


class Campaign:
    """The inputs of one reader, and what is known of them. One thread.

    Parameters
    ----------
    reader : Reader
    seed : int
    hold : callable
        Told of each input before it is read.
    found : callable
        Told of each new mistake: signature, input, error.
    eager : int
        So many inputs are watched, each one, at the beginning.
    """

    def __init__(
        self,
        reader: Reader,
        seed: int,
        *,
        hold: Callable[[bytes], None],
        found: Callable[[str, bytes, BaseException], None],
        eager: int = 400,
    ) -> None:
        self.reader = reader
        self.figures = Figures()
        self._rng = random.Random(f"{reader.name} {seed}")
        self._hold = hold
        self._eager = eager
        self._found = found
        self._lines = Lines()
        self._growth = Growth()
        self._corpus: list[bytes] = []
        self._avoided: set[bytes] = set()

    def begin(self) -> None:
        """Read the sound inputs."""
        for data in self.reader.seeds():
            self._corpus.append(data)
            self._take(data, watched=True)

    def avoid(self, data: bytes) -> None:
        """Never read this input: it ends the process."""
        self._avoided.add(data)

    def more(self, count: int) -> None:
        """Make so many inputs, and read them."""
        mutate, rng, corpus = self.reader.mutate, self._rng, self._corpus
        for _ in range(count):
            recent = rng.random() < 0.5
            parent = corpus[
                rng.randrange(max(0, len(corpus) - _RECENT), len(corpus)) if recent else rng.randrange(len(corpus))
            ]
            data = mutate(rng, parent, corpus)
            number = self.figures.inputs
            self._take(data, watched=number < self._eager or number % _TRACED == 0)

    def state(self) -> dict[str, Any]:
        """Give all that it takes to go on; see :meth:`restore`."""
        return {
            "random": self._rng.getstate(),
            "corpus": self._corpus,
            "figures": self.figures,
            "lines": self._lines.seen,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where another process was."""
        self._rng.setstate(state["random"])
        self._corpus[:] = state["corpus"]
        self.figures = state["figures"]
        self._lines.seen |= state["lines"]

    def _take(self, data: bytes, *, watched: bool) -> None:
        if data in self._avoided:
            return
        self._hold(data)
        figures, lines = self.figures, len(self._lines)
        figures.inputs += 1
        began = begin()
        try:
            outcome = self._read(data, watched=watched)
        except Exception as error:  # noqa: BLE001 - all that a reader raises is a mistake of it
            self._mistaken(data, error)
            return
        finally:
            if not watched or self._lines.always:
                figures.slowest = max(figures.slowest, _since(began))
        fresh = outcome not in figures.outcomes
        figures.outcomes[outcome] = figures.outcomes.get(outcome, 0) + 1
        if fresh and not watched:
            self._read(data, watched=True)
        figures.lines = len(self._lines)
        news = fresh or figures.lines > lines
        if news or self._growth.noticed():
            self._keep(data, news=news)

    def _read(self, data: bytes, *, watched: bool) -> str:
        if not watched:
            return self.reader.read(data)
        with self._lines.watched():
            return self.reader.read(data)

    def _keep(self, data: bytes, *, news: bool) -> None:
        try:
            self.figures.largest = max(self.figures.largest, weigh(self.reader, data))
            self.figures.weighed += 1
        except TooMuch as error:
            self._mistaken(data, error)
            return
        if news and len(self._corpus) < _MOST:
            self._corpus.append(data)

    def _mistaken(self, data: bytes, error: BaseException) -> None:
        name = signature(error)
        known = name in self.figures.mistakes
        self.figures.mistakes[name] = self.figures.mistakes.get(name, 0) + 1
        if not known:
            self._found(name, data, error)


def _since(began: float) -> float:
    import time

    return time.thread_time() - began


def mistake_of(reader: Reader, data: bytes) -> str:
    """Read one input, and weigh it; give the signature of the mistake, or nothing."""
    begin()
    try:
        reader.read(data)
        weigh(reader, data)
    except Exception as error:  # noqa: BLE001
        return signature(error)
    return ""


__all__ = ["Campaign", "Figures", "Mistake", "mistake_of"]
