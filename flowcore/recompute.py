"""Kept results checked by computing some of them again (`flowcore cache verify --recompute`).

Owns the choice of cells, deterministic by a seed, and the comparison. The cells run where
they would run in any run, in a run of their own that keeps nothing: whatever comes out,
no record and no file of the store changes. What is not cached and is needed runs too, as
in any run; a cell whose inputs then come out otherwise is counted apart, since it is
another computation.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from flowcore.dataclass import dataclass
from flowcore.errors import BadOption
from flowcore.events import Event
from flowcore.inspect.causes.deviating import CellDifference
from flowcore.outlook import rehearsed
from flowcore.plan.closeness import deviation
from flowcore.plan.encode import BadRecord, ValueGone
from flowcore.plan.graph import Graph
from flowcore.plan.states import State
from flowcore.progress import observers
from flowcore.run.rehearsals.asked import Asked
from flowcore.run.rehearsals.rehearsal import Rehearsal
from flowcore.run.rehearsals.verdict import Verdict
from flowcore.run.session import Session
from flowcore.settings import Settings
from flowcore.store.directory import open_store
from flowcore.targets import Drawn

_TOLD = 5  # cells that differ, named


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
    """What computing kept results again has shown.

    Attributes
    ----------
    cached : int
        Cells of the flow that the store answers.
    checked : int
        How many of them were computed again.
    equal : int
        How many gave the same bits.
    different : tuple of CellDifference
        Those that did not.
    moved : int
        Cells whose inputs came out otherwise, so that nothing could be compared.
    failed : int
        Cells that gave nothing: they raised, or their inputs could not be read.
    """

    cached: int
    checked: int
    equal: int
    different: tuple[CellDifference, ...] = ()
    moved: int = 0
    failed: int = 0

    @property
    def sound(self) -> bool:
        """Whether each cell that could be compared gave the same bits, and none failed."""
        return not (self.different or self.failed)

    def __str__(self) -> str:
        lines = [f"{self.checked} of {self.cached} kept results computed again: {self.equal} equal"]
        if self.moved:
            lines.append(f"  {self.moved} could not be compared: their inputs came out otherwise")
        if self.failed:
            lines.append(f"  {self.failed} gave no result")
        if self.different:
            lines.append(f"  {len(self.different)} differ; nothing that is kept was changed")
            lines += [f"    {cell}" for cell in self.different[:_TOLD]]
            lines.append(
                "  Something that no key knows of decides: random numbers (fc.rng()), a file (fc.File), threads;\n"
                "  or the kept one was made by older code, and accepted: `flowcore why` tells."
            )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        """Give it as plain data."""
        return asdict(self) | {"sound": self.sound}


def recompute(flow: Drawn, fraction: float, settings: Settings, *, sample: int = 0) -> Recomputed:
    """Compute a part of what the store keeps for a flow again, and compare; nothing kept is changed.

    Parameters
    ----------
    flow : Flow
    fraction : float
        How many of the cached cells, above 0 and at most 1; at least one cell is taken.
    settings : Settings
        Of the run, as for `Flow.run`.
    sample : int
        Another number takes other cells.

    Raises
    ------
    BadOption
        If `fraction` is not in its bounds.
    """
    if not 0 < fraction <= 1:
        raise BadOption(option="recompute", found=repr(fraction), expected="a part such as 5%, at most 100%")
    rehearsal, _ = rehearsed(flow, (), settings)
    cached = [(n, c) for n in rehearsal.graph.nodes for c in rehearsal.numbers(n, Verdict.CACHED)]
    count = min(len(cached), math.ceil(fraction * len(cached)))
    chosen: dict[int, list[int]] = {}
    for node, number in sorted(random.Random(sample).sample(cached, count)):
        chosen.setdefault(node, []).append(number)
    if not chosen:
        return Recomputed(cached=0, checked=0, equal=0)
    session = _session(flow, chosen, rehearsal, settings)
    try:
        session.start()
        while not session.wait(_GLANCE):  # so that Ctrl-C is heard
            pass
        if session.error is not None:
            raise session.error
        return _compared(rehearsal, session, chosen, cached=len(cached))
    finally:
        session.release()


_GLANCE = 0.2  # seconds


class _Listener:
    """Hears what cells print, so that it is not printed a second time."""

    def on_event(self, event: Event) -> None:
        """Let it be."""


def _session(flow: Drawn, chosen: Mapping[int, Sequence[int]], rehearsal: Rehearsal, settings: Settings) -> Session:
    """Make a run of the chosen cells alone, on a store that it may only read."""
    nodes = {planned.number: planned.node for planned in rehearsal.graph.nodes.values()}
    store = open_store(rehearsal.store.root, allow_pickle=rehearsal.store.allow_pickle)
    store.writable = False
    return Session(
        Graph(flow.nodes, [nodes[number] for number in chosen]), settings=replace(settings, on_error="continue"),
        store=store, name=flow.name,
        observers=[_Listener()] if settings.progress is False else observers(settings.progress),
        asked=Asked(wants=chosen, held=frozenset(chosen), refresh=chosen, checking=True),
    )  # fmt: skip


def _compared(
    rehearsal: Rehearsal, session: Session, chosen: Mapping[int, Sequence[int]], *, cached: int
) -> Recomputed:
    """Compare what came out with what is kept, by identity, and by number where that differs."""
    equal = moved = failed = 0
    different: list[CellDifference] = []
    for node, numbers in chosen.items():
        keys, _ = rehearsal.keyed(node, numbers)
        for number, key in zip(numbers, keys, strict=True):
            skips = number in rehearsal.skips.get(node, {}), (node, number) in session.books.skips
            if not skips[1] and not (session.state(node, number) == State.DONE and session.values.has(node, number)):
                failed += 1
            elif session.books.works[node].keyed([number], session.values)[0] != [key]:
                moved += 1
            elif skips == (True, True):
                equal += 1
            elif skips != (False, False):
                told = "it was skipped, and gives a value" if skips[0] else "it gave a value, and is skipped"
                different.append(CellDifference(cell=rehearsal.labels.name(node, number), told=told))
            elif session.values.component(node, number) == rehearsal.values.component(node, number):
                equal += 1
            else:
                different.append(_deviating(rehearsal, session, node, number))
    checked = sum(map(len, chosen.values()))
    return Recomputed(
        cached=cached, checked=checked, equal=equal, different=tuple(different), moved=moved, failed=failed
    )


def _deviating(rehearsal: Rehearsal, session: Session, node: int, number: int) -> CellDifference:
    name = rehearsal.labels.name(node, number)
    try:
        kept = rehearsal.codec.decode(rehearsal.values.record(node, number))
        found = deviation(kept, session.codec.decode(session.values.record(node, number)))
    except (ValueGone, BadRecord):
        return CellDifference(cell=name, told="a value cannot be read")
    return CellDifference.of(name, found)
