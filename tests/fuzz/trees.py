"""Bytes of msgpack as a tree whose every node knows its own bytes, so that a change costs one path.

Parses anything, to any depth of what flowcore nests: extensions whose payload is msgpack
again, and bytes that hold a record. What does not parse is a leaf. A tree that was not
changed gives the very bytes that it was read from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_FIXED: Final = {
    0xC0: 0,
    0xC2: 0,
    0xC3: 0,
    0xCA: 4,
    0xCB: 8,
    0xCC: 1,
    0xCD: 2,
    0xCE: 4,
    0xCF: 8,
    0xD0: 1,
    0xD1: 2,
    0xD2: 4,
    0xD3: 8,
}
_LONG: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_EXTENSIONS: Final = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_DEEPEST: Final = 40

LEAF, LIST, MAP, EXTENSION, BYTES = "leaf", "list", "map", "extension", "bytes"
Path = tuple[int, ...]


class Node:
    """A part of a message. Never changed: a change makes new nodes along its path."""

    __slots__ = ("code", "kind", "packed", "parts", "places")

    def __init__(self, kind: str, packed: bytes, parts: Sequence[Node] = (), code: int = 0) -> None:
        self.kind = kind
        self.packed = packed
        self.parts = parts
        self.code = code
        self.places: list[Path] | None = None

    def paths(self) -> list[Path]:
        """Give where all the nodes are, this one first."""
        if self.places is None:
            found: list[Path] = [()]
            todo: list[tuple[Path, Node]] = [((), self)]
            while todo:
                path, node = todo.pop()
                for place, part in enumerate(node.parts):
                    found.append((*path, place))
                    if part.parts:
                        todo.append(((*path, place), part))
            self.places = found
        return self.places

    def at(self, path: Path) -> Node:
        """Give the node at a path."""
        node = self
        for place in path:
            node = node.parts[place]
        return node

    def put(self, path: Path, new: Node) -> Node:
        """Give this tree with another node at a path."""
        if not path:
            return new
        parts = list(self.parts)
        parts[path[0]] = parts[path[0]].put(path[1:], new)
        return made(self.kind, parts, self.code)


def leaf(packed: bytes) -> Node:
    """Give a node of bytes that stand as they are."""
    return Node(LEAF, packed)


def made(kind: str, parts: Sequence[Node], code: int = 0) -> Node:
    """Give a node that holds others."""
    inside = b"".join([part.packed for part in parts])
    if kind == LIST:
        head = _count(len(parts), 0x90, 0xDC)
    elif kind == MAP:
        head = _count(len(parts) // 2, 0x80, 0xDE)
    elif kind == BYTES:
        head = _length(len(inside), 0xC4)
    else:
        head = extension_head(code, len(inside))
    return Node(kind, head + inside, parts, code)


def extension_head(code: int, length: int) -> bytes:
    """Write the head of an extension."""
    if length in (1, 2, 4, 8, 16):
        return bytes([0xD4 + length.bit_length() - 1, code & 255])
    return _length(length, 0xC7) + bytes([code & 255])


def _count(count: int, small: int, large: int) -> bytes:
    if count < 16:
        return bytes([small | count])
    return (
        bytes([large]) + count.to_bytes(2, "big") if count < 1 << 16 else bytes([large + 1]) + count.to_bytes(4, "big")
    )


def _length(length: int, first: int) -> bytes:
    for step, width in enumerate((1, 2, 4)):
        if length < 1 << 8 * width:
            return bytes([first + step]) + length.to_bytes(width, "big")
    raise ValueError("too long")


def parse(data: bytes) -> Node:
    """Read bytes as a tree; bytes that are no message as a leaf."""
    try:
        node, end = _read(data, 0, 0)
    except (IndexError, ValueError):
        return leaf(data)
    return node if end == len(data) and node.packed == data else leaf(data)


def _read(data: bytes, at: int, depth: int) -> tuple[Node, int]:
    first = data[at]
    if depth > _DEEPEST:
        raise ValueError("deep")
    if first <= 0x7F or first >= 0xE0:
        return leaf(data[at : at + 1]), at + 1
    if first in _FIXED:
        return _cut(data, at, at + 1 + _FIXED[first])
    if 0xA0 <= first <= 0xBF:
        return _cut(data, at, at + 1 + (first & 31))
    if first in _LONG:
        return _read_long(data, at, first, depth)
    if 0x80 <= first <= 0x9F or 0xDC <= first <= 0xDF:
        return _read_container(data, at, first, depth)
    return _read_extension(data, at, first, depth)


def _cut(data: bytes, at: int, end: int) -> tuple[Node, int]:
    if end > len(data):
        raise IndexError
    return leaf(data[at:end]), end


def _read_long(data: bytes, at: int, first: int, depth: int) -> tuple[Node, int]:
    start = at + 1 + _LONG[first]
    end = start + int.from_bytes(data[at + 1 : start], "big")
    if first <= 0xC6 and end - start > 1 and 0x80 <= data[start] <= 0xDF:
        inner = _inside(data[start:end], depth)
        if inner is not None:
            return _same(made(BYTES, [inner]), data, at, end)
    return _cut(data, at, end)


def _read_container(data: bytes, at: int, first: int, depth: int) -> tuple[Node, int]:
    mapped = first <= 0x8F or first >= 0xDE
    if first <= 0x9F:
        count, here = first & 15, at + 1
    else:
        here = at + (3 if first in (0xDC, 0xDE) else 5)
        count = int.from_bytes(data[at + 1 : here], "big")
    parts = []
    for _ in range(count * 2 if mapped else count):
        part, here = _read(data, here, depth + 1)
        parts.append(part)
    return _same(made(MAP if mapped else LIST, parts), data, at, here)


def _read_extension(data: bytes, at: int, first: int, depth: int) -> tuple[Node, int]:
    if first in _EXTENSIONS:
        width = _EXTENSIONS[first]
        length, start = int.from_bytes(data[at + 1 : at + 1 + width], "big"), at + 2 + width
    elif 0xD4 <= first <= 0xD8:
        length, start = 1 << first - 0xD4, at + 2
    else:
        raise ValueError("0xc1")
    end, code = start + length, data[start - 1]
    if end > len(data):
        raise IndexError
    inner = _inside(data[start:end], depth)
    return _same(made(EXTENSION, [inner if inner is not None else leaf(data[start:end])], code), data, at, end)


def _inside(data: bytes, depth: int) -> Node | None:
    try:
        node, end = _read(data, 0, depth + 1)
    except (IndexError, ValueError):
        return None
    return node if end == len(data) else None


def _same(node: Node, data: bytes, at: int, end: int) -> tuple[Node, int]:
    """Give a node, or a leaf where its bytes are not the ones that we would write."""
    packed = data[at:end]
    return (node if node.packed == packed else leaf(packed)), end
