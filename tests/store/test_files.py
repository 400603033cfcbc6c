"""Claims about store/files.py: what a file is known by, when that is believed, and what is copied."""

# ruff: noqa: E501 - tables are read by column

from __future__ import annotations

import os
from pathlib import Path

import pytest
from blake3 import blake3

from flowcore import clock
from flowcore.declare.files import File
from flowcore.errors import DamagedEntry, MissingFile, StoreUnavailable
from flowcore.plan.encode import BadRecord, ValueGone, component_of, decode, encode, no_fetch, references
from flowcore.plan.extension import FILE, KEPT, OUTSIDE, extension, pack
from flowcore.plan.files import Facts, Filed, files_in, has_files
from flowcore.store.codecs import Codec
from flowcore.store.files import Files, StatCache, changed_file
from flowcore.store.fs import Disk
from tests.plan.corpus import Memory
from tests.store.conftest import Begin

NOW = 2_000_000_000.0  # seconds since 1970


class Reads(Disk):
    """Counts the bytes that are read of files."""

    def __init__(self) -> None:
        self.read = 0

    def read_into(self, fd: int, buffer: memoryview, offset: int) -> int:
        """Read, and count."""
        count = super().read_into(fd, buffer, offset)
        self.read += count
        return count


@pytest.fixture
def disk() -> Reads:
    """Give a disk that counts."""
    return Reads()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file of yesterday."""
    made = tmp_path / "data.nc"
    made.write_bytes(b"first")
    set_age(made, 86_400)
    return made


def set_age(path: Path, seconds: float) -> None:
    """Give a file its times: mtime by hand, ctime as the kernel has it; only the clock below is later."""
    os.utime(path, (NOW - seconds, NOW - seconds))


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all that was written so far be long past."""
    monkeypatch.setattr(clock, "wall", lambda: NOW)


@pytest.mark.contract("K22")
def test_identity_is_the_content(tmp_path: Path) -> None:
    """Two paths with one content are one value; one byte makes another; text stays text."""
    for name, content in (("a.nc", b"same"), ("b.txt", b"same"), ("c.nc", b"samf")):
        (tmp_path / name).write_bytes(content)
    codec = Codec(kept=None, passed=Memory(1))
    a, b, c = (codec.encode(File(tmp_path / name), keep=False).component for name in ("a.nc", "b.txt", "c.nc"))

    assert a == b
    assert 3 == len({a, c, codec.encode(str(tmp_path / "a.nc"), keep=False).component})


@pytest.mark.contract("K22")
def test_kept_and_outside_are_one_value(path: Path, begin: Begin) -> None:
    """A file has one identity, whether it lies in the store or where the user put it."""
    run = begin()
    codec = Codec(kept=run.blobs, passed=run.spool, files=run.files)
    kept, outside = codec.encode([File(path)], keep=True), codec.encode([File(path)], keep=False)

    assert kept.component == outside.component
    assert (kept.component, outside.component) == (
        component_of(kept.record, fetch=no_fetch), component_of(outside.record, fetch=no_fetch),
    )  # fmt: skip
    digest = blake3(b"first").digest()
    assert [(digest + b".nc", 5, KEPT)] == references(kept.record)
    assert [(digest, 5, OUTSIDE)] == references(outside.record)


@pytest.mark.contract("K22", "S6")
@pytest.mark.parametrize(
    ("name", "kept"),
    [("a.nc", ".nc"), ("a", ""), ("a.tar.gz", ".gz"), (".hidden", ""), ("a.b c", ""), ("a.123456789", ""), ("a.ö", "")],
)
def test_kept_under_digest_and_suffix(name: str, kept: str, tmp_path: Path, begin: Begin, store: Path) -> None:
    """A result is copied under the digest of its bytes; a suffix stays only if it is short and plain."""
    (tmp_path / name).write_bytes(b"abc")
    run = begin()
    codec = Codec(kept=run.blobs, passed=run.spool, files=run.files)
    record = codec.encode(File(tmp_path / name), keep=True).record
    back = codec.decode(record)
    digest = blake3(b"abc").hexdigest()

    assert File(store / "v1" / "files" / digest[:2] / f"{digest}{kept}") == back
    assert (b"abc", 0o400) == (Path(os.fspath(back)).read_bytes(), os.stat(back).st_mode & 0o777)  # type: ignore[call-overload]
    assert (tmp_path / name).read_bytes() == b"abc"
    (reference,) = references(record)
    assert run.blobs.has(*reference[:2])


