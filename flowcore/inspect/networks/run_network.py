"""Runs as networkx graphs: a flow's graph, and how far each node came.

Node attributes besides those of `inspect/networks/network.py`, all of them plain JSON: ``cells``
(as many as are known), ``states`` (state to number of cells), ``state`` (the node in
one word), ``seconds`` (inside the user's function, summed; None: not known), ``key`` (of a
node with one cell, in hex; else None), ``bytes`` (of the values that its cells gave and
that were kept), ``workers`` (the processes that carried them out), ``attempts`` and
``reasons`` (why cells have no value, to how many). The graph's ``run`` is the run's id.

With a node for each cell, they have ``state``, ``key``, ``seconds``, ``bytes``,
``worker``, ``attempts`` and ``reason``; see `inspect/recordings/cell_facts.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowcore.declare.node import HIDDEN, Node
from flowcore.inspect.networks.cell_network import cell_network
from flowcore.inspect.networks.network import node_network
from flowcore.inspect.networks.sheets import planned_sheets, recorded_sheets
from flowcore.inspect.recordings.cell_facts import cell_facts, node_facts
from flowcore.inspect.recordings.nodeinfo import NodeInfo
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.plan.schedule import Schedule
from flowcore.plan.states import State
from flowcore.run.books import Counts
from flowcore.run.session import Session

if TYPE_CHECKING:
    import networkx as nx

_NAMES = {
    State.UNWANTED: "not wanted", State.WAITING: "waiting", State.READY: "waiting", State.PARKED: "waiting",
    State.LOST: "waiting", State.STARTED: "running", State.DONE: "done", State.SKIPPED: "skipped",
    State.FAILED: "failed", State.INTERRUPTED: "interrupted", State.BLOCKED: "blocked",
}  # fmt: skip
_SETTLED = ("done", "hit", "given", "failed", "skipped")  # a journal knows better
_LOUDEST = (
    "running", "failed", "interrupted", "blocked", "waiting", "not run", "done", "hit", "given", "skipped", "not wanted"
)  # fmt: skip


def live_network(
    name: str, nodes: Sequence[Node], *, schedule: Schedule, counts: Mapping[int, Counts], recorded: Recorded | None
) -> nx.DiGraph[str]:
    """Give the graph of a run that this process holds; `recorded` adds what only its journal tells."""
    graph = node_network(name, nodes)
    for node in nodes:
        if node.kind not in HIDDEN:
            found = states_of(schedule, node.number, counts.get(node.number, Counts()))
            _mark(graph, node.name, node.number, found, recorded)
    return graph


def recorded_network(recorded: Recorded) -> nx.DiGraph[str]:
    """Give the graph of a run that its journal tells of."""
    import networkx as nx  # half of a second that only a graph is worth

    shown = {number: info for number, info in recorded.nodes.items() if info.kind not in HIDDEN}
    graph: nx.DiGraph[str] = nx.DiGraph(name=str(recorded.facts.get("flow", "")))
    for info in shown.values():
        graph.add_node(
            info.name, name=info.name, kind=info.kind, runner=info.runner, task=info.task, axes=list(info.axes),
            group=list(info.group), site=info.site,
        )  # fmt: skip
        space = recorded.space(info.number)
        states: dict[str, int] = {}
        for n in range(space.count):
            state = recorded.state(info.number, n)
            states[state] = states.get(state, 0) + 1
        _mark(graph, info.name, info.number, states, recorded)
    for info in recorded.nodes.values():
        taker = recorded.nodes.get(info.drawn[0]) if info.kind == "result" and info.drawn is not None else None
        target = info if info.number in shown else taker
        if target is None:
            continue
        for parameter, number in info.sources:
            if (source := _shown(recorded, number)) is not None:
                _edge(graph, source, target)["parameters"] += [parameter]
        for number in info.after if target is info else ():
            if (source := _shown(recorded, number)) is not None:
                _edge(graph, source, target)["after"] = True
    return graph


def recorded_cells(recorded: Recorded) -> nx.DiGraph[str]:
    """Give the graph of the cells of a run that its journal tells of."""
    return cell_network(recorded_network(recorded), recorded_sheets(recorded), lambda node: cell_facts(recorded, node))


def live_cells(nodes: nx.DiGraph[str], session: Session, recorded: Recorded | None) -> nx.DiGraph[str]:
    """Give the graph of the cells of a run that this process holds, with the graph of its nodes."""
    schedule = session.schedule

    def facts(node: int) -> list[dict[str, Any]]:
        told = cell_facts(recorded, node) if recorded is not None and node in recorded.ledgers else []
        states = [_NAMES[State(state)] for state in schedule.states(node)]
        return [
            (told[n] | ({} if told[n]["state"] in _SETTLED else {"state": state}))
            if n < len(told)
            else {"state": state}
            for n, state in enumerate(states)
        ]

    drawn = {number: info.drawn for number, info in recorded.nodes.items()} if recorded is not None else {}
    sheets = planned_sheets(session.graph.planned(), session.space, session.labels.of, drawn)
    return cell_network(nodes, sheets, facts)


def states_of(schedule: Schedule, node: int, counts: Counts) -> dict[str, int]:
    """Count the cells of a node by state; those that the store answered apart from those that ran."""
    found: dict[str, int] = {}
    states = schedule.states(node)
    for state in State:
        count = states.count(state)
        if count:
            found[_NAMES[state]] = found.get(_NAMES[state], 0) + count
    if "done" in found and counts.hit:
        ran = found.pop("done") - counts.hit
        found |= {"hit": counts.hit} | ({"done": ran} if ran > 0 else {})
    return found


def _mark(graph: nx.DiGraph[str], name: str, number: int, states: dict[str, int], recorded: Recorded | None) -> None:
    cells = sum(states.values())
    known = recorded is not None and number in recorded.ledgers
    key = recorded.key(number, 0).hex() if recorded is not None and known and cells == 1 else ""
    if recorded is not None and known:
        graph.nodes[name].update(node_facts(recorded, number))
        graph.nodes[name]["runner"] = recorded.nodes[number].runner  # where its cells were carried out in the end
    graph.graph["run"] = recorded.id if recorded is not None else None
    graph.nodes[name].update(
        cells=cells, states=states, state=next((state for state in _LOUDEST if state in states), "waiting"),
        seconds=recorded.ledgers[number].seconds if recorded is not None and known else None, key=key or None,
    )  # fmt: skip


def _shown(recorded: Recorded, number: int) -> NodeInfo | None:
    """Give a node, or the one that a hidden node spreads out; None if what told of it is lost."""
    info = recorded.nodes.get(number)
    while info is not None and info.kind == "expand":
        info = recorded.nodes.get(info.sources[0][1]) if info.sources else None
    return info


def _edge(graph: nx.DiGraph[str], source: NodeInfo, target: NodeInfo) -> dict[str, Any]:
    if not graph.has_edge(source.name, target.name):
        graph.add_edge(source.name, target.name, parameters=[], after=False)
    edge: dict[str, Any] = graph.edges[source.name, target.name]
    return edge
