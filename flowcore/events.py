"""What happens in a run, as small frozen records, and the one way to listen.

Events are told, never asked: an observer cannot change a run, and one that raises or
blocks is left out (contract F36). Counts come one event a group of cells, never one
event a cell.
"""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias, runtime_checkable

from flowcore.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run has begun."""

    run: str  # its id
    flow: str
    nodes: int
    workers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDrawn:
    """A node is part of the run; told again when its number of cells becomes known."""

    node: int  # number in the flow
    name: str
    kind: str
    group: tuple[str, ...] = ()
    cells: int | None = None  # None: known only when its inputs are there
    task: str = ""  # what its task is called: the nodes of a loop share it


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """How many cells of one node have come how far, in all."""

    node: int
    started: int = 0  # running now
    done: int = 0  # ran and gave a value
    hit: int = 0  # answered by the store
    failed: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A cell wrote to its standard output or error."""

    cell: str  # its readable id
    stream: Literal["stdout", "stderr"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """A loop over steps has come further; told about once a second a cell."""

    node: int
    cell: str  # its readable id
    step: int  # steps that are done
    steps: int | None = None  # in all; None: not known
    seconds_left: float | None = None  # forecast from the rate of steps; None: not known
    numbers: tuple[tuple[str, float], ...] = ()  # live ones, by name


@dataclass(frozen=True, slots=True, kw_only=True)
class CellsParked:
    """So many cells wait for what other live runs of the store are computing; told when that changes.

    Examples
    --------
    >>> CellsParked(cells=1, runs=("20261122T132154-0123456789abcdef",)).told
    '1 cell waits for run 20261122T132154-0123456789abcdef'
    >>> CellsParked(cells=3, runs=("a", "b")).told
    '3 cells wait for 2 other runs'
    """

    cells: int = 0
    runs: tuple[str, ...] = ()  # their ids

    @property
    def told(self) -> str:
        """What there is to say; empty if none waits."""
        if not self.cells:
            return ""
        whom = f"run {self.runs[0]}" if len(self.runs) == 1 else f"{len(self.runs)} other runs"
        return f"1 cell waits for {whom}" if self.cells == 1 else f"{self.cells} cells wait for {whom}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStopping:
    """A run begins nothing new; what runs may finish, or is being ended."""

    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """A run is over."""

    run: str
    status: str
    seconds: float  # wall time


Event: TypeAlias = RunStarted | NodeDrawn | Cells | Advanced | Printed | CellsParked | RunStopping | RunEnded


@runtime_checkable
class Observer(Protocol):
    """Is told what happens in a run, in order, from one thread.

    Examples
    --------
    >>> class Names:
    ...     def on_event(self, event: Event) -> None:
    ...         print(type(event).__name__)
    >>> isinstance(Names(), Observer)
    True
    """

    def on_event(self, event: Event) -> None:
        """Take note of one event; must return soon."""
        ...
