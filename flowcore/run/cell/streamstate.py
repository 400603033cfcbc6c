"""Where the random streams of a cell stand, as plain data, and back (contract K21, C2).

A stream is known by the parameter that it was supplied for. What goes along: how many
streams were spawned from it, and how often each inner task was called, since the streams
of those are spawned by count.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

Streams = Mapping[str, Any]  # parameter -> numpy.random.Generator


def streams_of(made: Mapping[str, object]) -> dict[str, Any]:
    """Give the random generators among what a cell was supplied with."""
    return {name: thing for name, thing in made.items() if hasattr(thing, "bit_generator")}


def streams_state(streams: Streams, calls: Mapping[str, int]) -> dict[str, object]:
    """Give where streams stand; empty if there is nothing to tell."""
    if not streams and not calls:
        return {}
    stands = {
        name: [stream.bit_generator.state, stream.bit_generator.seed_seq.n_children_spawned]
        for name, stream in streams.items()
    }
    return {"streams": stands, "calls": dict(calls)}


def put_streams(streams: Streams, calls: MutableMapping[str, int], state: Mapping[str, Any]) -> None:
    """Have streams stand where they stood; ValueError if they are others than those that were saved."""
    stands = state.get("streams", {})
    if set(stands) != set(streams):
        raise ValueError(f"it has the streams {sorted(stands)}, and the task has {sorted(streams)}")
    for name, (inner, spawned) in stands.items():
        generator = streams[name].bit_generator
        missing = spawned - generator.seed_seq.n_children_spawned
        if missing < 0:
            raise ValueError(f"streams were spawned from {name} since, and that cannot be taken back")
        generator.state = inner
        if missing:
            generator.seed_seq.spawn(missing)
    calls.clear()
    calls.update(state.get("calls", {}))
