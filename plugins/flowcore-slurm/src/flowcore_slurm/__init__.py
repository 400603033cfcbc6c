"""Slurm's nodes for a flow: see the README.

Owns the two ways to it: ``flow.run(executor="slurm")``, with what the project's options
file says, and ``flow.run(executor=flowcore_slurm.pilots(time="4:00:00"))``.
"""

from __future__ import annotations

from flowcore.run.executors.near import NearExecutor
from flowcore.run.executors.protocol import Executor, MakeExecutor, elsewhere
from flowcore.run.inbox import Inbox
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec
from flowcore_slurm.ferry import SlurmFerry
from flowcore_slurm.options import Pilots

__all__ = ["Pilots", "make", "pilots"]


def pilots(**options: object) -> MakeExecutor:
    """Give an executor for ``flow.run(executor=...)`` that has Slurm start pilots.

    Parameters
    ----------
    **options
        As :class:`Pilots` has them; what is not given is as the options file says.

    Raises
    ------
    BadOption
        For a name that is no option, or a value that cannot be read.

    Examples
    --------
    >>> import flowcore_slurm
    >>> executor = flowcore_slurm.pilots(partition="short", time="4:00:00", count=20)
    """
    asked = Pilots.of(options)

    @elsewhere
    def slurm(*, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> Executor:
        del codec  # values are read and kept where cells are carried out
        ferry = SlurmFerry(asked, workers=workers, inbox=inbox, surroundings=surroundings)
        return NearExecutor(ferry, inbox=inbox, surroundings=surroundings)

    return slurm


@elsewhere
def make(*, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> Executor:
    """Make the executor of ``flow.run(executor="slurm")``; see `flowcore.run.executors.protocol`."""
    return pilots()(workers=workers, inbox=inbox, codec=codec, surroundings=surroundings)
