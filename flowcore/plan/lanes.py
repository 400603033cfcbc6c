"""Which station of a lane goes next: queues of stations with ready cells, best rank first.

Owns the order among stations; what is ready of each is the station's. Only
`plan/schedule.py` uses them, on the engine's thread.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator

from flowcore.plan.cells import Numbers
from flowcore.plan.stations import Rank, Station, Stations


class Lanes:
    """For each lane, the stations with ready cells, in the order in which they go."""

    def __init__(self, stations: Stations) -> None:
        self._stations = stations
        self._heaps: dict[str, list[Rank]] = {}

    def __iter__(self) -> Iterator[str]:
        return (lane for lane, heap in self._heaps.items() if heap)

    def put(self, station: Station, numbers: Numbers) -> None:
        """Line cells of a station up."""
        if not numbers:
            return
        if station.n_ready and station.ready is not None:
            station.ready.append(numbers)
        else:
            station.ready = deque((numbers,))
        station.n_ready += len(numbers)
        self._queue(station)

    def first(self, lane: str) -> Station | None:
        """Give the station whose cells should go next."""
        heap = self._heaps.get(lane)
        while heap:
            station = self._stations[heap[0][-1]]
            if station.n_ready and not station.paused:
                return station
            heapq.heappop(heap)
            station.queued = False
        return None

    def take(self, lane: str, limit: int) -> list[tuple[int, list[int]]]:
        """Take up to `limit` ready cells, by node, in the order in which nodes go."""
        taken: list[tuple[int, list[int]]] = []
        while limit > 0 and (station := self.first(lane)) is not None:
            numbers = station.take(limit)
            taken.append((station.number, numbers))
            limit -= len(numbers)
        return taken

    def pause(self, station: Station, paused: bool) -> None:
        """Pass a station over, or no longer."""
        station.paused = paused
        if station.n_ready:
            self._queue(station)

    def _queue(self, station: Station) -> None:
        if not station.queued and not station.paused:
            heapq.heappush(self._heaps.setdefault(station.lane, []), station.rank)
            station.queued = True
