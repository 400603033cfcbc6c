"""Claims about a store in trouble, seen from whole runs: right values, one warning, nothing finished is lost."""

from __future__ import annotations

import errno
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowcore.run.pool import shutdown
from flowcore.store.directory import open_store
from flowcore.store.frames import Damage, Frame, open_journal, scan
from flowcore.store.fs import DISK, Disk
from flowcore.store.history import run_paths
from flowcore.store.journal import unpack
from flowcore.store.records import traces_of
from flowcore.testing import FaultyDisk
from flowcore.testing.disks import WRITING
from tests.faults import driver, inside, works
from tests.faults.works import ANSWER, CELLS, LATER

FIELDS = [f"field {number}" for number in range(CELLS)]
MEANS = [f"mean {number}" for number in range(CELLS)]
ALL = sorted([*FIELDS, *MEANS, "total "])
RUNNERS = ("process", "thread")
FILLING = ("write", "pwrite", "reserve", "mkdir", "link")


@pytest.fixture(autouse=True, scope="module")
def _no_workers_left() -> Iterator[None]:
    yield
    shutdown()


@pytest.fixture(autouse=True)
def _tally(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(inside.TALLY, str(tmp_path / "tally"))


def run(store: Path, disk: Disk = DISK, *, flow: Any = None, runner: str = "process") -> tuple[Any, list[str]]:
    """Run a flow on two workers; give its result, and the names of the warnings."""
    flow = flow or works.means()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        done = flow.run(store=open_store(store, disk=disk), workers=2, executor=runner, progress=False)
        value = done[flow.result]
    return value, [type(warning.message).__name__ for warning in told]


def executed(folder: Path, *, since: int = 0) -> list[str]:
    """Give what ran, in order of name."""
    return sorted(driver.tally(folder)[since:])


def blob(store: Path, number: int) -> Path:
    """Find the stored array of a field."""
    found = [path for path in store.glob("v1/arrays/*/*.npy") if float(number + 0.5) == _last(path)]
    (path,) = found
    return path


def _last(path: Path) -> float:
    return memoryview(path.read_bytes()[-8:]).cast("d")[0]


@pytest.mark.contract("F21", "P8")
@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("error", [errno.EROFS, errno.EACCES])
def test_a_read_only_store_answers(runner: str, error: int, tmp_path: Path, store: Path) -> None:
    """What it holds is used without a write; what it lacks is computed and not kept; one warning."""
    run(store)
    blob(store, 3).unlink()
    before = sorted(str(path) for path in store.rglob("*"))
    disk = FaultyDisk(1, error=error, lasting=True, only=(*WRITING, "may_write"), under=str(store))
    seen = len(driver.tally(tmp_path))
    value, told = run(store, disk, runner=runner)

    assert ANSWER == value
    assert ["StoreUnavailable"] == told
    assert ["field 3"] == executed(tmp_path, since=seen)
    assert before == sorted(str(path) for path in store.rglob("*"))


@pytest.mark.contract("F19", "F24", "P8")
@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("at", [1, 5, 20, 40])
def test_a_full_disk_costs_no_result(runner: str, at: int, tmp_path: Path, store: Path) -> None:
    """ENOSPC from some write on: each cell runs once, the values are right, one warning, nothing half-written."""
    disk = FaultyDisk(at, error=errno.ENOSPC, lasting=True, only=FILLING, under=str(store))
    value, told = run(store, disk, runner=runner)

    assert ANSWER == value
    assert ["StoreUnavailable"] * bool(disk.failed) == told
    assert ALL == executed(tmp_path)
    assert [] == driver.unverified(store)
    assert [] == driver.leftovers(store)


@pytest.mark.contract("F19", "F24", "P8")
@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("at", [1, 20, 40])
def test_what_no_file_has_room_for_goes_by_message(runner: str, at: int, tmp_path: Path, store: Path) -> None:
    """Store, shared memory and temporary files are full: each cell runs once, the values are right, one warning."""
    disk = FaultyDisk(at, error=errno.ENOSPC, lasting=True, only=FILLING)
    value, told = run(store, disk, runner=runner)
    failed, seen = disk.failed, len(driver.tally(tmp_path))
    again, later = run(store)

    assert ANSWER == value == again
    assert ["StoreUnavailable"] * bool(failed) == told
    assert (ALL, []) == (sorted(driver.tally(tmp_path)[:seen]), later)
    assert [] == driver.unverified(store)
    assert [] == driver.leftovers(store)


@pytest.mark.contract("F20", "P8")
@pytest.mark.parametrize("call", ["fsync", "pwrite", "write"])
def test_an_input_output_error_ends_keeping_only(call: str, tmp_path: Path, store: Path) -> None:
    """EIO once: the run goes on with right values and one warning, and so does the next one."""
    run(store)
    for kept in ("arrays", "journals"):  # not so the texts of code: one that cannot be written is left out, unsaid
        shutil.rmtree(store / "v1" / kept)
    disk = FaultyDisk(4 if call == "write" else 1, error=errno.EIO, only=(call,), under=str(store))
    value, told = run(store, disk, runner="thread")
    again, later = run(store)

    assert ANSWER == value == again
    assert (1, ["StoreUnavailable"]) == (disk.failed, told)
    assert [] == later


@pytest.mark.contract("F18", "P2", "P7")
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.6, 0.99])
def test_a_torn_journal_gives_what_it_has(kept: float, tmp_path: Path, store: Path) -> None:
    """A journal that ends anywhere answers what comes before; only the rest runs; nothing is said."""
    run(store)
    journal = Path(*run_paths(store).values())
    whole = journal.read_bytes()
    journal.write_bytes(whole[: int(len(whole) * kept)])
    left, seen = driver.recorded(store), len(driver.tally(tmp_path))
    value, told = run(store)
    again = executed(tmp_path, since=seen)
    third, _ = run(store)

    assert ANSWER == value == third
    assert [] == told
    assert sorted(set(ALL) - left) == again
    assert len(ALL) + len(again) == len(driver.tally(tmp_path)), "the third run is all hits"


