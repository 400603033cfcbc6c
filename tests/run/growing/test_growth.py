"""Claims about tasks that return flows: they are drawn into the run, cached and told like all else (contract K30)."""

from __future__ import annotations

import os
import re
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowcore as fc
from flowcore.run.growing import growth
from tests.run.growing import flows as growing
from tests.run.growing.flows import LOG

pytestmark = pytest.mark.contract("K30")
EXECUTORS = ("process", "thread", "inline")
DEADLINE = 60.0  # seconds; only turns a hang into a failure
BETTER = [(x + 2.0 / x) / 2 for x in (1.0, 2.0, 3.0)]
VALUES: dict[str, tuple[Callable[[], Any], Any]] = {
    "loop": (lambda: growing.refine(1.0), 1.4142135623746899),
    "recursion": (lambda: growing.fib(7), 13),
    "grid": (lambda: growing.listed(3), BETTER),
    "dynamic axis": (lambda: growing.dynamic(3), sum(BETTER)),
    "constants only": (growing.constant, [1, "x"]),
    "choice": (lambda: growing.chosen(2), 3),
    "parts": (lambda: growing.parted(9), [9, 4]),
    "side nodes": (lambda: growing.besides(1), 2),
    "event loop": (lambda: growing.on_the_loop(3), 6),
    "thread": (lambda: growing.in_a_thread(4), 12),
    "two deep": (lambda: growing.two_below(3), BETTER[2] + 4),
}


