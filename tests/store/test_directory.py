"""Claims about store/directory.py and the rooms it puts together: what is a store, and whose."""

from __future__ import annotations

import errno
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from flowcore.errors import FlowcoreWarning, StoreUnavailable
from flowcore.plan.encode import encode
from flowcore.store.cache import Hit, Trace
from flowcore.store.directory import Store, StoreRun, new_run_id, open_store
from flowcore.store.fs import DISK, Disk
from flowcore.store.layout import RUN_ID, Layout
from flowcore.store.leftovers import AGE
from flowcore.testing import FaultyDisk
from flowcore.testing.disks import WRITING
from tests.store.children import in_child
from tests.store.conftest import Begin

KEY = b"k" * 32


def keep_one(run: StoreRun, key: bytes = KEY) -> None:
    """Record a cell with a small value."""
    encoded = encode(1.5, put=run.blobs.put)
    trace = Trace(
        node=1, numbers=[0], keys=[key], components=[encoded.component], records=[encoded.record], seconds=[0.1]
    )
    run.cache.record(trace)


def tree(root: Path) -> dict[str, bytes | None]:
    """Give every file under a directory, with its content."""
    return {str(p.relative_to(root)): p.read_bytes() if p.is_file() else None for p in sorted(root.rglob("*"))}


def test_run_ids_are_names_that_sort(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their start, to the microsecond, and never twice the same."""
    now = [1_700_000_000.0]
    monkeypatch.setattr("flowcore.clock.wall", lambda: now[0])
    ids = []
    for _ in range(20):
        now[0] += 0.000_7
        ids.append(new_run_id())

    assert sorted(ids) == ids
    assert all(RUN_ID.fullmatch(each) for each in ids)
    assert new_run_id() != new_run_id()


def test_opening_makes_nothing(store: Path) -> None:
    """The directory is there once a run begins."""
    opened = open_store(store)

    assert (True, True, None) == (opened.writable, opened.readable, opened.trouble)
    assert not store.exists()


@pytest.mark.contract("S5")
@pytest.mark.parametrize("umask", [0, 0o077])
def test_everything_is_for_its_user_alone(store: Path, begin: Begin, umask: int) -> None:
    """0700 and 0600, whatever the umask."""
    before = os.umask(umask)
    try:
        run = begin()
        keep_one(run)
    finally:
        os.umask(before)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (store, *store.rglob("*"))}

    assert {0o700, 0o600} == set(modes.values())
    assert {0o600} == {modes[name] for name in modes if "." in name and name != "store"}
    assert b"*\n" == (store / ".gitignore").read_bytes()


def test_a_finished_run_leaves_a_journal_and_nothing_else(store: Path, begin: Begin) -> None:
    """No drafts, no spool, no thread."""
    run = begin()
    place = run.spool.path
    run.spool.put(b"H" * 128, memoryview(bytes(100)))
    keep_one(run)
    run.close("done")
    run.release()

    assert {".gitignore", "flowcore-store", f"{run.id}.journal", f"{run.id}.lock"} == {
        p.name for p in store.rglob("*") if p.is_file()
    }
    assert [] == os.listdir(store / "v1" / "tmp")
    assert not os.path.exists(place)


def test_a_worker_imports_nothing_heavy() -> None:
    """Each of them would pay for it."""
    code = (
        "import sys, flowcore.store.directory\n"
        "print([m for m in ('networkx', 'asyncio', 'rich', 'filelock', 'numpy', 'cloudpickle') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())

    assert "[]\n" == done.stdout


class Somebody(Disk):
    """A user whom the files here do not belong to."""

    def user(self) -> int:
        return 4242

    def stat(self, path: str | Path, *, dir_fd: int | None = None) -> os.stat_result:
        found = super().stat(path, dir_fd=dir_fd)
        return os.stat_result((*found[:4], 1717, *found[5:])) if found.st_uid == os.geteuid() else found


@pytest.mark.contract("S5", "F26")
@pytest.mark.parametrize("what", ["link", "fifo", "directory"])
def test_something_planted_in_place_of_the_marker(store: Path, begin: Begin, what: str) -> None:
    """A store whose format cannot be told is neither read nor written, whatever the rest of it says."""
    keep_one(begin())
    marker = store / "v1" / "flowcore-store"
    marker.rename(store / "moved")
    {"link": lambda: marker.symlink_to(store / "moved"), "fifo": lambda: os.mkfifo(marker), "directory": marker.mkdir}[
        what
    ]()
    opened = open_store(store)

    assert (False, False) == (opened.readable, opened.writable)
    assert "is not a file" in str(opened.trouble)


@pytest.mark.contract("S5")
@pytest.mark.parametrize("part", ["", "v1", "v1/arrays", "v1/journals"])
@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_what_others_may_write_to_is_neither_read_nor_written(
    store: Path, begin: Begin, told: list[FlowcoreWarning], part: str, mode: int
) -> None:
    """The run goes on without it, with one warning that says how to mend it."""
    first = begin()
    keep_one(first)
    first.close("done")
    (store / part).chmod(mode)
    before = tree(store)
    run = begin()
    keep_one(run)

    assert not any(isinstance(answer, Hit) for answer in run.cache.judge([KEY]))
    assert [StoreUnavailable] == [type(warning) for warning in told]
    assert "chmod go-w" in str(told[0])
    assert not run.writable
    assert before == tree(store)


@pytest.mark.contract("S5")
def test_a_foreign_store_is_neither_read_nor_written(store: Path, begin: Begin, told: list[FlowcoreWarning]) -> None:
    """Owner and user are named."""
    first = begin()
    keep_one(first)
    first.close("done")
    before = tree(store)
    run = begin(Somebody())
    keep_one(run)

    assert not any(isinstance(answer, Hit) for answer in run.cache.judge([KEY]))
    assert "belongs to user 1717, and this is user 4242" in str(told[0])
    assert before == tree(store)


@pytest.mark.contract("S5")
def test_a_link_that_somebody_else_planted_is_refused(tmp_path: Path, told: list[FlowcoreWarning]) -> None:
    """One's own link to a scratch disk is followed."""
    (tmp_path / "scratch").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "scratch")
    mine, foreign = open_store(tmp_path / "link"), open_store(tmp_path / "link", disk=Somebody())

    assert (tmp_path / "scratch", True) == (mine.root, mine.writable)
    assert foreign.trouble is not None
    assert "not a directory" in foreign.trouble.reason