def a_frame_of_results(journal: Path) -> tuple[Frame, int]:
    """Give the first frame of a journal with nothing but results, and how many these are."""
    opened = open_journal(DISK, str(journal))
    assert opened is not None
    frames = [(frame, unpack(frame.payload) or []) for frame in scan(DISK, *opened, damage=Damage())]
    DISK.close(opened[0])
    frame, records = next(one for one in frames if {record[0] for record in one[1]} == {"trace"})
    return frame, sum(trace.count for trace in traces_of(records))


@pytest.mark.contract("F18", "F22")
def test_a_bad_frame_costs_its_own_cells(tmp_path: Path, store: Path) -> None:
    """A flipped bit inside a journal loses that frame alone, with one warning."""
    run(store)
    journal = Path(*run_paths(store).values())
    frame, cells = a_frame_of_results(journal)
    content = bytearray(journal.read_bytes())
    content[(frame.offset + frame.end) // 2] ^= 1
    journal.write_bytes(content)
    left, seen = driver.recorded(store), len(driver.tally(tmp_path))
    value, told = run(store)

    assert ANSWER == value
    assert ["DamagedEntry"] == told
    assert sorted(set(ALL) - left) == executed(tmp_path, since=seen)
    assert len(ALL) - cells == len(left), "one frame does not cost its neighbours"


@pytest.mark.contract("F22", "P2")
@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("damage", ["flip", "truncate", "swap", "remove"])
def test_damage_between_runs_is_made_again(runner: str, damage: str, tmp_path: Path, store: Path) -> None:
    """Exactly the damaged cell runs again, once it is read, with one warning and the damage set aside."""
    run(store)
    _damage(blob(store, 2), blob(store, 4), damage)
    seen = len(driver.tally(tmp_path))
    value, told = run(store, flow=works.vandalised(tmp_path / "nowhere"), runner=runner)
    made = [line for line in executed(tmp_path, since=seen) if line.startswith("field")]

    assert LATER == [value[number] for number in range(CELLS)]
    assert {"flip": ["field 2"], "truncate": ["field 2"], "remove": ["field 2"], "swap": ["field 2", "field 4"]}[
        damage
    ] == made
    assert {"flip": 1, "truncate": 1, "swap": 2, "remove": 0}[damage] == told.count("DamagedEntry")
    assert [] == driver.unverified(store)


def _damage(path: Path, other: Path, damage: str) -> None:
    content = path.read_bytes()
    path.chmod(0o600)
    match damage:
        case "flip":
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "truncate":
            path.write_bytes(content[:-1])
        case "swap":
            other.chmod(0o600)
            path.write_bytes(other.read_bytes())
            other.write_bytes(content)
        case "remove":
            path.unlink()


@pytest.mark.contract("F25")
@pytest.mark.parametrize("runner", RUNNERS)
def test_a_value_that_vanishes_in_mid_run_is_made_again(runner: str, tmp_path: Path, store: Path) -> None:
    """Arrays are removed after they were judged and used once: their cells run again, and nobody is blamed."""
    value, told = run(store, flow=works.vandalised(store / "v1" / "arrays"), runner=runner)

    assert LATER == [value[number] for number in range(CELLS)]
    assert [] == told
    assert {2} >= {executed(tmp_path).count(line) for line in FIELDS} - {1}


@pytest.mark.contract("F38", "P8")
@pytest.mark.parametrize("runner", RUNNERS)
def test_a_store_that_is_removed_in_mid_run_costs_no_result(runner: str, tmp_path: Path, store: Path) -> None:
    """All of it goes away under the run: right values, at most one warning, nothing else touched; then a cold run."""
    bystander = tmp_path / "bystander"
    bystander.write_text("mine")
    value, told = run(store, flow=works.vandalised(store), runner=runner)
    again, later = run(store, runner=runner)

    assert LATER == [value[number] for number in range(CELLS)]
    assert ["StoreUnavailable"] == told
    assert ANSWER == again
    assert [] == later
    assert "mine" == bystander.read_text()


@pytest.mark.contract("F26", "P8")
def test_a_newer_store_is_left_alone(tmp_path: Path, store: Path) -> None:
    """A format that we do not know is neither read nor written: one warning, right values."""
    run(store)
    marker = store / "v1" / "flowcore-store"
    marker.chmod(0o600)
    marker.write_bytes(b"flowcore store\nformat 99\ndigest blake3-256\n")
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    seen = len(driver.tally(tmp_path))
    value, told = run(store)

    assert ANSWER == value
    assert ["StoreUnavailable"] == told
    assert ALL == executed(tmp_path, since=seen)
    assert before == {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
