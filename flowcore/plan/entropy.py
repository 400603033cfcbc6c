"""What the random streams of cells are made from: 32 bytes a cell (contract K21).

Owns :class:`NodeEntropy`: run seed, task name and the identities of a cell's arguments,
by name, to bytes. Neither the place of an argument, nor whether it is one for all cells
or one for each, nor the code enters: an edited task draws the numbers it drew before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Final

from blake3 import blake3

from flowcore.plan.extension import pack

_CONTEXT: Final = "flowcore v1 stream"


class NodeEntropy:
    """The entropy of one node's cells: one BLAKE3 a cell.

    Parameters
    ----------
    seed : int
        Of the run.
    task : str
        The task's name.
    constants : mapping of str to bytes
        Identities of the arguments that all cells share, by parameter.
    own : sequence of str
        Parameters that each cell has an argument of its own for.
    """

    __slots__ = ("_constants", "_own", "_prefix")

    def __init__(self, *, seed: int, task: str, constants: Mapping[str, bytes], own: Sequence[str]) -> None:
        self._prefix = blake3(pack([str(seed), task]), derive_key_context=_CONTEXT).digest()
        self._constants = {name: pack([name, component]) for name, component in constants.items()}
        self._own = tuple(own)

    def of(self, columns: Sequence[Sequence[bytes]], count: int) -> list[bytes]:
        """Give 32 bytes for each of `count` cells; a column of length 1 is shared by all."""
        parts: dict[str, Sequence[bytes] | repeat[bytes]] = {n: repeat(p, count) for n, p in self._constants.items()}
        for name, column in zip(self._own, columns, strict=True):
            named = [pack([name, component]) for component in column]
            parts[name] = named if len(named) == count else repeat(named[0], count)
        if not parts:
            return [blake3(self._prefix, derive_key_context=_CONTEXT).digest()] * count
        rows = zip(*(parts[name] for name in sorted(parts)), strict=True)
        return [blake3(self._prefix + b"".join(row), derive_key_context=_CONTEXT).digest() for row in rows]


def another(entropy: bytes, place: int) -> bytes:
    """Give the entropy of a task's stream at this place among its parameters; the first has the cell's own."""
    return _derived(entropy, "parameter", place) if place else entropy


def spawned(entropy: bytes, task: str, call: int) -> bytes:
    """Give the entropy of a task called plainly inside a cell, for the so-manieth time."""
    return _derived(entropy, f"call {task}", call)


def _derived(entropy: bytes, what: str, count: int) -> bytes:
    return blake3(pack([entropy, what, count]), derive_key_context=_CONTEXT).digest()
