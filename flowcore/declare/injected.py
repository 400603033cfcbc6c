"""Parameters that nobody passes: defaults such as ``fc.rng()``, which a running cell is supplied with.

Owns: what makes a default such a *request*, which requests a function has, and who
answers them where a task is called plainly.
Promises: a drawing never binds them; they are found once a task, by looking at defaults,
and a task without any pays one test a call.
Never: makes what is asked for. Outside a run the default does that itself; a running
cell has suppliers (`run/cell/supply.py`), reached by :data:`CELL`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, ClassVar, Protocol, TypeGuard

from flowcore.dataclass import dataclass
from flowcore.declare.site import defined_at
from flowcore.errors import BadOption, WiringMismatch


class Injected(Protocol):
    """A default that asks for something instead of being it.

    It is known by its class, so that worker processes need nothing else of this room.
    """

    __injects__: ClassVar[str]
    """The kind of what is asked for; kinds, not options, are part of a function's identity."""

    def __options__(self) -> dict[str, object]:
        """Give what the supplier has to know, as plain data: numbers, text, lists."""
        ...

    def __alone__(self) -> object:
        """Give what a plain call outside every run gets."""
        ...


class Cell(Protocol):
    """The cell that runs here, as far as a task that its code calls plainly has to know it."""

    def inner(self, asked: Injected, task: str) -> object:
        """Give what the parameter of a task called in this cell gets."""
        ...


CELL: ContextVar[Cell | None] = ContextVar("flowcore cell", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A parameter that asks to be supplied."""

    parameter: str
    place: int | None  # among those given by position; None: by name only
    asked: Injected

    def refusal(self, task: str, found: object, *, at: str, function: Callable[..., object]) -> WiringMismatch:
        """Make the error for an argument that was passed for it while drawing."""
        remedy = "Leave it out of this call."
        if kind_of(self.asked) == "rng":
            remedy += " For other streams use flow.run(seed=...), or an axis such as fc.each(replica=range(10))."
        return WiringMismatch(
            node=task, parameter=self.parameter, found=f"a {type(found).__name__}",
            expected=f"what each cell is supplied with ({self.asked!r})", at=at, defined=defined_at(function),
            remedy=remedy,
        )  # fmt: skip


def is_injected(value: object) -> TypeGuard[Injected]:
    """Tell whether a default asks for something instead of being it."""
    return isinstance(getattr(type(value), "__injects__", None), str)


def kind_of(value: object) -> str:
    """Give the kind of what a default asks for; empty for an ordinary one."""
    return str(type(value).__injects__) if is_injected(value) else ""


def requests(function: Callable[..., object]) -> tuple[Request, ...]:
    """Give the parameters of a function that ask to be supplied, in order.

    Raises
    ------
    BadOption
        If one can be given by position only.
    """
    if not any(is_injected(default) for default in _defaults(function)):
        return ()
    found: list[Request] = []
    for place, parameter in enumerate(inspect.signature(function).parameters.values()):
        if not is_injected(parameter.default):
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise BadOption(
                option=parameter.name, found="a parameter given by position only",
                expected=f"one that {parameter.default!r} can be given to by name", at=defined_at(function),
            )  # fmt: skip
        by_place = parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        found.append(Request(parameter=parameter.name, place=place if by_place else None, asked=parameter.default))
    note_asked(found)
    return tuple(found)


def note_asked(found: Iterable[Request]) -> None:
    """Remember what a task of this process asks for."""
    _asked_for.update(kind_of(request.asked) for request in found)


_asked_for: set[str] = set()


def is_asked_for(kind: str) -> bool:
    """Tell whether any task of this process asks for that kind: what asks may be called where it cannot be seen."""
    return kind in _asked_for


def _defaults(function: Any) -> Iterator[object]:
    """Yield the defaults of a function and of all that it wraps: cheaper than its signature."""
    seen: set[int] = set()
    while function is not None and id(function) not in seen:
        seen.add(id(function))
        if isinstance(function, functools.partial):
            yield from function.keywords.values()
            function = function.func
            continue
        if not hasattr(function, "__defaults__"):
            function = inspect.getattr_static(type(function), "__call__", None)  # an object that can be called
        yield from (getattr(function, "__defaults__", None) or ())
        yield from (getattr(function, "__kwdefaults__", None) or {}).values()
        function = getattr(function, "__wrapped__", None)


def supplied(
    wanted: tuple[Request, ...], task: str, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> dict[str, object]:
    """Give the named arguments of a plain call, with what its parameters ask for where nothing was passed."""
    cell = CELL.get()
    found = dict(kwargs)
    for request in wanted:
        if request.parameter in found or (request.place is not None and request.place < len(args)):
            continue
        asked = request.asked
        found[request.parameter] = asked.__alone__() if cell is None else cell.inner(asked, task)
    return found
