"""The devices that cells may compute on: which there are, and what of them each worker sees.

Owns the search for them, once a run and only if a task asks for one: what
``CUDA_VISIBLE_DEVICES`` names, else all that ``nvidia-smi`` lists. Promises that a flow that
asks for more than there are is refused before anything runs.

A library that has met the devices of its process keeps them, whatever the variable says
later. So a worker is given its devices once: for other ones it is replaced.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from flowcore.declare.node import Node
from flowcore.errors import BadOption
from flowcore.plan.graph import Graph
from flowcore.run import proc
from flowcore.run.elsewhere import carried_elsewhere

_LIST: Final = ("nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader")


def find() -> tuple[str, ...]:
    """Give the names of the devices that this process may use."""
    named = os.environ.get(proc.DEVICES)
    if named is None:
        return tuple(line.strip() for line in proc.answer_of(_LIST).splitlines() if line.strip())
    names = [name.strip() for name in named.split(",")]
    known = [name for name in names if name and name != "-1"]
    return tuple(
        known[: names.index("-1")] if "-1" in names else known
    )  # as CUDA reads it: what follows does not count


def devices_for(graph: Graph, chosen: object) -> tuple[str, ...]:
    """Give the devices there are, if a node asks for any; `chosen` is the executor that the run was given.

    Raises
    ------
    BadOption
        If one asks for more.
    """
    asking = [planned.node for planned in graph.nodes.values() if planned.node.options.gpus]
    here = [node for node in asking if not carried_elsewhere(chosen, node.runner)]
    found = find() if here else ()
    for node in here:
        check_devices(node, len(found), chosen)
    return found


def check_devices(node: Node, found: int, chosen: object) -> None:
    """Refuse a node that asks for more devices than were found, where its cells are to have them."""
    if node.options.gpus > found and not carried_elsewhere(chosen, node.runner):
        there = f"{found} device{'' if found == 1 else 's'}"
        raise BadOption(
            option="gpus", found=f"{node.options.gpus} for a cell of {node.name}", at=node.site,
            expected=f"at most what was found when the run began: {there} ({proc.DEVICES}, or nvidia-smi)",
        )  # fmt: skip


def choose(
    wanted: int, devices: Sequence[str], *, taken: set[str], given: Sequence[tuple[str, ...]]
) -> tuple[int, tuple[str, ...]]:
    """Choose one of some idle workers for a cell, and its devices.

    Parameters
    ----------
    wanted : int
        Devices that the cell needs.
    devices : sequence of str
        All there are.
    taken : set of str
        Those that cells compute on now.
    given : sequence of tuple of str
        What each idle worker was given; empty: nothing yet.

    Returns
    -------
    tuple of int and tuple of str
        The worker's place, -1 if none of them can have the cell, and the devices. Other idle workers that were given
        one of these have to go.
    """
    for place, own in enumerate(given):
        if len(own) == wanted and not taken.intersection(own) and set(own) <= set(devices):
            return place, own
    free = [device for device in devices if device not in taken]
    if len(free) < wanted or () not in given:
        return -1, ()
    kept = {device for own in given for device in own}
    free.sort(key=lambda device: device in kept)  # a worker that idles may hold memory of its device
    return given.index(()), tuple(free[:wanted])
