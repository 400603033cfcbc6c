"""What the fuzzer needs to know of a reader, and what a mistake of one is."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from tests.fuzz.mutation import Mutate, by_structure


class Mistake(Exception):
    """A reader did what it must not: it gave something untrue, or broke a promise that raises nothing."""


class TooMuch(Exception):
    """A reader took more time or memory than its input is worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Something of flowcore that is given bytes.

    Attributes
    ----------
    name : str
    seeds : callable
        Gives sound inputs, from stores and messages of real runs.
    read : callable
        Has an input read in every way there is, and compares with what may come of it. Gives the
        outcome in a few words; raises Mistake. Whatever else it raises is a mistake, too.
    mutate : callable
        Makes an input of another.
    factor, room : int
        Bytes that may be allocated: so many times the input, and so many besides.
    """

    name: str
    seeds: Callable[[], list[bytes]]
    read: Callable[[bytes], str]
    mutate: Mutate = by_structure
    factor: int = 40
    room: int = 6 << 20


_CHANGING = re.compile(r"0x[0-9a-f]+|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|'[^']*'|\"[^\"]*\"|b'.*")


def signature(error: BaseException) -> str:
    """Tell one mistake from another: the kind of the error, and the last place in flowcore that it came through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/tests/" not in frame.filename]
    ours = [frame for frame in frames if "flowcore/" in frame.filename.replace("\\", "/")]
    place = ours[-1] if ours else None
    where = f"{place.filename.rpartition('flowcore/')[2]}:{place.name}" if place is not None else "oracle"
    told = f" {words(str(error))}" if isinstance(error, Mistake) else ""
    return f"{type(error).__name__} at {where}{told}"


def words(text: str) -> str:
    """Give a message without what changes from input to input."""
    return _CHANGING.sub("*", text)[:100]
