"""Older runs of a flow, as far as they tell what a cell was made of and what it gave.

Owns the matching of cells across runs: by the name of the node, else by its task, and
by labels along axes. Runs are read newest first, each at most once, and only as far
back as somebody asks. Only reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Literal

from flowcore.dataclass import dataclass
from flowcore.declare.node import Node
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.plan.keys import NOTE, NodeKeys
from flowcore.run.rehearsals.lasttime import LastTime
from flowcore.store.cache import Cache
from flowcore.store.directory import Store
from flowcore.store.history import Answered, AxesFacts, CellSkipped, NodeFacts, RunFacts, read_run, run_paths
from flowcore.store.trace import Trace

_RUNS = 200  # looked at for one answer
LOOKED_AT = 20  # older records of one cell, to find the one that differs least


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCell:
    """A cell of an older run that had a key, or a value."""

    recorded: Recorded
    node: int
    number: int
    key: bytes
    common: dict[str, bytes]
    own: dict[str, bytes]

    @property
    def run(self) -> str:
        """The run's id."""
        return self.recorded.id

    @property
    def name(self) -> str:
        """The cell's readable id."""
        return self.recorded.name(self.node, self.number)

    @property
    def components(self) -> dict[str, bytes]:
        """All components, by name; those of arguments are called ``argument NAME``."""
        return self.common | {f"argument {name}": part for name, part in self.own.items()}

    def differing(self, components: dict[str, bytes]) -> list[str]:
        """Give the names of the components that are not the same here; all of the code counts as one."""
        here = self.components
        return [
            name for name in {**here, **components}
            if not name.startswith(NOTE) and here.get(name) != components.get(name)
        ]  # fmt: skip


class _Run:
    """An older run: what nodes it has, by the beginning of its journal, and all of it once that is asked for."""

    def __init__(self, store: Store, run_id: str) -> None:
        self.flow = ""
        self.names: set[str] = set()
        self.tasks: set[object] = set()
        self._store = store
        self._id = run_id
        self._recorded: Recorded | None = None
        self._numbers: dict[
            str, dict[str | None, list[int]]
        ] = {}  # by name, by task: a look through all nodes is for once
        for told in read_run(store.layout.journal(run_id), disk=store.disk):
            if isinstance(told, RunFacts):
                self.flow = str(told.facts.get("flow", ""))
            elif isinstance(told, NodeFacts):
                self.names.add(str(told.facts.get("name", "")))
                self.tasks.add(told.facts.get("task"))
            elif not isinstance(told, AxesFacts):
                return  # from here on cells are told of

    @property
    def recorded(self) -> Recorded:
        """The whole run; read when first asked for."""
        if self._recorded is None:
            self._recorded = Recorded(self._store, self._id)
            self._recorded.catch_up()
        return self._recorded

    def named(self, what: Literal["name", "task"], wanted: str) -> Iterator[tuple[Recorded, int]]:
        """Yield the run with the number of each of its nodes that has this name, or this task."""
        numbers = self._numbers.get(what)
        if numbers is None:
            numbers = self._numbers[what] = {}
            for number, info in self.recorded.nodes.items():
                numbers.setdefault(info.name if what == "name" else info.task, []).append(number)
        return ((self.recorded, number) for number in numbers.get(wanted, ()))


