"""Claims about store/cache.py: what is reused, what never is, and what a disk in trouble costs."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.errors import DamagedEntry, FlowcoreWarning, StoreUnavailable
from flowcore.plan.encode import encode
from flowcore.store import cache as cache_room
from flowcore.store import sync as sync_room
from flowcore.store.cache import NO_RECORD, VALUE_GONE, Cache, Hit, Trace
from flowcore.store.directory import StoreRun, open_store
from flowcore.store.fs import DISK
from flowcore.store.history import Answered, CellFailed, Ended, NodeFacts, RunFacts, read_run, run_paths
from flowcore.store.trace import TraceRows, pack_trace
from flowcore.testing import FaultyDisk
from tests.store.children import in_child
from tests.store.conftest import Begin

Claim = Callable[..., None]
DEADLINE = 60.0  # seconds


def key(i: int) -> bytes:
    """Give the key of cell i."""
    return i.to_bytes(8, "little") + b"k" * 24


def trace_of(run: StoreRun, cells: range, value: Callable[[int], object] = float, *, node: int = 1) -> Trace:
    """Give the trace of cells whose values are made by `value`."""
    encoded = [encode(value(i), put=run.blobs.put) for i in cells]
    return Trace(
        node=node, numbers=list(cells), keys=[key(i) for i in cells], own=[[b"\0own%d" % i for i in cells]],
        components=[e.component for e in encoded], records=[e.record for e in encoded],
        seconds=[i / 4 for i in cells], peaks=[1000 + i for i in cells],
    )  # fmt: skip


def array(i: int) -> object:
    """Give an array that does not fit a record."""
    import numpy as np

    return np.full(5000, i, np.float64)


def reasons(run: StoreRun, cells: range) -> list[str]:
    """Give "hit" or the reason of the miss for each cell."""
    answers = run.cache.judge([key(i) for i in cells])
    return ["hit" if isinstance(answer, Hit) else answer.reason for answer in answers]


def journal(store: Path, run: StoreRun) -> Path:
    """Give a run's journal."""
    return store / "v1" / "journals" / f"{run.id}.journal"


@pytest.mark.parametrize("value", [float, array], ids=["small", "array"])
@pytest.mark.contract("F1")
def test_what_was_recorded_answers(begin: Begin, value: Callable[[int], object]) -> None:
    """In the same run at once, in another one while the first still lives, and after its end."""
    first = begin()
    trace = trace_of(first, range(10), value)
    first.cache.record(trace)
    beside = begin()
    first.close("done")
    after = begin()
    expected = [
        Hit(record, component, seconds, [])
        for record, component, seconds in zip(trace.records, trace.components, trace.seconds, strict=True)
    ]

    assert [expected] * 3 == [run.cache.judge(trace.keys) for run in (first, beside, after)]
    assert NO_RECORD == after.cache.judge([key(99)])[0]


def test_a_question_may_be_in_any_order(begin: Begin) -> None:
    """Each answer stands where its key did."""
    run = begin()
    for start in range(0, 60, 20):
        run.cache.record(trace_of(run, range(start, start + 20)))
    cells = [59, 3, 1000, 40, 3, 21, 0]
    found = run.cache.judge([key(i) for i in cells])

    assert [i / 4 if i < 60 else None for i in cells] == [a.seconds if isinstance(a, Hit) else None for a in found]


def test_a_cell_without_key_never_answers(begin: Begin) -> None:
    """Its key is empty; asking with an empty key finds nothing."""
    run = begin()
    trace = trace_of(run, range(3))
    run.cache.record(replace(trace, keys=[b"", trace.keys[1], b""]))

    assert ["no record", "hit", "no record"] == reasons(begin(), range(3))
    assert [NO_RECORD] == run.cache.judge([b""])


@pytest.mark.contract("S1")
def test_a_value_without_encoding_or_in_the_spool_is_not_kept(begin: Begin, store: Path) -> None:
    """Nothing of a pickle gets into the journal, and no reference that ends with the run."""
    run = begin()
    passed = encode(array(1), put=run.spool.put, place=1)
    pickled = msgpack.packb(msgpack.ExtType(100, b"cos\nsystem\nPICKLE"))
    trace = trace_of(run, range(3))
    records, components = [pickled, passed.record, trace.records[2]], [b"", passed.component, trace.components[2]]
    run.cache.record(replace(trace, records=records, components=components))

    assert ["no record", "no record", "hit"] == reasons(run, range(3))
    assert b"PICKLE" not in journal(store, run).read_bytes()


