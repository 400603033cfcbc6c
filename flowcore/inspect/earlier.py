"""The keys that a cell had in older runs, for what is compared with them (``same=``)."""

from __future__ import annotations

from collections.abc import Iterator

from flowcore.inspect.past import Past
from flowcore.run.session import Session


class Earlier:
    """The older runs of a store, as one run asks for them; read only as far back as it asks. One thread."""

    def __init__(self) -> None:
        self._past: Past | None = None  # nobody has asked yet

    def __call__(self, session: Session, node: int, number: int) -> Iterator[bytes]:
        """Yield the keys of a cell of a session, newest first."""
        past = self._past = self._past or Past(session.store, session.id)
        drawn, labels = session.graph[node].node, session.labels.of(node, number)
        for recorded, there in past.nodes(drawn):
            at = past.number(recorded, there, drawn, labels)
            key = recorded.key(there, at) if at is not None else b""
            if key:
                yield key
