"""Whether a process that is not ours can carry out cells of a run.

Asked once a run in each process that a foreign executor brings, before its first cell.
The proof that it sees the store is the run's journal: a run's id is random, so a file
of that name, in that place, is this run's. It also has to be the same Python and numpy
that keys were made with, or results would be kept under versions that did not make
them (contract K8, P1), and the same flowcore, whose bytes the two sides exchange.
"""

from __future__ import annotations

import pickle
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from flowcore.errors import UnfitWorker
from flowcore.plan.keys import numpy_version
from flowcore.plan.libraries import distribution
from flowcore.run import proc
from flowcore.run.job import Failure
from flowcore.store.fs import DISK, Disk
from flowcore.store.layout import Layout, exists

WHATS: Final = ("Python", "numpy", "flowcore")


def here() -> list[str]:
    """Give the versions of this process, in the order of `WHATS`."""
    return [f"{sys.version_info[0]}.{sys.version_info[1]}", numpy_version(), distribution("flowcore")]


def unfit(root: str, run: str, spool: str, engine: Sequence[str], *, writable: bool, disk: Disk = DISK) -> str:
    """Say in what this process is not fit for a run; empty if it is.

    Parameters
    ----------
    root, run, spool : str
        Where the run's store is, which run it is, and where arrays are that are handed over and not kept.
    engine : sequence of str
        What :func:`here` gave where the run's engine is.
    writable : bool
        Whether the run keeps anything, and so has a journal.
    """
    found = here()
    for what, there, mine in zip(WHATS, engine, found, strict=True):
        if there != mine:
            return f"it has {what} {mine or 'of unknown version'}, and the run {there or 'one of unknown version'}"
    try:
        if writable and not exists(disk, Layout(Path(root)).journal(run)):
            return f"it does not see the run's store: at {root} there is no journal of {run}"
        if not exists(disk, spool):
            return f"it does not see where the run hands arrays over: {spool}"
    except OSError as error:
        return f"it cannot look at the run's store at {root}: {error.strerror or error}"
    return ""


def refused(node: str, why: str) -> Failure:
    """Give the failure of cells that came to a process which is not fit for their run."""
    error = UnfitWorker(node=node, worker=f"process {proc.pid()} on {platform.node() or 'a nameless host'}", why=why)
    return Failure(
        type="flowcore.errors.UnfitWorker", text=str(error), traceback="",
        bases=("flowcore.errors.FlowcoreError", "builtins.RuntimeError"), pickled=pickle.dumps(error),
    )  # fmt: skip
