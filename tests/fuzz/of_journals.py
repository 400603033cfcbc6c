"""Journals: their frames, against a second reader that is slow and simple; and what is in the frames."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

from flowcore.store import history
from flowcore.store.cast import pack_cast
from flowcore.store.durations import read_durations
from flowcore.store.frames import (
    FRAME_MAGIC,
    FRAME_SIZE,
    HEADER_SIZE,
    Damage,
    last_frame,
    open_journal,
    pack_header,
    scan,
    seal,
)
from flowcore.store.journal import pack, unpack
from flowcore.store.layout import Layout
from flowcore.store.output import read_output
from flowcore.store.packs import Packed, contents, origin, read_contents
from flowcore.store.records import Records, traces_of
from tests.fuzz import stores
from tests.fuzz.mutation import blindly, by_structure
from tests.fuzz.reader import Mistake
from tests.fuzz.shapes import misshapen
from tests.fuzz.shelf import Shelf

SALT: Final = b"s" * 16
BOOT: Final = b"b" * 16
HEADER: Final = pack_header(SALT, BOOT)
RUN: Final = "20260101T000000-0123456789abcdef"


# ---- frames --------------------------------------------------------------------------


def sealed(payloads: Sequence[bytes]) -> bytes:
    """Give a journal of these frames."""
    content = bytearray(HEADER)
    for payload in payloads:
        content += seal(SALT, len(content), payload)
    return bytes(content)


def journals() -> list[bytes]:
    """Give journals of a few frames each."""
    held = [payload[:3000] for payload in stores.payloads()]
    return [
        sealed(held[:1]),
        sealed(held[:3]),
        sealed([b"", b"x", b"y" * 50]),
        sealed(held[3:8]),
        HEADER,
        sealed([FRAME_MAGIC * 3, b"z"]),
    ]


def mutate_frames(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change a journal: its bytes, or its frames, which are then sealed again where they now are."""
    if rng.random() < 0.4:
        return blindly(rng, data, others)
    pieces = _pieces(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        _change(rng, pieces, others)
    content = bytearray(data[:HEADER_SIZE])
    for sound, piece in pieces:
        content += seal(SALT, len(content), piece) if sound and rng.random() < 0.95 else piece
    return bytes(content[: 1 << 15])


def _pieces(data: bytes) -> list[tuple[bool, bytes]]:
    """Cut a journal into payloads of frames, and what lies between them."""
    pieces, at = [], HEADER_SIZE
    while at + FRAME_SIZE <= len(data) and data[at : at + 4] == FRAME_MAGIC:
        end = at + FRAME_SIZE + int.from_bytes(data[at + 4 : at + 8], "little")
        if end > len(data):
            break
        pieces.append((True, data[at + FRAME_SIZE : end]))
        at = end
    return [*pieces, (False, data[at:])] if data[at:] else pieces


def _change(rng: Random, pieces: list[tuple[bool, bytes]], others: Sequence[bytes]) -> None:
    place, how = rng.randrange(len(pieces) + 1), rng.randrange(6)
    if how == 0 or not pieces:
        debris = rng.choice(
            (
                FRAME_MAGIC,
                FRAME_MAGIC * 40,
                rng.randbytes(9),
                seal(SALT, 0, b"elsewhere")[: rng.randrange(30)],
                seal(SALT, HEADER_SIZE, b"elsewhere"),
                FRAME_MAGIC + struct.pack("<II", rng.randrange(99), 0),
            )
        )
        pieces.insert(place, (False, debris))
        return
    place = min(place, len(pieces) - 1)
    sound, piece = pieces[place]
    if how == 1:
        del pieces[place]
    elif how == 2:
        pieces.insert(place, pieces[rng.randrange(len(pieces))])
    elif how == 3:
        pieces[place] = (not sound, piece)
    elif how == 4:
        pieces[place] = (sound, seal(SALT, HEADER_SIZE, piece[:200]))
    else:
        pieces[place] = (sound, blindly(rng, piece, others))


def read_frames(data: bytes) -> str:
    """Scan a journal; all that verifies is found, nothing else is, and what is lost is counted."""
    shelf = Shelf(journal=data)
    opened = open_journal(shelf, "journal")
    if opened is None:
        if data[:HEADER_SIZE] == HEADER:
            raise Mistake("a sound header is refused")
        return "no journal"
    fd, header = opened
    if header.salt != data[28:44] or zlib.crc32(data[20:HEADER_SIZE]) != int.from_bytes(data[12:16], "little"):
        pass  # the layout of a header is frames' own; what it says is checked by the frames below
    damage = Damage()
    found = [(frame.offset, frame.end, frame.payload) for frame in scan(shelf, fd, header, damage=damage)]
    expected, work = _expected(data, header.salt)
    exhaustive = work < 4 * len(data)
    if found != expected[: len(found)] or (exhaustive and found != expected):
        raise Mistake("other frames than there are")
    _check_lost(data, found, damage, exhaustive=exhaustive)
    last = last_frame(shelf, fd, header)
    if exhaustive and (last.offset if last else -1) < (found[-1][0] if found else -1):
        raise Mistake("the last frame is not the last")
    _check_growth(data, found)
    shelf.close(fd)
    if shelf.leaked:
        raise Mistake("a descriptor is left open")
    return f"{min(len(found), 5)} frames, lost {bool(damage.lost)}, searched {not exhaustive}"


def _expected(data: bytes, salt: bytes) -> tuple[list[tuple[int, int, bytes]], int]:
    """Find the frames as the format is described, and tell how much was looked at in vain."""
    found, at, work = [], HEADER_SIZE, 0
    while at >= 0:
        head = data[at : at + 12]
        if len(head) == 12 and head[:4] == FRAME_MAGIC:
            length, crc = struct.unpack("<II", head[4:])
            payload = data[at + 12 : at + 12 + length]
            if len(payload) == length:
                if zlib.crc32(payload, zlib.crc32(salt + struct.pack("<QI", at, length))) == crc:
                    found.append((at, at + 12 + length, payload))
                    at += 12 + length
                    if at < len(data) and data[at : at + 4] == FRAME_MAGIC:
                        continue
                    at = data.find(FRAME_MAGIC, at)
                    continue
                work += length
            work += FRAME_SIZE
        at = data.find(FRAME_MAGIC, at + 1)
    return found, work


def _check_lost(data: bytes, found: list[tuple[int, int, bytes]], damage: Damage, *, exhaustive: bool) -> None:
    ends = [HEADER_SIZE, *(end for _, end, _ in found)]
    gaps = sum(start - end for (start, _, _), end in zip(found, ends, strict=False))
    tail = data[ends[-1] :]
    if damage.lost not in (gaps, gaps + len(tail)):
        raise Mistake(f"{damage.lost} bytes are lost, and {gaps} or {gaps + len(tail)} are")
    if exhaustive and tail and not tail.startswith(FRAME_MAGIC[: len(tail)]) and damage.lost != gaps + len(tail):
        raise Mistake("debris at the end is not counted")


def _check_growth(data: bytes, found: list[tuple[int, int, bytes]]) -> None:
    """Who reads a journal while it grows finds the same frames."""
    half = data[: HEADER_SIZE + zlib.crc32(data) % (len(data) - HEADER_SIZE + 1)]
    first = _scanned(half, HEADER_SIZE)
    rest = _scanned(data, first[-1][1] if first else HEADER_SIZE)
    if [*first, *rest] != found and len(first) + len(rest) < len(found):
        raise Mistake("frames are passed over while a journal grows")


def _scanned(data: bytes, offset: int) -> list[tuple[int, int, bytes]]:
    shelf = Shelf(journal=data)
    opened = open_journal(shelf, "journal")
    if opened is None:
        return []
    return [(f.offset, f.end, f.payload) for f in scan(shelf, opened[0], opened[1], damage=Damage(), offset=offset)]


# ---- what is in them -----------------------------------------------------------------

_LAYOUT: Final = Layout(Path("/store"))
_JOURNAL: Final = _LAYOUT.journal(RUN)
_PACK: Final = _JOURNAL.replace(".journal", ".pack")
_TASKS: Final = _LAYOUT.tasks_file(RUN)


def groups() -> list[bytes]:
    """Give payloads of every kind of frame."""
    more = [
        pack([contents({RUN: Packed(facts={"flow": "x"}, status="done", counts={"done": 3})})]),
        pack([origin(RUN), ["hit", 0, 2, [0, 2], bytes(64)]]),
        pack(
            [
                ["recipe", 1, {"common": {"code": b"c"}, "own": ["a"]}],
                pack_cast(1, [3, 4, 9], ["a"], [[b"x", b"y", b"z"]]),
            ]
        ),
        pack([["file", [[1, 2, 3, 4, 5, bytes(32)]]], ["beat", {"cells": 2, "running": {0: 1}, "parked": {RUN: 1}}]]),
        pack([["same", 0, 2, [0, 2], bytes(64), [0.5, 1.0], [0.0, 0.1]], ["double", 0, 1, [5, 1]]]),
        pack([["left", 0, "blocked", 2, [0, 2]], ["tried", 0, 1, 2], ["rows", 0, 0, 2, [b"\x01", b"\x02"], 0]]),
        pack([["skipped", 0, 1, "no", bytes(32)], ["skipped", 0, 1, "no"], ["metric", 0, 0, 5, 10, {"t": 1.5}]]),
        pack(
            [
                ["checkpoint", 0, 1, [0, 1], bytes(32)],
                ["lapse", 0, 1, "timeout", 0.5, 1.0, 2],
                ["end", "done", {"seconds": 1.5}],
            ]
        ),
    ]
    return [payload for payload in (*stores.payloads(), *more) if len(payload) < 8000]


def read_group(data: bytes) -> str:
    """Have one frame read by all who read frames."""
    content = HEADER + seal(SALT, HEADER_SIZE, data)
    shelf = Shelf(**{_JOURNAL: content, _PACK: content, _TASKS: content})
    told = list(history.read_run(_JOURNAL, disk=shelf))
    for one in told:
        if wrong := misshapen(one):
            raise Mistake(f"{wrong} has another type")
        _check_columns(one)
    history.read_beginning(_JOURNAL, disk=shelf)
    history.read_end(_JOURNAL, disk=shelf)
    for run, packed in read_contents(_PACK, disk=shelf).items():
        if not isinstance(run, str) or misshapen(packed):
            raise Mistake("a pack of another form")
    for task, cost in read_durations(shelf, _LAYOUT).items():
        if not isinstance(task, str) or misshapen(cost):
            raise Mistake("a cost of another form")
    for line in read_output(_JOURNAL, disk=shelf):
        if not isinstance(line.text, str):
            raise Mistake("a line of another form")
    _check_index(shelf, data)
    if shelf.leaked:
        raise Mistake("a descriptor is left open")
    return " ".join(sorted({type(one).__name__ for one in told})) or "nothing"


def _check_columns(told: object) -> None:
    numbers = getattr(told, "numbers", None)
    if not isinstance(numbers, list):
        return
    for name in ("keys", "records", "components", "seconds", "absolute", "relative"):
        column = getattr(told, name, None)
        if column is not None and len(column) != len(numbers):
            raise Mistake(f"{type(told).__name__}.{name} has another length")


def _check_index(shelf: Shelf, data: bytes) -> None:
    """What the index finds under a key is what its frame has under it."""
    records = Records(_LAYOUT, disk=shelf, tell=lambda _: None)
    try:
        records.read_older(than="99")
        for trace in traces_of(unpack(data) or []):
            for row in range(min(trace.count, 3)):
                key = trace.key(row)
                if key:
                    _check_entry(records, key)
    finally:
        records.close()


def _check_entry(records: Records, key: bytes) -> None:
    (entry,) = records.index.find([key])
    if entry is None:
        raise Mistake("a key is not found")
    decoded = records.frame(entry.journal, entry.offset)
    cell = decoded.cell(entry.row) if decoded is not None else None
    if cell is None or cell[0].key(cell[1]) != key:
        raise Mistake("an entry leads to another cell")
    record = cell[0].record(cell[1], key)
    cell[0].component(cell[1], record), cell[0].own(cell[1]), cell[0].classes(cell[1])


__all__ = ["by_structure", "groups", "journals", "mutate_frames", "read_frames", "read_group"]