@pytest.mark.contract("F26", "J3")
def test_records_of_later_kinds_are_passed_over(begin: Begin, told: list[FlowcoreWarning]) -> None:
    """What is known before and behind them answers, and nothing is said."""
    first = begin()
    for kind in (["later", {"x": 1}], ["trace 2", [1, 2], None], [7], ["trace"], [], ["beat", "and more", 1]):
        first.cache._note(kind)
    keep_one(first)
    for kind in (["later"], ["node", "of another form"]):
        first.cache._note(kind)
    first.close("done")
    run = begin()

    assert [True] == [isinstance(answer, Hit) for answer in run.cache.judge([KEY])]
    assert [] == told


@pytest.mark.contract("F26")
@pytest.mark.parametrize("content", [b"flowcore store\nformat 2\ndigest blake3-256\n", b"", b"\xff\x00", b"x" * 9000])
def test_another_format_is_left_alone(store: Path, begin: Begin, told: list[FlowcoreWarning], content: bytes) -> None:
    """Neither read nor written; the message names what was found and what is known."""
    begin().close("done")
    (store / "v1" / "flowcore-store").write_bytes(content)
    before = tree(store)
    run = begin()
    keep_one(run)

    assert not run.writable
    assert before == tree(store)
    assert "format 1" in str(told[0])


@pytest.mark.contract("F26")
def test_later_formats_beside_ours_are_not_touched(store: Path, begin: Begin, told: list[FlowcoreWarning]) -> None:
    """A v99/ and a journal of version 99 are byte-equal afterwards, and the run works."""
    begin().release()
    (store / "v99" / "things").mkdir(parents=True)
    (store / "v99" / "things" / "data").write_bytes(b"later")
    later = bytearray(next((store / "v1" / "journals").glob("*.journal")).read_bytes())
    later[8] = 99
    (store / "v1" / "journals" / "20990101T000000-0123456789abcdef.journal").write_bytes(later)
    before = tree(store)
    run = begin()
    keep_one(run)

    assert before.items() <= tree(store).items()
    assert isinstance(run.cache.judge([KEY])[0], Hit)
    assert [] == told


