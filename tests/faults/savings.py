"""A warm parent whose children die in the middle of a save: ``python -m tests.faults.savings FOLDER WAYS SABOTAGE``.

Each child carries out one simulation in its own process, on a disk that kills it at one of
the calls of one of its saves; another goes on from what is left, soundly. Prints as JSON
how many died, and what came out wrong: other values than without any death, or more steps
executed anew than the last good state allows.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import flowcore as fc
from flowcore.store.directory import open_store
from flowcore.store.fs import Disk
from flowcore.testing import disks
from tests.faults import longruns, saboteurs

SAVES = (2, 8)  # the steps at whose ends children die: the first save, and one that removes what is older
STEPS = 11
ARMED = threading.Event()


class DyingDisk(Disk):
    """A disk that kills its process at the n-th call since it was armed, by the thread that armed it."""

    def __init__(self, at: int, way: str) -> None:
        self.left = at
        self.way = way


def _dying(name: str) -> Callable[..., Any]:
    def call(self: DyingDisk, *arguments: Any, **options: Any) -> Any:
        real = getattr(Disk, name)
        if not ARMED.is_set() or threading.current_thread() is not OWNER[0]:
            return real(self, *arguments, **options)
        self.left -= 1
        if self.left:
            return real(self, *arguments, **options)
        if self.way == "after":
            real(self, *arguments, **options)
        elif self.way == "half" and name in ("write", "pwrite"):
            file, data, *rest = arguments
            real(self, file, memoryview(data)[: len(data) // 2], *rest)
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    return call


for _name in (*disks.WRITING, "open", "close"):
    setattr(DyingDisk, _name, _dying(_name))
OWNER: list[threading.Thread] = []


@fc.compute(runner="inline", ignore=("log", "dies", "global:ARMED", "global:OWNER"))
def simulated(
    n: int, log: str, dies: int, *, ckpt: fc.Checkpoint = fc.Checkpoint(), rng: np.random.Generator = fc.rng()
) -> Any:
    """Walk at random; the disk is armed for the save at the end of one step."""
    s = ckpt.state(z=np.zeros(longruns.SIZE), terrain=np.arange(float(longruns.SIZE)), seen=[])
    for step in ckpt.steps(n):
        longruns.at_step(log, 0, step)
        ARMED.clear()
        s.z = s.z + rng.normal(size=longruns.SIZE)
        s.seen.append(step)
        ckpt.append(mean=s.z.mean(), frame=s.z[:40])
        if step % 3 == 2:
            ckpt.save()
        if step == dies:
            OWNER[:] = [threading.current_thread()]
            ARMED.set()
    return s.z, s.seen, ckpt.series("mean"), ckpt.series("frame"), rng.normal(size=3)


def simulate(folder: Path, disk: Disk, dies: int) -> str:
    """Run the simulation; give its digest."""
    with fc.Flow("saving") as flow:
        flow.result = simulated(STEPS, str(folder / "log"), dies)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = flow.run(store=open_store(folder / "store", disk=disk), progress=False)
    return longruns.digest_of(run[flow.result])


def child(act: Callable[[], str]) -> tuple[int, str]:
    """Do something in a child; give its exit status and what it said."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.write(theirs, act().encode())
            code = 0
        finally:
            os._exit(code)
    os.close(theirs)
    with os.fdopen(ours, "rb") as said:
        words = said.read().decode()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), words


def enumerate_deaths(folder: Path, way: str, save: int, expected: str) -> tuple[int, list[str]]:
    """Die at each call of a save in turn, until the save is survived; give how often, and what was wrong."""
    wrong = []
    for n in itertools.count(1):
        place = folder / "place"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        status, _ = child(lambda: simulate(place, DyingDisk(n, way), save))  # noqa: B023 - called at once
        if status == 0 or (wrong and sys.argv[3]):  # of a sabotaged save the first wrong result tells enough
            return n - 1, wrong
        before = len(longruns.steps_in(place / "log"))
        code, digest = child(lambda: simulate(place, Disk(), -1))  # noqa: B023 - called at once
        after = [step for _, step in longruns.steps_in(place / "log")[before:]]
        where = f"{way} call {n} of the save after step {save}"
        if code or digest != expected:
            wrong.append(f"{where}: another result")
        if list((place / "store" / "v1" / "corrupt").iterdir()):
            wrong.append(f"{where}: a state that was never whole had its final name")
        if after not in (list(range(save + 1, STEPS)), list(range(save - 2, STEPS))):
            wrong.append(f"{where}: steps {after} executed")
    raise AssertionError("a save has an end")


def main() -> None:
    """Enumerate; print what was found."""
    folder, ways, sabotage = Path(sys.argv[1]), sys.argv[2].split(","), sys.argv[3]
    (folder / "sound").mkdir()
    _, expected = child(lambda: simulate(folder / "sound", Disk(), -1))
    if sabotage:
        saboteurs.SABOTEURS[sabotage](setattr)
    found = [enumerate_deaths(folder, way, save, expected) for way in ways for save in SAVES]
    wrong = [line for _, lines in found for line in lines]
    sys.stdout.write(json.dumps({"died": sum(died for died, _ in found), "wrong": wrong}))


if __name__ == "__main__":
    main()
