"""The oracle of `check_executor`: random graphs, and what plain recursion gives for them.

The graphs are the same in every call: a seed is a name. A step calls one function on
values of earlier steps, on labels of an axis, or on what it gathers along one.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from flowcore.dataclass import dataclass
from flowcore.declare.axes import each, gather
from flowcore.flow import Flow
from flowcore.testing import cells

Labels: TypeAlias = "dict[str, int]"  # axis -> label: which cell
AXES: Mapping[str, Sequence[int]] = {"a": (1, 2, 3), "b": (10, 20)}
_FUNCTIONS: tuple[Callable[..., Any], ...] = (cells.mixed, cells.mixed, cells.spread, cells.paired)
_MOST_PARTS = 3
_NEW = 0.2  # arguments that begin something new
_GATHERED = 0.5  # arguments that are gathered, of those that can be


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An argument: the value of an earlier step, gathered over an axis or not; or the label of one."""

    step: int = -1
    over: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A node: what is called, on what, along which axes."""

    function: Callable[..., Any]
    parts: tuple[Part, ...]
    axes: tuple[str, ...]


def random_steps(seed: str, count: int = 24) -> list[Step]:
    """Draw a graph of so many nodes."""
    chance = random.Random(seed)
    steps: list[Step] = []
    for _ in range(count):
        parts = tuple(_part(chance, steps) for _ in range(chance.randint(1, _MOST_PARTS)))
        along = dict.fromkeys(axis for part in parts for axis in _axes(part, steps))
        steps.append(Step(function=chance.choice(_FUNCTIONS), parts=parts, axes=tuple(along)))
    return steps


def _part(chance: random.Random, steps: Sequence[Step]) -> Part:
    if not steps or chance.random() < _NEW:
        return Part(label=chance.choice(sorted(AXES)))
    number = chance.randrange(max(0, len(steps) - 8), len(steps))
    axes = steps[number].axes
    return Part(step=number, over=chance.choice(axes) if axes and chance.random() < _GATHERED else "")


def _axes(part: Part, steps: Sequence[Step]) -> tuple[str, ...]:
    """Give the axes that an argument brings in."""
    if part.label:
        return (part.label,)
    return tuple(axis for axis in steps[part.step].axes if axis != part.over)


def drawn(steps: Sequence[Step], flow: Flow, add: Callable[..., Any]) -> list[Any]:
    """Add the steps to a flow by `add`; give the nodes."""
    marks = {axis: each(**{axis: list(labels)}) for axis, labels in AXES.items()}
    nodes: list[Any] = []
    for number, step in enumerate(steps):
        given = [
            marks[part.label] if part.label
            else gather(nodes[part.step], over=part.over, labels=True) if part.over else nodes[part.step]
            for part in step.parts
        ]  # fmt: skip
        nodes.append(add(flow, step.function, *given, name=f"s{number}", salt=number))
    return nodes


class Recursion:
    """What plain calls give, one inside the other."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._known: dict[tuple[int, tuple[int, ...]], Any] = {}

    def value(self, number: int, labels: Labels) -> Any:
        """Give the value of one cell."""
        step = self._steps[number]
        cell = number, tuple(labels[axis] for axis in step.axes)
        if cell not in self._known:
            self._known[cell] = step.function(*(self._given(part, labels) for part in step.parts), salt=number)
        return self._known[cell]

    def cells(self, number: int) -> dict[Any, Any]:
        """Give the values of a step by what a grid calls its cells."""
        axes = self._steps[number].axes
        places = itertools.product(*(AXES[axis] for axis in axes))
        return {
            place[0] if len(place) == 1 else place: self.value(number, dict(zip(axes, place, strict=True)))
            for place in places
        }

    def _given(self, part: Part, labels: Labels) -> Any:
        if part.label:
            return labels[part.label]
        if part.over:
            return {label: self.value(part.step, labels | {part.over: label}) for label in AXES[part.over]}
        return self.value(part.step, labels)
