"""A flow on a Dask cluster of two hosts, each execution of a cell noted with the host that it was on."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import flowcore as fc

SIDE = 8_000  # elements: more than travels in a message
PATIENCE = 60.0  # seconds; only turns a hang into a failure


def note(place: Path, cell: str) -> None:
    """Leave a line that tells which cell is executed where."""
    fd = os.open(place / "ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, f"{cell} {socket.gethostname()}\n".encode())
    os.close(fd)


def wait_for(path: Path) -> None:
    """Wait until a file is there."""
    end = time.monotonic() + PATIENCE
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.01)  # what tells us is another process, on another host


@fc.compute
def make(seed: int, place: str) -> NDArray[np.float64]:
    """Give an array; on the host that is to be cut off, not before it is."""
    note(Path(place), f"make-{seed}")
    if socket.gethostname() == "right":
        wait_for(Path(place) / "cut")
    return np.random.default_rng(seed).normal(size=SIDE)


@fc.compute
def bend(field: NDArray[np.float64], seed: int, place: str) -> NDArray[np.float64]:
    """Give an array made of another one; if the other host is awaited, not here before it is back."""
    note(Path(place), f"bend-{seed}")
    if socket.gethostname() == "left" and (Path(place) / "awaited").exists():
        wait_for(Path(place) / "back")
    return np.cumsum(field) * seed


@fc.compute
def total(fields: list[NDArray[np.float64]], place: str) -> NDArray[np.float64]:
    """Add arrays up."""
    note(Path(place), "total-0")
    return np.sum(fields, axis=0)


def drawn(place: Path, cells: int) -> fc.Flow:
    """Draw the flow."""
    with fc.Flow("hosted") as flow:
        seeds = fc.each(seed=range(cells))
        flow.result = total(fc.gather(bend(make(seeds, str(place)), seeds, str(place))), str(place))
    return flow


def carrier(client: Any, engine: str) -> Any:
    """Give what `flow.run(executor=...)` takes: Dask's futures, or the plugin."""
    if engine == "futures":
        return client.get_executor(pure=False)
    from flowcore_dask import on

    return on(client)


def main(scheduler: str, place: Path, store: Path, cells: int, workers: int, engine: str) -> None:
    """Run it on the cluster, and print what came of it."""
    from distributed import Client

    flow = drawn(place, cells)
    with Client(scheduler, timeout=PATIENCE) as client:
        client.wait_for_workers(workers, timeout=PATIENCE)
        said: dict[str, object]
        try:
            run = flow.run(store=store, executor=carrier(client, engine), workers=2, progress=False)
            said = {"status": run.status, "total": run["total"].tobytes().hex()}
        except fc.RunFailed as failed:
            said = {
                "status": "failed",
                "text": str(failed),
                "types": [getattr(one.error, "type", "") for one in failed.failures],
            }
    sys.stdout.write(f"{json.dumps(said)}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]), sys.argv[6])
