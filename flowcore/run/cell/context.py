"""What surrounds one running cell.

There is one context a job, moved on from cell to cell, in the thread or coroutine that
runs it (:data:`current`). User code reaches it through flowcore's own injected objects.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol, cast

from flowcore.dataclass import dataclass
from flowcore.declare.injected import CELL, Injected
from flowcore.run.cell.pages import Pages
from flowcore.run.cell.supply import Supplied, inner


class SlotLike(Protocol):
    """Where a worker says which attempt it is on, and sees that it is to stop."""

    @property
    def stopping(self) -> bool:
        """Whether no further cell may begin."""
        ...

    def begin(self, attempt: int) -> None:
        """Name the attempt that is now running."""
        ...

    def clear(self) -> None:
        """Name none."""
        ...

    def ask_to_stop(self) -> None:
        """Have no further cell begin, and loops over steps end."""
        ...


@dataclass(slots=True)
class Context:
    """What surrounds one running cell."""

    cell: str  # the node's name
    number: int
    attempt: int
    slot: SlotLike
    depth: int = 0  # how many runs the cell's run is nested in
    cores: int = 1  # what a run inside this cell may use
    pages: Pages | None = None  # where what it prints goes, in a process that runs other things as well
    supplied: Supplied | None = None  # what this cell has of its own; None: its task asks for nothing

    def inner(self, asked: Injected, task: str) -> object:
        """Give what the parameter of a task called plainly in this cell gets."""
        return inner(asked, task, self.supplied or Supplied(node=self.cell))


current: ContextVar[Context | None] = cast("ContextVar[Context | None]", CELL)
