"""Claims about run/forked.py: a fork of the user's process takes nothing away from it (contract F14, F37)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

DEADLINE = 60.0  # seconds; only turns a hang into a failure

_SCRIPT = """
import gc, json, os, sys
from pathlib import Path
import numpy as np
import flowcore as fc

@fc.compute(cache=False)
def large(n):
    return np.full(100_000, float(n))

@fc.compute(cache=False)
def waits(values, door):
    while not os.path.exists(door):
        pass
    return float(sum(value[-1] for value in values))

def forked(act):
    pid = os.fork()
    if pid == 0:
        act()
        sys.exit(3)  # through all that is done at the end of an interpreter
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def drops():
    global run
    del run
    gc.collect()

def waits_for_it():
    try:
        run.wait()
    except fc.FlowcoreError as error:
        Path("said").write_text(f"{type(error).__name__} {run.status} {run.id in str(error)} {run['large'][1][0]}")
    run.cancel()

flow = fc.Flow("forked")
flow.add(large, fc.each(n=range(3)))
flow.result = flow.add(waits, fc.gather(flow["large"]), "door")
run = flow.start(*flow.nodes, store="store", workers=1, progress=False)
while not run.counts("waits").started:
    run.wait(0.01)
statuses = [forked(waits_for_it), forked(lambda: None), forked(drops)]
Path("door").touch()
run.wait()
statuses += [forked(lambda: None), forked(drops)]
values = [float(run["large"][n][0]) for n in range(3)]
print(json.dumps([statuses, run.status, values, run["waits"], Path("said").read_text()]))
"""


@pytest.mark.contract("F14", "F37", "P6")
def test_a_forked_copy_ends_without_touching_a_run(tmp_path: Path) -> None:
    """It drops live and ended runs, or just exits: its parent's go on, and their values stay; it waits for nothing."""
    (tmp_path / "script.py").write_text(_SCRIPT)
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "script.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip

    assert (0, "") == (done.returncode, done.stderr)
    assert [[3] * 5, "done", [0.0, 1.0, 2.0], 3.0, "RunForked broken True 1.0"] == json.loads(done.stdout)