class Past:
    """The older runs of a store.

    Parameters
    ----------
    store : Store
    before : str
        Id of a run that is newer than all that count.
    flow : str
        Name of the flow: its own runs come before those of others in the same store.
    """

    def __init__(self, store: Store, before: str, flow: str = "") -> None:
        self._store = store
        self._flow = flow
        paths = run_paths(store.root, disk=store.disk) if store.readable else {}
        self._waiting = [run_id for run_id in paths if run_id < before][-_RUNS:]
        self._known: list[_Run] = []
        self._candidates: dict[tuple[int, int], list[PastCell]] = {}
        self._places: dict[tuple[int, int], list[dict[object, int] | None]] = {}

    def _runs(self) -> Iterator[_Run]:
        """Yield runs, the newest first."""
        place = 0  # another walk may read on while this one waits
        while place < len(self._known) or self._waiting:
            if place == len(self._known):
                self._known.append(_Run(self._store, self._waiting.pop()))
            yield self._known[place]
            place += 1

    def nodes(self, node: Node) -> Iterator[tuple[Recorded, int]]:
        """Yield each run that has the node, and its number there: runs of this flow first, the newest first.

        Where no run has a node of this name, those that have its task.
        """
        others: list[_Run] = []
        found = False
        for run in self._runs():
            if node.name in run.names:
                found = True
                if run.flow != self._flow:
                    others.append(run)
                    continue
                yield from run.named("name", node.name)
        for run in others:
            yield from run.named("name", node.name)
        if found or node.task is None:
            return
        task = f"{getattr(node.task.function, '__module__', None)}.{node.task.name}"
        for run in self._runs():
            if task in run.tasks:
                yield from run.named("task", task)

    def cells(self, node: Node, labels: Sequence[object], cache: Cache) -> Iterator[PastCell]:
        """Yield the cells of the node with these labels that had a key, the newest first."""
        for recorded, number in self.nodes(node):
            place = self.number(recorded, number, node, labels)
            if place is not None and (found := keyed(recorded, number, place, cache)) is not None:
                yield found

    def cell(self, node: Node, labels: Sequence[object], cache: Cache) -> PastCell | None:
        """Give the newest cell of the node with these labels that had a key."""
        return next(self.cells(node, labels, cache), None)

    def closest(
        self, node: Node, labels: Sequence[object], components: dict[str, bytes], cache: Cache
    ) -> PastCell | None:
        """Give, of the newest cells with these labels that had a key, the newest of those that differ least."""
        best, least = None, 0
        for found in islice(self.cells(node, labels, cache), LOOKED_AT):
            count = len(found.differing(components))
            if best is None or count < least:
                best, least = found, count
            if count <= 1:  # the cell has to run, so something differs
                break
        return best

    def nearest(self, node: Node, components: dict[str, bytes], cache: Cache) -> PastCell | None:
        """Give, of the newest run that has keyed cells of the node, the cell that shares most components."""
        for recorded, number in self.nodes(node):
            known = self._candidates.get((id(recorded), number))
            if known is None:
                places = list(recorded.ledgers[number].index())[:_CANDIDATES]
                every = (keyed(recorded, number, place, cache) for place in places)
                known = self._candidates[id(recorded), number] = [found for found in every if found is not None]
            if known:  # what all cells of the older run share decides nothing among them
                return max(known, key=lambda one: sum(
                    components.get(f"argument {name}") == part for name, part in one.own.items()
                ))  # fmt: skip
        return None

    # What a rehearsal asks.

    def last(self, node: Node, labels: tuple[object, ...]) -> LastTime | None:
        """Give what the cell with these labels gave last time; see `flowcore.run.rehearsals.rehearsal.Memory`."""
        for recorded, number in self.nodes(node):
            place = self.number(recorded, number, node, labels)
            event, row = recorded.event(number, place) if place is not None else (None, 0)
            if isinstance(event, CellSkipped):
                return None
            if isinstance(event, Trace):
                classes = event.classes[row] if event.classes else ()
                return LastTime(run=recorded.id, component=event.components[row], record=event.records[row],
                                classes=classes)  # fmt: skip
        return None

    def opaque(self, node: Node) -> bool:
        """Tell whether a cell of the node gave a value without encoding when it was last computed."""
        for recorded, number in self.nodes(node):
            traces = [event for event in recorded.ledgers[number].events if isinstance(event, Trace)]
            if traces:
                return any(not all(trace.components) for trace in traces)
        return False

    def number(self, recorded: Recorded, number: int, node: Node, labels: Sequence[object]) -> int | None:
        """Give the number that the cell with these labels has in an older run."""
        axes, space = recorded.ledgers[number].axes, recorded.space(number)
        if sorted(axis.name for axis in axes) != sorted(axis.name for axis in node.axes):
            return None
        if not axes:
            return 0
        wanted = dict(zip((axis.name for axis in node.axes), labels, strict=True))
        places = self._places.get((id(recorded), number))
        if places is None:  # once an older node: a table of all labels
            places = self._places[id(recorded), number] = [
                None if axis.labels is None else {label: i for i, label in enumerate(axis.labels)} for axis in axes
            ]
        at: dict[str, int] = {}
        for axis, known in zip(axes, places, strict=True):
            label = wanted[axis.name]
            place = recorded.place(axis, at, label) if known is None else known.get(label)
            if place is None:
                return None
            at[axis.name] = place
        return space.number(at)


_CANDIDATES = 1000  # cells of a node that a new cell is compared with


def keyed(recorded: Recorded, node: int, number: int, cache: Cache) -> PastCell | None:
    """Give a cell of an older run with its components; None if it had no key.

    A cell that was answered has those of the cell that answered it.
    """
    event, row = recorded.event(node, number)
    ledger = recorded.ledgers[node]
    if isinstance(event, Trace) and len(event.own) == len(ledger.own) and ledger.common:
        own, key = [column[row] for column in event.own], event.keys[row]
        key = key or NodeKeys(common=ledger.common, own=ledger.own).keys([[part] for part in own])[0]
    elif isinstance(event, Answered) and event.keys[row]:
        key = event.keys[row]
        own = cache.own(key) or []
    elif isinstance(event, CellSkipped) and event.key:
        key = event.key
        own = cache.own(key) or []
    else:
        return None
    if len(own) != len(ledger.own):
        return None
    return PastCell(recorded=recorded, node=node, number=number, key=key, common=ledger.common,
                    own=dict(zip(ledger.own, own, strict=True)))  # fmt: skip
