"""Which results to give up, so that the rest fits.

Pure: columns in, a choice out. Promises to give up first what saves fewest seconds of
computing for each byte it takes: a file that several results share counts for each of them
in part, and its bytes are gained only once the last of them is given up. What does not
answer anyway, because an earlier record does, is worth no seconds. Never gives up what is
needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flowcore.dataclass import dataclass

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """Results, in columns, and the files they name.

    Attributes
    ----------
    seconds : ndarray of float32
        What computing each took; 0 for one that does not answer.
    sizes : ndarray of int64
        Bytes that giving it up gains besides its files.
    needed : ndarray of bool
        Whether it must stay.
    named, naming : sequence
        File by file: which, and the result that names it.
    files : mapping of bytes to int
        Bytes of each file that is there.
    """

    seconds: NDArray[np.float32]
    sizes: NDArray[np.int64]
    needed: NDArray[np.bool_]
    named: Sequence[bytes]
    naming: Sequence[int]
    files: Mapping[bytes, int]


def give_up(holdings: Holdings, wanted: int) -> NDArray[np.bool_]:
    """Choose results until `wanted` bytes are gained, or there are no more.

    Returns
    -------
    ndarray of bool
        Of each result, whether it is given up.
    """
    import numpy as np

    chosen = np.zeros(len(holdings.sizes), np.bool_)
    users: dict[bytes, int] = {}
    for name in holdings.named:
        users[name] = users.get(name, 0) + 1
    share = holdings.sizes.astype(np.float64)
    of: dict[int, list[bytes]] = {}
    for name, row in zip(holdings.named, holdings.naming, strict=True):
        share[row] += holdings.files.get(name, 0) / users[name]
        of.setdefault(row, []).append(name)
    free = np.flatnonzero(~holdings.needed & (share > 0))
    gained = 0
    for row in free[np.argsort(holdings.seconds[free] / share[free], kind="stable")].tolist():
        if gained >= wanted:
            break
        chosen[row] = True
        gained += int(holdings.sizes[row])
        for name in of.get(row, ()):
            users[name] -= 1
            if not users[name]:
                gained += holdings.files.get(name, 0)
    return chosen
