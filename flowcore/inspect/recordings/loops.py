"""Loops over steps, seen from outside: how far each is, and what is committed of its series.

Owns what the journal tells of them, and the reading of a series while the cell that
writes it runs. Writes nothing.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from flowcore.dataclass import dataclass
from flowcore.store.checkpoint import Checkpoints
from flowcore.store.history import Claimed, Stepped

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(slots=True)
class Loops:
    """What a journal tells of the loops of a run's cells."""

    steps: dict[tuple[int, int], Stepped] = field(default_factory=dict)  # by node and number: the last that was told
    history: dict[tuple[int, int], list[Stepped]] = field(default_factory=dict)  # all that was told, in order
    keys: dict[tuple[int, int], bytes] = field(default_factory=dict)  # under which their states are saved

    def take(self, told: Claimed | Stepped) -> None:
        """Take in what was written."""
        if isinstance(told, Stepped):
            self.steps[told.node, told.number] = told
            self.history.setdefault((told.node, told.number), []).append(told)
        else:
            self.keys.update(((told.node, n), key) for n, key in zip(told.numbers, told.keys, strict=True) if key)


def peek(checkpoints: Checkpoints, key: bytes, *, cell: str, name: str) -> NDArray[Any]:
    """Give what is committed of a series.

    Raises
    ------
    LookupError
        If there is nothing: not yet, or not any more, since the cell is done.
    """
    found = checkpoints.at(key).peek(name) if key else None
    if found is None:
        raise LookupError(
            f"{cell} has no series {name!r} to look at: nothing of it is committed yet, or the cell is done "
            "and the series is in what it returned"
        )
    return found


def step_told(told: Stepped) -> str:
    """Tell how far a loop is.

    Examples
    --------
    >>> step_told(Stepped(node=1, number=0, step=420, steps=1000, numbers={"mean": 0.125}))
    'step 420 of 1000, mean=0.125'
    """
    of = f" of {told.steps}" if told.steps else ""
    return ", ".join([f"step {told.step}{of}", *(f"{name}={value:.6g}" for name, value in told.numbers.items())])
