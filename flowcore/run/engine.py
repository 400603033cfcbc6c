r"""The loop that carries out a run.

::

    Schedule.ready -> keys -> cache.judge -- Hit ---------------------------> Schedule.done
                                 \- Miss -> backlog -> executor -> inbox -> journal -> Schedule.done

The engine's thread runs :meth:`Engine.run` and is the only one that touches schedule,
journal and books. Executors post results to the inbox from any thread; the loop waits
there and nowhere else. A value is journalled before its cell is done (contract F1).

Everything goes in batches. What is ready is judged ahead of what the executors take.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from flowcore import clock
from flowcore.collector import at_rest
from flowcore.errors import FlowcoreError, FlowcoreWarning, NotPicklable
from flowcore.notices import notice
from flowcore.plan.encode import NoEncoding
from flowcore.plan.order import later
from flowcore.plan.states import BROKEN
from flowcore.run.books import Books
from flowcore.run.cell.failure import describe
from flowcore.run.columns import joined
from flowcore.run.crew import Crew
from flowcore.run.flight import Backlog, Batch, Flight
from flowcore.run.growing.grown import Grown
from flowcore.run.growing.growth import Growths
from flowcore.run.job import Died, Interrupted, Job, Keep, Record
from flowcore.run.outcomes.blame import spared
from flowcore.run.outcomes.choice import choose
from flowcore.run.outcomes.equals import release_answered
from flowcore.run.outcomes.landing import Landing
from flowcore.run.outcomes.parking import BEATS, Parking
from flowcore.run.outcomes.skips import answer_skips
from flowcore.run.ready.loading import columns, keyed, modules, names, supplied, unkeyed
from flowcore.run.ready.preparing import prepare, unkept
from flowcore.run.ready.repeats import Repeats
from flowcore.run.ready.trust import Trust
from flowcore.run.ready.values import Classes
from flowcore.run.ready.work import Work
from flowcore.run.rides.riding import Riding
from flowcore.run.rides.taking import AHEAD, Taking
from flowcore.run.told.chronicle import tell_ready
from flowcore.store.cache import VALUE_GONE, Answer, Hit, Miss
from flowcore.store.trace import NO_KEY

_BATCH = 512  # cells keyed and judged together
_GRACE = 2.0  # seconds that running cells have to finish once a run is interrupted
GRACE_TO_SAVE = 30.0  # seconds that those have which save their state, at the end of a step

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
        self._parking = Parking(books, growths)
        self._beats = 0
        self._backlog = Backlog()
        self._taking = Taking(books, self._backlog, self._parking)
        self._repeats = Repeats(landing.name)
        self._ids = itertools.count(1)
        self._ready: list[Work] = []  # made ready, and not written down yet
        self._told: set[int] = set()  # recipes that are, by their tasks
        self._riding = Riding(books, trust, ids=self._ids, prepared=self._work, ready=self._ready, told=self._told)
        self._without: dict[str, str] = {}  # lanes without their executor, and why
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
                books.cache.open()  # others compute meanwhile
                results = joined(books.inbox.wait())
                with at_rest:
                    self._landing.take(*(result for result in results if not isinstance(result, Grown)))
                for grown in [result for result in results if isinstance(result, Grown)]:
                    self._growths.take(grown)
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
        nodes = {flight.batch.nodes[0] for flight in self._books.attempts.values() if not flight.batch.recipe.shared}
        return any(self._books.works[node].claims is not None for node in nodes)

    def _over(self) -> bool:
        if self._books.attempts:
            return False
        return self._ending is not None or (self._books.schedule.finished and not self._books.delayed)

    def _advance(self) -> None:
        """Judge what is ready, start what has to run, until neither gives anything more."""
        schedule = self._books.schedule
        while self._ending is None:
            with at_rest:
                judged = [self._judge(lane) for lane in schedule.lanes()]
            started = [self._start(lane) for lane in later(self._backlog.lanes())]
            if not any(judged) and not any(started):
                return

    def _rescue(self, lane: str) -> None:
        """Carry on without the executor of a lane."""
        reason, jobs = self._crew.replace(lane)
        self._without[lane] = f"no worker can be had: {reason}"
        notice(FlowcoreWarning(f"no {lane} can be had ({reason}): cells run in this process"))
        self._start_here(lane, jobs)

    def _start_here(self, lane: str, jobs: Sequence[Job]) -> None:
        """Have cells of a lane without its executor run in this process, but for who has killed a worker (F35)."""
        for attempt, part in [(job.attempts[i], job.part(i, i + 1)) for job in jobs for i in range(len(job.attempts))]:
            tries = self._books.tries.get(self._books.attempts[attempt].cell(attempt))
            if tries is not None and (tries.crashed or tries.lacked):
                self._landing.take(Died(attempt=attempt, cause=self._without[lane], final=True))
            elif self._ending is not None:
                self._landing.take(Interrupted(attempts=[attempt]))
            else:
                self._crew.get(lane).start(part)

    def _beat(self) -> None:
        """Write down now and then that the run lives, and what waits for company (contract J8, T2)."""
        self._books.cache.beat(self._parking.facts())
        self._beats += 1
        self._books.inbox.at(clock.monotonic() + BEATS[min(self._beats, len(BEATS) - 1)], self._beat)

    # ---- judging ---------------------------------------------------------------------

    def _judge(self, lane: str) -> bool:
        """Take up ready cells of a lane; False if there are none, or enough are waiting."""
        taken = self._books.schedule.take_first(lane, _BATCH)
        kin: dict[int, list[tuple[Work, list[int]]]] = {}
        for node, numbers in taken:
            found = self._take_up(node, numbers)
            if found is not None:
                kin.setdefault(found[0].task.id, []).append(found)
        if self._ready:
            tell_ready(self._books.cache, self._ready, self._told)
            self._ready.clear()
        for cells in kin.values():
            self._answer(keyed(cells, self._books.values))
        return bool(taken)

    def _take_up(self, node: int, numbers: list[int]) -> tuple[Work, list[int]] | None:
        """See to cells that the store is not asked for; give the others, with their node made ready."""
        if self._books.condemned:
            numbers = spared(node, numbers, self._books, self._landing.fail_all)
        if self._books.growths:
            numbers = self._growths.settle(node, numbers)
        if node in self._given:
            self._supply(node, numbers)
            return None
        work = self._work(node, numbers) if numbers else None
        if work is None:
            return None
        if work.draws:
            self._repeats.look(work, numbers, self._books.values)
        if work.lane == "engine":
            for number in numbers:
                choose(work, number, self._books, self._surround.codec, self._landing.fail_all)
            return None
        lacking = set(numbers if work.keys is None else work.lacking(numbers, self._failed))
        if lacking:  # what is made without the failed cells is never kept
            self._wait(unkeyed(work, [n for n in numbers if n in lacking]))
            numbers = [n for n in numbers if n not in lacking]
        return (work, numbers) if numbers else None

    def _failed(self, node: int, number: int) -> bool:
        return self._books.schedule.state(node, number) in BROKEN

    def _work(self, node: int, numbers: Sequence[int]) -> Work | None:
        """Give the node made ready; if that fails, its cells do."""
        work = self._books.works.get(node)
        if work is not None:
            return work
        planned = self._books.graph[node]
        try:
            self._books.gate.check_devices(planned.node)  # of one that grew in mid-run
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
        self._books.take_up(work)
        self._ready.append(work)
        return work

    def _answer(self, batch: Batch) -> None:
        """Ask for keyed cells; hits are done, equal ones park, the rest has to run."""
        books, recipe = self._books, batch.recipe
        fresh = books.fresh(batch.nodes, batch.numbers)
        answers = books.cache.judge(batch.keys, younger_than=recipe.answers_for, fresh=fresh)
        self._vouch(batch, answers)
        found = {i: answer for i, answer in enumerate(answers) if isinstance(answer, Hit)}
        misses = [i for i, answer in enumerate(answers) if isinstance(answer, Miss)]
        if len(found) + len(misses) < len(answers):
            answer_skips(books, batch, answers)
        books.vanished.update(batch.nodes[i] for i in misses if answers[i] is VALUE_GONE)
        if found:
            self._found(batch.at(list(found)) if len(found) < len(answers) else batch, list(found.values()))
        if books.computing and len(misses) < len(answers):
            release_answered(books, batch.keys, answers)
        if misses and recipe.keep == Keep.REQUIRED and (refusal := books.cache.refusal()) is not None:
            refusal.did = 'These cells did not run: their task says cache="required".'
            for i in misses:
                self._landing.fail_all(batch.nodes[i], [batch.numbers[i]], refusal)
            return
        misses = self._parking.leaders(batch, misses)
        if misses:
            books.sourcing.tell(recipe)
            self._wait(batch.at(misses) if len(misses) < len(answers) else batch)

    def _vouch(self, batch: Batch, answers: list[Answer]) -> None:
        """Let what older code gave answer where the user trusts it."""
        for node, first, last in batch.stretches:
            if node in self._trust and node not in self._books.refresh:
                keys, found = batch.keys[first:last], answers[first:last]
                own = [column if len(column) == 1 else column[first:last] for column in batch.own]
                self._trust.judge(
                    self._books.works[node], batch.numbers[first:last], keys, own, found, self._books.cache
                )
                batch.keys[first:last], answers[first:last] = keys, found

    def _found(self, batch: Batch, hits: list[Hit]) -> None:
        """Take up cells that the store answers."""
        books = self._books
        books.put_hits(batch.nodes, batch.numbers, hits)
        books.cache.hits(batch.nodes, batch.numbers, batch.keys)
        claims = None if batch.recipe.shared else books.works[batch.nodes[0]].claims
        if claims is not None and not claims.stays:
            for key in batch.keys:  # whoever made it may have been killed before it could remove them
                books.cache.settled(key)
        for node, first, last in batch.stretches:
            books.count(node).hit += last - first
            books.schedule.done(node, batch.numbers[first:last])

    def _wait(self, batch: Batch) -> None:
        schedule, gate = self._books.schedule, self._books.gate
        gate.wait(batch.nodes)
        for part in gate.parted(batch):
            self._backlog.add(schedule.rank(part.nodes[0]), part)
        for node, first, last in batch.stretches:
            if last - first > 1 and self._backlog.waiting(node) >= AHEAD:
                schedule.pause(node)

    def _supply(self, node: int, numbers: Sequence[int]) -> None:
        """Cells whose value the user gave."""
        for number in numbers:
            self._books.put(node, number, *self._given[node][number])
        self._books.note(node, numbers)
        self._books.schedule.done(node, numbers)

    # ---- starting --------------------------------------------------------------------

    def _start(self, lane: str) -> bool:
        """Hand waiting cells to a lane's executor, as many as it takes; tell whether it took any."""
        executor = self._crew.get(lane)
        share = self._parking.look()
        started = False
        queues = self._backlog.queues(lane, self._books.first())
        for queue in queues:
            while queue.cells:
                work = self._books.works[queue.front.nodes[0]]
                self._books.gate.meet(work)
                beside = self._riding.beside(queue, queues, executor)
                ready = queue.cells + math.ceil(sum(other.cells * worth for other, worth in beside))
                most = executor.room(work.task, ready)
                if most <= 0:
                    return started  # the executor is full, for whatever comes
                room = self._books.gate.room(work, queue.front, -(-most * queue.cells // ready))
                if room <= 0:
                    break
                shares = [(other, most * other.cells // ready) for other, _ in beside]
                batch = self._taking.take(queue, room, share)
                if batch is not None:
                    along = [self._taking.take(other, count, share) for other, count in shares if count]
                    jobs = [self._job(one) for one in (batch, *along) if one is not None]
                    if lane in self._without:
                        self._start_here(lane, jobs)
                    else:
                        self._crew.hand_over(lane, self._riding.load(jobs[0], executor, jobs[1:]))
                started = True
        return started

    def _job(self, batch: Batch) -> Job:
        books, recipe, numbers = self._books, batch.recipe, batch.numbers
        attempts = list(itertools.islice(self._ids, len(numbers)))
        flight = Flight(batch=batch, first=attempts[0], began=clock.monotonic())
        books.gate.enter(flight)
        books.attempts.update(dict.fromkeys(attempts, flight))
        cells = [(books.works[node], slice(begin, end)) for node, begin, end in batch.stretches]
        books.started(batch.nodes)
        for work, at in cells:
            books.schedule.started(work.number, numbers[at])
        supplies = supplied(cells, batch, books.values)
        only = cells[0][0]  # where the recipe is not shared
        if only.claims is not None:
            taken = only.claims.taken
            books.cache.checkpoints(only.number, numbers, [taken.get(number, NO_KEY) for number in numbers])
        return Job(
            task=unkept(recipe.task) if batch.spooled else recipe.task,
            attempts=attempts, numbers=numbers, names=names(cells),
            columns=columns(cells, batch, books.values), seconds=books.seconds.get(recipe.task.id, 0.0),
            modules=modules(only, books.values),
            supplies=supplies, canon=self._landing.sameness.column(only, numbers) if not recipe.shared else [],
            keys=books.open_keys(batch.nodes, numbers, batch.keys) if recipe.answers_for is None else [],
        )  # fmt: skip
