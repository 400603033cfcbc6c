"""Two runs compared, cell by cell: ``fc.diff``.

Owns what counts as the same cell (node by name, labels along axes) and the same value
(its identity, so no array is read where two agree). Only the values of cells that differ
are read, some of each node, to tell by how much. Only reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, field
from typing import Protocol

from flowcore.dataclass import dataclass
from flowcore.declare.node import HIDDEN
from flowcore.errors import PickleNotAllowed, ValueLost, ValueReleased
from flowcore.history import RecordedRun, open_run
from flowcore.inspect.causes.deviating import CellDifference
from flowcore.inspect.html import heading, table
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.plan.closeness import deviation
from flowcore.store.cache import Hit
from flowcore.store.history import Answered
from flowcore.store.trace import Trace

_READ = 100  # cells of a node whose values are compared by number
_TOLD = 3  # cells of a node that are named
_NODES = 12  # nodes that are named


class RunLike(Protocol):
    """A run, as far as it has an id and lies in a store."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def _now(self) -> Recorded:
        """Give what its journal tells."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDifference:
    """What differs in the cells of one node.

    Attributes
    ----------
    node : str
    equal, different : int
        Cells with one value, or one end, in both runs; and the others.
    unknown : int
        Cells of which a value has no identity, so nobody can tell.
    only_a, only_b : int
        Cells that only one of the runs has.
    absolute, relative : float
        The largest differences among the `looked_at` first cells that differ.
    cells : tuple of CellDifference
        The first ones, in the order of cells.
    """

    node: str
    equal: int = 0
    different: int = 0
    unknown: int = 0
    only_a: int = 0
    only_b: int = 0
    absolute: float = 0.0
    relative: float = 0.0
    looked_at: int = 0
    cells: tuple[CellDifference, ...] = ()

    @property
    def same(self) -> bool:
        """Whether nothing differs, as far as can be told."""
        return not (self.different or self.only_a or self.only_b)

    def __str__(self) -> str:
        counts = {"equal": self.equal, "differ": self.different, "cannot be told": self.unknown,
                  "only in the first": self.only_a, "only in the second": self.only_b}  # fmt: skip
        told = ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "no cells"
        if self.absolute:
            of = f" (of {self.looked_at} looked at)" if self.looked_at < self.different else ""
            told += f"; at most {self.absolute:.3g} absolute, {self.relative:.3g} relative{of}"
        return f"{self.node}: {told}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDifference:
    """What differs between two runs; to print it shows it.

    Attributes
    ----------
    a, b : str
        Ids of the runs.
    nodes : tuple of NodeDifference
        Those that both have, in the order in which they were drawn: a node comes after
        those that feed it, so the first that differs is where to look.
    only_a, only_b : tuple of str
        Nodes that only one of them has.
    """

    a: str
    b: str
    nodes: tuple[NodeDifference, ...] = ()
    only_a: tuple[str, ...] = field(default=())
    only_b: tuple[str, ...] = field(default=())

    @property
    def same(self) -> bool:
        """Whether nothing differs, as far as can be told."""
        return not (self.only_a or self.only_b) and all(node.same for node in self.nodes)

    def __str__(self) -> str:
        lines = [f"{self.a} and {self.b}: {'no differences' if self.same else 'they differ'}"]
        differing = [node for node in self.nodes if not node.same]
        for node in differing[:_NODES]:
            lines.append(f"  {node}")
            lines += [f"    {cell}" for cell in node.cells[: _TOLD if node is differing[0] else 1]]
        if len(differing) > _NODES:
            lines.append(f"  and {len(differing) - _NODES} more nodes that differ")
        same = sum(node.same for node in self.nodes)
        if same:
            lines.append(f"  {same} node{'s have' if same > 1 else ' has'} the same values in both")
        for which, names in (("first", self.only_a), ("second", self.only_b)):
            if names:
                more = f" and {len(names) - _NODES} more" if len(names) > _NODES else ""
                lines.append(f"  only in the {which}: {', '.join(names[:_NODES])}{more}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        """Give it as plain data."""
        return {**asdict(self), "same": self.same}

    def _repr_html_(self) -> str:
        head, *rest = str(self).splitlines()
        return table(heading(head, "", state="same" if self.same else "different"), [""], [[line] for line in rest])


def diff(run_a: RunLike | str, run_b: RunLike | str, store: object = ".flowcore") -> RunDifference:
    """Tell what differs between two runs: which cells, and by how much.

    Parameters
    ----------
    run_a, run_b : Run, RecordedRun or str
        The runs, or their ids (or the first letters of them).
    store : path or open store
        Where runs named by id are.

    Returns
    -------
    RunDifference
        To print it shows it on one screen.

    Raises
    ------
    UnknownRun
        If there is no such run.

    Examples
    --------
    >>> import math
    >>> import tempfile
    >>> import flowcore as fc
    >>> def drawn(x):
    ...     flow = fc.Flow("roots")
    ...     ref = flow.add(math.sqrt, x, name="root")
    ...     return flow
    >>> with tempfile.TemporaryDirectory() as store:
    ...     a, b = (drawn(x).run(store=store, executor="inline", progress=False) for x in (4.0, 9.0))
    ...     print(fc.diff(a, b).nodes[0])
    root: 1 differ; at most 1 absolute, 0.5 relative
    """
    a, b = (_recorded(run, store) for run in (run_a, run_b))
    names_a, names_b = (
        {info.name: number for number, info in run.nodes.items() if info.kind not in (*HIDDEN, "item")}
        for run in (a, b)
    )
    nodes = [_compare((a, names_a[name]), (b, number), name) for name, number in names_b.items() if name in names_a]
    return RunDifference(
        a=a.id, b=b.id, nodes=tuple(nodes), only_a=tuple(name for name in names_a if name not in names_b),
        only_b=tuple(name for name in names_b if name not in names_a),
    )  # fmt: skip


def _names(run: Recorded) -> dict[str, int]:
    """Give the nodes that are compared: parts of values are compared with the whole."""
    return {info.name: number for number, info in run.nodes.items() if info.kind not in (*HIDDEN, "item")}


def _recorded(run: RunLike | str, store: object) -> Recorded:
    found: RunLike | RecordedRun = open_run(run, store) if isinstance(run, str) else run
    return found._now


Side = tuple[Recorded, int]  # a run and one of its nodes


def _compare(a: Side, b: Side, name: str) -> NodeDifference:
    """Compare the cells of a node that both runs have."""
    pairs, only_a, only_b = _pairs(a, b)
    ends_a, ends_b = _ends(*a, [n for n, _ in pairs]), _ends(*b, [n for _, n in pairs])
    differing = [pair for pair, x, y in zip(pairs, ends_a, ends_b, strict=True) if x != y and x and y]
    unknown = sum(not x or not y for x, y in zip(ends_a, ends_b, strict=True))
    looked_at = [_difference(a, b, *pair) for pair in differing[:_READ]]
    return NodeDifference(
        node=name, equal=len(pairs) - len(differing) - unknown, different=len(differing), unknown=unknown,
        only_a=only_a, only_b=only_b, looked_at=len(looked_at), cells=tuple(looked_at[:_TOLD]),
        absolute=max((one.absolute for one in looked_at), default=0.0),
        relative=max((one.relative for one in looked_at), default=0.0),
    )  # fmt: skip


def _pairs(a: Side, b: Side) -> tuple[list[tuple[int, int]], int, int]:
    """Give the numbers of the cells that both runs have, and how many only one has."""
    axes_a, axes_b = (run.ledgers[node].axes for run, node in (a, b))
    count_a, count_b = (run.space(node).count for run, node in (a, b))
    known = all(axis.labels is not None for axis in (*axes_a, *axes_b))
    if known and [(x.name, x.labels) for x in axes_a] == [(x.name, x.labels) for x in axes_b]:
        return [(n, n) for n in range(count_a)], 0, 0
    there = {_labels(a, n): n for n in range(count_a)}
    pairs = [(there[labels], n) for n in range(count_b) if (labels := _labels(b, n)) in there]
    return pairs, count_a - len(pairs), count_b - len(pairs)


def _labels(side: Side, number: int) -> frozenset[tuple[str, object]]:
    run, node = side
    return frozenset(zip(run.nodes[node].axes, run.labels(node, number), strict=True))


def _ends(run: Recorded, node: int, numbers: Sequence[int]) -> list[bytes]:
    """Give what each cell came to: the identity of its value, or how it ended; empty where that cannot be told."""
    index, keys = run.ledgers[node].index(), dict[int, bytes]()
    found: list[bytes] = []
    for place, number in enumerate(numbers):
        event, row = index.get(number, (None, 0))
        if isinstance(event, Trace):
            found.append(event.components[row])
        elif isinstance(event, Answered):
            keys[place] = event.keys[row]
            found.append(b"")
        else:
            found.append(b"state " + run.state(node, number).encode())
    for place, component in zip(keys, _answers(run, list(keys.values())), strict=True):
        found[place] = component
    return found


def _answers(run: Recorded, keys: list[bytes]) -> Iterator[bytes]:
    """Give the identities of values that keys answered with: of older runs, or of equal cells of this one."""
    hits = run.archive.cache.judge(keys) if keys else []
    own = run.components_of(keys) if any(not isinstance(hit, Hit) for hit in hits) else {}
    for key, hit in zip(keys, hits, strict=True):
        yield hit.component if isinstance(hit, Hit) else own.get(key, b"")


def _difference(a: Side, b: Side, here: int, there: int) -> CellDifference:
    (run_a, node_a), (run_b, node_b) = a, b
    name, states = run_b.name(node_b, there), (run_a.state(node_a, here), run_b.state(node_b, there))
    if any(state not in ("done", "hit", "given") for state in states):
        return CellDifference(cell=name, told=f"{states[0]} and {states[1]}" if states[0] != states[1] else "")
    try:
        found = deviation(run_a.value(node_a, here), run_b.value(node_b, there))
    except (ValueLost, ValueReleased, PickleNotAllowed):
        return CellDifference(cell=name, told="a value cannot be read")
    return CellDifference.of(name, found)
