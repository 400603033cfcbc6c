"""Claims about result.py: what a user holds after a run."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.testing.cells import field, overwritten, plus, refuse_odd

SAME = "the same for all"


def ran(flow: fc.Flow, store: Path, *targets: object, **options: Any) -> fc.Run:
    """Run here."""
    return flow.run(*targets, **{"store": store, "executor": "inline", "progress": False} | options)


def all_fail(x: int) -> int:
    """Raise the same for all."""
    raise ValueError(SAME)


def test_values_are_asked_for_by_node_name_cell_and_shape(store: Path) -> None:
    """One node in five ways; lists, tuples and dicts of nodes give their likes of values."""
    flow = fc.Flow()
    one = flow.add(plus, 1, name="one")
    grid = flow.add(plus, fc.each(x=[1, 2]), name="grid")
    flow.result = {"a": [one, (grid,)], "b": 7}
    run = ran(flow, store)
    shaped = run[flow.result]

    assert (2, 2, 2, 3) == (run[one], run["one"], run[flow["one"]], run["grid[x=2]"])
    assert (2, {1: 2, 2: 3}, 7) == (shaped["a"][0], dict(shaped["a"][1][0]), shaped["b"])


def test_unknown_and_foreign_nodes_are_refused(store: Path) -> None:
    """By name."""
    flow, other = fc.Flow(), fc.Flow("other")
    flow.add(plus, 1, name="one")
    foreign = other.add(plus, 1)
    run = ran(flow, store)

    with pytest.raises(fc.UnknownNode, match="tow"):
        run["tow"]
    with pytest.raises(fc.ForeignReference, match="other"):
        run[foreign]


def test_a_value_that_was_let_go_says_so(store: Path) -> None:
    """It was not kept, and nobody asked for it; asked for when running, it is there."""
    flow = fc.Flow()
    first = flow.add(fc.compute(cache=False)(plus), 1, name="first")
    flow.result = flow.add(plus, first)

    with pytest.raises(fc.ValueReleased, match="first"):
        ran(flow, store)[first]
    assert 2 == ran(flow, store, first)[first]


@pytest.mark.contract("F31")
def test_writing_into_a_result_stays_with_who_wrote(store: Path) -> None:
    """Neither the store, nor a second look, nor the next run sees it."""
    flow = fc.Flow()
    array = flow.add(field, 1)
    total = flow.add(overwritten, array)
    run = ran(flow, store)
    run[array][:] = 99.0
    again = ran(flow, store, executor="refuse")

    assert np.array_equal(field(1), run[array])
    assert np.array_equal(field(1), again[array])
    assert field(1).sum() == run[total] == again[total]


def test_five_thousand_equal_failures_are_told_once(store: Path) -> None:
    """On one screen; `failures` has them all."""
    flow = fc.Flow()
    flow.add(all_fail, fc.each(x=range(5000)))
    with pytest.raises(fc.RunFailed) as caught:
        ran(flow, store, on_error="continue")
    text = str(caught.value)

    assert 5000 == len(caught.value.failures)
    assert 1 == text.count("the same for all")
    assert "4999 more" in text
    assert len(text.splitlines()) <= 20


def test_a_failure_has_its_exception_labels_and_frames(store: Path) -> None:
    """The user's frames only."""
    flow = fc.Flow()
    flow.add(all_fail, fc.each(x=[7]), name="bad")
    with pytest.raises(fc.RunFailed) as caught:
        ran(flow, store)
    (failure,) = caught.value.failures

    assert ("bad[x=7]", "bad", {"x": 7}, 1) == (failure.cell, failure.node, failure.labels, failure.attempts)
    assert isinstance(failure.exception, ValueError)
    assert "all_fail" in failure.error.traceback
    assert "perform.py" not in failure.error.traceback


def test_a_run_can_be_waited_for(store: Path) -> None:
    """Or looked at before its end."""
    go = threading.Event()
    flow = fc.Flow()
    flow.add(go.wait, 60.0, kind="io")
    run = flow.start(store=store, progress=False)
    early = run.wait(0.0), run.status
    go.set()

    assert ((False, "running"), True, "done") == (early, run.wait(60.0), run.status)


def test_a_summary_has_a_line_a_node(store: Path) -> None:
    """And counts what ran and what was there."""
    flow = fc.Flow("sums")
    flow.add(plus, fc.each(x=[1, 2]), name="grid")
    flow.add(refuse_odd, 2, name="even")
    ran(flow, store)
    lines = ran(flow, store).summary().splitlines()

    assert all(name in line for name, line in zip(("sums", "grid", "even"), [lines[0], *lines[2:4]], strict=True))
    assert "3 from the store" in lines[1]


def test_given_values_that_do_not_fit_are_refused(store: Path) -> None:
    """As many as there are cells."""
    flow = fc.Flow()
    grid = flow.add(plus, fc.each(x=[1, 2]))

    with pytest.raises(fc.AxisMismatch, match="3 values"):
        ran(flow, store, given={grid: [1, 2, 3]})
