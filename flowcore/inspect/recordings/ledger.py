"""What a journal tells of the cells of one node, in the order in which it came."""

from __future__ import annotations

from dataclasses import field

from flowcore.dataclass import dataclass
from flowcore.run.books import Counts
from flowcore.store.history import Answered, CellFailed, CellSkipped, Left
from flowcore.store.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAxis:
    """An axis: its labels and what they are called in ids, or the node whose values give them."""

    name: str
    labels: tuple[object, ...] | None
    told: tuple[str, ...] = ()
    source: int | None = None


@dataclass(slots=True)
class Ledger:
    """What is known of one node's cells, as it came."""

    axes: tuple[RecordedAxis, ...] = ()
    counts: Counts = field(default_factory=Counts)
    seconds: float = 0.0  # inside the user's function, summed
    events: list[Trace | Answered | CellFailed | CellSkipped | Left] = field(default_factory=list)
    places: dict[int, tuple[Trace | Answered | CellFailed | CellSkipped | Left, int]] = field(default_factory=dict)
    indexed: int = 0
    common: dict[str, bytes] = field(default_factory=dict)  # components that the keys of its cells share, by name
    own: tuple[str, ...] = ()  # names of those that each cell has for itself
    sketches: dict[bytes, str] = field(default_factory=dict)  # of constants, by component
    tried: dict[int, int] = field(default_factory=dict)

    def index(self) -> dict[int, tuple[Trace | Answered | CellFailed | CellSkipped | Left, int]]:
        """Give the last that was told of each cell, and the place in it."""
        for event in self.events[self.indexed :]:
            if isinstance(event, CellFailed | CellSkipped):
                self.places[event.number] = (event, 0)
            elif isinstance(event, Left):
                for n in event.numbers:
                    self.places.setdefault(n, (event, 0))  # a reason given earlier says more
            else:
                self.places.update((n, (event, row)) for row, n in enumerate(event.numbers))
        self.indexed = len(self.events)
        return self.places
