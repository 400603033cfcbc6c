"""The soak itself: keeps runs going on one store, strikes them and it, and holds each run to its oracle.

One thread. A run is a process in a session of its own, with a token in its environment that
its launcher and workers inherit. What is known of the store is read from its raw files
before a run begins; what is done to the store while it goes on is noted, so that every
run that ends by itself can be judged: its values are those of the oracle, and of what was
recorded nothing runs again. A key belongs to one computation for ever.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.faults import driver, inside
from tests.soak import damage
from tests.soak.chance import Chance
from tests.soak.judging import Judge, Live, lines_of
from tests.soak.plan import Plan, Strike
from tests.soak.project import Project
from tests.soak.score import Score
from tests.soak.shelf import Shelf
from tests.soak.strikes import hit
from tests.vocabulary import COUNTER, DOZE, NAP, STREAMS

RUNS_OF_A_PROJECT = 14  # then another one takes its place
QUIET_EVERY = 15  # runs between two moments at which nobody looks
AUDIT_EVERY = 7  # quiet moments between two audits
DEADLINE = 90.0  # seconds; only turns a hang into a mistake
_MOST = {"fs": 600, "record": 12, "message": 20, "worker": 40, "seconds": 120}
_LOOK = 0.05


class Soak:
    """One soak.

    Parameters
    ----------
    folder : Path
        Where everything lies.
    seed : int
        Equal ones begin equally; what happens when is up to the machine.
    slots : int
        Runs at once.
    projects : int
        Projects that runs are of.
    sabotage : str
        Breaks flowcore in every run: the negative control.
    tell : callable
        Takes each mistake, when it is made.
    """

    def __init__(
        self, folder: Path, *, seed: int, slots: int = 4, projects: int = 6, sabotage: str = "",
        tell: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.folder = folder
        self.store = folder / "store"
        (folder / "streams").mkdir()
        self.seed, self.slots, self.sabotage, self._tell = seed, slots, sabotage, tell
        self.chance = Chance(f"{seed}")
        self.score = Score()
        self.shelf = Shelf(self.store)
        self.judge = Judge(self.store, self.shelf, self.score)
        self.projects = [self._project(number) for number in range(projects)]
        self.live: list[Live] = []
        self._keeper: tuple[subprocess.Popen[bytes], str, float, Path] | None = None
        self._evicted_at = 0.0  # when something was given up last
        self._ghosts: dict[str, tuple[int, float]] = {}  # token of a run that is over -> number, since when
        self._spools: set[str] = set()
        self._before = driver.spools()
        self._quiets = 0

    # ---- the loop --------------------------------------------------------------------

    def go_on(self, more: Callable[[], bool]) -> None:
        """Run until there is to be no more, and audit what is left; after a mistake, all stays as it is."""
        while more():
            if self.score.counts["runs"] % QUIET_EVERY == QUIET_EVERY - 1:
                self._quiet()
            while len(self.live) < self.slots:
                self._begin(self._plan_of(self.score.counts["runs"]))
            self._turn()
        self._drain()
        if not self.score.mistakes:
            self._audit()

    def _turn(self) -> None:
        """Wait a little; take in what ended, and do what is due."""
        ready, _, _ = select.select([live.pidfd for live in self.live], [], [], _LOOK)
        now = time.monotonic()
        for live in [*self.live]:
            for due, strike in [*live.timed]:
                if now >= due:
                    live.timed.remove((due, strike))
                    self._hit(live, strike)
            if live.pidfd in ready:
                self._ended(live)
            elif now - live.began > DEADLINE:
                self._hangs(live)
        if self.chance.often(0.02):
            self._damage(damage.AT_ANY_TIME)
        if self.chance.often(0.02):
            self._edit_under_a_run()
        self._keep(now)
        self._look_for_ghosts(now)

    def _drain(self) -> None:
        """Wait until nobody runs."""
        while self.live or self._keeper or self._ghosts:
            self._turn()

    def _quiet(self) -> None:
        """Do what is only done while nobody looks."""
        self._drain()
        self._quiets += 1
        if self._quiets % AUDIT_EVERY == 0:
            self._audit()
        for _ in range(self.chance.random.randint(0, 8)):
            self._damage(damage.WHILE_NOBODY_LOOKS)
        place = self.chance.random.randrange(len(self.projects))
        if self.projects[place].runs > RUNS_OF_A_PROJECT:
            self.projects[place] = self._project(self.score.counts["runs"] + len(self.projects))

    # ---- runs ------------------------------------------------------------------------

    def _project(self, number: int) -> Project:
        return Project.begin(self.folder / f"project-{number}", Chance(f"{self.seed} project {number}"))

    def _plan_of(self, number: int) -> tuple[Project, Plan]:
        """Make up a run."""
        chance = Chance(f"{self.seed} run {number}")
        project = chance.random.choice(self.projects)
        if not project.live or chance.often(0.1):
            self.score.counts["edits between runs"] += project.edit(chance, most=2)
        executor = chance.random.choices([None, "thread", "inline"], weights=[6, 2, 2])[0]
        full = (chance.about(60), chance.about(40)) if chance.often(0.06) else (0, 0)
        return project, self._plan(
            project, executor=executor, workers=chance.random.choice([1, 2, 2, 3]), durable=chance.often(0.1),
            strikes=_strikes(chance, executor), full=full,
        )  # fmt: skip

    def _plan(self, project: Project, **options: object) -> Plan:
        scene = project.scene
        given = {"workers": 2, "executor": None, "durable": False} | options
        return Plan(
            steps=scene.steps, axes=scene.axes, world=scene.world, prefix=scene.prefix, store=str(self.store),
            sabotage=self.sabotage, **given,
        )  # type: ignore[arg-type]  # fmt: skip

    def _begin(self, made: tuple[Project, Plan], *, alone: bool = False) -> Live:
        """Start a run."""
        project, plan = made
        number = self.score.counts["runs"]
        chance = Chance(f"{self.seed} start {number}")
        path = self.folder / "runs" / f"{number}.plan"
        path.parent.mkdir(exist_ok=True)
        plan.write(path)
        model = project.model()
        usable = self.shelf.usable()
        finished = {c for c in model.kept if self.judge.ledger.keys.get(c) in usable}
        blows, token = len(self.shelf.hurt), uuid.uuid4().hex
        command = ["-m", "tests.soak.child"] if chance.often(0.5) else [str(project.script)]
        with path.with_suffix(".out").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *command, str(path)], cwd=project.folder, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env={
                    **os.environ, "PYTHONPATH": f"{driver.ROOT}:{project.folder}", "PYTHONDONTWRITEBYTECODE": "1",
                    inside.TOKEN: token, STREAMS: str(self.folder / "streams"),
                    COUNTER: str(path.with_suffix(".lines")), DOZE: "" if plan.executor else str(path) + ".dozed",
                    NAP: chance.random.choice(["", "", "", "0.01", "0.05"]),
                },
            )  # fmt: skip
        now = time.monotonic()
        live = Live(
            number, plan, path, project, model, process, os.pidfd_open(process.pid), token, now, finished, blows,
            project.stirs, self.shelf.suspects(), alone=alone,
        )  # fmt: skip
        live.timed = [(now + s.event[1] / 100, s) for s in plan.strikes if s.event[0] == "seconds"]
        self.live.append(live)
        project.live += 1
        project.runs += 1
        self.score.counts["runs"] += 1
        return live

    def _hit(self, live: Live, strike: Strike) -> None:
        self._spools |= driver._spools_of(live.process.pid)
        if live.process.poll() is None and hit(strike.victim, strike.signum, live.process.pid, live.token):
            self._count(live, strike)

    def _count(self, live: Live, strike: Strike) -> None:
        live.struck[strike.victim] += 1
        self.score.counts[f"kills {strike.victim} {signal.Signals(strike.signum).name}"] += 1

    def _ended(self, live: Live) -> None:
        """Take in a run whose main process is gone."""
        status = live.process.wait()
        os.close(live.pidfd)
        self.live.remove(live)
        live.project.live -= 1
        self._ghosts[live.token] = live.number, time.monotonic()
        for strike in live.plan.strikes:
            kind = strike.event[0]
            suffix, there = (".order", False) if kind == "worker" else (".struck", True)
            if kind != "seconds" and live.path.with_suffix(suffix).exists() is there:
                self._count(live, strike)
        for problem in self.judge.problems(live, status, evicted=self._evicted(live)):
            self._mistake(live.number, problem)

    def _evicted(self, live: Live) -> bool:
        return self._evicted_at > live.began or (self._keeper is not None and self._keeper[1] == "evict")

    def _hangs(self, live: Live) -> None:
        """Note a run that does not end, and end it."""
        live.process.send_signal(signal.SIGUSR2)
        time.sleep(1.0)  # it writes its stacks among what it prints
        left = "".join(f"{pid} {command}\n" for pid, command in inside.carriers(live.token).items())
        self._mistake(live.number, f"hangs: {left}{live.output}")
        hit("all", signal.SIGKILL, live.process.pid, live.token)

    # ---- what happens beside runs ----------------------------------------------------

    def _damage(self, kinds: dict[damage.Damage, float]) -> None:
        if kind := damage.strike(self.shelf, self.chance, kinds):
            self.score.counts[f"damage {kind}"] += 1

    def _edit_under_a_run(self) -> None:
        """Edit a project that may be running."""
        self.score.counts["edits under a run"] += self.chance.random.choice(self.projects).edit(self.chance, most=1)

    def _keep(self, now: float) -> None:
        """Have a process verify the store, make room in it, or clear it; it may be killed as well."""
        if self._keeper is not None:
            process, kind, due, path = self._keeper
            if now > due:
                process.kill()
                self.score.counts["kills keeper SIGKILL"] += process.wait() < 0
            if (status := process.poll()) is not None:
                self._keeper = None
                if kind == "evict":
                    self._evicted_at = now
                if status not in (0, 1, 2, -9) or "Traceback" in path.read_text(errors="replace"):
                    self._mistake(-1, f"{process.args}: {status}\n{path.read_text(errors='replace')}")
        elif self.chance.often(0.01):
            self._start_keeper(now)

    def _start_keeper(self, now: float) -> None:
        kind, verb = self.chance.random.choice([
            ("keep", ["verify"]), ("keep", ["gc", "--keep-runs", "3"]), ("keep", ["gc", "--keep-runs", "0"]),
            ("evict", ["gc", "--keep-runs", "2", "--to", f"{self.chance.about(4000)}KiB"]),
            ("evict", ["clear", "--task", "big"]), ("evict", ["clear", "--all"]), ("keep", ["verify"]),
        ])  # fmt: skip
        path = self.folder / "keeper.out"
        with path.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "flowcore", "cache", *verb, "--store", str(self.store)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(driver.ROOT)},
            )  # fmt: skip
        due = now + (self.chance.random.random() if self.chance.often(0.4) else DEADLINE)
        self._keeper = process, kind, due, path
        self.score.counts[f"also {verb[0]}"] += 1

    # ---- what is left ----------------------------------------------------------------

    def _look_for_ghosts(self, now: float) -> None:
        """See that nobody outlives his run."""
        for token, (number, since) in [*self._ghosts.items()]:
            left = inside.carriers(token)
            if not left:
                del self._ghosts[token]
            elif now - since > DEADLINE:
                del self._ghosts[token]
                self._left(f"processes of run {number}: {left}")
                for pid in left:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

    def _audit(self) -> None:
        """Have damage found; then every project gives what it means, twice, and nothing is left of anybody."""
        self._verify()
        for turn in range(2):
            for project in self.projects:
                live = self._begin((project, self._plan(project)), alone=True)
                while live in self.live:
                    self._watch(live)
                executed = Counter(lines_of(live.path.with_suffix(".lines")))
                if turn:
                    for line in executed - live.model.always - Counter(live.model.inner):
                        self._mistake(live.number, f"{line} ran in a run that is all hits")
        found = self._verify()
        if found:
            self._mistake(-1, f"not sound after a run: {found}")
        while self._ghosts:
            self._look_for_ghosts(time.monotonic())
            time.sleep(_LOOK)
        for name in driver.leftovers(self.store):
            self._left(f"tmp/{name}")
        for name in sorted((driver.spools() - self._before) & self._spools):
            if driver._abandoned(driver.SHARED_MEMORY / name):
                self._left(f"{driver.SHARED_MEMORY}/{name}")

    def _watch(self, live: Live) -> None:
        ready, _, _ = select.select([live.pidfd], [], [], _LOOK)
        if ready:
            self._ended(live)
        elif time.monotonic() - live.began > DEADLINE:
            self._hangs(live)
            self._ended(live)

    def _verify(self) -> list[object]:
        """Give what `cache verify` finds."""
        answer = subprocess.run(
            [sys.executable, "-m", "flowcore", "cache", "verify", "--json", "--store", str(self.store)],
            capture_output=True, check=False, cwd=self.folder, env={**os.environ, "PYTHONPATH": str(driver.ROOT)},
        )  # fmt: skip
        try:
            return list(json.loads(answer.stdout)["flaws"])
        except (ValueError, KeyError):
            return [answer.stdout.decode() + answer.stderr.decode()]

    def _mistake(self, number: int, problem: str) -> None:
        told = f"run {number}: {problem}\n  plan: {self.folder / 'runs' / str(number)}.plan"
        self.score.mistakes.append(told)
        self._tell(f"MISTAKE {told}")

    def _left(self, what: str) -> None:
        self.score.leftovers.append(what)
        self._tell(f"LEFT {what}")


def _strikes(chance: Chance, executor: str | None) -> list[Strike]:
    """Make up what happens to a run."""
    if chance.often(0.15):
        return []
    victims = ["main", "main", "all", "worker", "worker", "launcher"] if executor is None else ["main", "all"]
    strikes = []
    for _ in range(chance.random.choice([1, 1, 2, 2, 3])):
        victim = chance.random.choice(victims)
        kinds = ["fs", "fs", "record", "message", "seconds", "seconds"] + ["worker"] * 4 * (victim == "worker")
        kind = chance.random.choice(kinds)
        if any(kind == strike.event[0] != "seconds" for strike in strikes):
            continue
        signum = chance.random.choices([signal.SIGKILL, signal.SIGTERM, signal.SIGINT], weights=[6, 1, 1])[0]
        strikes.append(Strike(victim=victim, signum=signum, event=(kind, chance.about(_MOST[kind]))))
    return strikes