@pytest.mark.contract("F21")
@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("found_out", ["at open", "at begin"])
def test_a_read_only_store_answers_and_keeps_nothing(
    store: Path, begin: Begin, told: list[FlowcoreWarning], code: int, found_out: str
) -> None:
    """One warning; values that are not kept go by the spool."""
    first = begin()
    keep_one(first)
    first.close("done")
    before = tree(store)
    calls = ("may_write",) if found_out == "at open" else tuple(c for c in WRITING if c != "mkdir")
    run = begin(ReadOnly(store, code, calls))
    keep_one(run, b"n" * 32)
    hit, miss = run.cache.judge([KEY, b"n" * 32])
    digest = run.spool.put(b"H" * 128, memoryview(bytes(100)))
    with pytest.raises(StoreUnavailable):
        run.blobs.put(b"H" * 128, memoryview(bytes(100)))

    assert isinstance(hit, Hit)
    assert not isinstance(miss, Hit)
    assert bytes(100) == bytes(run.spool.map(digest, b"H" * 128, 100)[0][128:])
    assert [StoreUnavailable] == [type(warning) for warning in told]
    assert "read-only" in str(told[0])
    assert before == tree(store)


class ReadOnly(Disk):
    """Writing under one directory fails."""

    def __init__(self, root: Path, code: int, calls: tuple[str, ...]) -> None:
        self.root = str(root)
        self.code = code
        self.calls = calls

    def _refuse(self, name: str, path: object) -> None:
        if str(path).startswith(self.root) and ("may_write" in self.calls) == (name == "may_write"):
            raise OSError(self.code, os.strerror(self.code))

    def may_write(self, path: str | Path) -> None:
        self._refuse("may_write", path)
        super().may_write(path)

    def mkdir(self, path: str | Path) -> None:
        if not os.path.lexists(path):
            self._refuse("mkdir", path)
        super().mkdir(path)

    def open(self, path: str | Path, flags: int = os.O_RDONLY, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
        if flags & (os.O_RDWR | os.O_CREAT):
            self._refuse("open", path)
        return super().open(path, flags, mode, dir_fd=dir_fd)


@pytest.mark.contract("F21")
@pytest.mark.skipif(os.geteuid() == 0, reason="permission bits mean nothing to root")
def test_a_directory_without_write_permission_is_found_out(store: Path, begin: Begin) -> None:
    """By asking, before anything is tried."""
    begin().close("done")
    store.chmod(0o500)

    assert not open_store(store).writable


MAKING = ("mkdir", "link", "open", "fsync", "write", "pwrite", "rename")


@pytest.mark.contract("F19")
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_run_begins_whatever_call_fails(store: Path, told: list[FlowcoreWarning], code: int) -> None:
    """Without a store it keeps nothing; what it is given can still be handed over."""
    n = 0
    calls = n
    while calls >= n:
        n += 1
        told.clear()
        disk = FaultyDisk(n, error=code, only=MAKING, under=str(store))
        run = open_store(store, disk=disk).begin(tell=told.append)
        keep_one(run)
        try:
            digest = run.spool.put(b"H" * 128, memoryview(bytes(100)))
            found = bytes(run.spool.map(digest, b"H" * 128, 100)[0][128:])
        finally:
            run.close("done")
            run.release()
        calls = disk.count
        DISK.rename(store, store.parent / f"was {n}") if store.exists() else None

        assert bytes(100) == found
        assert len(told) <= 1, f"call {n}"
        assert run.writable or told, f"call {n}"
    assert n > 15


def test_values_stay_readable_until_the_run_is_released(store: Path, begin: Begin) -> None:
    """A run that was closed still answers `run[x]`; no other run takes its files for leftovers."""
    run = begin()
    (store / "v1" / "tmp" / run.id / f"{'a' * 64}.npy").touch()
    digest = run.spool.put(b"H" * 128, memoryview(bytes(100)))
    run.close("done")
    begin()
    readable = bytes(run.spool.map(digest, b"H" * 128, 100)[0][128:])
    left = os.listdir(store / "v1" / "tmp" / run.id)
    run.release()

    assert bytes(100) == readable
    assert [f"{'a' * 64}.npy"] == left
    assert not os.path.exists(run.spool.path)
    assert run.id not in os.listdir(store / "v1" / "tmp")


@pytest.mark.contract("F16")
def test_two_runs_share_a_store(begin: Begin) -> None:
    """Each keeps its own; the next one is answered from both."""
    one, two = begin(), begin()
    keep_one(one, b"1" * 32)
    keep_one(two, b"2" * 32)
    answers = begin().cache.judge([b"1" * 32, b"2" * 32])

    assert all(isinstance(answer, Hit) for answer in answers)


def killed_run(store: Path) -> str:
    """Let a run be killed with a draft in tmp; give its id."""
    run_id = new_run_id()

    def act() -> None:
        run = open_store(store).begin(run_id)
        Path(run._store.layout.workplace(run_id), "d" * 32).touch()
        os.kill(os.getpid(), signal.SIGKILL)

    assert -signal.SIGKILL == in_child(act)
    return run_id


@pytest.mark.contract("F2", "F24")
def test_a_killed_runs_leftovers_go_and_a_living_ones_stay(store: Path, begin: Begin) -> None:
    """Its lock says which is which."""
    living = begin()
    draft = Path(living._store.layout.workplace(living.id), "e" * 32)
    draft.touch()
    dead = killed_run(store)
    before = sorted(os.listdir(store / "v1" / "tmp"))
    run = begin()

    assert sorted([living.id, dead]) == before
    assert sorted([living.id, run.id]) == sorted(os.listdir(store / "v1" / "tmp"))
    assert draft.exists()


class AnotherBoot(Disk):
    """The machine has been started again, or this is another one."""

    def boot(self) -> bytes:
        return b"another boot id."


@pytest.mark.contract("F27")
@pytest.mark.parametrize(("age", "kept"), [(0.0, True), (AGE - 600, True), (AGE + 600, False)])
def test_a_run_of_another_boot_is_dead_when_its_journal_has_not_grown_for_a_day(
    store: Path, begin: Begin, age: float, kept: bool
) -> None:
    """By the filesystem's clock; the age of its tmp directory says nothing."""
    dead = killed_run(store)
    layout = Layout(store)
    now = os.stat(store).st_mtime
    os.utime(layout.journal(dead), (now - age, now - age))
    os.utime(layout.workplace(dead), (now - 30 * AGE, now - 30 * AGE))
    begin(AnotherBoot())

    assert kept == os.path.exists(layout.workplace(dead))


@pytest.mark.contract("S12")
def test_tidying_removes_only_our_names(store: Path, begin: Begin, tmp_path: Path) -> None:
    """A foreign file in every directory, and links out of the store, are still there."""
    dead = killed_run(store)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / ("a" * 32)).write_bytes(b"other")
    workplace = store / "v1" / "tmp" / dead
    for directory in [p for p in (store, *store.rglob("*")) if p.is_dir()]:
        (directory / "notes.txt").write_bytes(b"mine")
    (workplace / "link").symlink_to(tmp_path / "outside")
    other = store / "v1" / "tmp" / "20200101T000000-0123456789abcdef"
    other.symlink_to(tmp_path / "outside")
    before = {name for name in tree(store) if name.endswith("notes.txt")}
    begin()
    after = tree(store)

    assert before == {name for name in after if name.endswith("notes.txt")}
    assert ["link", "notes.txt"] == sorted(os.listdir(workplace))
    assert b"other" == (tmp_path / "outside" / ("a" * 32)).read_bytes()


