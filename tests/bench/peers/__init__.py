"""Who is compared: one adapter a peer, imported when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator

from tests.bench.peers.protocol import Answer, Peer

__all__ = ["ASKED", "PEERS", "Answer", "Peer", "opened"]

# Name in the table -> where its adapter is, and with what options it is made.
PEERS: dict[str, tuple[str, dict[str, object]]] = {
    "flowcore": ("ours:Ours", {}),
    "concurrent.futures": ("pools:Pools", {}),
    "chunked map": ("pools:ChunkedMap", {}),
    "joblib": ("joblibs:Joblib", {}),
    "dask threads": ("dasks:DaskThreads", {}),
    "dask processes": ("dasks:DaskProcesses", {}),
    "dask distributed": ("dasks:DaskDistributed", {}),
    "dask distributed on one worker": ("dasks:DaskDistributed", {"only": 1}),
    "pipefunc": ("pipefuncs:Pipefunc", {}),
    "ray": ("rays:Ray", {}),
    "parsl": ("parsls:Parsl", {}),
}
ASKED = frozenset({"ray", "parsl"})  # take part only if named


def adapter(name: str, workers: int) -> Peer:
    """Make the adapter of a peer; ImportError if it is not installed."""
    place, options = PEERS[name]
    module, _, made = place.partition(":")
    peer: Peer = getattr(importlib.import_module(f"tests.bench.peers.{module}"), made)(workers, **options)
    return peer


def opened(names: Iterable[str], workers: int) -> Iterator[tuple[str, Peer | ImportError]]:
    """Give each named peer's adapter, or why it cannot be imported."""
    for name in names:
        try:
            yield name, adapter(name, workers)
        except ImportError as error:
            yield name, error
