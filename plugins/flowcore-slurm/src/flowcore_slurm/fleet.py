"""Sees to it that there are pilots: asks Slurm for them, and hears which are gone.

Owns the thread that speaks with Slurm, and the pilots' logs, in the box. All of them are
one job to ``squeue``, found by a name that follows from the box: so a driver that begins
anew finds those that an earlier one has asked for. One call of squeue a while tells what
there is; while it fails nothing is known, and nothing is done. Needs no accounting.

More pilots are asked for as long as messages wait and fewer are there than wanted. The
fleet is *sunk* if Slurm refuses, or if pilots come and go without a sign of life: nothing
would change by asking again.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from flowcore.run.pilots.box import Box, Card
from flowcore_slurm.options import Pilots, sbatch, script

_PATIENCE = 60.0  # seconds for an answer of Slurm's
_BARREN = 2  # times that all pilots asked for may end without a sign of life
_PASSING = re.compile("timed out|unable to contact|temporarily|try again|zero bytes", re.IGNORECASE)
_ABSENT = 127  # status of a command that is not there
_MISLEADING = re.compile("SQUEUE_|SCANCEL_|SLURM_JOB_END_TIME$")  # variables
_TOO_MANY = re.compile("job array specification", re.IGNORECASE)
_REFUSALS = 30  # in a row, for a reason that passes
_LAST = 8  # lines of a log
_OLD = 30 * 86400.0  # seconds after which one is removed


class Fleet:
    """The pilots of one run; its thread begins with the first message, `close` ends it."""

    def __init__(self, pilots: Pilots, box: Box, *, run: str, workers: int) -> None:
        self.count = pilots.count or -(-workers // pilots.cpus)
        self.sunk = ""
        self._pilots, self._box, self._run = pilots, box, run
        self._name = f"flowcore-{hashlib.sha256(box.path.encode()).hexdigest()[:12]}"
        self._logs = Path(box.path) / "slurm"
        self._asked: dict[str, set[str]] = {}  # job -> its pilots, as long as none has shown that it lives
        self._own: set[str] = set()  # jobs
        self._there: set[str] = set()  # pilots that Slurm is known to have had
        self._ended: set[str] = set()
        self._lived: set[str] = set()  # pilots whose card was seen
        self._barren = self._refused = 0
        self._largest = max(1, self.count)  # array that Slurm takes (its MaxArraySize)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._changed: Callable[[], None] = lambda: None

    def launch(self, changed: Callable[[], None]) -> None:
        """Begin to see to pilots; harmless if that is so. `changed` is called when the fleet is sunk."""
        if self._thread is None:
            self._changed = changed
            self._thread = threading.Thread(target=self._see_to_it, name="flowcore-slurm", daemon=True)
            self._thread.start()

    def gone(self, card: Card) -> str:
        """Say why a pilot has certainly ended; empty if it may live."""
        self._lived.add(card.label)
        return "Slurm does not have it any more" if card.label in self._ended else ""

    def close(self) -> None:
        """Take pilots that wait out of the queue, unless they are to stay there."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(2 * _PATIENCE)

    # ---- its own thread

    def _see_to_it(self) -> None:
        try:
            self._logs.mkdir(mode=0o700, exist_ok=True)
            now = self._box.now()
            for log in self._logs.glob("*.log"):
                if self._box.age(f"{self._logs.name}/{log.name}", now) > _OLD:
                    log.unlink(missing_ok=True)
        except OSError as error:
            self._sink(f"The logs of pilots cannot be kept: {error}")
        while not self._closing.is_set() and not self.sunk:
            self._look()
            self._closing.wait(self._pilots.every)
        # Those that an earlier driver has asked for, too. Who else uses the box at this moment asks again.
        if self._there and not self._pilots.leave:
            _answer(["scancel", "--quiet", "--state=PENDING", f"--name={self._name}"])

    def _look(self) -> None:
        done = _answer(["squeue", "--noheader", "--array", f"--name={self._name}", "--format=%i %T"])
        cards = self._box.cards()
        if done.returncode:
            if not cards:
                self._refuse(done)
            return
        listed = dict(line.split() for line in done.stdout.splitlines() if len(line.split()) == 2)
        self._there.update(listed)
        self._ended |= self._there.difference(listed)
        self._lived.update(card.label for card in cards)
        self._count_barren()
        waiting = [ticket for ticket in self._box.jobs() if ticket.run == self._run]
        gpus = [card.gpus for card in cards if card.label.partition("_")[0] in self._own]
        if waiting and gpus and max(gpus) < (needed := max(ticket.gpus for ticket in waiting)):
            self._sink(f"A cell needs {needed} GPUs, and a pilot has {max(gpus)}. Ask for them: pilots(gpus=...).")
        left = self.count - sum(state != "COMPLETING" for state in listed.values())
        wanted = min(left, len(waiting)) if self._own else left
        if not waiting or wanted <= 0:
            self._refused = 0
        elif not self.sunk:
            self._ask(wanted)

    def _ask(self, count: int) -> None:
        while count > 0 and (taken := self._submitted(min(count, self._largest))):
            count -= taken

    def _submitted(self, count: int) -> int:
        """Ask for so many pilots, or for half as many where an array may not be as large; give how many it was."""
        log = f"{str(self._logs).replace('%', '%%')}/%A_%a.log"
        command = [*sbatch(self._pilots, name=self._name, log=log, folder=self._box.path), f"--array=0-{count - 1}"]
        done = _answer(command, script(self._pilots, self._box.path))
        if done.returncode == 0:
            job = done.stdout.strip().partition(";")[0]  # what follows is the cluster
            self._own.add(job)
            self._asked[job] = {f"{job}_{i}" for i in range(count)}
            self._there |= self._asked[job]
            self._refused = 0
            return count
        if count > 1 and _TOO_MANY.search(done.stderr):
            self._largest = count // 2
            return self._submitted(self._largest)
        self._refuse(done)
        return 0

    def _refuse(self, done: subprocess.CompletedProcess[str]) -> None:
        """Sink, unless what Slurm says against it may pass."""
        self._refused += 1
        told = done.stderr.strip() or f"it ended with {done.returncode}"
        if done.returncode == _ABSENT:
            self._sink(f"Slurm gives no pilots.\n{told}")
        elif not _PASSING.search(told) or self._refused > _REFUSALS:
            command = " ".join([*sbatch(self._pilots, name=self._name, log="/dev/null", folder="/"), "--wrap=true"])
            options = "the options in pilots(...), or in [executors.slurm] of the options file"
            self._sink(f"Slurm gives no pilots.\n    {told}\nMend {options}. To try by hand:\n    {command}")

    def _count_barren(self) -> None:
        """See whether all that were asked for at once have ended without a sign of life."""
        for job, pilots in list(self._asked.items()):
            if pilots & self._lived:
                self._barren = 0
            elif pilots <= self._ended:
                self._barren += 1
            else:
                continue
            del self._asked[job]
            if self._barren >= _BARREN:
                self._sink(f"Slurm's pilots end before they begin.\nLast words of one:\n{self._words(pilots)}")

    def _words(self, pilots: set[str]) -> str:
        for path in (self._logs / f"{pilot}.log" for pilot in sorted(pilots)):
            try:
                lines = path.read_text(errors="replace").splitlines()
            except OSError:
                continue
            if lines:
                return "\n".join(f"    {line}" for line in lines[-_LAST:])
        return f"    (nothing in {self._logs})\nAre that folder, and {self._pilots.python}, to be seen on the nodes?"

    def _sink(self, why: str) -> None:
        self.sunk = why
        self._changed()


def _answer(command: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command of Slurm's, with no variables that change its answer, or tell pilots of the driver's own job."""
    environ = {name: value for name, value in os.environ.items() if not _MISLEADING.match(name)}
    try:
        return subprocess.run(
            command, input=text, capture_output=True, text=True, errors="replace", timeout=_PATIENCE, env=environ,
            check=False, start_new_session=True,  # Ctrl-C is the driver's to hear
        )  # fmt: skip
    except FileNotFoundError:
        told = f"There is no {command[0]} on this machine. Run where jobs can be submitted, or load Slurm's module."
        return subprocess.CompletedProcess(command, _ABSENT, "", told)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"{command[0]} timed out")
    except OSError as error:
        return subprocess.CompletedProcess(command, 1, "", f"{command[0]} cannot be started, try again: {error}")
