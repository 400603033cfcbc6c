"""Claims about riders in whole runs: fewer messages, and nothing else that anybody could tell (contract W5b)."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

import flowcore as fc
from flowcore.run import pool
from flowcore.run.executors.processes import ProcessExecutor
from flowcore.run.job import Job
from flowcore.run.workers.parcels import Pace
from tests.ahead import Ahead
from tests.drawings import Model, Step, drawn
from tests.halting import until_stopping
from tests.oracle import agrees, lines, run
from tests.programs import programs

FEW = settings(max_examples=12, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
LOG = "FLOWCORE_TEST_RIDERS"


@pytest.fixture
def forced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let as many ride as there are, from the first message on, whatever cells cost."""
    monkeypatch.setattr(Pace, "fit", lambda self, task: 4096)


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Give the cells, and the riders among them, of each message that a run sends."""
    sent: list[tuple[int, int]] = []
    start = ProcessExecutor.start

    def counted(self: ProcessExecutor, job: Job) -> None:
        sent.append((len(job.every), len(job.every) - job.riders.first if job.riders is not None else 0))
        start(self, job)

    monkeypatch.setattr(ProcessExecutor, "start", counted)
    return sent


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the file to which each execution of a cell adds a line."""
    path = tmp_path / "log"
    monkeypatch.setenv(LOG, str(path))
    return path


def said(log: Path) -> Counter[str]:
    """Count the lines, and empty the file."""
    text = log.read_text() if log.exists() else ""
    log.write_text("")
    return Counter(text.split())


def until_said(run: fc.Run, log: Path, what: str) -> None:
    """Wait until a cell of a run has said something."""
    while not log.exists() or what not in log.read_text().split():
        assert not run.wait(0.01), "the run ended before"


def say(what: object) -> None:
    """Add a line; whoever is killed a moment later has added it."""
    with open(os.environ[LOG], "a") as file:
        file.write(f"{what}\n")


def more(x: int) -> int:
    """Add one."""
    return x + 1


@fc.compute
def half(x: int) -> int:
    """Halve, and say so."""
    say(x)
    return x // 2


@fc.compute
def less(x: int) -> int:
    """Take one off, and say so."""
    say(x)
    return x - 1


