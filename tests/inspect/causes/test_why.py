"""Claims about inspect/causes/why.py and inspect/outlooks/plan.py: each verdict has its reason, and a plan its sums."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.inspect.causes import reasons
from flowcore.inspect.causes.arrays import first_difference, values_told
from flowcore.inspect.causes.differences import changes
from flowcore.inspect.causes.why import Explainer
from flowcore.outlook import rehearsed
from flowcore.plan import keys
from flowcore.settings import Settings


@dataclass
class Land:
    """A value of a user's class."""

    height: float


@fc.compute(runner="inline")
def dem(size: int, peak: float = 1.0) -> Any:
    """Give an array that does not fit a record."""
    field = np.ones((size, size))
    field[1, 2] = peak
    return field


@fc.compute(runner="inline")
def lift(field: Any, by: float) -> Any:
    """Lift it."""
    return field + by


@fc.compute(runner="inline")
def mean(fields: list[Any], weight: Any = 1.0) -> float:
    """Give the mean."""
    return float(np.mean(fields) * np.sum(weight))


@fc.io(runner="inline")
def look() -> float:
    """Give what the world is like."""
    return 4.0


@fc.compute(runner="inline")
def twice(x: float) -> float:
    """Double."""
    return 2 * x


@fc.compute(runner="inline")
def land(height: float) -> Land:
    """Make a value of a user's class."""
    return Land(height)


@fc.compute(runner="inline")
def describe(what: Land) -> str:
    """Use it."""
    return str(what)


def lands(size: int = 60, peak: float = 1.0, by: tuple[float, ...] = (0.5, 1.5), weight: Any = 1.0) -> fc.Flow:
    """Draw an array, a grid over it, and their mean."""
    with fc.Flow("lands") as flow:
        flow.result = mean(fc.gather(lift(dem(size, peak), fc.each(by=list(by)))), weight)
    return flow


def world() -> fc.Flow:
    """Draw what depends on the world."""
    with fc.Flow("world") as flow:
        flow.result = twice(look())
    return flow


def run(flow: fc.Flow, store: Path, **options: Any) -> fc.Run:
    """Run a flow."""
    return flow.run(store=store, progress=False, **options)


def told(flow: fc.Flow, cell: str, store: Path, **options: Any) -> list[str]:
    """Give verdict and reasons of a cell."""
    why = flow.why(cell, store=store, **options)
    return [why.verdict, *map(str, why.changes)]


def test_a_cell_that_never_ran_says_so(tmp_path: Path) -> None:
    """Without an older run there is nothing to compare with."""
    assert ["will run", "no earlier run kept this cell"] == told(lands(), "dem", tmp_path)
    assert ["depends on", "needs dem, which will run: no earlier run kept this cell"] == told(lands(), "mean", tmp_path)


def test_a_cached_cell_names_the_run_that_answers(tmp_path: Path) -> None:
    """Also where that run itself was answered by an older one."""
    first = run(lands(), tmp_path)
    run(lands(), tmp_path)
    why = lands().why("lift[by=0.5]", store=tmp_path)

    assert ("cached", first.id, ()) == (why.verdict, why.run, why.changes)
    assert fc.open_run(first.id, tmp_path).cell("lift[by=0.5]").key == why.key


@pytest.mark.contract("P10")
def test_a_scalar_argument_is_told_by_its_values(tmp_path: Path) -> None:
    """What was written into the flow is told as it was and is, hits in between or not."""
    run(lands(), tmp_path)
    run(lands(), tmp_path)

    assert ["will run", "argument peak: 1.0 -> 5.0"] == told(lands(peak=5.0), "dem", tmp_path)


def test_an_array_argument_is_told_by_shape_and_digest(tmp_path: Path) -> None:
    """Of a large constant dtype, shape and digest are known later, and no data."""
    run(lands(weight=np.ones(5000)), tmp_path)
    verdict, reason = told(lands(weight=np.ones((50, 50))), "mean", tmp_path)

    assert "will run" == verdict
    assert reason.startswith("argument weight: float64 (5000,) #")
    assert "-> float64 (50, 50) #" in reason


def test_an_axis_value_that_is_new_is_compared_with_the_nearest_cell(tmp_path: Path) -> None:
    """A cell without a record of its own is compared with one that shares most."""
    run(lands(), tmp_path)
    why = lands(by=(0.5, 7.0)).why("lift[by=7.0]", store=tmp_path)

    assert ["no earlier run kept this cell", "argument by: 0.5 -> 7.0"] == [str(reason) for reason in why.changes]
    assert "lift[by=0.5]" == why.compared


