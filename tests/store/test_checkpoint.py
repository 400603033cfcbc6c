"""Claims about store/checkpoint.py, generations.py and manifest.py: which state is found, and what is left of it."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.errors import DamagedEntry, FlowcoreWarning, StoreUnavailable
from flowcore.store.checkpoint import Checkpoints
from flowcore.store.directory import open_store
from flowcore.store.fs import DISK, Disk
from flowcore.store.generations import Generations
from flowcore.store.manifest import Manifest, SeriesMark, pack_manifest, read_manifest

KEY, OTHER = b"k" * 32, b"o" * 32
TERRAIN = np.arange(5000.0)

Open = Callable[..., Checkpoints]


@pytest.fixture
def opened(store: Path, told: list[FlowcoreWarning]) -> Iterator[Open]:
    """Give a function that opens the checkpoints of the test's store, as a process of its own run would."""
    runs = []

    def open_checkpoints(disk: Disk = DISK) -> Checkpoints:
        runs.append(open_store(store, disk=disk).begin(tell=told.append))
        return runs[-1].checkpoints

    yield open_checkpoints
    for run in runs:
        run.release()


def save(cell: Generations, step: int, *, mark: str = "", **values: Any) -> int:
    """Save a state of this step; its field is the terrain plus the step."""
    values = values or {"z": TERRAIN + step, "terrain": TERRAIN, "t": step / 2}
    return cell.save(Manifest(loop=0, step=step, records=cell.encode(values), cell="erode", task="m.erode", mark=mark))


def newest(cell: Generations) -> tuple[int, dict[str, Any]] | None:
    """Give step and values of the newest state that verifies in full, as C4 says."""
    for number, manifest in cell.found():
        values = cell.values(number, manifest)
        if values is not None:
            return manifest.step, values
    return None


def files(store: Path, key: bytes = KEY) -> dict[str, int]:
    """Give the files of a checkpoint and their inode numbers."""
    return {path.name: path.stat().st_ino for path in (store / "v1" / "checkpoints" / key.hex()).iterdir()}


def flip(path: Path, place: int) -> None:
    """Flip a bit of a file that nobody may write."""
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.chmod(0o600)
    path.write_bytes(content)


@pytest.mark.contract("C1", "C2")
def test_a_state_comes_back_to_the_bit(opened: Open) -> None:
    """Arrays, numbers, text and containers of them are what they were, for another process."""
    z = np.random.default_rng(1).normal(size=(64, 40))
    state = {
        "z": z,
        "t": 0.1,
        "log": [("a", {"b": {1, 2}})],
        "big": "x" * 20_000,
        "none": None,
        "f": np.asfortranarray(z),
    }
    save(opened().at(KEY), 7, **state)

    step, values = newest(opened().at(KEY)) or (0, {})

    assert 7 == step
    assert list(state) == list(values)
    assert state["z"].tobytes() == values["z"].tobytes()
    assert values["f"].flags.f_contiguous
    assert {k: v for k, v in state.items() if k not in "zf"} == {k: v for k, v in values.items() if k not in "zf"}
    values["z"][...] = 0  # a state is there to be written into
    assert z.tobytes() == (newest(opened().at(KEY)) or (0, {}))[1]["z"].tobytes()


@pytest.mark.contract("C3")
def test_two_generations_remain_and_nothing_else(opened: Open, store: Path) -> None:
    """After any number of saves there are two manifests and the arrays that they name."""
    cell = opened().at(KEY)
    for step in range(5):
        save(cell, step)

    found = files(store)

    assert {"3.state", "4.state"} == {name for name in found if name.endswith(".state")}
    assert 3 == len([name for name in found if name.endswith(".npy")])  # two fields and the one terrain


