"""Claims about fc.diff: which cells of two runs differ, and by how much."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.cli import main


class Opaque:
    """Has no encoding."""


def land(rate: float, n: int, shift: float) -> Any:
    """Give an array that is moved at one rate alone."""
    return np.arange(1.0, n + 1) + (shift if rate == 2.0 else 0.0)


def mean(z: Any) -> float:
    """Sum it up."""
    return float(z.mean())


def fragile(shift: float) -> float:
    """Fail for one shift."""
    if shift == 9.0:
        raise ValueError("nine")
    return shift


def drawn(shift: float = 0.0, rates: tuple[float, ...] = (1.0, 2.0, 3.0), n: int = 4, *more: str) -> fc.Flow:
    """Draw lands at some rates, their means, and other nodes by name."""
    flow = fc.Flow("lands")
    z = flow.add(land, fc.each(rate=list(rates)), n, shift, name="land")
    flow.add(mean, z, name="mean")
    for name in more:
        flow.add(fragile if name == "fragile" else abs, shift, name=name)
    return flow


def run(flow: fc.Flow, store: Path, **options: Any) -> fc.Run:
    """Run here, quietly, to the end."""
    started = flow.start(store=store, progress=False, executor="inline", on_error="continue", **options)
    with contextlib.suppress(fc.RunFailed):
        started.wait(60.0)
    return started


def test_two_runs_of_one_flow_are_the_same(store: Path) -> None:
    """Computed, or answered by the store: a value is a value."""
    a, b = run(drawn(), store), run(drawn(), store)
    found = fc.diff(a, b)

    assert found.same
    assert [("land", 3), ("mean", 3)] == [(node.node, node.equal) for node in found.nodes]


@pytest.mark.parametrize("n", [4, 5000], ids=["in records", "in files"])
def test_what_differs_is_told_by_cell_and_by_how_much(store: Path, n: int) -> None:
    """Nodes in the order of drawing, so the first that differs is where it begins."""
    found = fc.diff(run(drawn(0.0, n=n), store), run(drawn(0.5, n=n), store))
    first = found.nodes[0]

    assert not found.same
    assert ["land", "mean"] == [node.node for node in found.nodes]
    assert (2, 1, 0.5, 0.5) == (first.equal, first.different, first.absolute, first.relative)
    assert ["land[rate=2.0]"] == [cell.cell for cell in first.cells]
    assert "land: 2 equal, 1 differ; at most 0.5 absolute, 0.5 relative" in str(found)


def test_cells_are_matched_by_label(store: Path) -> None:
    """Not by number: other cells, in another order."""
    a = run(drawn(0.0, (1.0, 2.0, 3.0)), store)
    b = run(drawn(0.5, (4.0, 2.0, 1.0)), store)
    first = fc.diff(a, b).nodes[0]

    assert (1, 1, 1, 1) == (first.equal, first.different, first.only_a, first.only_b)


def test_nodes_of_one_run_only(store: Path) -> None:
    """They are named."""
    found = fc.diff(run(drawn(0.0, (1.0,), 4, "old"), store), run(drawn(0.0, (1.0,), 4, "new"), store))

    assert (("old",), ("new",)) == (found.only_a, found.only_b)
    assert "only in the first: old" in str(found)


def test_an_end_is_compared_like_a_value(store: Path) -> None:
    """A cell that failed in one run differs."""
    found = fc.diff(run(drawn(1.0, (1.0,), 4, "fragile"), store), run(drawn(9.0, (1.0,), 4, "fragile"), store))
    node = found.nodes[-1]

    assert ("fragile", 1) == (node.node, node.different)
    assert "fragile: done and failed" == str(node.cells[0])


def test_shapes_and_kinds_are_told(store: Path) -> None:
    """Where no number can be given."""
    found = fc.diff(run(drawn(0.0, n=4), store), run(drawn(0.0, n=5), store))

    assert "shape (4,) and (5,)" == found.nodes[0].cells[0].told


@pytest.mark.filterwarnings("ignore::flowcore.NotStorable")
def test_what_has_no_identity_is_neither(store: Path) -> None:
    """It is counted apart."""
    flow = fc.Flow()
    flow.add(Opaque, name="opaque")
    found = fc.diff(run(flow, store), run(flow, store))

    assert (0, 0, 1) == (found.nodes[0].equal, found.nodes[0].different, found.nodes[0].unknown)


def test_runs_by_id_and_from_other_stores(store: Path) -> None:
    """Two ids of one store, or two runs of two."""
    a, b = run(drawn(0.0), store), run(drawn(0.5), store)
    other = run(drawn(0.5), store.parent / "other")

    assert fc.diff(a, b) == fc.diff(a.id, b.id, store=store) == fc.diff(fc.open_run(a.id, store), b)
    assert fc.diff(b, other).same
    with pytest.raises(fc.UnknownRun):
        fc.diff(a.id, "nobody", store=store)


def test_equal_cells_of_one_run(store: Path) -> None:
    """One is computed, the other answered by it; both have the value."""

    def twins(shift: float) -> fc.Flow:
        flow = fc.Flow()
        for name in ("one", "two"):
            flow.add(land, 2.0, 4, shift, name=name)
        return flow

    found = fc.diff(run(twins(0.0), store), run(twins(1.0), store))

    assert [(0, 1), (0, 1)] == [(node.equal, node.different) for node in found.nodes]


def test_many_cells(store: Path) -> None:
    """Ten thousand that differ fit on a screen; only some values are read."""
    flows = []
    for shift in (0, 1):
        flow = fc.Flow()
        flow.add(lambda x, shift: x + shift, fc.each(x=range(10_000)), shift, name="plus")
        flows.append(flow)
    found = fc.diff(*(run(flow, store) for flow in flows))

    assert 10_000 == found.nodes[0].different
    assert "of 100 looked at" in str(found)
    assert len(str(found).splitlines()) < 10


def test_on_the_command_line(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As text, and as JSON."""
    a, b = run(drawn(0.0), store), run(drawn(0.5), store)

    assert 0 == main(["diff", a.id, "last", "--store", os.fspath(store)])
    assert "land: 2 equal, 1 differ" in capsys.readouterr().out
    assert 0 == main(["diff", a.id, b.id, "--store", os.fspath(store), "--json"])
    assert json.loads(capsys.readouterr().out)["nodes"][0]["different"] == 1
