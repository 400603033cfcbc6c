"""H7, on readers: each broken on purpose in the way in which it once was, or could be.

The name of a patch is told with the reader whose inputs find it.
"""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from flowcore import optionfiles
from flowcore.errors import BadOption
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.plan.reading import Reading
from flowcore.run.growing.grown import DrawnNode
from flowcore.run.workers import heard, wire
from flowcore.store import columns, frames, manifest, trace
from flowcore.store.blobs import Blobs
from flowcore.store.indexfile import IndexFile

Put = Callable[[object, str, object], None]


def crc_without_the_place(put: Put) -> None:
    """Let a frame verify wherever it lies (J1)."""
    put(frames, "_crc", lambda salt, offset, payload: zlib.crc32(payload))


def columns_are_believed(put: Put) -> None:
    """Take a column for as long as it says it is (S7)."""
    for room in (columns, trace):
        put(room, "check_bytes", lambda packed, count: packed)


def only_bad_records(put: Put) -> None:
    """Expect bytes that are no record to be found out by flowcore alone (S7)."""
    put(Reading, "read", lambda self, data: self.parse(data))


def names_are_believed(put: Put) -> None:
    """Take an array for what its name says (P2)."""
    put(Blobs, "_check", lambda *_: None)


def blocks_are_believed(put: Put) -> None:
    """Leave out the checksum of an index's blocks (J9)."""
    put(IndexFile, "_verify_block", lambda self, block: self._verified.__setitem__(block, True))


def state_of_any_number(put: Put) -> None:
    """Seal a state without its number (C2)."""
    real = manifest._seal
    put(manifest, "_seal", lambda content, key, number: real(content, key, 3))


def lengths_are_believed(put: Put) -> None:
    """Make room for a message as long as its head says (S7)."""
    put(wire, "_GROWTH", 1 << 48)


def results_are_believed(put: Put) -> None:
    """Take the columns of a result as they come (W2)."""
    put(heard, "_is_done", lambda done: True)


def drawings_are_asserted(put: Put) -> None:
    """Take a drawing of another form for a mistake of flowcore's own (W2)."""

    def unpack(packed: Sequence[Any]) -> DrawnNode:
        assert len(packed) == 17, "a node of a drawing"
        return DrawnNode(**dict(zip(DrawnNode.__slots__, packed, strict=True)))

    put(DrawnNode, "unpack", unpack)


def only_toml_errors(put: Put) -> None:
    """Expect an options file to be text (E2)."""

    def parsed(text: bytes, path: str) -> object:
        try:
            return tomllib.loads(text.decode("utf-8"))
        except tomllib.TOMLDecodeError as trouble:
            raise BadOption(option=path, found=str(trouble), expected="TOML", at=path) from None

    put(optionfiles, "_parsed", parsed)


def journals_are_believed(put: Put) -> None:
    """Expect a journal to tell of nodes before it tells of their cells (S7)."""

    def catch_up(self: Recorded) -> None:
        for told in self._follower.more():
            self._take(told)

    put(Recorded, "catch_up", catch_up)


SABOTEURS: dict[str, Callable[[Put], None]] = {
    each.__name__: each
    for each in (
        crc_without_the_place, columns_are_believed, only_bad_records, names_are_believed, blocks_are_believed,
        state_of_any_number, lengths_are_believed, results_are_believed, drawings_are_asserted, only_toml_errors,
        journals_are_believed,
    )
}  # fmt: skip
