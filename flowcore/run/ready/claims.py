"""What the engine gives cells whose task has a checkpoint: the claim of each.

Owns the keys of checkpoints: those of the cells, without the parameter that only lengthens
the simulation (contract C1, K24). Promises that a cell which is never kept, because
something failed above it, claims nothing; nor does one that cannot be keyed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

from flowcore.dataclass import dataclass
from flowcore.declare.checkpoint import CHECKPOINT
from flowcore.declare.injected import kind_of
from flowcore.declare.task import Task
from flowcore.plan.graph import Planned
from flowcore.plan.keys import NodeKeys
from flowcore.run.cell.claim import pack_claim
from flowcore.run.job import Component
from flowcore.run.ready.inputs import Feeder
from flowcore.run.ready.parameters import Own, component_columns
from flowcore.run.ready.values import Values

Injected = tuple[tuple[str, str, dict[str, object]], ...]


@dataclass(slots=True, kw_only=True)
class ClaimSource:
    """The claims of a node's cells; see `flowcore.run.ready.requests.Source`.

    Attributes
    ----------
    taken : dict of int to bytes
        Cell number to the key of its checkpoint, of all cells that were handed out.
    stays : bool
        What is left at the end of a cell stays, to go on from.
    """

    node: int
    keys: NodeKeys | None  # None: nothing can be claimed
    own: Sequence[Own]
    feeders: Sequence[Feeder]
    keyed: bool  # whether a cell without a key is one that is never kept
    name: Callable[[int, int], str]
    stays: bool
    taken: dict[int, bytes] = field(default_factory=dict)

    def column(self, numbers: Sequence[int], keys: Sequence[bytes], values: Values) -> list[bytes]:
        """Give the claim of each cell."""
        columns = component_columns(self.own, self.feeders, numbers, values) if self.keys is not None else []
        claims = []
        for i, number in enumerate(numbers):
            own = {p.name: column[0 if len(column) == 1 else i] for p, column in zip(self.own, columns, strict=False)}
            key = self._key(own) if keys[i] or not self.keyed else b""
            if key:
                self.taken[number] = key
            named = {f"argument {name}": component for name, component in own.items()}
            claims.append(pack_claim(key, self.name(self.node, number), named))
        return claims

    def _key(self, own: Mapping[str, Component]) -> bytes:
        if self.keys is None or not all(own.values()):
            return b""
        return self.keys.keys([[own[name]] for name in self.keys.own])[0]


def has_checkpoint(task: Task[..., Any] | None) -> bool:
    """Tell whether the cells of a task are supplied with a checkpoint."""
    return task is not None and any(kind_of(request.asked) == CHECKPOINT for request in task.injected)


def claim_source(
    planned: Planned, common: Mapping[str, bytes] | None, own: Sequence[Own], feeders: Sequence[Feeder], *,
    keyed: bool, name: Callable[[int, int], str],
) -> ClaimSource:  # fmt: skip
    """Give what the claims of a node's cells are made from."""
    extend = planned.node.options.extend
    counted = [parameter for parameter in own if parameter.name != extend]
    keys = None
    if common is not None:
        keys = NodeKeys(common=_without(common, extend), own=[parameter.name for parameter in counted])
    return ClaimSource(
        node=planned.number, keys=keys, own=counted, feeders=feeders, keyed=keyed, name=name, stays=extend is not None
    )


def with_claims(injected: Injected, planned: Planned, common: Mapping[str, bytes] | None, resume: str) -> Injected:
    """Add what all cells of a node have in common of their claims to what its task asks for."""
    options, function = planned.node.options, getattr(planned.node.task, "function", None)
    shared: dict[str, object] = {
        "common": _without(common or {}, options.extend),
        "task": f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}",
        "lengthens": options.extend is not None, "keep": options.keep or 0, "resume": resume,
        "at": planned.node.site,
    }  # fmt: skip
    return tuple((p, kind, o | shared if kind == CHECKPOINT else o) for p, kind, o in injected)


def _without(common: Mapping[str, bytes], extend: str | None) -> dict[str, bytes]:
    return {name: component for name, component in common.items() if name != f"argument {extend}"}
