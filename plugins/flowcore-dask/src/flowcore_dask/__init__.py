"""flowcore's flows on a Dask cluster: ``flow.run(executor="dask")``, which is `dask`, or one of `on`."""

from __future__ import annotations

from typing import Any

from flowcore.run.executors.ferry import Traits
from flowcore.run.executors.near import NearExecutor
from flowcore.run.executors.protocol import MakeExecutor, elsewhere
from flowcore.run.inbox import Inbox
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec
from flowcore_dask.ferry import DaskFerry
from flowcore_dask.mooring import Mooring


def on(
    cluster: Any = None,
    *,
    batches: bool = True,
    seconds: float = 0.1,
    ahead: int | None = None,
    priority: int = 0,
    patience: float = 600.0,
) -> MakeExecutor:
    """Give an executor on a Dask cluster, for ``flow.run(executor=on(client))``.

    Parameters
    ----------
    cluster : distributed.Client, cluster or str, optional
        A client, a cluster or an address. Without it: the client that is current when the run begins,
        else the scheduler that Dask's configuration names (``scheduler-address``), else a
        `distributed.LocalCluster` of a process for each of the run's workers, for its time. What cells need
        of memory and GPUs is this machine's to give, unless a cluster is named here: then it is that cluster's.
    batches : bool
        Whether a message may hold several cells; if so, of `seconds` of work in all.
    ahead : int, optional
        Messages on their way for each thread; 4, or 32 of one cell. An adaptive cluster grows by these.
    priority : int
        Of the run's messages in the cluster.
    patience : float
        Seconds without any worker after which the run fails; infinite where jobs of a cluster may queue for long.

    Examples
    --------
    >>> import flowcore as fc
    >>> flow = fc.Flow()
    >>> node = flow.add(divmod, 7, 3)
    >>> flow.run(executor=on(), workers=1, progress=False)[node]
    (2, 1)
    """
    traits = Traits(seconds=seconds, most=4096 if batches else 1, ahead=ahead or (4 if batches else 32), places=True)

    def make(*, workers: int, inbox: Inbox, codec: Codec, surroundings: Surroundings) -> NearExecutor:  # noqa: ARG001
        options: Any = {"spool": surroundings.spool, "traits": traits, "priority": priority, "patience": patience}
        return NearExecutor(DaskFerry(Mooring(cluster, workers), **options), inbox=inbox, surroundings=surroundings)

    return make if cluster is None else elsewhere(make)  # whose machines need not be this one


dask = on()
