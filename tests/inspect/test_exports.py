"""Claims about exports: a run in other programs' formats, field by field as their specifications ask."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.history import RecordedRun


def wave(size: int, rate: float) -> np.ndarray[Any, Any]:
    """Give an array that is kept in a file."""
    return np.outer(np.sin(np.arange(size) * rate), np.cos(np.arange(size)))


def parts(size: int) -> list[int]:
    """Give a list that an axis runs over."""
    return list(range(size))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RecordedRun:
    """Give a run with a grid, an axis over a value, a gather and a failure."""
    store = tmp_path_factory.mktemp("exports") / "store"
    with fc.Flow("waves & <tags>") as flow:
        field = flow.add(wave, 60, fc.each(rate=[0.1, 0.2]), kind="compute", name="wave")
        flow.add(np.stack, fc.gather(field), kind="compute", name="stack")
        found = flow.add(parts, 2, kind="compute", name="parts")
        flow.add(abs, fc.each(part=found), kind="compute", name="one part")
        flow.add(int, "no number", kind="compute", name="fails")
    held = flow.start(store=store, executor="inline", on_error="continue", progress=False)
    with pytest.raises(fc.RunFailed):
        held.wait()
    return fc.open_run(held.id, store)


@pytest.fixture(scope="module")
def instance(run: RecordedRun, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Give it as WfCommons has it."""
    path = tmp_path_factory.mktemp("wf") / "run.json"
    run.export(path, format="wfformat")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.fixture(scope="module")
