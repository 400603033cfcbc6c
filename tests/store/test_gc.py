"""Claims about store/gc.py: what is removed, what never is, and what a removal costs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3

from flowcore.errors import FlowcoreWarning, StoreUnavailable
from flowcore.plan.encode import encode
from flowcore.store import living
from flowcore.store.cache import Hit, Miss, Trace
from flowcore.store.census import take_census
from flowcore.store.directory import Store, StoreRun, open_store
from flowcore.store.eviction import Holdings, give_up
from flowcore.store.fs import DISK
from flowcore.store.gc import Busy, clear, collect
from flowcore.store.history import NodeFacts, read_run
from flowcore.store.inventory import list_results, list_tasks
from flowcore.store.lock import RunLock
from flowcore.store.times import Times
from tests.store.conftest import Begin
from tests.store.test_cache import array, key, reasons, trace_of

Keep = Callable[..., StoreRun]


@pytest.fixture(autouse=True)
def no_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clocks of all machines agree."""
    monkeypatch.setattr(living, "MARGIN", 0.0)


@pytest.fixture
def keep(begin: Begin) -> Keep:
    """Give a function that lets a run of one task record cells and end."""

    def run_of(
        cells: range, value: Callable[[int], object] = float, *, task: str = "lands.erode", seconds: float = 1.0,
        ends: bool = True,
    ) -> StoreRun:  # fmt: skip
        run = begin()
        run.cache.run({"flow": "lands", "began": 5.0, "workers": 2})
        run.cache.node(1, {"name": task.rpartition(".")[2], "task": task, "common": {}, "own": []})
        trace = trace_of(run, cells, value)
        trace.seconds[:] = [seconds] * len(cells)
        run.cache.record(trace)
        if ends:
            run.end("done", {"cells": len(cells), "done": len(cells), "seconds": 2.5})
            run.close("done")
            run.release()
        return run

    return run_of


def opened(store: Path) -> Store:
    """Open the store anew."""
    return open_store(store)


def names(store: Path, pattern: str) -> list[str]:
    """Name the files that match."""
    return sorted(path.name for path in (store / "v1").glob(pattern) if path.is_file())


def everything(store: Path) -> dict[str, bytes]:
    """Give every file of a folder, and its content."""
    files = [path for path in store.rglob("*") if path.is_file() and path.name != "gc.lock"]
    return {str(path.relative_to(store)): path.read_bytes() for path in files}


@pytest.mark.contract("J9", "J10")
def test_compaction_keeps_nodes_and_times_of_cells_that_were_recorded_together(begin: Begin, store: Path) -> None:
    """Cells of several nodes in one record: those that stay are whole, under their own nodes and tasks."""
    run = begin()
    run.cache.run({"flow": "lands", "began": 5.0, "workers": 2})
    for node in range(6):
        run.cache.node(node, {"name": f"n{node}", "task": f"lands.t{node % 2}"})
    run.cache.recipe(9, {"common": {"code": b"c"}, "own": ["x"], "runner": "process"})
    run.cache.cast(9, range(6), ["argument y"], [[bytes([n]) for n in range(6)]])
    trace = trace_of(run, range(6), float)
    times = Times(begins=[float(n) for n in range(6)], fetching=(), keeping=(), workers=[1] * 6)
    run.cache.record(replace(trace, nodes=[*range(6)], numbers=[0] * 6, times=times))
    run.end("done", {})
    run.close("done")
    run.release()
    clear(opened(store), task="lands.t1")
    (pack,) = (store / "v1" / "journals").glob("*.pack*")
    told = list(read_run(pack))
    nodes = {one.number: one.facts for one in told if isinstance(one, NodeFacts)}
    left = [one for one in told if isinstance(one, Trace)]

    assert {"n0", "n2", "n4"} == {nodes[one.node]["name"] for one in left}
    assert {"n0": 0.0, "n2": 2.0, "n4": 4.0} == {nodes[t.node]["name"]: t.times.begins[0] for t in left if t.times}
    assert {b"\0", b"\2", b"\4"} == {nodes[one.node]["common"]["argument y"] for one in left}  # type: ignore[index]
    answers = begin().cache.judge([key(n) for n in range(6)])
    assert [0, 2, 4] == [n for n, answer in enumerate(answers) if isinstance(answer, Hit)]
    assert [1, 3, 5] == [n for n, answer in enumerate(answers) if isinstance(answer, Miss)]