@pytest.mark.contract("F25")
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: os.truncate(path, 100)])
def test_an_array_that_is_gone_or_cut_is_a_miss(begin: Begin, store: Path, damage: Callable[[Path], None]) -> None:
    """Found when judging, by its size alone."""
    run = begin()
    run.cache.record(trace_of(run, range(3), array))
    damage(next((store / "v1" / "arrays").rglob("*.npy")))

    assert ["hit", "hit", "value gone"] == sorted(reasons(begin(), range(3)))


def two_runs(begin: Begin) -> tuple[StoreRun, StoreRun]:
    """Let two runs record different values for one key, the second one first."""
    one, two = begin(run_id="20250101T000000-0000000000000001"), begin(run_id="20250101T000000-0000000000000002")
    two.cache.record(trace_of(two, range(1), lambda i: array(2)))
    one.cache.record(trace_of(one, range(1), lambda i: array(1)))
    return one, two


@pytest.mark.contract("F33")
def test_the_first_record_by_run_id_answers(begin: Begin) -> None:
    """Whichever was written first, and for everybody alike."""
    one, _ = two_runs(begin)
    expected = trace_of(one, range(1), lambda i: array(1)).records[0]
    for _ in range(2):
        (hit,) = begin().cache.judge([key(0)])

        assert isinstance(hit, Hit)
        assert expected == hit.record


@pytest.mark.contract("F33", "F25")
def test_the_next_record_answers_when_the_firsts_value_is_gone(begin: Begin, store: Path) -> None:
    """And when no value is left, none does."""
    one, two = two_runs(begin)
    first, second = (trace_of(run, range(1), lambda i, v=v: array(v)) for run, v in ((one, 1), (two, 2)))
    sizes = {path: path.read_bytes() for path in (store / "v1" / "arrays").rglob("*.npy")}
    for path in sizes:
        if path.stem in first.records[0].hex():
            path.unlink()
    run = begin()
    (hit,) = run.cache.judge([key(0)])
    for path in sizes:
        path.unlink(missing_ok=True)

    assert isinstance(hit, Hit)
    assert second.records[0] == hit.record
    assert [VALUE_GONE] == run.cache.judge([key(0)])


def test_a_refreshed_record_comes_first(begin: Begin) -> None:
    """It takes the place of older ones; of two the later answers."""
    for value in (1.0, 2.0, 3.0):
        run = begin()
        run.cache.record(replace(trace_of(run, range(1), lambda i, v=value: v), refresh=value > 1))
        run.close("done")
    (hit,) = begin().cache.judge([key(0)])

    assert isinstance(hit, Hit)
    assert msgpack.packb(3.0) == hit.record


def test_a_run_can_be_read_back(begin: Begin, store: Path) -> None:
    """All kinds, in the order in which they were written; unknown ones and those of another shape are passed over."""
    run = begin()
    trace = trace_of(run, range(4))
    run.cache.run({"flow": "landscape", "seed": 7})
    run.cache.node(1, {"name": "erode", "axes": [0]})
    run.cache.record(trace)
    run.cache.hits([2, 2, 2], [5, 6, 9], [key(5), b"", key(9)])
    run.cache.failed(1, 4, {"type": "ValueError"})
    run.cache._note(["of a later version", 1, 2])
    run.cache._note(["trace", "of another shape"])
    run.cache._note(["hit", 1, 2, [0, 3], b""])
    run.end("failed", {"done": 4, "failed": 1})
    run.close("failed")
    paths = run_paths(store)

    assert [run.id] == list(paths)
    assert [
        RunFacts(facts={"flow": "landscape", "seed": 7}),
        NodeFacts(number=1, facts={"name": "erode", "axes": [0]}),
        trace,
        Answered(node=2, numbers=[5, 6, 9], keys=[key(5), b"", key(9)]),
        CellFailed(node=1, number=4, facts={"type": "ValueError"}),
        Ended(status="failed", counts={"done": 4, "failed": 1}),
    ] == list(read_run(paths[run.id]))


columns = st.one_of(
    st.binary(max_size=12), st.just(b""), st.just(b"\0same"), st.binary(min_size=4, max_size=4)
)  # fmt: skip