def test_a_kept_file_is_not_copied_again(path: Path, begin: Begin, store: Path) -> None:
    """A task that gives back the file it was given, which lies in the store, copies nothing."""
    run = begin()
    codec = Codec(kept=run.blobs, passed=run.spool, files=run.files)
    first = codec.encode(File(path), keep=True).record
    kept = codec.decode(first)
    inode = os.stat(kept).st_ino  # type: ignore[arg-type]

    assert first == codec.encode(kept, keep=True).record
    assert inode == os.stat(kept).st_ino  # type: ignore[arg-type]
    assert [] == list((store / "v1" / "tmp").glob("*/*"))


@pytest.mark.contract("K22", "P2")
def test_a_damaged_file_is_no_value(path: Path, begin: Begin, told: list[object], store: Path) -> None:
    """Another run finds out by digest, puts it aside, and says so once."""
    run = begin()
    record = Codec(kept=run.blobs, passed=run.spool, files=run.files).encode(File(path), keep=True).record
    (kept,) = store.glob("v1/files/*/*")
    kept.chmod(0o600)
    kept.write_bytes(b"fxrst")
    second = begin()
    codec = Codec(kept=second.blobs, passed=second.spool, files=second.files)
    with pytest.raises(ValueGone) as gone:
        codec.decode(record)

    assert references(record)[0][0] == gone.value.digest
    assert [DamagedEntry] == [type(warning) for warning in told]
    assert (False, 1) == (kept.exists(), len(list(store.glob("v1/corrupt/*"))))


@pytest.mark.contract("P8")
def test_a_store_that_fails_leaves_the_file_where_it_is(path: Path) -> None:
    """What cannot be kept is passed on by its own path, in a record that no store keeps."""

    class Full(Memory):
        def put(self, header: bytes, data: memoryview) -> bytes:
            raise StoreUnavailable(store="x", reason="full")

    class NoRoom(Files):
        def take(self, file: File) -> Filed:
            raise StoreUnavailable(store="x", reason="full")

    codec = Codec(kept=Full(), passed=Memory(1), files=NoRoom())
    record = codec.encode(File(path), keep=True).record

    assert [OUTSIDE] == [place for _, _, place in references(record)]
    assert File(path) == codec.decode(record)


@pytest.mark.contract("K22", "F27")
@pytest.mark.usefixtures("later")
def test_an_old_file_is_read_once(path: Path, disk: Reads) -> None:
    """As long as its times stand, a file that was old when it was read is not read again."""
    known = StatCache()
    first = Files(disk=disk, known=known).look(File(path))
    second = Files(disk=disk, known=known).look(File(path))

    assert first == second
    assert 5 == disk.read
    assert 1 == len(known.drain())
    assert [] == known.drain()


@pytest.mark.contract("F27")
def test_a_young_file_is_read_again(path: Path, disk: Reads) -> None:
    """Written and read within one tick: an edit that leaves the stat as it was is seen all the same."""
    files = Files(disk=disk)
    before = files.look(File(path))
    found = os.stat(path)
    content = path.read_bytes()
    path.write_bytes(b"other")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))

    assert (5, b"first") == (len(b"other"), content)
    assert before.digest != files.look(File(path)).digest
    assert not before.facts.settled  # type: ignore[union-attr]


@pytest.mark.contract("F27")
@pytest.mark.usefixtures("later")
def test_an_edit_with_the_mtime_put_back_is_seen(path: Path) -> None:
    """Size and mtime alone are not enough: the ctime tells."""
    files = Files()
    before = files.look(File(path))
    found = os.stat(path)
    path.write_bytes(b"other")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))

    assert found.st_mtime_ns == os.stat(path).st_mtime_ns
    assert before.digest != files.look(File(path)).digest


