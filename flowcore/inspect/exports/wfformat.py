"""A run as a workflow instance in WfFormat 1.5, the JSON of WfCommons.

Cells are tasks, kept arrays are files, worker processes are on the machine that the run
was on. So a run can be looked at, simulated and compared with those of other systems by
WfCommons and WRENCH.

References
----------
T. Coleman et al., "WfCommons: A framework for enabling scientific workflow research and
development", Future Generation Computer Systems 128, 2022. The schema: github.com/wfcommons/WfFormat.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from os import PathLike
from typing import Any, Final

from flowcore.errors import shorten
from flowcore.inspect.exports.steps import Step, steps_of
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.inspect.timing.timeline import Timeline
from flowcore.store.handout import hand_out

VERSION: Final = "1.5"
_SYSTEMS: Final = {"linux": "linux", "darwin": "macos", "windows": "windows"}


def write_wfformat(recorded: Recorded, timeline: Timeline, path: str | PathLike[str]) -> None:
    """Write the instance."""
    hand_out(path, json.dumps(instance(recorded, timeline), indent=1) + "\n")


def instance(recorded: Recorded, timeline: Timeline) -> dict[str, Any]:
    """Give the instance as plain data.

    Raises
    ------
    ValueError
        If no cell of the run has a value: an instance has one task at least.
    """
    steps = steps_of(timeline, recorded)
    if not steps:
        raise ValueError("no cell of the run has a value")
    children: dict[tuple[int, int], list[str]] = {}
    for step in steps:
        for need in step.needs:
            children.setdefault(need, []).append(_id(step.node, step.number))
    files = {step_file: size for step in steps for step_file, size in step.files}
    given = {(step.node, step.number): [name for name, _ in step.files] for step in steps}
    began = datetime.fromtimestamp(recorded.began, UTC).isoformat()
    machine = _machine(recorded)
    return {
        "name": shorten(str(recorded.facts.get("flow") or "flow")),
        "description": f"Run {recorded.id} of a flow, as its journal tells.",
        "createdAt": began, "schemaVersion": VERSION,
        "runtimeSystem": {"name": "flowcore", "version": str(_fact(recorded, "flowcore") or "unknown")},
        "workflow": {
            "specification": {
                "tasks": [_task(step, children.get((step.node, step.number), []), given) for step in steps],
                "files": [{"id": name, "sizeInBytes": size} for name, size in files.items()],
            },
            "execution": {
                "makespanInSeconds": timeline.seconds, "executedAt": began,
                "tasks": [_execution(step, recorded, machine["nodeName"]) for step in steps],
                "machines": [machine],
            },
        },
    }  # fmt: skip


def _id(node: int, number: int) -> str:
    """Give an id of the letters that the schema allows; readable ids are names there."""
    return f"{node}.{number}"


def _task(step: Step, children: list[str], given: dict[tuple[int, int], list[str]]) -> dict[str, Any]:
    return {
        "name": shorten(step.name), "id": _id(step.node, step.number), "parents": [_id(*need) for need in step.needs],
        "children": children, "inputFiles": list(dict.fromkeys(name for need in step.needs for name in given[need])),
        "outputFiles": [name for name, _ in step.files],
    }  # fmt: skip


def _execution(step: Step, recorded: Recorded, machine: str) -> dict[str, Any]:
    info = recorded.nodes[step.node]
    program = shorten(info.task or info.name) or "task"
    return {
        "id": _id(step.node, step.number), "runtimeInSeconds": step.seconds, "command": {"program": program},
        "coreCount": 1, "machine": machine,
    }  # fmt: skip


def _machine(recorded: Recorded) -> dict[str, Any]:
    system, _, release = str(_fact(recorded, "system") or "").partition(" ")
    cores = _fact(recorded, "cores")
    known = _SYSTEMS.get(system.lower())
    return {
        "nodeName": str(_fact(recorded, "host") or "localhost"),
        **({"system": known} if known else {}), **({"release": release} if release else {}),
        **({"architecture": str(told)} if (told := _fact(recorded, "processor")) else {}),
        **({"cpu": {"coreCount": cores}} if isinstance(cores, int) and cores > 0 else {}),
    }  # fmt: skip


def _fact(recorded: Recorded, name: str) -> object:
    machine = recorded.facts.get("machine")
    return machine.get(name) if isinstance(machine, dict) else None
