"""How an input becomes another one: bytes changed blindly, and messages changed by their structure.

All choices come from the `Random` that is handed in. Structure comes first: an input that is
thrown out by the first check of a reader says little of what lies behind it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

import msgpack

from tests.fuzz.trees import BYTES, EXTENSION, LEAF, LIST, MAP, Node, extension_head, leaf, made, parse

Mutate = Callable[[Random, bytes, Sequence[bytes]], bytes]
"""Gives another input: made from one, with parts of the others where it likes."""

EDGES: Final = (
    0,
    1,
    2,
    3,
    7,
    8,
    15,
    16,
    31,
    32,
    127,
    128,
    255,
    256,
    1023,
    1024,
    1025,
    65535,
    65536,
    (1 << 24) + 1,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    1 << 40,
    (1 << 61) + 1,
    1 << 62,
    (1 << 63) - 1,
    1 << 63,
    (1 << 64) - 1,
)
CODES: Final = (*range(1, 21), 30, 31, 32, 99, 100, 101, 102, 127, 128, 255)
_TEXTS: Final = (
    "",
    "a",
    "\0",
    "\ud800",
    "../../x",
    "\x1b[31m",
    "x" * 300,
    "<f8",
    "|O",
    "|V8",
    "<M8[ns]",
    "<U4",
    "UTC",
    "range",
    "re.Pattern",
    "decimal.Decimal",
    "datetime.datetime",
    "numpy",
    "builtins:dict",
    "os:system",
    "collections:OrderedDict",
    "-1",
    "1e400",
    "\u202e",
    "9" * 5000,
)
_DEPTHS: Final = (1, 2, 5, 40, 255, 256, 257, 600, 3000)
_MOST: Final = 1 << 16  # bytes of an input


def _scalars() -> list[Node]:
    numbers = [value for edge in EDGES for value in (edge, -edge) if -(1 << 63) <= value < 1 << 64]
    floats = [0.0, -0.0, 1.5, -1.0, float("nan"), float("inf"), float("-inf"), 1e308, 5e-324]
    others: list[object] = [None, True, False, [], {}, b"", b"\0", bytes(32), b"\xff" * 8]
    plain = [msgpack.packb(value) for value in (*numbers, *floats, *others)]
    texts = [msgpack.packb(text, unicode_errors="surrogatepass") for text in _TEXTS]
    stamps = [msgpack.packb(msgpack.ExtType(-1 & 127, bytes(size))) for size in (0, 4, 8, 12, 13)]
    stamps += [extension_head(255, size) + b"\xff" * size for size in (4, 8, 12)]
    empties = [extension_head(code, 0) for code in CODES] + [extension_head(code, 1) + b"\xc0" for code in CODES]
    raw = [
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x01",
        b"\xdb\x7f\xff\xff\xff",
        b"\xdc\xff\xff",
        b"\xde\xff\xff",
    ]
    return [leaf(packed) for packed in (*plain, *texts, *stamps, *empties, *raw)]


SCALARS: Final = _scalars()


# ---- bytes ---------------------------------------------------------------------------


def blindly(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change bytes that nothing is known of, once or a few times."""
    changed = bytearray(data)
    for _ in range(_times(rng)):
        rng.choice(_BLIND)(rng, changed, others)
    return bytes(changed[:_MOST])


def _times(rng: Random) -> int:
    times = 1
    while times < 6 and rng.random() < 0.35:
        times += 1
    return times


def _flip(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:  # noqa: ARG001 - every change has this shape
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _overwrite(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:  # noqa: ARG001
    if data:
        data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, 0x90, 0xC0, 0xC7, rng.randrange(256)))


