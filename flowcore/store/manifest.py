"""The form of a checkpoint's manifest: what one generation of a cell's state consists of.

Owns the bytes of a ``<n>.state`` file and knows nothing of where it lies. Promises that
what it reads was written for that very key and that very number: the digest at the end
covers both, so a damaged manifest, one of another cell, or one that was given another
name never passes for a state (contract C2, C4, F34); and that its fields have the types of
:class:`Manifest`, whoever sealed it. Runs no code, decodes no value::

    magic 8, format u32, length of the payload u64, payload, BLAKE3-256 over all before it

The digest is taken under a context of its own and begins with key and number, which are
not in the file. The payload is one msgpack list, in the order of :class:`Manifest`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import field
from typing import Final

import msgpack
from blake3 import blake3

from flowcore.dataclass import dataclass
from flowcore.plan.arrays import item_size
from flowcore.plan.extension import BadRecord
from flowcore.plan.records import references

FORMAT: Final = 1
LIMIT: Final = 1 << 26  # bytes of a manifest; what is larger is none of ours
_MAGIC: Final = b"flowckpt"
_HEAD: Final = struct.Struct("<8sIQ")
_DIGEST: Final = 32
_LARGEST: Final = 1 << 62  # bytes, were no length 0: numpy makes no array beyond, however empty it is
_DIMENSIONS: Final = 64  # that an array of numpy may have
_CONTEXT: Final = "flowcore v1 checkpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesMark:
    """How far a series is committed."""

    descr: str  # dtype of a frame, as in a npy header
    shape: tuple[int, ...]  # of one frame
    count: int  # frames
    digest: bytes  # BLAKE3-256 of their bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One generation of a cell's state: all that is needed to go on from a step.

    Attributes
    ----------
    loop, step : int
        Loops that were complete, and steps of the next one that were.
    records : mapping of str to bytes
        The state's values by name; their arrays are files beside the manifest.
    generator : bytes
        Record of where the cell's random streams stood; empty if it has none.
    series : mapping of str to SeriesMark
        What was committed of each series.
    components : mapping of str to bytes
        Of the checkpoint's key, by name: to tell what differs, never to be trusted.
    cell : str
        Readable id of the cell; `task` is its function.
    run : str
        Who wrote it, at `wall` seconds since 1970.
    mark : {"", "kept", "end"}
        Why it stays when later generations are there: it was asked for, or is where a
        simulation that may be lengthened ended.
    """

    loop: int
    step: int
    records: Mapping[str, bytes]
    generator: bytes = b""
    series: Mapping[str, SeriesMark] = field(default_factory=dict)
    components: Mapping[str, bytes] = field(default_factory=dict)
    cell: str = ""
    task: str = ""
    run: str = ""
    wall: float = 0.0
    mark: str = ""

    @property
    def place(self) -> tuple[int, int]:
        """Where in the simulation it is; larger is later."""
        return self.loop, self.step

    @property
    def arrays(self) -> dict[bytes, int]:
        """Digest and size of the file of each array it names."""
        found: dict[bytes, int] = {}
        for record in (*self.records.values(), self.generator):
            found.update((digest, size) for digest, size, _ in references(record))
        return found

    def same_state(self, other: Manifest) -> bool:
        """Tell whether going on from either would be the same."""
        return self.place == other.place and self.same_values(other) and self.mark in ("", other.mark)

    def same_values(self, other: Manifest) -> bool:
        """Tell whether the values, streams and series are the same, wherever the loop stands."""
        return (dict(self.records), self.generator, dict(self.series)) == (
            dict(other.records), other.generator, dict(other.series),
        )  # fmt: skip


def pack_manifest(manifest: Manifest, key: bytes, number: int) -> bytes:
    """Give the content of the file ``<number>.state`` of the checkpoint with this key."""
    series = {name: [m.descr, list(m.shape), m.count, m.digest] for name, m in manifest.series.items()}
    payload: bytes = msgpack.packb(
        [manifest.loop, manifest.step, dict(manifest.records), manifest.generator, series, dict(manifest.components),
         manifest.cell, manifest.task, manifest.run, manifest.wall, manifest.mark],
        use_bin_type=True, unicode_errors="surrogatepass",
    )  # fmt: skip
    content = _HEAD.pack(_MAGIC, FORMAT, len(payload)) + payload
    return content + _seal(content, key, number)


def read_manifest(content: bytes, key: bytes, number: int) -> Manifest | None:
    """Give the manifest in a file's content; None if it is not the one of this key and number."""
    if len(content) < _HEAD.size + _DIGEST or len(content) > LIMIT:
        return None
    magic, version, length = _HEAD.unpack_from(content)
    if magic != _MAGIC or version != FORMAT or length != len(content) - _HEAD.size - _DIGEST:
        return None
    if _seal(content[:-_DIGEST], key, number) != content[-_DIGEST:]:
        return None
    try:
        fields = msgpack.unpackb(content[_HEAD.size : -_DIGEST], raw=False, unicode_errors="surrogatepass")
        return _manifest(fields)
    except (ValueError, TypeError, OverflowError, RecursionError, BadRecord):
        return None


def _manifest(fields: object) -> Manifest:
    match fields:
        case [int() as loop, int() as step, dict() as records, bytes() as generator, dict() as series,
              dict() as components, str() as cell, str() as task, str() as run, int() | float() as wall,
              ("" | "kept" | "end") as mark] if type(loop) is type(step) is int and min(loop, step) >= 0:  # fmt: skip
            found = Manifest(
                loop=loop, step=step, records=_named_bytes(records), generator=generator,
                series={_name(name): _mark(packed) for name, packed in series.items()},
                components=_named_bytes(components), cell=cell, task=task, run=run, wall=float(wall), mark=mark,
            )  # fmt: skip
            assert found.arrays is not None, "reads every record: one that is none is refused here"
            return found
    raise ValueError("fields")


def _mark(packed: object) -> SeriesMark:
    match packed:
        case [str() as descr, list() as shape, int() as count, bytes() as digest] if type(count) is int and count >= 0:
            if len(digest) == _DIGEST and len(shape) <= _DIMENSIONS and all(type(n) is int and n >= 0 for n in shape):
                if math.prod(filter(None, (item_size(descr), count, *shape))) >= _LARGEST:
                    raise ValueError("series")
                return SeriesMark(descr=descr, shape=tuple(shape), count=count, digest=digest)
    raise ValueError("series")


def _named_bytes(packed: dict[object, object]) -> dict[str, bytes]:
    named = {_name(name): part for name, part in packed.items() if isinstance(part, bytes)}
    if len(named) != len(packed):
        raise ValueError("records")
    return named


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise ValueError("name")
    return name


def _seal(content: bytes, key: bytes, number: int) -> bytes:
    hasher = blake3(derive_key_context=_CONTEXT)
    hasher.update(len(key).to_bytes(8, "little") + key + number.to_bytes(8, "little"))
    hasher.update(content)
    return hasher.digest()
