"""A timeline in the Trace Event Format, which Perfetto and chrome://tracing open.

Each lane is a thread of one process called after the run; a cell is a complete event
("ph": "X", microseconds) with its inputs and its result as events of their own where
those took a millisecond; the critical path is a chain of flow events. Written event by
event, so that a million cells need no second copy in memory.

References
----------
"Trace Event Format", Google, 2016.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any, Protocol

from flowcore.inspect.timing.attempts import ENDS, Attempts
from flowcore.inspect.timing.lanes import Lane, Span
from flowcore.store.handout import hand_out

_PID = 1


class Timeline(Protocol):
    """What is asked of a timeline."""

    attempts: Attempts

    @property
    def run(self) -> str:
        """The run's id."""
        ...

    @property
    def lanes(self) -> Sequence[Lane]:
        """All lines."""
        ...

    @property
    def critical_rows(self) -> Sequence[int]:
        """The critical path, as places."""
        ...

    def span(self, row: int) -> Span:
        """Give one attempt."""
        ...


def write_chrome(timeline: Timeline, path: str | PathLike[str]) -> None:
    """Write the trace of a run."""
    whole = ",\n".join(json.dumps(event, ensure_ascii=True) for event in events(timeline))
    hand_out(path, f'{{"displayTimeUnit": "ms", "traceEvents": [\n{whole}\n]}}\n')


def events(timeline: Timeline) -> Iterator[dict[str, Any]]:
    """Yield the events of a run's timeline."""
    yield _named("process_name", 0, f"flowcore {timeline.run}")
    lane_of: dict[int, int] = {}
    for tid, lane in enumerate(timeline.lanes, 1):
        yield _named("thread_name", tid, lane.name)
        yield {"ph": "M", "pid": _PID, "tid": tid, "name": "thread_sort_index", "args": {"sort_index": tid}}
        for row in lane.rows.tolist():
            lane_of[row] = tid
            yield from _cell(timeline, row, tid)
    chain = timeline.critical_rows
    for at, row in enumerate(chain[:-1]):
        ends = timeline.attempts.ends
        arrow = {"pid": _PID, "cat": "critical path", "name": "critical path", "id": at}
        yield arrow | {"ph": "s", "tid": lane_of[row], "ts": _micro(ends[row] - 1e-6)}
        later = chain[at + 1]
        yield arrow | {"ph": "f", "bp": "e", "tid": lane_of[later], "ts": _micro(timeline.attempts.begins[later])}


def _cell(timeline: Timeline, row: int, tid: int) -> Iterator[dict[str, Any]]:
    span, a = timeline.span(row), timeline.attempts
    begins, fetching, seconds, keeping = (float(c[row]) for c in (a.begins, a.fetching, a.seconds, a.keeping))
    facts = {"cell": span.cell, "ended": ENDS[int(a.how[row])], "seconds": seconds}
    whole = {"ph": "X", "pid": _PID, "tid": tid}
    yield whole | {
        "name": span.node, "cat": ENDS[int(a.how[row])], "ts": _micro(begins),
        "dur": _micro(fetching + seconds + keeping), "args": facts,
    }  # fmt: skip
    if fetching:
        yield whole | {"name": "inputs", "cat": "io", "ts": _micro(begins), "dur": _micro(fetching)}
    if keeping:
        yield whole | {
            "name": "result", "cat": "io", "ts": _micro(begins + fetching + seconds), "dur": _micro(keeping)
        }  # fmt: skip


def _named(what: str, tid: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "pid": _PID, "tid": tid, "name": what, "args": {"name": name}}


def _micro(seconds: Any) -> float:
    return round(float(seconds) * 1e6, 3)
