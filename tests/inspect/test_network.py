"""Claims about inspect/network.py: a flow as a networkx graph."""

from __future__ import annotations

import json
from typing import Any

import networkx as nx
import pytest

import flowcore as fc


@fc.io
def load(path: str) -> list[float]:
    """Load."""
    raise AssertionError


@fc.compute
def scale(x: Any, rate: float = 1.0) -> float:
    """Scale."""
    raise AssertionError


@fc.compute
def total(xs: Any, ys: Any = None) -> float:
    """Sum up."""
    raise AssertionError


@pytest.fixture
def flow() -> fc.Flow:
    """Draw a flow with a grid, a dynamic axis, an order and a group."""

    @fc.flow
    def group() -> Any:
        return load("inner")

    with fc.Flow("sample") as drawn:
        values = load(fc.each(path=["a", "b"]))
        grid = scale(fc.each(value=values), rate=fc.each(rate=[1.0, 2.0, 3.0]))
        total(fc.gather(grid), [values, values])
        drawn.add(total, group(), name="last", after="total")
    return drawn


def test_nodes_have_attributes(flow: fc.Flow) -> None:
    """Kind, runner, task, number of cells, axes and group."""
    found = {name: dict(data) for name, data in flow.graph.nodes(data=True)}
    keys = ("kind", "runner", "cells", "axes", "group")

    assert {
        "load": ("io", "thread", 2, ["path"], []),
        "scale": ("compute", "process", None, ["path", "value", "rate"], []),
        "total": ("compute", "process", 2, ["path"], []),
        "load_2": ("io", "thread", 1, [], ["group"]),
        "last": ("compute", "process", 1, [], []),
    } == {name: tuple(data[key] for key in keys) for name, data in found.items()}
    assert found["load"]["task"].endswith(".load")
    assert "test_network.py:" in found["load"]["site"]


def test_edges_name_their_parameters(flow: fc.Flow) -> None:
    """Hidden nodes are left out, their edges go from the node that is iterated."""
    edges = {(a, b): (data["parameters"], data["after"]) for a, b, data in flow.graph.edges(data=True)}

    assert {
        ("load", "scale"): (["x"], False),
        ("scale", "total"): (["xs"], False),
        ("load", "total"): (["ys", "ys"], False),
        ("load_2", "last"): (["xs"], False),
        ("total", "last"): ([], True),
    } == edges


def test_the_graph_is_json(flow: fc.Flow) -> None:
    """It can be written and read by any tool."""
    data = nx.node_link_data(flow.graph)

    assert data == json.loads(json.dumps(data))
    assert "sample" == flow.graph.graph["name"]


def test_a_choice_and_an_item_are_nodes() -> None:
    """They are part of the flow, with no task of their own."""
    with fc.Flow() as flow:
        values: Any = load("a")
        fc.choose(values[0], values, 2.0)
    graph = flow.to_networkx()

    assert [("item", None), ("choose", None)] == [
        (graph.nodes[n]["kind"], graph.nodes[n]["task"]) for n in ("load[0]", "choose")
    ]
    assert nx.is_directed_acyclic_graph(graph)
    assert ["load", "load[0]", "choose"] == list(nx.topological_sort(graph))
