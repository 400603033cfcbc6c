"""Claims about inspect/networks/network.py: a flow as a networkx graph."""

from __future__ import annotations

import cProfile
import json
from enum import StrEnum
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

import flowcore as fc
from tests.inspect.recordings import made as recordings


@fc.io
def load(path: str) -> list[float]:
    """Load."""
    raise AssertionError


@fc.compute
def scale(x: Any, rate: float = 1.0) -> float:
    """Scale."""
    return x * rate  # type: ignore[no-any-return]


@fc.compute
def total(xs: Any, ys: Any = None) -> float:
    """Sum up."""
    return sum(xs)  # type: ignore[no-any-return]


@fc.compute
def sizes(path: str) -> list[int]:
    """Give as many numbers as there are letters."""
    return list(range(len(path)))


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
    data = nx.node_link_data(flow.graph, edges="edges")

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


def json_of(graph: nx.DiGraph[str]) -> Any:
    """Write a graph as JSON, and read it."""
    return nx.node_link_graph(json.loads(json.dumps(nx.node_link_data(graph, edges="edges"))), edges="edges")


def same(one: nx.DiGraph[str], other: nx.DiGraph[str]) -> bool:
    """Tell whether two graphs have equal nodes, edges and attributes."""
    return dict(one.nodes) == dict(other.nodes) and dict(one.edges) == dict(other.edges) and one.graph == other.graph


def test_cells_are_nodes(flow: fc.Flow) -> None:
    """Each by its id and with its labels; those of unknown number are one node of the flow's name."""
    graph = flow.to_networkx(cells=True)

    assert {
        "load[path='a']": ({"path": "a"}, 1),
        "load[path='b']": ({"path": "b"}, 1),
        "scale": ({}, None),
        "total[path='a']": ({"path": "a"}, 1),
        "total[path='b']": ({"path": "b"}, 1),
        "load_2": ({}, 1),
        "last": ({}, 1),
    } == {name: (data["labels"], data["cells"]) for name, data in graph.nodes(data=True)}
    assert {
        ("load[path='a']", "scale"), ("load[path='b']", "scale"),
        ("scale", "total[path='a']"), ("load[path='a']", "total[path='a']"), ("load[path='b']", "total[path='b']"),
        ("load_2", "last"), ("total[path='a']", "last"), ("total[path='b']", "last"),
    } == set(graph.edges)  # fmt: skip
    assert same(graph, json_of(graph))


def test_cells_meet_by_name_and_gather() -> None:
    """An axis that both have joins equal labels; one that is gathered joins all; another one multiplies."""
    with fc.Flow() as flow:
        one = load(fc.each(path=["a", "b"]))
        both = scale(one, fc.each(rate=[1.0, float("nan")]))
        total(fc.gather(both, over="rate"))
    graph = flow.to_networkx(cells=True)

    assert [("load[path='a']", "scale[path='a', rate=1.0]"), ("load[path='a']", "scale[path='a', rate=nan]")] == list(
        graph.edges("load[path='a']")
    )
    assert ["scale[path='b', rate=1.0]", "scale[path='b', rate=nan]"] == list(graph.predecessors("total[path='b']"))
    assert {"path": "b", "rate": "nan"} == graph.nodes["scale[path='b', rate=nan]"]["labels"]
    assert same(graph, json_of(graph))


class Rock(StrEnum):
    """A label that is text, and more."""

    CHALK = "chalk"


def test_labels_are_what_json_takes() -> None:
    """Numbers and text as they are; all else by what it is called in an id."""
    with fc.Flow() as flow:
        load(fc.each(path=[Rock.CHALK, Path("a"), "b", 2.5]))
    graph = flow.to_networkx(cells=True)

    assert ["Rock.CHALK", "'a'", "b", 2.5] == [labels["path"] for _, labels in graph.nodes(data="labels")]
    assert [str, str, str, float] == [type(x["path"]) for _, x in graph.nodes(data="labels")]


def test_algorithms_of_networkx_work_on_cells(flow: fc.Flow) -> None:
    """Orders, paths, components and measures."""
    graph = flow.to_networkx(cells=True)

    assert "last" == list(nx.topological_sort(graph))[-1]
    assert 3 == nx.dag_longest_path_length(graph)
    assert 1 == nx.number_weakly_connected_components(graph)
    assert set(graph) == set(nx.betweenness_centrality(graph))


def test_labels_that_are_cut_alike_stay_apart() -> None:
    """Two cells whose ids would be equal are two nodes."""
    with fc.Flow() as flow:
        load(fc.each(path=["x" * 500 + "a", "x" * 500 + "b"]))

    assert 2 == len(flow.to_networkx(cells=True))


def test_a_hundred_thousand_cells_are_linear() -> None:
    """Ten times as many cells take ten times as many calls of functions, and not a hundred times."""
    many = fc.Flow()
    many.add(scale, fc.each(x=list(range(100))), fc.each(rate=list(range(1000))))

    def calls(rates: int) -> int:
        with fc.Flow() as flow:
            grid = scale(
                load(fc.each(path=[f"p{i}" for i in range(100)])), fc.each(rate=list(map(float, range(rates))))
            )
            total(fc.gather(scale(grid, 2.0)))
        profile = cProfile.Profile()
        graph = profile.runcall(flow.to_networkx, cells=True)
        assert 100 + 2 * 100 * rates + 1 == len(graph)
        assert 3 * 100 * rates == graph.number_of_edges()
        return sum(entry.callcount for entry in profile.getstats())

    calls(1)  # imports networkx

    assert 100_000 == len(many.to_networkx(cells=True))
    assert calls(100) < 11 * calls(10)