@pytest.mark.contract("C2")
def test_what_does_not_change_is_written_once(opened: Open, store: Path) -> None:
    """A large array that stays the same keeps its file; only its digest is taken again."""
    cell = opened().at(KEY)
    save(cell, 0)
    before = files(store)
    save(cell, 1)
    save(opened().at(KEY), 2)

    kept = [name for name, inode in files(store).items() if before.get(name) == inode and name.endswith(".npy")]

    assert 1 == len(kept)


@pytest.mark.contract("C4")
@pytest.mark.parametrize("damage", ["manifest", "array", "missing array", "cut manifest", "appended"])
def test_a_damaged_state_gives_way_to_the_one_before(
    opened: Open, store: Path, damage: str, told: list[FlowcoreWarning]
) -> None:
    """What does not verify is put aside with one warning, and the older generation is taken."""
    cell = opened().at(KEY)
    save(cell, 4)
    before = set(files(store))
    save(cell, 5)
    (array,) = [name for name in set(files(store)) - before if name.endswith(".npy")]
    directory = store / "v1" / "checkpoints" / KEY.hex()
    match damage:
        case "manifest":
            flip(directory / "1.state", 60)
        case "array":
            flip(directory / array, -9)
        case "missing array":
            (directory / array).unlink()
        case "cut manifest":
            (directory / "1.state").chmod(0o600)
            (directory / "1.state").write_bytes((directory / "1.state").read_bytes()[:-1])
        case "appended":
            (directory / "1.state").chmod(0o600)
            (directory / "1.state").write_bytes((directory / "1.state").read_bytes() + b"\0")

    step, values = newest(opened().at(KEY)) or (0, {})

    assert 4 == step
    assert (TERRAIN + 4).tobytes() == values["z"].tobytes()
    assert [DamagedEntry] == [type(warning) for warning in told]
    assert "1.state" not in files(store)


@pytest.mark.contract("C3", "C4")
def test_after_a_damaged_state_two_good_ones_remain(opened: Open, store: Path) -> None:
    """A state that is put aside does not count as one of the two that stay."""
    cell, home = opened().at(KEY), store / "v1" / "checkpoints" / KEY.hex()
    for step in (1, 2):
        save(cell, step)
    flip(home / "1.state", 40)
    again = opened().at(KEY)
    first = newest(again)
    save(again, 3)
    flip(home / "1.state", 40)  # the number is free again
    last = newest(opened().at(KEY))

    assert [1, 1] == [found[0] for found in (first, last) if found]


@pytest.mark.contract("C1", "F34")
def test_a_state_is_found_under_its_own_key_only(opened: Open, store: Path) -> None:
    """A manifest that was moved to another key's directory, or another number, is no state."""
    checkpoints = opened()
    save(checkpoints.at(KEY), 5)
    save(checkpoints.at(OTHER), 6)
    home = store / "v1" / "checkpoints"
    (home / KEY.hex() / "0.state").rename(home / OTHER.hex() / "1.state")

    fresh = opened()

    assert 6 == (newest(fresh.at(OTHER)) or (0,))[0]
    assert newest(fresh.at(KEY)) is None


@pytest.mark.contract("C7")
def test_two_runs_on_one_key_cost_each_other_a_number(opened: Open, store: Path) -> None:
    """A number that is taken means the next one; both states are whole."""
    one, other = opened().at(KEY), opened().at(KEY)

    assert [0, 1, 2, 3] == [save(one, 10), save(other, 11), save(one, 12), save(other, 13)]
    assert 13 == (newest(opened().at(KEY)) or (0,))[0]


@pytest.mark.contract("K24")
def test_marked_states_stay(opened: Open, store: Path) -> None:
    """Steps to keep stay; of the ends of a simulation the furthest does."""
    cell = opened().at(KEY)
    for step, mark in ((1, "kept"), (2, "end"), (3, ""), (9, "end"), (4, ""), (5, ""), (6, "")):
        save(cell, step, mark=mark)

    assert [6, 5, 9, 1] == [manifest.step for _, manifest in opened().at(KEY).found()]


