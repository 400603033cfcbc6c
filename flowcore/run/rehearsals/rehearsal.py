"""A run without running: each wanted cell keyed and judged as the engine would, nothing started, nothing written.

The same schedule, the same preparing of nodes and the same store decide here as in a
run; only a cell that has to run stays where it is, and what needs its value stays
waiting. So the answer for each cell is one of :class:`Verdict`.

A cell of a task that is not cached runs in any case. It is taken to give what it gave
last time, if a journal knows what that was: of its value only the identity is needed,
and what is judged by it says so. Likewise a cached value without encoding, whose
consumers are keyed by its cell's key (contract K3). What comes `after=` such cells does
not wait for them: order enters no key.

Promises that a cell that is said to be cached would be answered by the store as it is
now. Used by one thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import cast

from flowcore.doubts import NotReproducible
from flowcore.errors import FlowcoreError, NotKeyable, NotPicklable
from flowcore.plan.cells import Link, Space
from flowcore.plan.code import forget
from flowcore.plan.encode import BadRecord, NoEncoding, ValueGone
from flowcore.plan.graph import Graph
from flowcore.plan.records import combine
from flowcore.plan.schedule import Schedule
from flowcore.plan.states import State
from flowcore.run.cell.call import Call
from flowcore.run.cell.failure import describe
from flowcore.run.job import Component, Failure, Job, Record
from flowcore.run.outcomes.choice import chosen, truth
from flowcore.run.ready.inmemory import InMemory
from flowcore.run.ready.labels import Labels
from flowcore.run.ready.preparing import prepare
from flowcore.run.ready.requests import cell_namer
from flowcore.run.ready.trust import Trust
from flowcore.run.ready.userclasses import current_classes, identified
from flowcore.run.ready.values import Values
from flowcore.run.ready.work import Work
from flowcore.run.ready.written import Surround
from flowcore.run.rehearsals.asked import Asked
from flowcore.run.rehearsals.lasttime import LastTime, Memory
from flowcore.run.rehearsals.verdict import Verdict
from flowcore.store.cache import Hit, Miss, Skipped
from flowcore.store.codecs import Codec
from flowcore.store.commons import older_commons
from flowcore.store.directory import Store

_BATCH = 4096  # cells keyed and judged together
_UNREADABLE = (ValueGone, BadRecord, NoEncoding, LookupError, TypeError, ValueError)
_UNMARKED = {State.UNWANTED: Verdict.UNWANTED, State.SKIPPED: Verdict.SKIPPED}  # cells that were never ready
_NO_RECORD: Record = b""  # in place of a value of which only the identity is known


class Rehearsal:
    """What a run would do, found out without running. Done when it is made.

    Parameters
    ----------
    graph : Graph
        The nodes, lowered.
    asked : Asked
    store : Store
        Read as a run would; nothing is written.
    run_id : str
        Newer than every run that counts.
    memory : Memory, optional
        Of what cells gave last time; without it nothing is assumed.
    seed : int
        What the run would be given as ``seed=``.

    Attributes
    ----------
    works : dict of int to Work
        Each node that was made ready.
    troubles : dict of int to error
        What would refuse a node.
    unkept : dict of int to NotKeyable
        Why a cached node's results are not kept.
    assumed : dict of int to (dict of int to LastTime)
        By node and cell: values taken to be what they were.
    skips : dict of int to (dict of int to str)
        By node and cell: what tasks said of cells that the store knows to be skipped.
    seconds : dict of int to float
        What the cached cells of a node took when they ran, together.
    lengths : dict of int to (dict of int to int)
        By node and cell: how many labels a value gives the axes over it.
    missed : dict of int to (dict of str to list of int)
        By node: reason to the cells that have to run for it.
    accepted : dict of int to list of int
        By node: cells that older code answers, under ``trust=``.
    """

    def __init__(
        self, graph: Graph, *, asked: Asked, store: Store, run_id: str, memory: Memory | None = None, seed: int = 0
    ) -> None:
        forget()  # globals are looked at anew, as in a run (contract K6)
        self.graph = graph
        self.store = store
        self.archive = store.archive(before=run_id)
        self.codec = Codec(kept=self.archive.blobs, passed=InMemory())
        self.schedule = Schedule()
        self.values = Values()
        self.labels = Labels(graph, self.space, self.values, self.codec)
        self.works: dict[int, Work] = {}
        self.troubles: dict[int, FlowcoreError | Failure] = {}
        self.unkept: dict[int, NotKeyable] = {}
        self.assumed: dict[int, dict[int, LastTime]] = {}
        self.skips: dict[int, dict[int, str]] = {}
        self.seconds: dict[int, float] = {}
        self.lengths: dict[int, dict[int, int]] = {}
        self.missed: dict[int, dict[str, list[int]]] = {}
        self.accepted: dict[int, list[int]] = {}
        self._asked = asked
        self._run_id = run_id
        self._memory = memory
        self._refresh = {n: None if cells is None else frozenset(cells) for n, cells in asked.refresh.items()}
        self._trust = Trust(asked.trust, partial(older_commons, store.root, run_id, disk=store.disk))
        self._surround = Surround(
            codec=self.codec, spaces=self.space, label=self.labels.record, run_id=run_id,
            leaves_process=lambda _: False, tell=self._not_kept, seed=seed,
            named=cell_namer(graph, self.labels.record),
        )  # fmt: skip
        self._verdicts: dict[int, bytearray] = {}
        self._leaders: dict[bytes, tuple[int, int]] = {}
        self._walk()

    # ---- answers ---------------------------------------------------------------------

    def space(self, node: int) -> Space:
        """Give the cells of a node, as far as they are known."""
        return self.schedule.space(self.graph[node].spans)

    def verdict(self, node: int, number: int) -> Verdict:
        """Tell what would become of a cell."""
        found = self._verdicts.get(node, b"")
        if number < len(found) and found[number]:
            return Verdict(found[number])
        return _UNMARKED.get(self.schedule.state(node, number), Verdict.DEPENDS)

    def counts(self, node: int) -> dict[Verdict, int]:
        """Count the cells of a node by verdict; those along axes that are not known yet are missing."""
        found, states = self._verdicts.get(node, b""), self.schedule.states(node)
        counts = {verdict: found.count(verdict) for verdict in Verdict if verdict in found and verdict}
        counts[Verdict.UNWANTED] = states.count(State.UNWANTED)
        counts[Verdict.SKIPPED] = states.count(State.SKIPPED) - len(self.skips.get(node, ()))
        counts[Verdict.DEPENDS] = len(states) - sum(counts.values())
        return {verdict: count for verdict, count in counts.items() if count}

    def numbers(self, node: int, verdict: Verdict) -> list[int]:
        """Give the cells of a node that have a verdict."""
        if verdict in (Verdict.UNWANTED, Verdict.DEPENDS, Verdict.SKIPPED):
            return [n for n in range(self.space(node).count) if self.verdict(node, n) == verdict]
        return [n for n, found in enumerate(self._verdicts.get(node, b"")) if found == verdict]

    def keyed(self, node: int, numbers: Sequence[int]) -> tuple[list[bytes], list[list[Component]]]:
        """Give keys and own components of cells that were judged: cached ones, and those that have to run."""
        return self.works[node].keyed(numbers, self.values)

    def leader(self, node: int, number: int) -> tuple[int, int]:
        """Give the cell whose value an equal one would get."""
        return self._leaders[self.keyed(node, [number])[0][0]]

    def blockers(self, node: int, number: int) -> list[tuple[int, int]]:
        """Give the cells that a cell waits for, and whose values are not known."""
        above = self._above(node, number, ())
        return [cell for cell in above if self.schedule.state(*cell) not in (State.DONE, State.SKIPPED)]

    def skipped(self, node: int, number: int) -> list[tuple[int, int]]:
        """Give the skipped cells that a cell needs, and is skipped for."""
        above = self._above(node, number, ("drop", "drop-failed"))
        return [cell for cell in above if self.schedule.state(*cell) == State.SKIPPED]

    def _above(self, node: int, number: int, without: Sequence[str]) -> dict[tuple[int, int], None]:
        found: dict[tuple[int, int], None] = {}
        here, side = self.space(node), self.schedule.side(node, number)
        for edge in self.graph[node].edges:
            if edge.mode in ("order", *without) or (edge.mode == "branch" and edge.side != side):
                continue
            inputs = Link(self.space(edge.source), here, edge.over).inputs(number)
            found.update(((edge.source, n), None) for n in inputs.numbers)
            found.update((self.space(edge.source).source_cell(*row), None) for row in inputs.unknown)
        return found

    # ---- the walk --------------------------------------------------------------------

    def _walk(self) -> None:
        for planned in self.graph.nodes.values():
            supplied = planned.number in self._asked.given
            edges = () if supplied else tuple(edge for edge in planned.edges if edge.mode != "order")
            self.schedule.add(planned.number, planned.spans, edges)
        for node in self.graph.targets:
            self.schedule.want(node, self._asked.wants.get(node))
        while self.schedule.ready() is not None or self._want_earlier():
            while (found := self.schedule.ready()) is not None:
                self._take(found[0], self.schedule.take(found[0], _BATCH))

    def _want_earlier(self) -> bool:
        """Want what comes before wanted cells without giving them a value; tell whether there was anything new."""
        for planned in self.graph.nodes.values():
            for edge in planned.edges if planned.number not in self._asked.given else ():
                if edge.mode == "order":
                    states = self.schedule.states(planned.number)
                    wanted = [n for n, state in enumerate(states) if state != State.UNWANTED]
                    link = Link(self.space(edge.source), self.space(planned.number), edge.over)
                    self.schedule.want(edge.source, sorted(set(link.feeding(wanted))))
        return self.schedule.ready() is not None

    def _take(self, node: int, numbers: list[int]) -> None:
        if node in self._asked.given:
            self._supply(node, numbers)
            return
        work = self.prepare(node)
        if work is None:
            self._stop(node, numbers, Verdict.REFUSED)
        elif work.lane == "engine":
            for number in numbers:
                self._choose(work, number)
        elif work.task.mode in ("item", "expand"):
            self._read(work, numbers)
        elif work.keys is None:
            self._stop(node, self._assume(node, numbers), Verdict.RUNS)
        else:
            self._judge(work, numbers)

    def prepare(self, node: int) -> Work | None:
        """Give a node made ready; None, with the trouble noted, if a run would refuse it."""
        if node in self.works or node in self.troubles:
            return self.works.get(node)
        planned = self.graph[node]
        try:
            work = self.works[node] = prepare(planned, self._surround)
        except FlowcoreError as error:
            self.troubles[node] = error
        except NoEncoding as refused:
            self.troubles[node] = NotPicklable(
                node=planned.name, path=refused.path, kind=refused.kind, at=planned.node.site
            )
        except Exception as error:  # noqa: BLE001 - as in the engine: user code runs here
            self.troubles[node] = describe(error)
        else:
            return work
        return None

    def _not_kept(self, trouble: NotKeyable | NotReproducible, site: str) -> None:  # noqa: ARG002 - the trouble has it
        """Note, once a node, why its results are not kept."""
        if not isinstance(trouble, NotKeyable):
            return
        number = next(n for n, planned in self.graph.nodes.items() if planned.name == trouble.node)
        self.unkept[number] = trouble

    def _judge(self, work: Work, numbers: list[int]) -> None:
        """Key cells and ask the store."""
        node = work.number
        keys, own = work.keyed(numbers, self.values)
        cells = self._refresh.get(node, ())
        fresh = None if node not in self._refresh else [cells is None or n in cells for n in numbers]
        answers = self.archive.cache.judge(keys, younger_than=work.recipe.answers_for, fresh=fresh)
        if node in self._trust and fresh is None:
            before = [not isinstance(answer, Miss) for answer in answers]
            self._trust.judge(work, numbers, keys, own, answers, self.archive.cache)
            now = zip(numbers, before, answers, strict=True)
            self.accepted.setdefault(node, []).extend(n for n, was, a in now if not was and not isinstance(a, Miss))
        hits: list[int] = []
        skips: dict[int, str] = {}
        plain: list[tuple[int, Record, Component]] = []
        seconds, misses = self.seconds.get(node, 0.0), dict[int, bytes]()
        for number, key, answer in zip(numbers, keys, answers, strict=True):
            if isinstance(answer, Hit):
                hits.append(number)
                seconds += answer.seconds
                if answer.classes:
                    self.values.put(node, number, answer.record, answer.component, current_classes(answer.classes))
                else:
                    plain.append((number, answer.record, answer.component))
            elif isinstance(answer, Skipped):
                skips[number] = answer.reason
                seconds += answer.seconds
            else:
                misses[number] = key
                self.missed.setdefault(node, {}).setdefault(answer.reason, []).append(number)
        if hits or skips:
            self.seconds[node] = seconds
        if plain:
            self.values.put_plain([node] * len(plain), *zip(*plain, strict=True))
        self._answered(node, hits, Verdict.CACHED)
        if skips:
            self.skips.setdefault(node, {}).update(skips)
            self._mark(node, list(skips), Verdict.CACHED)
            self.schedule.skipped(node, list(skips))
        if misses:
            self._missed(work, misses)

    def _missed(self, work: Work, misses: Mapping[int, bytes]) -> None:
        """Cells that have to run, but for those that an equal one runs for."""
        node = work.number
        for number, key in misses.items():
            self._leaders.setdefault(key, (node, number))
        leaders = [n for n, key in misses.items() if self._leaders[key] == (node, n)]
        if len(leaders) < len(misses):
            self._stop(node, sorted(set(misses).difference(leaders)), Verdict.EQUAL)
        opaque = self._memory is not None and self._memory.opaque(self.graph[node].node)
        for number, last in self._last(node, leaders if opaque else []):
            if not last.component:  # it had no encoding, and so has no other identity (K3)
                self._take_as(node, number, last, combine("derived", [misses[number]]))
        known = self.assumed.get(node, {})
        self._answered(node, [n for n in leaders if n in known], Verdict.RUNS)
        self._stop(node, [n for n in leaders if n not in known], Verdict.RUNS)

    def _assume(self, node: int, numbers: list[int]) -> list[int]:
        """Cells that run in any case give what they gave last time; give those of which that is not known."""
        for number, last in self._last(node, numbers):
            unkeyed = [self._run_id.encode(), str(node).encode(), str(number).encode()]
            self._take_as(node, number, last, last.component or combine("unkeyed", unkeyed))
        known = self.assumed.get(node, {})
        self._answered(node, [n for n in numbers if n in known], Verdict.RUNS)
        return [n for n in numbers if n not in known]

    def _last(self, node: int, numbers: Sequence[int]) -> Iterator[tuple[int, LastTime]]:
        if self._memory is None:
            return
        drawn = self.graph[node].node
        for number in numbers:
            last = self._memory.last(drawn, self.labels.of(node, number))
            if last is not None:
                yield number, last

    def _take_as(self, node: int, number: int, last: LastTime, component: Component) -> None:
        self.assumed.setdefault(node, {})[number] = last
        self.values.put(node, number, last.record, component, current_classes(last.classes) if last.classes else ())

    def _supply(self, node: int, numbers: list[int]) -> None:
        """Cells whose value the user gives."""
        for number in numbers:
            value = self._asked.given[node][number]
            try:
                encoded = self.codec.encode(value, keep=False)
            except NoEncoding:
                parts = [self._run_id.encode(), str(node).encode(), str(number).encode()]
                self.values.put(node, number, _NO_RECORD, combine("given", parts))
                continue
            self.values.put(node, number, encoded.record, encoded.component, encoded.classes)
        self._answered(node, numbers, Verdict.GIVEN)

    def _choose(self, work: Work, number: int) -> None:
        """A choice whose condition is known falls on a branch; one whose branch is known has its value."""
        node, side = work.number, self.schedule.side(work.number, number)
        try:
            if side is None:
                self.schedule.chose(node, number, 0 if truth(work, number, self.values, self.codec) else 1)
                return
            record, component, classes = chosen(work, number, side, self.values, self.codec)
        except _UNREADABLE:
            self._stop(node, [number], Verdict.DEPENDS)
            return
        parts = [self._run_id.encode(), str(node).encode(), str(number).encode()]
        self.values.put(node, number, record, component or combine("chosen", parts), classes)
        self._answered(node, [number], Verdict.READ)

    def _read(self, work: Work, numbers: list[int]) -> None:
        """Parts of values, and the elements that axes run over: read where the values can be."""
        node, call = work.number, Call(work.task, self.codec)
        job = Job(task=work.task, attempts=numbers, numbers=numbers, columns=work.columns(numbers, self.values))
        stage = call.stage(job)
        for i, number in enumerate(numbers):
            classes = [c for n, m in work.feeders[0].origins(number) for c in self.values.classes(n, m)]
            try:
                found = stage.run(*stage.arguments(i))
            except _UNREADABLE:
                self._stop(node, [number], Verdict.DEPENDS)
                continue
            if work.task.mode == "item":
                self.values.put(node, number, *cast("tuple[bytes, bytes]", found), classes)
            else:
                row = cast("list[tuple[bool, bytes, bytes]]", found)
                whole = work.feeders[0].components([number], self.values)[0]
                self.values.put_elements(node, number, identified(row, whole, classes))
                self.lengths.setdefault(node, {})[number] = len(row)
                self.schedule.expand(node, number, len(row))
            self._answered(node, [number], Verdict.READ)

    def _answered(self, node: int, numbers: Sequence[int], verdict: Verdict) -> None:
        self._mark(node, numbers, verdict)
        self.schedule.done(node, numbers)

    def _stop(self, node: int, numbers: Sequence[int], verdict: Verdict) -> None:
        """Leave cells without a value: what needs one goes on waiting."""
        self._mark(node, numbers, verdict)
        self.schedule.interrupted(node, numbers)

    def _mark(self, node: int, numbers: Sequence[int], verdict: Verdict) -> None:
        row = self._verdicts.setdefault(node, bytearray())
        row.extend(bytes(max(0, self.space(node).count - len(row))))
        for number in numbers:
            row[number] = verdict
