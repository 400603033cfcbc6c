"""A run in short: when it began, how it ended, and how many cells came how far.

Pure: from the facts that a run wrote of itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from flowcore.dataclass import dataclass
from flowcore.store.layout import run_began


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """A run, in short.

    Attributes
    ----------
    id : str
        Its id; ids sort by when runs began.
    flow : str
        The flow's name.
    status : str
        ``running``, ``done``, ``failed``, ``interrupted``; ``broken`` by a fault of flowcore; ``dead``
        if it ended without a word, as one does that is killed; ``accepted`` for what `Flow.accept` wrote.
    began : float
        Seconds since 1970.
    seconds : float
        Wall time so far, or in all.
    cells : dict
        How many there are (``cells``) and how many came how far: ``done``, ``hit``,
        ``failed``, ``skipped``, ``blocked``, ``interrupted``, ``running``.
    workers : int
        Cells that could run at once in processes.
    """

    id: str
    flow: str
    status: str
    began: float
    seconds: float
    cells: dict[str, int] = field(default_factory=dict)
    workers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CellInfo:
    """A cell of a recorded run.

    Attributes
    ----------
    cell : str
        Its readable id.
    labels : dict
        Axis to label.
    state : str
        ``done``, ``hit`` (answered by the store), ``given``, ``failed``, ``skipped``,
        ``blocked`` (something it needs failed), ``interrupted``, ``waiting`` or ``not run``.
    seconds : float
        Wall time inside the user's function; 0 where it was not called.
    attempts : int
        How often it was tried.
    key : str
        Its key, in hex; empty where it has none.
    number : int
        Its place among the node's cells.
    """

    cell: str
    labels: dict[str, object]
    state: str
    seconds: float
    attempts: int
    key: str
    number: int


def in_short(run_id: str, facts: Mapping[str, object], status: str, counts: Mapping[str, object]) -> RunInfo:
    """Give a run that is over, by what it wrote when it began and ended."""
    cells = {str(name): n for name, n in counts.items() if isinstance(n, int) and name != "seconds"}
    return RunInfo(
        id=run_id, flow=str(facts.get("flow", "")), status=status or "dead",
        began=number_of(facts.get("began")) or run_began(run_id), seconds=number_of(counts.get("seconds")),
        cells=cells | {"running": 0}, workers=int(number_of(facts.get("workers"))),
    )  # fmt: skip


def number_of(found: object) -> float:
    """Give a number that a journal told; 0 for what is none."""
    return float(found) if isinstance(found, int | float) else 0.0
