"""A run as a Workflow Run RO-Crate: a folder with its metadata, in the Provenance Run Crate profile.

The workflow is the graph as the journal tells it (``flow.json``), its steps are nodes, its
tools the tasks, and each cell that ran is an action with its beginning, end and result.
Values are told by kind, shape, dtype and digest; arrays stay in the store.

References
----------
S. Leo et al., "Recording provenance of workflow runs with RO-Crate", PLOS ONE 19(9), 2024;
profile https://w3id.org/ro/wfrun/provenance/0.5.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from flowcore.errors import shorten
from flowcore.inspect.exports.steps import Step, steps_of
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.inspect.timing.timeline import Timeline
from flowcore.store.fs import DISK
from flowcore.store.handout import hand_out

if TYPE_CHECKING:
    import networkx as nx

METADATA: Final = "ro-crate-metadata.json"
WORKFLOW: Final = "flow.json"
_CONTEXT: Final = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/cell/context"]
_PROFILES: Final = (
    ("https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/provenance/0.5", "Provenance Run Crate", "0.5"),
    ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"),
)
_RUN, _ENGINE, _LANGUAGE, _LICENCE = "#run", "#flowcore", "#language", "#licence"
Entity = dict[str, Any]


def write_rocrate(
    recorded: Recorded, timeline: Timeline, graph: nx.DiGraph[str], folder: str | os.PathLike[str]
) -> None:
    """Write the crate into a folder, made if need be."""
    place = os.fspath(folder)
    with suppress(FileExistsError):
        DISK.mkdir(place)
    facts = {
        "directed": True, "multigraph": False, "graph": dict(graph.graph),
        "nodes": [{"id": name, **told} for name, told in graph.nodes.items()],
        "edges": [{"source": a, "target": b, **told} for (a, b), told in graph.edges.items()],
    }  # fmt: skip
    hand_out(os.path.join(place, WORKFLOW), json.dumps(facts, indent=1, default=str) + "\n")
    hand_out(os.path.join(place, METADATA), json.dumps(crate(recorded, timeline), indent=1) + "\n")


def crate(recorded: Recorded, timeline: Timeline) -> Entity:
    """Give the metadata."""
    steps = [step for step in steps_of(timeline, recorded) if step.began is not None]
    entities = [*_frame(recorded, timeline, steps), *_insides(recorded, steps)]
    return {"@context": _CONTEXT, "@graph": [{name: _single(told) for name, told in one.items()} for one in entities]}


def _single(told: Any) -> Any:
    """Give a list of one as that one, as RO-Crate would have it."""
    return told[0] if isinstance(told, list) and len(told) == 1 else told


def _frame(recorded: Recorded, timeline: Timeline, steps: list[Step]) -> Iterator[Entity]:
    """Yield the crate itself, the workflow and its run."""
    flow = shorten(str(recorded.facts.get("flow") or "flow"))
    began, ended = _instant(recorded, 0.0), _instant(recorded, timeline.seconds)
    yield {"@id": METADATA, "@type": "CreativeWork", "about": _to("./"), "conformsTo": [
        _to("https://w3id.org/ro/crate/1.1"), _to(_PROFILES[3][0])]}  # fmt: skip
    yield {
        "@id": "./", "@type": "Dataset", "name": f"{flow}, run {recorded.id}", "datePublished": ended,
        "description": f"What run {recorded.id} of the flow {flow} did, cell by cell.", "license": _to(_LICENCE),
        "conformsTo": [_to(profile) for profile, _, _ in _PROFILES], "hasPart": [_to(WORKFLOW)],
        "mainEntity": _to(WORKFLOW), "mentions": [_to(_RUN), *(_to(_action(step)) for step in steps)],
    }  # fmt: skip
    for profile, name, version in _PROFILES:
        yield {"@id": profile, "@type": "CreativeWork", "name": name, "version": version}
    yield {"@id": _LICENCE, "@type": "CreativeWork", "name": "No licence is stated", "description":
           "Whoever publishes this crate says under which licence."}  # fmt: skip
    tools, nodes = sorted({_tool(recorded, step.node) for step in steps}), sorted({step.node for step in steps})
    yield {
        "@id": WORKFLOW, "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"], "name": flow,
        "programmingLanguage": _to(_LANGUAGE), "encodingFormat": "application/json",
        "hasPart": [_to(tool) for tool in tools], "step": [_to(_step(node)) for node in nodes],
    }  # fmt: skip
    yield {"@id": _LANGUAGE, "@type": "ComputerLanguage", "name": "flowcore", "description":
           "A graph of Python functions, in the node-link form of networkx."}  # fmt: skip
    machine = recorded.facts.get("machine")
    version = str(machine.get("flowcore", "")) if isinstance(machine, dict) else ""
    yield {"@id": _ENGINE, "@type": "SoftwareApplication", "name": "flowcore", "softwareVersion": version or "unknown"}
    yield {
        "@id": _RUN, "@type": "CreateAction", "name": f"run {recorded.id}", "instrument": _to(WORKFLOW),
        "description": f"{flow} on {timeline.workers} workers: {recorded.status}", "startTime": began, "endTime": ended,
        "actionStatus": f"http://schema.org/{'Completed' if recorded.status == 'done' else 'Failed'}ActionStatus",
        "result": [_to(_value(step)) for step in steps if step.node in _ends(recorded)],
    }  # fmt: skip
    yield {
        "@id": "#organize", "@type": "OrganizeAction", "name": "flowcore carries it out", "instrument": _to(_ENGINE),
        "startTime": began, "endTime": ended, "object": [_to(_control(node)) for node in nodes], "result": _to(_RUN),
    }  # fmt: skip


def _insides(recorded: Recorded, steps: list[Step]) -> Iterator[Entity]:
    """Yield tools, steps, and the actions of cells with what they gave."""
    told: dict[str, None] = {}
    of_node: dict[int, list[Step]] = {}
    for step in steps:
        of_node.setdefault(step.node, []).append(step)
    for place, (node, cells) in enumerate(sorted(of_node.items())):
        info, tool = recorded.nodes[node], _tool(recorded, node)
        if tool not in told:
            told[tool] = None
            yield {"@id": tool, "@type": "SoftwareApplication", "name": shorten(info.task or info.name)}
        yield {"@id": _step(node), "@type": "HowToStep", "name": shorten(info.name), "position": str(place),
               "workExample": _to(tool)}  # fmt: skip
        yield {"@id": _control(node), "@type": "ControlAction", "name": f"cells of {shorten(info.name)}",
               "instrument": _to(_step(node)), "object": [_to(_action(step)) for step in cells]}  # fmt: skip
    made = {(step.node, step.number): _value(step) for step in steps}
    for step in steps:
        began = step.began or 0.0
        yield {
            "@id": _action(step), "@type": "CreateAction", "name": shorten(step.name),
            "description": f"A cell of {shorten(recorded.nodes[step.node].name)}",
            "instrument": _to(_tool(recorded, step.node)), "startTime": _instant(recorded, began),
            "endTime": _instant(recorded, began + step.seconds), "result": _to(_value(step)),
            "object": [_to(made[need]) for need in step.needs if need in made],
            "actionStatus": "http://schema.org/CompletedActionStatus",
        }  # fmt: skip
        yield {"@id": _value(step), "@type": "PropertyValue", "name": shorten(step.name), "value": shorten(step.value)}


def _to(identifier: str) -> dict[str, str]:
    return {"@id": identifier}


def _tool(recorded: Recorded, node: int) -> str:
    info = recorded.nodes[node]
    return f"#task/{quote(info.task or info.name, safe='', errors='replace')}"


def _step(node: int) -> str:
    return f"#step/{node}"


def _control(node: int) -> str:
    return f"#control/{node}"


def _action(step: Step) -> str:
    return f"#cell/{step.node}.{step.number}"


def _value(step: Step) -> str:
    return f"#value/{step.node}.{step.number}"


def _ends(recorded: Recorded) -> set[int]:
    """Give the nodes that feed no other."""
    feeding = {source for info in recorded.nodes.values() for _, source in info.sources}
    return set(recorded.nodes) - feeding


_LAST = 253_402_300_799  # seconds since 1970, in the year 9999


def _instant(recorded: Recorded, seconds: float) -> str:
    at = recorded.began + seconds
    at = at if 0 <= at < _LAST else float(_LAST)  # a damaged journal may tell of any moment
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
