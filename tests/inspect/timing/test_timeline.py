"""Claims about timelines: when cells ran, why they waited, and what the wall time was made of."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowcore as fc
from flowcore.inspect.timing.critical import ready_of
from flowcore.inspect.timing.lanes import packed_lanes
from flowcore.plan.cells import Link, Space, Span
from tests.inspect.recordings.made import Recording, node, recorded

CHAIN = Recording(
    axes=[("x", [1, 2])],
    nodes=[node("load", 0), node("work", 0, needs=[0]), node("total", needs=[1])],
    ran={0: [(0, 0.0, 2.0, 1), (1, 2.0, 1.0, 1)], 1: [(0, 2.5, 1.0, 2), (1, 3.5, 4.0, 2)], 2: [(0, 8.0, 1.0, 1)]},
)


def test_lanes_are_workers(tmp_path: Path) -> None:
    """Each worker process has a lane, with its cells by time."""
    timeline = recorded(tmp_path, CHAIN).timeline()

    found = {lane.name: [timeline.span(row).cell for row in lane.rows] for lane in timeline.lanes}

    assert {"worker 1": ["load[x=1]", "load[x=2]", "total"], "worker 2": ["work[x=1]", "work[x=2]"]} == found


def test_critical_path_goes_back_by_the_last_input(tmp_path: Path) -> None:
    """The chain is that of the cell that ended last; its steps and waits are the wall time up to then."""
    path = recorded(tmp_path, CHAIN).critical_path()

    assert ["load[x=2]", "work[x=2]", "total"] == [step.cell for step in path]
    assert [2.0, 0.5, 0.5] == [step.waited for step in path]
    assert 9.0 == path.seconds == path.waited + sum(step.seconds for step in path)


def test_utilisation_counts_all_workers(tmp_path: Path) -> None:
    """Nine cell-seconds of twenty that two workers had are 45 %."""
    assert pytest.approx(0.45) == recorded(tmp_path, CHAIN).timeline().utilisation


def test_waiting_is_told_by_cause(tmp_path: Path) -> None:
    """Before the last input a cell waits for that; then for a worker while all are busy; the rest is the engine's."""
    waited = recorded(tmp_path, CHAIN).timeline().waiting

    # load 2 waits 2 s for worker 1, worker 2 not being there; work 1 half a second for worker 2 to come;
    # work 2 half a second for worker 2, of which worker 1 is idle: the engine's, as is the one before total.
    assert {"dependency": 2.0 + 3.0 + 7.5, "worker": 2.0 + 0.5, "memory": 0.0, "limit": 0.0, "io": 0.0} | {
        "engine": pytest.approx(0.5 + 0.5)
    } == pytest.approx(waited)


def test_a_limit_is_a_cause(tmp_path: Path) -> None:
    """What passes while as many run as may is waited for the limit, not for a worker."""
    limited = node("get", 0, runner="thread", kind="io", limit=["db", 1, 0.0])
    ran = {0: [(0, 0.0, 1.0, 0), (1, 1.0, 1.0, 0), (2, 2.25, 1.0, 0)]}
    timeline = recorded(tmp_path, Recording(axes=[("x", [1, 2, 3])], nodes=[limited], ran=ran)).timeline()

    assert pytest.approx(3.0) == timeline.waiting["limit"]
    assert pytest.approx(0.25) == timeline.waiting["engine"]


def test_a_rate_is_a_limit(tmp_path: Path) -> None:
    """Where one may begin each second, what passes until a second is over is waited for the limit."""
    rated = node("get", 0, runner="thread", kind="io", limit=["db", 1, 1.0])
    ran = {0: [(0, 0.0, 0.1, 0), (1, 1.5, 0.1, 0)]}
    timeline = recorded(tmp_path, Recording(axes=[("x", [1, 2])], nodes=[rated], ran=ran)).timeline()

    assert pytest.approx(1.0) == timeline.waiting["limit"]
    assert pytest.approx(0.5) == timeline.waiting["engine"]


def test_memory_is_a_cause_while_others_leave_too_little(tmp_path: Path) -> None:
    """A cell that declares seven of ten waits for memory while one of four runs; what passes then is the engine's."""
    nodes = [node("small", memory=4), node("large", memory=7)]
    there = [(0, 0.0, 0.0, 2)]  # worker 2 is there, and idle
    ran = {0: [(0, 0.0, 2.0, 1)], 1: [(0, 2.5, 1.0, 2)], 2: there}
    timeline = recorded(tmp_path, Recording(nodes=[*nodes, node("other")], ran=ran, memory=10)).timeline()

    assert pytest.approx(2.0) == timeline.waiting["memory"]
    assert pytest.approx(0.5) == timeline.waiting["engine"]


def test_io_is_what_surrounds_the_call(tmp_path: Path) -> None:
    """Fetching inputs and keeping results is told apart from the function's own seconds."""
    timeline = recorded(
        tmp_path, Recording(nodes=[node("a")], ran={0: [(0, 1.0, 2.0, 1)]}, around={0: (0.25, 0.5)})
    ).timeline()
    span = timeline.span(0)

    assert (0.25, 2.0, 0.5, 0.75) == (span.fetching, span.seconds, span.keeping, timeline.waiting["io"])


