"""What a task may return to be drawn into its run (contract K30).

Owns :class:`Sapling`, by which tasks and what surrounds a running cell know a flow without
knowing flows. Imports no other room: it is part of what a task is typed by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

_LOOKED_AT = 10_000  # parts of a value in which a flow is looked for


class Sapling:
    """A flow, as far as drawing it into a run goes."""

    name: str
    drawing: Any  # a Drawing

    @property
    def nodes(self) -> tuple[Any, ...]:
        """All nodes in the order of drawing."""
        raise AssertionError("a sapling is a flow")

    @property
    def result(self) -> Any:
        """What the flow gives."""
        raise AssertionError("a sapling is a flow")


def hidden_sapling(value: object) -> str:
    """Give the path to a flow inside a value that is none; empty if there is none to be found."""
    waiting = [("result", value)]
    for path, part in waiting:  # grows as it is walked
        if isinstance(part, Sapling):
            return path
        if len(waiting) < _LOOKED_AT:
            waiting.extend(_inside(path, part))
    return ""


def _inside(path: str, part: object) -> Iterator[tuple[str, object]]:
    if isinstance(part, dict):
        yield from ((f"{path}[{key!r}]", element) for key, element in part.items())
    elif isinstance(part, list | tuple | set | frozenset):
        yield from ((f"{path}[{place}]", element) for place, element in enumerate(part))
    elif is_dataclass(part) and not isinstance(part, type):
        yield from ((f"{path}.{f.name}", getattr(part, f.name, None)) for f in fields(part))