def crate(run: RecordedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give it as an RO-Crate."""
    path = tmp_path_factory.mktemp("ro") / "crate"
    run.export(path, format="rocrate")
    return path


# ---- WfFormat ------------------------------------------------------------------------

# What the schema of version 1.5 asks of each object: field to kind, those that must be there first.
_TEXT, _NUMBER = str, (int, float)
_MUST: dict[str, dict[str, Any]] = {
    "instance": {"name": _TEXT, "schemaVersion": _TEXT, "workflow": dict},
    "runtime": {"name": _TEXT, "version": _TEXT},
    "execution": {"makespanInSeconds": _NUMBER, "executedAt": _TEXT, "tasks": list},
    "task": {"name": _TEXT, "id": _TEXT, "parents": list, "children": list},
    "run task": {"id": _TEXT, "runtimeInSeconds": _NUMBER},
    "file": {"id": _TEXT, "sizeInBytes": int},
    "machine": {"nodeName": _TEXT},
}
_MAY: dict[str, dict[str, Any]] = {
    "instance": {"description": _TEXT, "createdAt": _TEXT, "runtimeSystem": dict},
    "runtime": {},
    "execution": {"machines": list},
    "task": {"inputFiles": list, "outputFiles": list},
    "run task": {"command": dict, "coreCount": int, "machine": _TEXT},
    "file": {},
    "machine": {"system": _TEXT, "release": _TEXT, "architecture": _TEXT, "cpu": dict},
}


def _fits(kind: str, found: Mapping[str, Any]) -> bool:
    """Tell whether an object has what it must, nothing that the schema does not know, and no empty text."""
    known = _MUST[kind] | _MAY[kind]
    return (
        _MUST[kind].keys() <= found.keys() <= known.keys()
        and all(isinstance(told, known[name]) for name, told in found.items())
        and "" not in found.values()
    )


def test_instance_has_the_fields_of_the_schema(instance: dict[str, Any]) -> None:
    """Each object has every field that WfFormat 1.5 asks for, of its kind, and none that it does not know."""
    flow, execution = instance["workflow"]["specification"], instance["workflow"]["execution"]

    assert "1.5" == instance["schemaVersion"]
    assert _fits("instance", instance)
    assert _fits("runtime", instance["runtimeSystem"])
    assert {"tasks", "files"} == flow.keys()
    assert _fits("execution", execution)
    assert all(_fits("task", task) for task in flow["tasks"])
    assert all(_fits("run task", task) for task in execution["tasks"])
    assert all(_fits("file", file) for file in flow["files"])
    assert all(_fits("machine", machine) for machine in execution["machines"])
    assert {machine["system"] for machine in execution["machines"]} <= {"linux", "macos", "windows"}
    assert datetime.fromisoformat(instance["createdAt"]).tzinfo is not None


def test_instance_is_one_graph(instance: dict[str, Any]) -> None:
    """Ids have the letters that are allowed, parents and children mirror each other, and what ran is what is drawn."""
    tasks = instance["workflow"]["specification"]["tasks"]
    ids = [task["id"] for task in tasks]

    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[0-9a-zA-Z-_.]+", identifier) for identifier in ids)
    assert ids == [task["id"] for task in instance["workflow"]["execution"]["tasks"]]
    down = {(task["id"], child) for task in tasks for child in task["children"]}
    assert down == {(parent, task["id"]) for task in tasks for parent in task["parents"]}
    place = {identifier: i for i, identifier in enumerate(ids)}
    assert all(place[parent] < place[child] for parent, child in down)


def test_instance_tells_cells_and_files(instance: dict[str, Any]) -> None:
    """Cells are tasks: failed ones are not, an axis over a value needs what made it, and kept arrays are files."""
    flow = instance["workflow"]["specification"]
    by_name = {task["name"]: task for task in flow["tasks"]}
    names = {task["id"]: task["name"] for task in flow["tasks"]}

    expected = {"wave[rate=0.1]", "wave[rate=0.2]", "stack", "parts", "one part[part=0]", "one part[part=1]"}
    assert expected == set(by_name)
    assert ["wave[rate=0.1]", "wave[rate=0.2]"] == [names[need] for need in by_name["stack"]["parents"]]
    assert ["parts"] == [names[need] for need in by_name["one part[part=1]"]["parents"]]
    made = [*by_name["wave[rate=0.1]"]["outputFiles"], *by_name["wave[rate=0.2]"]["outputFiles"]]
    assert 2 == len(made)
    assert made == by_name["stack"]["inputFiles"]
    assert all(file["sizeInBytes"] > 60 * 60 * 8 for file in flow["files"])


def test_cells_that_the_store_answered_have_the_seconds_of_their_run(tmp_path: Path) -> None:
    """A second run has the instance of the first, with what its cells took then."""
    with fc.Flow("again") as flow:
        flow.add(wave, 60, 0.1, kind="compute", name="wave")
    tasks = []
    for name in ("first", "second"):
        held = flow.run(store=tmp_path / "store", executor="inline", progress=False)
        held.export(tmp_path / name, format="wfformat")
        tasks.append(json.loads((tmp_path / name).read_text())["workflow"]["execution"]["tasks"])

    assert tasks[0] == tasks[1]
    assert tasks[0][0]["runtimeInSeconds"] > 0


def test_a_run_without_values_is_no_instance(tmp_path: Path) -> None:
    """A workflow without a task is none: the schema asks for one."""
    with fc.Flow("nothing") as flow:
        flow.add(int, "no number", kind="compute", name="fails")
    held = flow.start(store=tmp_path / "store", executor="inline", progress=False)
    with pytest.raises(fc.RunFailed):
        held.wait()

    with pytest.raises(ValueError, match="no cell"):
        held.export(tmp_path / "run.json", format="wfformat")


def test_an_unknown_format_is_refused(run: RecordedRun, tmp_path: Path) -> None:
    """Another format is a wrong option, and the message has those there are."""
    with pytest.raises(fc.BadOption, match="chrome, wfformat or rocrate"):
        run.export(tmp_path / "x", format="pdf")  # type: ignore[arg-type]


# ---- RO-Crate ------------------------------------------------------------------------


def _graph(crate: Path) -> dict[str, dict[str, Any]]:
    entities = json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    assert len(entities) == len({entity["@id"] for entity in entities})
    return {entity["@id"]: entity for entity in entities}


def _all(told: Any) -> Sequence[Any]:
    return told if isinstance(told, list) else [told]


def _of(graph: Mapping[str, dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [entity for entity in graph.values() if kind in _all(entity["@type"])]


def test_crate_describes_itself(crate: Path) -> None:
    """The descriptor is about the root, which has a name, a description, a date, a licence and its profiles."""
    graph = _graph(crate)
    root = graph["./"]

    assert {"@id": "./"} == graph["ro-crate-metadata.json"]["about"]
    assert {"@id": "https://w3id.org/ro/crate/1.1"} in graph["ro-crate-metadata.json"]["conformsTo"]
    assert {"name", "description", "datePublished", "license", "conformsTo", "mainEntity"} <= root.keys()
    for profile in ("process", "workflow", "provenance"):
        assert {"@id": f"https://w3id.org/ro/wfrun/{profile}/0.5"} in root["conformsTo"]
    assert all("CreativeWork" == graph[profile["@id"]]["@type"] for profile in root["conformsTo"])


def test_crate_has_the_workflow_that_ran(crate: Path) -> None:
    """The main entity is a file that is there, with a language, its tools as parts and its steps."""
    graph = _graph(crate)
    workflow = graph[graph["./"]["mainEntity"]["@id"]]

    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"} == set(workflow["@type"])
    assert {"@id": workflow["@id"]} in _all(graph["./"]["hasPart"])
    assert "ComputerLanguage" == graph[workflow["programmingLanguage"]["@id"]]["@type"]
    assert {"wave", "stack", "parts", "one part", "fails"} == {
        told["id"] for told in json.loads((crate / workflow["@id"]).read_text())["nodes"]
    }
    assert all("SoftwareApplication" == graph[part["@id"]]["@type"] for part in workflow["hasPart"])


def test_crate_has_an_action_for_each_cell(crate: Path) -> None:
    """Each cell that ran is an action of its tool, with times and a result, mentioned by the root."""
    graph = _graph(crate)
    actions = [action for action in _of(graph, "CreateAction") if action["@id"] != "#run"]
    mentioned = {mention["@id"] for mention in graph["./"]["mentions"]}

    assert 6 == len(actions)
    assert {"@id": graph["./"]["mainEntity"]["@id"]} == graph["#run"]["instrument"]
    assert {action["@id"] for action in actions} | {"#run"} == mentioned
    tools = {part["@id"] for part in graph["flow.json"]["hasPart"]}
    assert tools == {action["instrument"]["@id"] for action in actions}
    for action in actions:
        assert action["startTime"] <= action["endTime"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", action["endTime"])
        assert "PropertyValue" == graph[action["result"]["@id"]]["@type"]


def test_crate_has_steps_under_control(crate: Path) -> None:
    """Each node that ran is a step of the workflow with its tool, and an engine controls its cells."""
    graph = _graph(crate)
    steps = {step["@id"] for step in graph["flow.json"]["step"]}
    controls = _of(graph, "ControlAction")

    assert steps == {step["@id"] for step in _of(graph, "HowToStep")}
    assert all("SoftwareApplication" == graph[step["workExample"]["@id"]]["@type"] for step in _of(graph, "HowToStep"))
    assert steps == {control["instrument"]["@id"] for control in controls}
    organised = _of(graph, "OrganizeAction")[0]
    assert {control["@id"] for control in controls} == {control["@id"] for control in organised["object"]}
    assert {"@id": "#run"} == organised["result"]


def test_crate_names_nothing_that_is_not_in_it(crate: Path) -> None:
    """Whatever an entity refers to is described, or an address of the web."""
    graph = _graph(crate)
    referred = {
        told["@id"] for entity in graph.values() for field in entity.values() for told in _all(field)
        if isinstance(told, dict)
    }  # fmt: skip

    assert [] == [name for name in sorted(referred - graph.keys()) if not name.startswith("https://w3id.org/")]
