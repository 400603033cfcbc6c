"""Claims about run/workers/edition.py: an upgrade under a live process is said, and costs no result and no wait."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import flowcore
from flowcore.run import pool
from flowcore.run.workers import edition, launching
from tests.faults import saboteurs_of_workers
from tests.run.driving import drive, task

DEADLINE = 60.0  # seconds; only turns a hang into a failure
CHANGES: dict[str, Callable[[Path], object]] = {
    "a room that is longer": lambda folder: (folder / "room.py").write_text("x = 10\n"),
    "a room of another time": lambda folder: os.utime(folder / "room.py", (1, 1)),
    "one more": lambda folder: (folder / "part" / "other.py").touch(),
    "one less": lambda folder: (folder / "part" / "room.py").unlink(),
}
SCRIPT = """
import json, sys, warnings
from pathlib import Path
import flowcore as fc
from flowcore.run import pool
from flowcore.run.workers import edition
from flowcore.testing.cells import plus

def run(first):
    edition._watch.due = 0.0
    flow = fc.Flow("upgraded")
    flow.result = flow.add(plus, fc.each(a=[first, first + 1]))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        values = list(flow.run(store="store", workers=1, progress=False)[flow.result].values())
    return values, [" ".join(str(one.message).split()) for one in told]

found = [run(0)]
room = Path(fc.__file__).parent / "run" / "job.py"
room.write_text(room.read_text() + "# newer\\n")
if sys.argv[1] == "unseen":  # it comes between the look and the start
    pool.changed = edition.changed = lambda: False
    pool.shutdown()
    if sys.argv[2]:
        from tests.faults import saboteurs_of_workers
        saboteurs_of_workers.SABOTEURS[sys.argv[2]](setattr)
found.append(run(10))
print(json.dumps(found))
"""


@pytest.mark.contract("F32", "W2")
@pytest.mark.parametrize("change", CHANGES)
def test_any_change_of_a_room_is_another_edition(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size, its time, one more or one less; what is compiled of it does not count."""
    for room in (tmp_path / "room.py", tmp_path / "part" / "room.py", tmp_path / "part" / "__pycache__" / "room.py"):
        room.parent.mkdir(exist_ok=True)
        room.write_text("x = 1\n")
    monkeypatch.setattr(edition, "_ROOT", str(tmp_path))
    before = edition.look()
    (tmp_path / "part" / "__pycache__" / "room.py").unlink()
    compiled = edition.look()
    CHANGES[change](tmp_path)

    assert before == compiled != edition.look()


def upgraded(way: str, folder: Path, *, sabotage: str = "") -> tuple[list[int], list[str], list[int], list[str]]:
    """Run a flow, change a room of flowcore, run another one; give values and warnings of both."""
    shutil.copytree(Path(flowcore.__file__).parent, folder / "flowcore", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "tests").symlink_to(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, way, sabotage], cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    (values, told), (later, told_later) = json.loads(done.stdout)
    return values, told, later, told_later


def check_upgrade(way: str, folder: Path, *, sabotage: str = "") -> None:
    """Hold what comes of an upgrade between two runs to the contract."""
    values, told, later, told_later = upgraded(way, folder, sabotage=sabotage)

    assert ([1, 2], [], [11, 12]) == (values, told, later)
    assert 1 == len(told_later), told_later
    assert "flowcore's own files" in told_later[0]
    assert "restart it" in told_later[0]


@pytest.mark.contract("F32", "F35", "P5")
@pytest.mark.parametrize("way", ["seen", "unseen"])
def test_an_upgrade_between_two_runs_is_said(way: str, tmp_path: Path) -> None:
    """Whether it is there when the second begins or comes a moment later: cells run here, with one warning."""
    check_upgrade(way, tmp_path)


@pytest.mark.contract("H7", "F32")
def test_a_launcher_of_any_edition_is_seen(tmp_path: Path) -> None:
    """Workers of another flowcore that run cells without a word fail the test of upgrades."""
    with pytest.raises(AssertionError):
        check_upgrade("unseen", tmp_path, sabotage="any_edition")


OTHERS = {
    "an older one": 'channel.send(["ready", 1])',
    "one that says other things": "channel.send(['ready', 1, IMPORTED], ['hired', 7])",
    "one that says less": "channel.send(['ready', 1, IMPORTED], ['started', 1])",
}
SPEAKS = """
import socket, sys
arguments = sys.argv
sys.path[:] = arguments[2:]
from flowcore.run.workers.edition import IMPORTED
from flowcore.run.workers.wire import Channel
channel = Channel(socket.socket(fileno=int(arguments[1])), blocking=True)
{said}
while channel.wait() is not None: pass
"""


def check_other(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a launcher speak otherwise; nobody waits for what it does not say."""
    pool.shutdown()
    monkeypatch.setattr(launching, "_CODE", SPEAKS.format(said=OTHERS[said]))
    with drive(workers=1) as driving:
        attempts = driving.give(task("double"), [(1,), (2,)])
        driving.until(lambda: bool(driving.executor.broken))
        back = [attempt for job in driving.executor.take_back() for attempt in job.attempts]

        assert attempts == back
        assert edition.CHANGED in driving.executor.broken
    pool.shutdown()


@pytest.mark.contract("F35", "P5", "W2")
@pytest.mark.parametrize("said", OTHERS)
def test_a_launcher_that_speaks_otherwise_is_not_waited_for(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cells come back, and the reason says what to do."""
    check_other(said, monkeypatch)


@pytest.mark.contract("H7", "F35")
def test_words_that_nobody_understands_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that passes over them waits for ever, and fails the test of it."""
    saboteurs_of_workers.passes_over(monkeypatch.setattr)
    monkeypatch.setattr("tests.run.driving.DEADLINE", 1.0)
    with pytest.raises(AssertionError):
        check_other("one that says other things", monkeypatch)
    pool.shutdown()
