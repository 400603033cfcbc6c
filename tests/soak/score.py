"""What a soak comes to: figures, and each mistake with where to look."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Score:
    """The figures so far.

    Attributes
    ----------
    counts : Counter
        By what is counted: "runs", "cells run", "kills main SIGKILL", "damage flip", ...
    mistakes : list of str
        Wrong values, needless executions, hangs, false errors.
    leftovers : list of str
        Processes, files and shared memory that nobody took away.
    """

    counts: Counter[str] = field(default_factory=Counter)
    mistakes: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)

    def total(self, kind: str) -> int:
        """Sum what is counted under a kind: "kills", "damage", "edits"."""
        return sum(count for name, count in self.counts.items() if name.startswith(f"{kind} "))

    def line(self) -> str:
        """Say it in a line."""
        counts = self.counts
        return (
            f"{counts['runs']} runs ({counts['ended']} to their end), {counts['cells run']} cells run, "
            f"{counts['cells hit']} hit, {self.total('kills')} kills, {counts['survived']} survived, "
            f"{self.total('damage')} damages, {self.total('edits')} edits, {len(self.mistakes)} mistakes, "
            f"{len(self.leftovers)} leftovers"
        )

    def figures(self) -> dict[str, Any]:
        """Give all of it, for a file."""
        return {
            "runs": self.counts["runs"], "runs that ended": self.counts["ended"],
            "cells run": self.counts["cells run"], "cells hit": self.counts["cells hit"],
            "kills": self.total("kills"), "kills survived": self.counts["survived"],
            "kills by kind": self._of("kills"), "damages": self.total("damage"), "damages by kind": self._of("damage"),
            "edits": self.total("edits"), "by kind": self._of("also"),
            "mistakes": len(self.mistakes), "leftovers": len(self.leftovers),
        }  # fmt: skip

    def _of(self, kind: str) -> dict[str, int]:
        return {
            name.partition(" ")[2]: count for name, count in sorted(self.counts.items()) if name.startswith(f"{kind} ")
        }
