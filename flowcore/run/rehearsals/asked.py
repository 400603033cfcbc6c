"""What a user asked of a run, or of a look at what a run would do, in numbers."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import field

from flowcore.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a user asked besides settings.

    Attributes
    ----------
    wants : mapping
        Node number to the cells that are wanted, None for all; targets not named are wanted whole.
    held : container of int
        Nodes whose values live as long as the run, whoever has used them.
    given : mapping
        Node number to the values supplied for its cells, in the order of their numbers.
    refresh : mapping
        Node number to the cells whose older results do not count, None for all.
    trust : container of int
        Nodes whose older results count although their code has changed.
    checking : bool
        Whether what comes out is only compared with what is kept: two values for one key are no surprise then.
    origin : mapping
        What draws the flow; see `flowcore.run.told.origin`.
    """

    wants: Mapping[int, Sequence[int] | None] = field(default_factory=dict)
    held: Container[int] = ()
    given: Mapping[int, Sequence[object]] = field(default_factory=dict)
    refresh: Mapping[int, Sequence[int] | None] = field(default_factory=dict)
    trust: Iterable[int] = ()
    checking: bool = False
    origin: Mapping[str, object] = field(default_factory=dict)