def test_a_run_tells_of_nodes_and_cells(tmp_path: Path) -> None:
    """States, keys, seconds, bytes, workers, attempts and reasons; the same from the journal."""

    @fc.compute(retries=1, backoff=0)
    def halve(x: int) -> int:
        if x == 3:
            raise ValueError(f"{x} is odd")
        if x == 1:
            raise fc.Skip("too small")
        return x // 2

    with fc.Flow() as flow:
        total(fc.gather(scale.options(cache=True)(halve(fc.each(x=[1, 2, 3])), 2.0)))
    run = flow.start(store=tmp_path / "s", on_error="continue", executor="inline", progress=False)
    with pytest.raises(fc.RunFailed):
        run.wait()
    node, cells = run.graph.nodes["halve"], run.to_networkx(cells=True)
    recorded = fc.open_run(run.id, tmp_path / "s")

    assert {"skipped": 1, "done": 1, "failed": 1} == node["states"]
    assert {"too small": 1, "ValueError: 3 is odd": 1} == node["reasons"]
    assert 4 == node["attempts"]
    assert [("skipped", 1, "too small"), ("done", 1, None), ("failed", 2, "ValueError: 3 is odd")] == [
        tuple(cells.nodes[f"halve[x={x}]"][name] for name in ("state", "attempts", "reason")) for x in (1, 2, 3)
    ]
    assert 64 == len(cells.nodes["halve[x=2]"]["key"])
    assert cells.nodes["halve[x=2]"]["bytes"] > 0
    assert same(cells, json_of(cells))
    assert same(cells, recorded.to_networkx(cells=True))
    assert same(run.graph, recorded.graph)


def test_cells_along_a_value_are_nodes_of_the_run(tmp_path: Path) -> None:
    """Of the run that knows them, with the labels that the value gave; edges come from what is iterated."""
    with fc.Flow() as flow:
        each = scale(fc.each(n=sizes(fc.each(path=["a", "bb"]))), 2)
    run = flow.run(store=tmp_path / "s", executor="inline", progress=False)
    expected = {
        ("sizes[path='a']", "scale[path='a', n=0]"),
        ("sizes[path='bb']", "scale[path='bb', n=0]"),
        ("sizes[path='bb']", "scale[path='bb', n=1]"),
    }

    assert expected == set(run.to_networkx(cells=True).edges)
    assert expected == set(fc.open_run(run.id, tmp_path / "s").to_networkx(cells=True).edges)
    assert 3 == len(run[each])


def test_what_a_cell_drew_leads_to_that_cell(tmp_path: Path) -> None:
    """The cells of a flow that a task gave feed the one cell that has its value."""

    @fc.compute
    def grow(x: float) -> Any:
        inner = fc.Flow("inner")
        inner.result = inner.add(scale, x, 3.0, name="inside")
        return inner

    with fc.Flow() as flow:
        grow(fc.each(x=[1.0, 2.0]))
    run = flow.run(store=tmp_path / "s", executor="inline", progress=False)
    edges = set(run.to_networkx(cells=True).edges)

    assert {"grow[x=1.0]", "grow[x=2.0]"} == {target for _, target in edges}
    assert 2 == len({source for source, _ in edges})
    assert edges == set(fc.open_run(run.id, tmp_path / "s").to_networkx(cells=True).edges)


def test_given_cells_did_not_run(tmp_path: Path) -> None:
    """They have a value, and no attempt, worker or seconds; live and recorded."""
    with fc.Flow() as flow:
        total([scale(load("a"), 2.0)])
    run = flow.run(given={"load": 3.0}, store=tmp_path / "s", executor="inline", progress=False)
    names = ("state", "attempts", "seconds", "worker")

    for one in (run, fc.open_run(run.id, tmp_path / "s")):
        assert ("given", 0, None, None) == tuple(one.to_networkx(cells=True).nodes["load"][name] for name in names)
        assert 0 == one.graph.nodes["load"]["attempts"]


def test_a_journal_cut_anywhere_has_a_graph(tmp_path: Path) -> None:
    """Of what can be read; and one in which single bytes are wrong."""
    with fc.Flow() as flow:
        each = scale(fc.each(n=sizes(fc.each(path=["a", "bb"]))), 2)
        total(fc.gather(each))
    run = flow.run(store=tmp_path / "s", executor="inline", progress=False)
    journal = tmp_path / "s" / "v1" / "journals" / f"{run.id}.journal"
    whole = journal.read_bytes()
    spoilt = [whole[:at] for at in range(0, len(whole), 41)]
    spoilt += [whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :] for at in range(60, len(whole), 67)]
    sizes_seen = set()
    for content in spoilt:
        journal.write_bytes(content)
        recorded = fc.open_run(run.id, tmp_path / "s")
        cells = recorded.to_networkx(cells=True)
        recorded.draw()
        sizes_seen.add((len(recorded.graph), len(cells)))
        assert same(cells, json_of(cells))

    assert {(0, 0), (3, 6)} <= sizes_seen


def test_nodes_that_a_journal_has_lost_are_left_out(tmp_path: Path) -> None:
    """What they fed stands without them, whether they were hidden or not."""
    nodes = [
        recordings.node("work", needs=[7]), recordings.node("spread", kind="expand", needs=[8]),
        recordings.node("each", needs=[1, 0], after=[9]),
        recordings.node("drawn", kind="result", needs=[0], drawn=[6, 0]),
    ]  # fmt: skip
    run = recordings.recorded(tmp_path / "s", recordings.Recording(nodes=nodes))

    assert [("work", "each")] == list(run.graph.edges) == list(run.to_networkx(cells=True).edges)
    assert str(run.draw())