@pytest.mark.contract("P10")
def test_an_upstream_value_is_told_by_where_it_differs(tmp_path: Path) -> None:
    """A value of another cell is followed to it, with the first index at which the arrays differ."""
    run(lands(), tmp_path)
    verdict, reason = told(lands(), "lift[by=0.5]", tmp_path, given={"dem": changed(3.0)})

    assert "will run" == verdict
    assert "field: value of dem changed: float64 (60, 60), first differs at [1, 2]: 1.0 -> 3.0" == reason


def changed(peak: float) -> Any:
    """Give an array like that of `dem`."""
    field = np.ones((60, 60))
    field[1, 2] = peak
    return field


def test_a_gathered_value_names_the_cells_that_changed(tmp_path: Path) -> None:
    """Of many values only those that are others are told."""
    run(lands(), tmp_path)
    grid = [np.ones((60, 60)) + by for by in (0.5, 1.5)]
    grid[1][0, 0] = 9.0
    verdict, reason = told(lands(), "mean", tmp_path, given={"lift": grid})

    assert "will run" == verdict
    assert "fields: value of lift[by=1.5] changed: float64 (60, 60), first differs at [0, 0]: 2.5 -> 9.0" == reason


def test_more_or_fewer_gathered_cells_are_told(tmp_path: Path) -> None:
    """A gather over fewer cells is another value though each cell is the same."""
    run(lands(), tmp_path)
    verdict, reason = told(lands(by=(0.5,)), "mean", tmp_path)

    assert "will run" == verdict
    assert reason.startswith("argument fields: ")
    assert "1 values of lift" in reason


def test_what_is_assumed_is_said(tmp_path: Path) -> None:
    """A cached cell below an uncached one is cached only if that gives what it gave."""
    first = run(world(), tmp_path)
    flow = world()
    plan = flow.plan(store=tmp_path)

    assert ["cached", f"assuming that look gives what it gave in run {first.id}"] == told(flow, "twice", tmp_path)
    assert ["will run", "its results are not kept: it is I/O, and the world may have changed"] == told(
        flow, "look", tmp_path
    )
    assert [("look", (f"look gives what it gave in run {first.id}",)), ("twice", plan.rows[0].assumes)] == [
        (row.node, row.assumes) for row in plan.rows
    ]


def test_overruling_is_told(tmp_path: Path) -> None:
    """What a user asks anew, or supplies, has that for its reason."""
    run(lands(), tmp_path)

    assert ["will run", "refresh= asks for it anew"] == told(lands(), "dem", tmp_path, refresh="dem")
    assert ["given", "given= supplies its value"] == told(lands(), "dem", tmp_path, given={"dem": changed(1.0)})


def test_an_equal_cell_is_named(tmp_path: Path) -> None:
    """Of cells with one key, those that do not run say whose value they get."""
    flow = fc.Flow("twins")
    flow.result = [flow.add(twice, 1.0, name="a"), flow.add(twice, x=1.0, name="b")]

    rehearsal, past = rehearsed(flow, [], Settings.of(store=tmp_path))

    assert ("it is equal to a, which has to run",) == tuple(map(str, Explainer(rehearsal, past).why(1, 0).changes))
    assert ("1 cell equal to others that run",) == flow.plan(store=tmp_path).rows[1].reasons


def test_a_vanished_value_is_told(tmp_path: Path) -> None:
    """A record whose array is gone is no answer."""
    run(lands(), tmp_path)
    for path in (tmp_path / "v1" / "arrays").rglob("*.npy"):
        path.unlink()

    assert ["will run", "its value is not in the store any more"] == told(lands(), "dem", tmp_path)


def test_why_of_a_node_tells_its_first_cell_that_would_run(tmp_path: Path) -> None:
    """A grid is asked about by its name as well."""
    run(lands(), tmp_path)

    assert "lift[by=7.0]" == lands(by=(0.5, 7.0)).why("lift", store=tmp_path).cell
    assert "lift[by=0.5]" == lands().why("lift", store=tmp_path).cell


def test_a_cell_along_an_axis_without_length_names_what_gives_it(tmp_path: Path) -> None:
    """There is no such cell yet, and why is said."""
    with fc.Flow("ragged") as flow:
        flow.result = twice(fc.each(x=dem(60)))
    why = flow.why("twice", store=tmp_path)
    one = flow.why("twice[x=3]", store=tmp_path)

    assert ("depends on", "needs dem, which will run: no earlier run kept this cell") == (
        why.verdict, str(why.changes[0]),
    )  # fmt: skip
    assert ("twice[x=3]", "depends on") == (one.cell, one.verdict)


