"""Claims about what a user holds: runs, grids, what cells printed, and results that are made anew."""

from __future__ import annotations

import io
import logging
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.grid import Grid
from flowcore.run.cell.printing import StandIn, stand_in, step_back
from flowcore.run.signals import Signals
from flowcore.store.output import CELL_LIMIT
from tests import told

ROOT = Path(__file__).parents[1]


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Give an event that cells may wait for; it is set in the end, whatever happens."""
    event = threading.Event()
    yield event
    event.set()


def carried_out(flow: fc.Flow, store: Path, *targets: object, **options: Any) -> fc.Run:
    """Run a flow on threads, whatever becomes of it."""
    run = flow.start(*targets, store=store, **({"executor": "thread", "progress": False} | options))
    with suppress(fc.RunFailed):
        run.wait()
    return run


# What cells print.


TALKING = """
import sys
import flowcore as fc
from tests import told
with fc.Flow("talk") as flow:
    flow.add(told.talk.function, fc.each(x=[1, 2]), kind="compute", name="talk")
run = flow.run(store=sys.argv[1], executor=sys.argv[2] or None, workers=1, progress=False)
assert run.output("talk[x=1]") + run.output("talk[x=2]") == run.output("talk")
"""


@pytest.mark.parametrize("executor", ["inline", "thread", ""])
def test_all_that_a_cell_says_is_kept(store: Path, executor: str) -> None:
    """Both streams, logging and warnings are text of the cell, wherever it was carried out."""
    subprocess.run([sys.executable, "-c", TALKING, store, executor], check=True, cwd=ROOT, capture_output=True)

    (info,) = fc.runs(store)
    for x in (1, 2):
        said = fc.open_run(info.id, store).output(f"talk[x={x}]")
        assert [f"out {x}", f"err {x}"] == said.splitlines()[:2]
        assert f"logged {x}" in said
        assert f"UserWarning: warned {x}" in said
        assert said.endswith("unfinished")


def test_log_handlers_that_hold_the_stream_follow_it(store: Path) -> None:
    """A handler made before the run writes to the cell while the cell runs."""
    handler = logging.StreamHandler()
    logging.getLogger("told").addHandler(handler)
    with fc.Flow("talk") as flow:
        flow.add(fc.io(lambda: logging.getLogger("told").warning("logged")), name="talk")
    try:
        run = carried_out(flow, store)
    finally:
        logging.getLogger("told").removeHandler(handler)

    assert "logged\n" == run.output("talk")


def test_coroutines_that_print_in_turns_are_told_apart(store: Path) -> None:
    """A line that is interrupted by another cell's is whole in its own cell's text."""
    turns = [threading.Event(), threading.Event()]

    async def speak(x: int) -> int:
        print("cell", end=" ")  # noqa: T201
        turns[x].set()
        while not turns[1 - x].is_set():
            await _moment()
        print(x)  # noqa: T201
        return x

    with fc.Flow("turns") as flow:
        flow.add(fc.io(speak), fc.each(x=[0, 1]), name="speak")
    run = carried_out(flow, store)

    assert ["cell 0\n", "cell 1\n"] == [run.output(f"speak[x={x}]") for x in (0, 1)]


async def _moment() -> None:
    import asyncio

    await asyncio.sleep(0)


def test_a_silent_run_leaves_no_log(store: Path) -> None:
    """The file is made for the first line."""
    with fc.Flow("silent") as flow:
        told.double(1.0)
    run = carried_out(flow, store)

    assert "" == run.output("double")
    assert not (store / "v1" / "logs").exists()


def test_what_is_printed_can_be_read_while_the_cell_runs(store: Path, gate: threading.Event) -> None:
    """A whole line is there as soon as the engine has heard it."""
    heard = threading.Event()

    class Listener:
        def on_event(self, event: object) -> None:
            if type(event).__name__ == "Printed":
                heard.set()

    def speak() -> None:
        print("on it")  # noqa: T201
        gate.wait()

    with fc.Flow("live") as flow:
        flow.add(fc.io(speak), name="speak")
    run = flow.start(store=store, progress=Listener())

    assert heard.wait(60)
    assert ("running", "on it\n") == (run.status, run.output("speak"))
    gate.set()
    assert run.wait(60)


def test_a_cell_keeps_so_much_and_says_that_there_was_more(store: Path) -> None:
    """64 KiB of what one cell prints are kept, over all of its attempts."""

    def chatter() -> None:
        for _ in range(40):
            sys.stdout.write("é" * 1_000 + "\n")

    with fc.Flow("chatter") as flow:
        flow.add(fc.io(chatter), name="chatter")
    run = carried_out(flow, store)

    said = run.output("chatter")
    assert CELL_LIMIT - 2 < len(said.partition("\n[more")[0].encode()) <= CELL_LIMIT
    assert said.endswith("[more than 64 KiB printed; the rest is left out]\n")


def test_without_a_store_what_is_printed_is_held(tmp_path: Path) -> None:
    """A store that must not be used costs the file, not the text."""
    foreign = tmp_path / "foreign"
    (foreign / "v1").mkdir(parents=True)
    (foreign / "v1" / "flowcore-store").write_bytes(b"something else\n")
    with fc.Flow("talk") as flow:
        flow.add(fc.io(lambda: sys.stdout.write("said\n")), name="talk")
    with pytest.warns(fc.StoreUnavailable):
        run = carried_out(flow, foreign)

    assert "said\n" == run.output("talk")


def test_the_streams_are_put_back(store: Path) -> None:
    """After a run, standard output and log handlers are what they were."""
    handler = logging.StreamHandler()
    logging.getLogger("told").addHandler(handler)
    before = sys.stdout, sys.stderr, handler.stream
    with fc.Flow("talk") as flow:
        flow.add(fc.io(lambda: type(sys.stdout).__name__), name="which")
    try:
        run = carried_out(flow, store)
    finally:
        logging.getLogger("told").removeHandler(handler)

    assert "StandIn" == run["which"]
    assert before == (sys.stdout, sys.stderr, handler.stream)


def test_a_task_may_redirect_its_output(store: Path) -> None:
    """What user code catches is its own, and the stream it puts back is the one it found."""

    def caught() -> str:
        into = io.StringIO()
        with redirect_stdout(into):
            print("inside")  # noqa: T201
        print("outside")  # noqa: T201
        return into.getvalue()

    with fc.Flow("redirect") as flow:
        flow.add(fc.io(caught), name="caught")
    run = carried_out(flow, store)

    assert ("inside\n", "outside\n") == (run["caught"], run.output("caught"))


def test_a_stream_that_was_replaced_meanwhile_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who replaces the stream during a run keeps it; the stand-in then only passes through."""
    behind, other = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", behind)
    stand_in()
    standing = sys.stdout
    monkeypatch.setattr(sys, "stdout", other)
    step_back()
    standing.write("through")

    assert isinstance(standing, StandIn)
    assert (other, "through") == (sys.stdout, behind.getvalue())