def test_lost_attempts_are_on_the_timeline(tmp_path: Path) -> None:
    """An attempt that came to nothing has its place, and its task's row says so."""
    timeline = recorded(
        tmp_path,
        Recording(nodes=[node("a")], ran={0: [(0, 3.0, 1.0, 2)]}, lapses=[(0, 0, 1.0, 1.5, 1, "died")]),
    ).timeline()

    assert [("died", 1), ("done", 2)] == [(span.how, span.worker) for span in timeline]
    assert 1 == timeline.tasks[0].lost


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 10)), min_size=1, max_size=60))
def test_packed_lanes_never_overlap_and_are_fewest(spans: list[tuple[float, float]]) -> None:
    """No two cells of a lane overlap, and there are as many lanes as cells at the busiest instant."""
    rows = sorted(spans)
    begins, ends = [begin for begin, _ in rows], [begin + length for begin, length in rows]

    lanes = packed_lanes(begins, ends, list(range(len(rows))))

    for lane in lanes:
        assert all(ends[a] <= begins[b] for a, b in pairwise(lane))
    busiest = max(sum(b <= begin < e or b == begin for b, e in zip(begins, ends, strict=True)) for begin in begins)
    assert len(lanes) <= busiest
    assert sorted(row for lane in lanes for row in lane) == list(range(len(rows)))


_names = st.lists(st.sampled_from("abcd"), unique=True, max_size=3)


@given(_names, _names, st.data())
def test_inputs_are_found_for_whole_nodes_as_cell_by_cell(
    producer: list[str], consumer: list[str], data: st.DataObject
) -> None:
    """Array arithmetic over axes gives the same last input as asking for each cell's inputs."""
    from flowcore.inspect.timing.readiness import fed

    sizes = {"a": 2, "b": 3, "c": 1, "d": 4}
    spaces = [Space(tuple(Span(name, sizes[name]) for name in names)) for names in (producer, consumer)]
    over = data.draw(st.lists(st.sampled_from(producer or ["a"]), unique=True))
    link = Link(*spaces, over=tuple(over))
    import numpy as np

    ended = np.array(data.draw(st.lists(st.floats(0, 9), min_size=spaces[0].count, max_size=spaces[0].count)))

    expected = [max(ended[n] for n in link.inputs(m).numbers) for m in range(spaces[1].count)]

    assert expected == fed(ended, link).tolist()


def test_chrome_trace_has_every_cell_once(tmp_path: Path) -> None:
    """A trace for Perfetto is JSON: lanes as threads, cells as complete events in microseconds, the chain as arrows."""
    recorded(tmp_path, CHAIN).timeline().to_chrome(tmp_path / "trace.json")

    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    cells = {event["args"]["cell"]: (event["ts"], event["dur"]) for event in events if event["ph"] == "X"}

    assert (3.5e6, 4e6) == cells["work[x=2]"]
    assert 5 == len(cells)
    assert ["worker 1", "worker 2"] == [e["args"]["name"] for e in events if e["name"] == "thread_name"]
    assert 2 == sum(event["ph"] == "s" for event in events)


def test_a_live_run_and_its_record_tell_the_same(tmp_path: Path) -> None:
    """What a run tells of itself is what its journal tells to anybody."""
    with fc.Flow("sums") as flow:
        squares = flow.add(pow, fc.each(base=[1, 2, 3]), 2, kind="compute", name="square")
        flow.add(sum, fc.gather(squares), kind="compute", name="total")
    run = flow.run(store=tmp_path, executor="inline", progress=False)

    live, later = run.timeline(), fc.open_run(run.id, tmp_path).timeline()

    assert [(span.cell, span.began, span.seconds) for span in live] == [
        (span.cell, span.began, span.seconds) for span in later
    ]
    assert 4 == len(live)
    assert "total" == run.critical_path()[-1].cell


def test_workers_of_a_run_are_told_apart(tmp_path: Path) -> None:
    """Cells of worker processes say which one; every attempt lies within the run."""
    with fc.Flow("squares") as flow:
        flow.add(pow, fc.each(base=list(range(8))), 2, kind="compute", name="square")
    timeline = flow.run(store=tmp_path, workers=2, progress=False).timeline()

    assert {1, 2} >= set(timeline.attempts.worker.tolist()) > set()
    assert timeline.attempts.begins.min() >= 0.0
    assert timeline.attempts.ends.max() <= timeline.seconds + 1e-3
    assert (ready_of(timeline.attempts, timeline.readiness) == 0.0).all()


def test_a_run_that_was_killed_has_a_timeline(tmp_path: Path) -> None:
    """Without a word about its end, a run's time goes up to the last end of a cell, at least."""
    timeline = recorded(tmp_path, Recording(nodes=[node("a")], ran={0: [(0, 1.0, 2.0, 1)]}, seconds=None)).timeline()

    assert 3.0 <= timeline.seconds


def test_a_run_without_cells_has_an_empty_timeline(tmp_path: Path) -> None:
    """Nothing ran: no lanes, no chain, no waiting, and nothing divided by it."""
    run = recorded(tmp_path, Recording(nodes=[node("a")], seconds=0.0))

    timeline = run.timeline()

    assert ((), 0.0, 0) == (timeline.lanes, timeline.utilisation, len(run.critical_path()))
    assert 0.0 == sum(timeline.waiting.values())
    assert "0 attempts" in str(timeline)
