"""Claims about inspect/pictures/folding.py: many nodes that are alike are drawn as one."""

from __future__ import annotations

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

import flowcore as fc
from flowcore.inspect.pictures.draw import picture
from flowcore.inspect.pictures.folding import MANY, folded


def graph_of(edges: list[tuple[str, str]], **facts: object) -> nx.DiGraph[str]:
    """Give a graph whose nodes are of the task that their name begins with."""
    graph: nx.DiGraph[str] = nx.DiGraph(edges, name="graph")
    for node in graph:
        graph.nodes[node].update(name=node, kind="compute", task=node.split("_")[0], cells=2, **facts)
    return graph


def ensemble(count: int, **facts: object) -> nx.DiGraph[str]:
    """Give chains of three that meet in one node."""
    edges = [pair for i in range(count) for pair in ((f"load_{i}", f"clip_{i}"), (f"clip_{i}", "table"))]
    return graph_of(edges, **facts)


def test_chains_that_are_alike_are_one() -> None:
    """Their cells, states and seconds are summed."""
    found = folded(ensemble(MANY, states={"done": 1, "failed": 1}, seconds=0.5))

    assert [("load_0", "clip_0"), ("clip_0", "table")] == list(found.edges)
    assert (MANY, 2 * MANY, {"done": MANY, "failed": MANY}, 0.5 * MANY) == tuple(
        found.nodes["load_0"][name] for name in ("folded", "cells", "states", "seconds")
    )


def test_few_stay_as_they_are() -> None:
    """One less than many, and the graph is the same object."""
    graph = ensemble(MANY - 1)

    assert graph is folded(graph)


def test_one_that_differs_stands_alone() -> None:
    """A chain of which something else is made too is not among those that are alike."""
    graph = ensemble(MANY + 1)
    graph.add_edge("clip_3", "plot")
    graph.nodes["plot"].update(name="plot", kind="io", task="plot", cells=1)
    found = folded(graph)

    assert {"load_0", "clip_0", "load_3", "clip_3", "table", "plot"} == set(found)
    assert MANY == found.nodes["clip_0"]["folded"]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=60))
def test_no_cycle_comes_of_it(pairs: list[tuple[int, int]]) -> None:
    """Whatever is folded; and every edge is still there between those that stand for its ends."""
    graph = graph_of([(f"a_{min(pair)}", f"a_{max(pair)}") for pair in pairs if pair[0] != pair[1]])
    found = folded(graph, 2)

    assert nx.is_directed_acyclic_graph(found)
    assert len(graph) == sum(facts.get("folded", 1) for facts in found.nodes.values())


def test_a_hundred_calls_are_one_box() -> None:
    """In the picture of a flow that is drawn in a loop of Python."""
    flow = fc.Flow("loop")
    flow.add(sum, [flow.add(abs, -i, name=f"abs_{i}") for i in range(100)], name="total")
    told = picture(flow.graph)

    assert 2 == told.count('fc-node"')
    assert "100 nodes" in told
    assert 101 == picture(flow.graph, many=1000).count('fc-node"')


def test_many_calls_of_a_flow_are_one_frame() -> None:
    """Groups whose names differ by their number alone; the frame tells that it stands for several."""

    @fc.flow
    def inner(x: int) -> int:
        return fc.compute(abs)(fc.compute(len)(str(x)))

    with fc.Flow("outer") as flow:
        for i in range(20):
            inner(i)
    told = picture(flow.graph)

    assert 1 == told.count('fc-frame"')
    assert ">inner …<" in told
