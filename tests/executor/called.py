"""What tests of executors have called, and values that break on their way. Imported in workers."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import flowcore as fc


class Door:
    """A place where a call waits until it is let through: two named pipes."""

    def __init__(self, folder: Path, name: str = "door") -> None:
        self.begun, self.gate = str(folder / f"{name}-begun"), str(folder / f"{name}-gate")
        self.arrived = False
        for path in (self.begun, self.gate):
            os.mkfifo(path)

    def await_arrival(self) -> None:
        """Wait until a call is there."""
        if not self.arrived:
            with open(self.begun) as pipe:
                pipe.read()
        self.arrived = True

    def open(self) -> None:
        """Let it through; waits until it is there."""
        self.await_arrival()
        with open(self.gate, "w"):
            return


def through(door: Door, value: Any = None) -> Any:
    """Wait at a door, and give a value."""
    with open(door.begun, "w"):
        pass
    with open(door.gate) as pipe:
        pipe.read()
    return value


def either(path: str, *, opens: bool) -> bool:
    """Open one end of a named pipe, which waits for whoever opens the other; without a path give at once."""
    if path:
        with open(path, "w" if opens else "r"):
            pass
    return opens


def times(x: Any, factor: int = 2) -> Any:
    """Multiply."""
    return x * factor


class Ours(Exception):  # noqa: N818 - it is no error that counts
    """An exception that can be referred to weakly."""


def ours() -> None:
    """Raise one."""
    raise Ours


def complain(text: str) -> None:
    """Raise."""
    raise LookupError(text)


def pid() -> int:
    """Give the worker's process."""
    return os.getpid()


def die(number: int = signal.SIGKILL) -> None:
    """End by a signal."""
    os.kill(os.getpid(), number)
    time.sleep(60)


def die_at(x: int, last: int) -> int:
    """Give a number, or end at the last one."""
    if x == last:
        os._exit(3)
    return x


def fill(count: int) -> Any:
    """Give a large array."""
    return np.arange(count, dtype=np.float64)


def overwrite(array: Any) -> float:
    """Write into what was given."""
    array[...] = 7.0
    return float(array.sum())


class At:
    """Does something at one moment of its journey: when it is pickled, or read again."""

    def __init__(self, moment: str, act: Callable[[], object]) -> None:
        self.moment, self.act = moment, act

    def __reduce__(self) -> tuple[Any, ...]:
        if self.moment == "pickled":
            self.act()
        return (_read, (self.act,)) if self.moment == "read" else (At, ("", self.act))


def _read(act: Callable[[], object]) -> object:
    act()
    return None


def at(moment: str, act: Callable[[], object]) -> At:
    """Give a value that does something on its way back."""
    return At(moment, act)


def fail() -> None:
    """Raise an error."""
    raise ZeroDivisionError("on the way")


def leave() -> None:
    """Ask the interpreter to end."""
    sys.exit(5)


def end() -> None:
    """End the process."""
    os._exit(5)


class Stubborn(Exception):  # noqa: N818 - the name is the point
    """An exception that does not come back from its pickle."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def stubborn() -> None:
    """Raise one."""
    raise Stubborn(1, 2)


def recurse() -> None:
    """Come to no end."""
    recurse()


def leave_traces(folder: str, *, raises: bool = False) -> tuple[str, str | None]:
    """Tell where the process is and what is in its environment, and change both; with `raises`, leave a line too."""
    found = os.getcwd(), os.environ.get("FLOWCORE_TEST_TRACE")
    os.chdir(folder)
    os.environ["FLOWCORE_TEST_TRACE"] = folder
    if raises:
        line = os.open("lines", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(line, b".")
        os.close(line)
        raise LookupError(folder)
    return found


_given: list[object] = []


def prepare(*given: object) -> None:
    """Be an initializer."""
    _given[:] = given
    os.environ["FLOWCORE_TEST_PREPARED"] = str(len(given))


def prepared() -> tuple[list[object], str | None]:
    """Tell what an initializer did."""
    return _given, os.environ.get("FLOWCORE_TEST_PREPARED")


def within(levels: int) -> list[int]:
    """Use an executor in a call, so many levels deep; give how many workers each has."""
    with fc.Executor() as executor:
        inner = executor.submit(within, levels - 1).result() if levels > 1 else []
        return [executor._max_workers, *inner]


def say(text: str) -> None:
    """Print on both streams."""
    for stream in (sys.stdout, sys.stderr):
        stream.write(f"{text}\n")
