"""Judging a run of the soak that has ended by itself: its values, and that nothing recorded ran again.

Owns the ledger of keys: a key belongs to one computation for ever. Does nothing to any
store or process.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import flowcore as fc
from tests.drawings import Model
from tests.model.ledger import Ledger
from tests.soak.plan import Plan, Strike, Told
from tests.soak.project import Project
from tests.soak.score import Score
from tests.soak.shelf import Shelf
from tests.soak.verdict import needless, wrong_values


@dataclass
class Live:
    """A run that goes on, and what is known of it."""

    number: int
    plan: Plan
    path: Path
    project: Project
    model: Model
    process: subprocess.Popen[bytes]
    pidfd: int
    token: str
    began: float
    finished: set[object]  # computations that need not run
    blows: int  # to the store, when it began
    stirs: int  # of its project, when it began
    suspects: bool  # whether there were arrays then that are not what they were, and may be found out
    alone: bool = False
    timed: list[tuple[float, Strike]] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)  # victims

    @property
    def output(self) -> str:
        """What it printed."""
        return self.path.with_suffix(".out").read_text(errors="replace")


class Judge:
    """Holds runs to the contract, and counts what they did.

    Parameters
    ----------
    store : Path
        The store of all runs.
    shelf : Shelf
        What is in it, and what was done to it.
    score : Score
        Takes the counts.
    """

    def __init__(self, store: Path, shelf: Shelf, score: Score) -> None:
        self.ledger = Ledger()
        self._store = store
        self._shelf = shelf
        self._score = score

    def problems(self, live: Live, status: int, *, evicted: bool) -> list[str]:
        """Hold a run to the contract; give what it fell short of; `evicted`: something was given up meanwhile."""
        told = Told.read(live.path.with_suffix(".told"))
        stirred = live.project.stirs != live.stirs
        problems = [] if stirred else self._keys(live)
        if told is None or told.status not in ("done", "failed"):
            deadly = live.struck["main"] + live.struck["all"]
            return problems if deadly else [*problems, f"ended with {status}\n{live.output}"]
        self._score.counts["ended"] += 1
        self._score.counts["survived"] += live.struck.total()
        if stirred:
            return problems
        hurt = self._shelf.hurt_since(live.blows)
        excused = {"WorkerDied"} if live.struck else set[str]()
        if any(step.function == "dozes" for step in live.plan.steps):
            excused |= {"CellTimeout"}  # on a busy machine even its second attempt may take too long
        problems += wrong_values(
            live.model, told, excused, may_lose=live.suspects or bool(self._shelf.hurt[live.blows :]) or evicted
        )
        finished = {c for c in live.finished if self.ledger.keys[c] not in hurt}
        executed = Counter(lines_of(live.path.with_suffix(".lines")))
        self._score.counts["cells run"] += executed.total()
        self._score.counts["cells hit"] += sum(1 for c in live.finished if live.model.kept[c] not in executed)
        if not evicted:
            # A result whose name a damaged file of its size has is found to be lost, and made again (B4, F25).
            undisturbed = not (live.struck or live.plan.full[0] or hurt or live.suspects)
            problems += needless(live.model, executed, finished, exactly=undisturbed)
        return problems

    def _keys(self, live: Live) -> list[str]:
        """Meet the keys of a run."""
        try:
            run_id = live.path.with_suffix(".id").read_text()
            return self.ledger.learn(fc.open_run(run_id, self._store), live.model, prefix=live.plan.prefix)
        except (OSError, LookupError, fc.FlowcoreError):  # it was killed before, or its journal is gone
            return []


def lines_of(path: Path) -> list[str]:
    """Give the lines of a file that may not be there."""
    return path.read_text().splitlines() if path.exists() else []