@fc.compute
def fragile(x: int) -> int:
    """Kill the process once, in mid-ride."""
    if x == 5 and not os.path.exists(os.environ[LOG] + ".killed"):
        Path(os.environ[LOG] + ".killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    say(x)
    return x - 1


@fc.compute
def poison(x: int) -> int:
    """Refuse one number."""
    say(x)
    if x == 5:
        raise ValueError("five")
    return x - 1


@fc.compute(timeout=100.0)
def slow(x: int) -> int:
    """Hang at one number, and say so."""
    if x == 5:
        say(x)
        signal.pause()
    return x - 1


@fc.compute(cache=False)
def passing(x: int) -> int:
    """Take one off, and keep nothing."""
    return x - 1


def chain(task: fc.Task, start: int, length: int, *others: fc.Task) -> fc.Flow:  # type: ignore[type-arg]
    """Draw a chain of tasks in turn; its nodes are named by their place."""
    flow = fc.Flow("chain")
    x: object = start
    for i in range(length):
        x = flow.add((task, *others)[i % (1 + len(others))], x, name=f"n{i}")
    flow.result = x
    return flow


def go(flow: fc.Flow, store: Path, **options: object) -> fc.Run:
    """Run in two workers, to the end whatever fails."""
    found = flow.start(store=store, workers=2, progress=False, **options)  # type: ignore[arg-type]
    with contextlib.suppress(fc.RunFailed):
        found.wait(60.0)
    return found


@pytest.mark.contract("P1", "P10", "W5b")
@given(steps=programs())
@FEW
def test_any_drawing_gives_with_riders_what_plain_calls_give(counter: Path, steps: list[Step]) -> None:
    """Values, and how often each computation happened, cold and warm."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as store:
        patch.setattr(Pace, "fit", lambda self, task: 4096)
        model = Model(steps)
        model.all()
        flow, refs = drawn(steps)
        lines(counter)
        agrees(steps, refs, model, run(flow, store=store))
        cold = lines(counter)
        agrees(steps, refs, model, run(flow, store=store))

        assert set(model.lines) == set(cold)
        assert model.always == lines(counter)


def test_a_chain_is_a_handful_of_messages(
    store: Path, messages: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one a link: as many links as 20 ms hold, each of which is made to take 0.1 ms."""
    learn = Pace.learn
    monkeypatch.setattr(Pace, "learn", lambda self, task, seconds, cells: learn(self, task, 1e-4 * cells, cells))
    flow = chain(fc.compute(more), 0, 2000)

    assert 2000 == go(flow, store)[flow.result]
    assert 2000 <= sum(cells for cells, _ in messages), "less only if some ran that no message told of"
    assert len(messages) < 60


@pytest.mark.contract("P10")
@pytest.mark.usefixtures("forced")
def test_riders_run_once_and_are_found_again(store: Path, log: Path, messages: list[tuple[int, int]]) -> None:
    """Each cell is executed once, recorded under the key that it has alone, and answered the next time."""
    cold = go(chain(less, 30, 30), store)
    ran = said(log)
    warm = go(chain(less, 30, 30), store)

    assert [0, 0] == [cold["n29"], warm["n29"]]
    assert Counter({str(x): 1 for x in range(1, 31)}) == ran
    assert 29 == max(riders for _, riders in messages), "though the first link is called in another way"
    assert Counter() == said(log)
    assert 30 == sum(warm.counts(f"n{i}").hit for i in range(30))


@pytest.mark.contract("P10", "W5b")
@pytest.mark.usefixtures("forced")
def test_a_hit_among_riders_is_a_hit(store: Path, log: Path) -> None:
    """An older record answers a rider, whose key only its worker could know."""
    go(chain(half, 80, 5), store)  # 80, as a constant, and then 40 20 10 5
    said(log)
    again = go(chain(half, 161, 6), store)  # 161, and then 80 40 20 10 5

    assert 2 == again["n5"]
    assert Counter({"161": 1, "80": 1}) == said(log)
    assert [0, 0, 1, 1, 1, 1] == [again.counts(f"n{i}").hit for i in range(6)]


@pytest.mark.contract("P1", "F34")
@pytest.mark.usefixtures("forced")
def test_changed_code_is_never_answered_by_riders_of_the_old(store: Path) -> None:
    """One code after the other, and the first again."""
    codes = [fc.compute(eval(f"lambda x: x + {n}")) for n in (1, 2, 1)]
    found = [go(chain(code, 0, 6), store) for code in codes]

    assert [6, 12, 6] == [run["n5"] for run in found]
    assert [0, 0, 6] == [sum(run.counts(f"n{i}").hit for i in range(6)) for run in found]


@pytest.mark.contract("K26")
@pytest.mark.usefixtures("forced")
def test_what_is_refreshed_runs_again_whoever_rides(store: Path, log: Path) -> None:
    """A node that is refreshed is judged by the engine; those after it find what they had."""
    go(chain(less, 8, 8), store)
    said(log)
    again = go(chain(less, 8, 8), store, refresh=["n3"])

    assert 0 == again["n7"]
    assert Counter({"5": 1}) == said(log)
    assert 7 == sum(again.counts(f"n{i}").hit for i in range(8))


@pytest.mark.contract("W5b")
@pytest.mark.usefixtures("forced")
def test_nobody_rides_where_a_store_cannot_be_written(store: Path, log: Path, messages: list[tuple[int, int]]) -> None:
    """There is no file to ask for older keys; what may have a record is judged by the engine."""
    go(chain(half, 40, 2), store)
    before = len(messages)
    for path in (store, *store.rglob("*")):
        path.chmod(0o500 if path.is_dir() else 0o400)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flowcore.store.fs.Disk.may_write", _refuse)
        patch.setattr("flowcore.store.directory.write_known", _refuse)
        again = go(chain(half, 83, 6), store)
    for path in (store, *store.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)

    assert 1 == again["n5"]
    assert 0 == sum(riders for _, riders in messages[before:])


def _refuse(*_: object, **__: object) -> None:
    raise OSError(30, "Read-only file system")


@pytest.mark.contract("F4", "F6", "W6")
@pytest.mark.usefixtures("forced")
def test_a_death_in_mid_ride_costs_the_cell_in_hand(store: Path, log: Path) -> None:
    """What rode behind it comes back and waits for it; what had ended unreported goes out again, without blame (W3)."""
    found = go(chain(fragile, 20, 20), store)
    ran = said(log)

    assert 0 == found["n19"]
    assert () == found.failures
    assert {str(x) for x in range(1, 21)} == set(ran)
    assert {1} == {ran[str(x)] for x in range(1, 6)}, "who rode behind runs once"


@pytest.mark.contract("P4")
@pytest.mark.usefixtures("forced")
def test_a_failure_in_mid_ride_is_that_cells(store: Path, log: Path) -> None:
    """It is named; what ran before it stays; what needs it is blocked."""
    found = go(chain(poison, 10, 10), store)

    assert ["n5"] == [failure.cell for failure in found.failures]
    assert 5 == found["n4"]
    assert "5" in said(log)
    assert [1] * 5 + [0] * 5 == [found.counts(f"n{i}").done for i in range(10)]


@pytest.mark.contract("F12")
@pytest.mark.usefixtures("forced")
def test_a_rider_has_its_own_time(store: Path, log: Path) -> None:
    """The one that hangs is ended, and those before it count."""
    with Ahead() as ahead:
        found = chain(slow, 10, 10).start(store=store, workers=2, progress=False)
        until_said(found, log, "5")
        while not found.counts("n4").done:  # what has ended may still wait in the worker for what hangs, for a moment
            assert not found.wait(0.01)
        ahead.put_forward(100.0, found)
        with pytest.raises(fc.RunFailed):
            found.wait(60.0)

    assert ["n5"] == [failure.cell for failure in found.failures]
    assert 5 == found["n4"]


@pytest.mark.contract("P10", "W5b")
@pytest.mark.usefixtures("forced")
def test_tasks_in_turn_are_one_message(store: Path, log: Path, messages: list[tuple[int, int]]) -> None:
    """Riders of another task sit in a wagon; each is recorded under its own key, and judged by it."""
    cold = go(chain(less, 300, 12, half), store)
    ran = said(log)
    sent = list(messages)
    warm = go(chain(less, 300, 12, half), store)
    other = go(chain(half, 598, 8, less), store)  # and then less than 299, half of 298, and what is known

    assert (12, 11) == sent[0], "whoever gets it may have to give it back, and then some of it goes out again"
    assert [3, 3, 35] == [cold["n11"], warm["n11"], other["n7"]]
    assert 12 == sum(ran.values())
    assert 12 == sum(warm.counts(f"n{i}").hit for i in range(12))
    assert Counter({"598": 1, "299": 1, "298": 1}) == said(log)


@pytest.mark.contract("P10", "W5b")
@pytest.mark.usefixtures("forced", "log")
def test_results_that_arrive_together_are_keyed_by_each_other(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Riders of two tasks, each made of what the other one's gave, told of in one message."""
    monkeypatch.setattr(Pace, "timed", lambda self, job: replace(job, seconds=1e-6, wagons=[*map(_short, job.wagons)]))
    go(chain(less, 300, 12, half), store)
    warm = go(chain(less, 300, 12, half), store)

    assert 12 == sum(warm.counts(f"n{i}").hit for i in range(12))


def _short(job: Job) -> Job:
    return replace(job, seconds=1e-6)


@pytest.mark.contract("F4", "F6", "W6")
@pytest.mark.usefixtures("forced")
def test_a_death_in_a_wagon_costs_the_cell_in_hand(store: Path, log: Path, messages: list[tuple[int, int]]) -> None:
    """Of all tasks, who rode behind it comes back and waits for it, and nobody is blamed but it."""
    found = go(chain(less, 20, 20, fragile), store)
    ran = said(log)

    assert 0 == found["n19"]
    assert () == found.failures
    assert (20, 19) == messages[0]
    assert {str(x) for x in range(1, 21)} == set(ran)
    assert {1} == {ran[str(x)] for x in range(1, 6)}, "who rode behind runs once"


@pytest.mark.contract("P4")
@pytest.mark.usefixtures("forced")
def test_a_failure_in_a_wagon_is_that_cells(store: Path, log: Path) -> None:
    """It is named; what ran before it stays, of whatever task; what needs it is blocked."""
    found = go(chain(less, 10, 10, poison), store)

    assert ["n5"] == [failure.cell for failure in found.failures]
    assert 5 == found["n4"]
    assert [1] * 5 + [0] * 5 == [found.counts(f"n{i}").done for i in range(10)]
    assert "5" in said(log)


@pytest.mark.contract("F12")
@pytest.mark.usefixtures("forced", "log")
def test_a_task_with_a_timeout_sits_in_no_wagon(store: Path, messages: list[tuple[int, int]]) -> None:
    """Its message is looked after by its own deadline."""
    found = go(chain(less, 20, 4, slow), store)

    assert () == found.failures
    assert 16 == found["n3"]
    assert [(1, 0)] * 4 == messages


@pytest.mark.usefixtures("forced", "log")
def test_a_higher_priority_goes_before_and_not_beside(store: Path, parts: list[list[tuple[str, int]]]) -> None:
    """Cells of another task that wait come along only if theirs is the same."""
    flow = fc.Flow("two")
    for i in range(40):
        flow.add(less, i, name=f"low{i}")
        flow.add(half.options(priority=1), i, name=f"high{i}")

    go(flow, store)

    assert {1} == {len(message) for message in parts}
    assert ["high"] * 40 == [name[:4] for ((name, cells),) in parts for _ in range(cells)][:40]


@pytest.mark.usefixtures("log")
def test_what_comes_along_is_weighed(
    store: Path, parts: list[list[tuple[str, int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message of few quick cells is not filled with as many slow ones."""
    weights = {"q": 1 / 4096, "s": 0.5}
    monkeypatch.setattr(ProcessExecutor, "weight", lambda self, task: weights[task.name[0]])
    monkeypatch.setattr(ProcessExecutor, "room", lambda self, task, ready: min(ready, int(1 / weights[task.name[0]])))
    flow = fc.Flow("two")
    last: object = 0
    for i in range(20):  # whose way is the longer one
        last = flow.add(less, 1000 + i, name=f"quick{i}")
        flow.add(passing.options(runner="thread"), last, name=f"end{i}")
    for i in range(40):
        flow.add(half, i, name=f"slow{i}")

    go(flow, store)

    assert 2 in {len(message) for message in parts}
    assert max(sum(weights[name[0]] * cells for name, cells in message) for message in parts) <= 1.01


@pytest.mark.contract("F32", "E9")
@pytest.mark.usefixtures("forced")
def test_code_in_a_wagon_that_changed_fails_nobody_else(
    store: Path, parts: list[list[tuple[str, int]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node is named whose code it is, and those that were in its message have their values."""
    for name in ("kept_wagon", "edited_wagon"):
        (tmp_path / f"{name}.py").write_text("def task(x):\n    return x + 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    kept, edited = (fc.compute(importlib.import_module(name).task) for name in ("kept_wagon", "edited_wagon"))
    (tmp_path / "edited_wagon.py").write_text("def task(x):\n    return x + 1000\n")
    pool.shutdown()  # one that has run before is replaced, and the message goes out again in parts

    found = go(chain(kept, 0, 3, edited), store)

    assert ["n0", "n1"] == [name for name, _ in parts[0][:2]]
    assert ["n1"] == [failure.cell for failure in found.failures]
    assert 1 == found["n0"]


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[str, int]]]:
    """Give task and cells of each part of each message that a run sends."""
    sent: list[list[tuple[str, int]]] = []
    start = ProcessExecutor.start

    def noted(self: ProcessExecutor, job: Job) -> None:
        sent.append([(part.task.name, len(part.attempts)) for part in job.parts])
        start(self, job)

    monkeypatch.setattr(ProcessExecutor, "start", noted)
    return sent


@pytest.mark.usefixtures("forced")
def test_a_stencil_whose_row_is_not_worth_sharing_is_one_message(
    store: Path, messages: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the cells at its edge have fewer neighbours, and the first row none: calls of three shapes."""
    monkeypatch.setattr(Pace, "cells", lambda self, task, ready, workers, held=(): ready)
    flow = fc.Flow("stencil")
    row: list[object] = [flow.add(total, [column]) for column in range(4)]
    for _ in range(12):
        row = [flow.add(total, row[max(0, column - 1) : column + 2]) for column in range(4)]
    flow.result = flow.add(total, row)
    expected = [0, 1, 2, 3]
    for _ in range(12):
        expected = [sum(expected[max(0, column - 1) : column + 2]) for column in range(4)]

    assert sum(expected) == go(flow, store)[flow.result]
    assert (53, 49) == messages[0]


@fc.compute
def total(parts: list[int]) -> int:
    """Add up."""
    return sum(parts)


@pytest.mark.usefixtures("forced")
def test_what_is_not_kept_rides_as_well(
    store: Path, messages: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no key to be judged by; it runs each time. Unless some task of this process draws: it might call that."""
    monkeypatch.setattr("flowcore.run.ready.requests.is_asked_for", lambda kind: False)
    found, first = [], []
    for _ in range(2):
        messages.clear()
        found.append(go(chain(passing, 10, 10), store)["n9"])
        first.append(messages[0])

    assert [0, 0] == found
    assert [(10, 9)] * 2 == first


@pytest.mark.usefixtures("forced")
@pytest.mark.parametrize("limit", ["1", "1000/s"])
def test_nobody_rides_who_is_counted(store: Path, messages: list[tuple[int, int]], limit: str) -> None:
    """Where a limit or a rate says how many may begin, each begins by itself."""
    flow = chain(passing.options(limit=int(limit) if limit == "1" else limit), 6, 6)

    found = go(flow, store)["n5"]

    assert 0 == found
    assert [(1, 0)] * 6 == messages


@pytest.mark.contract("P12", "F13")
@pytest.mark.usefixtures("forced")
def test_a_run_that_is_stopped_in_mid_ride_goes_on_from_there(store: Path, log: Path) -> None:
    """What had ended is kept, nothing is done twice."""
    gate = Path(str(log) + ".go")
    os.mkfifo(gate)
    flow = chain(waiting, 10, 10)
    found = flow.start(store=store, workers=1, progress=False)
    until_said(found, log, "5")
    found.cancel()
    until_stopping(found)
    gate.write_bytes(b"on")
    gate.unlink()
    with pytest.raises((fc.RunFailed, fc.ValueLost)):
        found.wait(60.0)
        found["n9"]
    again = go(flow, store)

    assert 0 == again["n9"]
    assert 1 == said(log)["7"]


@fc.compute
def waiting(x: int) -> int:
    """Wait at one number until told to go on, by a fifo that is opened."""
    say(x)
    if x == 5 and os.path.exists(gate := os.environ[LOG] + ".go"):
        Path(gate).read_bytes()
    return x - 1


@fc.compute
def saved(x: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> int:
    """Add up, saving."""
    say("saved")
    s = ckpt.state(x=x)
    for step in ckpt.steps(3):
        s.x += step
    return s.x - 2


@fc.compute(ignore=("folder",))
def written(x: int, folder: str) -> fc.File:
    """Write a number into a file."""
    say("written")
    path = Path(folder) / f"{x}.txt"
    path.write_text(str(x))
    return fc.File(path)


@fc.compute
def read(file: fc.File) -> int:
    """Read it back."""
    say("read")
    return int(Path(file).read_text())


@fc.compute(same=fc.allclose(rtol=1e-6))
def nearly(x: int) -> float:
    """Give what is not the same to the bit in each process."""
    say("nearly")
    return x + 1e-12 * os.getpid()


@fc.compute
def grows(x: int) -> int | fc.Flow:
    """Return a flow of two nodes."""
    say("grows")
    with fc.Flow("grown") as flow:
        flow.result = less(less(x))
    return flow


@fc.compute
def listed(x: float) -> list[int]:
    """Give a list."""
    say("listed")
    return [round(x)]


@fc.compute
def spoils(values: list[int]) -> int:
    """Write into what came, and tell what it was."""
    say("spoils")
    return values.pop()


def mixture(folder: Path) -> fc.Flow:
    """Draw a chain of every kind of maker: states, files, tolerances, flows, and lists that others write into."""
    with fc.Flow("mixture") as flow:
        for start in (20, 30):
            x = less(saved(less(start)))
            x = spoils(listed(nearly(less(read(written(less(x), str(folder)))))))
            values = listed(less(less(grows(less(x)))))
            for _ in range(2):
                less(spoils(values))
    return flow


@pytest.mark.contract("P1", "P10", "W5b", "K30")
@pytest.mark.usefixtures("forced")
def test_makers_of_every_kind_are_ridden_on_or_waited_for(store: Path, tmp_path: Path, log: Path) -> None:
    """States, files, tolerances, growth and lists that are written into: values as without riders, and all is kept."""
    runs = [go(mixture(tmp_path), store) for _ in range(2)]
    executed = said(log)
    third = go(mixture(tmp_path), store)

    assert executed
    assert Counter() == said(log)
    assert [[11, 11, 21, 21]] * 3 == [[run[f"less_{n}"] for n in (8, 9, 17, 18)] for run in (*runs, third)]


@fc.compute
def odd(x: int) -> bool:
    """Tell whether a number is odd."""
    say("odd")
    return x % 2 == 1


def branching() -> tuple[fc.Flow, list[int]]:
    """Draw lines of choices between two tasks, each before a cell that draws; give what they come to."""
    expected, ends = [], []
    with fc.Flow("branching") as flow:
        for start in (20, 31, 44):
            x, value = less(start), start - 1
            for _ in range(3):
                x = less(grows(fc.choose(odd(x), less(less(x)), half(x))))
                value = (value - 2 if value % 2 else value // 2) - 3
            ends.append(x)
            expected.append(value)
        flow.result = ends
    return flow, expected


@pytest.mark.contract("P1", "P10", "W5b", "K30")
@pytest.mark.usefixtures("forced")
def test_choices_and_cells_that_draw_beside_riders(store: Path, log: Path, messages: list[tuple[int, int]]) -> None:
    """Branches and what was drawn ride with cells of other tasks; what no choice falls on does not run; all is kept."""
    flow, expected = branching()
    cold = go(flow, store)
    ran = said(log)
    again, _ = branching()
    warm = go(again, store)

    assert any(riders for _, riders in messages)
    assert expected == [cold[end] for end in flow.result] == [warm[end] for end in again.result]
    assert {"odd": 9, "grows": 9} == {name: ran[name] for name in ("odd", "grows")}
    assert Counter() == said(log)


@fc.compute
def summed(values: list[int], step: int) -> int:
    """Add up."""
    say(f"summed{step}")
    return sum(values) % 1009 + step


@fc.compute
def largest(values: list[int], step: int) -> int:
    """Give the largest."""
    say(f"largest{step}")
    return max(values) + step


def rows(width: int, steps: int) -> fc.Flow:
    """Draw rows of cells of two tasks in turn, each of its neighbours in the row before."""
    with fc.Flow("rows") as flow:
        row = [less(10 * column) for column in range(width)]
        for step in range(steps):
            near = [row[max(0, column - 1) : column + 2] for column in range(width)]
            row = [(largest if (step + c) % 3 else summed)(near[c], 100 * step + c) for c in range(width)]
        flow.result = row
    return flow


@pytest.mark.contract("P1", "P10", "J8", "W5b")
@pytest.mark.usefixtures("forced")
def test_two_runs_at_once_share_a_store_and_their_riders_keep_the_same(store: Path, log: Path) -> None:
    """A cell runs at most once in each; both give what one gives; and what is kept answers all of a third."""
    flows = [rows(5, 12) for _ in range(4)]
    live = [flow.start(store=store, workers=2, progress=False) for flow in flows[:2]]
    for one in live:
        one.wait(60.0)
    ran = said(log)
    third = go(flows[2], store)
    ran_then = said(log)
    alone = go(flows[3], store.with_name("alone"))
    found = [[one[end] for end in flow.result] for one, flow in zip((*live, third, alone), flows, strict=True)]

    assert [found[3]] * 3 == found[:3]
    assert {1, 2} >= set(ran.values())
    assert Counter() == ran_then
