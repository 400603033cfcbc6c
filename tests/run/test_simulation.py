"""Claims about cells with a checkpoint: what they go on from, and that nobody can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from tests.run import simulations
from tests.run.simulations import adaptive, equal, lengthened, steps_of, walk


def give(store: Path, task: Any, *args: Any, runner: str = "process", **options: Any) -> Any:
    """Run one task, and give its value."""
    with fc.Flow("simulation") as flow:
        flow.result = task.options(runner=runner)(*args)
    return flow.run(store=store, progress=False, workers=1, **options)[flow.result]


def files(store: Path) -> list[str]:
    """Name the saved states and series of a store."""
    return sorted(path.name for path in (store / "v1" / "checkpoints").glob("*/*"))


@pytest.mark.contract("P7", "F4", "C6")
def test_a_retry_goes_on_from_the_last_state(store: Path, tmp_path: Path) -> None:
    """A worker that is killed costs the steps since the last save, and no bit of the answer."""
    whole = give(tmp_path / "whole", walk, 9, 1.0, str(tmp_path / "whole.log"))

    torn = give(store, walk, 9, 1.0, str(tmp_path / "torn.log"), 6, (3, 4))

    assert equal(whole, torn)
    assert [0, 1, 2, 3, 4, 5, 6, 5, 6, 7, 8] == steps_of(tmp_path / "torn.log")
    assert [] == files(store)  # the result is on the medium, and the states are gone


@pytest.mark.contract("P7")
@pytest.mark.parametrize("runner", ["thread", "inline"])
def test_every_runner_saves(store: Path, tmp_path: Path, runner: str) -> None:
    """What a failing attempt saved in this process, the next one goes on from."""
    log = tmp_path / "steps.log"

    @fc.compute(retries=1, ignore=("log",))
    def halting(n: int, log: str, ckpt: fc.Checkpoint = fc.Checkpoint()) -> int:
        s = ckpt.state(total=0)
        for step in ckpt.steps(n):
            simulations.step_of(log, step)
            s.total += step
            ckpt.save()
            if len(steps_of(Path(log))) == 4:
                raise ValueError("no")
        total: int = s.total
        return total

    assert sum(range(6)) == give(store, halting, 6, str(log), runner=runner)
    assert [0, 1, 2, 3, 3, 4, 5] == steps_of(log)


@pytest.mark.contract("K24")
def test_a_longer_simulation_goes_on_from_the_end_of_a_shorter_one(store: Path, tmp_path: Path) -> None:
    """From 500 steps to 1000 exactly 500 are executed; values and series are those of one go."""
    log = tmp_path / "steps.log"
    give(store, lengthened, 500, 1, str(log))
    first = len(steps_of(log))

    total, series = give(store, lengthened, 1000, 1, str(log))

    expected = 1
    sums = [expected := expected + step * step for step in range(1000)]
    assert 500 == first
    assert list(range(500, 1000)) == steps_of(log)[first:]
    assert (sums[-1], sums) == (total, series.tolist())


@pytest.mark.contract("K24")
def test_a_shorter_simulation_goes_on_from_the_nearest_state_before(store: Path, tmp_path: Path) -> None:
    """To 350 from states kept every 100 steps: 50 are executed; to 300: none; and the furthest end stays."""
    log = tmp_path / "steps.log"
    give(store, lengthened, 1000, 1, str(log))
    executed = []
    for n in (350, 300, 1002):
        before = len(steps_of(log))
        total, series = give(store, lengthened, n, 1, str(log))
        executed.append(steps_of(log)[before:])
        assert (1 + sum(step * step for step in range(n)), n) == (total, len(series))

    assert [list(range(300, 350)), [], [1000, 1001]] == executed


@pytest.mark.contract("K24")
def test_another_argument_is_another_simulation(store: Path, tmp_path: Path) -> None:
    """Only what lengthens is left out of a checkpoint's key."""
    log = tmp_path / "steps.log"
    give(store, lengthened, 5, 1, str(log))

    total, _ = give(store, lengthened, 5, 2, str(log))

    assert 2 + sum(step * step for step in range(5)) == total
    assert [*range(5), *range(5)] == steps_of(log)