def test_prints_outside_of_cells_pass_through(store: Path, gate: threading.Event) -> None:
    """While a run goes on, the program's own prints are nobody's."""
    begun = threading.Event()

    def wait() -> None:
        begun.set()
        gate.wait()

    with fc.Flow("wait") as flow:
        flow.add(fc.io(wait), name="wait")
    into = io.StringIO()
    with redirect_stdout(into):
        run = flow.start(store=store, progress=False)
        assert begun.wait(60)
        print("mine")  # noqa: T201
        gate.set()
        run.wait()

    assert ("mine\n", "") == (into.getvalue(), run.output("wait"))


# Runs.


def test_seconds_grow_while_a_run_goes_on(store: Path, gate: threading.Event) -> None:
    """And stay once it is over."""
    begun = threading.Event()

    def wait() -> None:
        begun.set()
        gate.wait()

    with fc.Flow("wait") as flow:
        flow.add(fc.io(wait), name="wait")
    run = flow.start(store=store, progress=False)
    assert begun.wait(60)
    first = run.seconds
    assert not run.wait(0.01)
    second = run.seconds
    gate.set()
    run.wait()

    assert 0 < first < second <= run.seconds == run.seconds
    assert "running" not in repr(run)


def test_a_cell_id_that_leaves_axes_out_gives_a_grid(store: Path) -> None:
    """As in a target, an axis that is not named stands for all of its labels."""
    with fc.Flow("grid") as flow:
        flow.add(lambda a, b: a * 10 + b, fc.each(a=[1, 2]), fc.each(b=[3, 4]), kind="io", name="cell")
    run = carried_out(flow, store)

    assert 24 == run["cell[a=2, b=4]"] == run["cell"][{"a": 2, "b": 4}]
    assert {3: 23, 4: 24} == dict(run["cell[a=2]"])
    assert {1: 14, 2: 24} == dict(run["cell"][{"b": 4}])
    for wrong in ("cell[a=3]", "cell[c=1]", "nothing"):
        with pytest.raises(fc.UnknownNode):
            run[wrong]