@given(st.data())
def test_a_trace_comes_back_as_it_was(data: st.DataObject) -> None:
    """Whatever its columns hold: ragged, equal, empty, shared, with gaps in the numbers."""
    n = data.draw(st.integers(1, 8))

    def column(cell: st.SearchStrategy[object]) -> list[object]:
        return data.draw(st.one_of(st.lists(cell, min_size=n, max_size=n), cell.map(lambda one: [one] * n)))

    records = column(columns)
    classes = st.lists(st.tuples(st.text(max_size=3), st.binary(max_size=3)), max_size=2)
    trace = Trace(
        node=3, numbers=column(st.integers(0, 2**40)), keys=column(st.one_of(st.just(b""), st.just(key(5)))),
        own=[column(columns), column(columns)], records=records,
        components=data.draw(st.one_of(st.just([b"\0" + r for r in records]), st.just(column(columns)))),
        seconds=[float(i) for i in range(n)], peaks=data.draw(st.sampled_from([[], list(range(1, n + 1))])),
        classes=data.draw(st.one_of(st.just([]), st.just(column(classes)))), refresh=data.draw(st.booleans()),
    )  # fmt: skip
    back = TraceRows(msgpack.unpackb(msgpack.packb(pack_trace(trace)))).whole()
    expected = replace(trace, classes=trace.classes if any(trace.classes) else [])

    assert expected == back


def test_a_shared_own_component_comes_back_for_every_cell() -> None:
    """A column of one stands for all."""
    trace = Trace(
        node=1, numbers=[1, 2], keys=[b"", b""], own=[[b"one"]], components=[b"a", b"b"], records=[b"", b""],
        seconds=[0.0, 0.0],
    )  # fmt: skip

    assert [[b"one", b"one"]] == TraceRows(msgpack.unpackb(msgpack.packb(pack_trace(trace)))).whole().own


@pytest.mark.contract("S7")
@given(st.integers(1, 11), st.none() | st.integers(-2, 3) | st.binary(max_size=9) | st.lists(st.integers(-1, 3)))
def test_a_crafted_trace_is_refused_whole(place: int, junk: object) -> None:
    """Any field of another shape is a ValueError before a cell is read, or the cells can all be read."""
    trace = Trace(
        node=1, numbers=[1, 5], keys=[key(1), key(2)], own=[[b"a", b"bc"]], components=[b"c", b"de"],
        records=[b"r", b"st"], seconds=[0.5, 1.5], peaks=[1, 2],
    )  # fmt: skip
    record = msgpack.unpackb(msgpack.packb(pack_trace(trace)))
    record[place] = junk
    try:
        rows = TraceRows(record)
    except ValueError:
        return
    for row in range(rows.count):
        rows.component(row, rows.record(row, rows.key(row)))
        rows.classes(row)


@pytest.mark.contract("F29")
def test_a_small_cell_takes_less_than_60_bytes(begin: Begin, store: Path) -> None:
    """Beyond its key: number, value, identity, argument, seconds and memory, in groups of 512."""
    run = begin()
    before = journal(store, run).stat().st_size
    run.cache.record(trace_of(run, range(512)))
    size = (journal(store, run).stat().st_size - before) / 512 - 32

    assert size < 60


@pytest.mark.contract("F29")
def test_a_group_is_one_write_and_its_judging_one_read(begin: Begin) -> None:
    """Calls to the disk do not grow with the cells."""
    counts = []
    for cells in (10, 1000):
        disk = FaultyDisk()
        run = begin(disk)
        start = 10_000 * cells
        run.cache.node(1, {})
        disk.log.clear()
        run.cache.record(trace_of(run, range(start, start + cells)))
        run.cache.judge([key(i) for i in range(start, start + cells)])
        counts.append([call for call in disk.log if call != "fsync"])

    assert counts[0][0] == "pwrite"
    assert 1 == counts[0].count("pwrite")
    assert counts[0] == counts[1]


# Trouble with the disk.


@pytest.mark.contract("F22")
def test_no_flipped_bit_in_a_journal_gives_another_answer(begin: Begin, store: Path) -> None:
    """Every bit in turn: the same hit or a miss, at most one warning, never an exception."""
    run = begin()
    run.cache.record(trace_of(run, range(2)))
    run.cache.record(trace_of(run, range(2, 4)))
    good = run.cache.judge([key(i) for i in range(4)])
    run.close("done")
    path = journal(store, run)
    content = path.read_bytes()
    store_ = open_store(store)
    for bit in range(0, 8 * len(content), 7):
        bad = bytearray(content)
        bad[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bad)
        told: list[FlowcoreWarning] = []
        records = cache_room.Records(store_.layout, disk=DISK, tell=told.append)
        records.read_older(than="")
        reader = Cache(records, run.blobs, journal=None, sync=None, trouble=run._trouble)
        found = reader.judge([key(i) for i in range(4)])
        records.close()

        assert all(a in (b, NO_RECORD) for a, b in zip(found, good, strict=True)), f"bit {bit}"
        assert [DamagedEntry] * len(told) == [type(warning) for warning in told]
        assert len(told) <= 1
    path.write_bytes(content)


