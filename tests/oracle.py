"""A run beside its oracle: what ran, what came of it, and what its store holds.

Compares what a user gets with what `drawings.Model` means; reads the store as raw files.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path
from typing import Any

import flowcore as fc
from flowcore.grid import Grid
from flowcore.plan.records import references
from flowcore.store.history import CellSkipped, read_run, run_paths
from flowcore.store.trace import Trace
from tests.drawings import Model, Outcome, Step
from tests.vocabulary import fold

Compared = tuple[object, ...]
LOST = "lost"


def lines(counter: Path) -> Counter[str]:
    """Give what was executed since the last look."""
    text = counter.read_text() if counter.exists() else ""
    counter.write_text("")
    return Counter(text.splitlines())


def run(flow: fc.Flow, *targets: object, **options: Any) -> fc.Run:
    """Run a flow to its end, whatever fails."""
    # Named one by one: without targets, a branch that no choice fell on does not run.
    given = {"workers": 2, "progress": False, "on_error": "continue"} | options
    started = flow.start(*(targets or flow.result), **given)
    with contextlib.suppress(fc.RunFailed):
        assert started.wait(60.0), f"hangs: {started.summary()}"
    assert started.status in ("done", "failed")
    return started


def meant(outcomes: dict[tuple[object, ...], Outcome], step: Step) -> Compared:
    """Give the values of a step as the oracle has them."""
    values = {label: fold(outcome.value) for label, outcome in outcomes.items() if outcome.state == "done"}
    if not step.axes:
        return ("value", values.get((), "none"))
    return ("grid", {label[0] if len(label) == 1 else label: value for label, value in values.items()})


def found(run: fc.Run, ref: object) -> Compared:
    """Give the values of a node as a run has them; one whose array the store has lost is LOST."""
    try:
        value = run[ref]
    except fc.ValueLost as lost:
        return ("value", LOST if "not in the store" in str(lost) else "none")
    if isinstance(value, Grid):
        return ("grid", {label: _folded(value, label) for label in value})
    return ("value", fold(value))


def _folded(grid: Grid, label: object) -> object:
    try:
        return fold(grid[label])
    except fc.ValueLost:
        return LOST


def without_lost(meant: Compared, found: Compared) -> tuple[Compared, Compared]:
    """Give both, less what was told to be lost."""
    kind, values = found
    if not isinstance(values, dict):
        return (meant, found) if values != LOST else ((), ())
    there = {label: value for label, value in values.items() if value != LOST}
    assert isinstance(meant[1], dict)
    return ("grid", {label: v for label, v in meant[1].items() if values.get(label) != LOST}), (kind, there)


def failed(run: fc.Run) -> set[tuple[str, tuple[object, ...]]]:
    """Give the cells that failed."""
    return {(failure.node, tuple(failure.labels.values())) for failure in run.failures}


def told(run: fc.Run) -> str:
    """Give what a run says of itself, for messages."""
    return run.summary() + "".join(f"\n{failure.cell}: {failure.error}" for failure in run.failures)


def agrees(steps: list[Step], refs: list[Any], model: Model, run: fc.Run, *, prefix: str = "s") -> None:
    """Compare a run with the oracle."""
    for number, (step, ref, outcomes) in enumerate(zip(steps, refs, model.all(), strict=True)):
        assert meant(outcomes, step) == found(run, ref), f"step {number}: {step}; {told(run)}"
    wanted = {
        (f"{prefix}{number}", label) for number, outcomes in enumerate(model.all())
        for label, outcome in outcomes.items() if outcome.state == "failed"
    }  # fmt: skip
    assert wanted == failed(run)


def journals(store: str) -> list[str]:
    """Give the paths of the journals."""
    return list(run_paths(store).values())


Needs = set[tuple[bytes, int]]  # digest and size of each array


def kept(store: str) -> dict[bytes, list[Needs]]:
    """Give the keys of the values and skips that a store has, and the arrays that each of their records needs."""
    found: dict[bytes, list[Needs]] = {}
    for path in journals(store):
        for told in read_run(path):
            if isinstance(told, Trace):
                for key, record in zip(told.keys, told.records, strict=True):
                    if key:
                        found.setdefault(key, []).append({(digest, size) for digest, size, _ in references(record)})
            if isinstance(told, CellSkipped) and told.key and not told.answered:
                found.setdefault(told.key, []).append(set())
    return found


def blobs(store: str) -> list[Path]:
    """Give the files of the arrays."""
    return sorted(Path(store).glob("v1/arrays/*/*.npy"))


def left(store: str) -> dict[bytes, set[bytes]]:
    """Give for each key the arrays that its best record lacks, as far as sizes tell; none: it answers."""
    there = {(path.stem, path.stat().st_size) for path in blobs(store)}
    return {
        key: min(({d for d, size in needs if (d.hex(), size) not in there} for needs in records), key=len)
        for key, records in kept(store).items()
    }  # fmt: skip
