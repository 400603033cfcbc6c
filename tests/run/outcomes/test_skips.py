"""Claims about skips: each is an answer, kept with its reason, and stands in for no value (contract K32)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowcore as fc
from flowcore.plan.encode import encode
from flowcore.plan.extension import BadRecord, array_digest
from flowcore.plan.parsing import Parser
from flowcore.plan.skipped import NO_VALUE, reason_of, skip_record
from flowcore.recompute import recompute
from flowcore.run.outcomes import skips
from flowcore.run.ready import inputs
from flowcore.run.ready.values import Values
from flowcore.settings import Settings
from flowcore.store import living
from flowcore.store.cache import Cache, Hit, Skipped
from flowcore.store.directory import open_store
from flowcore.store.gc import collect
from flowcore.store.history import CellSkipped, read_run, run_paths
from flowcore.store.neighbours import PAUSE
from flowcore.store.trace import Trace
from flowcore.store.verify import verify
from flowcore.testing import FakeClock, ScriptedExecutor

pytestmark = pytest.mark.contract("K32")
YOUNGER = "29991231T000000-0123456789abcdef"
CALLS = "FLOWCORE_TEST_SKIPS"


class Calls:
    """The calls of tasks, which know of it by the environment alone: it enters no key."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def clear(self) -> None:
        """Forget them."""
        self.path.unlink(missing_ok=True)

    def __call__(self) -> list[str]:
        """Give them."""
        return self.path.read_text().splitlines() if self.path.exists() else []


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Give what tasks leave of their calls."""
    monkeypatch.setenv(CALLS, str(tmp_path / "calls"))
    return Calls(tmp_path / "calls")


def called(text: str) -> None:
    """Leave a line."""
    path = os.getenv("FLOWCORE_TEST_SKIPS", "")
    if path:
        with open(path, "a") as file:
            file.write(f"{text}\n")


def even(n: int) -> int:
    """Skip an odd number, and say what the environment says of it."""
    called(f"even {n}")
    if n % 2:
        raise fc.Skip(f"{n} is {os.getenv('FLOWCORE_TEST_WHY', 'odd')}")
    return n


def double(x: int) -> int:
    """Give twice as much."""
    called(f"double {x}")
    return 2 * x


def total(found: dict[int, int]) -> int:
    """Sum up."""
    called(f"total {sorted(found.items())}")
    return sum(found.values())


def never(n: int) -> int:
    """Skip."""
    called(f"never {n}")
    raise fc.Skip("never")


def some(n: int) -> list[int]:
    """Give a row, or none."""
    called(f"some {n}")
    if not n:
        raise fc.Skip("nothing")
    return [n, n + 1]


def fickle() -> int:
    """Skip while there is no file."""
    if not Path(os.environ["FLOWCORE_TEST_THERE"]).exists():
        raise fc.Skip("not there")
    return 1


def draw(ns: list[int], **options: Any) -> fc.Flow:
    """Draw a grid of which odd cells are skipped, and what is below it."""
    flow = fc.Flow("picky")
    grid = flow.add(fc.compute(**options)(even), fc.each(n=ns), name="even")
    doubled = flow.add(double, grid, name="double")
    flow.add(total, fc.gather(doubled, labels=True, missing="drop"), name="total")
    flow.add(len, fc.gather(grid), name="all")
    return flow


def alone() -> fc.Flow:
    """Draw one cell, which is skipped."""
    flow = fc.Flow("alone")
    flow.add(even, fc.each(n=[1]), name="even")
    return flow


def run(flow: fc.Flow, store: Path, **options: Any) -> fc.Run:
    """Run here, quietly."""
    return flow.run(store=store, progress=False, executor="inline", **options)


def counts(done: fc.Run, *names: str) -> list[tuple[int, int, int]]:
    """Count what was computed, answered and skipped."""
    found = [done.counts(name) for name in names or ("even", "double", "total", "all")]
    return [(c.done, c.hit, c.skipped) for c in found]


def states(done: fc.Run, store: Path) -> dict[str, str]:
    """Give the state of each cell, whether it was computed or answered."""
    recorded = fc.open_run(done.id, store)
    cells = (cell for node in recorded.nodes for cell in recorded.cells(node.name))
    return {cell.cell: cell.state.replace("hit", "done") for cell in cells}


def reason(done: fc.Run, store: Path, cell: int) -> str:
    """Give what a run says of a skipped cell of its first node."""
    told = [one for one in read_run(run_paths(store)[done.id]) if isinstance(one, CellSkipped)]
    return next(one.reason for one in told if (one.node, one.number) == (0, cell))


def test_a_skip_is_kept(store: Path, calls: Calls) -> None:
    """The next run calls no task; all that is below comes out as it did, and the Grid is masked where it was."""
    first = run(draw([1, 2, 3, 4]), store)
    calls.clear()
    second = run(draw([1, 2, 3, 4]), store)

    assert [] == calls()
    assert [(2, 0, 2), (2, 0, 0), (1, 0, 0), (0, 0, 0)] == counts(first)
    assert [(0, 2, 2), (0, 2, 0), (0, 1, 0), (0, 0, 0)] == counts(second)
    assert (12, [2, 4]) == (second["total"], list(second["even"]))
    assert [True, False, True, False] == second["even"].array().mask.tolist()
    with pytest.raises(fc.ValueLost, match="skipped"):
        second["all"]


def test_the_reason_stays(store: Path) -> None:
    """It is told of each run by which it was met."""
    ids = [run(draw([1, 2]), store).id for _ in range(2)]
    made, met = (fc.open_run(each, store) for each in ids)
    (before,), (after,) = ([c for c in r.cells("even") if c.state == "skipped"] for r in (made, met))

    assert ("even[n=1]", before.key, 1, 0) == (after.cell, after.key, before.attempts, after.attempts)
    assert 64 == len(after.key)
    for recorded in (made, met):
        with pytest.raises(fc.ValueLost, match="skipped: 1 is odd"):
            recorded["even[n=1]"]


def test_a_skip_is_no_value(store: Path) -> None:
    """It has a kind of answer of its own, and a record that no decoder takes."""
    recorded = fc.open_run(run(draw([1, 2]), store).id, store)
    keys = [bytes.fromhex(cell.key) for cell in recorded.cells("even")]
    skip, hit = open_store(store).archive(before=YOUNGER).cache.judge(keys)

    assert isinstance(skip, Skipped)
    assert isinstance(hit, Hit)
    assert "1 is odd" == skip.reason
    with pytest.raises(BadRecord):
        Parser().parse(skip.record)
    with pytest.raises(BadRecord):
        reason_of(encode("1 is odd", put=array_digest).record)


@pytest.mark.parametrize("reason", ["", "ä" * 100_000, "\ud800", "no data\n"])
def test_any_text_is_a_reason(reason: str) -> None:
    """Whatever it holds, it comes back."""
    assert reason == reason_of(skip_record(reason))


@given(
    st.binary(min_size=1, max_size=60)
    | st.recursive(st.integers(-9, 9) | st.text(), st.lists, max_leaves=5).map(msgpack.packb)
)
def test_no_other_bytes_are_a_skip(record: bytes) -> None:
    """Whatever they are, they are refused as no record is (P2)."""
    with pytest.raises(BadRecord):
        reason_of(record)
    with pytest.raises(BadRecord):
        reason_of(skip_record("why") + record)


def test_another_reason_is_no_other_value(
    store: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    """What was said of a cell when it was made again is told from then on, and nobody warns of two values."""
    run(draw([1, 2]), store)
    monkeypatch.setenv("FLOWCORE_TEST_WHY", "uneven")
    anew = run(draw([1, 2]), store, refresh=["even"])
    later = run(draw([1, 2]), store)

    assert [[(1, 0, 1)], [(0, 1, 1)]] == [counts(anew, "even"), counts(later, "even")]
    assert "1 is uneven" == reason(later, store, 0)
    assert [] == [str(told.message) for told in recwarn if issubclass(told.category, fc.TwoValues)]


def test_what_is_not_cached_skips_anew(store: Path, calls: Calls) -> None:
    """The world may have changed."""
    for _ in range(2):
        calls.clear()
        run(draw([1, 2], cache=False), store)

    assert ["even 1", "even 2"] == calls()


def test_a_skip_grows_old(store: Path, calls: Calls) -> None:
    """Under ``cache="1 hour"`` it answers while it is younger."""
    with FakeClock() as clock:
        run(draw([1, 2], cache="1 hour"), store)
        calls.clear()
        clock.advance(3500.0)
        run(draw([1, 2], cache="1 hour"), store)
        young = calls()
        clock.advance(3500.0)
        run(draw([1, 2], cache="1 hour"), store)

    assert ([], ["even 1", "even 2"]) == (young, calls())


def test_equal_cells_are_asked_once(store: Path, calls: Calls) -> None:
    """In one run as well."""
    flow = fc.Flow()
    for name in ("a", "b", "c"):
        flow.add(never, 1, name=name)
    done = run(flow, store)

    assert ["never 1"] == calls()
    assert [(0, 0, 1)] * 3 == counts(done, "a", "b", "c")


@pytest.mark.parametrize("executor", ["process", "thread"])
def test_on_any_executor(store: Path, executor: str) -> None:
    """The answer does not depend on who found it out."""
    from flowcore.testing.cells import skip_odd

    flow = fc.Flow()
    flow.add(fc.compute(skip_odd), fc.each(x=range(4)), name="even")
    found = [counts(flow.run(store=store, progress=False, executor=executor), "even") for _ in range(2)]

    assert [[(2, 0, 2)], [(0, 2, 2)]] == found


def test_chains_and_axes_of_skipped_cells(store: Path, calls: Calls) -> None:
    """A row that will never be, what is below it, a choice on a skipped condition and a skipped branch: all stay so."""

    def drawn() -> fc.Flow:
        flow = fc.Flow()
        rows = flow.add(some, fc.each(n=[0, 5]), name="rows")
        each = flow.add(abs, fc.each(item=rows), name="each")
        flow.add(sum, fc.gather(each, over="item"), name="sums")
        none = flow.add(some, 0, name="none")
        with flow:
            on_skip = fc.choose(none, flow.add(abs, -1, name="a"), flow.add(abs, -2, name="b"))
            to_skip = fc.choose(flow.add(abs, -3, name="c"), none, flow.add(abs, -4, name="d"))
        flow.add(str, on_skip, name="on")
        flow.add(str, to_skip, name="to")
        return flow

    first = run(drawn(), store)
    calls.clear()
    second = run(drawn(), store)

    assert [] == calls()
    assert states(first, store) == states(second, store)
    assert ["skipped"] * 3 == [states(second, store)[name] for name in ("sums[n=0]", "on", "to")]
    assert 11 == second["sums"][5]


def test_a_gather_goes_on_without_the_cells(store: Path, calls: Calls) -> None:
    """Cells that skip enter no digest, met anew or known: more of them change nothing below."""
    run(draw([2, 4]), store)
    more = run(draw([1, 2, 4]), store)
    calls.clear()
    most = run(draw([1, 2, 3, 4]), store)

    assert ["even 3"] == calls()
    assert [(0, 1, 0)] * 2 == [*counts(more, "total"), *counts(most, "total")]


# ---- plan, why, overruling ---------------------------------------------------------------------------------------


def test_a_plan_tells_of_skips(store: Path) -> None:
    """What is skipped is cached, with the reason; what is below is skipped, and nothing depends on it any more."""
    flow = draw([1, 2])
    run(flow, store)
    plan = flow.plan(store=store)
    rows = {row.node: (row.verdict, row.cached, row.runs, row.depends, row.skipped) for row in plan.rows}

    assert {
        "even": ("cached", 2, 0, 0, 0), "double": ("cached", 1, 0, 0, 1), "total": ("cached", 1, 0, 0, 0),
        "all": ("skipped", 0, 0, 0, 1),
    } == rows  # fmt: skip
    assert "1 cell skipped by the task: 1 is odd" in str(plan)
    assert ["cached", "cached"] == [cell.verdict for cell in plan.cells("even")]


def test_why_tells_of_skips(store: Path) -> None:
    """By which run and for what; below, for which cells; and after an edit, what changed."""
    flow = draw([1, 2])
    done = run(flow, store)
    skip, below, gathered = (flow.why(cell, store=store) for cell in ("even[n=1]", "double[n=1]", "all"))
    edited = draw([1, 2], version="2").why("even[n=1]", store=store)

    assert f"even[n=1]: cached, by run {done.id}\n  its task skipped it: 1 is odd" == str(skip)
    assert "double[n=1]: skipped\n  needs even[n=1], which is skipped: 1 is odd" == str(below)
    assert ("skipped", "even[n=1]") == (gathered.verdict, gathered.changes[0].cell)  # type: ignore[attr-defined]
    assert ("will run", done.id) == (edited.verdict, edited.run)
    assert ["version absent -> 2"] == [str(reason) for reason in edited.changes]


@pytest.mark.contract("K26")
def test_old_skips_can_be_accepted(store: Path, calls: Calls) -> None:
    """As old values can, together with them."""
    run(draw([1, 2]), store)
    edited = draw([1, 2], version="2")
    accepted = edited.accept("even", reason="a number only", store=store)
    calls.clear()
    done = run(edited, store)

    assert ([], 2) == (calls(), accepted.cells)
    assert [(0, 1, 1)] == counts(done, "even")
    assert "accepted" in str(edited.why("even[n=1]", store=store))


@pytest.mark.contract("K26")
def test_older_code_is_trusted_with_its_skips(store: Path, calls: Calls) -> None:
    """For one run; and what it said is told."""

    def drawn(edit: int) -> fc.Flow:
        def picky(n: int) -> int:
            if n % 2:
                raise fc.Skip("odd")
            return n + edit

        flow = fc.Flow()
        flow.add(picky, fc.each(n=[1, 2]), name="picky")
        return flow

    run(drawn(0), store)
    trusted = run(drawn(1), store, trust=["picky"])

    assert [(0, 1, 1)] == counts(trusted, "picky")
    assert ["skipped", "hit"] == [cell.state for cell in fc.open_run(trusted.id, store).cells("picky")]
    assert [(1, 0, 1)] == counts(run(drawn(1), store), "picky")


@pytest.mark.contract("F33")
def test_a_skip_and_a_value_are_two_values(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever computes a key again is told; the later one answers under refresh=, and recomputing finds it out."""
    there = tmp_path / "there"
    monkeypatch.setenv("FLOWCORE_TEST_THERE", str(there))
    flow = fc.Flow()
    flow.add(fickle, name="fickle")
    run(flow, store)
    there.touch()
    settings = Settings.of(store=store, progress=False, executor="inline")
    found = recompute(flow, 1.0, settings)
    kept = counts(run(flow, store), "fickle")
    with pytest.warns(fc.TwoValues):
        run(flow, store, refresh=["fickle"])
    value = counts(run(flow, store), "fickle")
    there.unlink()
    back = recompute(flow, 1.0, settings)

    assert ([(0, 0, 1)], [(0, 1, 0)]) == (kept, value)
    assert [["it was skipped, and gives a value"], ["it gave a value, and is skipped"]] == [
        [cell.told for cell in one.different] for one in (found, back)
    ]


