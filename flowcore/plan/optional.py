"""Kinds of libraries that may not be installed: which room writes and reads their values (contract K20).

A kind is known by the root of its module, so nothing is imported to judge a value. Every
library met is noted: its version enters the key of whoever is given the value, as the
code of a user's class does (K10), since methods of a value are reached without a name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from flowcore.plan import arrows, devicearrays, labelled, narrow, polarframes, sparse, tabular

if TYPE_CHECKING:
    from flowcore.plan.writing import Writer

_ROOMS: Final[dict[str, Callable[[type], Writer | None]]] = {
    "cupy": devicearrays.writer,
    "jax": devicearrays.writer,
    "jaxlib": devicearrays.writer,
    "torch": devicearrays.writer,
    "pandas": tabular.writer,
    "polars": polarframes.writer,
    "pyarrow": arrows.writer,
    "scipy": sparse.writer,
    "xarray": labelled.writer,
}
SHIPPED: Final[dict[str, tuple[str, Callable[[list[Any]], object]]]] = {
    **{name: (tabular.VERSION, read) for name, read in tabular.READERS.items()},
    **{name: (sparse.VERSION, read) for name, read in sparse.READERS.items()},
    **{name: (labelled.VERSION, read) for name, read in labelled.READERS.items()},
    **{name: (arrows.VERSION, read) for name, read in arrows.READERS.items()},
    **{name: (polarframes.VERSION, read) for name, read in polarframes.READERS.items()},
    **{name: (devicearrays.VERSION, read) for name, read in devicearrays.READERS.items()},
    **{name: (narrow.VERSION, read) for name, read in narrow.READERS.items()},
}


def writer(kind: type) -> Writer | None:
    """Find the writer of a kind of one of these libraries."""
    room = _ROOMS.get(kind.__module__.partition(".")[0])
    return room(kind) if room is not None else None
