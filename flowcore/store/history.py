"""A run as its journal tells it, for whoever looks at it later or from elsewhere.

Owns the reading of journals by kind. Promises to yield what is known and to pass over
what is not: kinds of a later version, records of another shape, damage (contract J3,
J4, F26). Runs no code and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from flowcore.store.columns import unpack_numbers
from flowcore.store.frames import Damage
from flowcore.store.fs import DISK, Disk
from flowcore.store.journal import Record, read_frames
from flowcore.store.layout import Layout
from flowcore.store.records import run_ids
from flowcore.store.trace import KEY_SIZE, NO_KEY, Trace, TraceRows


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What the run is, as the engine wrote it."""

    facts: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What a node is, as the engine wrote it."""

    number: int
    facts: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Cells whose values older records gave."""

    node: int
    numbers: list[int]
    keys: list[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellFailed:
    """A cell that failed."""

    node: int
    number: int
    facts: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """The run was alive."""

    facts: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the run ended. Missing from one that was killed, or still runs."""

    status: str
    counts: dict[str, object]


Told: TypeAlias = RunFacts | NodeFacts | Trace | Answered | CellFailed | Beat | Ended


def read_run(path: str | Path, *, disk: Disk = DISK, damage: Damage | None = None) -> Iterator[Told]:
    """Yield what a journal tells, in the order in which it was written.

    Parameters
    ----------
    path : str or Path
        The journal.
    disk : Disk
        Where it is.
    damage : Damage, optional
        Counts what could not be read.
    """
    for _, _, records in read_frames(str(path), disk=disk, damage=damage):
        for record in records:
            try:
                told = _told(record)
            except ValueError:
                continue
            if told is not None:
                yield told


def run_paths(root: str | Path, *, disk: Disk = DISK) -> dict[str, str]:
    """Give the journal of every run in a store, oldest first."""
    layout = Layout(Path(root))
    return {run_id: layout.journal(run_id) for run_id in run_ids(disk, layout)}


def _told(record: Record) -> Told | None:  # noqa: PLR0911 - one arm a kind
    match record:
        case ["trace", *_]:
            return TraceRows(record).whole()
        case ["run", dict(facts), *_]:
            return RunFacts(facts=facts)
        case ["node", int(number), dict(facts), *_]:
            return NodeFacts(number=number, facts=facts)
        case ["hit", int(node), int(count), numbers, bytes(keys), *_]:
            return Answered(node=node, numbers=unpack_numbers(numbers, count), keys=_keys(keys, count))
        case ["failed", int(node), int(number), dict(facts), *_]:
            return CellFailed(node=node, number=number, facts=facts)
        case ["beat", dict(facts), *_]:
            return Beat(facts=facts)
        case ["end", str(status), dict(counts), *_]:
            return Ended(status=status, counts=counts)
    return None


def _keys(joined: bytes, count: int) -> list[bytes]:
    if len(joined) not in (0, KEY_SIZE * count):
        raise ValueError("keys")
    keys = (joined[i * KEY_SIZE : (i + 1) * KEY_SIZE] for i in range(count))
    return [b"" if key == NO_KEY else key for key in keys]
