"""How many cells may begin in any second, or minute: times in, counts out.

Owns no clock. Promises that in no span of a period, wherever it begins, more cells begin
than the rate says: the times of the last ones are remembered, and a cell may begin once as
many as the rate allows are older than the period. A bucket that fills with tokens was
not taken: after a pause it lets twice the rate through within one period.
"""

from __future__ import annotations

from collections import deque


class Window:
    """When the cells under one rate began; several tasks may share it. One thread.

    Examples
    --------
    >>> window = Window()
    >>> window.begin(2, 0.0)
    >>> window.room(3, 1.0, now=0.5), window.due(3, 1.0)
    (1, 0.0)
    >>> window.begin(1, 0.5)
    >>> window.room(3, 1.0, now=0.9), window.due(3, 1.0)
    (0, 1.0)
    """

    def __init__(self) -> None:
        self._began: deque[float] = deque()
        self._most = 0  # that any rate has asked about

    def room(self, count: int, period: float, *, now: float) -> int:
        """Tell how many cells may begin now, if `count` may in any `period` of seconds."""
        self._most = max(self._most, count)
        within = 0
        for began in reversed(self._began):
            if began <= now - period or within >= count:
                break
            within += 1
        return count - within

    def due(self, count: int, period: float) -> float:
        """Give the time from which on the next cell may begin; 0: at once."""
        return self._began[-count] + period if len(self._began) >= count else 0.0

    def begin(self, cells: int, now: float) -> None:
        """So many cells begin now."""
        self._began.extend([now] * cells)
        while len(self._began) > max(self._most, cells):
            self._began.popleft()
