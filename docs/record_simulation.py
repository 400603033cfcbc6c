"""Records docs/simulations.md: a page on long simulations, with the terminal before a kill and after it.

``python docs/record_simulation.py`` writes the page; `tests/test_simulation_page.py` holds
its program and its order of events.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from record_terminal import HERE, Terminal, tidy

PROGRAM = HERE / "recorded" / "erosion.py"
RECORDED = "<!-- not run: a recorded screen; tests/test_simulation_page.py checks the order of its events -->"
TITLE = "# Long simulations"
ABOVE = """
A task that asks for `fc.Checkpoint()` can be killed at any step, and loses nothing that matters:

<!-- not run: it is part of docs/recorded/erosion.py, which the tests run -->
```python
{task}
```

- Only what is in `ckpt.state(...)` is saved, with the random generator and the series: every 30 seconds at most, in
  under 1 % of the time, atomically and on the medium, in two generations. A variable that changes in the loop and
  is not in the state is an error while drawing (`fc.UnsavedState`), unless `ckpt.steps(n, unsaved=("fig",))`
  permits it; `fc.testing.check_resume(task, *args, at=(1, 7))` finds what a called function hides.
- Ctrl-C, SIGTERM, SIGUSR1, `run.cancel()` and a walltime (`flowcore run --walltime 2h`, `FLOWCORE_WALLTIME`, or
  Slurm's end of the job) save at the next step; the cell is interrupted, not failed, and running again goes on.
  `kill -9` costs the steps since the last save. The answer is the same to the bit.
- A state belongs to the cell's key: other code or arguments never pick it up. `fc.ResumeMismatch` tells what
  differs; `flowcore run --adopt` goes on from it all the same, `--discard` removes it.
- With `extend="years"`, 1000 years go on from the end of 500; fewer start from the nearest state before (`keep=100`
  keeps every hundredth).
- `ckpt.append` grows a series on disk, `ckpt.series("mean")` is it as a mapped array, and `run.peek(cell, "mean")`
  reads what is committed while the cell runs. `ckpt.while_(lambda: s.t < end)` loops without a count; `ckpt.save()`
  and `ckpt.restore()` save and go back by hand.
"""
BELOW = """
The simulations in `examples/` are long ones; `docs/record_simulation.py` made this page.
"""


def task() -> str:
    """Give the task of the program, as it stands there."""
    source = PROGRAM.read_text()
    return source[source.index("@fc.compute") : source.index("@fc.flow")].strip()


def record(where: Path) -> str:
    """Play the session in an empty directory; give the page."""
    shutil.copy(PROGRAM, where / "erosion.py")
    parts = [TITLE, ABOVE.format(task=task()).rstrip()]

    def take(title: str, command: str, screen: str) -> None:
        parts.append(f"\n{title}\n\n{RECORDED}\n```text\n$ {command}\n{tidy(screen, where)}\n```")

    first = Terminal([sys.executable, "erosion.py"], cwd=where)
    before = first.until(r"step [89]\d\d of 1000")
    first.kill()
    take("A run of three, killed with `kill -9` just after this:", "python erosion.py", before)
    second = Terminal([sys.executable, "erosion.py"], cwd=where)
    again = second.until(r"step \d+ of 1000")
    take("The same command again, a moment after its start:", "python erosion.py", again)
    second.end()
    third = Terminal([sys.executable, "erosion.py", "1100"], cwd=where)
    more = third.until(r"step 1\d\d\d of 1100")
    take("A hundred years more cost a hundred steps:", "python erosion.py 1100", more)
    third.end()
    return "\n".join([*parts, BELOW.rstrip()]) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        (HERE / "simulations.md").write_text(record(Path(directory)))
