"""Claims about run/pilots/legacy.py: a driver that was killed costs no cell that a pilot has finished, or is at."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flowcore.run.pilots.box import Box
from tests.run.pilots.hands import aboard, box_at, lives, python, until, worker
from tests.run.pilots.works import executed, gated, processes, summed

CELLS = 6
TOTAL = 3000.0 * sum(x * x for x in range(CELLS))


@contextmanager
def driver(store: Path, folder: Path, cells: int = CELLS) -> Iterator[subprocess.Popen[str]]:
    """Start a driver in a process of its own."""
    with python("tests.run.pilots.works", store, folder, str(cells)) as process:
        yield process


def count(box: Box) -> tuple[int, int, int]:
    """Count the messages that wait, those that were taken, and the answers that nobody has read."""
    taken = sum(len(box.taken(pilot)) for pilot in box.holders())
    return len(box.jobs()), taken, sum(len(box.answers(run)) for run in box.runs())


def leave_behind(box: Box, store: Path, folder: Path) -> None:
    """Have a driver killed that has left one answer unread, two messages with the pilot, and one that waits."""
    with driver(store, folder) as first:
        until(lambda: len(executed(folder)) == 2, "two cells begin")
        until(lambda: count(box)[:2] == (2, 2), "two more wait")
        first.send_signal(signal.SIGSTOP)
        (folder / f"go {executed(folder)[0]}").touch()
        until(lambda: count(box) == (1, 2, 1), f"one is answered: {count(box)}")
        until(lambda: len(executed(folder)) == 3, "a third begins")
        first.kill()
        first.send_signal(signal.SIGCONT)
        first.wait()


@pytest.mark.contract("P1", "F12")
def test_what_a_killed_driver_left_is_taken_over(store: Path, tmp_path: Path) -> None:
    """Answered, taken or waiting: each cell is carried out once in all."""
    box = box_at(store)
    with worker(store, 2):
        leave_behind(box, store, tmp_path)
        with driver(store, tmp_path) as second:
            until(lambda: len(box.runs()) == 2, "the second run has looked at what there is")
            (tmp_path / "go").touch()
            said, errors = second.communicate()

    assert f"{TOTAL}\n" == said, errors
    assert list(range(CELLS)) == sorted(executed(tmp_path))


@pytest.mark.contract("P1", "F2")
def test_what_a_killed_pilot_had_for_a_killed_driver_is_done_anew(store: Path, tmp_path: Path) -> None:
    """What was answered is used all the same."""
    box = box_at(store)
    with worker(store, 2) as pilot:
        leave_behind(box, store, tmp_path)
        pilot.kill()
        until(lambda: not any(map(lives, processes(tmp_path))), "the workers end")
    answered = executed(tmp_path)[0]
    (tmp_path / "go").touch()
    with aboard(box, workers=2):
        flow = summed(gated, CELLS, tmp_path)
        value = flow.run(store=store, executor="pilots", progress=False)[flow.result]
    began = executed(tmp_path)

    assert (TOTAL, set(range(CELLS))) == (value, set(began))
    assert (1, 2) == (began.count(answered), max(map(began.count, began)))


def test_what_was_left_is_not_used_for_what_is_to_be_fresh(store: Path, tmp_path: Path) -> None:
    """As with the store itself: `refresh=` asks for new values."""
    box = box_at(store)
    with worker(store, 2):
        leave_behind(box, store, tmp_path)
        (tmp_path / "go").touch()
        until(lambda: count(box)[:2] == (0, 0), "the pilot has answered all there is")
        flow = summed(gated, CELLS, tmp_path)
        value = flow.run(store=store, executor="pilots", refresh=True, progress=False)[flow.result]

    assert (TOTAL, [2, 2, 2, 2, 1, 1]) == (value, sorted(map(executed(tmp_path).count, range(CELLS)), reverse=True))


def test_an_answer_whose_array_is_gone_is_of_no_use(store: Path, tmp_path: Path) -> None:
    """Its cell is carried out again; the others are not."""
    box = box_at(store)
    with worker(store, 2):
        leave_behind(box, store, tmp_path)
        (tmp_path / "go").touch()
        until(lambda: count(box)[:2] == (0, 0), "the pilot has answered all there is")
        ours = executed(tmp_path)[0]
        for path in (store / "v1" / "arrays").rglob("*.npy"):
            path.unlink()
        flow = summed(gated, CELLS, tmp_path)
        value = flow.run(store=store, executor="pilots", progress=False)[flow.result]

    assert (TOTAL, 2) == (value, executed(tmp_path).count(ours))
