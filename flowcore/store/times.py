"""When cells ran, how long their values were on the way, and on which worker: the columns of it.

Owns the packed form. Promises five bytes a cell, instants to a microsecond of the run's
own time, and nothing where nothing is known. What cannot be read is not known: times
decide nothing, so no record is refused for their sake. Reads no clock::

    [first, begins, around, workers]

    first     the earliest instant, microseconds since the run began
    begins    4 bytes a cell, microseconds after the first; 8 where a cell took over an hour
    around    2 + 2 bytes a cell, seconds (half precision) that fetching its inputs and
              keeping its result took; nil where none took a millisecond
    workers   the number that all share, or a byte a cell, or a list; 0: no worker process
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from flowcore.dataclass import dataclass
from flowcore.store.columns import Packed

_NOTICED: Final = 1e-3  # seconds around a call that are worth their bytes
_SHORT: Final = 1 << 32  # microseconds
_FAR: Final = 1 << 53  # microseconds from the run's beginning that a float still tells apart
_LARGEST: Final = 65504.0  # that half precision holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When cells ran, in columns of equal length."""

    begins: Sequence[float]  # seconds since the run began, before the first input was fetched
    fetching: Sequence[float]  # seconds; empty: not worth telling
    keeping: Sequence[float]  # likewise, of the result
    workers: Sequence[int]  # 0: in the run's own process, or nobody knows

    def at(self, rows: Sequence[int]) -> Times:
        """Give the times of some cells."""
        fetching, keeping = ([column[i] for i in rows] if column else () for column in (self.fetching, self.keeping))
        return Times(
            begins=[self.begins[i] for i in rows], fetching=fetching, keeping=keeping,
            workers=[self.workers[i] for i in rows],
        )  # fmt: skip

    def each(self) -> list[Times]:
        """Give the times cell by cell."""
        return [
            Times(begins=[begin], fetching=self.fetching[i : i + 1], keeping=self.keeping[i : i + 1], workers=[worker])
            for i, (begin, worker) in enumerate(zip(self.begins, self.workers, strict=True))
        ]


def joined_times(parts: Sequence[Times | None]) -> Times | None:
    """Give the times of one column of cells after the other; None if some are not known."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    around = all(part.fetching and part.keeping for part in known)
    return Times(
        begins=[begin for part in known for begin in part.begins],
        fetching=[seconds for part in known for seconds in part.fetching] if around else (),
        keeping=[seconds for part in known for seconds in part.keeping] if around else (),
        workers=[worker for part in known for worker in part.workers],
    )  # fmt: skip


def pack_times(times: Times | None) -> Packed:
    """Pack the times of cells; nil where they are not known."""
    if times is None or not times.begins:
        return None
    instants = [round(begin * 1e6) for begin in times.begins]
    first = min(instants)
    form = "I" if max(instants) - first < _SHORT else "Q"
    begins = struct.pack(f"<{len(instants)}{form}", *[instant - first for instant in instants])
    return [first, begins, _pack_around(times.fetching, times.keeping), _pack_workers(times.workers)]


def unpack_times(packed: Packed, count: int) -> Times | None:
    """Give the times back; None if they are not known."""
    match packed:
        case [int(first), bytes(begins), around, workers] if abs(first) < _FAR:
            width = len(begins) // count if count else 0
            if width not in (4, 8) or len(begins) != width * count:
                return None
            offsets = struct.unpack(f"<{count:d}{'I' if width == 4 else 'Q'}", begins)
            seats = _unpack_workers(workers, count)
            fetching, keeping = _unpack_around(around, count)
            return Times(
                begins=[(first + offset) / 1e6 for offset in offsets], fetching=fetching, keeping=keeping, workers=seats
            )
    return None


def _pack_around(fetching: Sequence[float], keeping: Sequence[float]) -> bytes | None:
    both = [*fetching, *keeping]
    if not both or max(both) < _NOTICED:
        return None
    return struct.pack(f"<{len(both)}e", *[min(max(seconds, 0.0), _LARGEST) for seconds in both])


def _unpack_around(packed: Packed, count: int) -> tuple[Sequence[float], Sequence[float]]:
    if not isinstance(packed, bytes) or len(packed) != 4 * count:
        return (), ()
    both = struct.unpack(f"<{2 * count}e", packed)
    return both[:count], both[count:]


def _pack_workers(workers: Sequence[int]) -> Packed:
    first = workers[0] if workers else 0
    if not workers or workers.count(first) == len(workers):
        return first
    return bytes(workers) if max(workers) < 256 else list(workers)


def _unpack_workers(packed: Packed, count: int) -> Sequence[int]:
    if type(packed) is int and 0 <= packed < _SHORT:
        return [packed] * count
    if (
        isinstance(packed, bytes | list)
        and len(packed) == count
        and all(type(seat) is int and 0 <= seat < _SHORT for seat in packed)
    ):
        return list(packed)
    return [0] * count
