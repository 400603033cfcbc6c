"""What makes a result doubtful: it repeats what it should not, or does not repeat what it should.

A part of the tree in `flowcore.errors` (``w`` marks kinds that are issued as warnings)::

    FlowcoreError
    ├── RepeatedStream         w    two cells of a run draw the same numbers
    ├── TwoValues              w    one key, computed twice, gave two values
    ├── NotReproducible        w    a task draws from the process's global stream
    ├── NothingToAccept             (LookupError) `flow.accept` finds no older result, or none is needed
    └── Unseeded                    (RuntimeError) a stream that the key does not know of

None of them changes a value: they tell that one cannot be relied upon as it looks.
"""

from __future__ import annotations

from collections.abc import Iterator

from flowcore.dataclass import dataclass
from flowcore.errors import FlowcoreError, FlowcoreWarning


@dataclass(kw_only=True, eq=False)
class RepeatedStream(FlowcoreError, FlowcoreWarning):
    """Two cells of a run have the same task and arguments, and so draw the same random numbers."""

    task: str
    first: str  # readable ids of the cells
    second: str
    at: str = ""  # file:line where the second one is drawn

    def lines(self) -> Iterator[str]:
        where = f" ({self.at})" if self.at else ""
        yield f"{self.first} and {self.second} draw the same random numbers{where}."
        yield f"A cell's stream comes from the run's seed, the task ({self.task}) and the arguments: all are equal."
        yield "For several samples give the task a parameter `replica`, and call it with fc.each(replica=range(10))."


@dataclass(kw_only=True, eq=False)
class NotReproducible(FlowcoreError, FlowcoreWarning):
    """A task that is kept draws from the process's global stream of random numbers."""

    node: str
    draws: tuple[str, ...]  # the functions it reaches, as written: "np.random.normal"
    at: str = ""  # file:line where the node is drawn

    def lines(self) -> Iterator[str]:
        where = f" ({self.at})" if self.at else ""
        yield f"{self.node} is not reproducible: its code draws from {', '.join(self.draws[:3])}{where}."
        yield "Its results are kept, but depend on which process ran it, and on what ran there before."
        yield "Take a stream instead: a parameter `rng: np.random.Generator = fc.rng()`, and rng.normal() and the like."


@dataclass(kw_only=True, eq=False)
class Unseeded(FlowcoreError, RuntimeError):
    """A task that asks for a stream was called inside a cell whose key does not know of it."""

    node: str  # whose cell it is
    task: str  # the one that was called

    def lines(self) -> Iterator[str]:
        yield f"{self.task}() asks for fc.rng(), but it could not be seen that {self.node}() calls it."
        yield "So the run's seed is not in the key of this cell, and a result for one seed would answer for another."
        yield f"Call it by its name, or say so: @fc.compute(tracks=({self.task},))."


@dataclass(kw_only=True, eq=False)
class TwoValues(FlowcoreError, FlowcoreWarning):
    """A cell was computed again under a key that has a value, and gave another one."""

    task: str
    cell: str
    at: str = ""  # file:line where its node is drawn
    refreshed: bool = False  # the user asked for it, and the new value is the one that counts

    def lines(self) -> Iterator[str]:
        where = f" ({self.at})" if self.at else ""
        yield f"{self.task} gave two values for one key: {self.cell} is not what is recorded for it{where}."
        kept = "The new one takes its place, as refresh= says" if self.refreshed else "The first one stays"
        yield f"{kept}; run.summary() counts such cells."
        yield "Something that no key knows of decides: random numbers (fc.rng()), a file (fc.File), order of threads."


@dataclass(kw_only=True, eq=False)
class NothingToAccept(FlowcoreError, LookupError):
    """There is no older result that could answer, or nothing has to be answered."""

    cell: str
    because: str

    def lines(self) -> Iterator[str]:
        yield f"Nothing of {self.cell} can be accepted: {self.because}."
        yield f"Nothing was written. flow.why({self.cell!r}) tells more."
