"""The same small job that was done with the peers (design, section 5), as an acceptance test.

Four files, cleaned, simulated for five values each, reduced and saved. Every real
execution adds a line to a counter file. One cell of twenty fails; its cause is mended;
then the code is edited, reverted and edited in a helper, and a file of the store is
truncated. What runs each time is exactly what has to.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

JOB = """
import numpy as np
import flowcore as fc
from counting import count

def grow(z, rate):
    return z + rate * np.roll(z, 1)

@fc.io(cache=True)
def load(path: str):
    return count("load", np.load(path))

@fc.compute
def clean(raw):
    return count("clean", np.nan_to_num(raw))

@fc.compute
def simulate(dem, rate: float):
    return count("simulate", grow(dem, rate))

@fc.compute
def reduce(lands: list):
    return count("reduce", np.array([land.mean() for land in lands]))

with fc.Flow("job") as flow:
    lands = simulate(clean(load(fc.each(path=["a.npy", "b.npy", "c.npy", "d.npy"]))), fc.each(rate=[1, 2, 3, 4, 5]))
    fc.io(np.save)("table.npy", reduce(fc.gather(lands)))
flow.run(on_error="continue")
"""

COUNTING = '''
"""Counts real executions; while there is a file called `broken`, one cell of twenty fails."""

import os

def count(name, value):
    if name == "simulate" and value.max() == 18.0 and os.path.exists("broken"):
        raise FloatingPointError("the solution diverged")
    with open("counter", "a") as counter:
        counter.write(name + "\\n")
    return value
'''  # only c.npy (3.0) at rate 5 gives 18.0

EDITED = ("grow(dem, rate))", "grow(dem, rate) + 1.0)")
HELPER = ("rate * np.roll(z, 1)", "2 * rate * np.roll(z, 1)")
FIRST = [(1 + rate) * z for z in (1.0, 2.0, 3.0, 4.0) for rate in (1, 2, 3, 4, 5)]


@dataclass
class Job:
    """The script in a directory of its own."""

    place: Path

    def write(self, *edits: tuple[str, str]) -> None:
        """Write the script, with its text changed."""
        text = JOB
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        (self.place / "job.py").write_text(text)

    def run(self) -> tuple[dict[str, int], subprocess.CompletedProcess[str]]:
        """Run the script; give what was executed, and the process."""
        counter = self.place / "counter"
        counter.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, "-B", "job.py"], cwd=self.place, capture_output=True, text=True, timeout=100, check=False,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "FLOWCORE_PROGRESS": "no"},
        )  # fmt: skip
        return dict(Counter(counter.read_text().split())) if counter.exists() else {}, done

    def table(self) -> list[float]:
        """Give what was saved."""
        found: list[float] = np.load(self.place / "table.npy").tolist()
        return found


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Give the job with its four files, and a cause of failure."""
    for value, name in enumerate("abcd", start=1):
        np.save(tmp_path / f"{name}.npy", np.full((64, 64), float(value)))
    (tmp_path / "counting.py").write_text(COUNTING)
    (tmp_path / "broken").touch()
    made = Job(tmp_path)
    made.write()
    return made


def test_the_script_is_short() -> None:
    """At most 21 lines with the bodies of its tasks, laid out as anybody would."""
    assert len([line for line in JOB.splitlines() if line.strip()]) <= 21


@pytest.mark.contract("P10")
def test_the_small_job(job: Job) -> None:
    """Each column of the comparison has its ideal number; the failure is told in twenty lines."""
    ran, failed = job.run()

    assert {"load": 4, "clean": 4, "simulate": 19} == ran
    assert 1 == failed.returncode
    report = failed.stderr
    assert "simulate[path='c.npy', rate=5]" in report
    assert "FloatingPointError: the solution diverged" in report
    assert len(report.splitlines()) <= 20, report
    assert len(report.encode()) <= 1600, report

    (job.place / "broken").unlink()
    ran, done = job.run()

    assert (0, {"simulate": 1, "reduce": 1}) == (done.returncode, ran), done.stderr
    assert FIRST == job.table()

    ran, done = job.run()
    assert {} == ran, "nothing changed"

    job.write(EDITED)
    ran, done = job.run()
    assert {"simulate": 20, "reduce": 1} == ran, "an edited body"
    assert [value + 1.0 for value in FIRST] == job.table()

    job.write()
    ran, done = job.run()
    assert {} == ran, "a revert is free"
    assert FIRST == job.table()

    job.write(HELPER)
    ran, done = job.run()
    assert {"simulate": 20, "reduce": 1} == ran, "an edited helper"
    assert [2 * value - z for value, z in zip(FIRST, np.repeat([1.0, 2.0, 3.0, 4.0], 5), strict=True)] == job.table()


@pytest.mark.contract("F22")
def test_a_truncated_file_costs_one_cell(job: Job) -> None:
    """The cell whose file was cut short runs again, a warning says so, and its consumers need not."""
    (job.place / "broken").unlink()
    job.run()
    blobs = sorted((job.place / ".flowcore").glob("v1/arrays/*/*.npy"))
    made = next(path for path in blobs if np.load(path).flat[0] == 24.0)  # d.npy at rate 5: no other value is like it
    made.chmod(0o600)
    os.truncate(made, made.stat().st_size // 2)
    ran, done = job.run()

    assert {"simulate": 1} == ran
    assert 0 == done.returncode
    assert "DamagedEntry" in done.stderr
    assert FIRST == job.table()
