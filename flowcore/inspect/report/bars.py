"""A timeline as a page draws it: columns of numbers in base 64, or shares of time bins where cells are many.

Owns the form, which `page.js` reads::

    lanes     [{"name": ..., "kind": ...}, ...]
    few       "columns": begins, fetching, seconds, keeping as float32; node, lane as uint16;
              number as uint32; how as uint8: one value an attempt, attempts lane by lane
    many      "bins": for each lane so many numbers from 0 to 255, how much of the bin cells
              took, and in "nodes" the node that took most of it
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final

from flowcore.inspect.timing.timeline import Timeline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEW: Final = 20_000  # attempts that are drawn one by one
LANES: Final = 120  # that are drawn at all
_BINS: Final = 1200  # across the run, where attempts are many


def timeline_facts(timeline: Timeline, nodes: dict[int, int]) -> dict[str, Any]:
    """Give the timeline; `nodes` are the places of nodes on the page."""
    lanes = timeline.lanes[:LANES]
    told: dict[str, Any] = {
        "seconds": timeline.seconds, "count": len(timeline), "omitted": len(timeline.lanes) - len(lanes),
        "lanes": [{"name": lane.name, "kind": lane.kind} for lane in lanes],
    }  # fmt: skip
    if len(timeline) <= FEW:
        return told | {"columns": _columns(timeline, nodes)}
    return told | _binned(timeline, nodes)


def critical_places(timeline: Timeline) -> list[int]:
    """Give the critical path as places in the columns; none where these are binned."""
    if len(timeline) > FEW:
        return []
    place = {row: i for i, row in enumerate(row for lane in timeline.lanes[:LANES] for row in lane.rows.tolist())}
    return [place[row] for row in timeline.critical_rows if row in place]


def _columns(timeline: Timeline, nodes: dict[int, int]) -> dict[str, str]:
    import numpy as np

    lanes, a = timeline.lanes[:LANES], timeline.attempts
    rows = np.concatenate([lane.rows for lane in lanes]) if lanes else np.zeros(0, np.int64)
    lane = np.repeat(np.arange(len(lanes)), [len(one.rows) for one in lanes]) if lanes else rows
    place = np.array([nodes.get(node, 0) for node in a.node[rows].tolist()], np.int64)
    return {
        "begins": _packed(a.begins[rows].astype("<f4")), "fetching": _sparse(a.fetching[rows]),
        "seconds": _packed(a.seconds[rows].astype("<f4")), "keeping": _sparse(a.keeping[rows]),
        "node": _packed(place.astype("<u2")), "number": _packed(a.number[rows].astype("<u4")),
        "lane": _packed(lane.astype("<u2")), "how": _packed(a.how[rows].astype("<u1")),
    }  # fmt: skip


def _sparse(seconds: NDArray[np.float64]) -> str:
    """Give a column; nothing where all of it is zero."""
    return _packed(seconds.astype("<f4")) if seconds.any() else ""


def _packed(column: NDArray[Any]) -> str:
    return b64encode(column.tobytes()).decode("ascii")


def _binned(timeline: Timeline, nodes: dict[int, int]) -> dict[str, Any]:
    import numpy as np

    lanes, a = timeline.lanes[:LANES], timeline.attempts
    width = max(timeline.seconds, 1e-9) / _BINS
    shares, owners = np.zeros((len(lanes), _BINS), np.uint8), np.zeros((len(lanes), _BINS), "<u2")
    for i, lane in enumerate(lanes):
        begins, ends = a.begins[lane.rows] / width, a.ends[lane.rows] / width
        shares[i] = np.clip(_shares(begins, ends) * 255, 0, 255).round()
        middle = np.clip(((begins + ends) / 2).astype(int), 0, _BINS - 1)
        owners[i][middle] = [nodes.get(node, 0) for node in a.node[lane.rows].tolist()]
    return {"bins": _BINS, "shares": _packed(shares), "nodes": _packed(owners)}


def _shares(begins: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give how much of each bin intervals take that do not overlap; in units of bins."""
    import numpy as np

    lengths = ends - begins
    after = np.cumsum(lengths)
    known = np.concatenate(([0.0], np.stack((begins, ends), axis=1).ravel(), [_BINS + 1.0]))
    taken = np.concatenate(([0.0], np.stack((after - lengths, after), axis=1).ravel(), after[-1:]))
    edges = np.arange(_BINS + 1, dtype=np.float64)
    shares: NDArray[np.float64] = np.diff(np.interp(edges, np.maximum.accumulate(known), taken))
    return shares
