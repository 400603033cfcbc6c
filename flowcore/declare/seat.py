"""What a loop needs of the place where its states are kept, and what such a state is.

Owns the border between the loop (`checkpoint.py`) and who keeps its states: a running
cell's seat (`run/cell/seat.py`), or nobody (`alone.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeAlias

NEVER: Final = float("inf")
NO_STEP: Final = 1 << 62

Saved: TypeAlias = tuple[int, int, dict[str, object]]
"""Loops done, steps of the next one that are done, and values by name."""

Values: TypeAlias = Callable[[], dict[str, object]]


class Stopped(BaseException):  # noqa: N818 - says what is the case
    """A loop has saved its state and ends here, because its run was told to stop; no `except Exception` sees it."""


class StartOver(BaseException):  # noqa: N818 - says what is to be done
    """A state was taken up that lies behind where the loop is to end: its task is called anew, and goes on from before.

    What comes before the loop may have looked at the state, so it is not enough to put another one in place.
    """

    def __init__(self, place: tuple[int, int]) -> None:
        super().__init__(place)
        self.place = place  # loop and step from which on no state is taken up


class Pulse(Protocol):
    """Where a loop says which step it has finished, and sees that it is to stop: a worker's slot."""

    step: int

    @property
    def stopping(self) -> bool:
        """Whether the loop should save its state and end."""
        ...


class Seat(Protocol):
    """Where the states of a running cell are kept. One thread."""

    wake: float  # clock.monotonic from which on something is due
    mark: int  # the step from which on something is due

    @property
    def lengthens(self) -> bool:
        """Whether states of a longer simulation are kept here as well."""
        ...

    @property
    def pulse(self) -> Pulse:
        """Where the loop says how far it is, and sees that it is to stop."""
        ...

    def first(self, initial: Mapping[str, object]) -> Saved | None:
        """Give loops done, steps done and values to go on from; None: from the start."""
        ...

    def earlier(self, loop: int, step: int) -> Saved | None:
        """Give the state at a step or nearest before it, to be looked at; None: from the start."""
        ...

    def start_over(self, loop: int, step: int) -> None:
        """Have the task called anew, and go on from a state at a step or nearest before it: raises StartOver."""
        ...

    def last(self) -> Saved:
        """Give the state that was saved last; an error if there is none that fits."""
        ...

    def attend(self, loop: int, step: int, total: int | None, values: Values) -> None:
        """Do what is due after a step: save, tell, and raise Stopped if the loop is to end."""
        ...

    def ended(self, loop: int, step: int, values: Values) -> None:
        """Take note that a loop is complete."""
        ...

    def left(self, loop: int) -> None:
        """Take note that a loop was left by ``break``: the one behind it is the next."""
        ...

    def altered(self, values: Values) -> dict[str, object]:
        """Give what was taken up, for each name whose value is another by now: it was changed before the loop."""
        ...

    def enter(self, loop: int, *, done: bool) -> None:
        """A loop begins, or is passed over since it was done: random streams stand where they stood there."""
        ...

    def save(self, loop: int, step: int, values: Values, *, inside: bool) -> None:
        """Save now, inside a loop or outside."""
        ...

    def metric(self, numbers: Mapping[str, Any]) -> None:
        """Take note of live numbers."""
        ...

    def append(self, name: str, value: object, *, inside: bool) -> None:
        """Add a frame to a series, inside a loop or before and behind: what is there again after an interruption."""
        ...

    def series(self, name: str) -> Any:
        """Give a series."""
        ...


class State:
    """What a simulation consists of: one attribute for each name that was given, and no other."""

    __slots__ = ()

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={_told(getattr(self, name, None))}" for name in names_of(self))
        return f"State({told})"


def names_of(state: State) -> tuple[str, ...]:
    """Give the names in a state."""
    return type(state).__slots__


def values_of(state: State) -> dict[str, object]:
    """Give a state's values by name."""
    return {name: getattr(state, name) for name in names_of(state)}


def _told(value: object) -> str:
    shape = getattr(value, "shape", None)
    if shape:
        return f"{getattr(value, 'dtype', type(value).__name__)}{list(shape)}"
    return repr(value) if isinstance(value, int | float | str | bool | None) else type(value).__name__
