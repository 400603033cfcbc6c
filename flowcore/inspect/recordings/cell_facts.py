"""What a journal tells of each cell, for graphs: state, key, seconds, bytes, worker, attempts, reason.

Owns the reading of ledgers into plain dicts that JSON takes, and their sums over a node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from flowcore.errors import shorten
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.plan.records import value_bytes
from flowcore.store.history import Answered, CellFailed, CellSkipped, Left
from flowcore.store.times import Times
from flowcore.store.trace import Trace

Facts = dict[str, Any]
_REASON = 200  # characters


def cell_facts(recorded: Recorded, node: int) -> list[Facts]:
    """Give what is known of each cell of a node, by number.

    ``state``; ``key`` in hex, or None; ``seconds`` inside the user's function, and
    ``bytes`` of the value, None where it did not run or was not kept; ``worker``, the
    number of the process, None where that is not known or none of ours; ``attempts``;
    ``reason``, why there is no value, or None.
    """
    rest = recorded.rest
    found = [_unknown(rest) for _ in range(recorded.space(node).count)]
    given = node in recorded.facts.get("given", ())
    for event in recorded.ledgers[node].events:
        for number, facts in _told(event, given=given):
            if number < len(found) and (not isinstance(event, Left) or found[number]["state"] == rest):
                found[number] |= facts
    for number, attempts in recorded.ledgers[node].tried.items():
        if number < len(found) and found[number]["state"] != "failed":
            found[number]["attempts"] += attempts
    return found


def node_facts(recorded: Recorded, node: int) -> Facts:
    """Give ``bytes``, ``workers``, ``attempts`` and ``reasons`` of a node: sums, those met, and how often each."""
    ledger = recorded.ledgers[node]
    given = node in recorded.facts.get("given", ())
    nbytes, workers, attempts, reasons = 0, set[int](), sum(ledger.tried.values()), Counter[str]()
    for event in ledger.events:
        if isinstance(event, Trace):
            nbytes += sum(map(value_bytes, event.records))
            attempts += 0 if given else len(event.numbers)
        if isinstance(event, Trace | CellSkipped) and event.times is not None:
            workers.update(event.times.workers)
        if isinstance(event, CellSkipped):
            attempts += not event.answered
            reasons[event.reason or "skipped"] += 1
        elif isinstance(event, CellFailed):
            attempts += _attempts(event) - ledger.tried.get(event.number, 0)
            reasons[_failure(event)] += 1
    return {
        "bytes": nbytes, "workers": sorted(workers - {0}), "attempts": attempts, "reasons": dict(reasons.most_common()),
    }  # fmt: skip


def _unknown(state: str) -> Facts:
    return {"state": state, "key": None, "seconds": None, "bytes": None, "worker": None, "attempts": 0, "reason": None}


def _told(event: object, *, given: bool) -> Iterator[tuple[int, Facts]]:
    """Give what an event tells of each of its cells."""
    match event:
        case Trace():
            workers = event.times.workers if event.times is not None else [0] * len(event.numbers)
            columns = zip(event.numbers, event.keys, event.seconds, event.records, workers, strict=True)
            for number, key, seconds, record, worker in columns:
                yield number, {
                    "state": "given" if given else "done", "key": key.hex() or None,
                    "seconds": None if given else seconds, "bytes": value_bytes(record) if record else None,
                    "worker": worker or None, "attempts": 0 if given else 1,
                }  # fmt: skip
        case Answered():
            for number, key in zip(event.numbers, event.keys, strict=True):
                yield number, {"state": "hit", "key": key.hex() or None}
        case CellSkipped():
            facts = {
                "state": "skipped",
                "key": event.key.hex() or None,
                "reason": shorten(event.reason, _REASON) or None,
            }
            called = {"seconds": event.seconds, "attempts": 1, "worker": _worker(event.times)}
            yield event.number, facts if event.answered else facts | called
        case CellFailed():
            yield event.number, {"state": "failed", "attempts": _attempts(event), "reason": _failure(event)}
        case Left():
            for number in event.numbers:
                yield number, {"state": event.state}


def _worker(times: Times | None) -> int | None:
    return times.workers[0] or None if times is not None and times.workers else None


def _attempts(event: CellFailed) -> int:
    attempts = event.facts.get("attempts", 1)
    return attempts if isinstance(attempts, int) else 1


def _failure(event: CellFailed) -> str:
    return shorten(f"{event.facts.get('type')}: {event.facts.get('text')}".split("\n", 1)[0], _REASON)