@pytest.mark.contract("K24")
def test_a_loop_of_unknown_length_is_lengthened_too(store: Path, tmp_path: Path) -> None:
    """With a condition in place of a count, a shorter one never gives what a longer one has come to."""
    log, other = tmp_path / "steps.log", tmp_path / "other.log"
    answers = [give(store, adaptive, until, str(log)) for until in (10.0, 30.0, 5.0)]

    assert [give(tmp_path / "fresh", adaptive, until, str(other)) for until in (10.0, 30.0, 5.0)] == answers


@pytest.mark.contract("F34", "E12", "C1")
def test_a_state_of_other_code_is_left_alone(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an edit the cell starts at step 0, and says why; after the edit is undone it goes on."""
    log = tmp_path / "steps.log"

    def attempt(dies: int) -> Any:
        return give(store, walk, 8, 0.0, str(log), dies, (4,), runner="inline")

    def fail(log: str, step: int, *, dies: int = -1) -> None:
        with simulations.Path(log).open("a") as file:
            file.write(f"{step}\n")
        if step == dies:
            raise KeyError(step)

    monkeypatch.setattr(simulations, "step_of", fail)
    with pytest.raises(fc.RunFailed):
        attempt(6)
    monkeypatch.setattr(simulations, "DT", 0.25)
    with pytest.warns(fc.ResumeMismatch) as told, pytest.raises(fc.RunFailed):
        attempt(2)
    monkeypatch.setattr(simulations, "DT", 0.5)
    attempt(-1)

    assert [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 5, 6, 7] == steps_of(log)
    (mismatch,) = [w.message for w in told if isinstance(w.message, fc.ResumeMismatch)]
    assert (5, ("global DT 0.5 -> 0.25",)) == (mismatch.step, mismatch.differs)


def test_a_plain_call_has_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a run a checkpoint is an ordinary loop, and each call has its own."""
    monkeypatch.chdir(tmp_path)
    one, other = lengthened(4, 1, "log"), lengthened(4, 1, "log")

    assert (15, [1, 2, 6, 15]) == (one[0], one[1].tolist())
    assert (15, [1, 2, 6, 15]) == (other[0], other[1].tolist())
    assert ["log"] == [path.name for path in tmp_path.iterdir()]


@fc.compute(ignore=("log", "dies"))
def framed(n: int, log: str, dies: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> Any:
    """Add frames before, in, between and behind two loops."""
    s = ckpt.state(x=0)
    ckpt.append(x=-1)
    for step in ckpt.steps(n):
        simulations.step_of(log, step, dies=dies)
        s.x += 1
        ckpt.append(x=s.x)
        ckpt.save()
    ckpt.append(x=-2)
    for step in ckpt.steps(n):
        simulations.step_of(log, 10 + step, dies=dies)
        s.x += 10
        ckpt.append(x=s.x)
        ckpt.save()
    ckpt.append(x=-3)
    return ckpt.series("x")


@pytest.mark.contract("P7", "F23")
@pytest.mark.parametrize("dies", [0, 1, 2, 10, 12])
def test_frames_outside_of_loops_are_added_once(store: Path, tmp_path: Path, dies: int) -> None:
    """What comes before a loop is executed again, and what it appends is not appended again."""
    series = give(store, framed, 3, str(tmp_path / "log"), dies)

    assert [-1, 1, 2, 3, -2, 13, 23, 33, -3] == series.tolist()


@fc.compute(extend="n", runner="inline")
def noisy(n: int, ckpt: fc.Checkpoint = fc.Checkpoint(), rng: np.random.Generator = fc.rng()) -> Any:
    """Walk at random, spawning a stream now and then."""
    s = ckpt.state(z=np.zeros(4))
    ckpt.append(z=s.z)
    for step in ckpt.steps(n):
        s.z = s.z + rng.normal(size=4)
        if step % 3 == 1:
            s.z = s.z + rng.spawn(1)[0].normal(size=4)
        ckpt.append(z=s.z)
    return s.z, ckpt.series("z")


@pytest.mark.contract("K24", "K21")
def test_a_lengthened_random_walk_is_that_of_one_go(store: Path, tmp_path: Path) -> None:
    """Streams, and those spawned from them, do not depend on how often a simulation was lengthened, or cut short."""
    asked = (5, 9, 14, 7)
    lengthened_ones = [give(store, noisy, n, runner="inline") for n in asked]
    fresh = [give(tmp_path / f"fresh{n}", noisy, n, runner="inline") for n in asked]

    assert [True] * 4 == [equal(one, other) for one, other in zip(lengthened_ones, fresh, strict=True)]


@fc.compute(ignore=("log", "dies"))
def drawing(
    n: int, log: str, dies: int, ckpt: fc.Checkpoint = fc.Checkpoint(), rng: np.random.Generator = fc.rng()
) -> Any:
    """Draw before, in, between and behind two loops."""
    before = rng.normal()
    s = ckpt.state(x=0.0)
    more = rng.spawn(1)[0].normal()
    for step in ckpt.steps(n):
        simulations.step_of(log, step, dies=dies)
        s.x += before * rng.normal() + more
        ckpt.save()
    between = rng.normal()
    for step in ckpt.steps(n):
        simulations.step_of(log, 10 + step, dies=dies)
        s.x += between * rng.normal()
        ckpt.save()
    return s.x, rng.normal()


@pytest.mark.contract("P7", "K21")
@pytest.mark.parametrize("dies", [0, 2, 10, 12])
def test_what_is_drawn_outside_of_loops_is_drawn_again(store: Path, tmp_path: Path, dies: int) -> None:
    """Streams stand where they stood: before a loop, in it, and between it and the next."""
    whole = give(tmp_path / "whole", drawing, 3, str(tmp_path / "whole.log"), -1)

    assert whole == give(store, drawing, 3, str(tmp_path / "log"), dies)


@pytest.mark.contract("K24", "C7")
def test_simulations_of_one_key_at_once_are_all_right(store: Path, tmp_path: Path) -> None:
    """Cells that differ in their length alone share their states, in several processes, and each has its own value."""
    lengths = [40, 350, 220, 400, 130]
    with fc.Flow("lengths") as flow:
        flow.result = lengthened(fc.each(n=lengths), 1, str(tmp_path / "log"))
    found = flow.run(store=store, progress=False, workers=3)[flow.result]

    expected = {n: 1 + sum(step * step for step in range(n)) for n in lengths}
    assert expected == {n: found[n][0] for n in lengths}
    assert expected == {n: int(found[n][1][-1]) for n in lengths}
    assert {n: n for n in lengths} == {n: len(found[n][1]) for n in lengths}


@fc.compute(ignore=("log", "dies"))
def reworked(n: int, log: str, dies: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> Any:
    """Change the state before, between and behind loops, the first of which is left early."""
    s = ckpt.state(x=np.zeros(SIZE), seen=[])
    s.x += 5
    held = s.x
    s.seen.append("begun")
    for step in ckpt.steps(n):
        simulations.step_of(log, step, dies=dies)
        held[:] = held * 2
        ckpt.save()
        if step == 2:
            break
    s.x = s.x * 3
    for step in ckpt.steps(n):
        simulations.step_of(log, 10 + step, dies=dies)
        s.x = s.x + step
        ckpt.save()
    s.x = s.x - 1
    return s.x, s.seen


SIZE = 3000


@pytest.mark.contract("P7")
@pytest.mark.parametrize("dies", [0, 1, 2, 10, 12, 14])
def test_what_comes_before_a_loop_changes_the_state_once(store: Path, tmp_path: Path, dies: int) -> None:
    """It is executed again, and the state is what was saved when the loop begins; a loop left early counts as done."""
    x, seen = give(store, reworked, 5, str(tmp_path / "log"), dies)

    assert ([129.0], ["begun"]) == (np.unique(x).tolist(), seen)


@fc.compute(ignore=("log", "dies"))
def careful(n: int, log: str, dies: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> Any:
    """Go back to the last state with a smaller step when a step fails."""
    s = ckpt.state(t=0.0, dt=1.0)
    while True:
        try:
            for step in ckpt.steps(n):
                simulations.step_of(log, step, dies=dies)
                if step == 5 and s.dt == 1.0:
                    raise FloatingPointError("too large")
                s.t += s.dt
                if step in (3, 6):
                    ckpt.save()
            break
        except FloatingPointError:
            ckpt.restore()
            s.dt = 0.5
    return s.t


@pytest.mark.contract("P7")
@pytest.mark.parametrize("dies", [-1, 4, 6, 7])
def test_a_loop_that_failed_goes_on_from_what_was_restored(store: Path, tmp_path: Path, dies: int) -> None:
    """After ckpt.restore() outside of the loop it is entered at the step of the state, killed in between or not."""
    log = tmp_path / "log"

    assert 4 + 0.5 * 6 == give(store, careful, 10, str(log), dies)
    assert 0 == steps_of(log)[0]
    assert 0 not in steps_of(log)[1:]
