"""Simulations that are killed: at every call of a save, at random steps, alone and as a group, and by a signal."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.longruns import NAP, VARIABLE, steps_in
from tests.faults.operations import in_memory

ROOT = Path(__file__).parents[2]
DEADLINE = 120.0  # seconds; only turns a hang into a failure
STEPS = 12
KILLS = 4  # of one simulation, one after the other


def savings(ways: str, sabotage: str = "") -> dict[str, Any]:
    """Enumerate the deaths in a save; give how many there were, and what came out wrong."""
    with in_memory() as folder:
        line = [sys.executable, "-m", "tests.faults.savings", str(folder), ways, sabotage]
        done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=ROOT)
    assert 0 == done.returncode, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.contract("P7", "F2", "F34", "C2", "C3")
@pytest.mark.parametrize(
    ("ways", "least"), [("after", 60), pytest.param("before,half", 120, marks=pytest.mark.slow)]
)  # fmt: skip
def test_a_death_at_any_call_of_a_save_costs_no_bit(ways: str, least: int) -> None:
    """The next run goes on from the state before or the state that was being saved, and comes to the same bits."""
    found = savings(ways)

    assert [] == found["wrong"]
    assert found["died"] >= least


def simulate(folder: Path, workers: int, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run four walks in a process of its own, which leads a session."""
    line = [sys.executable, "-m", "tests.faults.scripts.simulate", str(folder / "store"), str(folder / "log")]
    return subprocess.run(
        [*line, str(workers), str(STEPS)], capture_output=True, text=True, check=False, cwd=ROOT, timeout=DEADLINE,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables}, start_new_session=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the digests of walks that nobody interrupts."""
    done = simulate(tmp_path_factory.mktemp("whole"), 2)
    assert 0 == done.returncode, done.stderr
    return done.stdout


@pytest.mark.contract("P7", "F1", "F34")
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 16))])
@pytest.mark.parametrize("workers", [1, 4])
def test_kills_at_random_steps_cost_no_bit(workers: int, seed: int, tmp_path: Path, whole: str) -> None:
    """The engine alone, its group, a worker: whoever is killed, arrays, series and random numbers are the same."""
    draw = random.Random(f"{seed} {workers}")
    codes = []
    for kill in range(KILLS):
        what = draw.choice(["main", "group", "worker"])
        cell, step = (0 if workers == 1 else draw.randrange(4)), draw.randrange(3 * kill, 3 * kill + 3)
        wanted = f"{what} {cell} {step} {tmp_path / f'kill{kill}'}"
        codes.append(simulate(tmp_path, workers, **{VARIABLE: wanted}).returncode)
        if codes[-1] == 0:  # a dead worker is replaced, and its cell goes on in the same run
            break

    last = simulate(tmp_path, workers)

    assert 0 == last.returncode, last.stderr
    assert whole == last.stdout
    assert {0, -signal.SIGKILL} >= set(codes)


@pytest.mark.contract("P12", "F13", "W10")
def test_a_terminated_run_goes_on_with_all_its_cells(tmp_path: Path) -> None:
    """SIGTERM ends three long cells at their next steps, with exit code 3; the next run executes only what is left."""
    log = tmp_path / "log"
    line = [sys.executable, "-m", "flowcore", "run", "tests/faults/longruns.py:wanders", "--n", "300", "--cells", "3"]
    line += ["--log", str(log), "--store", str(tmp_path / "store"), "-w", "3", "-q"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        line, cwd=ROOT, env={**environment, NAP: "0.05"}, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        while len({cell for cell, step in steps_in(log) if step > 3}) < 3:
            assert run.poll() is None
        run.send_signal(signal.SIGTERM)
        _, told = run.communicate(timeout=DEADLINE)
    first = steps_in(log)

    again = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, check=False, timeout=DEADLINE)

    assert (3, 0) == (run.returncode, again.returncode)
    assert "Go on with: flowcore run" in told
    assert len(first) < 3 * 300
    for cell in range(3):  # no step twice: each loop saved after the last one that it took
        assert list(range(300)) == [step for which, step in steps_in(log) if which == cell]
