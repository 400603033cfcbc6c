"""Journals with known times, written by the store itself and by no run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flowcore.history import RecordedRun, open_run
from flowcore.store.directory import open_store
from flowcore.store.times import Times
from flowcore.store.trace import Trace

Ran = tuple[int, float, float, int]  # number, when it began, how long it took, worker


@dataclass(kw_only=True)
class Recording:
    """What a journal is to tell."""

    axes: Sequence[tuple[str, Sequence[object]]] = ()
    nodes: Sequence[Mapping[str, object]] = ()
    ran: Mapping[int, Sequence[Ran]] = field(default_factory=dict)
    around: Mapping[int, tuple[float, float]] = field(default_factory=dict)  # seconds before and after each of a node
    lapses: Sequence[tuple[int, int, float, float, int, str]] = ()
    workers: int = 2
    memory: int = 0
    seconds: float | None = 10.0  # None: it was killed


def node(name: str, *axes: int, **facts: object) -> dict[str, object]:
    """Give the facts of a node; `needs` are the numbers of those that feed it."""
    needs = facts.pop("needs", ())
    whole: dict[str, object] = {
        "name": name, "kind": "compute", "group": [], "site": "flow.py:1", "axes": list(axes), "task": f"tasks.{name}",
        "runner": "process", "from": [[f"x{i}", n] for i, n in enumerate(needs)], "after": [],  # type: ignore[arg-type,var-annotated]
    }  # fmt: skip
    return whole | facts


def recorded(path: Path, recording: Recording) -> RecordedRun:
    """Write a journal, and open the run that it tells of."""
    run = open_store(path).begin()
    run.cache.run(
        {"flow": "recorded", "began": 0.0, "workers": recording.workers, "memory": recording.memory, "given": []}
    )
    run.cache.axes([{"name": name, "labels": list(labels), "source": None} for name, labels in recording.axes])
    for number, facts in enumerate(recording.nodes):
        run.cache.node(number, facts)
    for number, rows in recording.ran.items():
        before, after = recording.around.get(number, (0.0, 0.0))
        whole = [before] * len(rows), [after] * len(rows)
        run.cache.record(Trace(
            node=number, numbers=[n for n, _, _, _ in rows], keys=[b""] * len(rows),
            components=[b"\0\x01"] * len(rows), records=[b"\x01"] * len(rows),
            seconds=[seconds for _, _, seconds, _ in rows],
            times=Times(begins=[b for _, b, _, _ in rows], fetching=whole[0], keeping=whole[1],
                        workers=[w for _, _, _, w in rows]),
        ))  # fmt: skip
    for about, cell, began, seconds, worker, why in recording.lapses:
        run.cache.lapsed(about, cell, (began, seconds), worker, why)
    if recording.seconds is None:
        run.cache.flush()
    else:
        run.end("done", {"seconds": recording.seconds})
    run.close("done")
    run.release()
    return open_run(run.id, path)
