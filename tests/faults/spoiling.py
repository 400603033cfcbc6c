"""H5, the entry fuzzer: every way in which one file of a store can be other than it was."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from flowcore.store.frames import FRAME_MAGIC, FRAME_SIZE, HEADER_SIZE


def flipped(content: bytes, bits: Iterable[int]) -> Iterator[tuple[str, bytes]]:
    """Flip one bit at a time."""
    for bit in bits:
        other = bytearray(content)
        other[bit // 8] ^= 1 << bit % 8
        yield f"bit {bit}", bytes(other)


def cut(content: bytes, boundaries: Iterable[int]) -> Iterator[tuple[str, bytes]]:
    """End the file at a boundary, and one byte before and after it."""
    for boundary in boundaries:
        for length in (boundary - 1, boundary, boundary + 1):
            if 0 <= length < len(content):
                yield f"cut to {length}", content[:length]


def longer(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Append something: a byte, a block, the file itself, frames that promise much."""
    for more in (b"\0", b"\xff" * 4096, content, FRAME_MAGIC, FRAME_MAGIC + struct.pack("<II", 0xFFFFFFFF, 0)):
        yield f"{len(more)} bytes more", content + more


def spoilt(content: bytes, *, heads: Iterable[range], every: int) -> Iterator[tuple[str, bytes]]:
    """Yield a file in every other form: all bits of its heads, some of the rest, cut, and longer.

    Parameters
    ----------
    content : bytes
        As it was.
    heads : iterable of range
        Bytes whose every bit is flipped.
    every : int
        One bit in so many of the rest is.
    """
    heads = list(heads)
    dense = {bit for head in heads for bit in range(8 * head.start, 8 * min(head.stop, len(content)))}
    yield from flipped(content, sorted(dense | set(range(0, 8 * len(content), every))))
    edges = {0, 1, len(content) - 1, len(content) // 2, *(edge for head in heads for edge in (head.start, head.stop))}
    yield from cut(content, sorted(edges))
    yield from longer(content)
    yield "all zeros", bytes(len(content))


def frame_heads(content: bytes) -> list[range]:
    """Give where the heads of a journal are."""
    found, at = [range(HEADER_SIZE)], HEADER_SIZE
    while at + FRAME_SIZE <= len(content):
        found.append(range(at, at + FRAME_SIZE))
        at += FRAME_SIZE + int(struct.unpack_from("<4sII", content, at)[1])
    return found


def put(path: Path, content: bytes) -> None:
    """Let a file have this content, as another file of the same name."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)
