"""The cells of a run that a report shows one by one: what each gave, printed and looked like.

Owns the choice of them, where there are too many: failed ones first, then the longest,
then the first ones. Promises bounds on how many there are, how much text of each, and how many bytes of
pictures in all, whatever the run; and that a value that is gone is told as such.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flowcore.declare.node import label_told
from flowcore.errors import FlowcoreError, ValueLost, ValueReleased, shorten
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.inspect.report.thumbnails import thumbnail
from flowcore.inspect.timing.attempts import Attempts
from flowcore.plan.encode import BadRecord
from flowcore.plan.sketch import sketch
from flowcore.store.output import read_output

NAME: Final = 300  # characters of a name
TEXT: Final = 4000  # characters of what a cell printed: the last ones
_EACH: Final = 40  # cells of a node that are shown
_ALL: Final = 1600  # cells that are shown
_PRINTED: Final = 150_000  # characters of output in all
_PICTURES: Final = 240_000  # bytes of pictures in all
_PICTURED: Final = 12  # cells of a node with a picture


class Cells:
    """Tells of cells.

    Attributes
    ----------
    gone : int
        Values that the store has not got any more.
    left : int
        Cells that are not shown, their nodes having too many.
    """

    def __init__(self, recorded: Recorded, attempts: Attempts) -> None:
        self._recorded = recorded
        self._took = _took(attempts)
        self._printed = _printed(recorded)
        self._shown = 0
        self._texts = 0
        self._pictures = 0
        self.gone = 0
        self.left = 0

    def of(self, node: int, states: Mapping[int, str], most: int = _EACH) -> list[dict[str, Any]]:
        """Give the cells of a node that are shown; `states` has all of them that came to something."""
        took = self._took.get(node, {})
        rank = {"failed": 0, "interrupted": 1, "running": 2}
        order = sorted(states, key=lambda n: (rank.get(states[n], 3), -took.get(n, 0.0), n))
        chosen = order[: max(1, min(most, _ALL - self._shown))]
        self.left += len(states) - len(chosen)
        self._shown += len(chosen)
        return [self._cell(node, number, states[number], pictured=i < _PICTURED) for i, number in enumerate(chosen)]

    def printed(self, node: int, number: int) -> str:
        """Give the last that a cell printed."""
        return self._printed.get((node, number), "")[-TEXT:]

    def _cell(self, node: int, number: int, state: str, *, pictured: bool) -> dict[str, Any]:
        recorded = self._recorded
        told: dict[str, Any] = {
            "number": number, "cell": shorten(recorded.name(node, number), NAME), "state": state,
            "seconds": round(recorded.seconds(node, number), 6), "key": recorded.key(node, number).hex()[:12],
        }  # fmt: skip
        if (attempts := recorded.attempts(node, number)) > 1:
            told["attempts"] = attempts
        if (text := self.printed(node, number)) and self._texts < _PRINTED:
            told["printed"] = text
            self._texts += len(text)
        if state in ("done", "hit", "given"):
            told |= self._value(node, number, pictured=pictured)
        elif state == "skipped":
            told["value"] = shorten(getattr(recorded.event(node, number)[0], "reason", ""), NAME)
        return told

    def _value(self, node: int, number: int, *, pictured: bool) -> dict[str, Any]:
        try:
            record = self._recorded.record(node, number)
            told: dict[str, Any] = {"value": shorten(sketch(record), NAME)}
        except (ValueLost, BadRecord):
            self.gone += 1
            return {"value": "not in the store any more", "gone": True}
        except ValueReleased:
            return {"value": "passed on, not kept"}
        except FlowcoreError as refused:  # a pickle in a store that may not read them
            return {"value": shorten(str(refused).splitlines()[0], NAME)}
        if not pictured or "(" not in told["value"] or self._pictures >= _PICTURES:
            return told
        try:
            picture = thumbnail(self._recorded.value(node, number))
        except FlowcoreError:
            self.gone += 1
            return told | {"gone": True}
        self._pictures += len(picture)
        return told | ({"picture": picture} if picture else {})


def _took(attempts: Attempts) -> dict[int, dict[int, float]]:
    """Give the seconds of each cell that ran, by node."""
    found: dict[int, dict[int, float]] = {}
    for node, number, seconds in zip(
        attempts.node.tolist(), attempts.number.tolist(), attempts.seconds.tolist(), strict=True
    ):
        found.setdefault(node, {})[number] = seconds
    return found


def _printed(recorded: Recorded) -> dict[tuple[int, int], str]:
    """Give the last that each cell printed."""
    found: dict[tuple[int, int], str] = {}
    store = recorded.store
    for line in read_output(store.layout.output(recorded.id), disk=store.disk):
        before = found.get((line.node, line.number), "")
        found[line.node, line.number] = (before + line.text)[-TEXT:]
    return found


def labels_of(recorded: Recorded, node: int, most: int) -> Sequence[Sequence[str]] | None:
    """Give what the labels along each axis are called, in order; None where they are too many, or depend on values."""
    axes = recorded.ledgers[node].axes
    if any(axis.labels is None for axis in axes) or sum(len(axis.labels or ()) for axis in axes) > most:
        return None
    return [
        [shorten(told, 80) for told in (axis.told or [label_told(label) for label in axis.labels or ()])]
        for axis in axes
    ]
