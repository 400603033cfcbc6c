"""The key of a cell: what its result is kept under.

Owns the composition of keys (K1) and nothing else: components are made in
`plan/encode.py` and `plan/code.py`. A key is BLAKE3 over a canonical list of named
components. What is common to the cells of a node is hashed once, to a prefix; a cell
costs one BLAKE3 over prefix and own components. Promises that two different lists of
components never give the bytes of one. Never imports numpy.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Final

import msgpack
from blake3 import blake3

from flowcore.plan.code import Fingerprint
from flowcore.plan.extension import pack
from flowcore.plan.libraries import distribution

SCHEMA: Final = 1  # raised when a rule of identity changes: every cell runs again then (K33)
NOTE: Final = "code: "  # components named so are contained in "code": kept for `why`, never hashed

_CONTEXT: Final = "flowcore v1 key"


class NodeKeys:
    """Keys of one node's cells: a prefix hashed once, one BLAKE3 a cell.

    The prefix is the digest of schema-tagged names and components of everything common,
    and of the names of what is each cell's own. Own components follow it, each behind
    its length; a component has at most 255 bytes.

    Parameters
    ----------
    common : mapping of str to bytes
        Components that all cells share.
    own : sequence of str
        Names of the components that each cell has for itself, in order.
    """

    __slots__ = ("_common", "_components", "_names", "own", "prefix")

    def __init__(self, *, common: Mapping[str, bytes], own: Sequence[str]) -> None:
        self._common: Mapping[str, bytes] = dict(common)
        self._names: Sequence[str] = ()  # of those of the common ones that kin have for themselves
        self._components: Sequence[bytes] = ()
        self.own = tuple(own)
        hashed = [[name, common[name]] for name in sorted(common) if not name.startswith(NOTE)]
        self.prefix = _digest(pack([hashed, list(self.own)]))

    @classmethod
    def varied(
        cls, prefix: bytes, common: Mapping[str, bytes], own: tuple[str, ...], names: Sequence[str],
        components: Sequence[bytes],
    ) -> NodeKeys:  # fmt: skip
        """Give the keys of a node that has some components for itself, by name, and whose prefix is known."""
        keys = cls.__new__(cls)
        keys.prefix, keys._common, keys.own, keys._names, keys._components = prefix, common, own, names, components
        return keys

    @property
    def varying(self) -> Sequence[bytes]:
        """Those of the common components that the node has for itself, among nodes of its kind."""
        return self._components

    @property
    def common(self) -> dict[str, bytes]:
        """The components that all cells of the node share, by name."""
        return {**self._common, **dict(zip(self._names, self._components, strict=True))}

    def keys(self, columns: Sequence[Sequence[bytes]]) -> list[bytes]:
        """Give the key of each cell, 32 bytes.

        Parameters
        ----------
        columns : sequence of sequences of bytes
            For each own name, in order, a component a cell; a column of length 1 is
            shared by all cells.

        Raises
        ------
        ValueError
            If there is not one column a name, or their lengths differ.
        """
        if len(columns) != len(self.own):
            raise ValueError(f"{len(columns)} columns for {len(self.own)} components")
        key = self.prefix
        if len(columns) == 1:
            return [_digest(key + _SIZE[len(c)] + c) for c in columns[0]]
        cells = max((len(column) for column in columns), default=1)
        if any(len(column) not in (1, cells) for column in columns):
            raise ValueError("columns of different lengths")
        framed = [_framed(column, cells) for column in columns]
        rows = zip(*framed, strict=False) if framed else [()]  # a shared column repeats without end
        return [_digest(key + b"".join(row)) for row in rows]


def cell_key(prefix: bytes, own: Sequence[bytes]) -> bytes:
    """Give the key of one cell from its node's prefix and its own components, as :meth:`NodeKeys.keys` does."""
    framed = [part for component in own for part in (_SIZE[len(component)], component)]
    return _digest(b"".join((prefix, *framed)))


