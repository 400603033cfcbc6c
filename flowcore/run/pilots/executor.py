"""``executor="pilots"``: cells go to whoever takes messages out of the store's box."""

from __future__ import annotations

from pathlib import Path

from flowcore.run.executors.near import NearExecutor
from flowcore.run.executors.protocol import elsewhere
from flowcore.run.inbox import Inbox
from flowcore.run.pilots.box import Box
from flowcore.run.pilots.ferry import PilotFerry
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec
from flowcore.store.layout import Layout


def box_of(store: str) -> str:
    """Give where the box of a store is."""
    return f"{Layout(Path(store)).v1}/pilots"


@elsewhere
def pilots(*, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> NearExecutor:
    """Make the executor of a run; see `flowcore.run.executors.protocol.MakeExecutor`."""
    del workers, codec  # as many as there are pilots for
    ferry = PilotFerry(Box.open(box_of(surroundings.store)), inbox=inbox, surroundings=surroundings)
    return NearExecutor(ferry, inbox=inbox, surroundings=surroundings)
