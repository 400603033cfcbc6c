"""Claims about inspect/html.py: small tables of flows, runs and grids, all of their text escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.errors import ValueReleased
from flowcore.grid import Grid
from flowcore.inspect.html import flow_html, grid_html, run_html
from flowcore.run.books import Counts
from tests.progress.stages import HOSTILE


class Rows(HTMLParser):
    """Reads the rows of a table, and whether every tag has its end."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Begin a row or a cell."""
        self.tags.add(tag)
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """End what is open."""
        assert tag == self.open.pop()

    def handle_data(self, data: str) -> None:
        """Take text up."""
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def read(told: str) -> Rows:
    """Read HTML."""
    parser = Rows()
    parser.feed(told)
    parser.close()
    assert [] == parser.open
    return parser


@fc.io
def load(path: str) -> list[int]:
    """Give numbers."""
    return [len(path)]


@fc.compute
def scale(x: int, rate: float) -> float:
    """Scale, or fail."""
    if rate < 0:
        raise ValueError("<b>negative</b>")
    return x * rate


@fc.compute
def total(xs: list[float]) -> float:
    """Sum up."""
    return sum(xs)


def drawn(rates: list[float]) -> fc.Flow:
    """Draw a flow with a grid whose length is known only in the run."""
    with fc.Flow("scaling") as flow:
        flow.result = total(fc.gather(scale(fc.each(item=load("a")), fc.each(rate=rates))))
    return flow


def test_a_flow_shows_its_nodes() -> None:
    """Kind, axes, cells, and what each needs; hidden nodes are left out."""
    flow = drawn([1.0, 2.0])

    assert [
        ["node", "kind", "axes", "cells", "needs"],
        ["load", "I/O", "", "1", ""],
        ["scale", "compute", "item: ? x rate: 2", "?", "load"],
        ["total", "compute", "", "1", "scale"],
    ] == read(flow._repr_html_()).rows
    assert "<Flow 'scaling': 3 nodes>" == repr(flow)


def test_a_run_shows_what_it_did(store: Path) -> None:
    """A row a node, and the failures."""
    flow = drawn([2.0, -1.0])
    run = flow.start(store=store, workers=1, progress=False)
    with pytest.raises(fc.RunFailed):
        run.wait()
    told = run._repr_html_()

    assert [
        ["node", "cells", "ran", "cached", "running", "failed"],
        ["load", "1", "1", "-", "-", "-"],
        ["scale", "2", "1", "-", "-", "1"],
        ["total", "1", "-", "-", "-", "-"],
    ] == read(told).rows
    assert "ValueError: &lt;b&gt;negative&lt;/b&gt;" in told


def test_a_grid_shows_its_values() -> None:
    """Two axes are rows and columns; what has no value is a dash, an array its dtype and shape."""
    values: list[Any] = [1.5, np.zeros((2, 3)), "text", None]
    labels = {(x, y): 2 * i + j for i, x in enumerate("ab") for j, y in enumerate((10, 20))}
    grid = Grid("g", ("x", "y"), labels, {0, 1, 2}, values.__getitem__)

    assert [["x \\ y", "10", "20"], ["a", "1.5", "float64 (2, 3)"], ["b", "'text'", "-"]] == read(
        grid._repr_html_()
    ).rows


def test_a_line_of_values_is_a_column() -> None:
    """One axis, and ragged grids, are lists; only the first values are read."""
    seen: list[int] = []

    def give(number: int) -> int:
        seen.append(number)
        return number

    told = Grid("g", ("x",), {(i,): i for i in range(1000)}, set(range(1000)), give)._repr_html_()

    assert [["x", "value"], ["0", "0"], ["1", "1"]] == read(told).rows[:3]
    assert (11, 10, True) == (len(read(told).rows), len(seen), "and 990 more cells" in told)


def test_a_value_that_is_gone_is_told() -> None:
    """Looking at a grid raises nothing."""

    def give(number: int) -> object:
        raise ValueReleased(cell="g[x=0]", node="g")

    told = Grid("g", ("x",), {(0,): 0}, {0}, give)._repr_html_()

    assert ["0", "(ValueReleased)"] == read(told).rows[1]


def test_large_things_stay_small() -> None:
    """A thousand nodes, or a grid of a million cells, are a screen."""
    flow = fc.Flow("many")
    for i in range(1000):
        flow.add(abs, i, name=f"n{i}")

    assert len(read(flow_html("many", flow.nodes)).rows) <= 41
    assert "and 960 more nodes" in flow._repr_html_()


@pytest.mark.contract("S6")
def test_no_name_becomes_markup() -> None:
    """Names of flows, nodes, axes, labels, runs, and messages are text, and no tag comes from them."""
    flow = fc.Flow(HOSTILE)
    flow.add(abs, 1, name=HOSTILE)
    counts = [(HOSTILE, 1, Counts(failed=1))]
    told = [
        flow_html(flow.name, flow.nodes),
        run_html(run=HOSTILE, flow=HOSTILE, status=HOSTILE, seconds=1.0, counts=counts, failures=[HOSTILE] * 5),
        grid_html(HOSTILE, {HOSTILE: [HOSTILE], "y": [HOSTILE]}, {(HOSTILE, HOSTILE): True}, lambda label: HOSTILE),
        grid_html(HOSTILE, {HOSTILE: [HOSTILE]}, {(HOSTILE,): True}, lambda label: HOSTILE),
    ]

    assert {"div", "strong", "span", "table", "thead", "tbody", "tr", "th", "td"} >= {
        tag for text in told for tag in read(text).tags
    }
    assert not any(re.search("[\x00\x1b\u202e]", text) for text in told)


def test_colours_are_those_of_the_page() -> None:
    """Text and ground are inherited, so light and dark pages can both be read."""
    told = drawn([1.0])._repr_html_()

    assert {"inherit"} == set(re.findall(r"[^-]color:(\w+)", told))
    assert {"none"} == set(re.findall(r"background:(\w+)", told))