class SharedKeys:
    """What the keys of several nodes have in common, packed once.

    Promises that the keys of a node are those that :class:`NodeKeys` gives for the same
    components, bit for bit: a cell is known by what it is called with, whatever else runs.

    Parameters
    ----------
    common : mapping of str to bytes
        Components that all cells of all these nodes share.
    varying : sequence of str
        Names of the components that all cells of a node share, and that differ between nodes.
    own : sequence of str
        Names of the components that each cell has for itself, in order.
    """

    __slots__ = ("_ends", "_places", "common", "own", "varying")

    def __init__(self, *, common: Mapping[str, bytes], varying: Sequence[str], own: Sequence[str]) -> None:
        self.common = dict(common)
        self.varying = tuple(varying)
        self.own = tuple(own)
        names = sorted(name for name in {*common, *varying} if not name.startswith(NOTE))
        places = {name: place for place, name in enumerate(self.varying)}
        self._places: list[tuple[bytes, int]] = []  # in the order of the prefix: what is before each that varies
        piece = b"\x92" + _list_head(len(names))
        for name in names:
            piece += b"\x92" + pack(name)
            if name in places:
                self._places.append((piece, places[name]))
                piece = b""
            else:
                piece += pack(self.common[name])
        self._ends = piece + pack(list(self.own))

    def node(self, components: Sequence[bytes]) -> NodeKeys:
        """Give the keys of a node, from the components that it has for itself, in the order of their names."""
        parts: list[bytes] = []
        for piece, place in self._places:
            component = components[place]
            parts += (piece, _SHORT_BYTES[len(component)], component)
        parts.append(self._ends)
        return NodeKeys.varied(_digest(b"".join(parts)), self.common, self.own, self.varying, components)


_SHORT_BYTES: Final = [bytes([0xC4, n]) for n in range(256)]  # how msgpack begins bytes of less than 256


def _list_head(count: int) -> bytes:
    head: bytes = msgpack.Packer().pack_array_header(count)
    return head


_EMPTY: Final = blake3(derive_key_context=_CONTEXT)  # copied, since the context is hashed when one is made


def _digest(packed: bytes) -> bytes:
    hasher = _EMPTY.copy()
    hasher.update(packed)
    return hasher.digest()


_SIZE: Final = [bytes([n]) for n in range(256)]


def _framed(column: Sequence[bytes], cells: int) -> Iterable[bytes]:
    """Put the length in front of each component: no two rows of components have the same bytes."""
    if len(column) == 1 and cells > 1:
        return repeat(_SIZE[len(column[0])] + column[0])
    return [_SIZE[len(component)] + component for component in column]


def common_components(
    fingerprint: Fingerprint,
    *,
    constants: Mapping[str, bytes],
    version: str | None,
    classes: Iterable[tuple[str, Fingerprint]] = (),
) -> dict[str, bytes]:
    """Give the components that all cells of a node share, by name.

    Parameters
    ----------
    fingerprint : Fingerprint
        Of the task's function. Its parts come along as notes, for `why`.
    constants : mapping of str to bytes
        Components of the arguments that are the same for all cells, by parameter.
    version : str or None
        What the user wrote as ``version=``.
    classes : iterable of (str, Fingerprint)
        User classes met in arguments: name and code identity (K10).
    """
    common = {
        "schema": pack(SCHEMA),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}".encode(),
        "library numpy": numpy_version().encode(),
        "code": fingerprint.digest,
    }
    common.update({NOTE + name: digest for name, digest in fingerprint.parts})
    common.update({f"argument {name}": component for name, component in constants.items()})
    for name, identity in classes:
        common[f"class {name}"] = identity.digest
        common.update({NOTE + part: digest for part, digest in identity.parts})
    if version is not None:
        common["version"] = version.encode("utf-8", "surrogatepass")
    return common


@lru_cache(maxsize=1)
def numpy_version() -> str:
    """Give numpy's version, without importing it if it is not loaded yet (K8)."""
    loaded = sys.modules.get("numpy")
    return str(loaded.__version__) if loaded is not None else distribution("numpy")


def difference(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[str]:
    """Give the names of components that were added, taken out or changed, sorted.

    Where parts of the code tell what changed, "code" itself is left out.

    Examples
    --------
    >>> difference({"code": b"1", "code: global DT": b"1"}, {"code": b"2", "code: global DT": b"2"})
    ['code: global DT']
    """
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    parts = [name for name in names if name.startswith(NOTE)]
    return [name for name in names if name != "code"] if parts else names
