"""What a message says of the cells that ride in it (contract W5b).

Riders are the last cells of a job. Of each it is told which cells of the job, before it,
make its inputs; and, where the store had records before the run, what its key is made of,
since only the worker will know the rest of it. A rider whose makers did not all give a
value, or whose key may have a record, is not begun and comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from flowcore.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Riders:
    """The last cells of a job, in columns of one entry a rider."""

    first: int  # the place in the job of the first of them
    makers: list[list[int]]  # a slot: the place of the cell that makes the value, -1: it is there; empty: all are
    known: str = ""  # the file that tells of older keys; empty: there are none
    prefixes: list[bytes] = field(default_factory=list)  # of keys; from here on only where there are older ones
    own: list[tuple[list[int], bytes | None]] = field(default_factory=list)
    # slots and skeleton of each parameter that has a component of its own
    components: list[list[bytes]] = field(default_factory=list)  # a slot; a single one that all share

    def pack(self) -> list[object]:
        """Give the fields as one plain list."""
        return [self.first, self.makers, self.known, self.prefixes, self.own, self.components]

    @classmethod
    def unpack(cls, fields: Sequence[object]) -> Riders:
        """Read what :meth:`pack` gave."""
        first, makers, known, prefixes, own, components = fields
        parameters = [(slots, skeleton) for slots, skeleton in own]  # type: ignore[attr-defined]
        return cls(first=first, makers=makers, known=known, prefixes=prefixes, own=parameters, components=components)  # type: ignore[arg-type]
