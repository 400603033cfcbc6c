"""Claims about a run in which nothing happens: nobody in it wakes up to find that out."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from flowcore import clock
from tests.faults import driver
from tests.faults.driver import Script

WAKES = 40  # a second, of all threads together; there are beats, syncs and the watchdog's looks


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What the processes of a script have used so far, and when that was."""

    at: float
    seconds: float
    wakes: int

    @classmethod
    def by(cls, script: Script) -> Self:
        """Add up its threads."""
        seconds, wakes = 0.0, 0
        for pid in script.processes():
            for task in Path(f"/proc/{pid}/task").iterdir():
                with suppress(OSError):
                    seconds += int((task / "schedstat").read_text().split()[0]) * 1e-9
                    status = (task / "status").read_text().splitlines()
                    wakes += sum(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt"))
        return cls(at=clock.monotonic(), seconds=seconds, wakes=wakes)


def check_idle(folder: Path, *, sabotage: str = "") -> None:
    """Look at the processes of a run before and after a span in which its cells wait."""
    with driver.start("idle", "store", folder=folder, sabotage=sabotage) as script:
        others = [script.meet(name) for name in ("thread", "coroutine", "beside")]
        begin = script.meet("begin")
        before = Used.by(script)
        begin.answer()
        end = script.meet("end")
        after = Used.by(script)
        for meeting in (*others, end):
            meeting.answer()
        status = script.end()

    span = after.at - before.at  # SPAN, or more of it on a busy machine

    assert 0 == status
    assert after.wakes - before.wakes < WAKES * span
    assert after.seconds - before.seconds < 0.01 * span


def test_an_idle_run_uses_less_than_a_hundredth_of_a_core(tmp_path: Path) -> None:
    """With a cell in each process, on a thread and on the loop: engine, launcher, worker and all threads together."""
    check_idle(tmp_path)