def test_values_of_a_store_that_moved_are_lost(store: Path) -> None:
    """What is in memory stays readable; an array whose file is gone says so."""
    with fc.Flow("fields") as flow:
        told.total(told.field(fc.each(rate=[0.5])))
    run = carried_out(flow, store)
    shutil.move(store, store.with_name("elsewhere"))

    assert 2_000.0 == run["total"][0.5]
    with pytest.raises(fc.ValueLost, match="not in the store any more"):
        run["field[rate=0.5]"]
    assert "done" == run.graph.nodes["field"]["state"]


def test_the_graph_of_a_live_run_says_what_runs(store: Path, gate: threading.Event) -> None:
    """State by node, while it goes on."""
    begun = threading.Event()

    def wait(x: float) -> float:
        begun.set()
        gate.wait()
        return x

    with fc.Flow("live") as flow:
        first = told.double(1.0)
        flow.add(told.double, flow.add(fc.io(wait), first, name="wait"), name="last")
    run = flow.start(store=store, progress=False, executor="thread")
    assert begun.wait(60)
    states = {name: facts["state"] for name, facts in run.graph.nodes(data=True)}
    gate.set()
    run.wait()

    assert {"double": "done", "wait": "running", "last": "waiting"} == states
    assert [("double", "wait"), ("wait", "last")] == list(run.graph.edges)


# Results that are made anew.


@pytest.fixture
def calls(tmp_path: Path) -> Callable[[], int]:
    """Count the calls of `told.counted` in this test."""
    path = tmp_path / "calls"
    return lambda: path.stat().st_size if path.exists() else 0


@pytest.mark.contract("K26")
@pytest.mark.parametrize(
    ("refresh", "expected"),
    [(False, 0), (True, 3), ("counted", 3), ("counted[x=2]", 1), (["counted[x=1]", "counted[x=2]"], 2), ("double", 0)],
)
def test_refresh_computes_what_it_names(
    store: Path, tmp_path: Path, calls: Callable[[], int], refresh: object, expected: int
) -> None:
    """Everything, a node, or single cells; what is not named is answered as ever."""
    with fc.Flow("counting") as flow:
        told.double(told.counted(fc.each(x=[1, 2, 3]), str(tmp_path / "calls")))
    carried_out(flow, store)
    before = calls()
    carried_out(flow, store, refresh=refresh)

    assert expected == calls() - before


@pytest.mark.contract("K26")
def test_a_refreshed_result_takes_the_place_of_the_old_one(store: Path, tmp_path: Path) -> None:
    """The next run is answered by the newer value, and what depends on it as well."""
    with fc.Flow("counting") as flow:
        told.double(told.counted(1, str(tmp_path / "calls")))
    runs = [carried_out(flow, store, refresh=anew) for anew in (False, True, False)]

    assert [(101, 202), (201, 402), (201, 402)] == [(run["counted"], run["double"]) for run in runs]


def test_equal_cells_of_a_refreshed_node_are_computed_once(
    store: Path, tmp_path: Path, calls: Callable[[], int]
) -> None:
    """What the run itself has recorded answers, refreshed or not."""
    path = str(tmp_path / "calls")
    with fc.Flow("equal") as flow:
        first = flow.add(told.counted, fc.each(a=[1]), path, name="first")
        flow.add(told.counted, fc.each(b=[1]), path, name="second", after=[first])
    carried_out(flow, store)
    carried_out(flow, store, refresh=True)

    assert 2 == calls()


def test_refresh_of_what_is_not_there_is_refused(store: Path) -> None:
    """As a target is."""
    with fc.Flow("counting") as flow:
        told.double(1.0)

    with pytest.raises(fc.UnknownNode):
        flow.start(store=store, refresh="duoble")


@pytest.mark.contract("K26")
def test_trust_uses_results_of_older_code_for_this_run(store: Path) -> None:
    """What only the code keeps apart is used; what had other arguments is computed by the code there is."""

    def drawn(factor: int, xs: list[int]) -> fc.Flow:
        with fc.Flow("edited") as flow:
            flow.add(fc.compute(lambda x: x * factor), fc.each(x=xs), name="step")
        return flow

    carried_out(drawn(10, [1, 2]), store)
    trusting = carried_out(drawn(1000, [1, 2, 3]), store, trust="step")
    plain = carried_out(drawn(1000, [1, 2, 3]), store)
    older = carried_out(drawn(10, [1, 2, 3]), store)

    assert {1: 10, 2: 20, 3: 3000} == dict(trusting["step"])
    assert {1: 10, 2: 20, 3: 3000} == dict(fc.open_run(trusting.id, store)["step"])
    assert ({1: 1000, 2: 2000, 3: 3000}, 1) == (dict(plain["step"]), plain.counts("step").hit)
    assert ({1: 10, 2: 20, 3: 30}, 2) == (dict(older["step"]), older.counts("step").hit)


