"""What nodes of one task have in common, however many there are: a recipe.

Owns the record of it. Nodes share a recipe if they call the same task with the same
options and arguments of the same shape; then they differ in small constants, and in
where their values come from, and in nothing else. So a task is identified, packed and
sent to a worker once, and not once a node. Made in `preparing.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import FunctionType

from flowcore.dataclass import dataclass
from flowcore.declare.options import TaskOptions
from flowcore.plan.code import Fingerprint
from flowcore.plan.keys import SharedKeys
from flowcore.plan.tracking import Watch
from flowcore.run.job import Component, Keep, TaskSpec
from flowcore.run.ready.parameters import Own


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What the cells of all nodes with it have in common."""

    owner: object  # the function, by whose address recipes are found: it must not be another's meanwhile
    options: TaskOptions
    shared: bool  # whether other nodes may have it, so that their cells may travel together
    lane: str
    task: TaskSpec
    keep: Keep
    code: Fingerprint | None = None  # of the task, where it is cached and could be identified
    common: dict[str, bytes] | None = None  # what claims of saved states are made of; None: it saves none
    keys: SharedKeys | None = None  # None: its cells are not keyed
    own: list[Own] = field(default_factory=list)  # parameters that differ from cell to cell
    constants: Mapping[str, Component] = field(default_factory=dict)  # identities of arguments that are in the recipe
    met: tuple[Fingerprint, ...] = ()  # of the user classes in its constants
    draws: bool = False  # whether its cells have random streams, which should not be the same
    watch: Watch | None = None  # over what the task tracks and may change during the run

    @property
    def answers_for(self) -> float | None:
        """For how many seconds a kept result answers; None: for ever."""
        cache = self.options.cache
        return None if isinstance(cache, bool | str) else float(cache)

    def serves(self, options: TaskOptions) -> bool:
        """Tell whether it is made with these options; an age of a second is not True, though they are equal."""
        own = self.options
        return own is options or (type(own.cache) is type(options.cache) and own == options)

    def functions(self) -> dict[bytes, FunctionType]:
        """Give the user's functions that its identity is made of, by their digests as parts."""
        codes = (*self.met, *((self.code,) if self.code is not None else ()))
        return {digest: function for code in codes for digest, function in code.functions}

    def facts(self) -> dict[str, object]:
        """Give what is known of all nodes with it, for the journal."""
        keys = self.keys
        facts: dict[str, object] = {"runner": self.lane, "common": keys.common if keys is not None else {}}
        facts["own"] = [own.name for own in self.own] if keys is not None else []
        unfollowed = list(self.code.unfollowed) if self.code is not None else []
        return facts | {"blind": unfollowed} if unfollowed else facts