class Calls:
    """The calls of tasks."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self) -> list[str]:
        """Give them, and forget them."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        self.path.unlink(missing_ok=True)
        return lines


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Give what tasks leave of their calls."""
    monkeypatch.setenv(LOG, str(tmp_path / "calls"))
    return Calls(tmp_path / "calls")


def drawn(make: Callable[[], Any]) -> fc.Flow:
    """Draw a flow."""
    with fc.Flow() as flow:
        flow.result = make()
    return flow


def ran(make: Callable[[], Any], store: Path, executor: str = "inline", **options: Any) -> fc.Run:
    """Run it."""
    chosen = {} if executor == "process" else {"executor": executor}
    return drawn(make).run(store=store, progress=False, workers=2, **chosen, **options)


def value(make: Callable[[], Any], store: Path, executor: str = "inline", **options: Any) -> Any:
    """Give the value of what is drawn."""
    run = ran(make, store, executor, **options)
    return run[run.flow.result]


# ---- values --------------------------------------------------------------------------


@pytest.mark.parametrize("executor", EXECUTORS)
def test_the_value_is_that_of_the_flow(executor: str, store: Path) -> None:
    """Wherever it was drawn, and in whatever way."""
    found = value(lambda: {case: make() for case, (make, _) in VALUES.items()}, store, executor)

    assert {case: expected for case, (_, expected) in VALUES.items()} == found


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_result_keeps_its_shape(executor: str, store: Path) -> None:
    """Lists, tuples and dicts of nodes, grids and constants."""
    found = value(lambda: growing.parts(3), store, executor)
    array = found.pop("array")

    assert {"grid": BETTER, "pair": (1, [3, "text"])} == found
    assert [0, 1, 2] == array.tolist()


def test_a_plain_call_gives_the_flow() -> None:
    """Outside of a run nothing is drawn into anything."""
    assert isinstance(growing.refine(1.0), fc.Flow)


@pytest.mark.contract("F39")
def test_one_worker_is_enough(store: Path) -> None:
    """No cell waits in a worker for another: a recursion goes through a single one."""
    flow = drawn(lambda: growing.fib(6))

    assert 8 == flow.run(store=store, progress=False, workers=1)[flow.result]


def test_a_grid_grows_cell_by_cell(store: Path) -> None:
    """Each cell its own flow."""
    run = ran(lambda: growing.refine(fc.each(x=[1.0, 3.0]), 2), store)

    assert run["refine[x=3.0]~2/better"] == pytest.approx(1.46212, abs=1e-5)
    assert ["refine[x=1.0]", "refine[x=3.0]"] == sorted(
        {
            str(node["group"][0])
            for _, node in run.graph.nodes(data=True)
            if node["group"] and "~" not in node["group"][0]
        }
    )


def plain(program: Any) -> Any:
    """Carry out a program without flows."""
    kind, *parts = program
    if kind == "value":
        return parts[0]
    made = [plain(part) for part in parts]
    return growing.flat(made) if kind == "sum" else made


PROGRAMS = st.recursive(
    st.tuples(st.just("value"), st.integers(0, 2)),
    lambda part: st.lists(part, min_size=0, max_size=3).flatmap(
        lambda parts: st.sampled_from([("sum", *parts), ("list", *parts)])
    ),
    max_leaves=12,
)


@given(program=PROGRAMS)
def test_any_tree_of_flows_is_what_python_says(program: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """With equal parts that wait for each other, and flows in flows; a second run draws nothing."""
    path = tmp_path_factory.mktemp("program")
    first = ran(lambda: growing.build(program), path)
    again = ran(lambda: growing.build(program), path)

    assert [plain(program)] * 2 == [first["build"], again["build"]]
    assert 1 == len(again._now.nodes)


# ---- the store -----------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["process", "inline"])
def test_what_is_cached_to_the_ground_answers_as_one(executor: str, store: Path, calls: Calls) -> None:
    """A second run calls nothing, and draws nothing."""
    cases = {
        case: VALUES[case] for case in ("loop", "recursion", "grid", "dynamic axis", "choice", "parts", "side nodes")
    }

    def draw() -> Any:
        return {case: make() for case, (make, _) in cases.items()}

    ran(draw, store, executor)
    calls()
    again = ran(draw, store, executor)

    assert {case: expected for case, (_, expected) in cases.items()} == again[again.flow.result]
    assert ([], len(cases)) == (calls(), len(again._now.nodes))


def test_keys_are_the_same_wherever_a_flow_is_drawn(store: Path, calls: Calls) -> None:
    """What a worker drew answers what this process draws, in another loop over the same steps."""
    ran(lambda: growing.refine(1.0, 4), store, "process")
    calls()
    ran(lambda: growing.refine(1.0, 3), store, "inline")

    assert [f"refine {left}" for left in (3, 2, 1, 0)] == calls()


def test_equal_cells_are_computed_once(store: Path, calls: Calls) -> None:
    """A recursion that meets the same arguments on two ways costs as much as a table of them."""
    ran(lambda: growing.fib(8), store, "process")

    assert {f"fib {n}": 1 for n in range(9)} == {
        line: count for line, count in Counter(calls()).items() if line.startswith("fib")
    }


@pytest.mark.contract("P1", "KT6")
@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_world_below_is_met_again(executor: str, store: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """However deep it lies, what was drawn above it is drawn anew; what is cached there answers."""
    first = value(lambda: growing.two_below(3), store, executor)
    calls()
    monkeypatch.setenv("FLOWCORE_TEST_WORLD", "10")
    second = value(lambda: growing.two_below(3), store, executor)

    assert pytest.approx(first + 10) == second
    assert sorted(["add 13 1", f"add {BETTER[2]} 14", "below 3", "two_below 3", "world 3"]) == sorted(calls())


def test_a_cell_answers_by_its_own_key_only_if_all_below_is_kept(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sabotaged: a growing cell is kept whatever it drew, and the world below it is frozen."""
    real = growth.Growths._settle

    def sabotaged(self: growth.Growths, growing_cell: Any) -> None:
        growing_cell.cached = True
        real(self, growing_cell)

    monkeypatch.setattr(growth.Growths, "_settle", sabotaged)
    first = value(lambda: growing.two_below(3), store)
    monkeypatch.setenv("FLOWCORE_TEST_WORLD", "10")

    assert first == value(lambda: growing.two_below(3), store), "the check above would not notice"


