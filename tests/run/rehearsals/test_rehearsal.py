"""Claims about run/rehearsals/rehearsal.py: it says what a run would do, and does nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.declare.node import Node
from flowcore.declare.task import Task
from flowcore.plan.encode import encode
from flowcore.plan.extension import array_digest
from flowcore.plan.states import State
from flowcore.run.rehearsals.lasttime import LastTime
from flowcore.run.rehearsals.rehearsal import Rehearsal
from flowcore.run.rehearsals.verdict import Verdict
from flowcore.settings import Settings
from flowcore.store.directory import new_run_id, open_store
from flowcore.targets import asked_of

CALLS: list[str] = []


@fc.compute(runner="inline", ignore=("global:CALLS",))
def times(x: float, factor: float = 2.0) -> float:
    """Multiply."""
    CALLS.append("times")
    return x * factor


@fc.compute(runner="inline", ignore=("global:CALLS",))
def grow(x: float) -> Any:
    """Give an array that does not fit a record."""
    CALLS.append("grow")
    return np.full(4000, x)


@fc.compute(runner="inline", ignore=("global:CALLS",))
def total(xs: list[Any]) -> float:
    """Sum up."""
    CALLS.append("total")
    return float(sum(np.sum(x) for x in xs))


@fc.compute(runner="inline", ignore=("global:CALLS",))
def count(n: int) -> list[int]:
    """Give numbers."""
    CALLS.append("count")
    return list(range(n))


@fc.io(runner="inline")
def look() -> list[float]:
    """Give what the world is like."""
    CALLS.append("look")
    return [1.0, 2.0]


@fc.compute(runner="inline", ignore=("global:CALLS",))
def opaque(n: int) -> Any:
    """Give a value without encoding."""
    CALLS.append("opaque")
    return iter([n])


@fc.compute(runner="inline", ignore=("global:CALLS",))
def use(it: Any) -> int:
    """Use it."""
    CALLS.append("use")
    return sum(it)


def rehearsed(flow: fc.Flow, store: Path, *targets: object, memory: Any = None, **options: Any) -> Rehearsal:
    """Rehearse a run."""
    settings = Settings.of(store=store, **options)
    graph, asked = asked_of(flow, targets, settings)
    return Rehearsal(graph, asked=asked, store=open_store(store), run_id=new_run_id(), memory=memory)


def verdicts(rehearsal: Rehearsal, flow: fc.Flow) -> dict[str, dict[Verdict, int]]:
    """Give the counts of each node but the hidden ones."""
    return {node.name: rehearsal.counts(node.number) for node in flow.nodes if node.kind != "expand"}


def chain(factors: list[float], factor: float = 2.0) -> fc.Flow:
    """Draw a grid, an array for each cell, and their sum."""
    with fc.Flow("chain") as flow:
        flow.result = total(fc.gather(grow(times(fc.each(x=factors), factor))))
    return flow


def tree(store: Path) -> dict[str, bytes]:
    """Give all files of a store."""
    return {str(path): path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file()}


def test_all_of_a_cold_store_has_to_run(tmp_path: Path) -> None:
    """What nothing answers runs, and what needs it depends on it."""
    flow = chain([1.0, 2.0])
    rehearsal = rehearsed(flow, tmp_path / "store")

    assert {
        "times": {Verdict.RUNS: 2}, "grow": {Verdict.DEPENDS: 2}, "total": {Verdict.DEPENDS: 1},
    } == verdicts(rehearsal, flow)  # fmt: skip
    assert [(0, 0)] == rehearsal.blockers(1, 0)
    assert not (tmp_path / "store").exists()


@pytest.mark.contract("P10")
def test_a_rehearsal_says_what_the_next_run_does(tmp_path: Path) -> None:
    """What is said to be cached is answered, what is said to run runs; and the rehearsal itself writes nothing."""
    chain([1.0, 2.0]).run(store=tmp_path, progress=False)
    flow, before = chain([2.0, 3.0, 1.0]), tree(tmp_path)
    CALLS.clear()
    rehearsal = rehearsed(flow, tmp_path)
    asked_nothing, after = list(CALLS), tree(tmp_path)
    run = flow.run(store=tmp_path, progress=False)

    assert ([], before) == (asked_nothing, after)
    assert {
        "times": {Verdict.CACHED: 2, Verdict.RUNS: 1}, "grow": {Verdict.CACHED: 2, Verdict.DEPENDS: 1},
        "total": {Verdict.DEPENDS: 1},
    } == verdicts(rehearsal, flow)  # fmt: skip
    assert [1] == rehearsal.numbers(0, Verdict.RUNS)
    assert {"times": (1, 2), "grow": (1, 2), "total": (1, 0)} == {
        name: (run.counts(name).done, run.counts(name).hit) for name in ("times", "grow", "total")
    }


def test_keys_are_those_of_the_run(tmp_path: Path) -> None:
    """A cell has the key under which the run keeps it."""
    flow = chain([1.0, 2.0])
    run = flow.run(store=tmp_path, progress=False)
    rehearsal = rehearsed(flow, tmp_path)
    recorded = fc.open_run(run.id, tmp_path)

    for node in flow.nodes:
        keys, _ = rehearsal.keyed(node.number, range(rehearsal.space(node.number).count))
        assert [cell.key for cell in recorded.cells(node.name)] == [key.hex() for key in keys]


def test_axes_over_values_in_the_store_are_known(tmp_path: Path) -> None:
    """A grid over a kept value takes shape; over one that has to be made it has no cells yet."""

    def draw(n: int) -> fc.Flow:
        with fc.Flow("ragged") as flow:
            flow.result = total(fc.gather(times(fc.each(i=count(n)))))
        return flow

    draw(3).run(store=tmp_path, progress=False)
    known, unknown = rehearsed(draw(3), tmp_path), rehearsed(draw(4), tmp_path)

    assert {Verdict.CACHED: 3} == verdicts(known, draw(3))["times"]
    assert {} == verdicts(unknown, draw(4))["times"]
    assert {Verdict.DEPENDS: 1} == verdicts(unknown, draw(4))["total"]


def test_only_the_branch_that_is_taken_is_wanted(tmp_path: Path) -> None:
    """A choice whose condition is kept falls; one whose condition has to run wants neither branch."""

    def draw(n: int) -> fc.Flow:
        with fc.Flow("choice") as flow:
            flow.result = fc.choose(count(n), times(1.0), grow(1.0))
        return flow

    draw(0).run(store=tmp_path, progress=False)
    draw(1).run(store=tmp_path, progress=False)
    falsy, truthy, unknown = (verdicts(rehearsed(draw(n), tmp_path), draw(n)) for n in (0, 1, 2))

    assert ({Verdict.UNWANTED: 1}, {Verdict.CACHED: 1}) == (falsy["times"], falsy["grow"])
    assert ({Verdict.CACHED: 1}, {Verdict.UNWANTED: 1}) == (truthy["times"], truthy["grow"])
    assert ({Verdict.UNWANTED: 1}, {Verdict.UNWANTED: 1}) == (unknown["times"], unknown["grow"])
    assert {Verdict.DEPENDS: 1} == unknown["choose"]


def test_what_comes_after_another_node_does_not_wait_for_it(tmp_path: Path) -> None:
    """Order enters no key: a kept result answers although something before it has to run."""

    def draw(x: float) -> fc.Flow:
        flow = fc.Flow("ordered")
        first = flow.add(times, x, name="first")
        flow.result = flow.add(grow, 1.0, name="second", after=[first])
        return flow

    draw(1.0).run(store=tmp_path, progress=False)

    assert {"first": {Verdict.RUNS: 1}, "second": {Verdict.CACHED: 1}} == verdicts(
        rehearsed(draw(5.0), tmp_path), draw(5.0)
    )


def test_equal_cells_run_once(tmp_path: Path) -> None:
    """Of cells with one key the first runs, and the others are told whose value they get."""
    flow = fc.Flow("twins")
    flow.result = [flow.add(times, 1.0, name="a"), flow.add(times, x=1.0, factor=2.0, name="b")]
    rehearsal = rehearsed(flow, tmp_path)

    assert {"a": {Verdict.RUNS: 1}, "b": {Verdict.EQUAL: 1}} == verdicts(rehearsal, flow)
    assert (0, 0) == rehearsal.leader(1, 0)


@pytest.mark.contract("K31")
def test_a_given_value_stands_for_the_node(tmp_path: Path) -> None:
    """What depends on a given value is judged by it, and what fed the node is not wanted."""
    chain([1.0, 2.0]).run(store=tmp_path, progress=False)
    flow = chain([5.0, 6.0])
    rehearsal = rehearsed(flow, tmp_path, given={"times": [2.0, 4.0]})

    assert {"times": {Verdict.GIVEN: 2}, "grow": {Verdict.CACHED: 2}, "total": {Verdict.CACHED: 1}} == verdicts(
        rehearsal, flow
    )


def test_targets_bound_what_is_looked_at(tmp_path: Path) -> None:
    """Only what a target needs is judged, and cell by cell."""
    flow = chain([1.0, 2.0, 3.0])
    rehearsal = rehearsed(flow, tmp_path, "grow[x=2.0]")

    assert {Verdict.UNWANTED: 2, Verdict.RUNS: 1} == rehearsal.counts(0)
    assert {Verdict.UNWANTED: 2, Verdict.DEPENDS: 1} == rehearsal.counts(1)


@pytest.mark.contract("K26")
def test_refreshed_cells_run(tmp_path: Path) -> None:
    """A kept result does not count where it is asked anew."""
    flow = chain([1.0, 2.0])
    flow.run(store=tmp_path, progress=False)
    rehearsal = rehearsed(flow, tmp_path, refresh=["times[x=2.0]"])

    assert {Verdict.CACHED: 1, Verdict.RUNS: 1} == rehearsal.counts(0)
    assert {"refresh": [1]} == rehearsal.missed[0]


def test_a_node_that_would_be_refused_is_said_to_be(tmp_path: Path) -> None:
    """What would fail a node before it runs is found without running it."""
    task: Task[Any, Any] = fc.compute(cache=True)(use.function)
    flow = fc.Flow("refused")
    flow.result = flow.add(task, iter([1]), name="use")
    rehearsal = rehearsed(flow, tmp_path)

    assert {"use": {Verdict.REFUSED: 1}} == verdicts(rehearsal, flow)
    assert isinstance(rehearsal.troubles[0], fc.NotKeyable)


class Before:
    """Remembers one value for every cell."""

    def __init__(self, component: bytes, record: bytes = b"") -> None:
        self.value = LastTime(run="before", component=component, record=record)

    def last(self, node: Node, labels: tuple[object, ...]) -> LastTime:
        """Give it."""
        del node, labels
        return self.value

    def opaque(self, node: Node) -> bool:
        """Tell whether it has no encoding."""
        del node
        return not self.value.component


def test_an_uncached_node_is_taken_to_give_what_it_gave(tmp_path: Path) -> None:
    """The identity of its last value is enough for what is keyed by it; the value itself, for an axis over it."""
    with fc.Flow("world") as flow:
        seen = look()
        flow.result = total(seen), times(fc.each(x=seen))
    flow.run(store=tmp_path, progress=False)
    record = encode([1.0, 2.0], put=array_digest).record
    known = rehearsed(flow, tmp_path, memory=Before(b"\0" + record, record))
    identity = rehearsed(flow, tmp_path, memory=Before(b"\0" + record))

    assert {"look": {Verdict.RUNS: 1}, "total": {Verdict.CACHED: 1}, "times": {Verdict.CACHED: 2}} == verdicts(
        known, flow
    )
    assert {"look": {Verdict.RUNS: 1}, "total": {Verdict.CACHED: 1}, "times": {}} == verdicts(identity, flow)
    assert "before" == known.assumed[0][0].run


@pytest.mark.contract("K3")
def test_a_value_without_encoding_lends_its_cells_key(tmp_path: Path) -> None:
    """Its cell runs again; what uses it is answered while that cell's key is the same."""

    def draw(n: int) -> fc.Flow:
        with fc.Flow("derived") as flow:
            flow.result = use(opaque(n))
        return flow

    with pytest.warns(fc.NotStorable):
        draw(1).run(store=tmp_path, progress=False)
    same, other = (
        rehearsed(draw(1), tmp_path, memory=Before(b"")),
        rehearsed(draw(2), tmp_path, memory=Before(b"")),
    )

    assert {"opaque": {Verdict.RUNS: 1}, "use": {Verdict.CACHED: 1}} == verdicts(same, draw(1))
    assert {"opaque": {Verdict.RUNS: 1}, "use": {Verdict.RUNS: 1}} == verdicts(other, draw(2))


def test_a_run_that_goes_on_is_not_disturbed(tmp_path: Path) -> None:
    """Rehearsing while another run of the process goes on leaves that run's answers as they are."""
    flow = chain([1.0, 2.0])
    run = flow.start(store=tmp_path, progress=False)
    rehearsed(flow, tmp_path)
    run.wait()

    assert 12000.0 * 2 == run["total"]
    assert State.DONE == run._session.state(2, 0)  # noqa: SLF001
