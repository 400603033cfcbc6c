"""Cells that misbehave, one way each, among cells that do nothing wrong.

A module of its own, because workers import it.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from time import perf_counter
from typing import NoReturn

from tests.faults import inside


class TwoArguments(Exception):
    """Pickles, and does not come back: its constructor wants more than its `args` give."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__(f"{left} and {right}")


class Explosive(Exception):
    """Comes back only as another exception."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return _explode, ()


class Stubborn(Exception):
    """Cannot be pickled at all, and says so with an exception nobody expects."""

    def __reduce__(self) -> NoReturn:
        raise SystemExit("in __reduce__")


class Mute(Exception):
    """Cannot even say what it is."""

    def __str__(self) -> NoReturn:
        raise KeyboardInterrupt("in __str__")


def _explode() -> NoReturn:
    raise ZeroDivisionError("unpickled")


def _dies(kind: type[BaseException]) -> Callable[[], NoReturn]:
    def die() -> NoReturn:
        raise kind("culprit")

    return die


def _two_arguments() -> NoReturn:
    raise TwoArguments("one", "other")


def _deep_list() -> list[object]:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


def _killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _segfault() -> None:
    ctypes.string_at(0)


def _leaves() -> None:
    os._exit(0)


def _closes_all() -> None:
    os.closerange(0, 4096)


WAYS: dict[str, Callable[[], object]] = {
    "SIGKILL": _killed,
    "segfault": _segfault,
    "abort": os.abort,
    "exit 0": _leaves,
    "closes all": _closes_all,
    "two arguments": _two_arguments,
    "explosive": _dies(Explosive),
    "stubborn": _dies(Stubborn),
    "mute": _dies(Mute),
    "SystemExit": _dies(SystemExit),
    "KeyboardInterrupt": _dies(KeyboardInterrupt),
    "GeneratorExit": _dies(GeneratorExit),
    "MemoryError": _dies(MemoryError),
    "generator": lambda: (i for i in range(3)),
    "deep list": _deep_list,
}


def cell(number: int, culprit: int, way: str, seconds: float) -> object:
    """Do nothing wrong for so many seconds, unless this is the culprit."""
    inside.executed("cell", number)
    end = perf_counter() + seconds
    while perf_counter() < end:
        pass
    return WAYS[way]() if number == culprit else number


def dies_away(number: int, culprit: int, home: int) -> int:
    """Kill whatever process the culprit is in, unless that is home."""
    if number == culprit and os.getpid() != home:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def follows(number: int, culprit: int, way: str) -> object:
    """Give the number on, unless this is the culprit."""
    return WAYS[way]() if number == culprit else number


async def coroutine(number: int, culprit: int, way: str, seconds: float) -> object:
    """As `cell`, on the event loop."""
    return cell(number, culprit, way, seconds)
