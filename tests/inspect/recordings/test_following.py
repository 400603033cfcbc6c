"""Claims about inspect/recordings/following.py: a journal that grows, ends anywhere, or never ends, as events."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import flowcore as fc
from flowcore.events import Advanced, Cells, Event, NodeDrawn, Printed, RunEnded, RunStarted
from flowcore.inspect.recordings.following import Following
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.store.directory import open_store

PARTS = 40  # lengths to which a journal is cut


@fc.compute
def double(x: int, *, ckpt: fc.Checkpoint = fc.Checkpoint()) -> int:
    """Double in steps, and say so."""
    sys.stdout.write(f"doubled {x}\n")
    s = ckpt.state(x=x)
    for _ in ckpt.steps(1):
        s.x *= 2
    if x == 3:
        raise ValueError(x)
    return s.x


@fc.compute
def total(xs: dict[int, int]) -> int:
    """Sum."""
    return sum(xs.values())


def ran(store: Path) -> str:
    """Make a run with cells that are done, failed and blocked; give its id."""
    with fc.Flow("doubles") as flow:
        total(fc.gather(double(fc.each(x=[1, 2, 3])), labels=True, missing="drop-failed"))
    run = flow.start(store=store, on_error="continue", progress=False)
    with suppress(fc.RunFailed):
        run.wait()
    return run.id


def told(store: Path, run: str) -> list[Event]:
    """Give all events of a run, asking again until it is over."""
    following = Following(Recorded(open_store(store), run))
    events = []
    while not following.over:
        events += following.more()
    return events


def test_a_run_is_told_once_and_in_order(tmp_path: Path) -> None:
    """Start, nodes, cells, output, end; counts are those of the run."""
    run = ran(tmp_path)

    events = told(tmp_path, run)

    kinds = [type(event) for event in events]
    counts = {event.node: (event.done, event.failed, event.started) for event in events if isinstance(event, Cells)}
    assert (RunStarted, RunEnded) == (kinds[0], kinds[-1])
    assert 1 == kinds.count(RunStarted) == kinds.count(RunEnded)
    assert kinds.index(NodeDrawn) < kinds.index(Cells)
    assert {0: (2, 1, 0), 1: (1, 0, 0)} == counts
    assert 3 == sum(isinstance(event, Printed) for event in events)
    assert [] == Following(Recorded(open_store(tmp_path), run)).more()[len(events) :]


def test_a_journal_cut_anywhere_is_told_as_far_as_it_goes(tmp_path: Path) -> None:
    """No node is told of before it is drawn, nothing twice, and nothing raises."""
    run = ran(tmp_path)
    journal = tmp_path / "v1" / "journals" / f"{run}.journal"
    whole = journal.read_bytes()

    for part in range(PARTS):
        journal.write_bytes(whole[: len(whole) * part // PARTS])
        following = Following(Recorded(open_store(tmp_path), run))
        events, again = following.more(), following.more()
        drawn: set[int] = set()
        for event in events:
            if isinstance(event, NodeDrawn):
                drawn.add(event.node)
            assert not isinstance(event, Cells | Advanced) or event.node in drawn
        assert [] == [event for event in again if not isinstance(event, RunEnded)]


def test_what_is_appended_is_told_then(tmp_path: Path) -> None:
    """A journal that grows: the second look tells only what came since."""
    run = ran(tmp_path)
    journal = tmp_path / "v1" / "journals" / f"{run}.journal"
    whole = journal.read_bytes()
    events: list[Event] = []
    journal.write_bytes(whole[: len(whole) // 2])
    recorded = Recorded(open_store(tmp_path), run)
    recorded.catch_up()
    following = Following(recorded)
    with journal.open("ab") as file:
        file.write(whole[len(whole) // 2 :])

    while not following.over:
        events += following.more()

    assert "failed" == recorded.status
    assert 1 == sum(isinstance(event, RunEnded) for event in events)