@pytest.mark.contract("F22")
def test_a_frame_that_changed_since_the_index_was_made_is_a_miss(begin: Begin, store: Path) -> None:
    """The index is never the holder of a record."""
    run = begin()
    run.cache.record(trace_of(run, range(2)))
    run.close("done")
    reader = begin()
    path = journal(store, run)
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)

    assert ["value gone", "value gone"] == reasons(reader, range(2))


@pytest.mark.contract("F1")
def test_a_record_survives_a_kill_right_after(begin: Begin, store: Path) -> None:
    """What `record` returned from answers the next run."""

    def act() -> None:
        run = open_store(store).begin()
        run.cache.record(trace_of(run, range(5)))
        os.kill(os.getpid(), signal.SIGKILL)

    assert -signal.SIGKILL == in_child(act)
    assert ["hit"] * 5 == reasons(begin(), range(5))


@pytest.mark.contract("F19")
def test_records_wait_for_a_full_disk(
    begin: Begin, told: list[FlowcoreWarning], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In memory, with one warning; once there is room they are written and answer."""
    now = [1000.0]
    monkeypatch.setattr("flowcore.clock.monotonic", lambda: now[0])
    disk = FaultyDisk(3, error=errno.ENOSPC, only=("pwrite",))
    run = begin(disk)
    for start in range(0, 8, 2):
        run.cache.record(trace_of(run, range(start, start + 2)))
    during = reasons(run, range(8))
    now[0] += 1.5
    run.cache.flush()
    run.close("done")

    assert ["hit"] * 4 + ["no record"] * 4 == during
    assert ["hit"] * 8 == reasons(run, range(8))
    assert ["hit"] * 8 == reasons(begin(), range(8))
    assert [StoreUnavailable, DamagedEntry] == [type(warning) for warning in told]  # the second one is of the debris


@pytest.mark.contract("F19")
def test_what_waits_is_bounded(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that stays full costs results their keeping, not the run its memory."""
    monkeypatch.setattr(cache_room, "_WAITING_LIMIT", 1000)
    run = begin(FaultyDisk(1, error=errno.ENOSPC, lasting=True, only=("pwrite",)))
    for start in range(0, 200, 10):
        run.cache.record(trace_of(run, range(start, start + 10)))

    assert sum(len(each.payload) for each in run.cache._waiting) <= 1000


@pytest.mark.contract("F20")
@pytest.mark.parametrize("call", ["pwrite", "fsync"])
@pytest.mark.parametrize("durable", [False, True])
def test_after_a_failed_write_or_sync_nothing_is_kept(
    begin: Begin, told: list[FlowcoreWarning], call: str, durable: bool
) -> None:
    """No second attempt, one warning, and the run goes on."""
    begin().close("done")  # a new store has a sync of its own
    disk = FaultyDisk(1, error=errno.EIO, only=(call,))
    run = begin(disk, durable=durable)
    run.cache.record(trace_of(run, range(2)))
    run._writing.sync.sync()  # type: ignore[union-attr]
    calls = disk.count
    run.cache.record(trace_of(run, range(2, 4)))
    run.cache.flush()
    run._writing.sync.sync()  # type: ignore[union-attr]
    run.close("done")

    assert 1 == calls == disk.count
    assert ["no record"] * 2 == reasons(begin(), range(2, 4))
    assert [StoreUnavailable] == [type(w) for w in told if isinstance(w, StoreUnavailable)]


@pytest.mark.contract("F18")
def test_files_are_synced_before_their_directories_and_those_before_the_journal(begin: Begin, store: Path) -> None:
    """Else a record could be on the medium that promises bytes nobody has."""
    log: list[str] = []

    class Spy(FaultyDisk):
        def fsync(self, fd: int) -> None:
            log.append(os.path.relpath(os.readlink(f"/proc/self/fd/{fd}"), store / "v1"))
            super().fsync(fd)

    begin().close("done")
    run = begin(Spy())
    run.cache.record(trace_of(run, range(3), array))
    run._writing.sync.sync()  # type: ignore[union-attr]
    first = list(log)
    run._writing.sync.sync()  # type: ignore[union-attr]

    kinds = ["file" if name.endswith(".npy") else "journal" if name.endswith(".journal") else "dir" for name in first]
    assert ["dir"] * 6 + ["file"] * 3 == kinds[:9]
    assert {"dir"} == set(kinds[9:-1])
    assert "journal" == kinds[-1]
    assert first == log  # nothing new, nothing synced


def test_many_new_arrays_are_synced_at_once(begin: Begin) -> None:
    """One call for the filesystem instead of one a file."""
    begin().close("done")
    disk = FaultyDisk(only=("fsync", "sync_filesystem"))
    run = begin(disk)
    run.cache.record(trace_of(run, range(70), lambda i: list(range(20_000 + i))))
    run._writing.sync.sync()  # type: ignore[union-attr]

    assert ["sync_filesystem", "fsync"] == disk.log


@pytest.mark.contract("B9")
def test_a_large_array_is_not_waited_for(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes to the medium while the next one is made; else a run would end with all of them."""
    monkeypatch.setattr(sync_room, "EVERY", DEADLINE * 10)
    monkeypatch.setattr(sync_room, "SOON", 100_000)
    done = threading.Event()

    class Spy(FaultyDisk):
        def fsync(self, fd: int) -> None:
            super().fsync(fd)
            if os.readlink(f"/proc/self/fd/{fd}").endswith(".npy"):
                done.set()

    run = begin(Spy())
    run.cache.record(trace_of(run, range(3), array))

    assert done.wait(DEADLINE), "three arrays of 40 kB are 100 kB and more"


@pytest.mark.contract("B9", "F18")
def test_a_sync_returns_when_another_one_has_made_durable_what_was_noted(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A durable store acknowledges a result then, though its thread was first to take it up."""
    monkeypatch.setattr(sync_room, "EVERY", DEADLINE * 10)
    monkeypatch.setattr(sync_room, "SOON", 1)
    log: list[str] = []
    others: list[threading.Thread] = []

    class Spy(FaultyDisk):
        def fsync(self, fd: int) -> None:
            name = os.readlink(f"/proc/self/fd/{fd}")
            if name.endswith(".npy"):  # by now this sync has taken up all there is
                others.append(threading.Thread(target=again, daemon=True))
                others[0].start()
                others[0].join(0.2)
            super().fsync(fd)
            log.extend(["journal"] * name.endswith(".journal"))

    def again() -> None:
        run._writing.sync.sync()  # type: ignore[union-attr]
        log.append("acknowledged")

    begin().close("done")
    run = begin(Spy())
    run.cache.record(trace_of(run, range(1), array))
    run.close("done")
    others[0].join(DEADLINE)

    assert "acknowledged" in log
    assert "acknowledged" not in log[: log.index("journal")]


# What the tests above must not accept.


def trusts_the_record(self: Cache, record: bytes) -> bool:
    """Look at no file."""
    return True


def test_a_cache_that_trusts_its_records_is_caught(begin: Begin, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The saboteur of F25."""
    monkeypatch.setattr(Cache, "_holds", trusts_the_record)
    with pytest.raises(AssertionError):
        test_an_array_that_is_gone_or_cut_is_a_miss(begin, store, Path.unlink)


def test_a_cache_that_asks_no_later_record_is_caught(
    begin: Begin, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The saboteur of J10."""
    monkeypatch.setattr(Cache, "_other", lambda self, first, key_, since: VALUE_GONE)
    with pytest.raises(AssertionError):
        test_the_next_record_answers_when_the_firsts_value_is_gone(begin, store)


def test_a_sync_that_tries_again_is_caught(
    begin: Begin, told: list[FlowcoreWarning], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The saboteur of F20."""
    monkeypatch.setattr("flowcore.store.trouble.Trouble.stop", lambda self, reason, remedy="": None)
    with pytest.raises(AssertionError):
        test_after_a_failed_write_or_sync_nothing_is_kept(begin, told, "fsync", False)


def test_a_record_answers_only_while_it_is_young_enough(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Age is counted from the beginning of the run that made it, to parts of a second."""
    monkeypatch.setattr("flowcore.clock.wall", lambda: 1_000_000.25)
    begin().cache.record(trace_of(begin(), range(2)))
    monkeypatch.setattr("flowcore.clock.wall", lambda: 1_000_100.75)
    second = begin()
    asked = [type(second.cache.judge([key(0)], younger_than=age)[0]).__name__ for age in (99.0, 100.4, 100.6)]

    assert ["Miss", "Miss", "Hit"] == asked
