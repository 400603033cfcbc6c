"""What a message says of the cells that ride in it (contract W5b).

Riders are the last cells of a job, and of its wagons, which hold cells of other tasks. The
*place* of a cell is its turn in the message: those that do not ride come first, then the
riders as they were found, whatever task they are of, so that each comes behind all that
makes its inputs. Of each it is told at which places that is; and, where the store had
records before the run, what its key is made of, since only the worker will know the rest
of it. A rider whose makers did not all give a value, or whose key may have a record, is
not begun and comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from flowcore.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Riders:
    """The last cells of a job, in columns of one entry a rider."""

    first: int  # where in the job the first of them is
    places: list[int] = field(default_factory=list)  # of all cells of the job in the message; empty: as in the job
    makers: list[list[int]]  # a slot: the place of the cell that makes the value, -1: it is there; empty: all are
    known: str = ""  # the file that tells of older keys; empty: there are none
    prefixes: list[bytes] = field(default_factory=list)  # of keys; from here on only where there are older ones
    own: list[tuple[list[int], bytes | None]] = field(default_factory=list)
    # slots and skeleton of each parameter that has a component of its own
    components: list[list[bytes]] = field(default_factory=list)  # a slot; a single one that all share

    def place(self, i: int) -> int:
        """Give the place in the message of the i-th cell of the job."""
        return self.places[i] if self.places else i

    def pack(self) -> list[object]:
        """Give the fields as one plain list."""
        return [self.first, self.places, self.makers, self.known, self.prefixes, self.own, self.components]

    @classmethod
    def unpack(cls, fields: Sequence[object]) -> Riders:
        """Read what :meth:`pack` gave."""
        first, places, makers, known, prefixes, own, components = fields
        return cls(
            first=first, places=places, makers=makers, known=known, prefixes=prefixes,  # type: ignore[arg-type]
            own=[(slots, skeleton) for slots, skeleton in own], components=components,  # type: ignore[attr-defined,arg-type]
        )  # fmt: skip
