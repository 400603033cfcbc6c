"""The record of an attempt that gave no value: when it ran, where, and what ended it."""

from __future__ import annotations

from collections.abc import Sequence

from flowcore.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapsed:
    """An attempt at a cell that came to nothing; there may be another one after it."""

    node: int
    number: int
    began: float  # seconds since the run began
    seconds: float
    worker: int  # 0: no worker process
    why: str  # "raised", "died" or "timed out"


def lapsed(record: Sequence[object]) -> Lapsed:
    """Read what :meth:`flowcore.store.cache.Cache.lapsed` wrote; ValueError for anything else."""
    match record:
        case [_, int(node), int(number), float(began), float(seconds), int(worker), str(why), *_]:
            return Lapsed(node=node, number=number, began=began, seconds=seconds, worker=worker, why=why)
    raise ValueError("lapse")