class Full(Disk):
    """A disk on which nothing that is written fits."""

    full = False

    def write(self, fd: int, data: Any) -> int:
        """Write, if there is room."""
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(fd, data)


@pytest.mark.contract("C5", "F19")
def test_a_full_disk_costs_one_warning_and_no_state(opened: Open, store: Path, told: list[FlowcoreWarning]) -> None:
    """Saves that fail leave the older generations whole, and nothing half-written."""
    disk = Full()
    cell = opened(disk).at(KEY)
    save(cell, 1)
    before = files(store)
    disk.full = True
    for step in (2, 3):
        with pytest.raises(StoreUnavailable):
            save(cell, step)

    assert before == files(store)
    assert [StoreUnavailable] == [type(warning) for warning in told]
    assert 1 == (newest(opened().at(KEY)) or (0,))[0]


@pytest.mark.contract("F38")
def test_a_series_outlives_the_removal_of_its_store(opened: Open, store: Path) -> None:
    """Frames that wait while somebody removes the store go into one that is made anew (F38)."""
    series = opened().at(KEY).series("mean", descr="<f8", shape=())
    series.append(np.float64(1.5).reshape(()))
    shutil.rmtree(store)

    assert [1.5] == series.read(mapped=False).tolist()


def test_removal_leaves_nothing(opened: Open, store: Path) -> None:
    """A checkpoint that is not needed any more goes with its directory."""
    checkpoints = opened()
    save(checkpoints.at(KEY), 1)
    checkpoints.remove(KEY)

    assert [] == list((store / "v1" / "checkpoints").iterdir())


@pytest.mark.contract("E12")
def test_states_of_other_code_are_known_by_their_cell(opened: Open) -> None:
    """What an ended run left for the same cell under another key is found; ends of simulations are not looked for."""
    checkpoints = opened()
    save(checkpoints.at(OTHER), 3)
    checkpoints.at(b"e" * 32).save(Manifest(loop=0, step=9, records={}, cell="erode", task="m.erode", mark="end"))

    found = opened().others(KEY, task="m.erode", cell="erode")

    assert [(OTHER, 3)] == [(key, manifest.step) for key, manifest in found]
    assert [] == opened().others(OTHER, task="m.erode", cell="erode")
    assert [] == opened().others(KEY, task="m.erode", cell="erode[rate=1]")


names = st.text(max_size=5)
manifests = st.builds(
    Manifest, loop=st.integers(0, 3), step=st.integers(0, 1 << 50), records=st.dictionaries(names, st.just(b"\x01")),
    generator=st.just(b""), components=st.dictionaries(names, st.binary(max_size=40)), cell=names, run=names,
    series=st.dictionaries(names, st.builds(
        SeriesMark, descr=st.just("<f8"), shape=st.lists(st.integers(0, 9), max_size=3).map(tuple),
        count=st.integers(0, 1 << 40), digest=st.binary(min_size=32, max_size=32))),
    wall=st.floats(0, 1e10), mark=st.sampled_from(["", "kept", "end"]),
)  # fmt: skip


@pytest.mark.contract("C2", "C4")
@given(manifests, st.data())
def test_a_manifest_is_what_was_written_or_nothing(manifest: Manifest, data: st.DataObject) -> None:
    """It comes back equal; with any bit flipped, any length, any other key or number it does not come back."""
    content = pack_manifest(manifest, KEY, 3)
    at = data.draw(st.integers(0, len(content) * 8 - 1))
    flipped = bytearray(content)
    flipped[at // 8] ^= 1 << at % 8

    assert manifest == read_manifest(content, KEY, 3)
    assert read_manifest(bytes(flipped), KEY, 3) is None
    assert read_manifest(content[: at // 8], KEY, 3) is None
    assert read_manifest(content + b"\0", KEY, 3) is None
    assert read_manifest(content, OTHER, 3) is None
    assert read_manifest(content, KEY, 4) is None
