"""Claims about history.py: any run can be looked at, from any process, as far as its journal tells."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.errors import UnknownRun
from flowcore.history import RecordedRun
from flowcore.store.history import run_paths
from tests import told

ROOT = Path(__file__).parents[1]


def newest(store: Path) -> RecordedRun:
    """Open the newest run."""
    return fc.open_run(fc.runs(store)[0].id, store)


def states(run: RecordedRun, node: str) -> dict[str, str]:
    """Give the state of each cell of a node."""
    return {row.cell: row.state for row in run.cells(node)}


def carried_out(flow: fc.Flow, store: Path, *targets: object, **options: Any) -> fc.Run:
    """Run a flow on threads, whatever becomes of it."""
    run = flow.start(*targets, store=store, executor="thread", progress=False, **options)
    with suppress(fc.RunFailed):
        run.wait()
    return run


@contextmanager
def elsewhere(store: Path) -> Iterator[subprocess.Popen[str]]:
    """Run `told.held` in another process, up to the cell that waits for a word."""
    command = [sys.executable, "-c", f"import runpy, sys; sys.argv = ['told', {str(store)!r}]; {_RUN}"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    try:
        assert "holding\n" == process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


_RUN = "runpy.run_module('tests.told', run_name='__main__')"


# What a finished run tells.


def test_no_store_has_no_runs(store: Path) -> None:
    """A store that was never written to is empty, and looking does not make it."""
    assert [] == fc.runs(store)
    assert not store.exists()


def test_a_finished_run_tells_what_it_was(store: Path) -> None:
    """Flow, status, counts and settings are there without the flow."""
    with fc.Flow("fields") as flow:
        told.total(told.field(fc.each(rate=[0.5, 1.0])))
    run = carried_out(flow, store, seed=7, workers=1)

    (info,) = fc.runs(store)
    assert (run.id, "fields", "done", 1) == (info.id, info.flow, info.status, info.workers)
    assert {"cells": 4, "done": 4, "hit": 0, "failed": 0} == {
        k: info.cells[k] for k in ("cells", "done", "hit", "failed")
    }
    assert 0 < info.seconds <= run.seconds + 1
    assert info == fc.open_run(run.id, store).info
    assert 7 == fc.open_run(run.id, store).settings["seed"]


def test_runs_come_newest_first(store: Path) -> None:
    """The run of a moment ago is what one looks for."""
    with fc.Flow("fields") as flow:
        told.double(1.0)
    ids = [carried_out(flow, store).id for _ in range(3)]

    assert ids[::-1] == [info.id for info in fc.runs(store)]


def test_nodes_tell_how_they_were_wired(store: Path) -> None:
    """Name, kind, task, axes and sources of each node are in the journal."""
    with fc.Flow("fields") as flow:
        told.total(told.field(fc.each(rate=[0.5, 1.0])))
    carried_out(flow, store)

    field, total = newest(store).nodes
    assert ("field", "compute", ("rate",), ()) == (field.name, field.kind, field.axes, field.sources)
    assert ("tests.told.total", "thread", (("x", field.number),)) == (total.task, total.runner, total.sources)


def test_values_are_read_by_name_label_and_cell(store: Path) -> None:
    """What the run gave is what its record gives."""
    with fc.Flow("fields") as flow:
        field = told.field(fc.each(rate=[0.5, 1.0]))
        told.total(field)
    run = carried_out(flow, store)

    seen = newest(store)
    assert run["total"].array().tolist() == seen["total"].array().tolist()
    assert 2_000.0 == seen["total"][{"rate": 0.5}] == seen["total[rate=0.5]"]
    assert np.array_equal(run[field][1.0], seen["field"][1.0])


def test_an_answered_cell_has_the_value_that_answered(store: Path) -> None:
    """The record of a warm run lies in an older journal."""
    with fc.Flow("fields") as flow:
        told.field(fc.each(rate=[0.5, 1.0]))
    carried_out(flow, store)
    carried_out(flow, store)

    warm = newest(store)
    assert {"field[rate=0.5]": "hit", "field[rate=1.0]": "hit"} == states(warm, "field")
    assert 0.5 == warm["field[rate=0.5]"][0]


def test_an_old_run_keeps_its_values_when_a_later_one_computes_anew(store: Path, tmp_path: Path) -> None:
    """`refresh=` takes the place of a record for whoever comes later, not for who came before."""
    with fc.Flow("counting") as flow:
        told.counted(1, str(tmp_path / "calls"))
    ids = [carried_out(flow, store, **options).id for options in ({}, {}, {"refresh": True}, {})]

    assert [101, 101, 201, 201] == [fc.open_run(run_id, store)["counted"] for run_id in ids]


def test_equal_cells_all_have_the_value(store: Path) -> None:
    """A cell that waited for an equal one is in the history, too."""
    with fc.Flow("equal") as flow:
        told.double(fc.each(a=[3.0]))
        told.double(fc.each(b=[3.0]))
    carried_out(flow, store)

    seen = newest(store)
    assert [6.0, 6.0] == [seen["double[a=3.0]"], seen["double_2[b=3.0]"]]
    assert {"done", "hit"} == {*states(seen, "double").values(), *states(seen, "double_2").values()}


@pytest.mark.parametrize(
    "labels",
    [
        [told.Colour.RED, told.Colour.BLUE],
        [Path("a/b"), Path("c")],
        ["a", "b"],
        [True, False],
        [2**70, 1],
        [0.5, 1e300],
    ],
)
def test_labels_come_back_as_they_were(store: Path, labels: list[object]) -> None:
    """Whatever a label is, so is what it is called."""
    with fc.Flow("labels") as flow:
        flow.add(repr, fc.each(x=labels), name="told", kind="io")
    run = carried_out(flow, store)

    seen = newest(store)
    assert labels == seen["told"].labels["x"]
    assert [repr(label) for label in labels] == [seen["told"][label] for label in labels]
    assert [run[row.cell] for row in seen.cells("told")] == [seen[row.cell] for row in seen.cells("told")]


def test_dynamic_axes_have_their_labels(store: Path) -> None:
    """Rows that took their shape in the run have it in the history."""
    with fc.Flow("ragged") as flow:
        rows = told.upto(fc.each(n=[3, 0, 2]))
        told.double(fc.each(item=rows))
    run = carried_out(flow, store)

    seen = newest(store)
    assert dict(run["double"]) == dict(seen["double"])
    assert 2 == seen["double[n=2, item=1]"] == run["double[n=2, item=1]"]
    with pytest.raises(fc.AxisMismatch):
        seen["double"].array()


def test_each_cell_has_its_state_and_its_reason(store: Path) -> None:
    """Failed, skipped and blocked cells are told apart, in the list and when their value is asked for."""
    with fc.Flow("picky") as flow:
        told.double(told.picky(fc.each(x=[0, 1, 2])))
    carried_out(flow, store, on_error="continue")

    seen = newest(store)
    assert ["done", "failed", "skipped"] == list(states(seen, "picky").values())
    assert ["done", "blocked", "skipped"] == list(states(seen, "double").values())
    with pytest.raises(fc.ValueLost, match="the cell is blocked"):
        seen["double[x=1]"]
    (failure,) = seen.failures
    assert ("picky[x=1]", {"x": 1}, 1) == (failure.cell, failure.labels, failure.attempts)
    assert ("ValueError", "one is not to be had") == (failure.error.type, failure.error.text)  # type: ignore[union-attr]
    assert ("failed", 1, 1) == (seen.status, seen.counts("picky").failed, seen.info.cells["blocked"])


def test_a_given_value_is_told_as_such(store: Path) -> None:
    """What the user supplied did not come from a task."""
    with fc.Flow("given") as flow:
        told.double(told.picky(3))
    carried_out(flow, store, given={"picky": 5})

    seen = newest(store)
    assert ({"picky": "given"}, 5, 10) == (states(seen, "picky"), seen["picky"], seen["double"])


def test_attempts_are_counted(store: Path, tmp_path: Path) -> None:
    """A cell that came through at its third attempt was tried three times."""
    path = tmp_path / "tries"

    def shaky() -> int:
        with open(path, "a", encoding="ascii") as file:
            file.write(".")
        if path.stat().st_size < 3:
            raise OSError("not yet")
        return 1

    with fc.Flow("shaky") as flow:
        flow.add(fc.io(retries=5)(shaky), name="shaky")
    carried_out(flow, store)

    assert 3 == newest(store).cell("shaky").attempts


def test_a_value_that_was_not_kept_says_so(store: Path) -> None:
    """There is no record of what has no encoding."""
    with fc.Flow("lambda") as flow:
        flow.add(lambda: object(), name="thing", kind="io")
    carried_out(flow, store)

    with pytest.raises(fc.ValueReleased, match="was not kept"):
        newest(store)["thing"]


def test_a_graph_tells_states_seconds_and_keys(store: Path) -> None:
    """The run's graph is the flow's, with how far each node came; from the journal it is the same."""
    with fc.Flow("fields") as flow:
        told.double(told.total(told.field(0.5)))
    run = carried_out(flow, store)

    live, seen = run.graph, newest(store).graph
    assert dict(live.nodes(data=True)) == dict(seen.nodes(data=True))
    assert list(live.edges(data=True)) == list(seen.edges(data=True))
    facts = seen.nodes["total"]
    assert ("done", {"done": 1}, 64) == (facts["state"], facts["states"], len(facts["key"]))
    assert 0 < facts["seconds"] < run.seconds


def test_an_id_may_be_cut_short(store: Path) -> None:
    """The first letters of an id will do, if they are those of one run."""
    with fc.Flow("fields") as flow:
        told.double(1.0)
    ids = [carried_out(flow, store).id for _ in range(2)]

    assert ids[1] == fc.open_run(ids[1][:-3], store).id
    for wrong in (ids[0][:4], "", "nonsense"):
        with pytest.raises(UnknownRun):
            fc.open_run(wrong, store)


def test_an_unknown_name_gets_a_suggestion(store: Path) -> None:
    """As in a flow."""
    with fc.Flow("fields") as flow:
        told.double(1.0)
    carried_out(flow, store)

    with pytest.raises(fc.UnknownNode, match="Did you mean 'double'"):
        newest(store)["duoble"]
    with pytest.raises(fc.UnknownNode):
        newest(store).output("double[x=1]")


# Other processes, and damage.


def test_a_live_run_is_followed_from_another_process(store: Path) -> None:
    """It is running, what is done can be read, and its end is seen by who looks on."""
    with elsewhere(store) as process:
        (info,) = fc.runs(store)
        seen = fc.open_run(info.id, store)

        assert ("running", "running") == (info.status, seen.status)
        assert 2_000.0 == seen["total[rate=0.5]"]
        assert {"hold[rate=0.5]": "waiting"} == states(seen, "hold")
        assert 0 < seen.seconds
        with pytest.raises(fc.ValueLost, match="waiting"):
            seen["hold[rate=0.5]"]

        process.communicate("go\n")
        assert ("done", 2_000.0) == (seen.status, seen["hold[rate=0.5]"])


@pytest.mark.contract("F1")
def test_a_killed_run_is_dead_and_what_it_did_is_there(store: Path) -> None:
    """No end was written, and nobody holds its lock."""
    with elsewhere(store) as process:
        process.kill()
        process.wait()

    (info,) = fc.runs(store)
    seen = fc.open_run(info.id, store)
    assert ("dead", "dead", 2) == (info.status, seen.status, info.cells["done"])
    assert (2_000.0, {"hold[rate=0.5]": "not run"}) == (seen["total"][0.5], states(seen, "hold"))
    assert 0 <= seen.seconds < 600


@pytest.mark.contract("F22")
@pytest.mark.parametrize("lost", [1, 40, 400])
def test_a_damaged_end_costs_what_is_in_it(store: Path, lost: int) -> None:
    """The rest is told, and nothing is told wrongly."""
    with fc.Flow("fields") as flow:
        told.double(fc.each(x=[1.0, 2.0]))
    carried_out(flow, store)
    (journal,) = run_paths(store).values()
    data = Path(journal).read_bytes()
    Path(journal).write_bytes(data[:-lost] + bytes(byte ^ 0xFF for byte in data[-lost:]))

    seen = newest(store)
    assert "dead" == seen.status
    rows = {row.cell: row for row in seen.cells("double")} if "double" in seen else {}
    assert all(2 * row.labels["x"] == seen[cell] for cell, row in rows.items() if row.state == "done")  # type: ignore[operator]


def test_a_lost_row_of_a_dynamic_axis_makes_no_false_labels(store: Path) -> None:
    """Where a journal lost a row's length, later cells have a number and no label."""
    with fc.Flow("ragged") as flow:
        told.double(fc.each(item=told.upto(fc.each(n=[2, 3]))))
    carried_out(flow, store)
    seen = newest(store)
    seen._recorded._rows = -1  # as if the first had not been read
    seen._recorded.catch_up()

    assert {f"double[cell {n}]" for n in range(5)} == set(states(seen, "double"))
    assert {} == dict(seen["double"])


def test_a_record_that_went_missing_is_a_lost_value(store: Path) -> None:
    """A hit whose older journal is gone, an array whose file is gone."""
    with fc.Flow("fields") as flow:
        told.field(fc.each(rate=[0.5, 1.0]))
    first, second = carried_out(flow, store), carried_out(flow, store)
    for array in (store / "v1" / "arrays").rglob("*.npy"):
        array.unlink()

    with pytest.raises(fc.ValueLost, match="not in the store any more"):
        fc.open_run(first.id, store)["field[rate=0.5]"]
    Path(run_paths(store)[first.id]).unlink()
    with pytest.raises(fc.ValueLost, match="record that answered"):
        fc.open_run(second.id, store)["field[rate=0.5]"]


@pytest.mark.contract("P9")
def test_reading_a_run_unpickles_nothing(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values are read from records alone; a pickle in one is refused."""
    with fc.Flow("fields") as flow:
        told.total(told.field(fc.each(rate=[0.5, 1.0])))
    carried_out(flow, store)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("unpickled")

    monkeypatch.setattr("pickle.loads", refuse)
    seen = newest(store)
    assert 2_000.0 == seen["total[rate=0.5]"]
    assert 0.5 == seen["field[rate=0.5]"][0]
