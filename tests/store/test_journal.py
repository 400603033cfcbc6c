"""Claims about store/journal.py and store/frames.py: every frame that verifies, and no other."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.store import frames
from flowcore.store.frames import FRAME_MAGIC, FRAME_SIZE, Damage
from flowcore.store.fs import DISK
from flowcore.store.journal import JournalWriter, Record, pack, read_frames, unpack
from flowcore.store.lock import RunLock
from flowcore.testing import FaultyDisk
from tests.store.children import in_child

GROUPS: list[list[Record]] = [
    [["run", {"flow": "landscape"}]],
    [["node", 1, {"name": "erode"}], ["failed", 1, 7, {"text": "no"}]],
    [["beat", {"at": [1, 2, 3]}]],
]


def write(path: Path, groups: list[list[Record]] = GROUPS) -> list[int]:
    """Write a journal; give the offsets of its frames and its end."""
    writer = JournalWriter(str(path), f"{path}.lock", "run")
    offsets = [writer.append(group) for group in groups]
    writer.release()
    return [*offsets, path.stat().st_size]


def read(path: Path) -> list[list[Record]]:
    """Give the groups of records that can be read."""
    return [records for _, _, records in read_frames(str(path))]


def test_what_is_appended_can_be_read(tmp_path: Path) -> None:
    """Frame by frame, with its place."""
    offsets = write(tmp_path / "j")
    found = list(read_frames(str(tmp_path / "j")))

    assert GROUPS == [records for _, _, records in found]
    assert offsets == [found[0][0], *(end for _, end, _ in found)]


def test_reading_goes_on_from_the_last_good_offset(tmp_path: Path) -> None:
    """As somebody does who follows a live run."""
    offsets = write(tmp_path / "j")

    assert GROUPS[1:] == [records for _, _, records in read_frames(str(tmp_path / "j"), offsets[1])]
    assert [] == list(read_frames(str(tmp_path / "j"), offsets[3]))


def test_a_group_is_one_write(tmp_path: Path) -> None:
    """However many records it has."""
    disk = FaultyDisk(only=("pwrite", "write"))
    writer = JournalWriter(f"{tmp_path}/j", f"{tmp_path}/l", "run", disk)
    disk.log.clear()
    writer.append([["beat", {"i": i}] for i in range(1000)])
    writer.release()

    assert ["pwrite"] == disk.log


@pytest.mark.contract("F22")
def test_no_flipped_bit_gives_another_record(tmp_path: Path) -> None:
    """Every bit of a journal in turn: each frame is as it was, or missing; nothing raises."""
    offsets = write(tmp_path / "j")
    good = (tmp_path / "j").read_bytes()
    for bit in range(8 * len(good)):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        (tmp_path / "bad").write_bytes(bad)
        hit = sum(offset <= bit // 8 for offset in offsets[:3])  # which frame the bit is in; 0: the header
        expected = [group for i, group in enumerate(GROUPS, 1) if i != hit] if hit else []

        assert expected == read(tmp_path / "bad"), f"bit {bit}"


@pytest.mark.contract("F2", "F18")
def test_a_journal_cut_anywhere_gives_its_whole_frames(tmp_path: Path) -> None:
    """At every byte; an incomplete last frame is no damage."""
    offsets = write(tmp_path / "j")
    good = (tmp_path / "j").read_bytes()
    for length in range(len(good)):
        (tmp_path / "cut").write_bytes(good[:length])
        damage = Damage()
        found = [records for _, _, records in read_frames(str(tmp_path / "cut"), damage=damage)]
        whole = sum(end <= length for end in offsets[1:])

        assert GROUPS[:whole] == found, f"length {length}"
        assert 0 == damage.lost, f"length {length}"


@pytest.mark.contract("F18")
@pytest.mark.parametrize("filler", [b"\0", b"\xff", FRAME_MAGIC])
def test_a_frame_lost_inside_costs_only_itself(tmp_path: Path, filler: bytes) -> None:
    """Zeros or a stale block in its place; the bytes lost are counted."""
    offsets = write(tmp_path / "j")
    content = bytearray((tmp_path / "j").read_bytes())
    size = offsets[2] - offsets[1]
    content[offsets[1] : offsets[2]] = (filler * size)[:size]
    (tmp_path / "j").write_bytes(content)
    damage = Damage()
    found = [records for _, _, records in read_frames(str(tmp_path / "j"), damage=damage)]

    assert [GROUPS[0], GROUPS[2]] == found
    assert (size, offsets[1]) == (damage.lost, damage.first)


@pytest.mark.contract("F18", "F22")
def test_a_frame_of_another_place_or_run_is_none(tmp_path: Path) -> None:
    """A frame that was moved, one of another run, and a journal kept inside a value never pass."""
    offsets = write(tmp_path / "j")
    write(tmp_path / "other")
    content = (tmp_path / "j").read_bytes()
    first = content[offsets[0] : offsets[1]]
    other = (tmp_path / "other").read_bytes()
    (tmp_path / "moved").write_bytes(content + first)
    (tmp_path / "mixed").write_bytes(content[: offsets[0]] + other[offsets[0] :])
    write(tmp_path / "inside", [[["beat", {"value": content}]]])

    assert GROUPS == read(tmp_path / "moved")
    assert [] == read(tmp_path / "mixed")
    assert [[["beat", {"value": content}]]] == read(tmp_path / "inside")


@pytest.mark.contract("F19")
def test_the_next_frame_follows_behind_the_debris(tmp_path: Path) -> None:
    """A short append leaves half a frame; what comes later is read, and the loss is counted."""
    disk = FaultyDisk(2, error=errno.ENOSPC, only=("pwrite",))
    writer = JournalWriter(f"{tmp_path}/j", f"{tmp_path}/l", "run", disk)
    writer.append(GROUPS[0])
    with pytest.raises(OSError, match="space"):
        writer.append(GROUPS[1])
    writer.append(GROUPS[1])
    writer.append(GROUPS[2])
    writer.release()
    damage = Damage()
    found = [records for _, _, records in read_frames(f"{tmp_path}/j", damage=damage)]

    assert GROUPS == found
    assert 0 < damage.lost < FRAME_SIZE + len(pack(GROUPS[1]))


@pytest.mark.contract("F38", "J7")
def test_asking_for_a_lock_makes_nothing(tmp_path: Path) -> None:
    """Neither the file nor the directory that a user has just removed."""
    lock = RunLock(f"{tmp_path}/removed/run.lock", disk=DISK)

    assert (False, False) == (lock.held(), lock.abandoned())
    assert [] == list(tmp_path.iterdir())


@pytest.mark.contract("F17")
def test_the_lock_says_whether_the_writer_lives(tmp_path: Path) -> None:
    """Held while it lives, free once it is killed, and there before the journal is."""

    def write_and_die() -> None:
        JournalWriter(f"{tmp_path}/dead", f"{tmp_path}/dead.lock", "dead")
        os.kill(os.getpid(), signal.SIGKILL)

    writer = JournalWriter(f"{tmp_path}/live", f"{tmp_path}/live.lock", "live")
    held = [RunLock(f"{tmp_path}/live.lock", disk=DISK).abandoned() for _ in range(2)]
    status = in_child(write_and_die)
    dead = RunLock(f"{tmp_path}/dead.lock", disk=DISK).abandoned()
    writer.release()
    after = RunLock(f"{tmp_path}/live.lock", disk=DISK).abandoned()
    never = RunLock(f"{tmp_path}/nothing.lock", disk=DISK).abandoned()

    assert -signal.SIGKILL == status
    assert ([False, False], True, True, False) == (held, dead, after, never)
    assert not (tmp_path / "nothing.lock").exists()


@pytest.mark.contract("F17")
def test_without_locks_the_journal_is_written_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They only save work."""

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOSYS, "no locks")

    monkeypatch.setattr("fcntl.flock", no_locks)
    writer = JournalWriter(f"{tmp_path}/j", f"{tmp_path}/j.lock", "run")
    writer.append(GROUPS[0])
    writer.release()

    assert not writer.locked
    assert [GROUPS[0]] == read(tmp_path / "j")


