"""Claims about inspect/pictures/draw.py, dot.py and mermaid.py: flows and runs as pictures and texts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowcore as fc
from flowcore.errors import BadOption
from flowcore.inspect.pictures.dot import dot
from flowcore.inspect.pictures.draw import picture
from flowcore.inspect.pictures.lettering import fitted, width
from flowcore.inspect.pictures.mermaid import mermaid
from tests.progress.stages import HOSTILE

SVG = "{http://www.w3.org/2000/svg}"
ALLOWED = {"svg", "style", "title", "rect", "text", "g", "path", "circle"}
EVIL = [
    "<script>alert(1)</script>", 'a"b\'c&d', "line\nbreak\ttab", "\u202eevil\u202c", "\u05d0\u05d1\u05d2", "x" * 10_000,
    "]]><svg onload=1>", "\x1b[31mred", "\ud800", "e\u0301\U0001f600", "--> end", "`md`#35;", HOSTILE,
]  # fmt: skip


@fc.io
def load(path: str) -> Any:
    """Load."""
    return len(path)


@fc.compute
def scale(x: Any, rate: float = 1.0) -> Any:
    """Scale, but not by 3."""
    if rate == 3.0:
        raise ValueError(rate)
    return x * rate


@fc.compute
def total(xs: Any) -> Any:
    """Sum up."""
    return sum(xs)


@fc.flow
def study() -> Any:
    """Scale in a group."""
    return total(fc.gather(scale(load("abc"), fc.each(rate=[1.0, 2.0]))))


@pytest.fixture
def flow() -> fc.Flow:
    """Draw a flow of all kinds of nodes."""
    with fc.Flow("sample") as drawn:
        grid = scale(load("a"), rate=fc.each(rate=[1.0, 2.0, 3.0]))
        picked = fc.choose(total(fc.gather(grid)), study(), load("b"))
        drawn.add(total, [picked, picked], name="last", after="load")
    return drawn


def read(svg: str) -> ElementTree.Element:
    """Read a picture, and refuse what has no place in one."""
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in ALLOWED
        assert not [name for name in element.attrib if name.startswith("on") or "href" in name]
    return root


def chain(names: list[str]) -> nx.DiGraph[str]:
    """Give a graph of nodes with these names, each feeding the next, in groups called the same."""
    graph: nx.DiGraph[str] = nx.DiGraph(name=names[0] if names else "")
    for name in names:
        graph.add_node(name, name=name, kind="compute", cells=1, axes=[name], group=[name], site=name, task=name)
    nx.add_path(graph, names, parameters=names[:3], after=False)
    return graph


def test_a_picture_has_a_box_a_node_and_a_line_an_edge(flow: fc.Flow) -> None:
    """With the node's name and kind on it, and frames around groups."""
    root = read(str(flow.draw()))
    nodes = {g.get("data-node"): g.get("data-kind") for g in root.iter(f"{SVG}g") if g.get("data-node")}
    edges = {(p.get("data-from"), p.get("data-to")) for p in root.iter(f"{SVG}path") if p.get("data-from")}
    words = {text.text for text in root.iter(f"{SVG}text")}

    assert {name: facts["kind"] for name, facts in flow.graph.nodes.items()} == nodes
    assert set(flow.graph.edges) == edges
    assert {"study", "3 cells · rate", "I/O", "choice", "sample"} <= words


def test_a_picture_of_a_run_tells_states_and_times(flow: fc.Flow, tmp_path: Path) -> None:
    """By words in the legend, as no colour stands alone; live and recorded."""
    run = flow.start(store=tmp_path / "s", executor="inline", on_error="continue", progress=False)
    with pytest.raises(fc.RunFailed):
        run.wait()
    live, recorded = str(run.draw()), str(fc.open_run(run.id, tmp_path / "s").draw())
    words = {text.text for text in read(live).iter(f"{SVG}text")}

    assert {"failed", "ran", "blocked", "share of the time"} <= words
    assert {text.text for text in read(recorded).iter(f"{SVG}text")} >= {"failed", "ran", "blocked"}


@pytest.mark.contract("S6")
@pytest.mark.parametrize("name", EVIL, ids=range(len(EVIL)))
def test_names_are_text_and_short(name: str) -> None:
    """Whatever a node, group, axis or parameter is called, its picture is well-formed and small."""
    svg = picture(chain([name, f"{name} "]))
    words = "".join(read(svg).itertext())

    assert "\u202e" not in words
    assert "\x1b" not in words
    assert len(svg) < 20_000
    assert not re.search(r"<(script|svg onload)", svg)


@pytest.mark.contract("S6")
@given(st.lists(st.text(max_size=40), min_size=1, max_size=3, unique=True))
def test_any_name_is_text(names: list[str]) -> None:
    """In SVG, DOT and Mermaid: as many nodes and edges are read back as there are."""
    graph = chain(names)
    root = read(picture(graph))
    nodes = [line for line in dot(graph) if re.match(r' +"([^"\\]|\\.)*" \[label="([^"\\]|\\.)*", shape=', line)]
    boxes = [line for line in mermaid(graph) if re.fullmatch(r' +n\d+\["[^"<>`\\]*(<br/>[^"<>`\\]*)*"\]', line)]

    assert len(graph) == len([g for g in root.iter(f"{SVG}g") if g.get("data-kind")])
    assert len(graph) == len(nodes)
    assert len(graph) == len(boxes)


def test_dot_and_mermaid_have_groups_kinds_and_orders(flow: fc.Flow) -> None:
    """Each node in its group, with the shape of its kind; what only orders is dashed."""
    text, other = flow.to_dot(), flow.to_mermaid()

    assert 'subgraph "cluster_1" {\n    label="study"' in text
    assert 'label="load", shape=parallelogram' in text
    assert '"load" -> "last" [style=dashed];' in text
    assert 'subgraph g1["study"]' in other
    assert '[/"load"/]' in other
    assert "n0 -.-> " in other
    assert text.count("{") == text.count("}")


def test_a_picture_is_written_by_its_ending(flow: fc.Flow, tmp_path: Path) -> None:
    """SVG, DOT and Mermaid; what is there before is replaced; another ending is refused before anything is written."""
    (tmp_path / "x.svg").write_text("old")
    for name in ("x.svg", "x.dot", "x.mmd"):
        flow.draw(tmp_path / name)
    with pytest.raises(BadOption) as refused:
        flow.draw(tmp_path / "x.png")

    assert (str(flow.draw()), flow.to_dot(), flow.to_mermaid()) == tuple(
        (tmp_path / name).read_text() for name in ("x.svg", "x.dot", "x.mmd")
    )
    assert ".mmd" in str(refused.value)
    assert ["x.dot", "x.mmd", "x.svg"] == sorted(path.name for path in tmp_path.iterdir())


def test_what_cannot_be_written_is_an_error_of_the_system(flow: fc.Flow, tmp_path: Path) -> None:
    """With the path that was asked for, and nothing left behind."""
    with pytest.raises(FileNotFoundError) as missing:
        flow.draw(tmp_path / "no" / "x.svg")

    assert str(tmp_path / "no" / "x.svg") == missing.value.filename


def test_notebooks_show_a_picture(flow: fc.Flow) -> None:
    """By the hook that they look for; the same picture each time."""
    assert str(flow.draw()) == flow.draw()._repr_svg_()


@given(st.text(max_size=60), st.floats(20, 300))
def test_cut_text_fits(text: str, most: float) -> None:
    """Into any width."""
    assert width(fitted(text, 11, most), 11) <= most