def test_recomputing_finds_the_same_skips(store: Path) -> None:
    """A cell that is skipped again is equal."""
    run(draw([1, 2]), store)
    found = recompute(draw([1, 2]), 1.0, Settings.of(store=store, progress=False, executor="inline"))

    assert (4, 4, True) == (found.checked, found.equal, found.sound)


# ---- the store ---------------------------------------------------------------------------------------------------


def test_gc_and_verify_keep_skips(store: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pack has them, with their reasons, in their order; and there is nothing wrong with it."""
    monkeypatch.setattr(living, "MARGIN", 0.0)
    run(draw([1, 2, 3]), store)
    run(draw([4, 5, 6]), store)
    packed = collect(open_store(store), keep_runs=0).packed
    found = verify(open_store(store))
    calls.clear()
    done = run(draw([1, 2, 3, 4, 5, 6]), store)

    assert (2, []) == (packed, found.flaws)
    assert [call for call in calls() if not call.startswith("total")] == []
    assert [(0, 3, 3)] == counts(done, "even")
    assert "5 is odd" == reason(done, store, 4)


def test_whoever_knows_no_skips_passes_them_over(store: Path) -> None:
    """They are records of a kind of their own, which no reader of values looks at (J3)."""
    run(draw([1, 2]), store)
    (path,) = run_paths(store).values()
    told = list(read_run(path))
    skip = [one for one in told if isinstance(one, CellSkipped)]

    assert [("1 is odd", False)] == [(one.reason, one.answered) for one in skip]
    assert skip[0].key not in {key for one in told if isinstance(one, Trace) for key in one.keys}


def test_a_torn_skip_is_a_miss(store: Path, tmp_path: Path, calls: Calls) -> None:
    """What is not the record of a skip does not answer (P2)."""
    first = run(alone(), tmp_path / "elsewhere")
    key = bytes.fromhex(next(iter(fc.open_run(first.id, tmp_path / "elsewhere").cells("even"))).key)
    forged = open_store(store).begin()
    forged.cache.record(Trace(
        node=0, numbers=[0], keys=[key], components=[NO_VALUE], records=[encode(7, put=array_digest).record],
        seconds=[0.0], refresh=True, skips=True,
    ))  # fmt: skip
    forged.close("done")
    forged.release()
    calls.clear()
    done = run(alone(), store)

    assert (["even 1"], [(0, 0, 1)]) == (calls(), counts(done, "even"))


def test_a_skip_of_another_live_run_answers(store: Path, tmp_path: Path) -> None:
    """A cell that waits for another run is skipped when that one says so."""
    made = fc.open_run(run(alone(), tmp_path / "elsewhere").id, tmp_path / "elsewhere")
    key = bytes.fromhex(next(iter(made.cells("even"))).key)
    with FakeClock() as clock:
        other = open_store(store).begin(YOUNGER)
        other.cache.beat({"cells": 1, "computing": key})
        script = ScriptedExecutor()
        mine = alone().start(store=store, executor=script, progress=False)
        script.settle()
        waiting = mine.status
        other.cache.record(Trace(
            node=0, numbers=[0], keys=[key], components=[NO_VALUE], records=[skip_record("theirs")], seconds=[0.0],
            skips=True,
        ))  # fmt: skip
        clock.advance(PAUSE)
        script.settle()
        assert mine.wait(60.0)
        other.release()

    assert ("running", 0, [(0, 0, 1)]) == (waiting, len(script.started), counts(mine, "even"))
    assert "theirs" == reason(mine, store, 0)


# ---- broken on purpose -------------------------------------------------------------------------------------------


def _as_none(put: Callable[..., None]) -> None:
    """Keep a skip as None."""
    real = Cache.record

    def record(self: Cache, trace: Trace) -> set[int]:
        if trace.skips:
            none = encode(None, put=array_digest)
            trace = Trace(
                node=trace.node, numbers=trace.numbers, keys=trace.keys, own=trace.own, components=[none.component],
                records=[none.record], seconds=trace.seconds,
            )  # fmt: skip
        return real(self, trace)

    put(Cache, "record", record)


def _not_at_all(put: Callable[..., None]) -> None:
    """Do not keep a skip."""
    real = skips.land_skip

    def land(books: Any, doubles: Any, flight: Any, result: Any, key: bytes) -> None:  # noqa: ARG001
        real(books, doubles, flight, result, b"")

    put("flowcore.run.outcomes.landing.land_skip", land)


def _in_the_digest(put: Callable[..., None]) -> None:
    """Let a gather's digest have skipped cells."""
    real = inputs.FromGather._join_components

    def join(self: Any, present: list[int], values: Values) -> bytes:
        every = self._link.inputs(0).numbers if self._labels else present
        return inputs.combine("skips", [real(self, present, values), str(len(every)).encode()])

    put(inputs.FromGather, "_join_components", join)


@pytest.mark.parametrize(
    ("saboteur", "claim"),
    [(_as_none, test_a_skip_is_kept), (_not_at_all, test_a_skip_is_kept),
     (_in_the_digest, test_a_gather_goes_on_without_the_cells)],
)  # fmt: skip
def test_each_claim_rejects_its_saboteur(
    saboteur: Callable[..., None], claim: Callable[..., None], store: Path, calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Broken on purpose, it is seen."""
    saboteur(monkeypatch.setattr)
    with pytest.raises((AssertionError, fc.FlowcoreError)):
        claim(store, calls)