@pytest.mark.contract("K26")
def test_trust_looks_past_runs_that_trusted(store: Path) -> None:
    """An edit of code that was trusted itself, and kept nothing, still finds what older code made."""

    def drawn(factor: int) -> fc.Flow:
        with fc.Flow("edited") as flow:
            flow.add(fc.compute(lambda x: x * factor), 1, name="step")
        return flow

    carried_out(drawn(10), store)
    values = [carried_out(drawn(factor), store, trust=True)["step"] for factor in (20, 30)]

    assert [10, 10] == values


@pytest.mark.contract("K26")
def test_trust_covers_the_code_alone(store: Path) -> None:
    """Another version, or another constant argument, is another computation, trusted or not."""

    def drawn(factor: int, shift: int, version: str) -> fc.Flow:
        with fc.Flow("edited") as flow:
            flow.add(fc.compute(version=version)(lambda x, y: x * factor + y), 1, shift, name="step")
        return flow

    carried_out(drawn(10, 0, "1"), store)
    values = [
        carried_out(drawn(1000, shift, version), store, trust=trust)["step"]
        for shift, version, trust in ((5, "1", True), (0, "2", True), (0, "1", "step"), (0, "1", False))
    ]

    assert [1005, 1000, 10, 1000] == values


# Grids.


def grid(labels: list[tuple[object, ...]], values: list[Any], axes: tuple[str, ...], missing: set[int] = set()) -> Grid:  # noqa: B006
    """Give a grid of values, some of which may be missing."""
    present = set(range(len(labels))) - missing
    return Grid("node", axes, {label: n for n, label in enumerate(labels)}, present, values.__getitem__)


def test_an_array_goes_by_labels_not_by_order() -> None:
    """Rows that have their labels in another order are put right."""
    found = grid([(1, "a"), (1, "b"), (2, "b"), (2, "a")], [10, 11, 12, 13], ("x", "y")).array()

    assert [[10, 11], [13, 12]] == found.tolist()


def test_missing_cells_are_masked() -> None:
    """In the array, and in the mask; numbers of several kinds find a common one."""
    found = grid([(1,), (2,), (3,)], [1, None, 2.5], ("x",), {1})

    assert [1.0, None, 2.5] == found.array().tolist()
    assert [False, True, False] == found.mask.tolist()
    assert np.float64 == found.array().dtype


def test_a_ragged_grid_gives_no_array_and_no_mask() -> None:
    """Rows of different length have no common shape."""
    ragged = grid([(1, "a"), (1, "b"), (2, "a")], [1, 2, 3], ("x", "y"))

    with pytest.raises(fc.AxisMismatch, match="rows of different length"):
        ragged.array()
    with pytest.raises(fc.AxisMismatch):
        _ = ragged.mask


def test_a_part_of_a_grid_is_a_grid() -> None:
    """A dict that names some axes fixes these; one that names others is refused."""
    whole = grid([(1, "a"), (1, "b"), (2, "a")], [1, 2, 3], ("x", "y"), {1})
    part = whole[{"x": 1}]

    assert (("y",), {"a": 1}, 2) == (part.axes, dict(part), part.shape[0])
    assert {1: 1, 2: 3} == dict(whole[{"y": "a"}])
    with pytest.raises(fc.UnknownNode, match=r"node\[z="):
        whole[{"z": 1}]
    with pytest.raises(fc.UnknownNode):
        whole[{"x": 3}]


@pytest.mark.contract("F13", "P12")
@pytest.mark.parametrize("moment", ["__enter__", "__exit__"])
def test_a_signal_just_beside_the_wait_ends_the_run_too(
    moment: str, store: Path, gate: threading.Event, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The handler is not there yet, or not any more: `run` says how to go on, and nothing runs behind it."""
    real, began = getattr(Signals, moment), threading.Event()

    def interrupted(self: Signals, *arguments: object) -> Any:
        real(self, *arguments)
        raise KeyboardInterrupt

    def wait(x: int) -> int:
        began.set()
        gate.wait(60.0)
        return x

    def let_it_end(self: Signals, ended: Callable[[float], bool], timeout: float | None) -> bool:
        del self, ended, timeout
        return began.wait(60.0) and False

    monkeypatch.setattr(Signals, "wait", let_it_end)
    monkeypatch.setattr(Signals, moment, interrupted)
    flow = fc.Flow("beside")
    flow.add(wait, fc.each(x=range(100)), kind="io")
    with pytest.raises(KeyboardInterrupt):
        flow.run(store=store, progress=False)

    assert 1 == capsys.readouterr().err.count("interrupted; run the flow again to go on from here")
    assert ["interrupted"] == [run.status for run in fc.runs(store)]