@pytest.mark.contract("K10")
def test_an_edited_class_of_an_upstream_value_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The value is the same, and its class is not: so says the reason."""
    with fc.Flow("class") as flow:
        flow.result = describe(land(1.0))
    run(flow, tmp_path)
    monkeypatch.setattr(Land, "area", lambda self: self.height**2, raising=False)
    why = flow.why("describe", store=tmp_path, trust="land")

    assert [reasons.ClassChanged] == [type(reason) for reason in why.changes if "Land" in str(reason)][:1]


@fc.io(runner="inline")
def found() -> Land:
    """Give a value of a user's class, which is not kept."""
    return Land(1.0)


@pytest.mark.contract("K10")
def test_an_edited_class_of_an_assumed_value_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The value is taken to be what it was; its class is what it is now."""
    with fc.Flow("class") as flow:
        flow.result = describe(found())
    run(flow, tmp_path)
    before = flow.why("describe", store=tmp_path).verdict
    monkeypatch.setattr(Land, "depth", lambda self: -self.height, raising=False)

    assert ("cached", "will run") == (before, flow.why("describe", store=tmp_path).verdict)


def test_a_why_is_plain_data(tmp_path: Path) -> None:
    """It can be written as JSON, and shown in a notebook."""
    run(lands(), tmp_path)
    why = lands(peak=5.0).why("dem", store=tmp_path)
    facts = json.loads(json.dumps(why.to_dict()))

    peak = {"kind": "ArgumentChanged", "text": "argument peak: 1.0 -> 5.0", "name": "peak", "old": "1.0", "new": "5.0"}
    assert [peak] == facts["changes"]
    assert "ArgumentChanged" in why._repr_html_()


def test_a_plan_counts_and_adds_up(tmp_path: Path) -> None:
    """Each node has its counts and reasons; seconds come from earlier runs."""
    run(lands(), tmp_path)
    plan = lands(by=(0.5, 7.0)).plan(store=tmp_path, workers=2)
    rows = {row.node: row for row in plan.rows}

    assert {"cached": 2, "runs": 1, "depends": 1} == plan.counts
    assert (1, 1, ("no earlier run kept this cell",)) == (rows["lift"].cached, rows["lift"].runs, rows["lift"].reasons)
    assert ("needs lift",) == rows["mean"].reasons
    assert rows["lift"].each is not None
    assert rows["lift"].each == pytest.approx(rows["lift"].seconds)
    assert plan.seconds == pytest.approx(sum(row.seconds or 0.0 for row in plan.rows))
    assert [("lift[by=0.5]", "cached"), ("lift[by=7.0]", "will run")] == [
        (cell.cell, cell.verdict) for cell in plan.cells("lift")
    ]
    assert plan.counts == json.loads(json.dumps(plan.to_dict()))["counts"]
    assert "lift" in plan._repr_html_()
    with pytest.raises(fc.UnknownNode):
        plan.cells("lfit")


@pytest.mark.contract("K33")
def test_a_new_schema_is_what_a_plan_says_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many cells run again for it, and what they took, stands above everything else."""
    run(lands(), tmp_path)
    monkeypatch.setattr(keys, "SCHEMA", keys.SCHEMA + 1)
    plan = lands().plan(store=tmp_path)

    assert str(plan).startswith("flowcore's rules of identity: 1 -> 2: 4 cells will run again, about ")
    assert ["will run", "flowcore's rules of identity: 1 -> 2"] == told(lands(), "dem", tmp_path)


@pytest.mark.contract("K33")
def test_another_python_hides_that_all_bytecode_differs(tmp_path: Path) -> None:
    """The number of the bytecode is in every body: an edit cannot be told from it, and is not claimed."""
    old = {"python": b"3.11", "code": b"1", "code: body": b"1", "code: global DT": b"\0\x01"}
    new = {"python": b"3.12", "code": b"2", "code: body": b"2", "code: global DT": b"\0\x02"}

    assert ["Python 3.11 -> 3.12", "global DT: 1 -> 2"] == [
        str(reason) for reason in changes(old, new, sketches={}, diff=lambda a, b: "")
    ]


def test_a_helper_that_was_renamed_is_no_change() -> None:
    """Names are no part of an identity, so they are no reason either."""
    old = {"code": b"1", "code: helper m:f": b"x", "code: body": b"1"}
    new = {"code": b"2", "code: helper m:g": b"x", "code: body": b"2"}

    assert ["its body changed"] == [str(reason) for reason in changes(old, new, sketches={}, diff=lambda a, b: "")]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (np.zeros(3), np.array([0.0, -0.0, 0.0]), "float64 (3,), first differs at [1]: 0.0 -> -0.0"),
        (np.zeros(3), np.zeros(4), "float64 (3,) -> float64 (4,)"),
        (np.zeros(3), np.zeros(3, "f4"), "float64 (3,) -> float32 (3,)"),
        (np.asfortranarray(np.eye(2)), np.ones((2, 2)), "float64 (2, 2), first differs at [0, 1]: 0.0 -> 1.0"),
        (np.float64(1), np.float64(2), "1.0 -> 2.0"),
        ("a", "b", "'a' -> 'b'"),
        ([1], [2], ""),
    ],
)
def test_values_are_told_by_where_they_differ(old: object, new: object, expected: str) -> None:
    """Bits count, as they do in identities."""
    assert expected == values_told(old, new)


