"""Claims about progress/tally.py: sums by task, rates of what ran, forecasts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flowcore.events import Cells, NodeDrawn, RunEnded, RunStarted, RunStopping
from flowcore.progress.tally import Row, Tally

COUNTS = st.tuples(*[st.integers(0, 50)] * 5)


def begun(*nodes: NodeDrawn) -> Tally:
    """Give the tally of a run that has begun at 100 s."""
    tally = Tally()
    tally.take(RunStarted(run="r", flow="f", nodes=len(nodes), workers=2), 100.0)
    for node in nodes:
        tally.take(node, 100.0)
    return tally


def only(tally: Tally, now: float) -> Row:
    """Give the only row of a tally."""
    (row,) = tally.board(now).rows
    return row


def test_nodes_of_one_task_are_one_row() -> None:
    """The calls of a loop are not a line each."""
    tally = begun(
        NodeDrawn(node=1, name="sim", kind="compute", cells=2, task="sim"),
        NodeDrawn(node=2, name="sim_2", kind="compute", cells=3, task="sim"),
        NodeDrawn(node=3, name="alone", kind="compute", cells=1, task="other"),
    )

    assert [("sim", 2, 5), ("alone", 1, 1)] == [(row.name, row.nodes, row.cells) for row in tally.board(101.0).rows]


@given(st.lists(st.tuples(st.integers(0, 2), COUNTS), max_size=40))
def test_sums_are_those_of_the_latest_events(events: list[tuple[int, tuple[int, ...]]]) -> None:
    """Whatever came before, a row adds up what each of its nodes was last said to be."""
    tally = begun(*(NodeDrawn(node=n, name=f"n{n}", kind="io", cells=50, task="t") for n in range(3)))
    latest = dict.fromkeys(range(3), (0, 0, 0, 0, 0))
    for node, (started, done, hit, failed, skipped) in events:
        latest[node] = (started, done, hit, failed, skipped)
        tally.take(Cells(node=node, started=started, done=done, hit=hit, failed=failed, skipped=skipped), 101.0)

    row = only(tally, 102.0)
    assert [sum(counts) for counts in zip(*latest.values(), strict=True)] == [
        row.running, row.done, row.hit, row.failed, row.skipped,
    ]  # fmt: skip


def test_a_rate_counts_what_ran() -> None:
    """Ten cells in five seconds are two a second, however many the store answered; sixty left take half a minute."""
    tally = begun(NodeDrawn(node=1, name="sim", kind="compute", cells=170))
    tally.take(Cells(node=1, hit=100, started=2), 100.0)
    tally.take(Cells(node=1, hit=100, done=10, started=2), 105.0)

    row = only(tally, 105.0)
    assert (2.0, 30.0) == (row.rate, row.left)


def test_a_rate_forgets() -> None:
    """After a fast beginning a slow task is forecast as slow."""
    tally = begun(NodeDrawn(node=1, name="sim", kind="compute", cells=1000))
    for second in range(201):
        tally.take(Cells(node=1, started=2, done=min(second, 10) * 10 + max(0, second - 10)), 100.0 + second)

    assert 1.0 == only(tally, 300.0).rate


def test_a_slow_task_keeps_its_rate_between_two_cells() -> None:
    """Cells that take minutes do not make the forecast come and go."""
    tally = begun(NodeDrawn(node=1, name="sim", kind="compute", cells=10))
    tally.take(Cells(node=1, started=1), 100.0)
    tally.take(Cells(node=1, started=1, done=1), 160.0)
    tally.take(Cells(node=1, started=1, done=2), 220.0)

    assert None is not only(tally, 275.0).rate


def test_without_a_cell_there_is_no_forecast() -> None:
    """What has not begun, and what the store answers, says nothing about time."""
    tally = begun(NodeDrawn(node=1, name="sim", kind="compute", cells=10))
    tally.take(Cells(node=1, hit=5), 101.0)

    board = tally.board(110.0)
    assert (None, None, None) == (board.rows[0].rate, board.rows[0].left, board.left)


def test_the_slowest_task_is_the_forecast() -> None:
    """It is sure when every task with cells to come has one."""
    tally = begun(
        NodeDrawn(node=1, name="a", kind="compute", cells=20), NodeDrawn(node=2, name="b", kind="io", cells=110),
        NodeDrawn(node=3, name="c", kind="io", cells=1),
    )  # fmt: skip
    for node in (1, 2):
        tally.take(Cells(node=node, started=1), 100.0)
        tally.take(Cells(node=node, started=1, done=10), 110.0)
    before = tally.board(110.0)
    tally.take(Cells(node=3, hit=1), 110.0)
    after = tally.board(110.0)

    assert (100.0, False) == (before.left, before.sure)
    assert (100.0, True) == (after.left, after.sure)


def test_a_grid_takes_shape() -> None:
    """Cells that are not counted yet leave a row open until they are."""
    tally = begun(NodeDrawn(node=1, name="sim", kind="compute", cells=None))
    before = only(tally, 101.0)
    tally.take(NodeDrawn(node=1, name="sim", kind="compute", cells=7), 101.0)
    after = only(tally, 101.0)

    assert [(0, True), (7, False)] == [(before.cells, before.open), (after.cells, after.open)]


def test_only_work_is_shown() -> None:
    """Parts of values and choices are nothing to wait for."""
    tally = begun(*(NodeDrawn(node=n, name=kind, kind=kind, cells=1) for n, kind in enumerate(("item", "choose"))))
    tally.take(Cells(node=0, done=1), 101.0)

    assert () == tally.board(101.0).rows


def test_the_end_has_the_runs_own_time() -> None:
    """An ended run has a status, its own seconds, and forecasts nothing."""
    tally = begun(NodeDrawn(node=1, name="sim", kind="compute", cells=20))
    tally.take(Cells(node=1, started=1), 100.0)
    tally.take(Cells(node=1, started=1, done=10), 105.0)
    tally.take(RunStopping(run="r"), 105.0)
    stopping = tally.board(105.0)
    tally.take(RunEnded(run="r", status="interrupted", seconds=5.5), 106.0)
    board = tally.board(200.0)

    assert (True, "") == (stopping.stopping, stopping.status)
    assert ("interrupted", 5.5, None) == (board.status, board.seconds, board.left)
