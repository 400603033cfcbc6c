"""What a cell gave in an earlier run, for a rehearsal that has to assume it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from flowcore.dataclass import dataclass
from flowcore.declare.node import Node
from flowcore.run.job import Component, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class LastTime:
    """What a cell gave in an earlier run."""

    run: str
    component: Component  # empty: its value had no encoding
    record: Record = b""  # empty: the value itself was not kept
    classes: Sequence[tuple[str, bytes]] = ()


class Memory(Protocol):
    """What is known of earlier runs."""

    def last(self, node: Node, labels: tuple[object, ...]) -> LastTime | None:
        """Give what the cell with these labels gave last time."""
        ...

    def opaque(self, node: Node) -> bool:
        """Tell whether a cell of the node gave a value without encoding last time."""
        ...
