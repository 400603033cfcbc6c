"""Riders as the engine sees them: what they are made of is known only when it lands (contract W5b).

Owns what the cells of one message have made. A rider's key is made of the identities that
its own message gave, never of what is in the run's books by then: a maker whose value
vanished may have been made again meanwhile, and differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from flowcore.dataclass import dataclass
from flowcore.plan.keys import cell_key
from flowcore.plan.records import combine
from flowcore.run.job import Component
from flowcore.run.rides.riders import Riders


@dataclass(slots=True)
class Boarding:
    """The riders of one flight. The engine's thread."""

    riders: Riders
    begins: int  # the attempt of the first; they count up from there
    keyed: bool  # whether their values are kept under a key
    made: dict[int, Component] = field(default_factory=dict)  # by the place in the message, whose flights share it

    def identified(self, place: int) -> tuple[bytes, list[Component]]:
        """Give the key of the rider at a place of the flight, and its own components; empty if it has none."""
        riders, rider = self.riders, place - self.riders.first
        own = []
        for slots, skeleton in riders.own:
            parts = [self._component(slot, rider) for slot in slots]
            if not all(parts):
                return b"", [b""] * len(riders.own)
            own.append(parts[0] if skeleton is None else combine("tree", [skeleton, *parts]))
        return cell_key(riders.prefixes[rider], own) if self.keyed else b"", own

    def _component(self, slot: int, rider: int) -> Component:
        makers: Sequence[int] = self.riders.makers[slot]
        if makers and makers[rider] >= 0:
            return self.made.get(makers[rider], b"")
        column = self.riders.components[slot]
        return column[rider if len(column) > 1 else 0]
