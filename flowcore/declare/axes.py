"""Axes: the marks of ``each`` and ``gather``, labels, and how axes meet.

An axis is a name and its labels. Axes meet by name: equal labels in equal order are
one axis, all else is :class:`~flowcore.errors.AxisMismatch`; different names multiply.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar, overload

from flowcore.declare.node import Axis, Node, label_of, node_of
from flowcore.declare.placeholder import Placeholder
from flowcore.declare.site import at_users_line, user_site
from flowcore.errors import AxisMismatch, WiringMismatch

__all__ = ["Axis", "Each", "Gather", "Missing", "difference", "each", "gather", "labels_of"]

T = TypeVar("T")
Missing = Literal["need", "drop", "drop-failed"]


class Each(Placeholder):
    """The mark that :func:`each` makes: run the call for each of these."""

    __slots__ = ("axis", "labels", "node", "site", "values")
    axis: str
    values: tuple[object, ...]
    labels: tuple[object, ...]
    node: Node | None  # the node to iterate over; then values and labels are empty
    site: str

    def __init__(self, axis: str, values: tuple[object, ...], node: Node | None, site: str) -> None:
        labels = labels_of(axis, values, at=site) if node is None else ()
        for name, value in zip(Each.__slots__, (axis, labels, node, site, values), strict=True):
            object.__setattr__(self, name, value)

    def __about__(self) -> tuple[str, str]:
        return f"each({self.axis}=...)", self.site

    def __repr__(self) -> str:
        return f"<each {self.axis}: {self.node.name if self.node else len(self.values)}>"


class Gather(Placeholder):
    """The mark that :func:`gather` makes: hand over the values along some axes at once."""

    __slots__ = ("labels", "missing", "node", "over", "site")
    node: Node
    over: tuple[str, ...]
    labels: bool
    missing: Missing
    site: str

    def __init__(self, node: Node, over: tuple[str, ...], labels: bool, missing: Missing, site: str) -> None:
        for name, value in zip(Gather.__slots__, (labels, missing, node, over, site), strict=True):
            object.__setattr__(self, name, value)

    def __about__(self) -> tuple[str, str]:
        return f"gather({self.node.name})", self.site

    def __repr__(self) -> str:
        return f"<gather {self.node.name} over {', '.join(self.over)}>"


@at_users_line
def each(**axis: Iterable[T]) -> T:
    """Mark an argument to iterate over: the call becomes a grid along the axis named.

    Parameters
    ----------
    **axis
        One name, and the values: a list, tuple, range or array (along its first
        dimension), or a node whose value is a list, tuple or array; its length is then
        known only in the run.

    Returns
    -------
    mark
        Typed as one of the values, for the call it is passed to.

    Raises
    ------
    AxisMismatch
        If two values have the same label.
    WiringMismatch
        If the values are no sequence, such as text, a dict or a set.

    Examples
    --------
    >>> import flowcore as fc
    >>> @fc.compute
    ... def square(x: int) -> int:
    ...     return x * x
    >>> with fc.Flow("squares") as flow:
    ...     squares = square(fc.each(x=[1, 2, 3]))
    >>> flow["square"].axes
    (<axis 'x': 3>,)
    """
    site = user_site()
    if len(axis) != 1:
        raise _refused("each()", f"{len(axis)} axes", "one axis, as in each(rate=rates)", site)
    ((name, values),) = axis.items()
    node = node_of(values)
    if node is not None:
        return typing.cast("T", Each(name, (), node, site))
    found = f"a {type(values).__name__}"
    if isinstance(values, Placeholder):
        expected = "values or one node: hand what is marked to a task first"
        raise _refused(f"each({name}=...)", found.lower(), expected, site)
    if isinstance(values, str | bytes | bytearray | Mapping | set | frozenset) or not isinstance(values, Iterable):
        raise _refused(f"each({name}=...)", found, "a list, tuple, range, array or node", site)
    if getattr(values, "shape", None) == ():
        raise _refused(f"each({name}=...)", "an array without dimensions", "one with a first dimension", site)
    taken = tuple(values)
    if any(isinstance(value, Placeholder | Node) for value in taken):
        expected = "values or one node: call the task once for each of them, [task(x) for x in ...]"
        raise _refused(f"each({name}=...)", "references", expected, site)
    return typing.cast("T", Each(name, taken, None, site))


def _refused(parameter: str, found: str, expected: str, at: str) -> WiringMismatch:
    return WiringMismatch(node="", parameter=parameter, found=found, expected=expected, at=at, remedy="Mend this call.")


@overload
def gather(
    x: T, /, over: str | Iterable[str] | None = None, *, labels: Literal[False] = False, missing: Literal["need"] = ...
) -> list[T]: ...
@overload
def gather(
    x: T, /, over: str | Iterable[str] | None = None, *, labels: Literal[True], missing: Missing = ...
) -> dict[Any, T]: ...
@at_users_line
def gather(
    x: object, /, over: str | Iterable[str] | None = None, *, labels: bool = False, missing: Missing = "need"
) -> object:
    """Collect a grid along one axis, several or all, for one call.

    Parameters
    ----------
    x : node
        The grid.
    over : str or sequence of str, optional
        The axes to collect; by default all. What is collected is one flat list,
        row-major in the order of the grid's axes.
    labels : bool
        Collect into a dict from label (a tuple of them for several axes) to value.
    missing : {"need", "drop", "drop-failed"}
        What a cell without value means: ``need``, that the call is skipped or not run;
        ``drop``, that skipped cells are left out; ``drop-failed``, failed ones too.
        The last two need `labels`.

    Raises
    ------
    AxisMismatch
        If the grid has no such axis, or an axis that is kept depends on it.

    Examples
    --------
    >>> import flowcore as fc
    >>> @fc.compute
    ... def square(x: int) -> int:
    ...     return x * x
    >>> @fc.compute
    ... def total(values: list[int]) -> int:
    ...     return sum(values)
    >>> with fc.Flow("sum of squares") as flow:
    ...     answer = total(fc.gather(square(fc.each(x=[1, 2, 3]))))
    >>> flow["total"].axes
    ()
    """
    site = user_site()
    node = node_of(x)
    if node is None:
        raise _refused("gather()", f"a {type(x).__name__}", "a node", site)
    if missing not in typing.get_args(Missing):
        raise _refused("missing= of gather()", repr(missing), '"need", "drop" or "drop-failed"', site)
    if missing != "need" and not labels:
        expected = "labels=True: a list cannot show what is missing"
        raise _refused(f"gather(missing={missing!r})", "labels=False", expected, site)
    return Gather(node, _axes_over(node, over, site), labels, missing, site)


def _axes_over(node: Node, over: str | Iterable[str] | None, site: str) -> tuple[str, ...]:
    has = [axis.name for axis in node.axes]
    wanted = has if over is None else [over] if isinstance(over, str) else list(over)
    there = f"one of {', '.join(map(repr, has))}" if has else f"a grid: {node.name} has no axes"
    for name in wanted or ["(all)"]:
        if name not in has:
            raise AxisMismatch(
                node=node.name, axis=name, found=f"gather over {name!r}", expected=there, at=site,
                remedy=f"{node.name} is drawn at {node.site}. Gather over an axis that it has.",
            )  # fmt: skip
    for kept in node.axes:
        needs = [axis.name for axis in kept.source.axes] if kept.source is not None else []
        lost = [name for name in needs if name in wanted]
        if kept.name not in wanted and lost:
            raise AxisMismatch(
                node=node.name, axis=lost[0], found=f"gather over {lost[0]!r} alone",
                expected=f"{kept.name!r} gathered too, whose length differs along {lost[0]!r}", at=site,
                remedy=f"Gather over {kept.name!r} first, or over both.",
            )  # fmt: skip
    return tuple(name for name in has if name in wanted)


def labels_of(axis: str, values: tuple[object, ...], *, at: str) -> tuple[object, ...]:
    """Give the labels of values along an axis: their own if all have one, else positions.

    Raises
    ------
    AxisMismatch
        If two values have the same label.
    """
    labels = tuple(label_of(value) for value in values)
    if None in labels and any(label is None for label in labels):
        return tuple(range(len(values)))
    if len(set(labels)) == len(labels):
        return labels
    seen: dict[object, int] = {}
    for place, label in enumerate(labels):
        first = seen.setdefault(label, place)
        if first != place:
            raise AxisMismatch(
                node=f"each({axis}=...)", axis=axis, found=f"label {label!r} at places {first} and {place}",
                expected="every label once", at=at,
                remedy="Leave the repetition out, or add an axis that tells them apart.",
            )  # fmt: skip
    return labels


def difference(one: Axis, other: Axis) -> tuple[str, str]:
    """Tell in which way two axes of the same name differ, once for each."""
    if one.labels is None or other.labels is None:
        return tuple(  # type: ignore[return-value]
            f"{len(axis.labels)} labels" if axis.labels is not None else
            f"what {_iterated(axis)} gives in the run" for axis in (one, other)
        )  # fmt: skip
    if len(one.labels) != len(other.labels):
        return f"length {len(one.labels)}", f"length {len(other.labels)}"
    place = next(i for i, pair in enumerate(zip(one.labels, other.labels, strict=True)) if pair[0] != pair[1])
    return f"label {one.labels[place]!r} at place {place}", f"label {other.labels[place]!r} at place {place}"


def _iterated(axis: Axis) -> str:
    assert axis.source is not None
    return next(source.name for _, source in axis.source.sources())