def test_the_first_difference_is_found_beyond_the_first_chunk() -> None:
    """Large arrays are compared piece by piece."""
    one, two = np.zeros((3, 1 << 20), "u1"), np.zeros((3, 1 << 20), "u1")
    two[2, 5] = 1

    assert (2, 5) == first_difference(one, two)
    assert first_difference(one, one) is None


@fc.compute(runner="inline")
def opaque(n: int) -> Any:
    """Give a value without encoding."""
    return iter([n])


@fc.compute(runner="inline")
def use(it: Any) -> int:
    """Use it."""
    return sum(it)


@pytest.mark.contract("K3")
def test_a_derived_key_is_marked(tmp_path: Path) -> None:
    """What goes by the key of a cell whose value has no encoding says so, and so does that cell."""
    with fc.Flow("derived") as flow:
        flow.result = use(opaque(1))
    with pytest.warns(fc.NotStorable):
        run(flow, tmp_path)
    said = "opaque gave a value without encoding: it is never kept, and what uses it goes by that cell's key"

    assert ["will run", said] == told(flow, "opaque", tmp_path)
    assert ["cached", said] == told(flow, "use", tmp_path)


@pytest.mark.contract("K26")
def test_trusted_results_are_marked(tmp_path: Path) -> None:
    """A plan under `trust=` says what it takes of older code, cell by cell."""

    def drawn(factor: int) -> fc.Flow:
        flow = fc.Flow("edited")
        flow.result = flow.add(fc.compute(lambda x: x * factor, runner="inline"), 1, name="step")
        return flow

    run(drawn(2), tmp_path)

    assert ["will run", "closure factor: 2 -> 3"] == told(drawn(3), "step", tmp_path)
    assert ["cached", "trust= takes a result of older code"] == told(drawn(3), "step", tmp_path, trust="step")
    assert ("1 cell of older code, under trust=",) == drawn(3).plan(store=tmp_path, trust="step").rows[0].reasons


def test_cells_along_an_axis_over_a_value_are_compared(tmp_path: Path) -> None:
    """Their labels are found in the older run, whatever their numbers."""

    def drawn(factor: int, values: tuple[float, ...]) -> fc.Flow:
        with fc.Flow("ragged") as flow:
            items = flow.add(fc.compute(lambda: list(values), runner="inline"), name="items")
            flow.result = flow.add(fc.compute(lambda x: x * factor, runner="inline"), fc.each(x=items), name="step")
        return flow

    run(drawn(2, (5.0, 6.0)), tmp_path)
    run(drawn(2, (6.0,)), tmp_path)
    why = drawn(3, (5.0, 6.0)).why("step[x=6.0]", store=tmp_path)

    assert (["closure factor: 2 -> 3"], "step[x=6.0]") == ([str(reason) for reason in why.changes], why.compared)


def test_a_node_that_was_renamed_is_found_by_its_task(tmp_path: Path) -> None:
    """What no run has by its name is compared with what has its task."""

    def drawn(name: str, x: float) -> fc.Flow:
        flow = fc.Flow("renamed")
        flow.result = flow.add(twice, x, name=name)
        return flow

    run(drawn("before", 1.0), tmp_path)
    why = drawn("after", 2.0).why("after", store=tmp_path)

    assert (["argument x: 1.0 -> 2.0"], "before") == ([str(reason) for reason in why.changes], why.compared)


def test_runs_of_the_same_flow_come_first(tmp_path: Path) -> None:
    """Several flows in one store may have nodes of one name."""

    def drawn(flow_name: str, x: float) -> fc.Flow:
        flow = fc.Flow(flow_name)
        flow.result = flow.add(twice, x, name="twice")
        return flow

    run(drawn("mine", 1.0), tmp_path)
    run(drawn("other", 5.0), tmp_path)

    assert ["will run", "argument x: 1.0 -> 2.0"] == told(drawn("mine", 2.0), "twice", tmp_path)


def test_numpy_is_told_once() -> None:
    """It is among the components, and among the libraries that code reaches."""
    old = {"library numpy": b"2.0", "code": b"1", "code: library numpy==2.0": b"x"}
    new = {"library numpy": b"2.1", "code": b"2", "code: library numpy==2.1": b"y"}

    assert ["library numpy: 2.0 -> 2.1"] == [str(r) for r in changes(old, new, sketches={}, diff=lambda a, b: "")]
