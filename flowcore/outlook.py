"""What a user asks before running: what a run would do, and why a cell would run.

Owns the putting together of `Flow.plan` and `Flow.why`. Never runs anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowcore.declare.node import Node
from flowcore.errors import UnknownNode
from flowcore.inspect.causes.why import Explainer, Why
from flowcore.inspect.outlooks.plan import Plan, plan_of
from flowcore.inspect.recordings.past import Past
from flowcore.plan.graph import Graph
from flowcore.run.rehearsals.asked import Asked
from flowcore.run.rehearsals.rehearsal import Rehearsal
from flowcore.run.rehearsals.verdict import Verdict
from flowcore.settings import Settings
from flowcore.store.directory import Store, new_run_id, open_store
from flowcore.targets import Drawn, Target, asked_of, split_id, target


def plan(flow: Drawn, targets: Sequence[object], settings: Settings) -> Plan:
    """Tell what a run would do."""
    graph, asked = asked_of(flow, targets, settings)
    rehearsal, past = _rehearsal(flow.name, graph, asked, settings)
    return plan_of(rehearsal, past, flow=flow.name, asked=asked, settings=settings)


def why(flow: Drawn, cell: object, settings: Settings) -> Why:
    """Tell why a cell would run, or would not; of a node with many, the first that the store does not answer."""
    node, text = _named(flow, cell)
    known = text == "" or all(axis.labels is not None for axis in node.axes)
    asked = target(flow, cell) if known else Target(node)
    rehearsal, past = rehearsed(flow, [cell if known else node], settings)
    explainer, number = Explainer(rehearsal, past), node.number
    numbers = asked.numbers if asked.numbers is not None else rehearsal.space(number).select({}).numbers
    if not known:
        numbers = [n for n in numbers if explainer.name(number, n) == text]
        if not numbers and rehearsal.space(number).complete:
            raise UnknownNode(name=text, flow=flow.name, near=(node.name,))
    if not numbers:
        return explainer.unborn(number, text or node.name)
    first = next((n for n in numbers if rehearsal.verdict(number, n) != Verdict.CACHED), numbers[0])
    return explainer.why(number, first)


def _named(flow: Drawn, cell: object) -> tuple[Node, str]:
    """Give the node that is asked about, and the cell's id if it is one."""
    text = cell if isinstance(cell, str) else ""
    if not text.endswith("]") or text in flow:
        return target(flow, cell).node, ""
    return flow[split_id(flow, text)[0]], text


def rehearsed(flow: Drawn, targets: Sequence[object], settings: Settings) -> tuple[Rehearsal, Past]:
    """Rehearse a run of a flow."""
    return _rehearsal(flow.name, *asked_of(flow, targets, settings), settings)


def _rehearsal(name: str, graph: Graph, asked: Asked, settings: Settings) -> tuple[Rehearsal, Past]:
    store = settings.store if isinstance(settings.store, Store) else open_store(str(settings.store))
    run_id = new_run_id()
    past = Past(store, run_id, name)
    return Rehearsal(graph, asked=asked, store=store, run_id=run_id, memory=past, seed=settings.seed), past
