"""Where a run's scheduler is: the user's, or the run's own, of a process that closes it when the run's has ended.

So nothing of it stays; and no worker imports the user's script, as those of a LocalCluster there would.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from dask import config
from distributed import Client, LocalCluster

from flowcore.run.kept import Kept


class Mooring:
    """A scheduler, and the process behind it if it is the run's own. Any thread."""

    def __init__(self, cluster: Any, workers: int) -> None:
        self._cluster, self._workers = cluster, workers
        self._kept: Kept | None = None
        if cluster is None:
            with suppress(ValueError):  # there is none
                self._cluster = Client.current()

    def address(self) -> tuple[str, Any]:
        """Give the scheduler's address and what it takes to be let in; may start the run's own, or raise OSError."""
        cluster = self._cluster or config.get("scheduler-address", None) or self._started()
        if isinstance(cluster, Client) and cluster.scheduler is None:
            raise OSError(f"the client is {cluster.status}")
        address = cluster.scheduler.address if isinstance(cluster, Client) else cluster
        return getattr(cluster, "scheduler_address", address), getattr(cluster, "security", None)

    def close(self) -> None:
        """End the run's own cluster, and return when it is gone."""
        if self._kept is not None:
            self._kept.close()

    def _started(self) -> str:
        self._kept = Kept(f"from flowcore_dask.mooring import keep; keep({self._workers})")
        if address := self._kept.line():
            return address
        raise OSError("a local cluster did not start")


def keep(workers: int) -> None:
    """Start a cluster, say where it is, and end it when standard input ends."""
    said = os.dup(1)
    os.dup2(2, 1)  # what workers print is not for who waits for the address
    config.set({"distributed.deploy.lost-worker-timeout": "1h"})  # a worker is given up that is just being replaced
    with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0", memory_limit=None) as cluster:
        os.write(said, f"{cluster.scheduler_address}\n".encode())
        os.read(0, 1)
