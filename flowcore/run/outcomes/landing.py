"""What becomes of results: values are kept and told, failures counted, retried or final.

Each attempt ends here exactly once: it is looked up by taking it out of the table, and
a result for an attempt that is not there is late and dropped (contract W8, F40).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from flowcore import clock
from flowcore.errors import FileChanged, FlowcoreError, NotStorable, ValueLost
from flowcore.plan.pickled import is_pickled
from flowcore.plan.records import combine
from flowcore.run.books import Books, Cell, CellFailure, Tries
from flowcore.run.flight import Batch, Flight, alike, apart, kept_under, landed, merged
from flowcore.run.job import (
    CHANGED,
    Died,
    Done,
    Failed,
    Failure,
    Interrupted,
    Keep,
    Lost,
    Metric,
    Printed,
    Result,
    Skipped,
    TimedOut,
    Warned,
)
from flowcore.run.outcomes.blame import condemn
from flowcore.run.outcomes.budgets import charged, lacked_memory
from flowcore.run.outcomes.doubles import Doubles
from flowcore.run.outcomes.equals import release_parked, settle_parked
from flowcore.run.outcomes.remaking import by_spool, makers_of
from flowcore.run.outcomes.sameness import Sameness
from flowcore.run.outcomes.skips import land_skip
from flowcore.run.outcomes.whenabouts import tell_lapse, times_of
from flowcore.run.ready.labels import repeated_label
from flowcore.run.ready.userclasses import current_classes, identified
from flowcore.run.ready.work import Work
from flowcore.run.told.advance import Progressed
from flowcore.run.told.arguments import arguments_told
from flowcore.run.told.chronicle import failure_facts
from flowcore.store.cache import Trace
from flowcore.store.durations import task_identity

_LOSSES = 2  # vanished inputs that a cell survives, before they come by the spool
_WEIGHT = 0.3  # of the newest cells in what a task's cells are expected to take
_LONGEST_DELAY = 300.0  # seconds between two attempts

Name = Callable[[int, int], str]  # node, number -> readable id of the cell


class Landing:
    """Takes results in, on the engine's thread.

    Parameters
    ----------
    books : Books
        The run's tables.
    name : callable
        Gives a cell's readable id, for messages.
    failed : callable
        Told when a cell has failed for good.
    printed : callable
        Told what cells print.
    progressed : callable
        Told how far loops over steps are, and their live numbers.
    warned : callable
        Told of a result that could not be kept, once a task, and of what workers found out.
    sameness : Sameness
        What results are compared with.
    """

    def __init__(
        self,
        books: Books,
        *,
        name: Name,
        failed: Callable[[CellFailure], None],
        printed: Callable[[int, int, Printed], None],
        warned: Callable[[NotStorable | FileChanged | Warned], None],
        progressed: Progressed,
        sameness: Sameness,
    ) -> None:
        self.books = books
        self.name = name
        self._failed = failed
        self._printed = printed
        self._warned = warned
        self._progress = progressed
        self._told: set[int | str] = set()  # tasks whose results were said not to be storable, files that changed
        self.stopping = False
        self.sameness = sameness
        self.doubles = Doubles(books, name)
        self._landed: list[tuple[Batch, Trace]] = []  # values that are not written down yet

    def take(self, *results: Result) -> None:
        """Take results in; all values of a row of them are written down together."""
        for result in results:
            if isinstance(result, Done):
                self._done(result)
            else:
                self._commit()
                self._take(result)
        self._commit()

    def _take(self, result: Result) -> None:
        """Take in what is no value."""
        match result:
            case Interrupted():
                self._interrupted(result.attempts)
            case Warned():
                self._warned(result)
            case Metric():
                self._progressed(result)
            case Printed():
                if (flight := self.books.attempts.get(result.attempt)) is not None:
                    self._printed(*flight.cell(result.attempt), result)
            case Failed() | Skipped() | Lost() | Died() | TimedOut():
                if (flight := self.end(result.attempt)) is not None:
                    self._without_value(result, flight)

    # ---- values ----------------------------------------------------------------------

    def _done(self, done: Done) -> None:
        """Values, in columns; usually all of one flight."""
        table, attempts, components = self.books.attempts, done.attempts, done.components
        groups: dict[int, tuple[Flight, list[int]]] = {}
        for i, attempt in enumerate(attempts):
            flight = table.pop(attempt, None)
            if flight is None:
                continue
            group = groups.get(flight.first)
            if group is None:
                group = groups[flight.first] = flight, []
            group[1].append(i)
        ended = [(flight, places, flight.cells([attempts[i] for i in places])) for flight, places in groups.values()]
        for flight, places, offsets in ended:
            flight.note(offsets, [components[i] for i in places])
        kin: dict[int, list[tuple[Flight, list[int], list[int]]]] = {}
        for flight, places, offsets in ended:
            flight.identify(offsets)
            kin.setdefault(flight.batch.recipe.task.id, []).append((flight, places, offsets))
        for parts in kin.values():
            pieces, places = [landed(flight, at) for flight, _, at in parts], [i for _, at, _ in parts for i in at]
            for (flight, _, _), piece in zip(parts, pieces, strict=True):
                self._leave(flight, piece)
            batch, handed = merged(pieces), min(flight.began for flight, _, _ in parts)
            for some, at in apart(batch, places, self.books.refresh):
                self._land(some, done, at, handed)
            nodes = {done.attempts[i]: node for i, node in zip(places, batch.nodes, strict=True)}
            for attempt, path, kind in done.refusals:
                if attempt in nodes:
                    self._refused(self.books.works[nodes[attempt]], path, kind)

    def _land(self, batch: Batch, done: Done, places: Sequence[int], handed: float) -> None:
        """Keep the values at these places of a Done, of the cells of a batch."""
        recipe, books, numbers, keys = batch.recipe, self.books, batch.numbers, batch.keys
        seconds, peaks = [done.seconds[i] for i in places], [done.peaks[i] for i in places] if done.peaks else []
        self._learn(batch, seconds, peaks)
        work = books.works[batch.nodes[0]]  # of all of them, where the recipe is not shared
        if done.same or recipe.task.same is not None:
            self.sameness.settle(work, numbers, keys, done, places)
        if recipe.task.mode == "expand":
            self._expanded(work, numbers, [done.elements[i] for i in places])
            return
        vouched = self.vouched(work, numbers, keys)
        if not vouched:
            return
        records = [done.records[i] for i in places]
        books.gate.weigh(batch.nodes, records)
        own = [done.components[i] for i in places]
        classes: list[list[tuple[str, bytes]]] = []
        if done.classes or recipe.task.mode == "item":
            classes = [self._classes(work, n, done, i) for n, i in zip(numbers, places, strict=True)]
        components = own
        if not all(own):
            cells = zip(own, batch.nodes, numbers, vouched, strict=True)
            components = [c or self.derived(node, n, k) for c, node, n, k in cells]
            own = [c if is_pickled(r) else o for o, c, r in zip(own, components, records, strict=True)]
        books.put_all(batch.nodes, numbers, records, components, classes)
        self.doubles.look(batch, vouched, own)
        kept = kept_under(vouched, done, places) if done.refusals else vouched
        trace = Trace(
            node=batch.nodes[0], nodes=[] if alike(batch.nodes) else batch.nodes, numbers=numbers, keys=kept,
            own=batch.own, components=own, records=records, seconds=seconds, peaks=peaks,
            classes=classes if any(classes) else [], refresh=batch.nodes[0] in books.refresh,
            times=times_of(done, places, handed, books.began),
        )  # fmt: skip
        self._landed.append((batch, trace))

    def _commit(self) -> None:
        """Write down what has landed, and only then let what needs it know."""
        fresh, self._landed = self._landed, []
        if not fresh:
            return
        books = self.books
        books.keep(*(trace for _, trace in fresh))
        for batch, _ in fresh:
            books.done(batch.nodes)
            for node, first, last in batch.stretches:
                books.schedule.done(node, batch.numbers[first:last])
            claims = None if batch.recipe.shared else books.works[batch.nodes[0]].claims
            if claims is not None:
                books.settle_states(claims, batch.numbers, batch.keys)
            if books.parked:
                for key, node, number in zip(batch.keys, batch.nodes, batch.numbers, strict=True):
                    settle_parked(books, key, (node, number))
            elif books.computing:
                for key in batch.keys:
                    books.computing.pop(key, None)

    def vouched(self, work: Work, numbers: Sequence[int], keys: list[bytes]) -> list[bytes]:
        """Give the keys that results may be kept under: empty ones if what the task tracks has changed (F32).

        None at all where such results had to be kept: then the cells have failed.
        """
        changed = work.watch.changed() if work.watch is not None else ""
        if not changed:
            return keys
        if work.keep != Keep.REQUIRED:
            self._refused(work, changed, CHANGED)
            return [b""] * len(keys)
        error = FileChanged(node=work.planned.name, path=changed, at=work.planned.node.site, refused=True)
        for number, key in zip(numbers, keys, strict=True):
            self._fail((work.number, number), error, Tries(), 0.0, key=key)
        return []

    def _progressed(self, told: Metric) -> None:
        flight = self.books.attempts.get(told.attempt)
        if flight is not None:
            self._progress(*flight.cell(told.attempt), told, last=self.stopping)

    def _learn(self, batch: Batch, seconds: Sequence[float], peaks: Sequence[int]) -> None:
        task, total = batch.recipe.task.id, sum(seconds)
        node = self.books.graph[batch.nodes[0]].node
        self.books.durations.learn(task_identity(node), len(seconds), total, peaks)
        mean, known = total / len(seconds), self.books.seconds.get(task)
        self.books.seconds[task] = mean if known is None else known + _WEIGHT * (mean - known)

    def _classes(self, work: Work, number: int, done: Done, i: int) -> list[tuple[str, bytes]]:
        """Give the user classes met in a value; a part of a value has those of the whole."""
        if work.task.mode == "item":
            return [c for node, n in work.feeders[0].origins(number) for c in self.books.values.classes(node, n)]
        return current_classes(done.classes[i]) if done.classes else []

    def derived(self, node: int, number: int, key: bytes) -> bytes:
        """Give what consumers of a value without identity are keyed by (contract K3)."""
        self.books.values.nameless.add((node, number))
        if key:
            return combine("derived", [key])
        return combine("unkeyed", [self.books.run_id.encode(), str(node).encode(), str(number).encode()])

    def _expanded(
        self, work: Work, numbers: Sequence[int], elements: Sequence[list[tuple[bool, bytes, bytes]]]
    ) -> None:
        """The elements that a dynamic axis runs over: its rows have their lengths now."""
        node, books = work.number, self.books
        for number, row in zip(numbers, elements, strict=True):
            trouble = repeated_label(work.planned, row)
            if trouble is not None:
                self._fail((node, number), trouble, Tries(), 0.0)
                continue
            classes = [c for n, m in work.feeders[0].origins(number) for c in books.values.classes(n, m)]
            if not all(component for _, _, component in row):
                books.values.nameless.add((node, number))
            whole = work.feeders[0].components([number], books.values)[0]
            books.values.put_elements(node, number, identified(row, whole, classes))
            books.schedule.expand(node, number, len(row))
            books.cache.rows(node, number, len(row), books.values.labels(node, number))
            books.count(node).done += 1
            books.schedule.done(node, [number])

    def _refused(self, work: Work, path: str, kind: str) -> None:
        """Say once a task that its results cannot be kept (contract E8), and once a file that it changed (F32)."""
        about: int | str = path if kind == CHANGED else work.task.id
        if work.keep == Keep.PASS_ON or about in self._told:
            return
        self._told.add(about)
        node, at = work.planned.name, work.planned.node.site
        if kind == CHANGED:
            self._warned(FileChanged(node=node, path=path, at=at))
        else:
            self._warned(NotStorable(node=node, path=path, kind=kind, at=at))

    # ---- anything else ---------------------------------------------------------------

    def _without_value(self, result: Failed | Skipped | Lost | Died | TimedOut, flight: Flight) -> None:
        """An attempt that gave no value: skip, try again, or fail."""
        cell = flight.cell(result.attempt)
        work = self.books.works[cell[0]]
        if isinstance(result, Skipped):
            for key in self.vouched(work, [cell[1]], [flight.key(result.attempt)]):
                land_skip(self.books, self.doubles, flight, result, key)
            release_parked(self.books, flight.key(result.attempt))
            return
        tries = self.books.tries.setdefault(cell, Tries())
        if isinstance(result, Lost):
            self._lost(cell, result.digest, tries, work, flight.key(result.attempt))
            return
        tell_lapse(self.books, flight, result)
        if isinstance(result, Failed) and result.input is not None and condemn(result, work, cell[1], self.books):
            release_parked(self.books, flight.key(result.attempt))
            return
        beside = bool(self.books.attempts)
        error, budget, used = charged(result, tries, work, cell=self.name(*cell), beside=beside)
        final = isinstance(result, Died) and result.final
        if lacked_memory(result):
            self.books.lacked(cell, result.peak if isinstance(result, Died) else 0)
        if used <= budget and not self.stopping and not final:
            self._again(flight, result.attempt, tries, crashed=isinstance(result, Died))
            return
        seconds = 0.0 if isinstance(result, Died) else result.seconds
        self._fail(cell, error, tries, seconds, key=flight.key(result.attempt))

    def _again(self, flight: Flight, attempt: int, tries: Tries, *, crashed: bool) -> None:
        """Let a cell be tried again, after a while if its task says so (exponential, with jitter)."""
        books = self.books
        backoff = 0.0 if crashed else flight.batch.recipe.options.backoff
        if not backoff:
            books.hand_back(flight, attempt)
            return
        exponent = max(0, tries.raised + tries.timed_out - 1)
        delay = min(backoff * 2.0**exponent, _LONGEST_DELAY) * random.uniform(0.5, 1.5)
        books.delayed += 1

        def due() -> None:
            books.delayed -= 1
            books.hand_back(flight, attempt)

        books.inbox.at(clock.monotonic() + delay, due)

    def _fail(
        self, cell: Cell, error: FlowcoreError | Failure, tries: Tries, seconds: float, *, key: bytes = b""
    ) -> None:
        """A cell has failed for good."""
        node, number = cell
        work = self.books.works.get(node)  # None: the node could not be made ready
        failure = CellFailure(
            node=node, number=number, attempts=max(1, tries.total), error=error, seconds=seconds,
            arguments=arguments_told(work, number, self.books.values) if work is not None else (),
        )  # fmt: skip
        self.books.failures.append(failure)
        self.books.count(node).failed += 1
        self.books.cache.failed(node, number, failure_facts(failure))
        self.books.values.drop(node, number)  # of an earlier time, if this cell was made again
        self.books.schedule.failed(node, [number])
        release_parked(self.books, key)
        self._failed(failure)

    def fail_all(self, node: int, numbers: Sequence[int], error: FlowcoreError | Failure) -> None:
        """Cells, taken and not started, that cannot run at all."""
        for number in numbers:
            self._fail((node, number), error, Tries(), 0.0)

    def _lost(self, cell: Cell, digest: bytes, tries: Tries, work: Work, key: bytes) -> None:
        """An input could not be read: whoever made it makes it again, and the cell waits (contract F25)."""
        books = self.books
        tries.lost += 1
        release_parked(self.books, key)  # what is made again may differ, and then so does this cell's key
        makers = makers_of(digest, work, cell[1], books)
        last = tries.lost > _LOSSES  # a store that loses values this often is not asked once more
        if not makers or tries.lost > _LOSSES + 1 or (last and not by_spool(makers, books)):
            error = ValueLost(cell=self.name(*cell), reason=f"its input {digest.hex()[:12]} cannot be read")
            self._fail(cell, error, tries, 0.0)
            return
        # The old record stays until the new one takes its place: cells that were judged by it and wait for an
        # executor are packed with it, find it gone in their turn, and come here to wait as well.
        books.remade = True
        for place, (node, number) in enumerate(makers):  # upstream first, so that each finds its own inputs unsettled
            books.schedule.lost(node, [number], by=cell if place == len(makers) - 1 else None)

    def _interrupted(self, attempts: Sequence[int]) -> None:
        """Attempts that were stopped, or never begun."""
        for attempt in attempts:
            if (flight := self.end(attempt)) is None:
                continue
            if self.stopping:
                node, number = flight.cell(attempt)
                self.books.schedule.interrupted(node, [number])
            else:  # an executor gave it back
                self.books.hand_back(flight, attempt)

    def end(self, attempt: int) -> Flight | None:
        """Take an attempt out of the table; None if it has ended already."""
        flight = self.books.attempts.pop(attempt, None)
        if flight is None:
            return None
        self._leave(flight, flight.batch.at([flight.place(attempt)]))
        return flight

    def _leave(self, flight: Flight, batch: Batch) -> None:
        """Attempts at these cells of a flight have ended."""
        self.books.started(batch.nodes, -1)
        self.books.gate.leave(flight, batch.nodes)
