r"""The loop that carries out a run.

::

    Schedule.ready -> keys -> cache.judge -- Hit ---------------------------> Schedule.done
                                 \- Miss -> backlog -> executor -> inbox -> journal -> Schedule.done

The engine's thread runs :meth:`Engine.run` and is the only one that touches the
schedule, the journal and the books. Executors post results to the inbox from any
thread; the loop waits there and nowhere else. A value is journalled before its cell is
done, so a crash loses at most what was in flight (contract F1).

Everything goes in batches of cells of one node. What is ready is keyed and judged a
little ahead of what the executors take, so that a warm run flows through without them
and a cold one never waits for a key.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from flowcore import clock
from flowcore.errors import FlowcoreError, FlowcoreWarning, MissingFile, NotPicklable
from flowcore.notices import notice
from flowcore.plan.encode import BadRecord, NoEncoding, ValueGone, find_class
from flowcore.plan.order import later
from flowcore.plan.records import combine
from flowcore.plan.stations import BROKEN
from flowcore.run.blame import fed, spared
from flowcore.run.books import Books
from flowcore.run.choice import RESULT, chosen, side_of, truth
from flowcore.run.columns import joined
from flowcore.run.crew import Crew
from flowcore.run.devices import check_devices
from flowcore.run.failure import describe
from flowcore.run.flight import Backlog, Batch, Flight
from flowcore.run.grown import Grown
from flowcore.run.growth import Growths
from flowcore.run.job import Died, Interrupted, Job, Keep, Record
from flowcore.run.landing import Landing
from flowcore.run.parking import BEATS, Parking
from flowcore.run.preparing import prepare
from flowcore.run.repeats import Repeats
from flowcore.run.skips import answer_skips
from flowcore.run.trust import Trust
from flowcore.run.values import Classes
from flowcore.run.work import Work
from flowcore.store.cache import VALUE_GONE, Hit, Miss
from flowcore.store.trace import NO_KEY

_BATCH = 512  # cells keyed and judged together
_GRACE = 2.0  # seconds that running cells have to finish once a run is interrupted
GRACE_TO_SAVE = 30.0  # seconds that those have which save their state, at the end of a step
_AHEAD = 1024  # judged cells of a node that may wait for an executor

Ending: TypeAlias = Literal["stop", "cancel"]
Given: TypeAlias = Mapping[int, Sequence[tuple[Record, bytes, Classes]]]  # node -> record, component, classes a cell


class Engine:
    """Carries out one run, on the thread that calls :meth:`run`.

    Parameters
    ----------
    books : Books
        The run's tables; its schedule has the nodes, and what is wanted.
    crew : Crew
        Who carries cells out.
    landing : Landing
        What becomes of results.
    growths : Growths
        What becomes of flows that tasks return; has what preparing a node needs.
    given : mapping
        Values that the user supplies in place of computed ones.
    trust : Trust
        Nodes whose older results count although their code has changed.
    tick : callable
        Called about as often as something happens, for progress.
    """

    def __init__(
        self, books: Books, *, crew: Crew, landing: Landing, growths: Growths, given: Given, trust: Trust,
        tick: Callable[[], None],
    ) -> None:  # fmt: skip
        self._books = books
        self._crew = crew
        self._surround = growths.surround
        self._landing = landing
        self._growths = growths
        self._given = given
        self._trust = trust
        self._tick = tick
        self._parking = Parking(books, landing, growths)
        self._beats = 0
        self._backlog = Backlog()
        self._repeats = Repeats(landing.name)
        self._ids = itertools.count(1)
        self._ending: Ending | None = None
        self._late = False  # whether the grace is over for all but those that still have to save

    # ---- from any thread -------------------------------------------------------------

    def interrupt(self) -> None:
        """Begin no further cell; what does not finish within the grace is ended. Any thread."""
        self._crew.hurry()
        self._books.inbox.call(self._interrupt)

    def cancel(self) -> None:
        """End what runs. Any thread."""
        self._books.inbox.call(lambda: self.end("cancel"))

    # ---- the engine's thread ---------------------------------------------------------

    def run(self) -> None:
        """Carry the run to its end, whatever that is."""
        books = self._books
        books.inbox.at(clock.monotonic() + BEATS[0], self._beat)
        try:
            while True:
                if self._ending is None:
                    self._advance()
                books.release()
                self._tick()
                if self._over():
                    return
                for result in joined(books.inbox.wait()):
                    self._growths.take(result) if isinstance(result, Grown) else self._landing.take(result)
                if self._late and not self._saving():
                    self.end("cancel")
                for lane in self._crew.broken():
                    self._rescue(lane)
        finally:
            self._crew.close()

    def end(self, how: Ending) -> None:
        """Stop, or cancel; once cancelled, a run stays so."""
        if self._ending in ("cancel", how):
            return
        self._ending = how
        self._landing.stopping = True
        for executor in self._crew.made():
            executor.stop() if how == "stop" else executor.cancel()

    def _interrupt(self) -> None:
        self.end("stop")
        now = clock.monotonic()
        self._books.inbox.at(now + _GRACE, self._be_late)
        self._books.inbox.at(now + GRACE_TO_SAVE, lambda: self.end("cancel"))

    def _be_late(self) -> None:
        self._late = True

    def _saving(self) -> bool:
        """Tell whether a cell that keeps its state is still on its way to the end of a step."""
        flights = {id(flight): flight for flight in self._books.attempts.values()}
        return any(flight.batch.work.claims is not None for flight in flights.values())

    def _over(self) -> bool:
        if self._books.attempts:
            return False
        return self._ending is not None or (self._books.schedule.finished and not self._books.delayed)

    def _advance(self) -> None:
        """Judge what is ready, start what has to run, until neither gives anything more."""
        schedule = self._books.schedule
        while self._ending is None:
            judged = [self._judge(lane) for lane in schedule.lanes()]
            started = [self._start(lane) for lane in later(self._backlog.lanes())]
            if not any(judged) and not any(started):
                return

    def _rescue(self, lane: str) -> None:
        """Carry on without the executor of a lane, but for cells that have killed a worker (contract F35)."""
        reason, jobs = self._crew.replace(lane)
        notice(FlowcoreWarning(f"no {lane} can be had ({reason}): cells run in this process"))
        for job in jobs:
            for i, attempt in enumerate(job.attempts):
                flight = self._books.attempts[attempt]
                tries = self._books.tries.get((flight.batch.work.number, job.numbers[i]))
                if tries is not None and (tries.crashed or tries.lacked):
                    self._landing.take(Died(attempt=attempt, cause=f"no worker can be had: {reason}", final=True))
                elif self._ending is not None:
                    self._landing.take(Interrupted(attempts=[attempt]))
                else:
                    self._crew.get(lane).start(job.part(i, i + 1))

    def _beat(self) -> None:
        """Write down now and then that the run lives, and what waits for company (contract J8, T2)."""
        self._books.cache.beat(self._parking.facts())
        self._beats += 1
        self._books.inbox.at(clock.monotonic() + BEATS[min(self._beats, len(BEATS) - 1)], self._beat)

    # ---- judging ---------------------------------------------------------------------

    def _judge(self, lane: str) -> bool:
        """Take up one batch of ready cells of a lane; False if there is none, or enough are waiting."""
        schedule = self._books.schedule
        found = schedule.ready(lane)
        if found is None:
            return False
        node, _ = found
        if self._backlog.waiting(node) >= _AHEAD:
            schedule.pause(node)
            return True
        numbers = schedule.take(node, _BATCH)
        if self._books.condemned and not (numbers := spared(node, numbers, self._books, self._landing.fail_all)):
            return True
        if self._books.growths and not (numbers := self._growths.settle(node, numbers)):
            return True
        if node in self._given:
            self._supply(node, numbers)
            return True
        work = self._work(node, numbers)
        if work is None:
            return True
        if work.draws:
            self._repeats.look(work, numbers, self._books.values)
        if work.lane == "engine":
            for number in numbers:
                self._choose(work, number)
        elif work.keys is None:
            self._wait(Batch(work=work, numbers=numbers, keys=[b""] * len(numbers), own=[]))
        else:
            lacking = work.lacking(numbers, self._failed)
            if lacking:  # what is made without the failed cells is never kept
                self._wait(Batch(work=work, numbers=lacking, keys=[b""] * len(lacking), own=[]))
                numbers = [n for n in numbers if n not in set(lacking)]
            if numbers:
                self._answer(work, numbers)
        return True

    def _failed(self, node: int, number: int) -> bool:
        return self._books.schedule.state(node, number) in BROKEN

    def _work(self, node: int, numbers: Sequence[int]) -> Work | None:
        """Give the node made ready; if that fails, its cells do."""
        work = self._books.works.get(node)
        if work is not None:
            return work
        planned = self._books.graph[node]
        try:
            check_devices(planned.node, self._books.gate.gpus)  # of one that grew in mid-run
            work = prepare(planned, self._surround)
        except NotPicklable as error:  # from deep below, where nodes are not known
            error.node, error.at = planned.name, planned.node.site
            self._landing.fail_all(node, numbers, error)
            return None
        except FlowcoreError as error:
            self._landing.fail_all(node, numbers, error)
            return None
        except NoEncoding as refused:
            trouble = NotPicklable(node=planned.name, path=refused.path, kind=refused.kind, at=planned.node.site)
            self._landing.fail_all(node, numbers, trouble)
            return None
        except Exception as error:  # noqa: BLE001 - user code runs here: codecs, __reduce__, properties of globals
            self._landing.fail_all(node, numbers, describe(error))
            return None
        self._books.hold((*work.held, *work.task.buffers))
        self._books.works[node] = work
        self._books.cache.node(node, work.facts())
        return work

    def _answer(self, work: Work, numbers: list[int]) -> None:
        """Key cells; hits are done, equal ones park, the rest has to run."""
        books, node = self._books, work.number
        keys, own = work.keyed(numbers, books.values)
        fresh = books.fresh(node, numbers)
        answers = books.cache.judge(keys, younger_than=work.answers_for, fresh=fresh)
        if node in self._trust and fresh is None:
            self._trust.judge(work, numbers, keys, own, answers, books.cache)
        found = [answer for answer in answers if isinstance(answer, Hit)]
        hits = [i for i, answer in enumerate(answers) if isinstance(answer, Hit)]
        misses = [i for i, answer in enumerate(answers) if isinstance(answer, Miss)]
        if len(hits) + len(misses) < len(answers):
            answer_skips(books, node, numbers, keys, answers)
        if any(answer is VALUE_GONE for answer in answers):
            books.vanished.add(node)
        if hits:
            books.put_hits(node, [numbers[i] for i in hits], found)
            books.count(node).hit += len(hits)
            books.cache.hits(node, [numbers[i] for i in hits], [keys[i] for i in hits])
            if work.claims is not None and not work.claims.stays:
                for i in hits:  # whoever made it may have been killed before it could remove them
                    books.cache.settled(keys[i])
            books.schedule.done(node, [numbers[i] for i in hits])
        if misses and work.keep == Keep.REQUIRED and (refusal := books.cache.refusal()) is not None:
            refusal.did = 'These cells did not run: their task says cache="required".'
            self._landing.fail_all(node, [numbers[i] for i in misses], refusal)
            return
        misses = self._parking.leaders(node, numbers, keys, misses)
        if misses:
            books.sourcing.tell(work)
            picked = [column if len(column) == 1 else [column[i] for i in misses] for column in own]
            self._wait(
                Batch(work=work, numbers=[numbers[i] for i in misses], keys=[keys[i] for i in misses], own=picked)
            )

    def _wait(self, batch: Batch) -> None:
        node, gate = batch.work.number, self._books.gate
        gate.wait(node, len(batch.numbers))
        for part in gate.parted(batch) if gate.alone else (batch,):
            self._backlog.add(batch.work.lane, self._books.schedule.rank(node), part)

    def _supply(self, node: int, numbers: Sequence[int]) -> None:
        """Cells whose value the user gave."""
        for number in numbers:
            self._books.put(node, number, *self._given[node][number])
        self._books.note(node, numbers)
        self._books.schedule.done(node, numbers)

    def _choose(self, work: Work, number: int) -> None:
        """A choice whose condition is known falls on a branch; one whose branch is done has its value."""
        books, node, codec = self._books, work.number, self._surround.codec
        side = side_of(work, number, books.schedule)
        try:
            if side is None:
                books.schedule.chose(node, number, 0 if truth(work, number, books.values, codec) else 1)
                return
            record, component, classes = chosen(work, number, side, books.values, codec)
        except (ValueGone, BadRecord, NoEncoding, MissingFile, TypeError, ValueError) as error:
            self._landing.fail_all(node, [number], describe(error))
            return
        derived = combine("chosen", [books.run_id.encode(), str(node).encode(), str(number).encode()])
        if not component:
            books.values.nameless.add((node, number))
        books.put(node, number, record, component or derived, classes)
        if side != RESULT:  # that is the value of the cell that grew, and written down as such
            books.note(node, [number])
        books.count(node).done += 1
        books.schedule.done(node, [number])

    # ---- starting --------------------------------------------------------------------

    def _start(self, lane: str) -> bool:
        """Hand waiting cells to a lane's executor, as many as it takes; tell whether it took any."""
        executor = self._crew.get(lane)
        share = self._parking.look()
        started = False
        for node in self._backlog.nodes(lane):
            while self._backlog.waiting(node):
                front = self._backlog.front(node)
                self._books.gate.meet(front.work)
                most = executor.room(front.work.task, self._backlog.waiting(node))
                if most <= 0:
                    return started  # the executor is full, for whatever comes
                room = self._books.gate.room(front.work, front.numbers, most)
                if room <= 0:
                    break
                taken = self._backlog.take(lane, node, room, share=share)
                self._books.gate.wait(node, -len(taken.numbers))
                batch = fed(taken, self._books, self._landing.release_parked)
                batch = self._parking.sift(batch) if batch is not None else None
                if batch is not None and not (self._books.remade and self._outdated(batch)):
                    executor.start(self._job(batch))
                started = True
                if self._backlog.waiting(node) < _AHEAD // 2:
                    self._books.schedule.pause(node, False)
        return started

    def _outdated(self, batch: Batch) -> bool:
        """Tell whether inputs were made again and differ since these cells were keyed; then they are keyed anew."""
        work, books = batch.work, self._books
        if work.keys is None or work.own_components(batch.numbers, books.values) == batch.own:
            return False
        for key in batch.keys:
            self._landing.release_parked(key)
        books.schedule.again(work.number, batch.numbers)
        return True

    def _job(self, batch: Batch) -> Job:
        books, work, numbers = self._books, batch.work, batch.numbers
        first = next(self._ids)
        attempts = [first, *itertools.islice(self._ids, len(numbers) - 1)]
        flight = Flight(batch=batch, first=first, began=clock.monotonic())
        books.gate.enter(work, flight)
        books.attempts.update(dict.fromkeys(attempts, flight))
        books.count(work.number).started += len(numbers)
        books.schedule.started(work.number, numbers)
        supplies = {k: source.column(numbers, batch.keys, books.values) for k, source in work.supplies.items()}
        if work.claims is not None:
            taken = work.claims.taken
            books.cache.checkpoints(work.number, numbers, [taken.get(number, NO_KEY) for number in numbers])
        return Job(
            task=work.task, attempts=attempts, numbers=numbers, names=[work.planned.name],
            columns=work.columns(numbers, books.values), seconds=books.seconds.get(work.task.id, 0.0),
            modules=self._modules(work),
            supplies=supplies, canon=self._landing.sameness.column(work, numbers),
        )  # fmt: skip

    def _modules(self, work: Work) -> tuple[str, ...]:
        """Give the modules of user classes that may be met: only those that are imported here."""
        names = self._books.values.class_names.union(work.classes)
        kinds = [kind for kind in map(find_class, names) if kind is not None]
        return tuple(sorted({kind.__module__ for kind in kinds} - {"__main__"}))