@pytest.mark.contract("J9", "J10")
def test_compaction_moves_results_and_loses_none(keep: Keep, begin: Begin, store: Path) -> None:
    """Journals of dead runs become one; each record answers as it did, from the run that made it."""
    keep(range(3))
    keep(range(2, 6), lambda i: float(i + 100))
    keep(range(6, 9), array)
    expected = begin().cache.judge([key(i) for i in range(9)])
    found = collect(opened(store), keep_runs=0)
    run = begin()

    assert 3 == found.packed
    assert 1 == len(names(store, "journals/*.pack"))
    assert expected == run.cache.judge([key(i) for i in range(9)])
    assert [9, 9] == [len(expected), len([a for a in expected if isinstance(a, Hit)])]


@pytest.mark.contract("J9")
def test_the_newest_runs_keep_their_journals(keep: Keep, store: Path) -> None:
    """Of the others, the list of runs still tells when and how they ended."""
    import flowcore as fc

    first, second = keep(range(3)), keep(range(3, 6))
    collect(opened(store), keep_runs=1)
    told = {run.id: run for run in fc.runs(store)}

    assert [f"{second.id}.journal"] == names(store, "journals/*.journal")
    assert {first.id, second.id} == set(told)
    assert ("lands", "done", 5.0, 2.5, 3, 2) == (
        told[first.id].flow, told[first.id].status, told[first.id].began, told[first.id].seconds,
        told[first.id].cells["done"], told[first.id].workers,
    )  # fmt: skip
    with pytest.raises(fc.UnknownRun, match="only the results"):
        fc.open_run(first.id, store)


@pytest.mark.contract("J9")
def test_many_packs_become_one(keep: Keep, begin: Begin, store: Path) -> None:
    """And a record in them still has the run that made it."""
    first = keep(range(1))
    collect(opened(store), keep_runs=0)
    for i in range(1, 10):
        keep(range(i, i + 1))
        collect(opened(store), keep_runs=0)
    run = begin()

    assert 2 >= len(names(store, "journals/*.pack"))
    assert ["hit"] * 10 == reasons(run, range(10))
    assert first.id == run.cache.run_of(key(0))


@pytest.mark.contract("J9", "F25")
def test_a_live_run_finds_what_compaction_moved(keep: Keep, begin: Begin, store: Path) -> None:
    """It knows the journals that were there when it began, and looks for the pack once they are gone."""
    keep(range(5))
    running = begin()
    collect(opened(store), keep_runs=0)

    assert [] == [name for name in names(store, "journals/*.journal") if running.id not in name]
    assert ["hit"] * 5 == reasons(running, range(5))


@pytest.mark.contract("T4", "F25")
def test_what_a_live_run_needs_stays(keep: Keep, begin: Begin, store: Path) -> None:
    """Its own results, those that answered for its cells, and what it published without a record yet."""
    keep(range(4), array)
    running = keep(range(4, 6), array, ends=False)
    answers = running.cache.judge([key(0), key(1)])
    running.cache.hits([1, 1], [0, 1], [key(0), key(1)])
    running.cache.flush()
    encode(array(77), put=running.blobs.put)
    found = collect(opened(store), to=0, keep_runs=0)

    assert [True, True] == [isinstance(answer, Hit) for answer in answers]
    assert 1 == found.living
    assert 2 == found.results
    assert ["hit", "hit", "no record", "no record", "hit", "hit"] == reasons(begin(), range(6))
    assert 5 == len(names(store, "arrays/*/*.npy"))


@pytest.mark.contract("T4")
def test_a_file_without_record_goes_and_a_shared_one_stays(keep: Keep, begin: Begin, store: Path) -> None:
    """As long as one of those that name it stays."""
    keep(range(2), lambda i: array(1), seconds=1.0)
    keep(range(2, 3), lambda i: array(1), task="lands.slow", seconds=1000.0)
    orphan = store / "v1" / "arrays" / "ab" / ("ab" * 32 + ".npy")
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"orphan")
    first = collect(opened(store))
    second = clear(opened(store), task="erode")
    third = names(store, "arrays/*/*.npy")
    clear(opened(store), task="lands.slow")

    assert (1, 2) == (first.removed["arrays"].files, second.results)
    assert 1 == len(third)
    assert [] == names(store, "arrays/*/*.npy")
    assert ["no record"] * 3 == reasons(begin(), range(3))


