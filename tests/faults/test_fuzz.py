"""H5: whatever is wrong with a file, a reader gets the exact value, or a miss and at most one warning."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path

import pytest

from flowcore.declare.files import File
from flowcore.errors import DamagedEntry, FlowcoreWarning, StoreUnavailable
from flowcore.plan.encode import ValueGone
from flowcore.store.blobs import Blobs
from flowcore.store.directory import new_run_id, open_store
from flowcore.store.fs import DISK
from flowcore.store.indexing import build_index
from flowcore.store.layout import Layout
from flowcore.store.records import Records
from flowcore.store.trouble import Trouble
from flowcore.store.verified import Verified
from tests.faults import operations
from tests.faults.operations import EARLIER, LATER
from tests.faults.spoiling import flipped, frame_heads, put, spoilt

VALUES = {**EARLIER, **LATER}
CONTENT = bytes(range(256)) * 9
WINDOW = 3 << 19  # bytes that are read at once, whatever the size of a file


@pytest.fixture
def home() -> Iterator[Path]:
    """Give a folder with a store in it."""
    with a_store() as folder:
        yield folder


@contextmanager
def a_store() -> Iterator[Path]:
    """Give a folder with a store of two runs, a kept file, two states."""
    with operations.in_memory() as folder, operations.at_home(folder):
        for values in (EARLIER, LATER):
            run = operations.begin(folder)
            operations.keep(run, values)
            if values is LATER:
                for step in (5, 6):
                    operations.save_step(run.checkpoints.at(operations.STATE), step)
                (folder / "result.dat").write_bytes(CONTENT)
                run.files.take(File(folder / "result.dat"))
            operations.finish(run)
        yield folder


def journals(home: Path) -> list[Path]:
    """Give the journals, oldest first."""
    return sorted((home / "store" / "v1" / "journals").glob("*.journal"))


def arrays(home: Path) -> list[Path]:
    """Give the kept arrays."""
    return sorted((home / "store" / "v1" / "arrays").rglob("*.npy"))


def check(home: Path, how: str, *, at_least: AbstractSet[bytes] = frozenset()) -> int:
    """Exact values or misses, one warning at most, nothing raised; give how many values there were."""
    found, told = operations.read(home, VALUES)

    assert [] == operations.wrong(found, VALUES), how
    assert at_least <= set(found), how
    assert len(told) <= 1, f"{how}: {told}"
    assert {DamagedEntry} >= {type(warning) for warning in told}, how
    return len(found)


def each_form(path: Path, content: bytes, *, heads: list[range], every: int) -> Iterator[str]:
    """Let a file be spoilt in each way in turn; it is as it was in the end."""
    for how, other in spoilt(content, heads=heads, every=every):
        if other != content:
            put(path, other)
            yield how
    put(path, content)


@pytest.mark.contract("H5", "F22", "P2", "S7", "B7")
def test_a_spoilt_array_is_a_miss(home: Path) -> None:
    """Every bit of its header, some of its data, every size: one warning, and it lies in quarantine."""
    path = arrays(home)[0]
    content = path.read_bytes()
    before = check(home, "sound")
    for how in each_form(path, content, heads=[range(128)], every=997):
        assert before - 1 == check(home, how), how
        assert not path.exists() or path.stat().st_size != len(content), how  # another size is known without reading
    assert before == check(home, "as it was")


@pytest.mark.contract("H5", "F22", "P2", "S7", "J1", "J4")
def test_a_spoilt_journal_gives_what_verifies(home: Path) -> None:
    """Every bit of header and heads, some of the frames, every boundary: other journals answer as ever."""
    path = journals(home)[0]
    content = path.read_bytes()
    later = set(LATER)
    for how in each_form(path, content, heads=frame_heads(content), every=131):
        check(home, how, at_least=later)
    assert len(VALUES) == check(home, "as it was")


@pytest.mark.contract("H5", "J9", "S7")
def test_a_spoilt_index_costs_no_record(home: Path) -> None:
    """Every bit of its head, some of its blocks and directory: all values, not a word."""
    layout = Layout(home / "store")
    records = Records(layout, disk=DISK, tell=lambda _: None)
    records.read_older(than="")
    assert build_index(DISK, layout, f"{layout.tmp}/{DISK.token()}", records)
    records.close()
    path = Path(layout.index_file(1))
    content = path.read_bytes()
    directory = len(content) - 500
    for how in each_form(path, content, heads=[range(56)], every=1501):
        assert len(VALUES) == check(home, how), how
    for how, other in flipped(content, range(8 * directory, 8 * len(content), 13)):
        put(path, other)
        assert len(VALUES) == check(home, f"directory: {how}")


@pytest.mark.contract("H5", "C4", "F34", "S7")
@pytest.mark.parametrize("kind", ["state", "npy", "series"])
def test_a_spoilt_state_gives_way_to_the_one_before(kind: str, home: Path) -> None:
    """Manifest, array or series: what is gone on from is exactly what was saved, then or before."""
    directory = Path(Layout(home / "store").checkpoint(operations.STATE))
    path = max(directory.glob(f"*.{kind}"), key=lambda path: path.stat().st_mtime_ns)
    content = path.read_bytes()
    saved = home / "whole"
    shutil.copytree(directory, saved)
    heads = [range(20), range(len(content) - 8, len(content))]
    found = set()
    for how in each_form(path, content, heads=heads, every=8 * len(content) // 90):
        step, same = operations.saved(home)
        found.add(step)
        shutil.rmtree(directory)
        shutil.copytree(saved, directory)

        assert same, f"{how}: step {step}"
    assert {-1, 5, 6} >= found
    assert 5 in found


@pytest.mark.contract("H5", "F22", "K22")
def test_a_spoilt_file_is_no_value(home: Path) -> None:
    """A kept file that is not what its name says is told once, and set aside."""
    (path,) = (home / "store" / "v1" / "files").rglob("*.dat")
    content = path.read_bytes()
    name = bytes.fromhex(path.stem) + b".dat"
    for how in each_form(path, content, heads=[range(4)], every=499):
        told: list[FlowcoreWarning] = []
        trouble = Trouble("", disk=DISK, tell=told.append)
        known = Verified("", disk=DISK)
        blobs = Blobs(Layout(home / "store"), new_run_id(), disk=DISK, trouble=trouble, verified=known)
        with pytest.raises(ValueGone):
            blobs.locate(name, len(content))

        assert [DamagedEntry] == [type(warning) for warning in told], how
        assert not path.exists(), how


@pytest.mark.contract("H5", "F22", "P2")
def test_swapped_and_copied_files_are_found(home: Path) -> None:
    """Any two arrays, or journals, swapped, and one under the name of another: values are exact or not there."""
    for files in (arrays(home), journals(home)):
        for one, other in itertools.permutations(files, 2):
            contents = one.read_bytes(), other.read_bytes()
            for how, first, second in (("swapped", *contents[::-1]), ("copied", contents[1], contents[1])):
                put(one, first)
                put(other, second)
                found, told = operations.read(home, VALUES)
                put(one, contents[0])
                put(other, contents[1])

                assert [] == operations.wrong(found, VALUES), f"{how}: {one.name} and {other.name}"
                assert {DamagedEntry} >= {type(warning) for warning in told}
    assert len(VALUES) == check(home, "as it was")


@pytest.mark.contract("H5", "F26", "F22")
def test_a_spoilt_marker_is_another_format(home: Path) -> None:
    """Every bit of it: the store is refused, with a word, and left as it is."""
    path = Path(Layout(home / "store").marker)
    content = path.read_bytes()
    for how in each_form(path, content, heads=[range(len(content))], every=1):
        store = open_store(home / "store")

        assert isinstance(store.trouble, StoreUnavailable), how
        assert not store.readable, how


@pytest.mark.contract("H5", "S7", "P2")
def test_bombs_cost_no_more_than_they_are(tmp_path: Path) -> None:
    """Shapes, counts and lengths of 2^40, nesting without end, under valid checksums and 1 GiB of memory.

    Nothing is raised, nothing else is lost, and no more is allocated than a few times the file.
    """
    line = [sys.executable, "-m", "tests.faults.bombs", str(tmp_path)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)

    assert {} == {name: bomb["raised"] for name, bomb in found.items() if bomb["raised"]}
    assert {} == {name: bomb["lost"] for name, bomb in found.items() if bomb["lost"]}
    assert {} == {name: bomb["peak"] for name, bomb in found.items() if bomb["peak"] > 4 * bomb["size"] + WINDOW}
    assert len(found) > 300
