"""What one cell has of its process's memory at its highest.

Owns the reading. The kernel keeps the highest of a process's life, and takes it back when
told to, which costs about 5 us a cell: so only cells that take longer than a moment are
measured. Where it cannot be taken back, a cell that raises the highest is measured, and no
other. What a cell maps counts, and what processes of its own have does not.
"""

from __future__ import annotations

from flowcore.run import proc


class Meter:
    """Measures cells, one after the other, in this process."""

    def __init__(self) -> None:
        self._reset = proc.open_peak()
        self._before = 0

    def begin(self) -> None:
        """A cell begins."""
        self._before = 0 if proc.forget_peak(self._reset) else proc.peak()

    def peak(self) -> int:
        """Give the bytes that this process has had at its highest since; 0: not known."""
        found = proc.peak()
        return found if found > self._before else 0

    def close(self) -> None:
        """Let go of the kernel's file."""
        proc.close_peak(self._reset)
        self._reset = -1