def _number(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:  # noqa: ARG001
    width = rng.choice((2, 4, 8))
    if len(data) < width:
        return
    at, edge = rng.randrange(len(data) - width + 1), rng.choice(EDGES) * rng.choice((1, -1))
    if rng.random() < 0.3:
        edge = len(data) + rng.randrange(-2, 3)
    data[at : at + width] = (edge & (1 << 8 * width) - 1).to_bytes(width, rng.choice(("little", "big")))


def _truncate(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:  # noqa: ARG001
    del data[rng.randrange(len(data) + 1) :]


def _remove(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:  # noqa: ARG001
    start, end = _range(rng, data)
    del data[start:end]


def _repeat(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:  # noqa: ARG001
    start, end = _range(rng, data)
    data[end:end] = data[start:end] * rng.choice((1, 1, 2, 20))


def _insert(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:  # noqa: ARG001
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.choice((bytes(rng.randrange(1, 20)), rng.randbytes(rng.randrange(1, 20))))


def _swap(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:  # noqa: ARG001
    first, second = _range(rng, data), _range(rng, data)
    if first[1] <= second[0]:
        data[:] = (
            data[: first[0]]
            + data[second[0] : second[1]]
            + data[first[1] : second[0]]
            + data[first[0] : first[1]]
            + data[second[1] :]
        )


def _join(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:
    other = rng.choice(others) if others else b""
    at = rng.randrange(len(data) + 1)
    start = rng.randrange(len(other) + 1)
    data[at : at if rng.random() < 0.5 else len(data)] = other[start : start + rng.choice((8, 64, len(other)))]


def _range(rng: Random, data: bytearray) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 2, 4, 8, 16, 64, 256)))


_BLIND: Final = (_flip, _flip, _overwrite, _number, _number, _truncate, _remove, _repeat, _insert, _swap, _join)


# ---- messages ------------------------------------------------------------------------

_TREES: dict[bytes, Node] = {}


def tree_of(data: bytes) -> Node:
    """Give the tree of an input; those of a corpus are read once."""
    found = _TREES.get(data)
    if found is None:
        if len(_TREES) > 5000:
            _TREES.clear()
        found = _TREES[data] = parse(data)
    return found


def by_structure(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change a message, and now and then its bytes."""
    tree = tree_of(data)
    if tree.kind == LEAF or rng.random() < 0.05:
        return blindly(rng, data, others)
    for _ in range(_times(rng)):
        tree = changed(rng, tree, others)
    packed = tree.packed if rng.random() < 0.97 else blindly(rng, tree.packed, others)
    return packed[:_MOST]


def changed(rng: Random, tree: Node, others: Sequence[bytes]) -> Node:
    """Change one node of a tree."""
    path = rng.choice(tree.paths())
    node = tree.at(path)
    new = rng.choice(_ON_NODES if node.kind == LEAF else _ON_ALL)(rng, node, others)
    return tree.put(path, new) if len(new.packed) <= _MOST else tree


def _replaced(rng: Random, node: Node, others: Sequence[bytes]) -> Node:  # noqa: ARG001
    return rng.choice(SCALARS)


def _spliced(rng: Random, node: Node, others: Sequence[bytes]) -> Node:
    if not others:
        return node
    tree = tree_of(rng.choice(others))
    return tree.at(rng.choice(tree.paths()))


def _nudged(rng: Random, node: Node, others: Sequence[bytes]) -> Node:  # noqa: ARG001
    """Give a number near the one that stands here; other leaves with one byte changed."""
    first = node.packed[:1]
    if node.kind == LEAF and first and (first[0] <= 0x7F or first[0] >= 0xE0 or 0xCC <= first[0] <= 0xD3):
        try:
            value = msgpack.unpackb(node.packed)
        except ValueError:  # a leaf that is no message
            return leaf(blindly(rng, node.packed, ()))
        value = rng.choice((value + 1, value - 1, value * 2, -value, value ^ 1 << rng.randrange(40), value << 8))
        return leaf(msgpack.packb(min(max(value, -(1 << 63)), (1 << 64) - 1)))
    if first == b"\xcb" and len(node.packed) == 9:
        (number,) = struct.unpack(">d", node.packed[1:])
        return leaf(msgpack.packb(rng.choice((-number, number * 1e300, number / 3, number + 1))))
    return leaf(blindly(rng, node.packed, ()))


def _wrapped(rng: Random, node: Node, others: Sequence[bytes]) -> Node:  # noqa: ARG001
    depth, code = rng.choice(_DEPTHS if rng.random() < 0.1 else (1, 1, 2)), rng.choice(CODES)
    how = rng.randrange(4)
    for _ in range(depth):
        if len(node.packed) > _MOST:
            break
        if how == 0:
            node = made(LIST, [node])
        elif how == 1:
            node = made(EXTENSION, [node], code)
        elif how == 2:
            node = made(EXTENSION, [made(LIST, [node])], code)
        else:
            node = made(BYTES, [node]) if depth < 3 else made(LIST, [node])
    return node if depth < 3 else leaf(node.packed)


def _retyped(rng: Random, node: Node, others: Sequence[bytes]) -> Node:
    """Give the same content as another type: text as bytes, a list as a map, another extension."""
    if node.kind == EXTENSION:
        return made(EXTENSION, node.parts, rng.choice(CODES))
    if node.kind in (LIST, MAP):
        return made(MAP if node.kind == LIST and len(node.parts) % 2 == 0 else LIST, node.parts)
    if node.kind == BYTES:
        return node.parts[0]
    value = node.packed or b"\xc0"
    if 0xA0 <= value[0] <= 0xBF and len(value) < 256:
        return leaf(bytes([0xC4, len(value) - 1]) + value[1:])
    if value[0] == 0xC4 and 2 <= len(value) < 256:
        return leaf(bytes([0xD9, len(value) - 2]) + value[2:])
    return _replaced(rng, node, others)


def _reordered(rng: Random, node: Node, others: Sequence[bytes]) -> Node:
    parts = list(node.parts)
    if not parts:
        return _spliced(rng, node, others)
    place = rng.randrange(len(parts))
    how = rng.randrange(5)
    if how == 0:
        del parts[place]
    elif how == 1:
        parts[place:place] = [parts[place]] * rng.choice((1, 1, 2, 30))
    elif how == 2:
        other = rng.randrange(len(parts))
        parts[place], parts[other] = parts[other], parts[place]
    elif how == 3:
        parts.insert(place, _spliced(rng, node, others))
    else:
        del parts[place:]
    if node.kind in (EXTENSION, BYTES) and len(parts) != 1:
        return made(node.kind, [made(LIST, parts)], node.code)
    return made(node.kind, parts, node.code)


def _lying(rng: Random, node: Node, others: Sequence[bytes]) -> Node:
    """Give a container whose head says another count than it has."""
    if node.kind not in (LIST, MAP):
        return _nudged(rng, node, others)
    inside = b"".join([part.packed for part in node.parts])
    count = rng.choice((len(node.parts) + 1, max(0, len(node.parts) - 1), 65535))
    return leaf(bytes([0xDC if node.kind == LIST else 0xDE]) + (count & 65535).to_bytes(2, "big") + inside)


_ON_NODES: Final = (_replaced, _replaced, _nudged, _nudged, _spliced, _wrapped, _retyped)
_ON_ALL: Final = (*_ON_NODES, _reordered, _reordered, _reordered, _lying)
