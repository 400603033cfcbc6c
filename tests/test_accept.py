"""Claims about flow.accept (contract K26): which old results answer new keys, and how that is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.testing import ScriptedExecutor

pytestmark = pytest.mark.contract("K26")


def chain(edit: int, ns: tuple[int, ...] = (1, 2, 3)) -> fc.Flow:
    """Draw a grid, and what sums it up; `edit` is another body of the first task, which gives other numbers."""

    def first(n: int) -> int:
        return n + 100 * edit

    flow = fc.Flow("chain").options(runner="inline")
    grid = flow.add(first, fc.each(n=list(ns)), name="first")
    flow.add(lambda found: sum(found), fc.gather(grid), name="total")
    return flow


def run(flow: fc.Flow, store: Path, **options: Any) -> fc.Run:
    """Run quietly."""
    return flow.run(store=store, progress=False, **options)


def ran(done: fc.Run) -> list[int]:
    """Count what was computed."""
    return [done.counts(name).done for name in ("first", "total")]


def test_old_results_answer_new_keys(store: Path) -> None:
    """Of a whole node; what is below finds what it had, in every later run."""
    run(chain(0), store)
    accepted = chain(1).accept("first", reason="log text only", store=store)
    later = [run(chain(1), store) for _ in range(2)]

    assert (3, 0) == (accepted.cells, accepted.left)
    assert [[0, 0]] * 2 == [ran(done) for done in later]
    assert [6, 6] == [done["total"] for done in later]


def test_the_code_before_goes_on_answering(store: Path) -> None:
    """Who takes the edit back has what there was."""
    run(chain(0), store)
    chain(1).accept("first", reason="log text only", store=store)

    assert [0, 0] == ran(run(chain(0), store))


def test_one_cell_alone(store: Path) -> None:
    """The others have to run."""
    run(chain(0), store)
    chain(1).accept("first[n=2]", reason="a special case", store=store)
    done = run(chain(1), store)

    assert [2, 1] == ran(done)
    assert [101, 2, 103] == done["first"].array().tolist()


def test_cells_without_an_older_result_are_left(store: Path) -> None:
    """They are counted, and run."""
    run(chain(0), store)
    accepted = chain(1, (1, 2, 3, 4)).accept("first", reason="new rate added", store=store)
    done = run(chain(1, (1, 2, 3, 4)), store)

    assert (3, 1) == (accepted.cells, accepted.left)
    assert [1, 1] == ran(done)


def scaled(edit: int, scale: int) -> fc.Flow:
    """Draw a grid with an argument that all of its cells share, and a stream."""

    def first(n: int, scale: int, rng: np.random.Generator = fc.rng()) -> float:
        return scale * (n + 100 * edit + rng.random())

    flow = fc.Flow("scaled").options(runner="inline")
    flow.add(first, fc.each(n=[1, 2]), scale, name="first")
    return flow


@pytest.mark.parametrize(("newest", "seed"), [(2, 0), (1, 7)])
def test_the_result_for_the_same_arguments_is_taken(store: Path, newest: int, seed: int) -> None:
    """Not a newer one of another argument, or of another seed: that was never what is asked for."""
    wanted = run(scaled(0, 1), store)["first"].array().tolist()
    run(scaled(0, newest), store, seed=seed)
    accepted = scaled(1, 1).accept("first", reason="log text only", store=store)

    assert ("closure edit: 0 -> 1",) == accepted.overruled
    assert wanted == run(scaled(1, 1), store)["first"].array().tolist()


def test_arguments_that_are_overruled_are_told(store: Path) -> None:
    """Where there is no other old result; on the command line and as data."""
    run(scaled(0, 2), store)
    accepted = scaled(0, 1).accept("first", reason="the scale does not matter", store=store)

    assert ("argument scale: 2 -> 1",) == accepted.overruled
    assert ["  although argument scale: 2 -> 1"] == str(accepted).splitlines()[1:]
    assert ["argument scale: 2 -> 1"] == accepted.to_dict()["overruled"]


def test_why_compares_with_what_differs_least(store: Path) -> None:
    """After an edit, and a run of other arguments before it, the edit alone is told."""
    run(scaled(0, 1), store)
    run(scaled(0, 2), store)

    assert ["closure edit: 0 -> 1"] == [str(change) for change in scaled(1, 1).why("first[n=1]", store=store).changes]


def test_what_was_accepted_can_be_accepted_again(store: Path) -> None:
    """The next edit finds the same results, through the record of the first acceptance."""
    run(chain(0), store)
    for edit in (1, 2):
        chain(edit).accept("first", reason=f"edit {edit}", store=store)

    assert [0, 0] == ran(run(chain(2), store))


def test_why_and_runs_tell(store: Path) -> None:
    """The reason is told for each cell, and the list of runs shows what was no run."""
    run(chain(0), store)
    accepted = chain(1).accept("first", reason="log text only", store=store)
    why = chain(1).why("first[n=2]", store=store)
    info = fc.runs(store)[0]

    assert ("cached", accepted.run) == (why.verdict, why.run)
    assert "an older result was accepted: log text only" == str(why.changes[0])
    assert (accepted.run, "accepted", 3) == (info.id, info.status, info.cells["cells"])


@pytest.mark.parametrize(
    ("edit", "cell", "because"),
    [(0, "first", "answers for it already"), (1, "total", "needs first"), (5, "first", "answers for it already")],
)
def test_where_there_is_nothing_to_accept(store: Path, edit: int, cell: str, because: str) -> None:
    """It says why, and writes nothing."""
    run(chain(0), store)
    run(chain(5), store)
    before = [info.id for info in fc.runs(store)]

    with pytest.raises(fc.NothingToAccept, match=because):
        chain(edit).accept(cell, reason="none", store=store)
    assert before == [info.id for info in fc.runs(store)]


def test_nothing_older(store: Path) -> None:
    """In an empty store."""
    with pytest.raises(fc.NothingToAccept, match="no older run kept a result"):
        chain(0).accept("first", reason="none", store=store)


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_reason_is_needed(store: Path, reason: str) -> None:
    """Who reads it later has nothing else."""
    run(chain(0), store)

    with pytest.raises(fc.BadOption, match="reason"):
        chain(1).accept("first", reason=reason, store=store)


def test_a_value_that_is_gone_is_not_accepted(store: Path) -> None:
    """A record that names a lost array would answer nobody."""

    def drawn(edit: int) -> fc.Flow:
        import numpy as np

        flow = fc.Flow("big").options(runner="inline")
        flow.add(lambda n: np.arange(n) + edit * 0, 5000, name="big")
        return flow

    run(drawn(0), store)
    for file in (store / "v1" / "arrays").rglob("*.npy"):
        file.unlink()

    with pytest.raises(fc.NothingToAccept):
        drawn(1).accept("big", reason="none", store=store)


def test_accepting_while_a_run_goes_on(store: Path) -> None:
    """The journal is one of its own: neither disturbs the other."""
    run(chain(0), store)
    script = ScriptedExecutor()
    flow = fc.Flow("other")
    flow.add(abs, fc.each(x=[1, 2]), name="abs")
    live = flow.start(store=store, progress=False, executor=script)
    script.settle()
    chain(1).accept("first", reason="log text only", store=store)
    script.run_all(lambda: False)
    assert live.wait(60.0)

    assert [0, 0] == ran(run(chain(1), store))
    assert 2 == live.counts("abs").done
