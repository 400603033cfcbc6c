"""A flow on its way from the cell that returned it to the engine: plain lists (contract K30).

Owns the form of that message, in which nodes are numbered as drawn and refer to each
other by these numbers. Values are records and identities, functions are paths to import
or bytes that nobody opens on the way; so the engine runs no code of whoever drew, and
unpickles nothing. `run/growing/nursery.py` makes it, `run/growing/planting.py` reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Self, TypeAlias

from flowcore.dataclass import dataclass

Form: TypeAlias = list[Any]
"""An argument, as `declare/node.py` has it, as plain lists:

``["literal", record]``         None in place of the record where the call itself has it
``["plain", node]``
``["along", axis, labelled]``   whether its values are what the axis is labelled by
``["element", axis]``
``["gathered", node, over, labels, missing]``
``["tree", kind, [[record of the key, form], ...]]``
"""


class Flat:
    """A record that goes as the plain list of its fields."""

    __slots__ = ()

    def pack(self) -> list[object]:
        """Give the fields as one plain list."""
        return [getattr(self, name) for name in _names(type(self))]

    @classmethod
    def unpack(cls, packed: Sequence[Any]) -> Self:
        """Read what :meth:`pack` gave.

        Raises
        ------
        ValueError
            If it is no such list.
        """
        return cls(**dict(zip(_names(cls), packed, strict=True)))


_NAMES: dict[type, tuple[str, ...]] = {}


def _names(kind: type) -> tuple[str, ...]:
    known = _NAMES.get(kind)
    if known is None:
        known = _NAMES[kind] = tuple(field.name for field in fields(kind))
    return known


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnAxis(Flat):
    """An axis of a drawing."""

    name: str
    labels: bytes | None  # record of the list of them; None: known only in the run
    source: int  # number of the node whose value it runs over; -1: it has labels


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnRecipe(Flat):
    """What nodes of one task share, see `run/ready/recipe.py`."""

    task: list[object]  # a TaskSpec, packed; its id means nothing
    options: bytes  # record of the task's options
    runner: str
    shared: bool
    keep: int
    own: list[Any]  # name, slots and skeleton of each parameter that differs from cell to cell
    constants: dict[str, bytes]
    claimed: dict[str, bytes] | None  # what claims of saved states are made of
    common: dict[str, bytes] | None  # None: its cells are not keyed
    varying: list[str]
    draws: bool
    unfollowed: list[str]
    tracked: list[str]  # files and variables that the task tracks
    known: list[str]  # what they are, as it entered the keys


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnNode(Flat):
    """A node of a drawing."""

    name: str
    kind: str
    group: list[str]
    site: str
    axes: list[int]  # places among the drawing's axes
    after: list[int]
    forms: list[Any]  # parameter and form of each argument
    positional: int
    task: list[Any] | None  # module and qualified name of its function, its own name, whether it is async
    recipe: int  # place among the drawing's recipes; -1: nothing is called for it
    varying: dict[str, bytes]  # identities of the constants that are its own
    along: list[Any]  # slot, records, identities: of the values along a static axis
    small: list[Any]  # record and identity of each constant that is a slot
    classes: list[str]  # names of user classes in its constants
    met: list[Any]  # name and code identity of each, where it calls no task
    held: list[bytes]
    sketches: dict[bytes, str]
    supplied: list[str]  # kinds of what its cells are supplied with


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnFlow(Flat):
    """A flow that a cell returned; its last node gives its result."""

    name: str
    axes: list[Any]
    recipes: list[bytes]  # each a DrawnRecipe, packed: equal ones are the same bytes
    nodes: list[Any]
    doubts: list[Any]  # kind, facts and place of each warning that drawing gave rise to


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """An attempt whose task returned a flow: the cell's value will be that of the flow's result."""

    attempt: int
    flow: list[Any]  # a DrawnFlow, packed
    seconds: float = 0.0
    began: float = 0.0  # clock.monotonic; 0: not known
    changed: str = ""  # a file that the cell had and that changed meanwhile: its value is not kept (F32)
    worker: int = 0  # never packed: who carried it out is known to who hears of it
    live: tuple[Callable[..., object] | None, ...] = ()  # functions of this process, by node; never packed

    def pack(self) -> list[object]:
        """Give the fields as one plain list."""
        return ["grown", self.attempt, self.flow, self.seconds, self.began, self.changed]

    @classmethod
    def unpack(cls, packed: Sequence[Any], worker: int = 0) -> Grown:
        """Read what :meth:`pack` gave."""
        _, attempt, flow, seconds, began, changed = packed
        return cls(attempt=attempt, flow=flow, seconds=seconds, began=began, changed=changed, worker=worker)