@pytest.mark.contract("F38")
@pytest.mark.parametrize("part", ["", "v1", "v1/journals"])
def test_a_store_removed_during_the_run_is_given_up(
    store: Path, begin: Begin, told: list[FlowcoreWarning], part: str
) -> None:
    """With one warning; the run goes on, and the next one starts cold."""
    run = begin()
    keep_one(run)
    for path in sorted((store / part).rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    run._writing.sync.sync()  # type: ignore[union-attr]
    keep_one(run, b"n" * 32)
    run.close("done")
    later = begin()

    assert [StoreUnavailable] == [type(warning) for warning in told]
    assert "removed during the run" in str(told[0])
    assert not any(isinstance(answer, Hit) for answer in later.cache.judge([KEY, b"n" * 32]))


def test_a_worker_has_the_runs_arrays(begin: Begin, store: Path) -> None:
    """Kept or passed on, and what one process vouches for another need not check."""
    run = begin()
    header, data = b"H" * 128, os.urandom(400_000)
    kept, passed = run.blobs.put(header, memoryview(data)), run.spool.put(header, memoryview(data[:100]))
    worker = Store.attach(run.root, run.id, run.spool.path, durable=False, writable=True)
    found = worker.blobs.map(kept, header, len(data)), worker.spool.map(passed, header, 100)
    vouched = kept in worker.blobs.verified
    worker.blobs.verified.close()

    assert [data, data[:100]] == [bytes(buffer[offset:]) for buffer, offset in found]
    assert vouched
    assert re.fullmatch(r"[0-9a-f]{64}", kept.hex())
