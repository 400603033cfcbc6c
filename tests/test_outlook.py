"""Claims about plans of any drawing: what is said of each cell before a run is what becomes of it there."""

from __future__ import annotations

import tempfile
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowcore as fc
from flowcore.inspect.causes.why import Explainer
from flowcore.outlook import rehearsed
from flowcore.run.rehearsals.verdict import Verdict
from flowcore.settings import Settings
from tests.drawings import Step, drawn
from tests.oracle import run
from tests.programs import examples, programs
from tests.test_oracle import MORE

BECOMES = {
    Verdict.CACHED: {"hit", "unasked"}, Verdict.SKIPPED: {"unasked"},
    Verdict.EQUAL: {"hit", "done", "failed", "skipped", "unasked", "blocked"},
    Verdict.RUNS: {"done", "failed", "skipped", "unasked"},
    Verdict.REFUSED: {"failed"}, Verdict.READ: {"done", "given"},
}  # fmt: skip


pytestmark = pytest.mark.usefixtures("counter")


def foretold(flow: fc.Flow, store: str) -> dict[str, Verdict]:
    """Give the verdict of each cell, by its id, and explain each of them."""
    rehearsal, past = rehearsed(flow, list(flow.result), Settings.of(store=store))
    explainer = Explainer(rehearsal, past)
    cells: dict[str, Verdict] = {}
    for number, planned in rehearsal.graph.nodes.items():
        if planned.node.kind == "expand":
            continue
        for n in range(rehearsal.space(number).count):
            cells[rehearsal.labels.name(number, n)] = rehearsal.verdict(number, n)
            if rehearsal.verdict(number, n) == Verdict.EQUAL:  # which of the two computes their value is open
                cells[rehearsal.labels.name(*rehearsal.leader(number, n))] = Verdict.EQUAL
            assert str(explainer.why(number, n))
    assert str(flow.plan(*flow.result, store=store))
    return cells


@pytest.mark.contract("P10", "P1")
@given(steps=programs(), first=st.data())
@examples(40, more=MORE)
def test_what_is_foretold_comes_true(steps: list[Step], first: st.DataObject) -> None:
    """After a run of a part, each cell that is said to be cached is answered, and each that is said to run runs."""
    flow, refs = drawn(steps)
    with tempfile.TemporaryDirectory() as store, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run(flow, refs[first.draw(st.integers(0, len(steps) - 1))], store=store, executor="inline")
        cells = foretold(flow, store)
        recorded = fc.open_run(run(flow, store=store, executor="inline").id, store)
        states = {cell.cell: _state(cell) for node in recorded.nodes for cell in recorded.cells(node.name)}

        wrong = {
            cell: (verdict.name, states[cell]) for cell, verdict in cells.items()
            if verdict in BECOMES and states[cell] not in BECOMES[verdict]
        }  # fmt: skip
        assert {} == wrong


def _state(cell: Any) -> str:
    """Give the state of a cell; one that is skipped although no task was called is unasked."""
    return "unasked" if cell.state == "skipped" and not cell.attempts else str(cell.state)
