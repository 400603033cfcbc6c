"""Why a cell has to run, or why it does not.

Owns :class:`Why` and the search for it: the older record of the same cell that differs
least (of the newest 20) is compared with the cell as it is now, component by component; a value from another node
is followed to the cell that gives it. Promises one screen. Never runs anything, and
reads no array but two that it compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from flowcore.dataclass import dataclass
from flowcore.declare.node import Gathered
from flowcore.inspect.causes.arrays import difference_told
from flowcore.inspect.causes.differences import changes, text_diff
from flowcore.inspect.causes.reasons import (
    Accepted,
    ArgumentChanged,
    Assumed,
    ClassChanged,
    DependsOn,
    Derived,
    Edited,
    EqualCell,
    NeedsSkipped,
    NeverKept,
    NeverRun,
    NotKeyed,
    Reason,
    Refreshed,
    Refused,
    Supplied,
    TooOld,
    Trusted,
    UpstreamChanged,
    ValueGone,
    WasSkipped,
    said,
)
from flowcore.inspect.html import heading, table
from flowcore.inspect.recordings.past import Past, PastCell
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.plan.encode import no_fetch
from flowcore.plan.records import component_of
from flowcore.run.ready.sourcing import Texts
from flowcore.run.ready.userclasses import current_classes
from flowcore.run.rehearsals.rehearsal import Rehearsal
from flowcore.run.rehearsals.verdict import Verdict
from flowcore.store.cache import REFRESH, TOO_OLD, VALUE_GONE, Hit
from flowcore.store.history import Answered, read_beginning
from flowcore.store.sources import read_source
from flowcore.store.trace import Trace

VERDICTS = {
    Verdict.UNWANTED: "not wanted", Verdict.DEPENDS: "depends on", Verdict.CACHED: "cached", Verdict.RUNS: "will run",
    Verdict.EQUAL: "will run", Verdict.GIVEN: "given", Verdict.READ: "read", Verdict.REFUSED: "refused",
    Verdict.SKIPPED: "skipped",
}  # fmt: skip
_TOLD = 5  # of the cells that a cell waits for, or whose values changed
_LOOKED_AT = 10_000  # cells above one
_MISSES = {REFRESH.reason: Refreshed(), VALUE_GONE.reason: ValueGone(), TOO_OLD.reason: TooOld()}

Cell = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why a cell has to run, or does not.

    Attributes
    ----------
    cell : str
        Its readable id.
    verdict : str
        ``will run``, ``cached``, ``depends on`` (something it needs is not known yet),
        ``given``, ``read`` (a part of a value), ``refused``, ``skipped`` (something it needs
        is) or ``not wanted``.
    run, compared : str
        The older run it was compared with, or whose result answers, and the cell there;
        empty where there is none.
    changes : tuple of Reason
        What differs, or decided; see `flowcore.inspect.causes.reasons`.
    unfollowed : tuple of str
        What the identity of its code cannot vouch for.
    key : str
        Its key in hex; empty where it has none.
    """

    cell: str
    verdict: str
    run: str = ""
    compared: str = ""
    changes: tuple[Reason, ...] = ()
    unfollowed: tuple[str, ...] = field(default=())
    key: str = ""

    def __str__(self) -> str:
        lines = [f"{self.cell}: {self.verdict}{self._compared}"]
        for reason in self.changes:
            lines.append(f"  {reason}")
            lines += [f"    {line}" for line in reason.shown()] if isinstance(reason, Edited) else []
        if self.unfollowed:
            lines.append(f"  could not be followed: {', '.join(self.unfollowed)}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        """Give it as plain data."""
        return {
            "cell": self.cell, "verdict": self.verdict, "run": self.run, "compared": self.compared,
            "changes": [reason.to_dict() for reason in self.changes], "unfollowed": list(self.unfollowed),
            "key": self.key,
        }  # fmt: skip

    def _repr_html_(self) -> str:
        rows = [[type(reason).__name__, str(reason)] for reason in self.changes]
        return table(heading(self.cell, self._compared.strip(), state=self.verdict), ["", "reason"], rows)

    @property
    def _compared(self) -> str:
        if not self.run:
            return ""
        if self.verdict == "cached":
            return f", by run {self.run}"
        other = f"{self.compared} in " if self.compared != self.cell else ""
        return f" (compared with {other}run {self.run})"


class Explainer:
    """Answers for the cells of one rehearsal."""

    def __init__(self, rehearsal: Rehearsal, past: Past) -> None:
        self.rehearsal = rehearsal
        self.past = past
        self._cache = rehearsal.archive.cache
        self._texts = Texts()

    def why(self, node: int, number: int) -> Why:
        """Explain a cell."""
        verdict = self.rehearsal.verdict(node, number)
        work = self.rehearsal.works.get(node)
        keyed = work is not None and work.keys is not None and verdict in (Verdict.CACHED, Verdict.RUNS, Verdict.EQUAL)
        key = self.rehearsal.keyed(node, [number])[0][0] if keyed else b""
        old: PastCell | None = None
        if verdict == Verdict.RUNS and keyed:
            found, old = self._runs(node, number)
        else:
            found = list(self._otherwise(node, number, verdict))
        if verdict == Verdict.CACHED:
            run, compared = self._cache.run_of(key), ""
        else:
            run, compared = (old.run, old.name) if old is not None else ("", "")
        found += self._assumptions(node, number) if verdict != Verdict.DEPENDS else []
        unfollowed = work.code.unfollowed if work is not None and work.code is not None else ()
        return Why(
            cell=self.name(node, number), verdict=VERDICTS[verdict], run=run, compared=compared, changes=tuple(found),
            unfollowed=unfollowed, key=key.hex(),
        )  # fmt: skip

    def unborn(self, node: int, name: str) -> Why:
        """Explain a cell, or all cells, along an axis that has no length yet."""
        space, found = self.rehearsal.space(node), list[Reason]()
        for row in list(space.select({}).unknown)[:_TOLD]:
            source = space.source_cell(*row)
            below = self._awaited(*source) if self.rehearsal.verdict(*source) == Verdict.DEPENDS else ()
            found += below or [DependsOn(cell=self.name(*source), because="gives the axis its length")]
        return Why(cell=name, verdict=VERDICTS[Verdict.DEPENDS], changes=tuple(dict.fromkeys(found)))

    def name(self, node: int, number: int) -> str:
        """Give a cell's readable id."""
        return self.rehearsal.labels.name(*self._drawn(node, number))

    def _otherwise(self, node: int, number: int, verdict: Verdict) -> Iterator[Reason]:
        """Give why a cell is not simply compared with what it was."""
        rehearsal, skips = self.rehearsal, self.rehearsal.skips.get(node, {})
        match verdict:
            case Verdict.GIVEN:
                yield Supplied()
            case Verdict.REFUSED:
                yield Refused(because=str(rehearsal.troubles[node]).partition("\n")[0])
            case Verdict.EQUAL:
                yield EqualCell(cell=self.name(*rehearsal.leader(node, number)))
            case Verdict.DEPENDS:
                yield from self._awaited(node, number)
                yield from self.shared(node)
            case Verdict.RUNS:
                yield NotKeyed(because=self.unkept(node))
            case Verdict.SKIPPED:
                yield from self._skipped(node, number)
            case Verdict.CACHED:
                yield from [WasSkipped(because=said(skips[number]))] if number in skips else ()
                yield from [Trusted()] if number in rehearsal.accepted.get(node, ()) else self._overruled(node, number)

    def _overruled(self, node: int, number: int) -> Iterator[Reason]:
        """Tell of a record that answers because the user said so."""
        store, run = self.rehearsal.store, self._cache.run_of(self.rehearsal.keyed(node, [number])[0][0])
        told = read_beginning(store.layout.journal(run), disk=store.disk) if run else None
        if told is not None and told.facts.get("accepted"):
            yield Accepted(reason=str(told.facts["accepted"]))

    def unkept(self, node: int) -> str:
        """Tell why the results of a node are not kept."""
        trouble = self.rehearsal.unkept.get(node)
        if trouble is not None:
            return f"{trouble.path} is a {trouble.kind}, which has no encoding"
        kind = self.rehearsal.graph[node].node.kind
        return "it is I/O, and the world may have changed" if kind == "io" else "cache=False"

    def _awaited(self, node: int, number: int) -> Iterator[Reason]:
        """Give the first cells that have to run of all that a cell waits for, near ones first."""
        seen: dict[Cell, None] = {}
        waiting, told = [(node, number)], 0
        while waiting and told < _TOLD and len(seen) < _LOOKED_AT:
            deeper: list[Cell] = []
            for cell in waiting:
                for above in self.rehearsal.blockers(*cell):
                    if above in seen:
                        continue
                    seen[above] = None
                    verdict = self.rehearsal.verdict(*above)
                    if verdict == Verdict.DEPENDS:
                        deeper.append(above)
                    elif told < _TOLD:
                        told += 1
                        yield DependsOn(cell=self.name(*above), because=self._in_short(above, verdict))
            waiting = deeper

    def _skipped(self, node: int, number: int) -> Iterator[Reason]:
        """Give the cells of which the store knows that they are skipped, and that a cell is skipped for."""
        waiting, seen = [(node, number)], set[Cell]()
        while waiting and len(seen) < _LOOKED_AT:
            above = [c for c in self.rehearsal.skipped(*waiting.pop(0)) if c not in seen]
            seen.update(above)
            known = [c for c in above if c[1] in self.rehearsal.skips.get(c[0], ())]
            for n, c in known[:_TOLD]:
                yield NeedsSkipped(cell=self.name(n, c), because=said(self.rehearsal.skips[n][c]))
            waiting += [c for c in above if c not in known] if not known else []

    def _in_short(self, cell: Cell, verdict: Verdict) -> str:
        reasons = self.why(*cell).changes
        return f"{VERDICTS[verdict]}: {reasons[0]}" if reasons else VERDICTS[verdict]

    # ---- compared with what it was ---------------------------------------------------

    def _runs(self, node: int, number: int) -> tuple[list[Reason], PastCell | None]:
        """Compare a cell that has to run with its older record that differs least, or with another cell."""
        rehearsal = self.rehearsal
        drawn, now = rehearsal.graph[node].node, self.components(node, number)
        for missed, numbers in rehearsal.missed.get(node, {}).items():
            if missed in _MISSES and number in numbers:
                return [_MISSES[missed]], self.past.cell(drawn, rehearsal.labels.of(node, number), self._cache)
        old = self.past.closest(drawn, rehearsal.labels.of(node, number), now, self._cache)
        found: list[Reason] = []
        if old is None:
            found, old = [NeverRun()], self.past.nearest(drawn, now, self._cache)
        if old is None:
            return found, None
        for reason in self.compared(node, old, now):
            followed = self._followed(node, number, old, reason) if isinstance(reason, ArgumentChanged) else []
            found += followed or [reason]
        if not found:
            found.append(self._not_kept(old, node, number))
        return found, old

    def components(self, node: int, number: int) -> dict[str, bytes]:
        """Give the components of a cell's key by name; those of arguments are called ``argument NAME``."""
        work = self.rehearsal.works[node]
        assert work.keys is not None, "asked for keyed nodes only"
        own = self.rehearsal.keyed(node, [number])[1]
        return work.keys.common | {
            f"argument {name}": column[0] for name, column in zip(work.keys.own, own, strict=True)
        }

    def compared(self, node: int, old: PastCell, now: dict[str, bytes]) -> list[Reason]:
        """Give what differs between a cell of an older run and the components of one of now."""
        return self._differences(node, (old.recorded, old.node), old.components, now)

    def shared(self, node: int) -> list[Reason]:
        """Give what changed for all cells of a node since the newest run that keyed it."""
        work = self.rehearsal.prepare(node)
        if work is None or work.keys is None:
            return []
        for recorded, number in self.past.nodes(work.planned.node):
            ledger = recorded.ledgers[number]
            if ledger.common:
                varied = {f"argument {name}" for name in (*ledger.own, *work.keys.own)}
                then, now = ({name: part for name, part in common.items() if name not in varied}
                             for common in (ledger.common, work.keys.common))  # fmt: skip
                return self._differences(node, (recorded, number), then, now)
        return []

    def _differences(
        self, node: int, old: tuple[Recorded, int], then: dict[str, bytes], now: dict[str, bytes]
    ) -> list[Reason]:
        """Give what differs between components of an older run and those of now."""
        work = self.rehearsal.works[node]
        sketches = old[0].ledgers[old[1]].sketches | dict(work.sketches)
        functions = work.recipe.functions()

        def diff(before: bytes, after: bytes) -> str:
            store = self.rehearsal.store
            text = self._texts.of(functions[after]) if after in functions else ""
            return text_diff(read_source(store.layout, before, disk=store.disk), text)

        return changes(then, now, sketches=sketches, diff=diff)

    def _not_kept(self, old: PastCell, node: int, number: int) -> Reason:
        """Tell why a cell that was the same gave nothing that answers now."""
        if number in self.rehearsal.assumed.get(node, {}):
            return Derived(cell=self.name(node, number))
        event, row = old.recorded.event(old.node, old.number)
        if isinstance(event, Trace) and not event.records[row]:
            return NeverKept(how="its value was passed on and not kept")
        return NeverKept(how=f"it was not kept: it is {old.recorded.state(old.node, old.number)} in run {old.run}")

    # ---- values from other nodes -----------------------------------------------------

    def _followed(self, node: int, number: int, old: PastCell, reason: ArgumentChanged) -> list[Reason]:
        """Tell which cells' values made an argument another one; none if it is not made of any."""
        planned, work = self.rehearsal.graph[node], self.rehearsal.works[node]
        if reason.name not in planned.arguments:
            return []
        found: list[Reason] = []
        gathered = ""
        for slot in planned.slots_of(reason.name):
            origins = work.feeders[slot].origins(number)
            if isinstance(planned.slots[slot], Gathered):
                gathered = f"{len(origins)} values of {planned.slots[slot].node.name}"  # type: ignore[union-attr]
            for above in origins[:_LOOKED_AT]:
                found += self._changed(reason.name, self._drawn(*above), old)
                if len(found) >= _TOLD:
                    return found
        if not found and gathered:
            return [ArgumentChanged(name=reason.name, old=reason.old, new=f"{gathered}: others, more or fewer cells")]
        return found

    def _drawn(self, node: int, number: int) -> Cell:
        """Give the cell that the user knows: of the elements of a value, the one that gave it."""
        while self.rehearsal.graph[node].node.kind == "expand" and node in self.rehearsal.works:
            node, number = self.rehearsal.works[node].feeders[0].origins(number)[0]
        return node, number

    def _changed(self, parameter: str, cell: Cell, old: PastCell) -> list[Reason]:
        """Compare the value of a cell with what it was in the run of `old`."""
        node, number = cell
        drawn, recorded = self.rehearsal.graph[node].node, old.recorded
        before = next((n for n, info in recorded.nodes.items() if info.name == drawn.name), None)
        place = None
        if before is not None:
            place = self.past.number(recorded, before, drawn, self.rehearsal.labels.of(node, number))
        if before is None or place is None:
            return [UpstreamChanged(parameter=parameter, cell=self.name(*cell), told="it was not there")]
        was, classes = self._was(recorded.event(before, place))
        values = self.rehearsal.values
        now, record = values.component(node, number), values.record(node, number) if values.has(node, number) else b""
        met = list(values.classes(node, number))
        plain = component_of(record, fetch=no_fetch) if record and met else now
        if plain != was:
            if not was:
                return []
            told = difference_told(recorded, before, place, record, self.rehearsal.codec)
            return [UpstreamChanged(parameter=parameter, cell=self.name(*cell), told=told)]
        then = dict(classes)
        return [
            ClassChanged(name=name, old=f"#{then[name][:4].hex()}", new=f"#{identity[:4].hex()}")
            for name, identity in current_classes(met) if then.get(name, identity) != identity
        ]  # fmt: skip

    def _was(self, told: tuple[object, int]) -> tuple[bytes, list[tuple[str, bytes]]]:
        """Give the identity that a cell's value had, and the classes met in it."""
        event, row = told
        if isinstance(event, Trace):
            return event.components[row], event.classes[row] if event.classes else []
        if isinstance(event, Answered) and event.keys[row]:
            hit = self._cache.judge([event.keys[row]])[0]
            if isinstance(hit, Hit):
                return hit.component, hit.classes
        return b"", []

    def _assumptions(self, node: int, number: int) -> list[Reason]:
        """Give the cells above one that are taken to give what they gave."""
        rehearsal, found = self.rehearsal, list[Reason]()
        seen: set[Cell] = {(node, number)}
        waiting = [(node, number)]
        while waiting and len(seen) < _LOOKED_AT and len(found) < _TOLD:
            cell = waiting.pop()
            work = rehearsal.works.get(cell[0])
            for above in (o for feed in (work.feeders if work is not None else ()) for o in feed.origins(cell[1])):
                if above in seen:
                    continue
                seen.add(above)
                last = rehearsal.assumed.get(above[0], {}).get(above[1])
                if last is not None:
                    name = self.name(*above)
                    found.append(Assumed(cell=name, run=last.run) if last.component else Derived(cell=name))
                else:
                    waiting.append(above)
        return found
