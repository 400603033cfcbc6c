"""The keys that a cell had in older runs: for what is compared with them, or accepted in their place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from flowcore.declare.node import Node
from flowcore.run.session import Session

if TYPE_CHECKING:
    from flowcore.inspect.recordings.past import Past


def earlier_keys(past: Past, node: Node, labels: Sequence[object]) -> Iterator[bytes]:
    """Yield the keys that the cell of a node with these labels had, newest first."""
    for recorded, there in past.nodes(node):
        at = past.number(recorded, there, node, labels)
        key = recorded.key(there, at) if at is not None else b""
        if key:
            yield key


class Earlier:
    """The older runs of a store, as one run asks for them; read only as far back as it asks. One thread."""

    def __init__(self) -> None:
        self._past: Past | None = None  # nobody has asked yet

    def __call__(self, session: Session, node: int, number: int) -> Iterator[bytes]:
        """Yield the keys of a cell of a session, newest first."""
        if self._past is None:
            from flowcore.inspect.recordings.past import Past  # most runs ask for no older one

            self._past = Past(session.store, session.id, session.name)
        return earlier_keys(self._past, session.graph[node].node, session.labels.of(node, number))
