"""A run on one page: what the journal tells, put into HTML.

Owns the page: which facts are on it, and how they get there. Promises that nothing a
user, a task or a file named becomes markup or script: text goes into one block of JSON in
which ``<``, ``>`` and ``&`` are written as escapes, the script puts it on the page as
text, and a content security policy lets no other script run and nothing be loaded
(contract S6). A page of ten thousand cells stays under a megabyte; where there are more,
cells are summed up and the page says so.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from pkgutil import get_data
from typing import TYPE_CHECKING, Any, Final

from flowcore import clock
from flowcore.errors import FlowcoreError, shorten
from flowcore.inspect.failures import FailedCell
from flowcore.inspect.pictures.draw import picture
from flowcore.inspect.pictures.folding import folded
from flowcore.inspect.recordings.loops import step_told
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.inspect.report.bars import FEW, critical_places, timeline_facts
from flowcore.inspect.report.cells import NAME, TEXT, Cells
from flowcore.inspect.report.nodes import nodes_facts, shown_nodes
from flowcore.inspect.report.summed import summed
from flowcore.inspect.timing.timeline import Timeline

if TYPE_CHECKING:
    import networkx as nx

_DRAWN: Final = 400  # nodes that are drawn each on its own
_FAILURES: Final = 60
_STEPS: Final = 400  # of the critical path
_CURVES: Final = 24  # cells whose metrics are drawn
_ESCAPES: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def page(recorded: Recorded, *, seconds: float, graph: nx.DiGraph[str], failures: Sequence[FailedCell]) -> str:
    """Give the HTML of a run's report.

    Parameters
    ----------
    recorded : Recorded
        What the journal tells.
    seconds : float
        Wall time so far, or in all.
    graph : networkx.DiGraph
        The run's graph.
    failures : sequence of FailedCell
        In order of failing.
    """
    facts = report_facts(recorded, seconds=seconds, graph=graph, failures=failures)
    drawn = _drawn(graph)
    script, style = _asset("page.js"), _asset("page.css")
    return _asset("page.html").format(
        title=escape(shorten(f"{facts['run']['flow']} · {facts['run']['id']}", 200)), style=style, script=script,
        hash=b64encode(sha256(script.encode()).digest()).decode("ascii"), data=json_block(facts),
        picture=picture(drawn, title="", many=len(drawn) + 1),
    )  # fmt: skip


def json_block(facts: object) -> str:
    r"""Give JSON that can stand inside a script element, whatever is in it.

    Examples
    --------
    >>> print(json_block("</script>"))
    "\u003c/script\u003e"
    """
    text = json.dumps(facts, ensure_ascii=True, separators=(",", ":"), allow_nan=False, default=str)
    for character, written in _ESCAPES.items():
        text = text.replace(character, written)
    return text


def report_facts(
    recorded: Recorded, *, seconds: float, graph: nx.DiGraph[str], failures: Sequence[FailedCell]
) -> dict[str, Any]:
    """Give all that is on the page, as plain data."""
    timeline = Timeline(recorded, seconds)
    places = shown_nodes(recorded)
    cells = Cells(recorded, timeline.attempts)
    states = {name: facts["states"] for name, facts in graph.nodes.items()}
    nodes = nodes_facts(recorded, cells, states, _shares(timeline))
    by_name = {recorded.nodes[number].name: place for number, place in places.items()}
    drawn = _drawn(graph)
    return {
        "run": _run(recorded, timeline), "notes": _notes(recorded, timeline, cells, boxes=len(drawn)),
        "nodes": nodes, "drawn": _behind(drawn, by_name),
        "failures": [_failure(f, by_name, recorded, cells) for f in failures[:_FAILURES]], "failed": len(failures),
        "timeline": timeline_facts(timeline, places), "critical": critical_places(timeline),
        "path": _path(timeline, by_name), "waiting": timeline.waiting, "spent": _spent(timeline),
        "tasks": [_task(task) for task in timeline.tasks], "metrics": _metrics(recorded, places),
        "environment": _environment(recorded),
    }  # fmt: skip


def _asset(name: str) -> str:
    data = get_data(__package__, name)
    assert data is not None, "it is in the package"
    return data.decode("utf-8")


def _behind(drawn: nx.DiGraph[str], places: dict[str, int]) -> list[list[int]]:
    """Give the places of the nodes behind each box."""
    members = (told.get("members", [box]) for box, told in drawn.nodes.items())
    return [[places[name] for name in names if name in places] for names in members]


def _drawn(graph: nx.DiGraph[str]) -> nx.DiGraph[str]:
    """Give the boxes of the picture: many nodes that are alike are one, and all of a task where that does not help."""
    found = folded(graph)
    return found if len(found) <= _DRAWN else summed(graph)


def _run(recorded: Recorded, timeline: Timeline) -> dict[str, Any]:
    shown = [ledger for node, ledger in recorded.ledgers.items() if recorded.nodes[node].kind != "expand"]
    counts = {
        what: sum(getattr(ledger.counts, what) for ledger in shown) for what in ("done", "hit", "failed", "skipped")
    }
    path = timeline.critical_path
    return {
        "id": recorded.id, "flow": shorten(str(recorded.facts.get("flow", "")), NAME), "status": recorded.status,
        "began": recorded.began, "made": clock.wall(), "seconds": timeline.seconds, "workers": timeline.workers,
        "utilisation": timeline.utilisation, "counts": counts, "path": path.seconds, "path_waited": path.waited,
        "cells": sum(recorded.space(node).count for node, i in recorded.nodes.items() if i.kind != "expand"),
    }  # fmt: skip


def _notes(recorded: Recorded, timeline: Timeline, cells: Cells, *, boxes: int) -> list[str]:
    """Say what is not on the page, and why."""
    notes: list[str] = []
    if recorded.status == "running":
        notes.append(
            "The run was going on when this page was made: cells that ran at that moment are not on the timeline."
        )
    elif recorded.ended is None:
        notes.append("The run has no end in its journal: it was killed. What it had written down is here.")
    if recorded.damaged:
        notes.append(f"{recorded.damaged:,} bytes of the journal cannot be read. What they told is missing here.")
    if len(timeline) > FEW:
        notes.append(
            f"{len(timeline):,} attempts are too many to be drawn one by one: the timeline shows how much of each "
            "moment cells took, and tables show sums."
        )
    if cells.left:
        notes.append(
            f"{cells.left:,} cells are in sums only: of each node the failed, the longest and the first are shown."
        )
    nodes = len(shown_nodes(recorded))
    if boxes < nodes:
        notes.append(f"The picture has {boxes} boxes for {nodes:,} nodes: those that are alike are drawn as one.")
    if cells.gone:
        gone = f"{cells.gone:,} of the values shown are" if cells.gone > 1 else "One of the values shown is"
        notes.append(f"{gone} not in the store any more ({recorded.store.root}).")
    if recorded.ledgers and not len(timeline) and any(ledger.counts.done for ledger in recorded.ledgers.values()):
        notes.append("The journal does not tell when cells ran: an older version wrote it.")
    return notes


def _failure(failure: FailedCell, places: dict[str, int], recorded: Recorded, cells: Cells) -> dict[str, Any]:
    error = failure.error
    if isinstance(error, FlowcoreError):
        what = {"type": type(error).__name__, "text": str(error), "at": "", "traceback": ""}
    else:
        what = {"type": error.type, "text": error.text, "at": error.at, "traceback": error.traceback[-TEXT:]}
    place = places.get(failure.node)
    number = next((
        n for n, info in recorded.nodes.items() if info.name == failure.node
    ), -1)  # fmt: skip
    cell = next((c for c in recorded.failed(number) if recorded.name(number, c) == failure.cell), -1)
    return what | {
        "text": str(what["text"])[:TEXT], "cell": shorten(failure.cell, NAME), "node": place, "number": cell,
        "attempts": failure.attempts, "again": failure.again, "printed": cells.printed(number, cell),
        "arguments": [[shorten(name, 80), shorten(told, NAME)] for name, told in failure.arguments.items()],
    }  # fmt: skip


def _path(timeline: Timeline, places: dict[str, int]) -> list[dict[str, Any]]:
    """Give the steps of the critical path; the longest ones, where they are very many."""
    path = timeline.critical_path
    least = sorted((s.seconds + s.waited for s in path), reverse=True)[:_STEPS][-1] if len(path) > _STEPS else 0.0
    return [
        {
            "cell": shorten(step.cell, NAME), "node": places.get(step.node), "began": step.began,
            "seconds": step.seconds, "waited": step.waited, "cause": step.cause,
        }
        for step in path if step.seconds + step.waited >= least
    ]  # fmt: skip


def _shares(timeline: Timeline) -> dict[int, tuple[float, float]]:
    import numpy as np

    a = timeline.attempts
    order = np.argsort(a.node, kind="stable")
    nodes, first = np.unique(a.node[order], return_index=True)
    parts = np.split(a.seconds[order], first[1:]) if len(nodes) else []
    return {int(n): (float(np.median(p)), float(p.max())) for n, p in zip(nodes, parts, strict=True)}


def _spent(timeline: Timeline) -> dict[str, float]:
    """Give the seconds of all workers by what they did."""
    a = timeline.attempts
    at_work = a.worker > 0
    calling, around = float(a.seconds[at_work].sum()), float((a.fetching + a.keeping)[at_work].sum())
    whole = timeline.workers * timeline.seconds
    return {"calling": calling, "io": around, "idle": max(0.0, whole - calling - around)} if at_work.any() else {}


def _task(task: Any) -> dict[str, Any]:
    return {
        "task": shorten(task.task, NAME), "nodes": task.nodes, "cells": task.cells, "lost": task.lost,
        "total": task.total, "mean": task.mean, "median": task.median, "longest": task.longest, "around": task.around,
    }  # fmt: skip


def _metrics(recorded: Recorded, places: dict[int, int]) -> list[dict[str, Any]]:
    """Give the live numbers of loops over steps, as they were written down."""
    found: list[dict[str, Any]] = []
    long = sorted(recorded.loops.history.items(), key=lambda item: -len(item[1]))
    for (node, number), told in [item for item in long if len(item[1]) > 1][:_CURVES]:
        names = list(dict.fromkeys(name for step in told for name in step.numbers))
        found.append({
            "cell": shorten(recorded.name(node, number), NAME), "node": places.get(node), "last": step_told(told[-1]),
            "steps": [step.step for step in told], "of": told[-1].steps,
            "series": {shorten(n, 80): [_finite(step.numbers.get(n)) for step in told] for n in names},
        })  # fmt: skip
    return found


def _finite(number: float | None) -> float | None:
    return number if number is not None and abs(number) < float("inf") else None


def _environment(recorded: Recorded) -> list[list[str]]:
    """Give what the run was run with, and on, and the libraries that its tasks are known to use."""
    facts, machine = recorded.facts, recorded.facts.get("machine")
    options = ("workers", "seed", "on_error", "executor")
    told = [[name, str(facts[name])] for name in options if facts.get(name) is not None]
    told += [["Python", str(facts.get("python", ""))]]
    told += [[str(name), str(text)] for name, text in (machine.items() if isinstance(machine, dict) else ()) if text]
    marks = ("code: library ", "library ")
    parts = {part for ledger in recorded.ledgers.values() for part in ledger.common}
    used = sorted({part.removeprefix(marks[0]) for part in parts if part.startswith(marks[0])})
    known = {name for name, _ in told}
    told += [[name, version] for name, _, version in (one.partition("==") for one in used) if name not in known]
    return [[shorten(name, 80), shorten(text, NAME)] for name, text in [*told, ["store", str(recorded.store.root)]]]