@pytest.mark.contract("F27")
def test_room_is_made_by_seconds_a_byte(keep: Keep, begin: Begin, store: Path) -> None:
    """What is cheapest to compute again for the room it takes goes first."""
    keep(range(3), array, task="lands.cheap", seconds=0.1)
    keep(range(3, 6), lambda i: np.full(20_000, i, np.float64), task="lands.large", seconds=60.0)
    keep(range(6, 9), array, task="lands.dear", seconds=60.0)
    whole = collect(opened(store)).left
    found = collect(opened(store), to=whole - 3 * 40_128 - 2 * 160_128)

    assert 5 == found.results
    assert [1, 3] == [reasons(begin(), cells).count("hit") for cells in (range(3, 6), range(6, 9))]
    assert ["value gone"] * 3 == reasons(begin(), range(3))


def test_a_dry_run_tells_and_changes_nothing(keep: Keep, store: Path) -> None:
    """It foretells what the real one removes."""
    for i in range(3):
        keep(range(4 * i, 4 * i + 4), array)
    before = everything(store)
    foretold = collect(opened(store), to=200_000, keep_runs=1, dry=True)
    after = everything(store)
    found = collect(opened(store), to=200_000, keep_runs=1)

    assert before == after
    assert (found.results, found.packed, found.removed["arrays"]) == (
        foretold.results, foretold.packed, foretold.removed["arrays"],
    )  # fmt: skip


@pytest.mark.contract("P1")
def test_clear_of_everything_leaves_a_store_to_begin_with(keep: Keep, begin: Begin, store: Path) -> None:
    """No result, no history; the next run begins cold and keeps what it makes."""
    keep(range(4), array)
    clear(opened(store))
    left = [name for name in everything(store) if name not in (".gitignore", "v1/flowcore-store")]
    again = keep(range(4), array)

    assert [] == left
    assert ["hit"] * 4 == reasons(again, range(4))


@pytest.mark.contract("S12", "F26")
def test_only_what_is_ours_is_removed(keep: Keep, store: Path, tmp_path: Path) -> None:
    """Foreign files in every directory, links out of the store, later formats and journals: all as they were."""
    keep(range(3), array)
    v1, outside = store / "v1", tmp_path / "home"
    outside.mkdir()
    (outside / ("ab" * 32 + ".npy")).write_bytes(b"mine")
    foreign: list[Path] = []
    for folder in [store, v1, *(path for path in v1.rglob("*") if path.is_dir())]:
        for name in ("thesis.tex", "0" * 63, "output.log.bak", ".npy"):
            foreign.append(folder / name)
            foreign[-1].write_bytes(name.encode())
    for folder in ("v99", "v1/journals/20260101T000000-0000000000000001"):
        (store / folder).mkdir()
        foreign.append(store / folder / "data")
        foreign[-1].write_bytes(b"later")
    later = v1 / "journals" / "20200101T000000-0000000000000009.journal"
    later.write_bytes(b"flowjrnl\x63\0later than this one")
    linked = v1 / "arrays" / "ab"
    linked.symlink_to(outside)
    (v1 / "arrays" / "cd").mkdir(exist_ok=True)
    inner = v1 / "arrays" / "cd" / ("cd" * 32 + ".npy")
    links = [linked, inner, v1 / "corrupt" / f"{'a' * 64}.{'b' * 32}", v1 / "index" / "7", v1 / "code" / ("c" * 64)]
    for link in links[1:]:
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(outside / ("ab" * 32 + ".npy"))
    expected = {path: path.read_bytes() for path in [*foreign, later]}
    collect(opened(store), to=0, keep_runs=0, checkpoints=True)
    clear(opened(store))

    assert expected == {path: path.read_bytes() for path in expected}
    assert [] == [link for link in links if not link.is_symlink()]
    assert [b"mine"] == [path.read_bytes() for path in outside.iterdir()]


@pytest.mark.contract("S12")
def test_a_folder_that_is_no_store_is_left_alone(tmp_path: Path) -> None:
    """Without the marker nothing is removed, however much it looks like a store."""
    path = tmp_path / "v1" / "arrays" / "ab" / ("ab" * 32 + ".npy")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    with pytest.raises(StoreUnavailable, match="no store"):
        clear(open_store(tmp_path))

    assert b"mine" == path.read_bytes()


