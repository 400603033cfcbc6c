"""The ferry to pilots that Slurm starts: that to pilots, and whoever sees to it that there are some."""

from __future__ import annotations

from collections.abc import Sequence

from flowcore.run.executors.ferry import Harbour, Load
from flowcore.run.inbox import Inbox
from flowcore.run.pilots.box import Box
from flowcore.run.pilots.executor import box_of
from flowcore.run.pilots.ferry import PilotFerry
from flowcore.run.workers.surroundings import Surroundings
from flowcore_slurm.fleet import Fleet
from flowcore_slurm.options import Pilots


class SlurmFerry(PilotFerry):
    """Carries messages to the pilots of a box, and asks Slurm for these."""

    name = "slurm"

    def __init__(self, pilots: Pilots, *, workers: int, inbox: Inbox, surroundings: Surroundings) -> None:
        box = Box.open(box_of(surroundings.store))
        self._fleet = Fleet(pilots, box, run=surroundings.run_id, workers=workers)
        self._cells = self._fleet.count * pilots.cpus
        super().__init__(box, inbox=inbox, surroundings=surroundings, gone=self._fleet.gone)

    def open(self, harbour: Harbour) -> None:
        """See ferry.Ferry."""
        self._changed = harbour.changed
        super().open(harbour)

    def width(self) -> int:
        """Tell for how many cells there will be pilots: messages wait in the box for them, and not the other way."""
        return max(super().width(), self._cells)

    def send(self, loads: Sequence[Load]) -> None:
        """See ferry.Ferry."""
        super().send(loads)
        self._fleet.launch(self._look_out)

    def close(self) -> None:
        """See ferry.Ferry."""
        self._fleet.close()
        super().close()

    def _look_out(self) -> None:
        self.sunk = self._fleet.sunk
        self._changed()
