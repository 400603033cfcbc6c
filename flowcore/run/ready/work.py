"""A node made ready to run: its recipe, its cells' arguments, and their keys.

Owns the record of it, and what is asked of one. Made in `preparing.py`, when the first
cell of the node is ready.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from types import MappingProxyType
from typing import Any

from flowcore.dataclass import dataclass
from flowcore.declare.checkpoint import CHECKPOINT
from flowcore.plan.code import Fingerprint
from flowcore.plan.graph import Planned
from flowcore.plan.keys import NodeKeys
from flowcore.plan.tracking import Watch
from flowcore.run.job import Component, Keep, Record, TaskSpec
from flowcore.run.ready.claims import ClaimSource
from flowcore.run.ready.inputs import Feeder, FromGather
from flowcore.run.ready.parameters import Own, component_columns
from flowcore.run.ready.recipe import Recipe
from flowcore.run.ready.requests import Source
from flowcore.run.ready.values import Values

_NOTHING: Mapping[Any, Any] = MappingProxyType({})


def _nothing() -> Mapping[Any, Any]:
    return _NOTHING


@dataclass(slots=True, kw_only=True)
class Work:
    """A node ready to run."""

    planned: Planned
    recipe: Recipe
    keys: NodeKeys | None  # None: its cells are not keyed
    feeders: list[Feeder]  # one a slot of its task's call: those of the drawing, then small constants
    met: tuple[tuple[str, bytes], ...] = ()  # user classes in constants of which only the records are here
    classes: tuple[str, ...] = ()  # names of user classes in the call's constants
    supplies: Mapping[str, Source] = field(default_factory=_nothing)  # by kind: what cells are supplied from
    sketches: Mapping[Component, str] = field(
        default_factory=_nothing
    )  # of constants whose identity does not tell them
    told: Mapping[str, Component] | None = None  # `varying`, where the keys do not tell
    held: tuple[Record, ...] = ()  # of constants, axis values and functions' buffers: they live as long as the run

    @property
    def varying(self) -> Mapping[str, Component]:
        """The identities of small constants, by parameter."""
        shared = self.recipe.keys
        if self.told is not None or self.keys is None or shared is None:
            return self.told or _NOTHING
        return {name.removeprefix("argument "): c for name, c in zip(shared.varying, self.keys.varying, strict=True)}

    @property
    def number(self) -> int:
        """The node's number."""
        return self.planned.node.number

    @property
    def lane(self) -> str:
        """The lane that its cells go to."""
        return self.recipe.lane

    @property
    def task(self) -> TaskSpec:
        """Its task, as executors get it."""
        return self.recipe.task

    @property
    def keep(self) -> Keep:
        """What becomes of its results."""
        return self.recipe.keep

    @property
    def own(self) -> list[Own]:
        """The parameters that enter its cells' keys and differ from cell to cell."""
        return self.recipe.own if self.keys is not None else []

    @property
    def code(self) -> Fingerprint | None:
        """The code of its task, where it is cached and could be identified."""
        return self.recipe.code

    @property
    def watch(self) -> Watch | None:
        """The watch over what its task tracks and may change during the run."""
        return self.recipe.watch

    @property
    def draws(self) -> bool:
        """Whether its cells have random streams, which should not be the same."""
        return self.recipe.draws

    @property
    def claims(self) -> ClaimSource | None:
        """What its cells claim their checkpoints from; None: its task has none."""
        source = self.supplies.get(CHECKPOINT)
        return source if isinstance(source, ClaimSource) else None

    def lacking(self, numbers: Sequence[int], lost: Callable[[int, int], bool]) -> list[int]:
        """Give the cells that are handed a gather from which failed cells are left out."""
        gathers = [feed for feed in self.feeders if isinstance(feed, FromGather)]
        return [n for n in numbers if any(gather.lacks(n, lost) for gather in gathers)] if gathers else []

    def columns(self, numbers: Sequence[int], values: Values) -> list[list[Record]]:
        """Give the records in each slot, for these cells."""
        return [feed.records(numbers, values) for feed in self.feeders]

    def keyed(self, numbers: Sequence[int], values: Values) -> tuple[list[bytes], list[list[Component]]]:
        """Give the key of each of these cells, and what entered it besides what all share."""
        assert self.keys is not None, "asked for keyed nodes only"
        own = self.own_components(numbers, values)
        keys = self.keys.keys(own) if own else self.keys.keys([])
        return (keys * len(numbers) if len(keys) == 1 and len(numbers) > 1 else keys), own

    def facts(self) -> dict[str, object]:
        """Give what is known of the node once it is made ready, for the journal."""
        common = self.keys.common if self.keys is not None else {}
        facts = self.recipe.facts() | {"name": self.planned.name, "common": common}
        return facts | {"told": self.sketches} if self.sketches else facts

    def own_components(self, numbers: Sequence[int], values: Values) -> list[list[Component]]:
        """Give the identities that enter these cells' keys, a column a parameter."""
        return component_columns(self.own, self.feeders, numbers, values)