def test_a_second_one_leaves_at_once(keep: Keep, store: Path) -> None:
    """Nobody waits for a lock."""
    keep(range(2))
    lock = RunLock(opened(store).layout.gc_lock, disk=DISK)
    assert lock.take()
    with pytest.raises(Busy):
        collect(opened(store))
    lock.release()

    assert 1 == collect(opened(store), keep_runs=0).packed


@pytest.mark.contract("C6")
def test_a_checkpoint_goes_once_its_result_is_recorded(keep: Keep, store: Path) -> None:
    """One of an unfinished cell goes only if the user asks."""
    from flowcore.store.manifest import Manifest

    keep(range(1))
    run = keep(range(1, 2), ends=False)
    for each in (key(0), key(50)):
        states = run.checkpoints.at(each)
        states.save(Manifest(loop=0, step=3, records=states.encode({"x": np.arange(3000.0)}), run="dead"))
    run.close("done")
    run.release()
    there = [names(store, "checkpoints/*/0.state")]
    for asked in (False, True):
        collect(opened(store), checkpoints=asked)
        there.append(names(store, "checkpoints/*/*"))

    assert [2, 2, 0] == [len(found) for found in there]


@pytest.mark.contract("J10")
def test_refreshed_results_answer_after_compaction(begin: Begin, store: Path) -> None:
    """And what they took the place of is gone."""
    for refresh, value in ((False, 1), (True, 2), (False, 3)):
        run = begin()
        trace = trace_of(run, range(2), lambda i, value=value: float(value))  # type: ignore[misc]
        run.cache.record(Trace(**{name: getattr(trace, name) for name in trace.__slots__} | {"refresh": refresh}))
        run.close("done")
        run.release()
    expected = begin().cache.judge([key(0), key(1)])
    collect(opened(store), keep_runs=0)

    assert expected == begin().cache.judge([key(0), key(1)])
    assert 2 == len(take_census(DISK, opened(store).layout, set()))


def test_results_are_listed_by_task(keep: Keep, store: Path) -> None:
    """With what they take; a shared file counts for each in part."""
    keep(range(2), lambda i: array(1))
    keep(range(2, 4), float, task="lands.slope", seconds=3.0)
    keep(range(2), lambda i: array(9))
    found = {each.task: each for each in list_tasks(opened(store))}

    assert {"lands.erode": (2, 2.0), "lands.slope": (2, 6.0)} == {t: (f.results, f.seconds) for t, f in found.items()}
    assert 40_128 < found["lands.erode"].bytes < 40_600
    assert {key(2).hex(), key(3).hex()} == {result.key for result in list_results(opened(store), "slope")}


def test_the_choice_counts_shared_files_in_part() -> None:
    """Two results that share a file of 100 bytes stay before one with 60 of its own, and gain nothing one by one."""
    holdings = Holdings(
        seconds=np.array([1, 1, 1], np.float32), sizes=np.zeros(3, np.int64), needed=np.zeros(3, np.bool_),
        named=[b"a", b"a", b"b"], naming=[0, 1, 2], files={b"a": 100, b"b": 60},
    )  # fmt: skip

    assert [False, False, True] == give_up(holdings, 10).tolist()
    assert [True, True, True] == give_up(holdings, 61).tolist()


@pytest.mark.contract("F23")
def test_who_has_an_array_mapped_keeps_it(keep: Keep, begin: Begin, store: Path) -> None:
    """A file is unlinked, never shortened."""
    keep(range(1), lambda i: np.full(300_000, 7.0))
    path = next((store / "v1" / "arrays").rglob("*.npy"))
    size = path.stat().st_size
    reader = begin()
    reader.close("done")
    fd = os.open(path, os.O_RDONLY)
    memory = DISK.map(fd, size)
    reader.release()
    clear(opened(store))
    digest = blake3(memory[:]).hexdigest()
    os.close(fd)

    assert f"{digest}.npy" == path.name
    assert not path.exists()


def test_no_warning_comes_of_a_collection(keep: Keep, begin: Begin, store: Path, told: list[FlowcoreWarning]) -> None:
    """Whoever runs afterwards hears of nothing."""
    keep(range(5), array)
    collect(opened(store), to=100_000, keep_runs=0)
    run = begin()
    reasons(run, range(5))

    assert [] == told
