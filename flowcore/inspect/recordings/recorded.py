"""A run as far as its journal tells: nodes, cells, labels, states, and where values are.

Owns the reading together of what the engine wrote down bit by bit. Promises to go on
with a journal that grows, to tell nothing that is not in it, and never to give a cell
along a dynamic axis a label that a damaged journal makes doubtful. Runs no code: values
are read without pickle, whoever wrote them (contract P9, S1).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from itertools import combinations
from typing import Any, cast

from flowcore.declare.node import label_of, label_told, told_cell
from flowcore.errors import PickleNotAllowed, ValueLost, ValueReleased
from flowcore.events import CellsParked
from flowcore.inspect.recordings.ledger import Ledger, RecordedAxis
from flowcore.inspect.recordings.loops import Loops
from flowcore.inspect.recordings.nodeinfo import NodeInfo, node_info
from flowcore.inspect.recordings.spaces import Spaces
from flowcore.plan.cells import Space, Span
from flowcore.plan.encode import BadRecord, ValueGone, decode
from flowcore.plan.pickled import PickleRefused
from flowcore.store.archive import Archive
from flowcore.store.cache import PICKLE, Hit
from flowcore.store.directory import Store
from flowcore.store.history import (
    Answered,
    AxesFacts,
    Beat,
    CellFailed,
    CellSkipped,
    Claimed,
    Doubled,
    Ended,
    Follower,
    Left,
    NodeFacts,
    Rows,
    RunFacts,
    Stepped,
    Told,
    Tried,
    lives,
)
from flowcore.store.lapse import Lapsed
from flowcore.store.layout import run_began
from flowcore.store.trace import Trace

Facts = dict[str, Any]  # as read from a journal: checked where used


class Recorded:
    """What the journal of one run tells.

    Parameters
    ----------
    store : Store
        Where it is.
    run_id : str
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self.store = store
        self.id = run_id
        self.facts: Facts = {}
        self.nodes: dict[int, NodeInfo] = {}
        self.ledgers: dict[int, Ledger] = {}
        self.ended: Ended | None = None
        self.loops = Loops()
        self.lengths: dict[int, dict[int, int]] = {}  # of the rows that cells gave, by node and cell
        self.lapses: list[Lapsed] = []  # attempts without a value, in the order in which they ended
        self.running = 0  # cells in flight, as last told
        self.running_of: dict[int, int] = {}  # by node
        self.parked = CellsParked()  # as last told
        self._follower = Follower(store.layout.journal(run_id), disk=store.disk)
        self._axes: list[object] = []
        self._alive: bool | None = None  # None: not asked since the last reading
        self._spaces = Spaces()
        self._labels: dict[tuple[int, int], list[bytes] | None] = {}  # of elements, by source node and cell
        self._rows = 0
        self._keyed: dict[bytes, tuple[Trace, int]] = {}
        self._unkeyed: list[Trace] = []  # that are not among those by key yet

    def catch_up(self) -> None:
        """Read what was written since the last time."""
        self._alive = None
        if self.ended is None:
            for told in self._follower.more():
                with suppress(LookupError, TypeError, ValueError, AttributeError, BadRecord):  # facts of another shape
                    self._take(told)

    # ---- the run ---------------------------------------------------------------------

    @property
    def status(self) -> str:
        """How it ended; without an end ``running`` or ``dead``."""
        if self.ended is not None:
            return self.ended.status
        if self._alive is None:
            self._alive = lives(self.store.root, self.id, disk=self.store.disk)
        return "running" if self._alive else "dead"

    @property
    def began(self) -> float:
        """Seconds since 1970."""
        began = self.facts.get("began")
        return began if isinstance(began, float) else run_began(self.id)

    @property
    def damaged(self) -> int:
        """Bytes of the journal that cannot be read."""
        return self._follower.damage.lost

    def failed(self, node: int) -> list[int]:
        """Give the cells of a node that failed, in order of failing."""
        ledger = self.ledgers.get(node)
        return [event.number for event in ledger.events if isinstance(event, CellFailed)] if ledger is not None else []

    # ---- cells -----------------------------------------------------------------------

    def space(self, node: int) -> Space:
        """Give the cells of a node, as far as they are known."""
        return self._spaces[node]

    def labels(self, node: int, number: int) -> tuple[object, ...]:
        """Give a cell's label along each axis."""
        return tuple(label for label, _ in self._along(node, number))

    def labelled(self, node: int, number: int) -> list[tuple[object, str]]:
        """Give a cell's label along each axis, and what it is called."""
        return list(self._along(node, number))

    def name(self, node: int, number: int) -> str:
        """Give a cell's readable id; one whose labels cannot be read is called by its number."""
        info = self.nodes[node]
        if number >= self.space(node).count:
            return f"{info.name}[cell {number}]"
        return told_cell(info.name, list(zip(info.axes, (told for _, told in self._along(node, number)), strict=True)))

    def fragments(self, node: int, number: int) -> list[str]:
        """Give the parts of a cell's id, one an axis; none of a cell whose labels cannot be read."""
        if number >= self.space(node).count:
            return []
        told = (told for _, told in self._along(node, number))
        return [f"{axis}={label}" for axis, label in zip(self.nodes[node].axes, told, strict=True)]

    def state(self, node: int, number: int) -> str:
        """Tell where a cell stands, in one word."""
        event = self.event(node, number)[0]
        match event:
            case Trace():
                return "given" if node in self.facts.get("given", ()) else "done"
            case Answered():
                return "hit"
            case CellFailed():
                return "failed"
            case CellSkipped():
                return "skipped"
            case Left():
                return event.state
        return self.rest

    @property
    def rest(self) -> str:
        """Where cells stand that nothing is told of."""
        return "waiting" if self.ended is None and self.status == "running" else "not run"

    def key(self, node: int, number: int) -> bytes:
        """Give a cell's key; empty if it has none, or none is known."""
        event, row = self.event(node, number)
        if isinstance(event, CellSkipped):
            return event.key
        return event.keys[row] if isinstance(event, Trace | Answered) else b""

    def seconds(self, node: int, number: int) -> float:
        """Give the wall time inside the user's function; 0 where it was not called, or is not known."""
        event, row = self.event(node, number)
        if isinstance(event, CellSkipped):
            return event.seconds
        return event.seconds[row] if isinstance(event, Trace) else 0.0

    def attempts(self, node: int, number: int) -> int:
        """Give how often a cell was tried; while the run goes on, without those that came to nothing."""
        event, _ = self.event(node, number)
        failed = self.ledgers[node].tried.get(number, 0)
        if isinstance(event, CellFailed):
            attempts = event.facts.get("attempts", 1)
            return attempts if isinstance(attempts, int) else 1
        called = isinstance(event, Trace) or (isinstance(event, CellSkipped) and not event.answered)
        return failed + 1 if called else failed

    # ---- values ----------------------------------------------------------------------

    def value(self, node: int, number: int) -> object:
        """Read the value of a cell.

        Raises
        ------
        ValueReleased
            If it was not kept.
        ValueLost
            If the cell gave none, or the store does not have it any more.
        """
        try:
            event, row = self.event(node, number)
            key = event.keys[row] if isinstance(event, Trace | Answered) else b""
            return self.archive.decode(self.record(node, number), key)
        except PickleRefused as pickle:
            raise self._not_allowed(node, number, pickle.entry) from None
        except ValueGone as gone:
            reason = f"array {gone.digest.hex()[:12]} is not in the store any more"
        except BadRecord as bad:
            reason = f"its record cannot be read ({bad})"
        raise ValueLost(cell=self.name(node, number), reason=reason)

    @cached_property
    def archive(self) -> Archive:
        """The older runs, which may have given values to this one."""
        return self.store.archive(before=self.id)

    def record(self, node: int, number: int) -> bytes:
        """Give the record of a cell; ValueReleased or ValueLost if there is none."""
        event, row = self.event(node, number)
        if isinstance(event, Trace) and event.records[row]:
            return event.records[row]
        if isinstance(event, Answered) and event.keys[row]:
            key = event.keys[row]
            own = self._own(key)
            hit = None if own else self.archive.cache.judge([key])[0]
            record = own or (hit.record if isinstance(hit, Hit) else b"")
            if hit is PICKLE:
                raise self._not_allowed(node, number, key.hex()[:12])
            if not record:
                raise ValueLost(cell=self.name(node, number), reason="the record that answered for it is gone")
            return record
        if isinstance(event, Trace | Answered):
            raise ValueReleased(cell=self.name(node, number), node=self.nodes[node].name)
        because = f": {event.reason}" if isinstance(event, CellSkipped) and event.reason else ""
        raise ValueLost(cell=self.name(node, number), reason=f"the cell is {self.state(node, number)}{because}")

    def _not_allowed(self, node: int, number: int, entry: str) -> PickleNotAllowed:
        return PickleNotAllowed(cell=self.name(node, number), entry=entry, store=str(self.store.root))

    def components_of(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Give the identities of values that this very run made, by key."""
        found = {key: self._keyed[key] for key in keys if key and (self._own(key) or key in self._keyed)}
        return {key: trace.components[row] for key, (trace, row) in found.items()}

    def _own(self, key: bytes) -> bytes:
        """Give the record of this very run for a key: of equal cells one was computed, the others answered by it."""
        for trace in self._unkeyed:
            self._keyed.update((key, (trace, row)) for row, key in enumerate(trace.keys) if key)
        self._unkeyed.clear()
        found = self._keyed.get(key)
        return found[0].records[found[1]] if found is not None else b""

    def _fetch(self, digest: bytes, header: bytes, nbytes: int, place: int) -> tuple[Any, int]:
        return self.archive.fetch(digest, header, nbytes, place)

    # ---- inside ----------------------------------------------------------------------

    def event(self, node: int, number: int) -> tuple[object, int]:
        """Give the last that was told of a cell, and the place in it."""
        return self.ledgers[node].index().get(number, (None, 0))

    def _take(self, told: Told) -> None:  # noqa: PLR0912 - one arm a kind
        match told:
            case RunFacts():
                self.facts = told.facts
            case AxesFacts():
                self._axes[told.first :] = told.axes
            case NodeFacts():
                self._node(told.number, told.facts)
            case Rows():
                self._expand(told)
            case Trace() | Answered() | CellFailed() | CellSkipped() | Left():
                self._cells(told)
            case Claimed() | Stepped():
                self._ledger(told.node)
                self.loops.take(told)
            case Doubled():
                self._ledger(told.node).counts.doubled += len(told.numbers)
            case Lapsed():
                self._ledger(told.node)
                self.lapses.append(told)
            case Tried():
                self._ledger(told.node).tried[told.number] = told.attempts
            case Beat():
                running = told.facts.get("cells")
                self.running = running if isinstance(running, int) else 0
                by_node = told.facts.get("running")
                self.running_of = dict(by_node) if isinstance(by_node, dict) else {}
                self.parked = CellsParked(cells=sum(told.parked.values()), runs=tuple(told.parked))
            case Ended():
                self.ended, self.parked = told, CellsParked()

    def _cells(self, told: Trace | Answered | CellFailed | CellSkipped | Left) -> None:
        ledger = self._ledger(told.node)
        ledger.events.append(told)
        match told:
            case Trace():
                self._unkeyed.append(told)
                ledger.counts.done += len(told.numbers)
                ledger.seconds += sum(told.seconds)
            case Answered():
                ledger.counts.hit += len(told.numbers)
            case CellFailed():
                ledger.counts.failed += 1
            case CellSkipped():
                ledger.counts.skipped += 1

    def _ledger(self, node: int) -> Ledger:
        if node not in self.ledgers:  # what told of the node is lost
            self._node(node, {"name": f"node {node}"})
        return self.ledgers[node]

    def _node(self, number: int, facts: Facts) -> None:
        known = self.nodes.get(number)
        if known is not None:  # said when it was made ready
            self.nodes[number] = replace(known, runner=str(facts.get("runner", known.runner)))
            ledger = self.ledgers[number]
            ledger.common, ledger.own = dict(facts.get("common", ())), tuple(facts.get("own", ()))
            ledger.sketches = dict(facts.get("told", ()))
            return
        axes = tuple(self._axis(place) for place in facts.get("axes", ()))
        info = node_info(number, facts, [axis.name for axis in axes])
        spans = tuple(Span(a.name, *((None, a.source) if a.labels is None else (len(a.labels),))) for a in axes)
        self._spaces.add(number, spans)
        self.nodes[number], self.ledgers[number] = info, Ledger(axes=axes)

    def _axis(self, place: int) -> RecordedAxis:
        facts = cast(Facts, self._axes[place])
        if "records" in facts:
            labels = tuple(decode(record, fetch=self._fetch) for record, _ in facts["records"])
            return RecordedAxis(name=facts["name"], labels=labels, told=tuple(told for _, told in facts["records"]))
        if facts["labels"] is None:
            return RecordedAxis(name=facts["name"], labels=None, source=facts["source"])
        return RecordedAxis(name=facts["name"], labels=tuple(facts["labels"]))

    def _expand(self, rows: Rows) -> None:
        if rows.serial != self._rows:
            return  # one before it cannot be read: from here on, numbers could mean other cells
        self._spaces.expand(rows.node, rows.number, rows.length)
        self._rows += 1
        self.lengths.setdefault(rows.node, {})[rows.number] = rows.length
        self._labels[rows.node, rows.number] = rows.labels

    def _along(self, node: int, number: int) -> Iterator[tuple[object, str]]:
        """Yield a cell's label along each axis, and what it is called."""
        space = self.space(node)
        places = space.coordinates(number)
        at = dict(zip(space.names, places, strict=True))
        for axis, place in zip(self.ledgers[node].axes, places, strict=True):
            if axis.labels is None:
                label = self._element(cast(int, axis.source), at, place)
                yield label, label_told(label)
            else:
                label = axis.labels[place]
                yield label, axis.told[place] if axis.told else label_told(label)

    def place(self, axis: RecordedAxis, at: dict[str, int], label: object) -> int | None:
        """Give the place of a label along an axis over a value, below the places `at`; None if it is not there."""
        source = cast(int, axis.source)
        owner = self.space(source).number(at)
        records = self._labels.get((source, owner if owner is not None else -1))
        if records is None:
            return label if isinstance(label, int) else None
        try:
            labels = [label_of(decode(record, fetch=self._fetch)) for record in records]
        except (BadRecord, ValueGone):
            return None
        return labels.index(label) if label in labels else None

    def _element(self, source: int, at: dict[str, int], place: int) -> object:
        owner = self.space(source).number(at)
        records = self._labels.get((source, owner if owner is not None else -1))
        if records is None:
            return place
        try:
            return label_of(decode(records[place], fetch=self._fetch))
        except (BadRecord, ValueGone):  # what it is called cannot be read: then by its place
            return place


def names_some(inside: str, fragments: Sequence[str]) -> bool:
    """Tell whether what stands between the brackets of an id is some of the parts of a cell's id, in order.

    Examples
    --------
    >>> names_some("rate=0.1", ["path='a'", "rate=0.1"]), names_some("rate=0.2", ["path='a'", "rate=0.1"])
    (True, False)
    """
    picks = (combinations(fragments, count) for count in range(1, len(fragments) + 1))
    return any(", ".join(pick) == inside for picked in picks for pick in picked)
