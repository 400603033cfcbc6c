"""Riders as the engine sees them: what they are made of is known only when it lands (contract W5b).

Owns what the cells of one message have made. A rider's key is made of the identities that
its own message gave, never of what is in the run's books by then: a maker whose value
vanished may have been made again meanwhile, and differ.
"""

from __future__ import annotations

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
        riders, rider, made = self.riders, place - self.riders.first, self.made
        makers, own = riders.makers, list[Component]()
        for slots, skeleton in riders.own:
            parts = [] if skeleton is None else [skeleton]
            for slot in slots:
                column = makers[slot]
                if column and column[rider] >= 0:
                    parts.append(made.get(column[rider], b""))
                else:
                    known = riders.components[slot]
                    parts.append(known[rider if len(known) > 1 else 0])
            component = parts[0] if skeleton is None else combine("tree", parts)
            if not component:
                return b"", [b""] * len(riders.own)
            own.append(component)
        return cell_key(riders.prefixes[rider], own) if self.keyed else b"", own