@pytest.mark.contract("F16", "S6")
@pytest.mark.parametrize("plant", [Path.touch, lambda path: path.symlink_to("elsewhere")])
def test_a_journal_that_is_there_is_nobody_elses_to_write(tmp_path: Path, plant: Callable[[Path], None]) -> None:
    """The writer must create its own."""
    plant(tmp_path / "j")
    with pytest.raises(FileExistsError):
        JournalWriter(f"{tmp_path}/j", f"{tmp_path}/j.lock", "run")

    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.contract("F26")
@pytest.mark.parametrize("content", [b"", b"x", b"flowjrnl", bytes(48), os.urandom(500)])
def test_what_is_no_journal_has_no_frames(tmp_path: Path, content: bytes) -> None:
    """And raises nothing."""
    (tmp_path / "j").write_bytes(content)

    assert [] == read(tmp_path / "j")
    assert [] == read(tmp_path / "nothing")
    assert [] == read(tmp_path)


@pytest.mark.contract("S7")
@pytest.mark.timeout(60)
def test_a_file_of_frame_heads_does_not_cost_the_square_of_its_size(tmp_path: Path) -> None:
    """The search for a good frame has a bound: without it this takes hours."""
    write(tmp_path / "j", [])
    size = 8 << 20
    head = FRAME_MAGIC + (size // 2).to_bytes(4, "little") + b"\0\0\0\0"
    with (tmp_path / "j").open("ab") as file:
        file.write(head * (size // len(head)))

    assert [] == read(tmp_path / "j")


@pytest.mark.contract("S7")
@given(st.binary(max_size=300))
def test_no_payload_raises(payload: bytes) -> None:
    """Whatever the bytes are, they are a list of records or nothing."""
    records = unpack(payload)

    assert records is None or all(isinstance(record[0], str) for record in records)


@pytest.mark.contract("S7")
@pytest.mark.parametrize("bomb", [*(head + b"\xff" * 4 for head in (b"\xdd", b"\xdf", b"\xc6")), b"\x91" * 5000])
def test_no_payload_allocates_more_than_it_is(bomb: bytes) -> None:
    """Lengths are capped by the frame, and so is depth."""
    assert None is unpack(bomb)


def test_text_that_is_no_unicode_comes_back(tmp_path: Path) -> None:
    """File names may hold lone surrogates."""
    groups: list[list[Record]] = [[["failed", 1, 2, {"text": "caf\udce9"}]]]
    write(tmp_path / "j", groups)

    assert groups == read(tmp_path / "j")


def no_crc(salt: bytes, offset: int, payload: bytes) -> int:
    """Believe everything."""
    return 0


def crc_of_the_payload(salt: bytes, offset: int, payload: bytes) -> int:
    """Leave out whose frame it is, and where."""
    return sum(payload) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("sabotage", "claim"),
    [
        (no_crc, test_no_flipped_bit_gives_another_record),
        (no_crc, test_a_frame_of_another_place_or_run_is_none),
        (crc_of_the_payload, test_a_frame_of_another_place_or_run_is_none),
    ],
)
def test_weak_seals_are_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sabotage: object, claim: Callable[[Path], None]
) -> None:
    """The saboteurs of F18 and F22."""
    monkeypatch.setattr(frames, "_crc", sabotage)
    with pytest.raises(AssertionError):
        claim(tmp_path)
