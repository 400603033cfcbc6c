"""H2: whatever file call a process dies at, the store is sound, and doing it again gives the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from flowcore.store.fs import DISK, Disk
from flowcore.testing import FaultyDisk
from tests.faults import nursery
from tests.faults.operations import OPERATIONS, at_home, in_memory

LEAST = 6  # deaths, of the operation with the fewest calls


def crashes(folder: Path, operations: Iterable[str], *, ways: str = "distinct", sabotage: str = "") -> dict[str, Any]:
    """Enumerate the deaths in some operations; give how many there were in each, and what was wrong."""
    line = [sys.executable, "-m", "tests.faults.nursery", str(folder), ways, sabotage, *operations]
    answer: dict[str, Any] = json.loads(output_of(line))
    return answer


def output_of(line: list[str]) -> str:
    """Run a program of ours; give what it says."""
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert 0 == done.returncode, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """Give what came of all of them, from one warm parent."""
    with in_memory() as folder:
        return crashes(folder, OPERATIONS)


@pytest.mark.contract("H2", "F1", "F2", "P2", "P6")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_death_at_any_call_costs_nothing_that_was_there(operation: str, found: dict[str, Any]) -> None:
    """Right after every call that changes something, and half-way through every write.

    What has a final name is whole, earlier entries are readable, doing it again gives the
    same names, and the next run removes what is left.
    """
    assert [] == found[operation]["wrong"]
    assert found[operation]["died"] >= LEAST


@pytest.mark.contract("H2")
def test_no_call_goes_round_the_seam(tmp_path: Path) -> None:
    """What the harnesses cannot make fail would be a hole in all of them: none is seen in stores and whole flows."""
    found = onlook(tmp_path)

    assert [] == found["strange"]
    assert found["seen"] > 300


def onlook(folder: Path, *, sabotage: str = "") -> dict[str, Any]:
    """Give how many file calls the interpreter told of in whole runs, and those that no Disk made."""
    runs = ["first run", "run", "durable run", "warm run", "tidy", "mend"]
    line = [sys.executable, "-m", "tests.faults.onlooker", str(folder), sabotage, *runs]
    answer: dict[str, Any] = json.loads(output_of(line))
    return answer


def _counted(real: Callable[..., Any], name: str, calls: list[str]) -> Callable[..., Any]:
    """Have a call of the seam written down; every Disk comes by it, also the plain one around an operation."""

    def call(*arguments: Any) -> Any:
        calls.append(name)
        return real(*arguments)

    return call


@pytest.mark.contract("H2", "F2")
@pytest.mark.parametrize("name", ["put durable", "durable run", "index", "gc", "save"])
def test_the_kernel_sees_no_call_that_the_seam_does_not(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many links, syncs, reservations and writes in place: put, append, compaction, gc and save go round nothing."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not there")
    operation, seams = OPERATIONS[name], {"linkat": "link", "fsync": "fsync", "pwrite64": "pwrite"}
    counted: list[str] = []
    with in_memory() as home:
        before, work, seen = home / "before", home / "work", home / "seen"
        before.mkdir()
        with at_home(before):
            operation.prepare(before)
        nursery.again(before, work)
        with at_home(work), monkeypatch.context() as patch:
            for seam in seams.values():
                patch.setattr(Disk, seam, _counted(getattr(Disk, seam), seam, counted))
            operation.act(work, DISK)
        nursery.again(before, work)
        line = ["strace", "-f", "-qq", "-o", str(seen), "-e", f"trace={','.join(seams)}", sys.executable, "-B"]
        output_of([*line, "-m", "tests.faults.operations", name, str(work)])
        calls = [each.split(maxsplit=1)[1].partition("(")[0] for each in seen.read_text().splitlines()]

    assert {seam: counted.count(seam) for seam in seams.values()} == {
        seam: calls.count(call) for call, seam in seams.items()
    }
    assert calls != []


@pytest.mark.slow
@pytest.mark.contract("H2", "F2")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_death_before_or_after_any_call_at_all(operation: str, tmp_path: Path) -> None:
    """The long form: before and after every call, those that only read included."""
    found = crashes(tmp_path, [operation], ways="all")[operation]

    assert [] == found["wrong"]
    assert found["died"] >= LEAST


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.contract("H2", "F2")
@pytest.mark.parametrize(
    ("name", "call"),
    [
        *[("durable run", call) for call in ("linkat", "fsync", "pwrite64", "fchmod", "mkdir")],
        *[(name, "linkat") for name in ("put durable", "index", "gc", "save")],
    ],
)
def test_a_death_at_any_system_call(name: str, call: str) -> None:
    """The kernel kills at the n-th call of a kind, as often as there are any; the seam has told of each of them."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not there")
    operation, seam = OPERATIONS[name], {"linkat": "link", "pwrite64": "pwrite"}.get(call, call)
    with in_memory() as home:
        before, work = home / "before", home / "work"
        before.mkdir()
        with at_home(before):
            operation.prepare(before)
        nursery.again(before, work)
        counted = FaultyDisk()
        with at_home(work):
            expected = operation.act(work, counted)
        died, status = 0, -9
        while status != 0:
            nursery.again(before, work)
            status = traced(f"{call}:signal=KILL:when={died + 1}", operation.name, work)
            died += status != 0
            with at_home(work):
                assert [] == nursery.wrong_after(operation, work, expected), f"{call} {died}"
    assert died > 0
    assert seam not in ("link", "fsync", "pwrite") or died >= counted.log.count(seam)


def traced(injection: str, operation: str, work: Path) -> int:
    """Carry out an operation under strace; give its exit status, not 0 if it was killed."""
    line = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={injection}", sys.executable, "-B"]
    line += ["-m", "tests.faults.operations", operation, str(work)]
    return subprocess.run(line, capture_output=True, check=False, cwd=Path(__file__).parents[2]).returncode
