"""Results that a user keeps although their code has changed: ``flow.accept`` (contract K26).

Owns how an old result comes to answer a new key: a journal of its own, written and
locked as that of any run, holds for each cell a record under the key that the cell has
now, with the value that an older run kept, and the reason. So later runs find it like
any other record, `fc.runs` lists it with the status ``accepted``, and ``why`` tells the
reason. Of several old results the one that was given the same arguments and the same
seed is taken. Nothing runs, and no value is read or written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice

from flowcore import clock
from flowcore.dataclass import dataclass
from flowcore.doubts import NothingToAccept
from flowcore.errors import BadOption
from flowcore.inspect.causes.why import Explainer
from flowcore.inspect.recordings.past import LOOKED_AT, Past, PastCell
from flowcore.outlook import rehearsed
from flowcore.run.rehearsals.rehearsal import Rehearsal
from flowcore.run.rehearsals.verdict import Verdict
from flowcore.run.told.chronicle import tell_beginning
from flowcore.settings import Settings
from flowcore.store.cache import Hit, Miss, Skipped
from flowcore.store.trace import Trace
from flowcore.targets import Drawn, target

_BATCH = 512  # cells a record
_TOLD = 5  # of what was overruled


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What was accepted.

    Attributes
    ----------
    node : str
        The node's name.
    run : str
        Id under which it is written down.
    cells : int
        How many cells have their old results under their new keys now.
    left : int
        How many have not: no older run kept a value for them, or what they need has to run.
    reason : str
        As given.
    overruled : tuple of str
        What has changed since the old results were made, for the first cell where it did; five at most.
    """

    node: str
    run: str
    cells: int
    left: int
    reason: str
    overruled: tuple[str, ...] = ()

    def __str__(self) -> str:
        more = f"; {self.left} have nothing to accept" if self.left else ""
        what = "1 old result kept under its new key" if self.cells == 1 else (
            f"{self.cells} old results kept under their new keys"
        )  # fmt: skip
        lines = [f"{self.node}: {what}{more} (run {self.run})"]
        return "\n".join([*lines, *(f"  although {text}" for text in self.overruled)])

    def to_dict(self) -> dict[str, object]:
        """Give it as plain data."""
        return {**asdict(self), "overruled": list(self.overruled)}


def accept(flow: Drawn, cell: object, reason: str, settings: Settings) -> Accepted:
    """Let old results answer for cells whose keys have changed; see `Flow.accept`."""
    if not reason.strip():
        raise BadOption(option="reason", found=repr(reason), expected="text that tells why the old results still hold")
    asked = target(flow, cell)
    rehearsal, past = rehearsed(flow, [cell], settings)
    node = asked.node.number
    numbers = asked.numbers if asked.numbers is not None else rehearsal.space(node).select({}).numbers
    wanted = [n for n in numbers if rehearsal.verdict(node, n) in (Verdict.RUNS, Verdict.EQUAL)]
    found = _earlier(rehearsal, past, node, wanted)
    if not found:
        raise NothingToAccept(cell=asked.node.name, because=_because(rehearsal, past, node, numbers))
    overruled = _overruled(Explainer(rehearsal, past), node, found)
    run = _write(rehearsal, settings, flow.name, node, found, reason)
    waiting = sum(rehearsal.verdict(node, n) == Verdict.DEPENDS for n in numbers)
    return Accepted(
        node=asked.node.name, run=run, cells=len(found), left=len(wanted) + waiting - len(found), reason=reason,
        overruled=overruled,
    )  # fmt: skip


def _earlier(
    rehearsal: Rehearsal, past: Past, node: int, numbers: Sequence[int]
) -> dict[int, tuple[PastCell, Hit | Skipped]]:
    """Give an older result of each cell that has one: the newest of those whose arguments differ least."""
    work, cache, found = rehearsal.works.get(node), rehearsal.archive.cache, dict[int, tuple[PastCell, Hit | Skipped]]()
    if work is None or work.keys is None:
        return found
    explainer = Explainer(rehearsal, past)
    for number in numbers:
        now, least = explainer.components(node, number), 0
        every = past.cells(rehearsal.graph[node].node, rehearsal.labels.of(node, number), cache)
        for old in islice(every, LOOKED_AT):
            answer = cache.judge([old.key])[0]
            given = sum(name == "seed" or name.startswith("argument ") for name in old.differing(now))
            if not isinstance(answer, Miss) and (number not in found or given < least):
                found[number], least = (old, answer), given
            if number in found and not least:
                break
    return found


def _overruled(explainer: Explainer, node: int, found: dict[int, tuple[PastCell, Hit | Skipped]]) -> tuple[str, ...]:
    """Tell what has changed since the old results were made: once for each set of parts, by its first cell."""
    seen: set[tuple[str, ...]] = set()
    told: dict[str, None] = {}
    for number, (old, _) in found.items():
        now = explainer.components(node, number)
        names = tuple(old.differing(now))
        if names not in seen and len(told) < _TOLD:
            seen.add(names)
            told |= dict.fromkeys(str(reason) for reason in explainer.compared(node, old, now))
    return tuple(told)[:_TOLD]


def _because(rehearsal: Rehearsal, past: Past, node: int, numbers: Sequence[int]) -> str:
    if not numbers:
        return "its cells are not known before it runs"
    verdicts = {rehearsal.verdict(node, n) for n in numbers}
    if verdicts == {Verdict.CACHED}:
        return "the store answers for it already"
    first = next(n for n in numbers if rehearsal.verdict(node, n) != Verdict.CACHED)
    reasons = Explainer(rehearsal, past).why(node, first).changes
    return str(reasons[0]) if reasons and Verdict.RUNS not in verdicts else "no older run kept a result for it"


def _write(
    rehearsal: Rehearsal,
    settings: Settings,
    flow: str,
    node: int,
    found: dict[int, tuple[PastCell, Hit | Skipped]],
    reason: str,
) -> str:
    work, run = rehearsal.works[node], rehearsal.store.begin()
    try:
        if run.trouble is not None or not run.writable:
            raise run.trouble or BadOption(option="store", found="read-only", expected="one that can be written")
        tell_beginning(run.cache, rehearsal.graph, flow=flow, settings=settings, given=(), codec=rehearsal.codec,
                       about={"began": clock.wall(), "accepted": reason})  # fmt: skip
        run.cache.node(node, work.facts())
        values = sorted(n for n in found if isinstance(found[n][1], Hit))
        skips = sorted(found.keys() - values)
        starts = [(kind, first) for kind in (values, skips) for first in range(0, len(kind), _BATCH)]
        for kind, first in starts:
            numbers = kind[first : first + _BATCH]
            keys, own = rehearsal.keyed(node, numbers)
            old, hits = [found[n][0].key for n in numbers], [found[n][1] for n in numbers]
            run.cache.overruled(node, numbers, keys, old, reason)
            run.cache.record(Trace(
                node=node, numbers=numbers, keys=keys, own=own, components=[hit.component for hit in hits],
                records=[hit.record for hit in hits], seconds=[hit.seconds for hit in hits],
                classes=[hit.classes for hit in hits] if any(hit.classes for hit in hits) else [], skips=kind is skips,
            ))  # fmt: skip
        run.end("accepted", {"cells": len(found), "seconds": 0.0})
    finally:
        run.release()
    return run.id