@pytest.mark.contract("P1")
def test_a_world_below_an_equal_cell_is_met_again(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that has the value of an equal one, which is not kept, keeps nobody's value above it either."""
    first = value(lambda: [growing.above(1, 100), growing.above(1, 200)], store)
    monkeypatch.setenv("FLOWCORE_TEST_WORLD", "10")

    assert [n + 10 for n in first] == value(lambda: [growing.above(1, 100), growing.above(1, 200)], store)


def test_what_must_be_kept_fails_above_what_is_not(store: Path) -> None:
    """With cache="required", and says which node keeps it from that."""
    with pytest.raises(fc.RunFailed, match="required/world is not cached"):
        ran(lambda: growing.required(1), store)


@pytest.mark.contract("KT6")
@pytest.mark.parametrize("executor", ["process", "inline"])
def test_a_value_that_is_only_passed_on(executor: str, store: Path, calls: Calls) -> None:
    """Nothing vouches for it in another run: what takes it is computed again."""
    with pytest.warns(fc.NotStorable):
        first = value(lambda: growing.unwrap(growing.passing(5)), store, executor)
    calls()
    with pytest.warns(fc.NotStorable):
        second = value(lambda: growing.unwrap(growing.passing(5)), store, executor)

    assert (5, 5) == (first, second)
    assert ["opaque 5", "passing 5", "unwrap 5"] == sorted(calls())


def test_a_consumer_cannot_tell_how_a_value_was_made(store: Path, calls: Calls) -> None:
    """It is keyed by the value: a flow that gives a list, and a task that does, are the same to it."""
    ran(lambda: growing.total(growing.listed(3)), store)
    calls()
    ran(lambda: growing.total(growing.plainly(3)), store)

    assert [] == calls()


@pytest.mark.contract("K26")
def test_refresh_reaches_what_is_drawn(store: Path, calls: Calls) -> None:
    """A cell whose older result does not count has no older steps either."""
    ran(lambda: growing.refine(1.0, 2), store)
    calls()
    ran(lambda: growing.refine(1.0, 2), store, refresh="refine")

    assert ["better 1.0000", "better 1.5000", "refine 0", "refine 1", "refine 2"] == sorted(calls())


@pytest.mark.contract("F1", "F37")
def test_a_run_that_is_stopped_goes_on(store: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells that wait for what they drew are not failed; the next run draws them again, and redoes no step."""
    take, left = growth.Growths.take, iter(range(10))
    reached, cancelled = threading.Event(), threading.Event()

    def held(self: growth.Growths, grown: Any) -> None:
        if next(left, None) == 9:
            reached.set()
            assert cancelled.wait(DEADLINE)
        take(self, grown)

    monkeypatch.setattr(growth.Growths, "take", held)
    flow = drawn(lambda: growing.climb(0, 100))
    stopped = flow.start(store=store, progress=False, executor="inline")
    assert reached.wait(DEADLINE)
    stopped.cancel()
    cancelled.set()
    stopped.wait()
    again = flow.run(store=store, progress=False, executor="inline")

    assert ("interrupted", "done", ()) == (stopped.status, again.status, stopped.failures)
    assert sorted(f"add {x} 1" for x in range(100)) == sorted(calls())


@pytest.mark.contract("F25")
def test_a_value_that_vanished_is_grown_again(store: Path) -> None:
    """The cell draws anew; what it drew is judged piece by piece."""
    start = np.zeros(5000)
    first = value(lambda: growing.drift(start, 3), store)
    for blob in sorted((store / "v1" / "arrays").glob("*/*.npy")):
        blob.unlink()

    assert first.tolist() == value(lambda: growing.drift(start, 3), store).tolist()


def test_an_array_of_the_store_is_not_written_again(store: Path) -> None:
    """The argument of a step that an earlier step has made is referred to."""
    start = np.zeros(5000)
    run = ran(lambda: growing.drift(start, 6), store)
    blobs = list((store / "v1" / "arrays").glob("*/*.npy"))

    assert (6, 6.0) == (len(blobs), float(run[run.flow.result][0]))


# ---- skips, failures, and no end ------------------------------------------------------


@pytest.mark.contract("K32")
@pytest.mark.parametrize("executor", ["process", "inline"])
def test_a_skipped_result_skips_the_cell(executor: str, store: Path, calls: Calls) -> None:
    """It is left out of a gather; its skip is kept below, and answers when it is drawn anew."""

    def draw() -> Any:
        return growing.found(fc.gather(growing.skips(fc.each(n=[1, 2])), labels=True, missing="drop"))

    first = value(draw, store, executor)
    calls()
    second = value(draw, store, executor)

    assert ([], [], ["skips 1", "skips 2"]) == (first, second, sorted(calls()))


@pytest.mark.parametrize("executor", ["process", "inline"])
@pytest.mark.parametrize(("task", "cell"), [(growing.fails, "fails/boom"), (growing.beside_boom, "beside_boom/boom")])
def test_a_failure_inside_is_the_one_that_is_told(task: Any, cell: str, executor: str, store: Path) -> None:
    """By the name of the cell that failed; what drew it did not run to its end, and is no failure of its own."""
    flow = drawn(lambda: task(fc.each(n=[1, 2])))
    options: dict[str, Any] = {} if executor == "process" else {"executor": executor}
    with pytest.raises(fc.RunFailed) as failed:
        flow.run(store=store, progress=False, on_error="continue", **options)

    name, _, rest = cell.partition("/")
    assert [f"{name}[n=1]/{rest}", f"{name}[n=2]/{rest}"] == sorted(f.cell for f in failed.value.failures)
    assert re.search(rf'flow.run\("{name}\[n=[12]\]"', str(failed.value))


def test_others_go_on_beside_a_failure(store: Path) -> None:
    """With on_error="continue", as for any cell."""
    with fc.Flow() as flow:
        flow.result = [growing.fails(1), growing.refine(1.0, 2)]
    run = flow.start(store=store, progress=False, executor="inline", on_error="continue")
    with pytest.raises(fc.RunFailed):
        run.wait()

    assert run["refine"] == pytest.approx(1.41666, abs=1e-4)


def test_a_flow_inside_a_value_is_refused(store: Path) -> None:
    """With the path to it, and what to do."""
    with pytest.raises(fc.RunFailed, match=re.escape("result[1]['flow'] is a Flow")):
        ran(growing.inside, store)


@pytest.mark.parametrize("task", [growing.forever, growing.ping])
def test_a_cell_that_draws_itself_fails(task: Any, store: Path) -> None:
    """Directly or by way of another: it does not wait for itself."""
    with pytest.raises(fc.RunFailed, match="would never end"):
        ran(lambda: task(1), store)


def test_cells_that_draw_each_other_fail(store: Path) -> None:
    """Each is drawn by the flow and by the other; neither is waited for for ever."""
    with pytest.raises(fc.RunFailed, match="would never end"):
        ran(lambda: [growing.ping(1), growing.pong(1)], store)


def test_a_reference_of_the_outer_flow_is_refused(store: Path) -> None:
    """A flow that is drawn in a cell holds its own nodes only; the line is told."""
    outer = fc.Flow("outer")
    ref = outer.add(growing.add, 1, 2)

    def strays() -> Any:
        with fc.Flow("inner") as flow:
            flow.result = growing.add(ref, 1)
        return flow

    outer.result = outer.add(fc.io(strays))
    with pytest.raises(fc.RunFailed, match=r"belongs to flow 'outer'.*test_growth\.py") as failed:
        outer.run(store=store, progress=False, executor="inline")

    assert ["strays"] == [failure.cell for failure in failed.value.failures]


# ---- identity ------------------------------------------------------------------------


@pytest.mark.contract("K21")
def test_streams_depend_on_seed_and_arguments_alone(store: Path, tmp_path: Path) -> None:
    """Not on where a cell was drawn, nor by whom."""
    drawn_numbers = [value(lambda: growing.noises(1), tmp_path / e, e, seed=7) for e in EXECUTORS]
    plain = [value(lambda n=n: growing.noise(n), store, seed=7) for n in (1, 2)]

    assert [plain] * len(EXECUTORS) == drawn_numbers
    assert plain != value(lambda: growing.noises(1), tmp_path / "inline", seed=8)


@pytest.mark.contract("K10")
@pytest.mark.parametrize("executor", ["process", "inline"])
def test_classes_in_constants_of_a_result_come_with_it(executor: str, store: Path) -> None:
    """What takes it gets them as what they are, and is keyed by their code, now and when the store answers."""
    run = ran(lambda: growing.measured(growing.points(3)), store, executor)
    again = ran(lambda: growing.measured(growing.points(3)), store, executor)
    met = [r._session.books.values.classes(r.flow["points"].number, 0) for r in (run, again)]

    assert (10, 10) == (run["measured"], again["measured"])
    assert [["tests.run.growing.flows:Point"]] * 2 == [[name for name, _ in classes] for classes in met]
    assert 1 == again.counts("measured").hit


# ---- looking --------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["process", "inline"])
def test_a_run_can_be_read_with_what_it_drew(executor: str, store: Path) -> None:
    """Live and from the journal alone: names, states, values, groups and edges."""
    run = ran(lambda: growing.refine(1.0, 2), store, executor)
    read = fc.open_run(run.id, store)
    names = ["refine", "refine/better", "refine/refine", "refine~2/better", "refine~2/refine"]

    assert names == sorted(node.name for node in read.nodes) == sorted(run.graph.nodes)
    assert (1.5, 1.5) == (run["refine/better"], read["refine/better"])
    assert {"done"} == {read.cell(name).state for name in names}
    assert sorted(run.graph.edges) == sorted(read.graph.edges)
    assert ("refine/refine", "refine") in run.graph.edges, "what a cell drew gives it its value"
    assert (5, 5) == (run.summary().count("1 ran"), read.info.cells["done"])


def test_the_critical_path_goes_through_what_was_drawn(store: Path) -> None:
    """A cell that drew comes before it, and what needs its value comes after."""
    run = ran(lambda: growing.total([growing.climb(0, 2)]), store)
    path = ["climb", "climb/add", "climb/climb", "climb~2/add", "climb~2/climb", "total"]

    assert path == [step.cell for step in run.critical_path()]
    assert path == [step.cell for step in fc.open_run(run.id, store).critical_path()]


def test_names_do_not_depend_on_the_order_of_events(store: Path, tmp_path: Path) -> None:
    """A recursion is told alike, however many workers there are."""
    one = ran(lambda: growing.halve(0, 16), store, "inline")
    many = ran(lambda: growing.halve(0, 16), tmp_path / "other", "process")

    assert sorted(one.graph.nodes) == sorted(many.graph.nodes)
    assert {"halve~3/halve_2", "halve~2/halve_2/add"} <= set(one.graph.nodes)


@pytest.mark.contract("P11")
def test_names_and_journals_grow_with_the_run_alone(store: Path, tmp_path: Path) -> None:
    """A loop twice as long has a journal twice as long."""
    sizes = []
    for steps, path in ((40, store), (80, tmp_path / "longer")):
        ran(lambda left=steps: growing.refine(1.0, left), path)
        (journal,) = path.glob("v1/journals/*.journal")
        sizes.append(journal.stat().st_size)

    assert sizes[1] < 2.1 * sizes[0]


def test_what_will_be_drawn_is_not_known_before(store: Path) -> None:
    """A plan tells that the cell will run, and afterwards that it is cached."""
    flow = drawn(lambda: growing.refine(1.0, 2))
    before = str(flow.plan(store=store))
    flow.run(store=store, progress=False, executor="inline")

    assert "refine  1 cell: 1 will run" in before
    assert "refine  1 cell: 1 cached" in str(flow.plan(store=store))


def test_two_runs_are_compared_with_what_they_drew(store: Path) -> None:
    """By name, step by step."""
    one = ran(lambda: growing.refine(1.0, 2), store)
    other = ran(lambda: growing.refine(3.0, 2), store)
    compared = str(fc.diff(fc.open_run(one.id, store), fc.open_run(other.id, store)))

    assert "refine/better" in compared


# ---- who looks at what is drawn --------------------------------------------------------


@pytest.mark.contract("S1")
def test_the_engine_opens_no_function(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker drew is unpickled by workers alone."""
    monkeypatch.setenv("FLOWCORE_TEST_OPENED", str(tmp_path / "opened"))
    flow = drawn(traps())
    flow.run(store=store, progress=False, workers=2)
    pids = set((tmp_path / "opened").read_text().split())

    assert pids
    assert str(os.getpid()) not in pids


class Trap:
    """Says which process unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return opened, ()


def opened() -> str:
    """Leave the number of this process."""
    with open(os.environ["FLOWCORE_TEST_OPENED"], "a") as file:
        file.write(f"{os.getpid()}\n")
    return "opened"


def traps() -> Callable[[], Any]:
    """Give a task that draws a function which holds a trap."""

    def sets() -> Any:
        trap = Trap()

        def caught() -> str:
            return str(trap)

        with fc.Flow() as flow:
            flow.result = flow.add(caught)
        return flow

    return lambda: fc.compute(cache=False)(sets)()
