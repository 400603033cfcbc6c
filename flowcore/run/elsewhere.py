"""Which cells are carried out on other machines than this one.

What this machine has, devices and memory, is shared out among the cells that are carried out
here. Where an executor says of itself that its workers are elsewhere (`protocol.elsewhere`),
that would only keep a cluster's cells waiting for each other: what there is over there is
the executor's to know, and its engine's to share out.
"""

from __future__ import annotations

from flowcore.plugins import load
from flowcore.run.executors.protocol import ELSEWHERE

OWN = frozenset({"process", "thread", "async", "inline", "engine", "worker"})  # runners that need no plugin


def carried_elsewhere(chosen: object, runner: str) -> bool:
    """Tell whether cells of a runner go to another machine, if `chosen` is what the run was given as executor.

    Raises
    ------
    BadOption
        If no executor goes by that name.
    """
    executor = chosen if runner in ("process", "worker") else runner
    if executor is None or (isinstance(executor, str) and executor in OWN):
        return False
    made_by = load("flowcore.executors", executor) if isinstance(executor, str) else executor
    return bool(getattr(made_by, ELSEWHERE, False))