@pytest.mark.contract("F27")
def test_a_clock_that_jumps_back_only_costs_time(path: Path, disk: Reads, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file from the future is read each time, and known for what it is."""
    files = Files(disk=disk)
    monkeypatch.setattr(clock, "wall", lambda: os.stat(path).st_ctime - 86_400)
    digests = {files.look(File(path)).digest for _ in range(3)}

    assert {blake3(b"first").digest()} == digests
    assert 15 == disk.read


@pytest.mark.contract("F32")
@pytest.mark.parametrize("age", ["young", "old"])
def test_a_change_under_a_cell_is_seen(age: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Edited, replaced, touched or removed: what the cell was given may not be what was keyed."""
    if age == "old":
        monkeypatch.setattr(clock, "wall", lambda: NOW)
    files = Files()

    def changed(edit: object) -> bool:
        path.write_bytes(b"first")
        set_age(path, 10)
        seen = files.see(files.look(File(path)))
        assert not files.changed(seen)
        edit()  # type: ignore[operator]
        return changed_file(files, [seen]) == str(path)

    def replaced() -> None:
        other = path.with_name("other")
        other.write_bytes(b"first")
        other.replace(path)

    assert [True] * 4 == [
        changed(edit) for edit in (lambda: path.write_bytes(b"other"), replaced, path.touch, path.unlink)
    ]


@pytest.mark.contract("F32")
def test_a_young_file_is_compared_by_content(path: Path) -> None:
    """Where the stat would not tell an edit, the content does."""
    files = Files()
    filed = files.look(File(path))
    assert filed.facts is not None
    edited = filed._replace(digest=blake3(b"other").digest())  # as if it had been read a tick earlier

    assert not filed.facts.settled
    assert files.changed(files.see(edited))
    assert not files.changed(files.see(edited._replace(facts=filed.facts._replace(settled=True))))


def test_an_input_in_the_store_that_was_written_to(path: Path, begin: Begin) -> None:
    """A task that writes into its kept input is found out, and whoever comes next gets no damaged file."""
    run = begin()
    codec = Codec(kept=run.blobs, passed=run.spool, files=run.files)
    record = codec.encode(File(path), keep=True).record
    (filed,) = codec.files_in(record)
    seen = run.files.see(filed)
    unchanged = run.files.changed(seen)
    kept = Path(seen.path)
    kept.chmod(0o600)
    kept.write_bytes(b"other")

    assert (False, True) == (unchanged, run.files.changed(seen))
    with pytest.raises(ValueGone):
        codec.decode(record)


@pytest.mark.contract("K22")
def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """Missing, a directory, or a pipe: refused by name, without waiting for anything."""
    os.mkfifo(tmp_path / "pipe")
    files = Files()
    for name, reason in (("nowhere", "No such file"), ("", "no regular file"), ("pipe", "no regular file")):
        with pytest.raises(MissingFile, match=reason) as caught:
            files.look(File(tmp_path / name))

        assert isinstance(caught.value, FileNotFoundError)


def test_a_link_is_followed(path: Path) -> None:
    """A link of the user's is the file it leads to, now and when it is looked at again."""
    link = path.with_name("latest")
    link.symlink_to(path)
    files = Files()
    seen = files.see(files.look(File(link)))
    other = path.with_name("newer")
    other.write_bytes(b"newer")
    unchanged = files.changed(seen)
    link.unlink()
    link.symlink_to(other)

    assert (False, True) == (unchanged, files.changed(seen))


@pytest.mark.contract("K22", "F27")
@pytest.mark.usefixtures("later")
def test_a_later_run_reads_the_stat_cache(path: Path, begin: Begin) -> None:
    """What one run found out stands in its journal; the next one does not read the file, and is right without."""
    first = begin()
    found = first.files.look(File(path))
    first.cache.flush()
    first.release()
    disk = Reads()
    second = begin(disk)
    read = disk.read
    again = second.files.look(File(path))

    assert found == again
    assert read == disk.read


@pytest.mark.contract("S7", "S6")
@pytest.mark.parametrize(
    "parts",
    [
        [bytes(31), 1, "", None], [bytes(32), -1, "", None], [bytes(32), 1, "/../../x", None], [bytes(32), 1, ".a/b", None],
        [bytes(32), 1, "..", None], [bytes(32), 1, None, None], [bytes(32), 1, "/x", []], [bytes(32), 1, "/x", [1, 2, 3, 4, 5]],
        [bytes(32), 1, "\0", [1, 2, 3, 4, True]], [bytes(32), True, ".nc\n", None], [bytes(32), 1],
    ],
)  # fmt: skip
def test_records_that_lie_about_files(parts: list[object]) -> None:
    """A suffix is no way out of the store, and what is no file record is refused."""
    record = pack(extension(FILE, parts))
    with pytest.raises(BadRecord):
        decode(record, fetch=no_fetch, locate=lambda filed: "x")
    if len(parts) == 4 and len(parts[0]) == 32:  # type: ignore[arg-type]
        with pytest.raises(BadRecord):
            component_of(record, fetch=no_fetch)
        with pytest.raises(BadRecord):
            references(record)


def test_files_are_found_in_any_record() -> None:
    """Inside containers, as keys of nothing, in spilled records, and not where text only looks like one."""
    spool = Memory()
    filed = Filed(bytes(32), 1, "/x", Facts(1, 2, 3, 4, True))
    values = [
        [File("x")],
        {"a": (1, {"b": File("x")})},
        [File("x")] * 600,
        [bytes([20, 0x94, 0xC4, 32])],
        ["x" * 40_000],
        1,
    ]
    records = [encode(value, put=spool.put, look=lambda _: filed).record for value in values]

    assert [1, 1, 600, 0, 0, 0] == [len(files_in(record, fetch=spool.fetch)) for record in records]
    assert [True, True, True, True, False, False] == [has_files(record) for record in records]
